//! From a patch's weights to the bytes to write.

use super::mask::{Action, Sort};
use super::text::Text;
use super::tree::{Key, Kind, Node};
use super::{Held, Manifest, reference};
use crate::core::patch::Patch;
use crate::core::route::Protocol;
use crate::error::{Error, Kind as Failure, Result};
use crate::sorted;
use json_patch::PatchOperation;
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes that give way to others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Splice {
    /// Where they begin.
    pub start: usize,
    /// Where they end.
    pub end: usize,
    /// What comes in their place.
    pub with: String,
}

/// `text` with all of `splices`, which do not overlap.
pub(super) fn spliced(text: &str, splices: &mut Vec<Splice>) -> String {
    sorted::by(splices, Ord::cmp);
    splices.dedup();
    let mut result = String::with_capacity(text.len() + 16 * splices.len());
    let mut at = 0;
    for splice in splices {
        result.push_str(text.get(at..splice.start).unwrap_or_default());
        result.push_str(&splice.with);
        at = splice.end;
    }
    result.push_str(text.get(at..).unwrap_or_default());
    result
}

/// One weight that a patch sets.
#[derive(Clone, Debug)]
pub(super) struct Weight {
    /// `http`, `tls` or `tcp`.
    pub list: &'static str,
    /// The route's place in it.
    pub route: usize,
    /// The destination's place in the route.
    pub destination: usize,
    /// The weight.
    pub value: u64,
}

impl Weight {
    /// Its JSON pointer in the object.
    pub fn pointer(&self) -> String {
        format!("/spec/{}/{}/route/{}/weight", self.list, self.route, self.destination)
    }
}

/// The weights that a patch sets.
///
/// # Errors
/// Usage where it does anything else.
pub(super) fn weights(patch: &Patch) -> Result<Vec<Weight>> {
    let weight = |operation: &PatchOperation| {
        let (path, value) = match operation {
            PatchOperation::Add(add) => (&add.path, &add.value),
            PatchOperation::Replace(replace) => (&replace.path, &replace.value),
            _ => return Err(Error::usage("in a manifest only weights can be changed")),
        };
        let tokens: Vec<String> = path.tokens().map(|token| token.decoded().into_owned()).collect();
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let list = |name: &str| Protocol::ALL.map(Protocol::key).into_iter().find(|key| *key == name);
        match tokens.as_slice() {
            ["spec", proto, route, "route", destination, "weight"] => {
                let read = || Some((list(proto)?, route.parse().ok()?, destination.parse().ok()?, value.as_u64()?));
                let (list, route, destination, value) = read().ok_or_else(|| Error::usage(format!("{path} is no weight")))?;
                Ok(Weight { list, route, destination, value })
            }
            ["spec", _, _, "route", _] => {
                Err(Error::usage("the route has no such destination, and in a manifest only weights can be changed")
                    .hint("add the destination to the manifest first"))
            }
            _ => Err(Error::usage("in a manifest only weights can be changed")),
        }
    };
    patch.operations().iter().map(weight).collect()
}

/// What is to be written, in the text and in the values.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// In the text.
    pub text: Vec<Splice>,
    /// In the values: by path the number, and where the actions that take it begin.
    pub values: BTreeMap<Vec<String>, (u64, Vec<usize>)>,
    /// The lines of anchors that hold something of it.
    pub anchors: Vec<String>,
}

fn refused(line: usize, why: impl std::fmt::Display) -> Error {
    Error::usage(format!("line {line}: {why}"))
}

impl Manifest {
    /// Adds what sets the weights of one route's destinations or more.
    pub(super) fn place(&self, held: &Held, weights: &[Weight], work: &mut Work) -> Result<()> {
        let object = self.node(held).ok_or_else(|| refused(held.line, "the object is written as an alias"))?;
        let mut checked = None;
        for weight in weights {
            let mut step = Step { text: &self.text, at: object, key: None };
            let route = weight.route.to_string();
            for token in ["spec", weight.list, &route, "route"] {
                step = step.down(token, &mut work.anchors)?;
            }
            if checked.replace((weight.list, weight.route)) != Some((weight.list, weight.route)) {
                self.settled(&step)?;
            }
            let entry = step.down(&weight.destination.to_string(), &mut work.anchors)?;
            let Kind::Map { flow, entries } = &entry.at.kind else {
                return Err(refused(self.text.line(entry.at.start), "this destination is not written as a map"));
            };
            match entry.at.get("weight") {
                Some((Some(key), node)) => self.replace(key, node, weight, work)?,
                _ => work.text.push(self.insertion(*flow, entries, entry.at, weight.value)?),
            }
        }
        Ok(())
    }

    /// A weight in the place of the one that is there.
    fn replace(&self, key: &Key, node: &Node, weight: &Weight, work: &mut Work) -> Result<()> {
        let line = self.text.line(node.start);
        if node.anchored {
            work.anchors.push(format!("line {line}"));
        }
        let Kind::Scalar { quoted } = node.kind else {
            return Err(match node.kind {
                Kind::Alias => refused(line, format!("the weight is an alias (`{}`)", self.text.slice(node.start..node.end)))
                    .hint("write the number in its place first"),
                _ => refused(line, "the weight is no number"),
            });
        };
        let inside = node.content();
        if let Some(action) = self.text.masked.within(node.start..node.end.max(node.start + 1)).first() {
            let source = self.text.slice(action.range.clone());
            let path = reference::plain(source).filter(|_| action.range == inside);
            let Some(path) = path else { return Err(templated(line, self.text.slice(inside))) };
            let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
            let known = work.values.entry(path).or_insert_with(|| (weight.value, Vec::new()));
            if known.0 != weight.value {
                let why = format!("`{source}` would have to be {} for one destination and {} for another", known.0, weight.value);
                return Err(refused(line, why));
            }
            known.1.push(action.range.start);
            return Ok(());
        }
        let splice = if inside.is_empty() && !quoted {
            // A key without a value: behind its colon.
            let colon = self.text.slice(key.end..self.text.source.len()).find(':').map_or(key.end, |found| key.end + found + 1);
            Splice { start: colon, end: colon, with: format!(" {}", weight.value) }
        } else {
            Splice { start: inside.start, end: inside.end, with: weight.value.to_string() }
        };
        work.text.push(splice);
        Ok(())
    }

    /// A weight where none is: behind the last line of a destination, or behind the last value in its braces.
    fn insertion(&self, flow: bool, entries: &[(Key, Node)], entry: &Node, weight: u64) -> Result<Splice> {
        let line = self.text.line(entry.start);
        let (Some((first, _)), Some((_, last))) = (entries.first(), entries.last()) else {
            return Err(refused(line, "this destination is empty"));
        };
        let insert = |at: usize, with: String| Splice { start: at, end: at, with };
        if flow {
            let quote = if self.text.slice(first.start..first.end).starts_with('"') { "\"" } else { "" };
            return Ok(insert(last.end, format!(", {quote}weight{quote}: {weight}")));
        }
        let source = &self.text.source;
        let mut end = self.text.masked.line_end(source, entry.end);
        let ending = match source.get(..end) {
            Some(before) if end < source.len() && before.ends_with('\r') => "\r\n",
            // The last line has no end: as the first one's.
            _ if end == source.len() && source.find('\n').is_some_and(|end| source[..end].ends_with('\r')) => "\r\n",
            _ => "\n",
        };
        if ending == "\r\n" && end < source.len() {
            end -= 1;
        }
        let indent: String = self.text.before(first.start).chars().map(|_| ' ').collect();
        Ok(insert(end, format!("{ending}{indent}weight: {weight}")))
    }

    /// Refuses a list of destinations of which a template decides how many there are.
    fn settled(&self, list: &Step<'_>) -> Result<()> {
        let text = &self.text;
        let start = list.key.map_or(list.at.start, |key| key.start);
        let (inner, dash, keys) = (nested(list.at), self.dash(list.at), self.keys(list.at));
        let mut covered = start;
        for action in text.masked.within(start..self.behind(list.at)) {
            let at = action.range.start;
            let settled = match action.sort {
                Sort::Silent => true,
                // What closes behind the list, or opens there, is no part of it.
                Sort::Open | Sort::Branch | Sort::End if at >= list.at.end => true,
                Sort::Output if at >= list.at.end => action.word || self.indent(action) < dash,
                Sort::Output => action.word || self.indent(action) > keys,
                Sort::Open => self.is_inside(action, list.at, &inner),
                Sort::Branch | Sort::End => at < covered,
            };
            if !settled {
                let source = text.slice(action.range.clone()).lines().next().unwrap_or_default();
                let why = format!("`{source}` stands among the destinations: it is not certain how many there are");
                return Err(refused(text.line(at), why).hint("change the template or its values by hand"));
            }
            if action.sort == Sort::Open {
                covered = covered.max(action.until);
            }
        }
        Ok(())
    }

    /// Whether what an action opens ends within one of a list's inner parts.
    fn is_inside(&self, action: &Action, list: &Node, inner: &[Range<usize>]) -> bool {
        let before = inner.partition_point(|range| range.start <= action.range.start);
        let Some(range) = before.checked_sub(1).and_then(|at| inner.get(at)) else { return false };
        // Behind the last destination only what closes may follow.
        let rest = self.text.masked.text.get(range.end..action.until);
        let closes = || range.end == list.end && rest.is_some_and(|rest| rest.trim().is_empty());
        action.range.start < range.end && (action.until <= range.end || closes())
    }

    /// Where the next value behind a list begins: what templates write before it can belong to the list.
    fn behind(&self, list: &Node) -> usize {
        let masked = &self.text.masked.text;
        let mut at = list.end;
        // A list in brackets has an end of its own.
        if masked.get(list.start..).is_some_and(|rest| rest.starts_with('[')) {
            return at;
        }
        for (number, line) in masked.get(at..).unwrap_or_default().split_inclusive('\n').enumerate() {
            let line_text = line.trim();
            if number > 0 && !line_text.is_empty() && !line_text.starts_with('#') {
                break;
            }
            at += line.len();
        }
        at
    }

    /// The column to which an action indents what it writes.
    fn indent(&self, action: &Action) -> usize {
        let source = self.text.slice(action.range.clone());
        let number = source.split_once("indent ").map(|(_, rest)| rest.trim_start());
        let number = number.and_then(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok());
        number.unwrap_or_else(|| self.column(action.range.start))
    }

    /// The column of the dashes of a list; the first one where it has none.
    fn dash(&self, list: &Node) -> usize {
        let Kind::List(entries) = &list.kind else { return 0 };
        entries.first().and_then(|first| self.text.before(first.start).rfind('-')).unwrap_or(0)
    }

    /// The column of the keys of a list's entries; beyond all where it has none.
    fn keys(&self, list: &Node) -> usize {
        let Kind::List(entries) = &list.kind else { return usize::MAX };
        match entries.first().map(|first| &first.kind) {
            Some(Kind::Map { flow: false, entries }) => entries.first().map_or(usize::MAX, |(key, _)| self.column(key.start)),
            _ => usize::MAX,
        }
    }

    fn column(&self, at: usize) -> usize {
        self.text.before(at).chars().count()
    }

    /// What sets the values, once all of a text's weights are known.
    pub(super) fn place_values(&self, work: &mut Work) -> Result<Vec<Splice>> {
        let mut splices = Vec::new();
        for (path, (weight, uses)) in &work.values {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let name = format!(".Values.{}", path.join("."));
            let line = self.text.line(uses.first().copied().unwrap_or(0));
            let Some(values) = &self.values else {
                return Err(Error::new(
                    Failure::NotFound,
                    format!("line {line}: the weight is `{name}`, and there are no values"),
                ));
            };
            let other = |action: &&Action| {
                !uses.contains(&action.range.start) && reference::depends(action, self.text.slice(action.range.clone()), &path)
            };
            if let Some(other) = self.text.masked.actions.iter().find(other) {
                let source = self.text.slice(other.range.clone()).lines().next().unwrap_or_default();
                let why = format!(
                    "`{name}` is used by `{source}` in line {} too: the change would reach further",
                    self.text.line(other.range.start)
                );
                return Err(refused(line, why));
            }
            let node = values.documents.first().and_then(|document| document.root.find(path.iter().copied()));
            let Some(node) = node.filter(|node| matches!(node.kind, Kind::Scalar { .. })) else {
                return Err(Error::new(Failure::NotFound, format!("line {line}: `{name}` is no number in the values")));
            };
            if node.anchored {
                work.anchors.push(format!("line {} of the values", values.line(node.start)));
            }
            let Range { start, end } = node.content();
            splices.push(Splice { start, end, with: weight.to_string() });
        }
        Ok(splices)
    }
}

fn templated(line: usize, source: &str) -> Error {
    refused(line, format!("the weight is templated by more than a plain reference (`{source}`)"))
        .hint("change the template or its values by hand")
}

/// The parts of a list of destinations in which nothing decides how many there are: what stands below their keys.
fn nested(list: &Node) -> Vec<Range<usize>> {
    let Kind::List(entries) = &list.kind else { return Vec::new() };
    let mut ranges = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let Kind::Map { entries: keys, .. } = &entry.kind else { continue };
        let behind = entries.get(place + 1).map_or(list.end, |next| next.start);
        for (index, (key, value)) in keys.iter().enumerate() {
            if matches!(value.kind, Kind::Map { .. } | Kind::List(_)) {
                ranges.push(key.start..keys.get(index + 1).map_or(behind, |(next, _)| next.start));
            }
        }
    }
    ranges
}

/// A place on the way down to a weight.
struct Step<'a> {
    text: &'a Text,
    at: &'a Node,
    key: Option<&'a Key>,
}

impl<'a> Step<'a> {
    fn down(self, token: &str, anchors: &mut Vec<String>) -> Result<Step<'a>> {
        let line = self.text.line(self.at.start);
        let Some((key, at)) = self.at.get(token) else {
            let why = format!("`{token}` is not written here, but comes from elsewhere");
            return Err(refused(line, why).hint("write it out in its place first"));
        };
        let line = self.text.line(at.start);
        if matches!(at.kind, Kind::Alias) {
            let why = format!("`{token}` is an alias (`{}`)", self.text.slice(at.start..at.end));
            return Err(refused(line, why).hint("write it out in its place first"));
        }
        if at.anchored {
            anchors.push(format!("line {line}"));
        }
        Ok(Step { text: self.text, at, key })
    }
}
