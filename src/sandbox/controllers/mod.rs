//! A small simulation of a cluster's controllers: deployments roll out, pods become ready, services get endpoints.

mod deployments;
mod endpoints;
mod events;
mod jobs;
mod node;
mod pods;
mod sets;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::kinds::{DEPLOYMENTS, JOBS, Kind, PODS, REPLICA_SETS, SERVICES};
use super::store::{Expect, Object, Store, text};
use super::{defaults, names, time};

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// The kinds whose changes the controllers act upon.
static WATCHED: [&Kind; 5] = [&DEPLOYMENTS, &REPLICA_SETS, &JOBS, &PODS, &SERVICES];

/// The controllers' memory: what is in progress, and since when.
pub struct Controllers {
    store: Arc<Store>,
    /// Simulated seconds per second.
    speed: f64,
    /// What is waited for, and until when.
    waiting: HashMap<String, Instant>,
    /// How many pods have been given an address.
    addresses: u32,
}

impl Controllers {
    /// Controllers of a store; `speed` is simulated seconds per second.
    pub fn new(store: Arc<Store>, speed: f64) -> Self {
        Controllers { store, speed, waiting: HashMap::new(), addresses: 0 }
    }

    /// Brings everything to rest at once, as if time had passed.
    pub fn settle(&mut self) {
        let speed = std::mem::replace(&mut self.speed, f64::INFINITY);
        let mut revision = 0;
        while revision != self.store.revision() {
            revision = self.store.revision();
            self.step();
        }
        self.speed = speed;
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        let mut changes = self.store.subscribe();
        let mut seen = 0;
        let mut due = true;
        loop {
            // What it writes itself is news as well: it looks again, until nothing more follows.
            let revision = *changes.borrow_and_update();
            let looked = Instant::now();
            if due || self.store.touched(seen, &WATCHED) {
                self.step();
            }
            seen = revision;
            let next = self.waiting.values().filter(|end| **end > looked).min();
            let next = next.copied().unwrap_or(looked + LONG);
            due = tokio::select! {
                changed = changes.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
                () = tokio::time::sleep_until(next.into()) => true,
            };
        }
    }

    fn step(&mut self) {
        deployments::reconcile(self);
        sets::reconcile(self);
        jobs::reconcile(self);
        pods::reconcile(self);
        endpoints::reconcile(self);
    }

    /// Whether this many simulated seconds have passed since `what` was first waited for.
    fn passed(&mut self, what: &str, seconds: f64) -> bool {
        let now = Instant::now();
        let wait = Duration::try_from_secs_f64(seconds / self.speed).unwrap_or(LONG);
        now >= *self.waiting.entry(what.to_owned()).or_insert(now + wait)
    }

    /// Whether everything happens at once.
    fn settling(&self) -> bool {
        self.speed.is_infinite()
    }

    fn forget(&mut self, what: &str) {
        self.waiting.remove(what);
    }

    /// Writes an object of the controllers' own making.
    fn create(&self, kind: &'static Kind, owner: &Object, mut object: Value) -> Option<Object> {
        let namespace = text(owner, "/metadata/namespace");
        let name = text(&object, "/metadata/name").to_owned();
        let uid = names::uid(namespace, &name, self.store.revision());
        object["apiVersion"] = kind.api_version(kind.stored_version()).into();
        object["kind"] = kind.kind.into();
        let metadata = &mut object["metadata"];
        metadata["namespace"] = namespace.into();
        metadata["uid"] = uid.into();
        metadata["creationTimestamp"] = time::now().into();
        metadata["generation"] = 1.into();
        metadata["ownerReferences"] = json!([{
            "apiVersion": text(owner, "/apiVersion"), "kind": text(owner, "/kind"),
            "name": text(owner, "/metadata/name"), "uid": text(owner, "/metadata/uid"),
            "controller": true, "blockOwnerDeletion": true,
        }]);
        defaults::apply(kind, &mut object);
        self.store.write(kind, Expect::Absent, object).ok()
    }

    /// Writes an object where it differs; one that was changed by others meanwhile is looked at again later.
    fn write(&self, kind: &'static Kind, old: &Object, new: Value) {
        if new != **old {
            self.store.write(kind, Expect::Same(old), new).ok();
        }
    }
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn labels(object: &Value, pointer: &str) -> Map<String, Value> {
    match object.pointer(pointer) {
        Some(Value::Object(labels)) => labels.clone(),
        _ => Map::new(),
    }
}

/// Whether an object carries all of `wanted`.
fn carries(object: &Value, wanted: &Map<String, Value>) -> bool {
    let present = object.pointer("/metadata/labels");
    wanted.iter().all(|(name, value)| present.and_then(|labels| labels.get(name)) == Some(value))
}

/// Whether a pod is ready.
fn ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// A pod after an owner's template.
fn pod_of(owner: &Value, name: &str) -> Value {
    let mut metadata = owner.pointer("/spec/template/metadata").cloned().unwrap_or(json!({}));
    metadata["name"] = name.into();
    metadata["generateName"] = format!("{}-", text(owner, "/metadata/name")).into();
    metadata["labels"] = labels(owner, "/spec/template/metadata/labels").into();
    let spec = owner.pointer("/spec/template/spec").cloned().unwrap_or(json!({}));
    json!({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}})
}

/// Objects by the identity of their owner.
fn by_owner(store: &Store, kind: &'static Kind) -> HashMap<String, Vec<Object>> {
    let mut found: HashMap<String, Vec<Object>> = HashMap::new();
    for object in store.list(kind, "") {
        let owner = text(&object, "/metadata/ownerReferences/0/uid").to_owned();
        found.entry(owner).or_default().push(object);
    }
    found
}

/// A condition that keeps its times while it stays the same.
fn condition(object: &Value, kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let before = object
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == kind);
    let same =
        |condition: &&Value| condition["status"] == status && condition["reason"] == reason && condition["message"] == message;
    if let Some(same) = before.filter(same) {
        return same.clone();
    }
    let now = time::now();
    let transition = match before {
        Some(before) if before["status"] == status => before["lastTransitionTime"].clone(),
        _ => now.as_str().into(),
    };
    json!({
        "type": kind, "status": status, "lastUpdateTime": now, "lastTransitionTime": transition,
        "reason": reason, "message": message,
    })
}
