//! Strategic merge patches, as far as kubectl sends them for the built-in kinds.

use crate::sorted;
use serde_json::{Map, Value};

/// The member by which the objects of a list are told apart; `None` for a list that is replaced as a whole.
fn merge_key(list: &str, parent_is_service: bool) -> Option<&'static str> {
    Some(match list {
        "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" | "imagePullSecrets" | "webhooks" => "name",
        "ports" if parent_is_service => "port",
        "ports" => "containerPort",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "conditions" => "type",
        "ownerReferences" => "uid",
        "hostAliases" => "ip",
        "topologySpreadConstraints" => "topologyKey",
        _ => return None,
    })
}

/// Applies a strategic merge patch.
pub fn merge(target: &mut Value, patch: &Value) {
    let service = target.get("kind").and_then(Value::as_str) == Some("Service");
    merge_value(target, patch, service);
}

fn merge_value(target: &mut Value, patch: &Value, service: bool) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() || directive(changes) == Some("replace") {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        return;
    };
    if let Some(Value::Array(kept)) = changes.get("$retainKeys") {
        members.retain(|name, _| kept.iter().any(|k| k.as_str() == Some(name)));
    }
    for (name, change) in changes {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (members.get_mut(list), change) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if name.starts_with('$') {
            continue;
        }
        match change {
            Value::Null => {
                members.shift_remove(name);
            }
            Value::Object(inner) if directive(inner) == Some("delete") => {
                members.shift_remove(name);
            }
            Value::Array(changed) => {
                let items = members.entry(name.clone()).or_insert(Value::Array(vec![]));
                merge_list(items, changed, merge_key(name, service), name == "finalizers");
            }
            _ => {
                let member = members.entry(name.clone()).or_insert(Value::Null);
                merge_value(member, change, service);
            }
        }
    }
    // A list's new order comes beside it.
    for (name, order) in changes {
        if let (Some(list), Value::Array(order)) = (name.strip_prefix("$setElementOrder/"), order) {
            reorder(members, list, order, merge_key(list, service));
        }
    }
}

fn directive(members: &Map<String, Value>) -> Option<&str> {
    members.get("$patch").and_then(Value::as_str)
}

fn merge_list(items: &mut Value, changed: &[Value], key: Option<&str>, union: bool) {
    let Value::Array(present) = items else {
        *items = Value::Array(changed.to_vec());
        return;
    };
    if union {
        for item in changed {
            if !present.contains(item) {
                present.push(item.clone());
            }
        }
        return;
    }
    let keyed = |item: &Value| key.is_some_and(|key| item.get(key).is_some());
    let is_directive = |item: &Value| item.as_object().is_some_and(|m| directive(m).is_some());
    if changed
        .iter()
        .any(|item| item.as_object().and_then(directive) == Some("replace") && item.as_object().is_some_and(|m| m.len() == 1))
    {
        *present = changed.iter().filter(|item| !is_directive(item)).cloned().collect();
        return;
    }
    let Some(key) = key.filter(|_| changed.iter().all(keyed)) else {
        *present = changed.to_vec();
        return;
    };
    for change in changed {
        let wanted = change.get(key);
        let found = present.iter().position(|item| item.get(key) == wanted);
        let delete = change.as_object().and_then(directive) == Some("delete");
        match found.and_then(|index| present.get_mut(index).map(|item| (index, item))) {
            Some((index, _)) if delete => {
                present.remove(index);
            }
            Some((_, item)) => merge_value(item, change, false),
            None if delete => {}
            None => {
                let mut fresh = Value::Null;
                merge_value(&mut fresh, change, false);
                present.push(fresh);
            }
        }
    }
}

fn reorder(members: &mut Map<String, Value>, list: &str, order: &[Value], key: Option<&str>) {
    let Some(Value::Array(items)) = members.get_mut(list) else {
        return;
    };
    let place = |item: &Value| {
        order
            .iter()
            .position(|wanted| match key {
                Some(key) => wanted.get(key) == item.get(key),
                None => wanted == item,
            })
            .unwrap_or(order.len())
    };
    sorted::by_key(items, place);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_merge_by_name() {
        let mut target =
            json!({"spec": {"containers": [{"name": "a", "image": "x:1", "env": [{"name": "E", "value": "1"}]}, {"name": "b"}]}});
        merge(
            &mut target,
            &json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                "containers": [{"name": "a", "image": "x:2"}]}}),
        );
        assert_eq!(
            target,
            json!({"spec": {"containers": [{"name": "b"}, {"name": "a", "image": "x:2", "env": [{"name": "E", "value": "1"}]}]}})
        );
    }

    #[test]
    fn an_element_is_deleted_by_its_directive_and_a_member_by_null() {
        let mut target = json!({"kind": "Service", "spec": {"type": "X", "ports": [{"port": 80}, {"port": 81}]}});
        merge(&mut target, &json!({"spec": {"type": null, "ports": [{"$patch": "delete", "port": 80}]}}));
        assert_eq!(target, json!({"kind": "Service", "spec": {"ports": [{"port": 81}]}}));
    }

    #[test]
    fn a_list_without_keys_is_replaced() {
        let mut target = json!({"args": ["a"]});
        merge(&mut target, &json!({"args": ["b"]}));
        assert_eq!(target, json!({"args": ["b"]}));
    }
}
