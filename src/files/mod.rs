//! Manifests in a checkout: read, searched, edited in memory, and written all or none. No cluster is asked.

mod edit;
mod find;
mod git;
mod walk;
mod write;

pub use edit::Edit;
pub use git::{Commit, Git, MOST_COMMITS};
pub use walk::within;
pub use write::{Written, put_back, write};

use crate::core::check::Rules;
use crate::core::manifest::Manifest;
use crate::core::object::{Object, Origin};
use crate::core::{release, shell};
use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What `-f` calls standard input.
pub const STDIN: &str = "-";

/// A text and where it is from.
#[derive(Debug)]
struct Text {
    /// As it is told.
    name: String,
    /// The file itself, behind symbolic links; none for standard input.
    path: Option<PathBuf>,
    text: String,
}

/// A text that holds virtual services, or destination rules.
struct File {
    source: Text,
    manifest: Manifest,
    /// The values of its chart, by their place in [`Checkout::values`].
    values: Option<usize>,
}

/// The manifests that were named.
#[derive(Default)]
pub struct Checkout {
    files: Vec<File>,
    values: Vec<Text>,
    objects: Vec<Object>,
    /// The subsets that destination rules among them define.
    pub rules: Rules,
    /// What lies below a directory and cannot be read: its text and why.
    unread: Vec<(String, Error)>,
    /// The files as they were named.
    named: Vec<String>,
    /// The flags that name them again: ` -f k8s -f base`.
    flags: String,
    namespace: Option<String>,
}

impl Checkout {
    /// Reads the files and directories `named`. An object without a namespace counts as one of `namespace`. `values` is the
    /// file of values for all templates; otherwise it is the `values.yaml` of the chart that each is in.
    ///
    /// # Errors
    /// `Usage` for a file that was named and cannot be read.
    pub fn read(named: &[PathBuf], values: Option<&Path>, namespace: Option<&str>) -> Result<Self> {
        let mut checkout = Self { namespace: namespace.map(str::to_owned), ..Self::default() };
        if let Some(path) = values {
            checkout.values.push(text_of(path)?);
            checkout.flags = format!(" --values {}", shell::quoted(&path.to_string_lossy()));
        }
        for path in named {
            let name = path.to_string_lossy();
            checkout.flags += &format!(" -f {}", shell::quoted(&name));
            checkout.named.push(if name == STDIN { "standard input".into() } else { name.clone().into_owned() });
            if name == STDIN || !path.is_dir() {
                let source = text_of(path)?;
                let name = source.name.clone();
                checkout.add(source, values.is_some()).map_err(|error| at(&name, error))?;
                continue;
            }
            for path in within(path)? {
                match text_of(&path) {
                    Ok(source) if Manifest::may_hold(&source.text) => {
                        let (name, text) = (source.name.clone(), source.text.clone());
                        let added = checkout.add(source, values.is_some());
                        checkout.unread.extend(added.err().map(|error| (text, at(&name, error))));
                    }
                    Ok(_) => {}
                    Err(error) => checkout.unread.push((String::new(), error)),
                }
            }
        }
        Ok(checkout)
    }

    fn add(&mut self, source: Text, one_for_all: bool) -> Result<()> {
        if self.files.iter().any(|file| file.source.path.is_some() && file.source.path == source.path) {
            return Ok(());
        }
        let values = match (source.text.contains("{{"), one_for_all) {
            (false, _) => None,
            (true, true) => Some(0),
            (true, false) => self.values_of(source.path.as_deref())?,
        };
        let manifest = Manifest::read(&source.text, values.map(|place| self.values[place].text.as_str()))?;
        let file = self.files.len();
        for (index, held) in manifest.virtual_services().iter().enumerate() {
            let origin = Origin { file: source.name.clone(), line: held.line, place: (file, index) };
            let object = object(&held.value, self.namespace.as_deref(), origin);
            // A piece of a template that others make objects of.
            self.objects.extend(Some(object).filter(|object| !object.name.is_empty()));
        }
        for rule in manifest.destination_rules() {
            self.rules.add(&in_namespace(rule, self.namespace.as_deref()));
        }
        self.files.push(File { source, manifest, values });
        Ok(())
    }

    /// The values of the chart that a template is in: those beside the nearest `Chart.yaml` above it. A chart within
    /// another one has none that count for certain: the outer one's go before them.
    fn values_of(&mut self, template: Option<&Path>) -> Result<Option<usize>> {
        let chart = template.and_then(chart_of).filter(|chart| chart_of(chart).is_none());
        let Some(path) = chart.map(|chart| chart.join("values.yaml")).filter(|path| path.is_file()) else {
            return Ok(None);
        };
        if let Some(known) = self.values.iter().position(|values| values.path.as_ref() == Some(&path)) {
            return Ok(Some(known));
        }
        self.values.push(text_of(&path).map(|values| Text { name: near(&path), ..values })?);
        Ok(Some(self.values.len() - 1))
    }

    /// The text of the only file.
    pub fn first(&self) -> &str {
        self.files.first().map_or("", |file| file.source.text.as_str())
    }

    /// The flags that name the same files again, with a blank before each.
    pub fn flags(&self) -> &str {
        &self.flags
    }

    /// What was searched, for people.
    pub fn title(&self) -> String {
        self.named.join(", ")
    }

    /// What lies below a directory, looks like a virtual service of one of `names`, and cannot be read.
    pub fn unread<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a Error> {
        let of_interest =
            move |text: &str| text.is_empty() || names.is_empty() || names.iter().any(|name| text.contains(name.as_str()));
        self.unread.iter().filter(move |(text, _)| of_interest(text)).map(|(_, error)| error)
    }

    /// The files that hold an object: its own, and the values of its chart where it is a template.
    pub fn paths(&self, object: &Object) -> Vec<&Path> {
        let file = object.origin.as_deref().and_then(|origin| self.files.get(origin.place.0));
        let values = file.and_then(|file| Some(&self.values[file.values?]));
        file.map(|file| &file.source).into_iter().chain(values).filter_map(|text| text.path.as_deref()).collect()
    }

    /// The objects as a commit has them; none where it lacks one of them, or has it in a form that cannot be read.
    ///
    /// # Errors
    /// `Failed` where Git cannot be run.
    pub async fn then(&self, git: &Git, commit: &str, objects: &[Object]) -> Result<Option<Vec<Object>>> {
        let mut found = Vec::new();
        for now in objects {
            let mut texts = Vec::new();
            for path in self.paths(now) {
                match git.text(commit, path).await? {
                    Some(text) => texts.push(text),
                    None if texts.is_empty() => return Ok(None),
                    // Before there were values the weights stood in the manifest itself.
                    None => {}
                }
            }
            let Some(text) = texts.first() else { return Ok(None) };
            let Ok(manifest) = Manifest::read(text, texts.get(1).map(String::as_str)) else { return Ok(None) };
            let origin = || Origin { file: commit.to_owned(), line: 0, place: (0, 0) };
            let mut then =
                manifest.virtual_services().iter().map(|held| object(&held.value, self.namespace.as_deref(), origin()));
            let Some(then) = then.find(|then| (&then.namespace, &then.name) == (&now.namespace, &now.name)) else {
                return Ok(None);
            };
            found.push(then);
        }
        Ok(Some(found))
    }
}

/// The object of a manifest. Git has the history of manifests, so what the API server keeps of it counts nothing here.
fn object(value: &Value, namespace: Option<&str>, origin: Origin) -> Object {
    let mut value = in_namespace(value, namespace);
    if let Some(annotations) = value.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| ![release::RELEASE, release::HISTORY].contains(&key.as_str()));
    }
    Object { owners: Vec::new(), origin: Some(Box::new(origin)), ..Object::read(value) }
}

fn in_namespace(value: &Value, namespace: Option<&str>) -> Value {
    let mut value = value.clone();
    let named = value.pointer("/metadata/namespace").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if let (false, Some(namespace), Some(metadata)) = (named, namespace, value.get_mut("metadata").filter(|it| it.is_object())) {
        metadata["namespace"] = json!(namespace);
    }
    value
}

/// The directory of the chart that a file is in.
fn chart_of(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|directory| directory.join("Chart.yaml").is_file())
}

/// A path that nobody typed, from where the user is.
pub fn near(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

fn text_of(path: &Path) -> Result<Text> {
    let shown = path.strip_prefix("./").unwrap_or(path).display().to_string();
    let cannot = |error: std::io::Error| Error::usage(format!("cannot read {shown}")).caused_by(plainly(&error));
    let (name, real, bytes) = match path == Path::new(STDIN) {
        true => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map_err(cannot)?;
            ("standard input".to_owned(), None, bytes)
        }
        false => {
            let bytes = std::fs::read(path).map_err(cannot)?;
            // A pipe of the shell can be read, and has no place.
            (shown.clone(), Some(path.canonicalize().unwrap_or_else(|_| path.to_owned())), bytes)
        }
    };
    let text = String::from_utf8(bytes).map_err(|_| Error::usage(format!("{name} is not UTF-8 text")))?;
    Ok(Text { name, path: real, text })
}

/// An error of the system without its number.
fn plainly(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// An error in a file.
fn at(name: &str, mut error: Error) -> Error {
    error.message = format!("{name}: {}", error.message);
    error
}
