//! What is checked before an object is stored.

use serde_json::Value;

use super::write::metadata_of;
use crate::sandbox::request::Call;
use crate::sandbox::status::{Cause, Failure};
use crate::sandbox::store::text;
use crate::sandbox::{names, schema, shape};

/// The refusal of a body that cannot be read as an object of the kind.
pub fn unfit(call: &Call, why: &str) -> Failure {
    let kind = call.target.kind.kind;
    let version = call.target.version;
    Failure::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
}

/// Refuses a body that has not the form of an object.
pub fn form(call: &Call, object: &Value) -> Result<(), Failure> {
    match shape::misfit(call.target.kind.custom, object) {
        None => Ok(()),
        Some(why) => Err(unfit(call, &why)),
    }
}

/// Refuses an object of another kind or version than the path's.
pub fn kind_and_version(call: &Call, object: &Value) -> Result<(), Failure> {
    let kind = call.target.kind;
    let wanted = call.target.api_version();
    let version = text(object, "/apiVersion");
    // Only the decoder of built-in kinds takes a missing version for the path's.
    let left_out = version.is_empty() && !kind.custom;
    if version != wanted && !left_out {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({wanted})"
        )));
    }
    self::kind(call, object).map_err(|cause| {
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

/// Finds that an object is of another kind or version than the path's.
pub fn kind(call: &Call, object: &Value) -> Result<(), Cause> {
    for (field, wanted) in [("kind", call.target.kind.kind), ("apiVersion", &call.target.api_version())] {
        let found = text(object, &format!("/{field}"));
        if !found.is_empty() && found != wanted {
            return Err(Cause::invalid(field, format!("{found:?}: must be {wanted}")));
        }
    }
    Ok(())
}

/// Warns of unknown fields, or refuses them, as the request's `fieldValidation` wants it.
pub fn unknown(
    call: &Call,
    paths: Vec<String>,
    warnings: &mut Vec<String>,
    strict: impl FnOnce(&str) -> Failure,
) -> Result<(), Failure> {
    let unknown: Vec<String> = paths.iter().map(|path| format!("unknown field {path:?}")).collect();
    match call.query.get("fieldValidation") {
        _ if unknown.is_empty() => {}
        "Ignore" => {}
        "Strict" => return Err(strict(&format!("strict decoding error: {}", unknown.join(", ")))),
        _ => warnings.extend(unknown),
    }
    Ok(())
}

/// Refuses what labels, annotations and the schema do not allow.
pub fn content(call: &Call, name: &str, object: &Value) -> Result<(), Failure> {
    let kind = call.target.kind;
    let mut causes = names::check_metadata(object);
    causes.extend(schema::check(kind, object));
    if kind.plural == "jobs" && text(object, "/spec/template/spec/restartPolicy") == "Always" {
        causes.push(Cause {
            reason: "FieldValueRequired",
            field: "spec.template.spec.restartPolicy".into(),
            message: "Required value: valid values: \"OnFailure\", \"Never\"".into(),
        });
    }
    // After these the API server does not look any further.
    let ending = ["FieldValueRequired", "FieldValueTooLong", "FieldValueTypeInvalid"];
    if kind.custom && causes.iter().any(|cause| ending.contains(&cause.reason)) {
        causes.push(schema::unchecked());
    }
    match causes.is_empty() {
        true => Ok(()),
        false => Err(Failure::invalid(kind, name, &causes)),
    }
}

/// Carries over what clients do not decide, and refuses changes to what is fixed.
pub fn system_fields(call: &Call, old: &Value, new: &mut Value) -> Result<(), Failure> {
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
