//! Manifests as they stand in files: the objects in a text, and the text with other weights, changing nothing else.
//!
//! A weight that is there gives way to the new one in place (one in quotes stays in quotes); one that is missing is added
//! behind what its destination holds. Nothing is written anew. The result is read again, and must mean what the patch says,
//! and the same as before everywhere else: see [`Manifest::edited`].
//!
//! Helm templates are read with their actions masked. A weight that is a plain reference to the chart's values is
//! followed there; other templates of the chart, and other files of values, are not known here.

use super::patch::Patch;
use super::route::Protocol;
use crate::error::{Error, Result};
use edit::{Work, spliced, weights};
use serde_json::Value;
use text::Text;
use tree::{Kind, Node};

mod edit;
mod mask;
mod reference;
mod text;
mod tree;

/// One text with its objects. YAML (one or many documents, `kind: List` items too), JSON, or a Helm template of either.
#[derive(Debug)]
pub struct Manifest {
    text: Text,
    values: Option<Text>,
    held: Vec<Held>,
    rules: Vec<Value>,
}

/// A virtual service in a text.
#[derive(Clone, Debug)]
pub struct Held {
    /// The object. Scalars with template actions in them read as their source, a weight that is a plain reference as the
    /// number in the values.
    pub value: Value,
    /// Where it begins, from 1.
    pub line: usize,
    /// Why it cannot be edited, though others can.
    pub problem: Option<Error>,
    /// Its document, and its place among the document's items.
    place: (usize, Option<usize>),
}

/// The outcome of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The new text.
    pub text: String,
    /// The new text of the values, where they were edited.
    pub values: Option<String>,
}

/// The groups whose objects are meant: `networking.istio.io`, and the one of before Istio 1.0.
const GROUPS: [&str; 2] = ["networking.istio.io/", "config.istio.io/"];

impl Manifest {
    /// Reads a text. `values` is the text of the chart's `values.yaml`, for templates with weights like
    /// `{{ .Values.a.b }}`.
    ///
    /// # Errors
    /// Usage, with line, column and an excerpt, where the text cannot be read: bad YAML, a repeated key, too deep.
    pub fn read(text: &str, values: Option<&str>) -> Result<Self> {
        let mut manifest = Self { text: Text::read(text)?, values: None, held: Vec::new(), rules: Vec::new() };
        let mut found = Vec::new();
        for (index, document) in manifest.text.documents.iter().enumerate() {
            let value = &document.value;
            let items = value.get("items").and_then(Value::as_array);
            match items.filter(|_| value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"))) {
                Some(items) => found.extend((0..items.len()).map(|item| (index, Some(item)))),
                None => found.push((index, None)),
            }
        }
        let kinds = found.into_iter().filter_map(|place| Some((manifest.kind(manifest.value(place)?)?, place)));
        let kinds: Vec<(Sort, (usize, Option<usize>))> = kinds.collect();
        for (sort, place) in kinds {
            match sort {
                Sort::Rule => manifest.rules.extend(manifest.value(place).cloned()),
                Sort::Service => manifest.hold(place, values)?,
            }
        }
        Ok(manifest)
    }

    /// Whether a text could hold anything of interest here at all; cheap, so that others need not be read.
    pub fn may_hold(text: &str) -> bool {
        text.contains("VirtualService") || text.contains("DestinationRule")
    }

    /// The virtual services, in order.
    pub fn virtual_services(&self) -> &[Held] {
        &self.held
    }

    /// The destination rules, in order.
    pub fn destination_rules(&self) -> &[Value] {
        &self.rules
    }

    /// The text after the edits of some of the virtual services: `(place in virtual_services, patch)`. Of the patches only
    /// the edits of `spec` count, and those must be weights.
    ///
    /// The result is proven: read again, each object is as its patch makes it, and everything else as it was.
    ///
    /// # Errors
    /// Usage or `NotFound` where an edit cannot be made, with `line N` and why: a weight that is an alias, that is templated
    /// by more than a plain reference, that others use too; a list of destinations that a template makes longer or shorter;
    /// a destination that would have to be added. Failed where the result does not mean what it should.
    pub fn edited(&self, edits: &[(usize, &Patch)]) -> Result<Edited> {
        let mut work = Work::default();
        let mut expected: Vec<Value> = self.text.documents.iter().map(|document| document.value.clone()).collect();
        for (index, patch) in edits {
            let held = self.held.get(*index).ok_or_else(|| Error::failed("there is no such object in this text"))?;
            if let Some(problem) = &held.problem {
                return Err(problem.clone());
            }
            let patch = patch.of_spec();
            let weights = weights(&patch).map_err(|mut error| {
                error.message = format!("line {}: {}", held.line, error.message);
                error
            })?;
            self.place(held, &weights, &mut work)?;
            let (document, item) = held.place;
            let object = expected.get_mut(document).and_then(|value| match item {
                Some(item) => value.get_mut("items")?.get_mut(item),
                None => Some(value),
            });
            let after = object.and_then(|object| Some((patch.applied(object)?, object)));
            let (mut after, object) =
                after.ok_or_else(|| Error::failed(format!("line {}: the patch does not apply", held.line)))?;
            for weight in &weights {
                let pointer = weight.pointer();
                let quoted = held.value.pointer(&pointer).is_some_and(Value::is_string);
                if let Some(slot) = after.pointer_mut(&pointer).filter(|_| quoted) {
                    *slot = Value::String(weight.value.to_string());
                }
            }
            *object = after;
        }
        let mut in_values = self.place_values(&mut work)?;
        let text = spliced(&self.text.source, &mut work.text);
        let values = self.values.as_ref().filter(|_| !in_values.is_empty());
        let values = values.map(|values| spliced(&values.source, &mut in_values));
        self.prove(&text, values.as_deref(), &expected, &work)?;
        Ok(Edited { text, values })
    }

    /// Holds the outcome against what was to become of it.
    fn prove(&self, text: &str, values: Option<&str>, expected: &[Value], work: &Work) -> Result<()> {
        let failed = || {
            let error = Error::failed("the text would not mean what it should after this change; nothing is changed");
            match work.anchors.first() {
                Some(line) => error.caused_by(format!("{line}: other places may refer to what is anchored here")),
                None => error,
            }
        };
        let old = self.values.as_ref();
        let again = Self::read(text, values.or(old.map(|values| values.source.as_str()))).map_err(|_| failed())?;
        let meaning = again.text.documents.iter().map(|document| &document.value);
        if !meaning.eq(expected) {
            return Err(failed());
        }
        let (Some(before), Some(after)) = (old, &again.values) else { return Ok(()) };
        let mut expected: Vec<Value> = before.documents.iter().map(|document| document.value.clone()).collect();
        for (path, (weight, _)) in &work.values {
            let slot = expected.first_mut().and_then(|value| path.iter().try_fold(value, |value, key| value.get_mut(key)));
            if let Some(slot) = slot {
                *slot = if slot.is_string() { Value::String(weight.to_string()) } else { Value::from(*weight) };
            }
        }
        let meaning = after.documents.iter().map(|document| &document.value);
        if meaning.eq(&expected) { Ok(()) } else { Err(failed()) }
    }

    fn value(&self, (document, item): (usize, Option<usize>)) -> Option<&Value> {
        let value = &self.text.documents.get(document)?.value;
        item.map_or(Some(value), |item| value.get("items")?.get(item))
    }

    fn value_mut(&mut self, (document, item): (usize, Option<usize>)) -> Option<&mut Value> {
        let value = &mut self.text.documents.get_mut(document)?.value;
        match item {
            Some(item) => value.get_mut("items")?.get_mut(item),
            None => Some(value),
        }
    }

    /// Where an object stands.
    fn node(&self, held: &Held) -> Option<&Node> {
        let (document, item) = held.place;
        let root = &self.text.documents.get(document)?.root;
        let node = item.map_or(Some(root), |item| root.find(["items", &item.to_string()]))?;
        (!matches!(node.kind, Kind::Alias)).then_some(node)
    }

    /// What an object is, if it is of interest. A template may decide on the version.
    fn kind(&self, value: &Value) -> Option<Sort> {
        let version = value.get("apiVersion").and_then(Value::as_str);
        let ours = match version {
            Some(version) => GROUPS.iter().any(|group| version.starts_with(group)) || version.contains("{{"),
            None => !self.text.masked.actions.is_empty(),
        };
        match value.get("kind").and_then(Value::as_str).filter(|_| ours)? {
            "VirtualService" => Some(Sort::Service),
            "DestinationRule" => Some(Sort::Rule),
            _ => None,
        }
    }

    /// Takes a virtual service in, with the weights that the values have.
    fn hold(&mut self, place: (usize, Option<usize>), values: Option<&str>) -> Result<()> {
        let Some(value) = self.value(place) else { return Ok(()) };
        let mut held = Held { value: Value::Null, line: 1, problem: None, place };
        let (mut found, mut numbers) = (Vec::new(), Vec::new());
        for pointer in texts(value) {
            let Some(node) = self.node(&held).and_then(|object| object.find(pointer.split('/').skip(1))) else { continue };
            let Kind::Scalar { quoted } = node.kind else { continue };
            let inside = node.content();
            let source = self.text.slice(inside.clone());
            if let Some(path) = reference::plain(source)
                && self.text.masked.within(inside.clone()).iter().any(|action| action.range == inside)
            {
                found.push((pointer, path.join("."), quoted));
            } else if let Some(number) = octal(source).filter(|_| !quoted) {
                numbers.push((pointer, Value::from(number)));
            }
        }
        if let (Some(source), None, false) = (values, &self.values, found.is_empty()) {
            let read = Text::read(source).map_err(|mut error| {
                error.message = format!("in the values, {}", error.message);
                error
            });
            self.values = Some(read?);
        }
        for (pointer, path, quoted) in found {
            let stored = self.values.as_ref().and_then(|values| values.documents.first());
            let stored = stored.and_then(|document| document.value.pointer(&format!("/{}", path.replace('.', "/"))));
            let number = stored.and_then(|stored| stored.as_u64().or_else(|| stored.as_str()?.parse().ok()));
            let number = number.map(|number| if quoted { Value::String(number.to_string()) } else { Value::from(number) });
            numbers.extend(number.map(|number| (pointer, number)));
        }
        for (pointer, number) in numbers {
            if let Some(slot) = self.value_mut(place).and_then(|value| value.pointer_mut(&pointer)) {
                *slot = number;
            }
        }
        held.value = self.value(place).cloned().unwrap_or_default();
        if let Some(node) = self.node(&held) {
            held.line = self.text.line(node.start);
        }
        held.problem = self.problem(place.0);
        self.held.push(held);
        Ok(())
    }

    /// Why nothing of a document can be edited: a branch that was left out has routes too.
    fn problem(&self, document: usize) -> Option<Error> {
        let begin = if document == 0 { 0 } else { self.text.documents.get(document)?.root.start };
        let end = self.text.documents.get(document + 1).map_or(self.text.source.len(), |next| next.root.start);
        let routes = |range: &&std::ops::Range<usize>| {
            let branch = self.text.slice((*range).clone());
            (begin..end).contains(&range.start) && ["route", "destination", "weight"].iter().any(|word| branch.contains(word))
        };
        let hidden = self.text.masked.hidden.iter().find(routes)?;
        let line = self.text.line(hidden.start);
        let error = Error::usage(format!("line {line}: the template has routes of this object in another branch too"));
        Some(error.hint("change the template or its values by hand"))
    }
}

/// What an object is.
enum Sort {
    Service,
    Rule,
}

/// What kubectl's reader makes of `00`; ours takes it for a text.
fn octal(written: &str) -> Option<u64> {
    u64::from_str_radix(written.strip_prefix('0')?, 8).ok()
}

/// The pointers of the weights that are texts.
fn texts(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let list = |value: Option<&Value>| value.and_then(Value::as_array).map_or(0, Vec::len);
    for protocol in Protocol::ALL.map(Protocol::key) {
        for route in 0..list(object.pointer(&format!("/spec/{protocol}"))) {
            for destination in 0..list(object.pointer(&format!("/spec/{protocol}/{route}/route"))) {
                let pointer = format!("/spec/{protocol}/{route}/route/{destination}/weight");
                if object.pointer(&pointer).is_some_and(Value::is_string) {
                    found.push(pointer);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
