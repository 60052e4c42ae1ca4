//! What the server serves: discovery, version, health.

use crate::sorted;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::kinds::{KINDS, Kind};
use super::openapi;
use super::respond::{self, Body};
use super::status::Failure;

/// The version that the server says it has.
const VERSION: &str = "v1.34.4";

/// Answers a path that is no object.
pub fn answer(method: &Method, path: &str) -> Response<Body> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let found = match parts.as_slice() {
        ["healthz" | "livez" | "readyz"] => return respond::text(StatusCode::OK, "ok"),
        ["version"] => Some(version()),
        ["openapi", "v3", rest @ ..] => openapi::document(rest),
        ["api"] => Some(json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
        })),
        ["api", "v1"] => resources("", "v1"),
        ["apis"] => Some(json!({
            "kind": "APIGroupList", "apiVersion": "v1", "groups": groups().iter().map(|g| group(g)).collect::<Vec<_>>(),
        })),
        ["apis", name] => groups().contains(name).then(|| {
            let mut value = group(name);
            value["kind"] = "APIGroup".into();
            value["apiVersion"] = "v1".into();
            value
        }),
        ["apis", group, version] => resources(group, version),
        _ => None,
    };
    let reads = method == Method::GET || method == Method::HEAD;
    match found {
        Some(_) if !reads => respond::failure(&Failure::method_not_allowed()),
        Some(value) => respond::json(StatusCode::OK, &value),
        None if built_in(path) => respond::failure(&Failure::unknown_resource()),
        None => respond::unknown_path(),
    }
}

/// Whether a path lies below a group of built-in kinds: it is then refused by a `Status`.
fn built_in(path: &str) -> bool {
    KINDS.iter().filter(|kind| !kind.custom).any(|kind| {
        let start = match kind.group {
            "" => "/api/v1/".to_owned(),
            group => format!("/apis/{group}/"),
        };
        path.starts_with(&start)
    })
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "34", "emulationMajor": "1", "emulationMinor": "34",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "33",
        "gitVersion": VERSION, "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "", "platform": "sandbox",
    })
}

/// The groups besides the core, in their order.
fn groups() -> Vec<&'static str> {
    let names = KINDS.iter().map(|kind| kind.group).filter(|group| !group.is_empty());
    sorted::set(names.chain(["authorization.k8s.io"])).into_iter().collect()
}

fn versions(group: &str) -> &'static [&'static str] {
    let kind = KINDS.into_iter().find(|kind| kind.group == group);
    kind.map_or(&["v1"], |kind| kind.versions)
}

fn group(name: &str) -> Value {
    let versions: Vec<Value> =
        versions(name).iter().map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version})).collect();
    json!({"name": name, "preferredVersion": versions.first(), "versions": versions})
}

fn resources(group: &str, version: &str) -> Option<Value> {
    let mut found: Vec<Value> =
        KINDS.into_iter().filter(|kind| kind.group == group && kind.versions.contains(&version)).flat_map(resource).collect();
    if (group, version) == ("authorization.k8s.io", "v1") {
        found.push(json!({
            "name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview", "namespaced": false,
            "kind": "SelfSubjectAccessReview", "verbs": ["create"],
        }));
    }
    let group_version = match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    if found.is_empty() {
        return None;
    }
    let mut list = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": found});
    if !group.is_empty() {
        list["apiVersion"] = "v1".into();
    }
    Some(list)
}

fn resource(kind: &'static Kind) -> Vec<Value> {
    let mut main = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    });
    if !kind.short.is_empty() {
        main["shortNames"] = kind.short.into();
    }
    if !kind.categories.is_empty() {
        main["categories"] = kind.categories.into();
    }
    let mut found = vec![main];
    for sub in kind.subresources {
        let mut value = json!({
            "name": format!("{}/{sub}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": ["get", "patch", "update"],
        });
        if *sub == "log" {
            value["verbs"] = json!(["get"]);
        }
        if *sub == "scale" {
            value["group"] = "autoscaling".into();
            value["version"] = "v1".into();
            value["kind"] = "Scale".into();
        }
        found.push(value);
    }
    if kind.plural == "services" || kind.plural == "pods" {
        found.push(json!({
            "name": format!("{}/proxy", kind.plural), "singularName": "", "namespaced": true,
            "kind": format!("{}ProxyOptions", kind.kind),
            "verbs": ["create", "delete", "get", "patch", "update"],
        }));
    }
    found
}
