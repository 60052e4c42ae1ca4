//! YAML as a tree of JSON values, with the scalars that Go's YAML reader takes for texts.

use super::gate::number;
use super::lint::Findings;
use serde::Deserialize as _;
use serde_json::{Map, Value};

/// Reads the one document of `text`, merge keys applied. What cannot be read is a finding.
pub(crate) fn read(text: &str, found: &mut Findings) -> Option<Map<String, Value>> {
    match serde_yaml::from_str(unmarked(text)).and_then(merged) {
        Ok(Value::Object(map)) => Some(map),
        Ok(Value::Null) => {
            found.error("", "the file is empty");
            None
        }
        Ok(_) => {
            found.error("", "the file is not a map of keys");
            None
        }
        Err(error) => {
            refuse(&error, found);
            None
        }
    }
}

/// Reads all documents of `text`, each with its pointer: see [`super::locate`]. Empty ones are left out.
pub(crate) fn documents(text: &str, found: &mut Findings) -> Vec<(String, Value)> {
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(unmarked(text)) {
        match serde_yaml::Value::deserialize(document).and_then(merged) {
            Ok(value) => documents.push(value),
            Err(error) => {
                // What comes behind cannot be told apart from it.
                refuse(&error, found);
                break;
            }
        }
    }
    let many = documents.len() > 1;
    let at = |place: usize| if many { format!("/{place}") } else { String::new() };
    documents.into_iter().enumerate().map(|(place, value)| (at(place), value)).filter(|(_, value)| !value.is_null()).collect()
}

fn unmarked(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

fn merged(mut value: serde_yaml::Value) -> Result<Value, serde_yaml::Error> {
    value.apply_merge()?;
    serde_yaml::from_value(value)
}

fn refuse(error: &serde_yaml::Error, found: &mut Findings) {
    let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
    found.syntax(line, column, format!("this is not YAML: {error}"));
}

/// A text; numbers and truth values are taken for one, as Go's reader does where a text is due.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(written) => Some(written.as_f64().map_or_else(|| written.to_string(), number::text)),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}
