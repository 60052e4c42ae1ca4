//! create and update, and what every write goes through.

use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{decode, read, scale};
use crate::sandbox::admission;
use crate::sandbox::defaults;
use crate::sandbox::kinds::NAMESPACES;
use crate::sandbox::managed;
use crate::sandbox::present;
use crate::sandbox::request::Call;
use crate::sandbox::respond::Body;
use crate::sandbox::schema;
use crate::sandbox::server::Server;
use crate::sandbox::status::{Cause, Failure};
use crate::sandbox::store::{Expect, Object, text};
use crate::sandbox::{names, shape, time};

/// Creates an object.
pub async fn create(server: &Server, call: &Call, warnings: &mut Vec<String>) -> Result<Response<Body>, Failure> {
    let target = &call.target;
    let kind = target.kind;
    let mut object = decode(call)?;
    well_formed(call, &object)?;
    check_type(call, &object)?;
    let unknown = schema::prune(kind, &mut object);
    report_unknown(call, unknown, warnings, |list| {
        Failure::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: strict decoding error: {list}",
            kind.kind, target.version, kind.kind
        ))
    })?;
    place(server, call, &mut object)?;
    let name = text(&object, "/metadata/name").to_owned();
    if let Some(cause) = names::check(kind, &name) {
        return Err(Failure::invalid(kind, &name, &[cause]));
    }
    let uid = names::uid(&target.namespace, &name, server.store.revision());
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
        drop_member(&mut object, "status");
    }
    defaults::apply(kind, &mut object);
    check(call, &name, &object)?;
    managed::update(target, None, &mut object, &call.manager);
    stored_type(call, &mut object);
    if server.store.get(kind, &target.namespace, &name).is_some() {
        return Err(Failure::already_exists(kind, &name));
    }
    admission::review(server, call, "CREATE", None, Some(&object), warnings).await?;
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
    well_formed(call, &sent)?;
    let name = text(&sent, "/metadata/name");
    if name != call.target.name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.target.name
        )));
    }
    let old = read::find(server, call)?;
    let uid = text(&sent, "/metadata/uid");
    if !uid.is_empty() && uid != text(&old, "/metadata/uid") {
        let key = match kind.group {
            "" => kind.plural.to_owned(),
            group => format!("{group}/{}", kind.plural),
        };
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{key}/{}/{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            call.target.namespace,
            text(&old, "/metadata/uid")
        );
        return Err(Failure::conflict_because(kind, name, &why));
    }
    let new = match call.target.sub.as_str() {
        "scale" => scale::into(&old, &sent)?,
        _ => {
            check_type(call, &sent)?;
            sent
        }
    };
    let stored = replace(server, call, &old, new, warnings, |list, _| {
        Failure::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: strict decoding error: {list}",
            kind.kind, call.target.version, kind.kind
        ))
    })
    .await?
    .ok_or_else(|| Failure::conflict(kind, &call.target.name))?;
    Ok(answer(call, &stored))
}

/// The answer to a write: the object, or its scale.
pub fn answer(call: &Call, stored: &Value) -> Response<Body> {
    match call.target.sub.as_str() {
        "scale" => present::object(call, StatusCode::OK, &scale::of(stored)),
        _ => present::object(call, StatusCode::OK, stored),
    }
}

/// Puts `new` in the place of `old`; `None` when another write came first. `strict` makes the failure of strict
/// field validation from the unknown fields and the object.
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
    check_kind(call, &new).map_err(|cause| Failure::invalid_as(text(&new, "/kind"), kind.group, name, &[cause]))?;
    let as_sent = new.clone();
    let unknown = schema::prune(kind, &mut new);
    report_unknown(call, unknown, warnings, |list| strict(list, &as_sent))?;
    keep_system_fields(call, old, &mut new)?;
    if target.sub == "status" {
        let status = new.get("status").cloned();
        let version = new.pointer("/metadata/resourceVersion").cloned();
        new = Value::clone(old);
        set_member(&mut new, "status", status);
        set_version(&mut new, version);
    } else if kind.subresources.contains(&"status") {
        set_member(&mut new, "status", old.get("status").cloned());
    }
    defaults::apply(kind, &mut new);
    check(call, name, &new)?;
    let differs = |part: &str| old.get(part) != new.get(part);
    let content = new
        .as_object()
        .into_iter()
        .flatten()
        .any(|(part, _)| !["metadata", "status", "apiVersion"].contains(&part.as_str()) && differs(part));
    let generation = old.pointer("/metadata/generation").and_then(Value::as_u64);
    if let Some(generation) = generation {
        let generation = generation + u64::from(content || differs("spec"));
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

/// Carries over what clients do not decide, and refuses changes to what is fixed.
fn keep_system_fields(call: &Call, old: &Value, new: &mut Value) -> Result<(), Failure> {
    let target = &call.target;
    let kind = target.kind;
    let mut causes = Vec::new();
    let metadata = metadata_of(new);
    let wanted_version = metadata.get("resourceVersion").and_then(Value::as_str).unwrap_or("").to_owned();
    for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let present = old.pointer(&format!("/metadata/{field}"));
        match (present, metadata.get(field)) {
            (Some(present), None | Some(Value::Null)) => {
                metadata.insert(field.into(), present.clone());
            }
            (None, Some(_)) => {
                metadata.shift_remove(field);
            }
            (Some(present), Some(wanted)) if present != wanted && field == "uid" => {
                // Two of the API server's checks say the same.
                let cause = Cause::invalid("metadata.uid", format!("{wanted}: field is immutable"));
                causes.extend([cause.clone(), cause]);
            }
            (Some(present), Some(_)) => {
                metadata.insert(field.into(), present.clone());
            }
            (None, None) => {}
        }
    }
    if !causes.is_empty() {
        return Err(Failure::invalid(kind, &target.name, &causes));
    }
    let version = text(old, "/metadata/resourceVersion");
    if wanted_version.is_empty() && kind.custom {
        let cause = Cause::invalid("metadata.resourceVersion", "0: must be specified for an update");
        return Err(Failure::invalid_as(kind.plural, kind.group, &target.name, &[cause]));
    }
    if !wanted_version.is_empty() && wanted_version.parse::<u64>().is_err() {
        let message = format!("strconv.ParseUint: parsing {wanted_version:?}: invalid syntax");
        return Err(Failure::new(500, "", message));
    }
    if !wanted_version.is_empty() && wanted_version != version {
        return Err(Failure::conflict(kind, &target.name));
    }
    metadata.insert("resourceVersion".into(), version.into());
    Ok(())
}

/// Refuses a body that is no such object.
fn well_formed(call: &Call, object: &Value) -> Result<(), Failure> {
    let kind = call.target.kind;
    match shape::misfit(kind.custom, object) {
        None => Ok(()),
        Some(why) => Err(Failure::bad_request(format!(
            "{0} in version {1:?} cannot be handled as a {0}: {why}",
            kind.kind, call.target.version
        ))),
    }
}

/// Refuses an object of another kind or version than the path's.
fn check_type(call: &Call, object: &Value) -> Result<(), Failure> {
    let kind = call.target.kind;
    let wanted = call.target.api_version();
    let version = text(object, "/apiVersion");
    if !version.is_empty() && version != wanted {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({wanted})"
        )));
    }
    check_kind(call, object).map_err(|cause| {
        let found = text(object, "/kind");
        match kind.custom {
            true => Failure::invalid_as(found, kind.group, text(object, "/metadata/name"), &[cause]),
            false => Failure::bad_request(format!(
                "{found} in version {:?} cannot be handled as a {}: converting (v1.{found}) to (v1.{}): unknown conversion",
                call.target.version, kind.kind, kind.kind
            )),
        }
    })
}

fn check_kind(call: &Call, object: &Value) -> Result<(), Cause> {
    for (field, wanted) in [("kind", call.target.kind.kind), ("apiVersion", &call.target.api_version())] {
        let found = text(object, &format!("/{field}"));
        if !found.is_empty() && found != wanted {
            return Err(Cause::invalid(field, format!("{found:?}: must be {wanted}")));
        }
    }
    Ok(())
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

fn report_unknown(
    call: &Call,
    unknown: Vec<String>,
    warnings: &mut Vec<String>,
    strict: impl FnOnce(&str) -> Failure,
) -> Result<(), Failure> {
    let unknown: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    match call.query.get("fieldValidation") {
        _ if unknown.is_empty() => {}
        "Ignore" => {}
        "Strict" => return Err(strict(&unknown.join(", "))),
        _ => warnings.extend(unknown),
    }
    Ok(())
}

fn check(call: &Call, name: &str, object: &Value) -> Result<(), Failure> {
    let mut causes = names::check_metadata(object);
    causes.extend(schema::check(call.target.kind, object));
    match causes.is_empty() {
        true => Ok(()),
        false => Err(Failure::invalid(call.target.kind, name, &causes)),
    }
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
    object_member(object, "metadata")
}

fn object_member<'a>(object: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    if !object.is_object() {
        *object = json!({});
    }
    let member = &mut object[name];
    if !member.is_object() {
        *member = json!({});
    }
    match member {
        Value::Object(members) => members,
        _ => unreachable!("it was just made an object"),
    }
}

fn set_member(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(members) = object.as_object_mut() {
        match value {
            Some(value) => {
                members.insert(name.into(), value);
            }
            None => {
                members.shift_remove(name);
            }
        }
    }
}

fn drop_member(object: &mut Value, name: &str) {
    set_member(object, name, None);
}

fn set_version(object: &mut Value, version: Option<Value>) {
    if let Some(version) = version {
        metadata_of(object).insert("resourceVersion".into(), version);
    }
}
