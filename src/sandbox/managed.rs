//! `managedFields`: which writer owns which field.
//!
//! Lists count as one field, as they do in Istio's schema: who changes one weight owns the whole of `spec.http`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::request::Target;
use super::time;
use crate::sorted;

/// The path of a field, in parts as `fieldsV1` writes them (`f:spec`); the path of an object stands for the object
/// itself (`.`).
type Path = Vec<String>;

/// Notes in `new` who wrote what: `manager` owns what differs from `old`, the others lose it.
pub fn update(target: &Target, old: Option<&Value>, new: &mut Value, manager: &str) {
    let before = fields(target, old.unwrap_or(&Value::Null));
    let after = fields(target, new);
    let differs = |path: &&Path| match old {
        Some(old) if before.contains(*path) => leaf_differs(old, new, path),
        _ => true,
    };
    let changed = sorted::set(after.iter().filter(differs).cloned());
    let gone = sorted::set(before.difference(&after).cloned());

    // An empty list leaves them as they are; `[{}]` is the way to reset them.
    let present = new.pointer("/metadata/managedFields").filter(|entries| **entries != json!([]));
    let mut entries: Vec<Value> = match present.or(old.and_then(|o| o.pointer("/metadata/managedFields"))) {
        Some(Value::Array(entries)) => entries.iter().filter(|e| e.get("manager").is_some()).cloned().collect(),
        _ => Vec::new(),
    };
    let api_version = target.api_version();
    let mine = |entry: &Value| {
        entry["manager"] == manager
            && entry["operation"] == "Update"
            && entry["apiVersion"] == api_version.as_str()
            && entry["subresource"].as_str().unwrap_or("") == target.sub
    };
    if !changed.is_empty() && !entries.iter().any(mine) {
        let mut entry = json!({
            "manager": manager, "operation": "Update", "apiVersion": api_version, "time": time::now(),
            "fieldsType": "FieldsV1", "fieldsV1": {},
        });
        if !target.sub.is_empty() {
            entry["subresource"] = target.sub.as_str().into();
        }
        entries.push(entry);
    }
    for entry in &mut entries {
        let mut owned = decode(&entry["fieldsV1"]);
        if mine(entry) && !changed.is_empty() {
            owned.extend(changed.iter().cloned());
            entry["time"] = time::now().into();
        } else if !mine(entry) {
            owned.retain(|path| !changed.contains(path));
        }
        owned.retain(|path| !gone.contains(path));
        entry["fieldsV1"] = encode(&owned);
    }
    entries.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|f| !f.is_empty()));
    sorted::by(&mut entries, |a, b| {
        (a["time"].as_str(), a["manager"].as_str()).cmp(&(b["time"].as_str(), b["manager"].as_str()))
    });
    if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
        if entries.is_empty() {
            metadata.shift_remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), entries.into());
        }
    }
}

/// All fields of an object that somebody can own through `target`.
fn fields(target: &Target, object: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    let Some(members) = object.as_object() else {
        return found;
    };
    let kind = target.kind;
    for (name, value) in members {
        let start = vec![format!("f:{name}")];
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => metadata_fields(value, &start, &mut found),
            // A write through one path leaves alone what belongs to the other.
            "status" if target.sub != "status" && kind.subresources.contains(&"status") => {}
            // The API server's own.
            "spec" if kind.plural == "namespaces" => {}
            _ => collect(value, start, kind.custom, &mut found),
        }
    }
    found
}

fn metadata_fields(metadata: &Value, start: &[String], found: &mut BTreeSet<Path>) {
    let path = |parts: &[String]| [start, parts].concat();
    for part in ["annotations", "labels"] {
        if let Some(value) = metadata.get(part) {
            collect(value, path(&[format!("f:{part}")]), true, found);
        }
    }
    // These lists are sets: each element is a field.
    for part in ["finalizers", "ownerReferences"] {
        let Some(Value::Array(items)) = metadata.get(part) else {
            continue;
        };
        let part = format!("f:{part}");
        if !items.is_empty() {
            found.insert(path(std::slice::from_ref(&part)));
        }
        for item in items {
            let element = match item.get("uid") {
                Some(uid) => format!("k:{}", json!({ "uid": uid })),
                None => format!("v:{item}"),
            };
            found.insert(path(&[part.clone(), element]));
        }
    }
}

/// `whole`: objects are fields themselves, as maps are; the structures of built-in kinds are not.
fn collect(value: &Value, path: Path, whole: bool, found: &mut BTreeSet<Path>) {
    let Value::Object(members) = value else {
        found.insert(path);
        return;
    };
    let map = ["f:matchLabels", "f:labels", "f:annotations", "f:selector", "f:data"];
    let whole = whole || path.last().is_some_and(|name| map.contains(&name.as_str()));
    if whole || members.is_empty() {
        found.insert(path.clone());
    }
    for (name, member) in members {
        let mut inner = path.clone();
        inner.push(format!("f:{name}"));
        collect(member, inner, whole, found);
    }
}

fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, name| value.get(name.strip_prefix("f:")?))
}

fn leaf_differs(old: &Value, new: &Value, path: &[String]) -> bool {
    let (old, new) = (at(old, path), at(new, path));
    match (old, new) {
        (Some(Value::Object(_)), Some(Value::Object(_))) => false,
        // A set's own entry changes when it comes and goes, not with its elements.
        (Some(_), Some(_)) if set(path) => false,
        _ => old != new,
    }
}

fn set(path: &[String]) -> bool {
    matches!(path, [metadata, part] if metadata == "f:metadata" && (part == "f:finalizers" || part == "f:ownerReferences"))
}

fn encode(paths: &BTreeSet<Path>) -> Value {
    fn mark(node: &mut Map<String, Value>, path: &[String]) {
        match path {
            [] => {
                node.insert(".".into(), json!({}));
            }
            [name, rest @ ..] => {
                let child = node.entry(name.clone()).or_insert_with(|| json!({}));
                if let Value::Object(child) = child {
                    mark(child, rest);
                }
            }
        }
    }
    let mut root = Map::new();
    for path in paths {
        mark(&mut root, path);
    }
    let mut value = Value::Object(root);
    unmark_leaves(&mut value);
    value
}

fn unmark_leaves(value: &mut Value) {
    if let Value::Object(members) = value {
        if members.len() == 1 && members.contains_key(".") {
            members.clear();
        }
        members.values_mut().for_each(unmark_leaves);
    }
}

fn decode(fields: &Value) -> BTreeSet<Path> {
    fn walk(value: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
        let Some(members) = value.as_object() else {
            return;
        };
        if members.is_empty() && !path.is_empty() {
            found.insert(path.clone());
        }
        for (name, inner) in members {
            if name == "." {
                found.insert(path.clone());
            } else {
                path.push(name.clone());
                walk(inner, path, found);
                path.pop();
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(fields, &mut Vec::new(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::super::kinds::VIRTUAL_SERVICES;
    use super::*;

    fn target() -> Target {
        Target { kind: &VIRTUAL_SERVICES, version: "v1", namespace: "shop".into(), name: "carts".into(), sub: String::new() }
    }

    fn owned(object: &Value) -> Vec<(String, String)> {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let mut owned: Vec<(String, String)> = entries
            .into_iter()
            .flatten()
            .map(|e| (e["manager"].as_str().unwrap_or("").to_owned(), e["fieldsV1"].to_string()))
            .collect();
        owned.sort();
        owned
    }

    #[test]
    fn the_last_writer_of_a_weight_owns_the_routes() {
        let mut first = json!({"metadata": {"name": "carts"}, "spec": {"hosts": ["carts"], "http": [{"weight": 100}]}});
        update(&target(), None, &mut first, "kubectl");
        assert_eq!(owned(&first), [("kubectl".to_owned(), r#"{"f:spec":{".":{},"f:hosts":{},"f:http":{}}}"#.to_owned())]);

        let mut second = first.clone();
        second["spec"]["http"] = json!([{"weight": 80}]);
        second["metadata"]["annotations"] = json!({"tidegate/release": "x"});
        update(&target(), Some(&first), &mut second, "tidegate");
        assert_eq!(
            owned(&second),
            [
                ("kubectl".to_owned(), r#"{"f:spec":{".":{},"f:hosts":{}}}"#.to_owned()),
                (
                    "tidegate".to_owned(),
                    r#"{"f:metadata":{"f:annotations":{".":{},"f:tidegate/release":{}}},"f:spec":{"f:http":{}}}"#.to_owned()
                ),
            ]
        );
    }

    #[test]
    fn a_write_that_changes_nothing_leaves_no_trace() {
        let mut first = json!({"metadata": {}, "spec": {"http": []}});
        update(&target(), None, &mut first, "kubectl");
        let mut second = first.clone();
        update(&target(), Some(&first), &mut second, "tidegate");
        assert_eq!(first, second);
    }
}
