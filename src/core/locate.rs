//! Where in a file's text something stands. JSON is read as the YAML that it is.

use granit_parser::{Event, Marker, Parser};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// The places of all keys and list entries of a text.
#[derive(Debug, Default)]
pub(crate) struct Places {
    by_pointer: BTreeMap<String, Position>,
    /// The keys that their map has before.
    pub repeated: Vec<String>,
}

impl Places {
    /// The place of a pointer; where the text does not have it, of what would hold it.
    pub fn nearest(&self, pointer: &str) -> Option<Position> {
        let mut rest = pointer;
        loop {
            match (self.by_pointer.get(rest), rest.rsplit_once('/')) {
                (Some(position), _) => return Some(*position),
                (None, Some((holder, _))) => rest = holder,
                (None, None) => return None,
            }
        }
    }
}

/// A collection that is being read.
enum Frame {
    List { pointer: String, next: usize },
    Map { pointer: String, key: Option<String>, seen: BTreeSet<String> },
}

/// Finds the places of `text`, as far as it can be read.
pub(crate) fn places(text: &str) -> Places {
    let mut places = Places::default();
    let mut frames: Vec<Frame> = Vec::new();
    for next in Parser::new_from_str(text) {
        let Ok((event, span)) = next else { break };
        match event {
            Event::Scalar(value, ..) if is_key(&mut frames, &value, &span.start, &mut places) => {}
            Event::Scalar(..) | Event::Alias(..) => {
                begin(&mut frames, &span.start, &mut places);
            }
            Event::SequenceStart(..) => {
                let pointer = begin(&mut frames, &span.start, &mut places);
                frames.push(Frame::List { pointer, next: 0 });
            }
            Event::MappingStart(..) => {
                let pointer = begin(&mut frames, &span.start, &mut places);
                frames.push(Frame::Map { pointer, key: None, seen: BTreeSet::new() });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                frames.pop();
            }
            Event::DocumentEnd => break,
            _ => {}
        }
    }
    places
}

/// Takes a scalar as the key of the innermost map, if one is due.
fn is_key(frames: &mut [Frame], value: &str, start: &Marker, places: &mut Places) -> bool {
    let Some(Frame::Map { pointer, key: key @ None, seen }) = frames.last_mut() else { return false };
    let own = super::lint::join(pointer, value);
    if !seen.insert(value.to_owned()) {
        places.repeated.push(own.clone());
    }
    places.by_pointer.insert(own.clone(), position(start));
    *key = Some(own);
    true
}

/// The pointer of the value that begins here. A map's values stand where their keys do.
fn begin(frames: &mut [Frame], start: &Marker, places: &mut Places) -> String {
    match frames.last_mut() {
        None => {
            places.by_pointer.insert(String::new(), position(start));
            String::new()
        }
        Some(Frame::List { pointer, next }) => {
            let own = super::lint::join(pointer, *next);
            *next += 1;
            places.by_pointer.insert(own.clone(), position(start));
            own
        }
        // A key that is no scalar: what it holds cannot be pointed at.
        Some(Frame::Map { key, .. }) => key.take().unwrap_or_else(|| "?".into()),
    }
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// The line of a position, numbered, and a caret below the column.
pub(crate) fn excerpt(text: &str, at: Position) -> String {
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    // Tabs stay tabs, so that the caret stands where the terminal puts the character.
    let before: String = line.chars().take(at.column.saturating_sub(1)).map(|c| if c == '\t' { c } else { ' ' }).collect();
    format!("{:4} | {line}\n     | {before}^", at.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, pointer: &str) -> Option<(usize, usize)> {
        places(text).nearest(pointer).map(|at| (at.line, at.column))
    }

    #[test]
    fn keys_and_entries_in_json_and_yaml() {
        let json = "{\n\t\"a/b\": [\n\t\t1, {\"c\": \"\\u00e9\\/\"}\n\t]\n}\n";
        assert_eq!(at(json, "/a~1b/1/c"), Some((3, 7)));
        assert_eq!(at(json, "/a~1b/0"), Some((3, 3)));
        assert_eq!(at(json, "/a~1b/7/x"), Some((2, 2)), "what is missing is shown where it would be");
        let yaml = "objectives:\n- sli: x\n  pass:\n  - criteria:\n    - \"<1\"\n";
        assert_eq!(at(yaml, "/objectives/0/pass/0/criteria/0"), Some((5, 7)));
        assert_eq!(at(yaml, "/objectives/0/sli"), Some((2, 3)));
        assert_eq!(at("", "/x"), None);
    }

    #[test]
    fn the_caret_stands_below_the_column() {
        assert_eq!(excerpt("é\n\tx: 1", Position { line: 2, column: 2 }), "   2 | \tx: 1\n     | \t^");
        assert_eq!(excerpt("", Position { line: 9, column: 3 }), "   9 | \n     | ^");
    }
}
