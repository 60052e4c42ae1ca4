use super::{failure, told};
use crate::support::server::{Server, on_both};
use crate::support::*;

on_both! { replacing_an_old_version creating_what_exists deleting objects_that_cannot_be_stored }

fn replacing_an_old_version(server: &Server) {
    let mut old = server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    old["spec"]["http"][0]["route"][0]["weight"] = json!(70);
    let new = server.rest.put(&server.service("carts"), &old).ok();
    assert_eq!(new["spec"], old["spec"]);
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
    "#]].assert_eq(&told(server, &server.rest.put(&server.service("carts"), &old)));
    let mut blind = old.clone();
    blind["metadata"].as_object_mut().expect("an object").remove("resourceVersion");
    expect![[r#"
        422 Invalid virtualservices.networking.istio.io "carts" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update
    "#]].assert_eq(&failure(server, &server.rest.put(&server.service("carts"), &blind)));
    let mut other = new.clone();
    other["metadata"]["name"] = json!("other");
    expect![[r#"
        400 BadRequest the name of the object (other) does not match the name on the URL (carts)
    "#]]
    .assert_eq(&failure(server, &server.rest.put(&server.service("carts"), &other)));
    assert_eq!(server.rest.put(&server.service("carts"), &new).ok(), new);
}

fn creating_what_exists(server: &Server) {
    let old = server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let fresh = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "carts"}, "spec": old["spec"],
    });
    expect![[r#"
        409 {
          "kind": "Status",
          "apiVersion": "v1",
          "metadata": {},
          "status": "Failure",
          "message": "virtualservices.networking.istio.io \"carts\" already exists",
          "reason": "AlreadyExists",
          "details": {
            "name": "carts",
            "group": "networking.istio.io",
            "kind": "virtualservices"
          },
          "code": 409
        }
    "#]]
    .assert_eq(&told(server, &server.rest.post(&server.services(), &fresh)));
    expect![[r#"
        500 - resourceVersion should not be set on objects to be created
    "#]]
    .assert_eq(&failure(server, &server.rest.post(&server.services(), &old)));
}

fn deleting(server: &Server) {
    let made = server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let wrong = json!({"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}});
    let send = |body: &serde_json::Value| {
        let body = body.to_string().into_bytes();
        server.rest.send(http::Method::DELETE, &server.service("carts"), "application/json", body)
    };
    expect![[r#"
        409 Conflict Operation cannot be fulfilled on VirtualService.networking.istio.io "carts": the UID in the precondition (UID) does not match the UID in record (UID). The object might have been deleted and then recreated
    "#]].assert_eq(&failure(server, &send(&wrong)).replace(made["metadata"]["uid"].as_str().expect("a uid"), "UID"));
    let gone = send(&json!({"preconditions": {"uid": made["metadata"]["uid"]}})).ok();
    assert_eq!((&gone["kind"], &gone["status"]), (&json!("Status"), &json!("Success")));
    assert_eq!(gone["details"]["name"], "carts");
    assert_eq!(gone["details"]["uid"], made["metadata"]["uid"]);
    expect![[r#"
        404 NotFound virtualservices.networking.istio.io "carts" not found
    "#]]
    .assert_eq(&failure(server, &server.rest.delete(&server.service("carts"))));
    let late = server.rest.patch(&server.service("carts"), &json!([]));
    expect![[r#"
        404 NotFound virtualservices.networking.istio.io "carts" not found
    "#]]
    .assert_eq(&failure(server, &late));
}

fn objects_that_cannot_be_stored(server: &Server) {
    let post = |object: serde_json::Value| failure(server, &server.rest.post(&server.services(), &object));
    let named = |name: &str| json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name}, "spec": {}});
    expect![[r#"
        422 Invalid VirtualService.networking.istio.io "" is invalid: [metadata.name: Required value: name or generateName is required, <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]
    "#]].assert_eq(&post(named("")));
    expect![[r#"
        422 Invalid VirtualService.networking.istio.io "Carts" is invalid: metadata.name: Invalid value: "Carts": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
    "#]].assert_eq(&post(named("Carts")));
    expect![[r#"
        400 BadRequest the API version in the data () does not match the expected API version (networking.istio.io/v1)
    "#]]
    .assert_eq(&post(json!({"kind": "VirtualService", "metadata": {"name": "a"}})));
    expect![[r#"
        400 BadRequest the API version in the data (networking.istio.io/v1beta1) does not match the expected API version (networking.istio.io/v1)
    "#]].assert_eq(&post(
        json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService", "metadata": {"name": "a"}}),
    ));
    let mut elsewhere = named("a");
    elsewhere["metadata"]["namespace"] = json!("elsewhere");
    expect![[r#"
        400 BadRequest the namespace of the provided object does not match the namespace sent on the request
    "#]]
    .assert_eq(&post(elsewhere));
    let mut odd = named("a");
    odd["spec"] = json!({"hosts": "carts"});
    expect![[r#"
        422 Invalid VirtualService.networking.istio.io "a" is invalid: [spec.hosts: Invalid value: "string": spec.hosts in body must be of type array: "string", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]
    "#]].assert_eq(&post(odd));
    let mut hostless = named("a");
    hostless["spec"] = json!({"hosts": ["a"], "http": [{"route": [{"destination": {"subset": "blue"}}]}]});
    expect![[r#"
        422 Invalid VirtualService.networking.istio.io "a" is invalid: [spec.http[0].route[0].destination.host: Required value, <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]
    "#]].assert_eq(&post(hostless));
}
