//! What is wrong, or surely not meant, in a file: findings that point at the line.

use super::locate;
pub use super::locate::Position;
use crate::core::gate::{number, promql};
use crate::core::suggest;
use crate::error::Error;
use crate::sorted;
use serde::Serialize;
use serde_json::{Map, Value};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is read, and means something else here than where it comes from, or nothing.
    Note,
    /// It means something else than most people would read, or nothing.
    Warning,
    /// It is wrong.
    Error,
}

/// What the findings depend on besides the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How often the source looks at its targets, in seconds.
    pub scrape_interval: f64,
}

impl Default for Options {
    /// Every 15 seconds, as most installations have it.
    fn default() -> Self {
        Self { scrape_interval: 15.0 }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where: an RFC 6901 pointer into the file.
    pub pointer: String,
    /// Where in the text, if the file can be read that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What, in one sentence.
    pub message: String,
}

impl Finding {
    /// Whether it is at least as bad as this.
    pub fn is(&self, severity: Severity) -> bool {
        self.severity >= severity
    }

    /// The finding in the manner of compilers: `file:line:column: severity: message`, the line, a caret.
    pub fn render(&self, file: &str, text: &str) -> String {
        let word = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        match self.position {
            None => format!("{file}: {word}: {}", self.message),
            Some(at) => format!("{file}:{}:{}: {word}: {}\n{}", at.line, at.column, self.message, locate::excerpt(text, at)),
        }
    }
}

/// Collects the findings of one file while it is read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The findings; of those that point at a character of a text, how many stand before it.
    list: Vec<(Finding, Option<usize>)>,
    /// What they depend on besides the file.
    pub options: Options,
}

impl Findings {
    /// What is wrong with the PromQL at `pointer`.
    pub fn promql(&mut self, pointer: &str, query: &str) {
        let checked = promql::check(query);
        for problem in checked.unknown {
            self.inside(Severity::Warning, pointer, problem.at, problem.message);
        }
        if let Some(problem) = checked.error {
            self.inside(Severity::Error, pointer, problem.at, format!("this is not PromQL: {}", problem.message));
        }
        let scrape = self.options.scrape_interval;
        for range in checked.ranges.iter().filter(|range| range.seconds < 2.0 * scrape) {
            let (length, scrape) = (number::text(range.seconds), number::text(scrape));
            let message =
                format!("a window of {length} s has room for fewer than two scrapes, one every {scrape} s: no rate can be told");
            self.inside(Severity::Warning, pointer, range.at, message);
        }
    }

    /// A finding at a character of the text at `pointer`.
    pub fn inside(&mut self, severity: Severity, pointer: &str, before: usize, message: String) {
        self.add(severity, pointer.to_owned(), message);
        if let Some((_, inside)) = self.list.last_mut() {
            *inside = Some(before);
        }
    }

    /// What the notes say, each once.
    pub fn notes(&self) -> Vec<String> {
        let notes = self.list.iter().filter(|(finding, _)| finding.severity == Severity::Note);
        let mut said: Vec<String> = Vec::new();
        for (note, _) in notes {
            if !said.contains(&note.message) {
                said.push(note.message.clone());
            }
        }
        said
    }

    /// Something wrong.
    pub fn error(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Error, pointer.into(), message.into());
    }

    /// Something that is surely not meant.
    pub fn warning(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Warning, pointer.into(), message.into());
    }

    /// Something that has another meaning here.
    pub fn note(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Note, pointer.into(), message.into());
    }

    /// A text that cannot be read at all.
    pub fn syntax(&mut self, line: usize, column: usize, message: impl Into<String>) {
        let position = Some(Position { line: line.max(1), column: column.max(1) });
        self.list.push((Finding { severity: Severity::Error, pointer: String::new(), position, message: message.into() }, None));
    }

    fn add(&mut self, severity: Severity, pointer: String, message: String) {
        self.list.push((Finding { severity, pointer, position: None, message }, None));
    }

    /// Refuses the keys of `map` that are not among `known`. A misspelt key is a limit that is never checked.
    pub fn keys(&mut self, pointer: &str, map: &Map<String, Value>, known: &[&str]) {
        self.unknown(pointer, map, known, Severity::Error);
    }

    /// The same where other keys do no harm, as nothing of `known` can be forgotten unnoticed: only slips are refused.
    pub fn keys_or_notes(&mut self, pointer: &str, map: &Map<String, Value>, known: &[&str]) {
        self.unknown(pointer, map, known, Severity::Warning);
    }

    fn unknown(&mut self, pointer: &str, map: &Map<String, Value>, known: &[&str], severity: Severity) {
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let near = known.iter().find(|name| name.eq_ignore_ascii_case(key.trim())).copied();
            let near = near.or_else(|| suggest::nearest(key, known.iter().copied()));
            let (severity, hint) = match near {
                Some(near) => (Severity::Error, format!("did you mean `{near}`?")),
                None => (severity, format!("known are {}", known.join(", "))),
            };
            self.add(severity, join(pointer, key), format!("unknown key `{key}`; {hint}"));
        }
    }

    /// All findings in the order of the text, with their positions; keys that are written twice among them.
    pub fn located(mut self, text: &str) -> Vec<Finding> {
        let places = locate::places(text);
        for pointer in &places.repeated {
            self.error(pointer.clone(), "this key is written twice; only one of them would count");
        }
        let located = self.list.into_iter().map(|(mut finding, before)| {
            let inside = before.and_then(|before| places.inside(text, &finding.pointer, before));
            finding.position = finding.position.or(inside).or_else(|| places.nearest(&finding.pointer));
            finding
        });
        let mut findings: Vec<Finding> = located.collect();
        sorted::by_key(&mut findings, |finding| finding.position.map_or((0, 0), |at| (at.line, at.column)));
        findings
    }
}

/// The errors among `findings` as one error; none where there are only warnings.
pub(crate) fn refuse(file: &str, text: &str, findings: &[Finding]) -> Option<Error> {
    let errors: Vec<String> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.render(file, text).replacen(": error: ", ": ", 1))
        .collect();
    (!errors.is_empty()).then(|| Error::usage(errors.join("\n")))
}

/// A pointer to a member.
pub(crate) fn join(pointer: &str, member: impl std::fmt::Display) -> String {
    format!("{pointer}/{}", member.to_string().replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_misspelt_key_is_an_error_that_points_at_it() {
        let text = "{\"thresholds\": {\n  \"lowerWarning \": 3\n}}";
        let mut findings = Findings::default();
        let map = json!({"lowerWarning ": 3});
        findings.keys("/thresholds", map.as_object().expect("a map"), &["lowerSevere", "lowerWarning"]);
        let found = findings.located(text);
        let error = refuse("perfspec.json", text, &found).expect("an error");
        assert_eq!(
            error.message,
            "perfspec.json:2:3: unknown key `lowerWarning `; did you mean `lowerWarning`?\n   2 |   \"lowerWarning \": 3\n     |   ^"
        );
    }

    #[test]
    fn a_key_that_is_written_twice_is_found() {
        let found = Findings::default().located("{\"a\": 1,\n \"a\": 2}");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].position.map(|at| (at.line, at.column)), Some((2, 2)));
    }
}
