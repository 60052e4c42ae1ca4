//! The scale subresource of deployments and replica sets.

use serde_json::{Value, json};

use crate::sandbox::status::{Cause, Failure};
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
pub fn into(object: &Value, scale: &Value) -> Result<Value, Failure> {
    let replicas = scale.pointer("/spec/replicas").unwrap_or(&Value::Null);
    if !replicas.is_null() && !replicas.is_u64() {
        let cause = Cause::invalid("spec.replicas", format!("{replicas}: must be greater than or equal to 0"));
        return Err(Failure::invalid_as("Scale", "autoscaling", text(object, "/metadata/name"), &[cause]));
    }
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
    Ok(object)
}
