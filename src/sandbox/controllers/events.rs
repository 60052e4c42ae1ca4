//! Events: what `kubectl describe` says has happened.

use serde_json::{Value, json};

use super::Controllers;
use crate::sandbox::kinds::EVENTS;
use crate::sandbox::store::{Expect, text};
use crate::sandbox::{names, time};

/// Writes down that something has happened to an object.
pub fn record(controllers: &Controllers, about: &Value, kind: &str, reason: &str, message: &str) {
    let (namespace, name) = (text(about, "/metadata/namespace"), text(about, "/metadata/name"));
    let revision = controllers.store.revision();
    let now = time::now();
    let source = match (text(about, "/kind"), reason) {
        ("Pod", "FailedScheduling") => "default-scheduler",
        ("Pod", _) => "kubelet",
        ("Job", _) => "job-controller",
        _ => "deployment-controller",
    };
    let event = json!({
        "kind": "Event", "apiVersion": "v1",
        "metadata": {
            "name": format!("{name}.{}", names::suffix(name, revision)), "namespace": namespace,
            "uid": names::uid(namespace, name, revision), "creationTimestamp": now,
        },
        "involvedObject": {
            "kind": text(about, "/kind"), "namespace": namespace, "name": name, "uid": text(about, "/metadata/uid"),
            "apiVersion": text(about, "/apiVersion"), "resourceVersion": text(about, "/metadata/resourceVersion"),
        },
        "reason": reason, "message": message, "source": {"component": source},
        "firstTimestamp": now, "lastTimestamp": now, "count": 1, "type": kind, "eventTime": null,
        "reportingComponent": source, "reportingInstance": "",
    });
    // Nothing depends on an event.
    controllers.store.write(&EVENTS, Expect::Absent, event).ok();
}
