//! YAML as a tree of JSON values, with the scalars that Go's YAML reader takes for texts.

use super::gate::number;
use super::lint::Findings;
use serde_json::{Map, Value};

/// Reads the one document of `text`, merge keys applied. What cannot be read is a finding.
pub(crate) fn read(text: &str, found: &mut Findings) -> Option<Map<String, Value>> {
    let parsed = serde_yaml::from_str::<serde_yaml::Value>(text.trim_start_matches('\u{feff}')).and_then(|mut value| {
        value.apply_merge()?;
        serde_yaml::from_value::<Value>(value)
    });
    match parsed {
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
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            found.syntax(line, column, format!("this is not YAML: {error}"));
            None
        }
    }
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
