//! What the custom resources' schema allows: unknown members are pruned, types are checked.
//!
//! Istio's schema without its free-form parts: known names and types down to where people make mistakes with
//! weights, and anything goes below `match`, `retries`, traffic policies and the like.

use serde_json::Value;

use super::kinds::Kind;
use super::status::Cause;

enum Type {
    Any,
    Text,
    Integer,
    Boolean,
    List(&'static Type),
    Map,
    /// Members, and the names of those that must be there.
    Object(&'static [(&'static str, Type)], &'static [&'static str]),
}
use Type::{Any, Boolean, Integer, List, Map, Object, Text};

const PORT: Type = Object(&[("number", Integer)], &[]);
const DESTINATION: Type = Object(&[("host", Text), ("port", PORT), ("subset", Text)], &["host"]);
const WEIGHTED: Type = Object(&[("destination", DESTINATION), ("weight", Integer)], &["destination"]);
const HTTP_WEIGHTED: Type = Object(&[("destination", DESTINATION), ("headers", Any), ("weight", Integer)], &["destination"]);
const HTTP: Type = Object(
    &[
        ("corsPolicy", Any),
        ("delegate", Object(&[("name", Text), ("namespace", Text)], &[])),
        ("directResponse", Any),
        ("fault", Any),
        ("headers", Any),
        ("match", List(&Any)),
        ("mirror", DESTINATION),
        ("mirrorPercent", Integer),
        ("mirrorPercentage", Any),
        ("mirror_percent", Integer),
        ("mirrors", List(&Any)),
        ("name", Text),
        ("redirect", Any),
        ("retries", Any),
        ("rewrite", Any),
        ("route", List(&HTTP_WEIGHTED)),
        ("timeout", Text),
    ],
    &[],
);
const TCP: Type = Object(&[("match", List(&Any)), ("route", List(&WEIGHTED))], &[]);
const TLS: Type = Object(&[("match", List(&Any)), ("route", List(&WEIGHTED))], &["match"]);
static VIRTUAL_SERVICE: Type = Object(
    &[
        ("exportTo", List(&Text)),
        ("gateways", List(&Text)),
        ("hosts", List(&Text)),
        ("http", List(&HTTP)),
        ("tcp", List(&TCP)),
        ("tls", List(&TLS)),
    ],
    &[],
);
const SUBSET: Type = Object(&[("labels", Map), ("name", Text), ("trafficPolicy", Any)], &["name"]);
static DESTINATION_RULE: Type = Object(
    &[
        ("exportTo", List(&Text)),
        ("host", Text),
        ("subsets", List(&SUBSET)),
        ("trafficPolicy", Any),
        ("workloadSelector", Object(&[("matchLabels", Map)], &[])),
    ],
    &["host"],
);
const SERVER: Type = Object(
    &[
        ("bind", Text),
        ("defaultEndpoint", Text),
        ("hosts", List(&Text)),
        ("name", Text),
        (
            "port",
            Object(
                &[("name", Text), ("number", Integer), ("protocol", Text), ("targetPort", Integer)],
                &["number", "protocol", "name"],
            ),
        ),
        (
            "tls",
            Object(
                &[
                    ("caCertificates", Text),
                    ("credentialName", Text),
                    ("httpsRedirect", Boolean),
                    ("mode", Text),
                    ("privateKey", Text),
                    ("serverCertificate", Text),
                    ("cipherSuites", List(&Text)),
                    ("subjectAltNames", List(&Text)),
                    ("minProtocolVersion", Text),
                    ("maxProtocolVersion", Text),
                ],
                &[],
            ),
        ),
    ],
    &["port", "hosts"],
);
static GATEWAY: Type = Object(&[("selector", Map), ("servers", List(&SERVER))], &[]);

fn of(kind: &Kind) -> Option<&'static Type> {
    match (kind.custom, kind.kind) {
        (true, "VirtualService") => Some(&VIRTUAL_SERVICE),
        (true, "DestinationRule") => Some(&DESTINATION_RULE),
        (true, "Gateway") => Some(&GATEWAY),
        _ => None,
    }
}

/// Removes what the schema of a custom resource does not know, and `null` members; makes whole floats integers.
/// The paths of the unknown members come back.
pub fn prune(kind: &Kind, object: &mut Value) -> Vec<String> {
    let Some(schema) = of(kind) else {
        return Vec::new();
    };
    let mut unknown = Vec::new();
    if let Some(members) = object.as_object_mut() {
        if let Some(Value::Object(metadata)) = members.get_mut("metadata") {
            metadata.retain(|name, _| {
                let keep = METADATA.contains(&name.as_str());
                if !keep {
                    unknown.push(format!("metadata.{name}"));
                }
                keep
            });
        }
        members.retain(|name, _| {
            let known = ["apiVersion", "kind", "metadata", "spec", "status"];
            let keep = known.contains(&name.as_str());
            if !keep {
                unknown.push(name.clone());
            }
            keep
        });
        if members.get("spec").is_some_and(Value::is_null) {
            members.shift_remove("spec");
        }
        if let Some(spec) = members.get_mut("spec") {
            prune_value(schema, spec, "spec", &mut unknown);
        }
    }
    unknown
}

/// The members of `metadata`, in the API server's order.
pub const METADATA: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

fn prune_value(schema: &Type, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match (schema, value) {
        (Object(known, _), Value::Object(members)) => {
            members.retain(|name, member| {
                let Some((_, schema)) = known.iter().find(|(known, _)| known == name) else {
                    unknown.push(format!("{path}.{name}"));
                    return false;
                };
                if member.is_null() {
                    return false;
                }
                prune_value(schema, member, &format!("{path}.{name}"), unknown);
                true
            });
        }
        (List(schema), Value::Array(items)) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune_value(schema, item, &format!("{path}[{index}]"), unknown);
            }
        }
        (Any, value) => whole_numbers(value),
        (_, value @ Value::Number(_)) => whole_numbers(value),
        _ => {}
    }
}

/// JSON has one kind of number: 80.0 is stored as 80.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64()
                && number.is_f64()
                && float.fract() == 0.0
                && float.abs() < 9e15
            {
                // In this range the conversion is exact.
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// What is wrong with a custom resource.
pub fn check(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let (Some(schema), Some(spec)) = (of(kind), object.get("spec")) {
        check_value(schema, spec, "spec", &mut causes);
    }
    causes
}

/// What the API server adds when it has not looked at everything.
pub fn unchecked() -> Cause {
    Cause::invalid(
        "<nil>",
        "null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
    )
}

fn check_value(schema: &Type, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let wanted = match (schema, value) {
        (Any, _) | (Text, Value::String(_)) | (Boolean, Value::Bool(_)) | (Map, Value::Object(_)) => return,
        (Integer, Value::Number(number)) if !number.is_f64() => return,
        (List(schema), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                check_value(schema, item, &format!("{path}[{index}]"), causes);
            }
            return;
        }
        (Object(known, required), Value::Object(members)) => {
            for (name, member) in members {
                if let Some((_, schema)) = known.iter().find(|(known, _)| known == name) {
                    check_value(schema, member, &format!("{path}.{name}"), causes);
                }
            }
            for name in required.iter().filter(|name| !members.contains_key(**name)) {
                causes.push(Cause {
                    reason: "FieldValueRequired",
                    field: format!("{path}.{name}"),
                    message: "Required value".into(),
                });
            }
            return;
        }
        (Text, _) => "string",
        (Integer, _) => "integer",
        (Boolean, _) => "boolean",
        (List(_), _) => "array",
        (Map | Object(..), _) => "object",
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    causes.push(Cause {
        reason: "FieldValueTypeInvalid",
        field: path.into(),
        message: format!("Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\""),
    });
}

#[cfg(test)]
mod tests {
    use super::super::kinds::VIRTUAL_SERVICES;
    use super::*;
    use serde_json::json;

    fn with_route(route: Value) -> Value {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "carts"},
               "spec": {"http": [{"route": [route]}]}})
    }

    #[test]
    fn a_misspelt_member_is_pruned_and_named() {
        let mut object = with_route(json!({"destination": {"host": "a"}, "wieght": 1}));
        let unknown = prune(&VIRTUAL_SERVICES, &mut object);
        assert_eq!(unknown, ["spec.http[0].route[0].wieght"]);
        assert_eq!(object, with_route(json!({"destination": {"host": "a"}})));
    }

    #[test]
    fn null_members_go_and_whole_floats_become_integers() {
        let mut object = with_route(json!({"destination": {"host": "a"}, "weight": 80.0}));
        object["spec"]["tls"] = Value::Null;
        assert!(prune(&VIRTUAL_SERVICES, &mut object).is_empty());
        assert_eq!(object, with_route(json!({"destination": {"host": "a"}, "weight": 80})));
    }

    #[test]
    fn a_quoted_weight_is_refused_in_the_servers_words() {
        let object = with_route(json!({"destination": {"host": "a"}, "weight": "80"}));
        let lines: Vec<String> =
            check(&VIRTUAL_SERVICES, &object).iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        assert_eq!(
            lines,
            [
                "spec.http[0].route[0].weight: Invalid value: \"string\": spec.http[0].route[0].weight in body must be of type integer: \"string\"",
            ]
        );
    }

    #[test]
    fn a_destination_needs_a_host() {
        let object = with_route(json!({"destination": {}, "weight": -5}));
        let fields: Vec<String> = check(&VIRTUAL_SERVICES, &object).into_iter().map(|cause| cause.field).collect();
        assert_eq!(fields.first().map(String::as_str), Some("spec.http[0].route[0].destination.host"));
    }
}
