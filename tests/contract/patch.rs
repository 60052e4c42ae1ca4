use super::{failure, told};
use crate::support::server::{Server, on_both};
use crate::support::*;
use serde_json::Value;

on_both! {
    failed_operations_are_refused_without_a_reason
    replace_sets_what_is_missing
    unknown_fields_are_pruned_with_a_warning
    tests_of_null
    tests_of_values
    a_stale_version_is_a_conflict_or_a_failed_test
    annotations_that_are_not_there
    weights_have_a_type
    weights_have_no_bounds
    a_patch_that_changes_nothing_leaves_the_version
    fields_that_never_change
    documents_that_are_no_patch
    the_writer_of_a_list_owns_all_of_it
    writers_without_a_name
    operations_are_all_or_nothing
    merge_patches_replace_lists
}

fn weight(index: usize) -> String {
    format!("/spec/http/0/route/{index}/weight")
}

/// `blue` with a weight, `green` without.
fn carts(server: &Server) -> Value {
    server.split("carts", &[("blue", Some(80)), ("green", None)])
}

fn failed_operations_are_refused_without_a_reason(server: &Server) {
    let before = carts(server);
    for operation in [
        json!({"op": "test", "path": weight(0), "value": 81}),
        json!({"op": "test", "path": "/spec/http/1", "value": {}}),
        json!({"op": "replace", "path": "/spec/http/1/route", "value": []}),
        json!({"op": "replace", "path": "/spec/http/0/route/2", "value": {}}),
        json!({"op": "remove", "path": weight(1)}),
        json!({"op": "remove", "path": "/spec/http/0/route/2"}),
        json!({"op": "add", "path": "/spec/tls/0/route", "value": []}),
        json!({"op": "add", "path": "/spec/http/0/route/3", "value": {}}),
        json!({"op": "shift", "path": weight(0), "value": 1}),
        json!({"op": "move", "from": "/spec/nowhere", "path": "/spec/hosts"}),
    ] {
        let reply = server.rest.patch(&server.service("carts"), &json!([operation]));
        let expected = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 422, "reason": "Invalid",
            "message": "the server rejected our request due to an error in our request", "details": {},
        });
        assert_eq!((reply.status, &reply.body), (422, &expected), "{operation}");
    }
    assert_eq!(server.rest.get(&server.service("carts")).ok(), before);
}

fn replace_sets_what_is_missing(server: &Server) {
    carts(server);
    let document = json!([{"op": "replace", "path": weight(1), "value": 20}]);
    let reply = server.rest.patch(&server.service("carts"), &document);
    assert_eq!(reply.warnings, Vec::<String>::new());
    assert_eq!(reply.ok()["spec"]["http"][0]["route"][1]["weight"], 20);
}

fn unknown_fields_are_pruned_with_a_warning(server: &Server) {
    let before = carts(server);
    for op in ["replace", "add"] {
        let document = json!([{"op": op, "path": "/spec/http/0/route/0/wieght", "value": 20}]);
        let reply = server.rest.patch(&server.service("carts"), &document);
        assert_eq!(reply.warnings, [r#"299 - "unknown field \"spec.http[0].route[0].wieght\"""#]);
        assert_eq!(reply.ok(), before);
        let ignored = server.rest.patch(&format!("{}?fieldValidation=Ignore", server.service("carts")), &document);
        assert_eq!(ignored.warnings, Vec::<String>::new());
        assert_eq!(ignored.ok(), before);
        let strict = server.rest.patch(&format!("{}?fieldValidation=Strict", server.service("carts")), &document);
        let message = strict.body["message"].as_str().unwrap_or_default();
        assert_eq!((strict.status, &strict.body["reason"]), (422, &json!("Invalid")));
        assert!(message.starts_with(r#" "" is invalid: patch: Invalid value: "{"#), "{message}");
        assert!(message.ends_with(r#"strict decoding error: unknown field "spec.http[0].route[0].wieght""#), "{message}");
        assert_eq!(strict.body["details"]["causes"][0]["field"], "patch");
        assert_eq!(strict.body["details"]["causes"][0]["reason"], "FieldValueInvalid");
    }
}

fn tests_of_null(server: &Server) {
    carts(server);
    for (path, status) in [
        ("/spec/http/0/route/1/weight", 200),
        ("/spec/http/0/route/0/weight", 422),
        ("/spec/tls", 200),
        ("/metadata/labels", 200),
        ("/metadata/annotations", 200),
        ("/metadata/name", 422),
        ("/spec/http/7/name", 422),
        ("/spec/http/0/route/7", 422),
    ] {
        let reply = server.rest.patch(&server.service("carts"), &json!([{"op": "test", "path": path, "value": null}]));
        assert_eq!(reply.status, status, "{path}: {}", reply.failure());
    }
}

fn tests_of_values(server: &Server) {
    carts(server);
    let route =
        r#"[{"weight":80,"destination":{"subset":"blue","host":"carts"}},{"destination":{"host":"carts","subset":"green"}}]"#;
    let shuffled: Value = serde_json::from_str(route).expect("JSON");
    for (path, value, status) in [
        ("/spec/http/0/route", shuffled, 200),
        ("/spec/http/0/route/0/weight", json!(80), 200),
        ("/spec/http/0/route/0/weight", json!(80.0), 422),
        ("/spec/http/0/route/0/weight", json!("80"), 422),
        ("/spec/http/0/route/0/destination", json!({"host": "carts"}), 422),
        ("/spec/http/0/route/0", json!({"weight": 80}), 422),
        ("/spec/hosts", json!(["carts"]), 200),
        ("/metadata/name", json!("carts"), 200),
    ] {
        let document = json!([{"op": "test", "path": path, "value": value}]);
        let reply = server.rest.patch(&server.service("carts"), &document);
        assert_eq!(reply.status, status, "{document}: {}", reply.failure());
    }
}

fn a_stale_version_is_a_conflict_or_a_failed_test(server: &Server) {
    let old = carts(server)["metadata"]["resourceVersion"].clone();
    let edit = |value: i64| json!({"op": "replace", "path": weight(0), "value": value});
    server.rest.patch(&server.service("carts"), &json!([edit(70)])).ok();
    let tested = json!([{"op": "test", "path": "/metadata/resourceVersion", "value": old}, edit(60)]);
    assert_eq!(server.rest.patch(&server.service("carts"), &tested).status, 422);
    let replaced = json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": old}, edit(60)]);
    expect![[r#"
        409 {
          "kind": "Status",
          "apiVersion": "v1",
          "metadata": {},
          "status": "Failure",
          "message": "Operation cannot be fulfilled on virtualservices.networking.istio.io \"carts\": the object has been modified; please apply your changes to the latest version and try again",
          "reason": "Conflict",
          "details": {
            "name": "carts",
            "group": "networking.istio.io",
            "kind": "virtualservices"
          },
          "code": 409
        }
    "#]].assert_eq(&told(server, &server.rest.patch(&server.service("carts"), &replaced)));
    let merged = json!({"metadata": {"resourceVersion": old, "labels": {"a": "b"}}});
    expect![[r#"
        409 Conflict Operation cannot be fulfilled on virtualservices.networking.istio.io "carts": the object has been modified; please apply your changes to the latest version and try again
    "#]].assert_eq(&failure(server, &server.rest.merge(&server.service("carts"), &merged)));
}

fn annotations_that_are_not_there(server: &Server) {
    carts(server);
    let add = json!([{"op": "add", "path": "/metadata/annotations/x", "value": "1"}]);
    assert_eq!(server.rest.patch(&server.service("carts"), &add).status, 422);
    let guarded = json!([
        {"op": "test", "path": "/metadata/annotations", "value": null},
        {"op": "add", "path": "/metadata/annotations", "value": {"x": "1"}},
    ]);
    let made = server.rest.patch(&server.service("carts"), &guarded).ok();
    assert_eq!(made["metadata"]["annotations"], json!({"x": "1"}));
    assert_eq!(server.rest.patch(&server.service("carts"), &guarded).status, 422);
    let escaped = json!([{"op": "add", "path": "/metadata/annotations/tidegate~1release", "value": "{}"}]);
    let made = server.rest.patch(&server.service("carts"), &escaped).ok();
    assert_eq!(made["metadata"]["annotations"], json!({"x": "1", "tidegate/release": "{}"}));
    let number = json!([{"op": "add", "path": "/metadata/annotations/x", "value": 1}]);
    let reply = server.rest.patch(&server.service("carts"), &number);
    let said = reply.failure();
    assert!(said.starts_with(r#"422 Invalid  "" is invalid: patch: Invalid value: "{"#), "{said}");
    assert!(said.ends_with("json: cannot unmarshal number into Go struct field ObjectMeta.annotations of type string"), "{said}");
    let large = json!([{"op": "add", "path": "/metadata/annotations/x", "value": "x".repeat(300 * 1024)}]);
    expect![[r#"
        422 Invalid VirtualService.networking.istio.io "carts" is invalid: [metadata.annotations: Too long: may not be more than 262144 bytes, <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]
    "#]].assert_eq(&failure(server, &server.rest.patch(&server.service("carts"), &large)));
}

fn weights_have_a_type(server: &Server) {
    carts(server);
    let set = |value: Value| {
        server.rest.patch(&server.service("carts"), &json!([{"op": "replace", "path": weight(0), "value": value}]))
    };
    expect![[r#"
        422 {
          "kind": "Status",
          "apiVersion": "v1",
          "metadata": {},
          "status": "Failure",
          "message": "VirtualService.networking.istio.io \"carts\" is invalid: [spec.http[0].route[0].weight: Invalid value: \"string\": spec.http[0].route[0].weight in body must be of type integer: \"string\", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]",
          "reason": "Invalid",
          "details": {
            "name": "carts",
            "group": "networking.istio.io",
            "kind": "VirtualService",
            "causes": [
              {
                "reason": "FieldValueTypeInvalid",
                "message": "Invalid value: \"string\": spec.http[0].route[0].weight in body must be of type integer: \"string\"",
                "field": "spec.http[0].route[0].weight"
              },
              {
                "reason": "FieldValueInvalid",
                "message": "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
                "field": "<nil>"
              }
            ]
          },
          "code": 422
        }
    "#]].assert_eq(&told(server, &set(json!("80"))));
    expect![[r#"
        422 Invalid VirtualService.networking.istio.io "carts" is invalid: [spec.http[0].route[0].weight: Invalid value: "number": spec.http[0].route[0].weight in body must be of type integer: "number", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]
    "#]].assert_eq(&failure(server, &set(json!(50.5))));
    expect![[r#"
        422 Invalid VirtualService.networking.istio.io "carts" is invalid: [spec.http[0].route[0].weight: Invalid value: "boolean": spec.http[0].route[0].weight in body must be of type integer: "boolean", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]
    "#]].assert_eq(&failure(server, &set(json!(true))));
    let round = set(json!(70.0)).ok();
    assert_eq!(round["spec"]["http"][0]["route"][0]["weight"].to_string(), "70");
}

fn weights_have_no_bounds(server: &Server) {
    carts(server);
    for operation in [
        json!({"op": "replace", "path": weight(0), "value": -5}),
        json!({"op": "replace", "path": weight(0), "value": 2_147_483_648u64}),
        json!({"op": "replace", "path": weight(0), "value": 60}),
        json!({"op": "replace", "path": weight(0), "value": 0}),
        json!({"op": "replace", "path": "/spec/http/0/route", "value": []}),
        json!({"op": "replace", "path": "/spec/http", "value": null}),
    ] {
        let reply = server.rest.patch(&server.service("carts"), &json!([operation]));
        assert_eq!(reply.status, 200, "{operation}: {}", reply.failure());
    }
    assert_eq!(server.rest.get(&server.service("carts")).ok()["spec"].get("http"), None);
}

fn a_patch_that_changes_nothing_leaves_the_version(server: &Server) {
    let before = carts(server);
    for document in [json!([]), json!([{"op": "replace", "path": weight(0), "value": 80}])] {
        let path = format!("{}?fieldManager=somebody-else", server.service("carts"));
        assert_eq!(server.rest.patch(&path, &document).ok(), before);
    }
}

fn fields_that_never_change(server: &Server) {
    carts(server);
    let set = |path: &str, value: &str| {
        failure(server, &server.rest.patch(&server.service("carts"), &json!([{"op": "replace", "path": path, "value": value}])))
    };
    expect![[r#"
        422 Invalid VirtualService.networking.istio.io "carts" is invalid: metadata.uid: Invalid value: "x": field is immutable
    "#]]
    .assert_eq(&set("/metadata/uid", "x"));
    expect![[r#"
        400 BadRequest the name of the object (other) does not match the name on the URL (carts)
    "#]]
    .assert_eq(&set("/metadata/name", "other"));
    expect![[r#"
        400 BadRequest the namespace of the provided object does not match the namespace sent on the request
    "#]]
    .assert_eq(&set("/metadata/namespace", "other"));
    expect![[r#"
        422 Invalid Other.networking.istio.io "carts" is invalid: kind: Invalid value: "Other": must be VirtualService
    "#]]
    .assert_eq(&set("/kind", "Other"));
    expect![[r#"
        422 Invalid VirtualService "carts" is invalid: apiVersion: Invalid value: "v7": must be networking.istio.io/v1
    "#]]
    .assert_eq(&set("/apiVersion", "v7"));
    // What the server keeps by itself is put back without a word.
    let document = json!([{"op": "replace", "path": "/metadata/creationTimestamp", "value": "2001-01-01T00:00:00Z"}]);
    let kept = server.rest.patch(&server.service("carts"), &document).ok();
    assert_ne!(kept["metadata"]["creationTimestamp"], "2001-01-01T00:00:00Z");
}

fn documents_that_are_no_patch(server: &Server) {
    carts(server);
    let send = |text: &str, kind: &str| {
        let reply = server.rest.send(http::Method::PATCH, &server.service("carts"), kind, text.as_bytes().to_vec());
        failure(server, &reply)
    };
    use crate::support::rest::{JSON_PATCH, MERGE_PATCH};
    expect![[r#"
        400 BadRequest error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp
    "#]]
    .assert_eq(&send("{}", JSON_PATCH));
    expect![[r#"
        400 BadRequest error decoding patch: unexpected end of JSON input
    "#]]
    .assert_eq(&send("[", JSON_PATCH));
    expect![[r#"
        400 BadRequest error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp
    "#]]
    .assert_eq(&send("[1]", JSON_PATCH));
    expect![[r#"
        400 BadRequest error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}
    "#]]
    .assert_eq(&send("[]", MERGE_PATCH));
    expect![[r#"
        415 UnsupportedMediaType the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml
    "#]].assert_eq(&send("{}", "application/json"));
    expect![[r#"
        415 UnsupportedMediaType the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml
    "#]].assert_eq(&send("{}", "application/strategic-merge-patch+json"));
    let many: Vec<Value> = (0..10_001).map(|_| json!({"op": "test", "path": weight(0), "value": 80})).collect();
    expect![[r#"
        413 RequestEntityTooLarge Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001
    "#]]
    .assert_eq(&failure(server, &server.rest.patch(&server.service("carts"), &json!(many))));
    // So many are taken.
    assert_eq!(server.rest.patch(&server.service("carts"), &json!(many[..10_000])).status, 200);
}

fn the_writer_of_a_list_owns_all_of_it(server: &Server) {
    carts(server);
    let document = json!([{"op": "replace", "path": weight(0), "value": 70}]);
    let patched = server.rest.patch(&format!("{}?fieldManager=tidegate", server.service("carts")), &document).ok();
    let entries = patched["metadata"]["managedFields"].as_array().expect("a list");
    let own: Vec<&Value> = entries.iter().filter(|entry| entry["manager"] == "tidegate").collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0]["operation"], "Update");
    assert_eq!(own[0]["apiVersion"], "networking.istio.io/v1");
    assert_eq!(own[0]["fieldsType"], "FieldsV1");
    assert_eq!(own[0]["fieldsV1"], json!({"f:spec": {"f:http": {}}}));
    let others: Vec<&Value> = entries.iter().filter(|entry| entry["manager"] != "tidegate").collect();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0]["fieldsV1"], json!({"f:spec": {".": {}, "f:hosts": {}}}));
    // An annotation belongs to who wrote it.
    let document = json!({"metadata": {"annotations": {"tidegate/release": "{}"}}});
    let patched = server.rest.merge(&format!("{}?fieldManager=tidegate", server.service("carts")), &document).ok();
    let entries = patched["metadata"]["managedFields"].as_array().expect("a list");
    let own = entries.iter().find(|entry| entry["manager"] == "tidegate").expect("its entry");
    let fields = json!({"f:metadata": {"f:annotations": {".": {}, "f:tidegate/release": {}}}, "f:spec": {"f:http": {}}});
    assert_eq!(own["fieldsV1"], fields);
}

fn writers_without_a_name(server: &Server) {
    let managers = |object: &Value| -> Vec<Value> {
        let entries = object["metadata"]["managedFields"].as_array().expect("a list");
        entries.iter().map(|entry| entry["manager"].clone()).collect()
    };
    // The first word of the user agent, and without one a word that says so.
    assert_eq!(managers(&carts(server)), ["tidegate-tests"]);
    let mut rest = server.administrator();
    rest.agent = "";
    let document = json!([{"op": "replace", "path": weight(0), "value": 70}]);
    let mut patched = managers(&rest.patch(&server.service("carts"), &document).ok());
    patched.sort_by_key(Value::to_string);
    assert_eq!(patched, ["tidegate-tests", "unknown"]);
}

fn operations_are_all_or_nothing(server: &Server) {
    let before = carts(server);
    let document = json!([
        {"op": "replace", "path": weight(0), "value": 70},
        {"op": "test", "path": weight(0), "value": 80},
    ]);
    assert_eq!(server.rest.patch(&server.service("carts"), &document).status, 422);
    assert_eq!(server.rest.get(&server.service("carts")).ok(), before);
}

fn merge_patches_replace_lists(server: &Server) {
    carts(server);
    let document = json!({"spec": {"http": [{"route": [{"destination": {"host": "carts"}}]}], "gateways": ["mesh"]}});
    let merged = server.rest.merge(&server.service("carts"), &document).ok();
    assert_eq!(
        merged["spec"],
        json!({"hosts": ["carts"], "http": [{"route": [{"destination": {"host": "carts"}}]}], "gateways": ["mesh"]})
    );
    let without = server.rest.merge(&server.service("carts"), &json!({"spec": {"gateways": null}})).ok();
    assert_eq!(without["spec"].get("gateways"), None);
}
