//! A guarded patch: what must hold of an object, and what to change in it.
//!
//! Rendered as one RFC 6902 document that `kubectl patch --type=json` takes as it is. The API server applies it as a
//! whole or not at all, and evaluates it again on the newest object when somebody else wrote meanwhile: so `test`
//! operations are the optimistic lock. A guard whose value is `null` means "absent"; the API server's JSON patch agrees,
//! RFC 6902 in the strict sense does not.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// More operations than this the API server refuses (`MaxJSONPatchOperations`).
pub const MAX_OPERATIONS: usize = 10_000;

/// Guards and edits on one object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Patch {
    operations: Vec<PatchOperation>,
}

/// A guard that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// Where, as a JSON pointer.
    pub path: String,
    /// What was relied on.
    pub expected: Value,
    /// What is there.
    pub found: Value,
}

impl Patch {
    /// Requires that `tokens` leads to `value`; `null` requires that it leads nowhere.
    pub fn guard<'a>(&mut self, tokens: impl IntoIterator<Item = &'a str>, value: Value) -> &mut Self {
        self.operations.push(PatchOperation::Test(TestOperation { path: PointerBuf::from_tokens(tokens), value }));
        self
    }

    /// Sets what is at `tokens`, whether it is there or not.
    pub fn set<'a>(&mut self, tokens: impl IntoIterator<Item = &'a str>, value: Value) -> &mut Self {
        self.operations.push(PatchOperation::Add(AddOperation { path: PointerBuf::from_tokens(tokens), value }));
        self
    }

    /// Replaces what is at `tokens`, which a guard has shown to be there.
    pub fn replace<'a>(&mut self, tokens: impl IntoIterator<Item = &'a str>, value: Value) -> &mut Self {
        let operation = ReplaceOperation { path: PointerBuf::from_tokens(tokens), value };
        self.operations.push(PatchOperation::Replace(operation));
        self
    }

    /// Removes what is at `tokens`.
    pub fn remove<'a>(&mut self, tokens: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.operations.push(PatchOperation::Remove(RemoveOperation { path: PointerBuf::from_tokens(tokens) }));
        self
    }

    /// Adds the operations of `other` behind its own.
    pub fn extend(&mut self, other: Patch) -> &mut Self {
        self.operations.extend(other.operations);
        self
    }

    /// Leaves out what `keep` does not fit.
    pub fn retain(&mut self, keep: impl FnMut(&PatchOperation) -> bool) {
        self.operations.retain(keep);
    }

    /// The operations, guards and edits in the order in which they are sent.
    pub fn operations(&self) -> &[PatchOperation] {
        &self.operations
    }

    /// Its edits of the object's `spec`, without guards: what a manifest in a file takes of it.
    pub fn of_spec(&self) -> Self {
        let of_spec = |operation: &&PatchOperation| {
            let path = match operation {
                PatchOperation::Add(edit) => &edit.path,
                PatchOperation::Replace(edit) => &edit.path,
                PatchOperation::Remove(edit) => &edit.path,
                PatchOperation::Move(edit) => &edit.path,
                PatchOperation::Copy(edit) => &edit.path,
                PatchOperation::Test(_) => return false,
            };
            path.first().is_some_and(|token| token.decoded() == "spec")
        };
        Self { operations: self.operations.iter().filter(of_spec).cloned().collect() }
    }

    /// The RFC 6902 document.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(&self.operations).unwrap_or_default()
    }

    /// The first guard that does not hold of `object`.
    pub fn broken(&self, object: &Value) -> Option<Broken> {
        self.operations.iter().find_map(|operation| {
            let PatchOperation::Test(TestOperation { path, value }) = operation else { return None };
            let found = path.resolve(object).unwrap_or(&Value::Null);
            (found != value).then(|| Broken { path: path.to_string(), expected: value.clone(), found: found.clone() })
        })
    }

    /// Whether `object` already has every value that the edits set.
    pub fn is_in(&self, object: &Value) -> bool {
        self.operations.iter().all(|operation| match operation {
            PatchOperation::Add(AddOperation { path, value }) => path.resolve(object).ok() == Some(value),
            PatchOperation::Replace(edit) => edit.path.resolve(object).ok() == Some(&edit.value),
            _ => true,
        })
    }

    /// `object` after the edits; `None` where one has no place.
    pub fn applied(&self, object: &Value) -> Option<Value> {
        let edits: Vec<PatchOperation> =
            self.operations.iter().filter(|operation| !matches!(operation, PatchOperation::Test(_))).cloned().collect();
        let mut after = object.clone();
        json_patch::patch(&mut after, &edits).ok()?;
        Some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn renders_and_reads_rfc_6902() {
        let mut patch = Patch::default();
        patch.guard(["metadata", "annotations", "tidegate/release"], Value::Null).set(["spec", "x"], json!(1));
        let document = json!([
            {"op": "test", "path": "/metadata/annotations/tidegate~1release", "value": null},
            {"op": "add", "path": "/spec/x", "value": 1},
        ]);
        assert_eq!(patch.to_json(), document);
        assert_eq!(serde_json::from_str::<Patch>(&document.to_string()).expect("a patch"), patch);
        assert!(serde_json::from_str::<Patch>(r#"{"op": "test"}"#).is_err());
    }

    #[test]
    fn guards_see_what_changed() {
        let mut patch = Patch::default();
        patch.guard(["a"], json!([1, 2])).guard(["b"], Value::Null);
        assert_eq!(patch.broken(&json!({"a": [1, 2]})), None);
        let broken = patch.broken(&json!({"a": [1, 3]}));
        assert_eq!(broken, Some(Broken { path: "/a".into(), expected: json!([1, 2]), found: json!([1, 3]) }));
        assert_eq!(patch.broken(&json!({"a": [1, 2], "b": 0})).map(|broken| broken.path), Some("/b".into()));
    }

    #[test]
    fn a_file_takes_the_edits_of_its_spec() {
        let mut patch = Patch::default();
        patch.guard(["spec", "x"], json!(1)).set(["metadata", "annotations", "a"], json!("b")).replace(["spec", "x"], json!(2));
        patch.set(["specs"], json!(3));
        assert_eq!(patch.of_spec().to_json(), json!([{"op": "replace", "path": "/spec/x", "value": 2}]));
    }

    #[test]
    fn knows_its_own_outcome() {
        let mut patch = Patch::default();
        patch.guard(["a"], json!(1)).replace(["a"], json!(2)).set(["b"], json!(3));
        let after = patch.applied(&json!({"a": 1})).expect("applies");
        assert_eq!(after, json!({"a": 2, "b": 3}));
        assert!(patch.is_in(&after));
        assert!(!patch.is_in(&json!({"a": 2})));
        assert_eq!(patch.applied(&json!({})), None);
    }
}
