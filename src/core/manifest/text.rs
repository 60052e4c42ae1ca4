//! A text with what it means and where it stands.
//!
//! Two readers look at it. What it means says libyaml's grammar, which kubectl's reader has too (for JSON, JSON's); where
//! it stands says [`super::tree`]. An edit is made on the word of the second, and proven by the first.

use super::mask::{Masked, mask};
use super::tree::{self, Node, Wrong};
use crate::core::locate::{Position, excerpt};
use crate::error::{Error, Result};
use serde::Deserialize as _;
use serde_json::{Map, Number, Value};
use std::ops::Range;

/// A text that was read.
#[derive(Debug)]
pub(super) struct Text {
    /// The text.
    pub source: String,
    /// What YAML sees of it.
    pub masked: Masked,
    /// Its documents that hold a list or a map, in order.
    pub documents: Vec<Document>,
    /// Where its lines begin.
    lines: Vec<usize>,
}

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    /// Where it stands.
    pub root: Node,
    /// What it means; scalars with actions in them read as their source.
    pub value: Value,
}

/// Longer lines are not shown.
const LONG: usize = 240;

impl Text {
    /// Reads a text.
    ///
    /// # Errors
    /// Usage, with line and column, where one of the readers refuses it.
    pub fn read(source: &str) -> Result<Self> {
        let lines = std::iter::once(0).chain(source.match_indices('\n').map(|(end, _)| end + 1)).collect();
        let mut text = Self { source: source.to_owned(), masked: mask(source, false), documents: Vec::new(), lines };
        match documents(source, &text.masked) {
            Ok(documents) => text.documents = documents,
            Err(wrong) => {
                // Branches that say the same thing in two ways exclude each other: the first one alone may be whole.
                let first = Some(mask(source, true)).filter(|first| !first.hidden.is_empty());
                match first.and_then(|first| Some((documents(source, &first).ok()?, first))) {
                    Some((documents, first)) => (text.documents, text.masked) = (documents, first),
                    None => return Err(text.refuse(wrong)),
                }
            }
        }
        Ok(text)
    }

    /// The line of a byte, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at)
    }

    /// The bytes of a line before `at`.
    pub fn before(&self, at: usize) -> &str {
        let begin = self.lines.get(self.line(at) - 1).copied().unwrap_or(0);
        self.source.get(begin..at).unwrap_or_default()
    }

    /// The source of a place.
    pub fn slice(&self, range: Range<usize>) -> &str {
        self.source.get(range).unwrap_or_default()
    }

    fn refuse(&self, (at, message): Wrong) -> Error {
        let at = (0..=at.min(self.source.len())).rev().find(|at| self.source.is_char_boundary(*at)).unwrap_or(0);
        let position = Position { line: self.line(at), column: self.before(at).chars().count() + 1 };
        let Position { line, column } = position;
        let error = format!("line {line}, column {column}: {message}");
        let long = self.source.lines().nth(line - 1).is_none_or(|text| text.len() > LONG);
        Error::usage(if long { error } else { format!("{error}\n{}", excerpt(&self.source, position)) })
    }
}

/// Reads the documents of a masked text with both readers.
fn documents(source: &str, masked: &Masked) -> Result<Vec<Document>, Wrong> {
    let roots = tree::documents(&masked.text)?;
    let values = values(&masked.text)?;
    if roots.len() != values.len() {
        return Err((0, "it is not certain where the documents of this text begin and end".into()));
    }
    let named = |value| if masked.actions.is_empty() { value } else { named(value, &|text| masked.source(source, text)) };
    Ok(roots.into_iter().zip(values).map(|(root, value)| Document { root, value: named(value) }).collect())
}

/// What the documents mean; of those that hold a collection.
fn values(text: &str) -> Result<Vec<Value>, Wrong> {
    let plain = text.trim_start_matches('\u{feff}');
    let mark = text.len() - plain.len();
    // JSON knows pairs of escapes for one character, which libyaml does not take.
    if plain.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str::<Value>(plain)
    {
        return Ok(vec![value]);
    }
    let mut values = Vec::new();
    for document in serde_yaml::Deserializer::from_str(plain) {
        let read = serde_yaml::Value::deserialize(document).and_then(|mut value| value.apply_merge().map(|()| value));
        let value = read.map_err(|error| {
            // Its places are counted in characters.
            let before = error.location().map_or(0, |at| at.index());
            (
                mark + plain.char_indices().nth(before).map_or(plain.len(), |(at, _)| at),
                format!("this is not YAML: {}", placeless(&error.to_string())),
            )
        })?;
        let value = json(value).map_err(|why| (0, why))?;
        if value.is_object() || value.is_array() {
            values.push(value);
        }
    }
    Ok(values)
}

/// A message without its places: in a masked text the lines are others.
fn placeless(message: &str) -> String {
    let mut parts = message.split(" at line ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.find(',').map_or("", |end| &part[end..]));
    }
    text
}

/// YAML as the JSON that it becomes for the API server. Keys are texts there.
fn json(value: serde_yaml::Value) -> Result<Value, String> {
    Ok(match value {
        serde_yaml::Value::Null => Value::Null,
        serde_yaml::Value::Bool(truth) => Value::Bool(truth),
        serde_yaml::Value::Number(number) => {
            let whole = number.as_u64().map(Number::from).or_else(|| number.as_i64().map(Number::from));
            whole.or_else(|| Number::from_f64(number.as_f64()?)).map_or(Value::Null, Value::Number)
        }
        serde_yaml::Value::String(text) => Value::String(text),
        serde_yaml::Value::Sequence(items) => Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        serde_yaml::Value::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = match json(key)? {
                    Value::String(text) => text,
                    Value::Array(_) | Value::Object(_) => return Err("a key that is a list or a map".into()),
                    other => other.to_string(),
                };
                map.insert(key, json(value)?);
            }
            Value::Object(map)
        }
        serde_yaml::Value::Tagged(tagged) => json(tagged.value)?,
    })
}

/// A value with the source text for the words in it.
fn named(value: Value, source: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(source(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| named(item, source)).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (source(&key), named(value, source))).collect()),
        other => other,
    }
}
