//! delete: an object, its dependents, a namespace with all that is in it, a collection.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::read;
use super::write::metadata_of;
use crate::sandbox::admission;
use crate::sandbox::kinds::{KINDS, Kind};
use crate::sandbox::present;
use crate::sandbox::request::{Call, Query};
use crate::sandbox::respond::{self, Body};
use crate::sandbox::server::Server;
use crate::sandbox::status::Failure;
use crate::sandbox::store::{Expect, Object, Store, text};
use crate::sandbox::time;

/// What a client says about a deletion.
struct Wishes {
    dry_run: bool,
    orphan: bool,
    uid: String,
    version: String,
}

fn wishes(call: &Call) -> Result<Wishes, Failure> {
    let options: Value = match call.body.is_empty() {
        true => json!({}),
        false => serde_json::from_slice(&call.body)
            .or_else(|_| serde_yaml::from_slice(&call.body))
            .map_err(|e| Failure::bad_request(format!("cannot read the delete options: {e}")))?,
    };
    let policy = |query: &Query| query.get("propagationPolicy").to_owned();
    Ok(Wishes {
        dry_run: call.dry_run() || options.pointer("/dryRun/0").is_some(),
        orphan: policy(&call.query) == "Orphan" || text(&options, "/propagationPolicy") == "Orphan",
        uid: text(&options, "/preconditions/uid").to_owned(),
        version: text(&options, "/preconditions/resourceVersion").to_owned(),
    })
}

/// Deletes one object.
pub async fn delete(server: &Server, call: &Call, warnings: &mut Vec<String>) -> Result<Response<Body>, Failure> {
    let target = &call.target;
    let kind = target.kind;
    let wishes = wishes(call)?;
    let old = read::find(server, call)?;
    for (precondition, field, wanted) in [("UID", "uid", &wishes.uid), ("ResourceVersion", "resourceVersion", &wishes.version)] {
        let present = text(&old, &format!("/metadata/{field}"));
        if !wanted.is_empty() && wanted != present {
            return Err(Failure::precondition(
                kind,
                &target.name,
                &format!(
                    "the {precondition} in the precondition ({wanted}) does not match the {precondition} in record ({present}). The object might have been {}",
                    if field == "uid" { "deleted and then recreated" } else { "modified" }
                ),
            ));
        }
    }
    admission::review(server, call, "DELETE", Some(&old), None, warnings).await?;
    let last = match wishes.dry_run {
        true => old,
        false => remove(&server.store, kind, &old, wishes.orphan).ok_or_else(|| Failure::conflict(kind, &target.name))?,
    };
    if ["namespaces", "pods", "services"].contains(&kind.plural) || held(&last) {
        return Ok(present::object(call, StatusCode::OK, &last));
    }
    let mut details = json!({"name": target.name});
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    details["kind"] = kind.plural.into();
    details["uid"] = text(&last, "/metadata/uid").into();
    let done = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    });
    Ok(respond::json(StatusCode::OK, &done))
}

/// Deletes all selected objects of a collection.
pub async fn delete_collection(server: &Server, call: &Call, warnings: &mut Vec<String>) -> Result<Response<Body>, Failure> {
    let kind = call.target.kind;
    let wishes = wishes(call)?;
    let selector = read::selector(call)?;
    let mut gone = Vec::new();
    for object in server.store.list(kind, &call.target.namespace) {
        if !selector.matches(kind, &object) {
            continue;
        }
        admission::review(server, call, "DELETE", Some(&object), None, warnings).await?;
        let last = match wishes.dry_run {
            true => Some(object),
            false => remove(&server.store, kind, &object, wishes.orphan),
        };
        gone.extend(last.map(|object| Value::clone(&object)));
    }
    Ok(present::list(call, gone, server.store.revision(), "", 0))
}

fn held(object: &Value) -> bool {
    object.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|finalizers| !finalizers.is_empty())
}

/// Removes an object and what it owns or contains; one with finalizers is only marked. `None`: another write came first.
pub fn remove(store: &Store, kind: &'static Kind, object: &Object, orphan: bool) -> Option<Object> {
    if held(object) {
        let mut marked = Value::clone(object);
        let metadata = metadata_of(&mut marked);
        metadata.insert("deletionTimestamp".into(), time::now().into());
        metadata.insert("deletionGracePeriodSeconds".into(), 0.into());
        if let Some(generation) = metadata.get("generation").and_then(Value::as_u64) {
            metadata.insert("generation".into(), (generation + 1).into());
        }
        return store.write(kind, Expect::Same(object), marked).ok();
    }
    let last = store.remove(kind, object, Value::clone(object)).ok()?;
    let uid = text(object, "/metadata/uid");
    let name = text(object, "/metadata/name");
    for other_kind in KINDS {
        let inside = kind.plural == "namespaces" && other_kind.namespaced;
        for other in store.list(other_kind, if inside { name } else { "" }) {
            if inside || owned_by(&other, uid) && !orphan {
                // An object that changes at this moment is found again by the controllers.
                remove(store, other_kind, &other, false);
            } else if owned_by(&other, uid) {
                let mut free = Value::clone(&other);
                metadata_of(&mut free).shift_remove("ownerReferences");
                store.write(other_kind, Expect::Same(&other), free).ok();
            }
        }
    }
    if kind.plural == "namespaces" {
        let mut terminating = Value::clone(&last);
        metadata_of(&mut terminating).insert("deletionTimestamp".into(), time::now().into());
        terminating["status"] = json!({"phase": "Terminating"});
        return Some(terminating.into());
    }
    Some(last)
}

/// Whether an object has an owner of this identity.
pub fn owned_by(object: &Value, uid: &str) -> bool {
    object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array)
        .is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == uid))
}
