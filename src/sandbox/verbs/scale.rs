//! The scale subresource of deployments and replica sets.

use serde_json::{Value, json};

use crate::sandbox::store::text;

/// An object's scale.
pub fn of(object: &Value) -> Value {
    let labels = object.pointer("/spec/selector/matchLabels");
    let selector: Vec<String> = labels
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("")))
        .collect();
    let number = |pointer: &str| object.pointer(pointer).cloned().unwrap_or(json!(0));
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": text(object, "/metadata/name"),
            "namespace": text(object, "/metadata/namespace"),
            "uid": text(object, "/metadata/uid"),
            "resourceVersion": text(object, "/metadata/resourceVersion"),
            "creationTimestamp": text(object, "/metadata/creationTimestamp"),
        },
        "spec": {"replicas": number("/spec/replicas")},
        "status": {"replicas": number("/status/replicas"), "selector": selector.join(",")},
    })
}

/// The object with the replicas and the resource version of `scale`.
pub fn into(object: &Value, scale: &Value) -> Value {
    let mut object = object.clone();
    if let (Some(replicas), Some(spec)) = (scale.pointer("/spec/replicas"), object.get_mut("spec").and_then(Value::as_object_mut))
    {
        spec.insert("replicas".into(), replicas.clone());
    }
    if let (Some(version), Some(metadata)) =
        (scale.pointer("/metadata/resourceVersion"), object.get_mut("metadata").and_then(Value::as_object_mut))
    {
        metadata.insert("resourceVersion".into(), version.clone());
    }
    object
}
