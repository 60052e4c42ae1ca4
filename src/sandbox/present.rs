//! Objects in the form that the client asked for.

use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::request::{Call, Form, Target};
use super::respond::{self, Body};
use super::schema::METADATA;
use super::table;

/// One object as an answer.
pub fn object(call: &Call, status: StatusCode, object: &Value) -> Response<Body> {
    let object = in_version(&call.target, object);
    let shown = match call.form {
        Form::Plain => object,
        Form::Metadata => metadata_only(&object),
        Form::Table => table::table(
            call.target.kind,
            std::slice::from_ref(&object),
            list_metadata(object.pointer("/metadata/resourceVersion"), "", 0),
            include(call),
            true,
        ),
    };
    respond::json(status, &shown)
}

/// A list as an answer: `next` is its continue token, `remaining` the number of objects behind it.
pub fn list(call: &Call, objects: Vec<Value>, revision: u64, next: &str, remaining: usize) -> Response<Body> {
    let kind = call.target.kind;
    let revision = Value::from(revision.to_string());
    let metadata = list_metadata(Some(&revision), next, remaining);
    let objects = objects.iter().map(|o| in_version(&call.target, o));
    let shown = match call.form {
        Form::Table => {
            let objects: Vec<Value> = objects.collect();
            table::table(kind, &objects, metadata, include(call), true)
        }
        Form::Metadata => json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "items": objects.map(|o| metadata_only(&o)).collect::<Vec<_>>(),
        }),
        Form::Plain if kind.custom => json!({
            "apiVersion": call.target.api_version(),
            "items": objects.collect::<Vec<_>>(),
            "kind": format!("{}List", kind.kind),
            "metadata": custom_list_metadata(metadata),
        }),
        Form::Plain => json!({
            "kind": format!("{}List", kind.kind), "apiVersion": call.target.api_version(), "metadata": metadata,
            // The items of a list of a built-in kind do not repeat it.
            "items": objects.map(without_type).collect::<Vec<_>>(),
        }),
    };
    respond::json(StatusCode::OK, &shown)
}

/// One object in an event of a watch; the columns of a table come with the first.
pub fn watched(call: &Call, object: &Value, first: bool) -> Value {
    let object = in_version(&call.target, object);
    match call.form {
        Form::Plain => object,
        Form::Metadata => metadata_only(&object),
        Form::Table => table::table(
            call.target.kind,
            std::slice::from_ref(&object),
            list_metadata(object.pointer("/metadata/resourceVersion"), "", 0),
            include(call),
            first,
        ),
    }
}

fn include(call: &Call) -> &str {
    call.query.get("includeObject")
}

/// The object under the API version asked for.
fn in_version(target: &Target, object: &Value) -> Value {
    let mut object = object.clone();
    if target.sub != "scale"
        && let Some(members) = object.as_object_mut()
    {
        members.insert("apiVersion".into(), target.api_version().into());
    }
    object
}

fn without_type(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.shift_remove("kind");
        members.shift_remove("apiVersion");
    }
    object
}

/// The metadata of an object as `PartialObjectMetadata`.
pub fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or(json!({})),
    })
}

fn list_metadata(revision: Option<&Value>, next: &str, remaining: usize) -> Value {
    let mut metadata = Map::new();
    if let Some(revision) = revision {
        metadata.insert("resourceVersion".into(), revision.clone());
    }
    if !next.is_empty() {
        metadata.insert("continue".into(), next.into());
        if remaining > 0 {
            metadata.insert("remainingItemCount".into(), remaining.into());
        }
    }
    metadata.into()
}

/// A list of custom resources has a continue token even where it is empty.
fn custom_list_metadata(mut metadata: Value) -> Value {
    if metadata.get("continue").is_none() {
        metadata["continue"] = "".into();
    }
    metadata.sort_all_objects();
    metadata
}

/// Puts an object's members into the API server's order: sorted for custom resources, as declared for built-in kinds.
pub fn tidy(custom: bool, object: &mut Value) {
    if custom {
        object.sort_all_objects();
        return;
    }
    let Some(members) = object.as_object_mut() else {
        return;
    };
    if let Some(Value::Object(metadata)) = members.get_mut("metadata") {
        let mut ordered = Map::new();
        for name in METADATA {
            if let Some(value) = metadata.shift_remove(name) {
                ordered.insert(name.into(), value);
            }
        }
        *metadata = ordered;
    }
    let mut ordered = Map::new();
    for name in ["kind", "apiVersion", "metadata", "spec"] {
        if let Some(value) = members.shift_remove(name) {
            ordered.insert(name.into(), value);
        }
    }
    ordered.extend(std::mem::take(members));
    *members = ordered;
}
