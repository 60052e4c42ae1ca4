//! JSON patches and merge patches, with the API server's own deviations from the RFCs.
//!
//! The API server's JSON patch library takes `replace` of a missing member as an `add`, takes a missing member
//! for `null` in a `test`, and counts negative indices from the end. So does this.

use serde_json::{Map, Value};

use super::status::json_error;

/// Why a JSON patch was not applied.
#[derive(Debug, PartialEq)]
pub enum PatchError {
    /// It is not a list of operations: 400 with this text.
    Malformed(String),
    /// An operation does not apply: 422.
    Inapplicable,
    /// More than 10,000 operations: 413.
    TooLong(usize),
    /// A `test` without a value on a missing member: the API server's handler panics and the connection breaks.
    Panics,
}

const MOST_OPERATIONS: usize = 10_000;

/// Checks the form of a JSON patch.
pub fn decode(bytes: &[u8]) -> Result<Vec<Map<String, Value>>, PatchError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| PatchError::Malformed(format!("error decoding patch: {}", json_error(&error))))?;
    // To Go, null is an empty list.
    let value = if value.is_null() { Value::Array(Vec::new()) } else { value };
    let Value::Array(items) = value else {
        return Err(PatchError::Malformed(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp",
            go_type(&value)
        )));
    };
    let mut operations = Vec::with_capacity(items.len());
    for item in items {
        let Value::Object(members) = item else {
            return Err(PatchError::Malformed(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type handlers.jsonPatchOp",
                go_type(&item)
            )));
        };
        for member in ["op", "path", "from"] {
            if let Some(other) = members.get(member)
                && !other.is_string()
                && !other.is_null()
            {
                return Err(PatchError::Malformed(format!(
                    "error decoding patch: json: cannot unmarshal {} into Go struct field jsonPatchOp.{member} of type string",
                    go_type(other)
                )));
            }
        }
        operations.push(members);
    }
    if operations.len() > MOST_OPERATIONS {
        return Err(PatchError::TooLong(operations.len()));
    }
    Ok(operations)
}

/// The members of operations that no operation has, as the API server names them in a warning.
pub fn unknown_members(operations: &[Map<String, Value>]) -> Vec<String> {
    let known = ["op", "path", "from", "value"];
    let mut found = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        for member in operation.keys().filter(|m| !known.contains(&m.as_str())) {
            found.push(format!("json patch unknown field \"[{index}].{member}\""));
        }
    }
    found
}

/// Go's word for a JSON type.
pub fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Applies all operations, or none.
pub fn apply(document: &Value, operations: &[Map<String, Value>]) -> Result<Value, PatchError> {
    let mut document = document.clone();
    for operation in operations {
        one(&mut document, operation)?;
    }
    Ok(document)
}

fn one(document: &mut Value, operation: &Map<String, Value>) -> Result<(), PatchError> {
    let member = |name: &str| operation.get(name).and_then(Value::as_str);
    let path = member("path").ok_or(PatchError::Inapplicable)?;
    let value = operation.get("value");
    match member("op") {
        Some("add") => add(document, path, value.cloned().unwrap_or(Value::Null)),
        Some("remove") => remove(document, path).map(|_| ()),
        Some("replace") => replace(document, path, value.cloned().unwrap_or(Value::Null)),
        Some("move") => {
            let from = member("from").ok_or(PatchError::Inapplicable)?;
            let moved = remove(document, from)?;
            add(document, path, moved)
        }
        Some("copy") => {
            let from = member("from").ok_or(PatchError::Inapplicable)?;
            let copied = lookup(document, from)?.unwrap_or(Value::Null);
            add(document, path, copied)
        }
        Some("test") => test(document, path, value),
        _ => Err(PatchError::Inapplicable),
    }
}

/// The object or array that holds the last part of `path`, and that part, decoded.
fn parent<'a>(document: &'a mut Value, path: &str) -> Result<(&'a mut Value, String), PatchError> {
    let mut parts: Vec<String> = path.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    if parts.len() < 2 {
        return Err(PatchError::Inapplicable);
    }
    let last = parts.pop().ok_or(PatchError::Inapplicable)?;
    let mut node = document;
    for part in parts.iter().skip(1) {
        node = match node {
            Value::Object(members) => members.get_mut(part),
            Value::Array(items) => {
                let index = position(part, items.len())?;
                items.get_mut(index)
            }
            _ => None,
        }
        .ok_or(PatchError::Inapplicable)?;
    }
    match node {
        Value::Object(_) | Value::Array(_) => Ok((node, last)),
        _ => Err(PatchError::Inapplicable),
    }
}

/// An index into a list of `length` elements; negative ones count from the end.
fn position(part: &str, length: usize) -> Result<usize, PatchError> {
    let index: i64 = part.parse().map_err(|_| PatchError::Inapplicable)?;
    let length = i64::try_from(length).map_err(|_| PatchError::Inapplicable)?;
    let index = if index < 0 { index + length } else { index };
    if (0..length).contains(&index) {
        usize::try_from(index).map_err(|_| PatchError::Inapplicable)
    } else {
        Err(PatchError::Inapplicable)
    }
}

/// The value at `path`; `None` for a missing member of an object.
fn lookup(document: &mut Value, path: &str) -> Result<Option<Value>, PatchError> {
    let (parent, last) = parent(document, path)?;
    match parent {
        Value::Object(members) => Ok(members.get(&last).cloned()),
        Value::Array(items) => Ok(items.get(position(&last, items.len())?).cloned()),
        _ => Err(PatchError::Inapplicable),
    }
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), PatchError> {
    let (parent, last) = parent(document, path)?;
    match parent {
        Value::Object(members) => {
            members.insert(last, value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let index = position(&last, items.len() + 1)?;
            items.insert(index, value);
        }
        _ => return Err(PatchError::Inapplicable),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &str) -> Result<Value, PatchError> {
    let (parent, last) = parent(document, path)?;
    match parent {
        Value::Object(members) => members.shift_remove(&last).ok_or(PatchError::Inapplicable),
        Value::Array(items) => {
            let index = position(&last, items.len())?;
            Ok(items.remove(index))
        }
        _ => Err(PatchError::Inapplicable),
    }
}

fn replace(document: &mut Value, path: &str, value: Value) -> Result<(), PatchError> {
    if path.is_empty() {
        *document = value;
        return Ok(());
    }
    let (parent, last) = parent(document, path)?;
    match parent {
        Value::Object(members) => {
            members.insert(last, value);
        }
        Value::Array(items) => {
            let index = position(&last, items.len())?;
            if let Some(item) = items.get_mut(index) {
                *item = value;
            }
        }
        _ => return Err(PatchError::Inapplicable),
    }
    Ok(())
}

fn test(document: &mut Value, path: &str, wanted: Option<&Value>) -> Result<(), PatchError> {
    let found = match path {
        "" => Some(document.clone()),
        path => lookup(document, path)?,
    };
    match (found, wanted) {
        (None | Some(Value::Null), None) => Err(PatchError::Panics),
        (None, Some(Value::Null)) => Ok(()),
        // Numbers compare as written: 100.0 is not 100.
        (Some(found), Some(wanted)) if found == *wanted => Ok(()),
        _ => Err(PatchError::Inapplicable),
    }
}

/// A merge patch (RFC 7386): `null` removes, objects merge, all else replaces.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        return;
    };
    for (name, change) in changes {
        if change.is_null() {
            members.shift_remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(document: Value, patch: Value) -> Result<Value, PatchError> {
        apply(&document, &decode(patch.to_string().as_bytes())?)
    }

    #[test]
    fn replace_of_a_missing_member_sets_it() {
        let got = patched(json!({"route": [{}]}), json!([{"op": "replace", "path": "/route/0/weight", "value": 80}]));
        assert_eq!(got, Ok(json!({"route": [{"weight": 80}]})));
    }

    #[test]
    fn replace_at_a_missing_index_fails() {
        let got = patched(json!({"route": []}), json!([{"op": "replace", "path": "/route/0", "value": 1}]));
        assert_eq!(got, Err(PatchError::Inapplicable));
    }

    #[test]
    fn a_missing_member_is_null_for_test() {
        let test = |path: &str| json!([{"op": "test", "path": path, "value": null}]);
        assert!(patched(json!({"a": {}}), test("/a/b")).is_ok());
        assert!(patched(json!({"a": {"b": 1}}), test("/a/b")).is_err());
        assert!(patched(json!({"a": []}), test("/a/0/b")).is_err());
    }

    #[test]
    fn numbers_compare_as_written_and_members_in_any_order() {
        let test = |value: Value| json!([{"op": "test", "path": "/a", "value": value}]);
        assert!(patched(json!({"a": 100}), test(json!(100.0))).is_err());
        let document = json!({"a": {"x": 1, "y": [2]}});
        assert!(patched(document, test(json!({"y": [2], "x": 1}))).is_ok());
    }

    #[test]
    fn arrays_insert_append_and_count_from_the_end() {
        let got = patched(
            json!([1, 2]),
            json!([{"op": "add", "path": "/0", "value": 0}, {"op": "add", "path": "/-", "value": 3},
                   {"op": "replace", "path": "/-2", "value": 9}]),
        );
        assert_eq!(got, Ok(json!([0, 1, 9, 3])));
    }

    #[test]
    fn an_object_is_no_patch() {
        let error = decode(b"{}").map(|_| ());
        let text = "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp";
        assert_eq!(error, Err(PatchError::Malformed(text.to_owned())));
    }

    #[test]
    fn a_test_without_a_value_breaks_the_server_only_where_nothing_is() {
        let patch = json!([{"op": "test", "path": "/b"}]);
        assert_eq!(patched(json!({"a": 1}), patch.clone()), Err(PatchError::Panics));
        assert_eq!(patched(json!({"b": 1}), patch), Err(PatchError::Inapplicable));
    }

    #[test]
    fn a_merge_patch_removes_with_null() {
        let mut target = json!({"a": {"b": 1, "c": [1]}, "d": 1});
        merge(&mut target, &json!({"a": {"b": null, "c": [2]}, "e": {"f": null}}));
        assert_eq!(target, json!({"a": {"c": [2]}, "d": 1, "e": {}}));
    }
}
