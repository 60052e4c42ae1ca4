//! patch: applied to the newest state, again when another write comes between.

use http::Response;
use serde_json::Value;

use super::{read, scale, write};
use crate::sandbox::patch::{self, PatchError};
use crate::sandbox::request::Call;
use crate::sandbox::respond::Body;
use crate::sandbox::server::Server;
use crate::sandbox::status::{Cause, Failure, json_error};
use crate::sandbox::store::text;
use crate::sandbox::{shape, strategic};

/// How often a patch is tried before the writer is told of the conflict.
const TRIES: usize = 5;

/// Applies a patch to an object.
pub async fn patch(server: &Server, call: &Call, warnings: &mut Vec<String>) -> Result<Response<Body>, Failure> {
    for _ in 0..TRIES {
        warnings.clear();
        let old = read::find(server, call)?;
        let shown = match call.target.sub.as_str() {
            "scale" => scale::of(&old),
            _ => in_version(call, &old),
        };
        let patched = apply(call, &shown, warnings)?;
        let new = match call.target.sub.as_str() {
            "scale" => scale::into(&old, &patched)?,
            _ => decoded(call, patched)?,
        };
        let written = write::replace(server, call, &old, new, warnings, |why, object| refused_result(object, why)).await?;
        if let Some(stored) = written {
            return Ok(write::answer(call, &stored));
        }
    }
    Err(Failure::conflict(call.target.kind, &call.target.name))
}

/// A patch whose result cannot be read as an object: 422 that quotes all of it.
fn refused_result(object: &Value, why: &str) -> Failure {
    let mut object = object.clone();
    object.sort_all_objects();
    let cause = Cause::invalid("patch", format!("{:?}: {why}", object.to_string()));
    Failure::invalid_as("", "", "", &[cause])
}

/// The result of a patch, if it can be read as an object.
fn decoded(call: &Call, object: Value) -> Result<Value, Failure> {
    if text(&object, "/kind").is_empty() {
        return Err(refused_result(&object, &format!("Object 'Kind' is missing in '{object}'")));
    }
    let kind = text(&object, "/kind");
    if kind != call.target.kind.kind && !call.target.kind.custom {
        let why = format!("no kind {kind:?} is registered for version {:?}", call.target.api_version());
        return Err(refused_result(&object, &why));
    }
    if let Some(why) = shape::misfit(call.target.kind.custom, &object) {
        return Err(refused_result(&object, &why));
    }
    for (field, wanted) in [("name", &call.target.name), ("namespace", &call.target.namespace)] {
        let found = text(&object, &format!("/metadata/{field}"));
        if found != wanted && !found.is_empty() {
            return Err(Failure::bad_request(match field {
                "name" => format!("the name of the object ({found}) does not match the name on the URL ({wanted})"),
                _ => "the namespace of the provided object does not match the namespace sent on the request".to_owned(),
            }));
        }
    }
    Ok(object)
}

/// Patches see the object in the version of their path.
fn in_version(call: &Call, object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.insert("apiVersion".into(), call.target.api_version().into());
    }
    object
}

fn apply(call: &Call, object: &Value, warnings: &mut Vec<String>) -> Result<Value, Failure> {
    let merge_patch = || -> Result<Value, Failure> {
        match serde_json::from_slice(&call.body) {
            Ok(patch @ Value::Object(_)) => Ok(patch),
            Ok(Value::Null) => Ok(Value::Object(serde_json::Map::new())),
            Ok(other) => Err(Failure::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                patch::go_type(&other)
            ))),
            Err(error) => Err(Failure::bad_request(format!("error decoding patch: {}", json_error(&error)))),
        }
    };
    match call.content_type.as_str() {
        "application/json-patch+json" => {
            let operations = patch::decode(&call.body).map_err(refusal)?;
            let patched = patch::apply(object, &operations).map_err(refusal)?;
            let unknown = patch::unknown_members(&operations);
            match call.query.get("fieldValidation") {
                "Ignore" => {}
                "Strict" if !unknown.is_empty() => {
                    return Err(refused_result(&patched, &format!("strict decoding error: {}", unknown.join(", "))));
                }
                _ => warnings.extend(unknown),
            }
            Ok(patched)
        }
        "application/merge-patch+json" => {
            let mut object = object.clone();
            patch::merge(&mut object, &merge_patch()?);
            Ok(object)
        }
        "application/strategic-merge-patch+json" if !call.target.kind.custom => {
            let mut object = object.clone();
            strategic::merge(&mut object, &merge_patch()?);
            Ok(object)
        }
        "application/apply-patch+yaml" => {
            Err(Failure::new(415, "UnsupportedMediaType", "the sandbox does not serve server-side apply"))
        }
        _ => {
            let strategic = match call.target.kind.custom {
                true => "",
                false => ", application/strategic-merge-patch+json",
            };
            Err(Failure::new(
                415,
                "UnsupportedMediaType",
                format!(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json{strategic}, application/apply-patch+yaml"
                ),
            ))
        }
    }
}

fn refusal(error: PatchError) -> Failure {
    match error {
        PatchError::Malformed(text) => Failure::bad_request(text),
        PatchError::Inapplicable => Failure::patch_failed(),
        PatchError::TooLong(length) => Failure::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: The allowed maximum operations in a JSON patch is 10000, got {length}"),
        ),
        PatchError::Panics => Failure::broken_connection(),
    }
}
