//! The form that every object must have before anything looks at it: what the server itself reads and writes are
//! objects, lists and texts where it expects them.

use serde_json::Value;

use super::patch::go_type;

const OBJECTS: [&str; 14] = [
    "/metadata",
    "/metadata/labels",
    "/metadata/annotations",
    "/spec",
    "/spec/selector",
    "/spec/selector/matchLabels",
    "/spec/strategy",
    "/spec/strategy/rollingUpdate",
    "/spec/template",
    "/spec/template/metadata",
    "/spec/template/metadata/labels",
    "/spec/template/metadata/annotations",
    "/spec/template/spec",
    "/status",
];

const LISTS_OF_OBJECTS: [&str; 7] = [
    "/metadata/ownerReferences",
    "/metadata/managedFields",
    "/spec/containers",
    "/spec/template/spec/containers",
    "/spec/ports",
    "/status/conditions",
    "/webhooks",
];

const TEXTS: [&str; 8] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/generateName",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/creationTimestamp",
];

/// What does not fit, as Go's decoder puts it. The content of a custom resource is its schema's business.
pub fn misfit(custom: bool, object: &Value) -> Option<String> {
    let concerns = |pointer: &&&str| !custom || !["/spec", "/status", "/webhooks"].iter().any(|part| pointer.starts_with(part));
    let at = |pointer: &str| object.pointer(pointer).filter(|value| !value.is_null());
    for pointer in OBJECTS.iter().filter(concerns) {
        if let Some(value) = at(pointer)
            && !value.is_object()
        {
            return Some(complaint(value, pointer, "map[string]interface {}"));
        }
    }
    for pointer in LISTS_OF_OBJECTS.iter().filter(concerns) {
        match at(pointer) {
            None => {}
            Some(Value::Array(items)) => {
                if let Some(item) = items.iter().find(|item| !item.is_object()) {
                    return Some(complaint(item, pointer, "map[string]interface {}"));
                }
            }
            Some(other) => return Some(complaint(other, pointer, "[]interface {}")),
        }
    }
    for pointer in TEXTS {
        if let Some(value) = at(pointer)
            && !value.is_string()
        {
            return Some(complaint(value, pointer, "string"));
        }
    }
    if let Some(value) = at("/spec/replicas").filter(|value| !custom && !value.is_i64()) {
        return Some(complaint(value, "/spec/replicas", "int32"));
    }
    for pointer in ["/metadata/labels", "/metadata/annotations"] {
        let members = at(pointer).and_then(Value::as_object);
        if let Some(value) = members.into_iter().flat_map(|m| m.values()).find(|v| !v.is_string() && !v.is_null()) {
            return Some(complaint(value, pointer, "string"));
        }
    }
    None
}

fn complaint(value: &Value, pointer: &str, wanted: &str) -> String {
    let wanted = match pointer {
        "/metadata" => {
            return format!("json: cannot unmarshal {} into Go value of type v1.ObjectMeta", go_type(value));
        }
        "/metadata/labels" | "/metadata/annotations" if wanted != "string" => "map[string]string",
        "/metadata/managedFields" => "[]v1.ManagedFieldsEntry",
        _ => wanted,
    };
    let path = pointer.trim_start_matches('/').replace('/', ".");
    let field = match path.strip_prefix("metadata.") {
        Some(field) => format!("ObjectMeta.{field}"),
        None => format!(".{path}"),
    };
    format!("json: cannot unmarshal {} into Go struct field {field} of type {wanted}", go_type(value))
}

/// Makes of `null` in the metadata what Go makes of it: nothing, or an empty text among labels and annotations.
pub fn without_null(object: &mut Value) {
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else {
        return;
    };
    metadata.retain(|_, member| !member.is_null());
    for part in ["labels", "annotations"] {
        if let Some(Value::Object(members)) = metadata.get_mut(part) {
            members.values_mut().filter(|value| value.is_null()).for_each(|value| *value = "".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_server_reads_must_have_its_form() {
        assert_eq!(misfit(false, &json!({"metadata": {"labels": {"a": "b"}}, "spec": null})), None);
        for bad in [
            json!({"metadata": "x"}),
            json!({"metadata": {"labels": []}}),
            json!({"metadata": {"labels": {"a": 1}}}),
            json!({"metadata": {"name": 5}}),
            json!({"metadata": {"managedFields": [1]}}),
            json!({"spec": 1}),
            json!({"spec": {"replicas": "2"}}),
            json!({"spec": {"template": {"spec": {"containers": {}}}}}),
        ] {
            assert!(misfit(false, &bad).is_some(), "{bad}");
        }
        assert_eq!(misfit(true, &json!({"spec": "left to the schema"})), None);
    }

    #[test]
    fn null_among_annotations_is_an_empty_text() {
        let mut object = json!({"metadata": {"labels": null, "annotations": {"a": null, "b": "c"}}});
        without_null(&mut object);
        assert_eq!(object, json!({"metadata": {"annotations": {"a": "", "b": "c"}}}));
    }

    #[test]
    fn a_number_for_an_annotation_is_named_as_go_does() {
        let object = json!({"metadata": {"annotations": {"n": 5}}});
        let text = "json: cannot unmarshal number into Go struct field ObjectMeta.annotations of type string";
        assert_eq!(misfit(true, &object).as_deref(), Some(text));
    }
}
