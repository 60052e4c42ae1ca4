//! Where in a text its values stand: what granit's parser says of places, as a tree.
//!
//! The tree knows no values but keys: what a text means is another reader's part, see [`super::text`].

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use std::collections::BTreeSet;
use std::ops::Range;

/// A value's place.
#[derive(Debug)]
pub(super) struct Node {
    /// Its first byte.
    pub start: usize,
    /// Behind its last one; of block collections behind the last value in them.
    pub end: usize,
    /// Whether others may refer to it.
    pub anchored: bool,
    /// What is in it.
    pub kind: Kind,
}

/// What is in a value.
#[derive(Debug)]
pub(super) enum Kind {
    /// A scalar, and whether it is in quotes.
    Scalar { quoted: bool },
    /// A reference to another value.
    Alias,
    /// A list.
    List(Vec<Node>),
    /// A map, and whether it is in braces.
    Map { flow: bool, entries: Vec<(Key, Node)> },
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its text; none where it is no scalar.
    pub text: Option<String>,
    /// Its first byte.
    pub start: usize,
    /// Behind its last one.
    pub end: usize,
}

impl Node {
    /// The value at a key of a map, or at a place of a list.
    pub fn get(&self, token: &str) -> Option<(Option<&Key>, &Node)> {
        match &self.kind {
            Kind::Map { entries, .. } => {
                let (key, node) = entries.iter().find(|(key, _)| key.text.as_deref() == Some(token))?;
                Some((Some(key), node))
            }
            Kind::List(items) => Some((None, items.get(token.parse::<usize>().ok()?)?)),
            Kind::Scalar { .. } | Kind::Alias => None,
        }
    }

    /// The bytes of a scalar without its quotes.
    pub fn content(&self) -> Range<usize> {
        let quote = usize::from(matches!(self.kind, Kind::Scalar { quoted: true }));
        self.start + quote..self.end - quote
    }

    /// The value behind several keys and places.
    pub fn find<'a>(&self, tokens: impl IntoIterator<Item = &'a str>) -> Option<&Node> {
        tokens.into_iter().try_fold(self, |node, token| Some(node.get(token)?.1))
    }
}

/// What is wrong with a text, and at which byte.
pub(super) type Wrong = (usize, String);

/// What lies deeper no reader takes.
const DEPTH: usize = 128;

/// A collection that is being read.
struct Frame {
    node: Node,
    /// A map's key whose value is due.
    key: Option<Key>,
    seen: BTreeSet<String>,
}

/// The roots of the documents of `text`, in order; of those that hold a collection.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, Wrong> {
    let options = granit_parser::options! { emit_comments: false };
    let mut roots = Vec::new();
    let mut frames: Vec<Frame> = Vec::new();
    let (mut behind, mut flow) = (0, 0);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| (error.marker().byte_offset().unwrap_or(0), error.info()))?;
        let span = span.byte_range().unwrap_or(behind..behind);
        if flow == 0 {
            no_tab(text, behind, span.start)?;
        }
        behind = behind.max(span.end);
        let (start, end) = (span.start, span.end);
        let node = |kind, anchor: usize| Node { start, end, anchored: anchor > 0, kind };
        match event {
            Event::Scalar(value, style, anchor, _) => {
                let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
                let mut scalar = node(Kind::Scalar { quoted }, anchor);
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    // The empty lines behind its last one are no part of it.
                    scalar.end = start + text.get(start..end).unwrap_or_default().trim_end().len();
                }
                place(&mut frames, &mut roots, scalar, Some(&value))?;
            }
            Event::Alias(_) => place(&mut frames, &mut roots, node(Kind::Alias, 0), None)?,
            Event::SequenceStart(style, anchor, _) => {
                flow += usize::from(style == StructureStyle::Flow);
                frames.push(Frame { node: node(Kind::List(Vec::new()), anchor), key: None, seen: BTreeSet::new() });
            }
            Event::MappingStart(style, anchor, _) => {
                let braces = style == StructureStyle::Flow;
                flow += usize::from(braces);
                let kind = Kind::Map { flow: braces, entries: Vec::new() };
                frames.push(Frame { node: node(kind, anchor), key: None, seen: BTreeSet::new() });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Frame { mut node, .. }) = frames.pop() else { continue };
                // In block style the end is where the next token begins.
                if end > start {
                    flow = flow.saturating_sub(1);
                    node.end = end;
                }
                place(&mut frames, &mut roots, node, None)?;
            }
            _ => {}
        }
        if frames.len() > DEPTH {
            return Err((start, format!("nested more than {DEPTH} deep")));
        }
    }
    Ok(roots)
}

/// Puts a value that was read into what holds it.
fn place(frames: &mut [Frame], roots: &mut Vec<Node>, value: Node, text: Option<&str>) -> Result<(), Wrong> {
    let Some(frame) = frames.last_mut() else {
        if matches!(value.kind, Kind::List(_) | Kind::Map { .. }) {
            roots.push(value);
        }
        return Ok(());
    };
    frame.node.end = frame.node.end.max(value.end);
    match (&mut frame.node.kind, frame.key.take()) {
        (Kind::Map { entries, .. }, Some(key)) => entries.push((key, value)),
        (Kind::Map { .. }, None) => {
            if let Some(text) = text
                && !frame.seen.insert(text.to_owned())
            {
                return Err((value.start, format!("the key `{text}` is written twice; only one of them would count")));
            }
            frame.key = Some(Key { text: text.map(str::to_owned), start: value.start, end: value.end });
        }
        (Kind::List(items), _) => items.push(value),
        (Kind::Scalar { .. } | Kind::Alias, _) => {}
    }
    Ok(())
}

/// Some readers take a tab for a blank between values, others refuse the text: so do we.
fn no_tab(text: &str, from: usize, to: usize) -> Result<(), Wrong> {
    let gap = text.get(from..to).unwrap_or_default();
    let line = gap.split(['\n', '#']).next().unwrap_or_default();
    match line.find('\t') {
        Some(tab) => Err((from + tab, "a tab between values, which not every reader of YAML takes".into())),
        None => Ok(()),
    }
}
