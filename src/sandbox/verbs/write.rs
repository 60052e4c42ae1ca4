//! create and update, and what every write goes through.

use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{check, decode, read, scale};
use crate::sandbox::admission;
use crate::sandbox::defaults;
use crate::sandbox::kinds::NAMESPACES;
use crate::sandbox::managed;
use crate::sandbox::present;
use crate::sandbox::request::{Call, Target};
use crate::sandbox::respond::Body;
use crate::sandbox::schema;
use crate::sandbox::server::Server;
use crate::sandbox::status::{Cause, Failure};
use crate::sandbox::store::{Expect, Object, text};
use crate::sandbox::{names, shape, time};
use crate::sorted;

/// Kinds whose objects a replacement creates where there is none.
const BY_UPDATE: [&str; 3] = ["events", "leases", "services"];

/// Creates an object.
pub async fn create(server: &Server, call: &Call, warnings: &mut Vec<String>) -> Result<Response<Body>, Failure> {
    let target = &call.target;
    let kind = target.kind;
    let mut object = decode(call)?;
    check::form(call, &object)?;
    check::kind_and_version(call, &object)?;
    shape::without_null(&mut object);
    let unknown = schema::prune(kind, &mut object);
    check::unknown(call, unknown, warnings, |why| check::unfit(call, why))?;
    place(server, call, &mut object)?;
    let name = text(&object, "/metadata/name").to_owned();
    if let Some(cause) = names::check(kind, &name) {
        return Err(Failure::invalid(kind, &name, &[cause]));
    }
    let uid = names::uid(&target.namespace, &name, server.store.revision());
    let versioned = text(&object, "/metadata/resourceVersion").parse::<u64>().is_ok_and(|version| version != 0);
    let metadata = metadata_of(&mut object);
    for system in ["resourceVersion", "deletionTimestamp", "managedFields", "selfLink"] {
        metadata.shift_remove(system);
    }
    metadata.insert("uid".into(), uid.into());
    metadata.insert("creationTimestamp".into(), time::now().into());
    if kind.generation() {
        metadata.insert("generation".into(), 1.into());
    }
    if kind.subresources.contains(&"status") && kind.plural != "namespaces" {
        set_member(&mut object, "status", None);
    }
    defaults::apply(kind, &mut object);
    check::content(call, &name, &object)?;
    managed::update(target, None, &mut object, &call.manager);
    stored_type(call, &mut object);
    admission::review(server, call, "CREATE", None, Some(&object), warnings).await?;
    // The API server's store finds this, which a dry run does not reach.
    if versioned && call.verb == "create" && !call.dry_run() {
        return Err(Failure::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    if server.store.get(kind, &target.namespace, &name).is_some() {
        return Err(Failure::already_exists(kind, &name));
    }
    if call.dry_run() {
        return Ok(present::object(call, StatusCode::CREATED, &object));
    }
    let stored = server.store.write(kind, Expect::Absent, object).map_err(|_| Failure::already_exists(kind, &name))?;
    Ok(present::object(call, StatusCode::CREATED, &stored))
}

/// Replaces an object.
pub async fn update(server: &Server, call: &Call, warnings: &mut Vec<String>) -> Result<Response<Body>, Failure> {
    let kind = call.target.kind;
    let sent = decode(call)?;
    check::form(call, &sent)?;
    let name = text(&sent, "/metadata/name");
    if name != call.target.name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.target.name
        )));
    }
    let uid = text(&sent, "/metadata/uid");
    let old = match read::find(server, call) {
        Ok(old) => old,
        Err(_) if BY_UPDATE.contains(&kind.plural) && uid.is_empty() => return create(server, call, warnings).await,
        Err(_) if BY_UPDATE.contains(&kind.plural) => return Err(other_uid(call, uid, "")),
        Err(failure) => return Err(failure),
    };
    if !uid.is_empty() && uid != text(&old, "/metadata/uid") {
        return Err(other_uid(call, uid, text(&old, "/metadata/uid")));
    }
    let new = match call.target.sub.as_str() {
        "scale" => scale::into(&old, &sent)?,
        _ => {
            check::kind_and_version(call, &sent)?;
            sent
        }
    };
    let stored = replace(server, call, &old, new, warnings, |why, _| check::unfit(call, why))
        .await?
        .ok_or_else(|| Failure::conflict(kind, &call.target.name))?;
    Ok(answer(call, &stored))
}

/// The refusal of an object that is not the one that was read.
fn other_uid(call: &Call, wanted: &str, present: &str) -> Failure {
    let Target { kind, namespace, name, .. } = &call.target;
    let key = match kind.group {
        "" | "coordination.k8s.io" => kind.plural.to_owned(),
        group => format!("{group}/{}", kind.plural),
    };
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{key}/{namespace}/{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {present}"
    );
    Failure::conflict_because(kind, name, &why)
}

/// The answer to a write: the object, or its scale.
pub fn answer(call: &Call, stored: &Value) -> Response<Body> {
    match call.target.sub.as_str() {
        "scale" => present::object(call, StatusCode::OK, &scale::of(stored)),
        _ => present::object(call, StatusCode::OK, stored),
    }
}

/// Puts `new` in the place of `old`; `None` when another write came first. `strict` makes the failure of strict
/// field validation from what is wrong and the object.
pub async fn replace(
    server: &Server,
    call: &Call,
    old: &Object,
    mut new: Value,
    warnings: &mut Vec<String>,
    strict: impl FnOnce(&str, &Value) -> Failure,
) -> Result<Option<Object>, Failure> {
    let target = &call.target;
    let kind = target.kind;
    let name = target.name.as_str();
    check::kind(call, &new).map_err(|cause| {
        // Named as it names itself.
        let group = text(&new, "/apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
        Failure::invalid_as(text(&new, "/kind"), group, name, &[cause])
    })?;
    let as_sent = new.clone();
    shape::without_null(&mut new);
    let unknown = schema::prune(kind, &mut new);
    check::unknown(call, unknown, warnings, |why| strict(why, &as_sent))?;
    check::system_fields(call, old, &mut new)?;
    if target.sub == "status" {
        let status = new.get("status").cloned();
        new = Value::clone(old);
        set_member(&mut new, "status", status);
    } else if kind.subresources.contains(&"status") {
        set_member(&mut new, "status", old.get("status").cloned());
    }
    defaults::apply(kind, &mut new);
    check::content(call, name, &new)?;
    if let Some(generation) = old.pointer("/metadata/generation").and_then(Value::as_u64) {
        let generation = generation + u64::from(content(old) != content(&new));
        metadata_of(&mut new).insert("generation".into(), generation.into());
    }
    managed::update(target, Some(old), &mut new, &call.manager);
    stored_type(call, &mut new);
    admission::review(server, call, "UPDATE", Some(old), Some(&new), warnings).await?;
    if new == **old {
        return Ok(Some(old.clone()));
    }
    if call.dry_run() {
        return Ok(Some(new.into()));
    }
    let finished = new.pointer("/metadata/deletionTimestamp").is_some()
        && new.pointer("/metadata/finalizers").is_none_or(|f| *f == json!([]));
    let written = match finished {
        true => server.store.remove(kind, old, new),
        false => server.store.write(kind, Expect::Same(old), new),
    };
    Ok(written.ok())
}

/// What an object's generation counts the changes of.
fn content(object: &Value) -> Vec<(&String, &Value)> {
    let aside = ["apiVersion", "kind", "metadata", "status"];
    let parts = object.as_object().into_iter().flatten();
    let mut parts: Vec<_> = parts.filter(|(name, _)| !aside.contains(&name.as_str())).collect();
    sorted::by_key(&mut parts, |(name, _)| *name);
    parts
}

/// Puts an object into the namespace of the request and gives it a name.
fn place(server: &Server, call: &Call, object: &mut Value) -> Result<(), Failure> {
    let target = &call.target;
    let kind = target.kind;
    let namespace = text(object, "/metadata/namespace").to_owned();
    if kind.namespaced {
        if target.namespace.is_empty() {
            return Err(Failure::bad_request("an empty namespace may not be set during creation"));
        }
        if !namespace.is_empty() && namespace != target.namespace {
            return Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        if server.store.get(&NAMESPACES, "", &target.namespace).is_none() {
            return Err(Failure::not_found(&NAMESPACES, &target.namespace));
        }
        metadata_of(object).insert("namespace".into(), target.namespace.as_str().into());
    } else {
        metadata_of(object).shift_remove("namespace");
    }
    if text(object, "/metadata/name").is_empty() {
        let prefix = text(object, "/metadata/generateName").to_owned();
        if prefix.is_empty() {
            let mut causes = vec![Cause {
                reason: "FieldValueRequired",
                field: "metadata.name".into(),
                message: "Required value: name or generateName is required".into(),
            }];
            if kind.custom {
                causes.push(schema::unchecked());
            }
            return Err(Failure::invalid(kind, "", &causes));
        }
        let name = format!("{prefix}{}", names::suffix(&prefix, server.store.revision()));
        metadata_of(object).insert("name".into(), name.into());
    }
    Ok(())
}

/// Whatever version it was sent in, an object is stored in one.
fn stored_type(call: &Call, object: &mut Value) {
    let kind = call.target.kind;
    let version = kind.api_version(kind.stored_version());
    set_member(object, "apiVersion", Some(version.into()));
    set_member(object, "kind", Some(kind.kind.into()));
}

/// The metadata of an object, made when there is none.
pub fn metadata_of(object: &mut Value) -> &mut Map<String, Value> {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    match &mut object["metadata"] {
        Value::Object(members) => members,
        _ => unreachable!("it was just made an object"),
    }
}

/// Gives an object this member, or takes it away.
fn set_member(object: &mut Value, name: &str, value: Option<Value>) {
    let Some(members) = object.as_object_mut() else {
        return;
    };
    match value {
        Some(value) => members.insert(name.into(), value),
        None => members.shift_remove(name),
    };
}
