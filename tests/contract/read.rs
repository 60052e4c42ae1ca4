use super::{failure, told};
use crate::support::server::{Server, on_both};
use crate::support::*;

on_both! { reads_what_was_written versions_store_one_object what_is_not_there metadata_alone identity }

fn reads_what_was_written(server: &Server) {
    let made = server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let read = server.rest.get(&server.service("carts")).ok();
    assert_eq!(read, made);
    assert_eq!(read["apiVersion"], "networking.istio.io/v1");
    assert_eq!(read["kind"], "VirtualService");
    assert_eq!(read["spec"]["http"][0]["route"][1]["weight"], json!(20));
}

fn versions_store_one_object(server: &Server) {
    server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    for version in ["v1beta1", "v1alpha3"] {
        let path = server.service("carts").replace("/v1/", &format!("/{version}/"));
        let stored = server.rest.get(&server.service("carts")).ok();
        let mut read = server.rest.get(&path).ok();
        assert_eq!(read["apiVersion"], format!("networking.istio.io/{version}"));
        assert_eq!(read["spec"], stored["spec"]);
        read["metadata"]["managedFields"] = stored["metadata"]["managedFields"].clone();
        assert_eq!(read["metadata"], stored["metadata"]);
        let patched = server.rest.patch(&path, &json!([{"op": "replace", "path": "/spec/hosts/0", "value": version}])).ok();
        assert_eq!(server.rest.get(&server.service("carts")).ok()["spec"], patched["spec"]);
    }
}

fn what_is_not_there(server: &Server) {
    expect![[r#"
        404 {
          "kind": "Status",
          "apiVersion": "v1",
          "metadata": {},
          "status": "Failure",
          "message": "virtualservices.networking.istio.io \"none\" not found",
          "reason": "NotFound",
          "details": {
            "name": "none",
            "group": "networking.istio.io",
            "kind": "virtualservices"
          },
          "code": 404
        }
    "#]]
    .assert_eq(&told(server, &server.rest.get(&server.service("none"))));
    // Another kind, a version that is not served, a group that is not served: no Status, only a line of text.
    for path in [
        server.services().replace("virtualservices", "whatever"),
        server.services().replace("/v1/", "/v2/"),
        server.services().replace("istio.io", "example.com"),
    ] {
        let reply = server.rest.get(&path);
        assert_eq!((reply.status, reply.body), (404, json!("404 page not found\n")));
    }
    // A namespace that does not exist has an empty list, and takes no objects.
    let nowhere = server.services().replace(&server.namespace, "tidegate-nowhere");
    assert_eq!(server.rest.get(&nowhere).ok()["items"], json!([]));
    let object =
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "carts"}, "spec": {}});
    expect![[r#"
        404 NotFound namespaces "tidegate-nowhere" not found
    "#]]
    .assert_eq(&failure(server, &server.rest.post(&nowhere, &object)));
}

fn metadata_alone(server: &Server) {
    server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let form = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let mut list = server.rest.get_as(&server.services(), form).ok();
    let item = list["items"][0].take();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(item["metadata"]["name"], "carts");
    assert_eq!(item.get("spec"), None);
}

fn identity(server: &Server) {
    let made = server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let meta = &made["metadata"];
    assert_eq!(meta["generation"], 1);
    assert_eq!(meta["namespace"], server.namespace);
    let path = "/spec/http/0/route/0/weight";
    let changed = server.rest.patch(&server.service("carts"), &json!([{"op": "replace", "path": path, "value": 70}])).ok();
    // The generation counts changes of the spec; the uid stays.
    assert_eq!(changed["metadata"]["generation"], 2);
    assert_eq!(changed["metadata"]["uid"], meta["uid"]);
    assert_ne!(changed["metadata"]["resourceVersion"], meta["resourceVersion"]);
    let annotated = server.rest.merge(&server.service("carts"), &json!({"metadata": {"annotations": {"a": "b"}}})).ok();
    assert_eq!(annotated["metadata"]["generation"], 2);
    server.rest.delete(&server.service("carts")).ok();
    let again = server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    assert_ne!(again["metadata"]["uid"], meta["uid"]);
}
