//! `lint`: what is wrong in gate files, before anybody is asked by them.

use super::Context;
use super::evaluate::{text_of, title};
use crate::cli::{Format, Lint};
use crate::core::gate::recognise::Kind;
use crate::core::lint::{Finding, Options, Severity};
use crate::error::{self, Error, Result};
use crate::ui::{data, printable};
use serde::{Deserialize as _, Serialize};
use std::path::{Path, PathBuf};

/// The names by which a gate file is known though it cannot be read.
const NAMES: [Kind; 5] = [Kind::Perfspec, Kind::Slo, Kind::Sli, Kind::ServiceIndicators, Kind::ServiceObjectives];

/// A larger file is no gate.
const LARGEST: u64 = 1 << 20;

/// A gate file.
struct File {
    path: PathBuf,
    kind: Kind,
    text: String,
}

/// A finding and where it is.
#[derive(Serialize)]
struct Told<'a> {
    file: String,
    format: Kind,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// Checks the files and prints what was found.
pub fn run(context: &Context, arguments: &Lint) -> Result<()> {
    let mut files = Vec::new();
    for path in &arguments.files {
        match path.is_dir() {
            true => files.extend(within(path)?),
            false => files.push(named(path)?),
        }
    }
    let options = Options { scrape_interval: arguments.scrape_interval.as_secs_f64() };
    let found: Vec<(&File, Vec<Finding>)> =
        files.iter().map(|file| (file, file.kind.lint(&file.text, beside(&files, file), options))).collect();
    let told = found.iter().flat_map(|(file, findings)| findings.iter().map(move |finding| (*file, finding)));
    match arguments.output {
        Format::Json | Format::Yaml => {
            let told: Vec<Told<'_>> =
                told.map(|(file, finding)| Told { file: title(&file.path), format: file.kind, finding }).collect();
            context.ui.answer(&data(&told, arguments.output == Format::Yaml));
        }
        _ => told.for_each(|(file, finding)| {
            let text = finding.render(&title(&file.path), &file.text);
            context.ui.answer(&format!("{}\n", printable(&text)));
        }),
    }
    let count = |severity: Severity| found.iter().flat_map(|(_, list)| list).filter(|one| one.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let counted = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let (errors_told, warnings_told) = (counted(errors, "error"), counted(warnings, "warning"));
    context.ui.say(&format!("{errors_told}, {warnings_told} in {}\n", counted(files.len(), "file")));
    match errors > 0 || arguments.strict && warnings > 0 {
        // The answer has said why.
        true => Err(Error::new(error::Kind::Usage, "")),
        false => Ok(()),
    }
}

/// A file that was named: it must be one that is known.
fn named(path: &Path) -> Result<File> {
    let text = text_of(path)?;
    let unreadable = || (text.trim().is_empty() || !readable(&text)).then(|| by_name(path).unwrap_or(Kind::likely(&text)));
    match Kind::of(&text).or_else(unreadable) {
        Some(kind) => Ok(File { path: path.to_owned(), kind, text }),
        None => Err(Error::usage(format!("{}: this is no gate file that is known", title(path)))
            .hint("`tidegate help gates` says which there are")),
    }
}

fn readable(text: &str) -> bool {
    serde_yaml::Deserializer::from_str(text).all(|document| serde::de::IgnoredAny::deserialize(document).is_ok())
}

fn by_name(path: &Path) -> Option<Kind> {
    NAMES.into_iter().find(|kind| path.file_name().is_some_and(|name| name == kind.name()))
}

/// The gate files in a directory and those below it, by name.
fn within(directory: &Path) -> Result<Vec<File>> {
    let files: Vec<File> = crate::files::within(directory)?.into_iter().filter_map(gate).collect();
    match files.is_empty() {
        true => Err(Error::usage(format!("there is no gate file in {}", directory.display()))
            .hint("`tidegate help gates` says which there are")),
        false => Ok(files),
    }
}

fn gate(path: PathBuf) -> Option<File> {
    let known = ["json", "yaml", "yml"];
    path.extension().filter(|extension| known.iter().any(|one| extension.eq_ignore_ascii_case(one)))?;
    path.metadata().ok().filter(|about| about.len() <= LARGEST)?;
    let text = std::fs::read_to_string(&path).ok()?;
    let kind = Kind::of(&text).or_else(|| by_name(&path))?;
    Some(File { path, kind, text })
}

/// The file with the queries of `file`, where one stands beside it.
fn beside<'a>(files: &'a [File], file: &File) -> Option<&'a str> {
    let wanted = file.kind.queries()?;
    let found = files.iter().find(|other| other.kind == wanted && other.path.parent() == file.path.parent());
    found.map(|found| found.text.as_str())
}
