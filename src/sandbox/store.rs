//! The objects, one revision counter over all of them, and the log of changes that watches read.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::kinds::Kind;
use super::present::tidy;
use crate::sorted;

/// How many changes are remembered for watches and for lists in chunks.
const LOG_LENGTH: usize = 4096;

/// An object as stored; shared, never changed in place.
pub type Object = Arc<Value>;

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The revision that the change made.
    pub revision: u64,
    /// The object's kind.
    pub kind: &'static Kind,
    /// The object's place: `namespace/name`, or `/name`.
    pub key: String,
    /// The object before, unless it was created.
    pub before: Option<Object>,
    /// The object after; when deleted, its last state with the revision of the deletion.
    pub after: Object,
    /// Whether the object was deleted.
    pub deleted: bool,
}

/// What a write expects to find.
pub enum Expect<'a> {
    /// No such object.
    Absent,
    /// The object in exactly this state.
    Same(&'a Object),
}

/// Why a write did not happen: another came first.
#[derive(Debug)]
pub struct Raced;

/// The revision asked for is older than the log.
#[derive(Debug)]
pub struct TooOld {
    /// The oldest revision from which changes are still known.
    pub oldest: u64,
}

/// All objects of the server.
pub struct Store {
    inner: Mutex<Inner>,
    revisions: watch::Sender<u64>,
}

struct Inner {
    objects: BTreeMap<(&'static str, String), Object>,
    revision: u64,
    /// Changes after this revision are in the log.
    floor: u64,
    log: VecDeque<Change>,
}

impl Default for Store {
    fn default() -> Self {
        // A cluster has a past: revision 1 is always too old for a watch.
        let start = 1000;
        Store {
            inner: Mutex::new(Inner { objects: BTreeMap::new(), revision: start, floor: start, log: VecDeque::new() }),
            revisions: watch::Sender::new(start),
        }
    }
}

/// The place of an object within its kind.
pub fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Tells of each new revision.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.revisions.subscribe()
    }

    /// One object.
    pub fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Object> {
        self.lock().objects.get(&(kind.plural, key(namespace, name))).cloned()
    }

    /// The objects of a kind, of one namespace or (with an empty name) of all, in key order.
    pub fn list(&self, kind: &'static Kind, namespace: &str) -> Vec<Object> {
        let inner = self.lock();
        inner.select(kind, namespace).map(|(_, object)| object.clone()).collect()
    }

    /// The same with keys, as it was at `revision` (now, when there is none), and that revision.
    pub fn list_at(
        &self,
        kind: &'static Kind,
        namespace: &str,
        revision: Option<u64>,
    ) -> Result<(Vec<(String, Object)>, u64), TooOld> {
        let inner = self.lock();
        let revision = revision.unwrap_or(inner.revision);
        if revision < inner.floor {
            return Err(TooOld { oldest: inner.floor });
        }
        let mut found = sorted::map(inner.select(kind, namespace).map(|((_, key), object)| (key.clone(), object.clone())));
        let later = inner.log.iter().rev();
        for change in later.take_while(|change| change.revision > revision) {
            if change.kind.plural != kind.plural || !within(&change.key, namespace) {
                continue;
            }
            match &change.before {
                Some(before) => found.insert(change.key.clone(), before.clone()),
                None => found.remove(&change.key),
            };
        }
        Ok((found.into_iter().collect(), revision))
    }

    /// The changes of a kind after `revision`, oldest first, and the revision up to which they reach.
    pub fn changes(&self, kind: &'static Kind, namespace: &str, revision: u64) -> Result<(Vec<Change>, u64), TooOld> {
        let inner = self.lock();
        if revision < inner.floor {
            return Err(TooOld { oldest: inner.floor });
        }
        let first = inner.log.partition_point(|change| change.revision <= revision);
        let changes =
            inner.log.range(first..).filter(|change| change.kind.plural == kind.plural && within(&change.key, namespace));
        Ok((changes.cloned().collect(), inner.revision))
    }

    /// Whether anything of these kinds has changed after `revision`.
    pub fn touched(&self, revision: u64, kinds: &[&'static Kind]) -> bool {
        let inner = self.lock();
        let later = inner.log.iter().rev();
        revision < inner.floor
            || later
                .take_while(|change| change.revision > revision)
                .any(|change| kinds.iter().any(|kind| kind.plural == change.kind.plural))
    }

    /// Writes an object if its present state is the one expected, and gives it a new resource version.
    pub fn write(&self, kind: &'static Kind, expect: Expect<'_>, mut object: Value) -> Result<Object, Raced> {
        let key = key(text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
        let mut inner = self.lock();
        let before = inner.objects.get(&(kind.plural, key.clone())).cloned();
        match (&expect, &before) {
            (Expect::Absent, None) => {}
            (Expect::Same(wanted), Some(present)) if Arc::ptr_eq(wanted, present) => {}
            _ => return Err(Raced),
        }
        let revision = inner.next(&mut object);
        tidy(kind.custom, &mut object);
        let object = Arc::new(object);
        inner.objects.insert((kind.plural, key.clone()), object.clone());
        inner.remember(Change { revision, kind, key, before, after: object.clone(), deleted: false });
        drop(inner);
        self.revisions.send_replace(revision);
        Ok(object)
    }

    /// Removes an object if its present state is the one expected; its last state, `last`, comes back.
    pub fn remove(&self, kind: &'static Kind, expect: &Object, mut last: Value) -> Result<Object, Raced> {
        let key = key(text(expect, "/metadata/namespace"), text(expect, "/metadata/name"));
        let mut inner = self.lock();
        match inner.objects.get(&(kind.plural, key.clone())) {
            Some(present) if Arc::ptr_eq(expect, present) => {}
            _ => return Err(Raced),
        }
        inner.objects.remove(&(kind.plural, key.clone()));
        let revision = inner.next(&mut last);
        let last = Arc::new(last);
        inner.remember(Change { revision, kind, key, before: Some(expect.clone()), after: last.clone(), deleted: true });
        drop(inner);
        self.revisions.send_replace(revision);
        Ok(last)
    }
}

impl Inner {
    fn select<'a>(
        &'a self,
        kind: &'static Kind,
        namespace: &str,
    ) -> impl Iterator<Item = (&'a (&'static str, String), &'a Object)> + use<'a> {
        let prefix = match namespace {
            "" => String::new(),
            namespace => format!("{namespace}/"),
        };
        let plural = kind.plural;
        self.objects
            .range((Bound::Included((plural, prefix.clone())), Bound::Unbounded))
            .take_while(move |((p, key), _)| *p == plural && key.starts_with(&prefix))
    }

    fn next(&mut self, object: &mut Value) -> u64 {
        self.revision += 1;
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".into(), self.revision.to_string().into());
        }
        self.revision
    }

    fn remember(&mut self, change: Change) {
        self.log.push_back(change);
        while self.log.len() > LOG_LENGTH {
            if let Some(forgotten) = self.log.pop_front() {
                self.floor = forgotten.revision;
            }
        }
    }
}

fn within(key: &str, namespace: &str) -> bool {
    namespace.is_empty() || key.strip_prefix(namespace).is_some_and(|rest| rest.starts_with('/'))
}

/// The string at a JSON pointer, empty when there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}
