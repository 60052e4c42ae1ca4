//! Where in a gate file's text something stands. JSON is read as the YAML that it is.
//!
//! In a file of several YAML documents each is an entry of a list: the pointers of the second one begin with `/1`.

use granit_parser::{Event, Marker, Parser, ScalarStyle};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

mod written;

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
    /// Where the texts begin, with their quotes, and how they are written.
    texts: BTreeMap<String, (Position, ScalarStyle)>,
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

impl Places {
    /// The place of a character of a text: of the one that has `before` others before it. Where the text at `pointer` is
    /// written in a way that hides it, the place of the text.
    pub fn inside(&self, source: &str, pointer: &str, before: usize) -> Option<Position> {
        let (start, style) = self.texts.get(pointer)?;
        Some(written::character(source, *start, *style, before).unwrap_or(*start))
    }
}

/// A collection that is being read.
enum Frame {
    List { pointer: String, next: usize },
    Map { pointer: String, key: Option<String>, seen: BTreeSet<String> },
}

/// What lies deeper no reader takes.
const DEPTH: usize = 128;

/// Finds the places of `text`, as far as it can be read.
pub(crate) fn places(text: &str) -> Places {
    let mut places = Places::default();
    let mut frames: Vec<Frame> = Vec::new();
    let mut depth = 0;
    let mut shallow = |event: &Event<'_>| {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth -= 1,
            _ => {}
        }
        depth <= DEPTH
    };
    // Of comments in a row the parser takes so many and no more, where it is to tell of them.
    let options = granit_parser::options! { emit_comments: false };
    let events = Parser::new_from_str_with_options(text, options).map_while(Result::ok).take_while(|(event, _)| shallow(event));
    let events: Vec<_> = events.collect();
    let many = events.iter().filter(|(event, _)| matches!(event, Event::DocumentStart(..))).count() > 1;
    let mut documents = 0;
    let mut root = String::new();
    for (event, span) in events {
        match event {
            Event::DocumentStart(..) => {
                root = if many { format!("/{documents}") } else { String::new() };
                documents += 1;
            }
            Event::Scalar(value, ..) if is_key(&mut frames, &value, &span.start, &mut places) => {}
            Event::Scalar(_, style, ..) => {
                let pointer = begin(&mut frames, &root, &span.start, &mut places);
                places.texts.insert(pointer, (position(&span.start), style));
            }
            Event::Alias(..) => {
                begin(&mut frames, &root, &span.start, &mut places);
            }
            Event::SequenceStart(..) => {
                let pointer = begin(&mut frames, &root, &span.start, &mut places);
                frames.push(Frame::List { pointer, next: 0 });
            }
            Event::MappingStart(..) => {
                let pointer = begin(&mut frames, &root, &span.start, &mut places);
                frames.push(Frame::Map { pointer, key: None, seen: BTreeSet::new() });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                frames.pop();
            }
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
fn begin(frames: &mut [Frame], root: &str, start: &Marker, places: &mut Places) -> String {
    match frames.last_mut() {
        None => {
            places.by_pointer.insert(root.to_owned(), position(start));
            root.to_owned()
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
        assert_eq!(at(&format!("a:\n{}  b: 1\n", "  # c\n".repeat(300)), "/a/b"), Some((302, 3)));
    }

    #[test]
    fn each_document_is_an_entry() {
        let yaml = "---\na: 1\n---\n- b\n- c: 1\n";
        assert_eq!((at(yaml, "/0/a"), at(yaml, "/1/1/c")), (Some((2, 1)), Some((5, 3))));
        assert_eq!(at("---\na: 1\n", "/a"), Some((2, 1)));
    }

    #[test]
    fn characters_of_texts_however_they_are_written() {
        let inside =
            |text: &str, pointer: &str, before: usize| places(text).inside(text, pointer, before).map(|at| (at.line, at.column));
        // The text is `a"é(x`; its `(` is the fourth character.
        assert_eq!(inside(r#"{"q": "a\"\u00e9(x"}"#, "/q", 3), Some((1, 17)));
        assert_eq!(inside("q: a\"é(x\n", "/q", 3), Some((1, 7)));
        assert_eq!(inside("q: 'a''é(x'\n", "/q", 3), Some((1, 9)));
        assert_eq!(inside("- q: |\n    sum(\n      x)\n", "/0/q", 7), Some((3, 7)));
        assert_eq!(inside("q: >-\n  sum(\n  x)\n", "/q", 5), Some((3, 3)));
        assert_eq!(inside("q: sum(\n  x)\n", "/q", 5), Some((2, 3)));
        assert_eq!(inside("q: a", "/q", 1), Some((1, 5)), "the end");
        assert_eq!(inside("q: a", "/p", 9), None);
    }

    #[test]
    fn the_caret_stands_below_the_column() {
        assert_eq!(excerpt("é\n\tx: 1", Position { line: 2, column: 2 }), "   2 | \tx: 1\n     | \t^");
        assert_eq!(excerpt("", Position { line: 9, column: 3 }), "   9 | \n     | ^");
    }
}
