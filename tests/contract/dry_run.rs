use super::failure;
use crate::support::server::{Server, on_both};
use crate::support::*;

on_both! { a_dry_run_answers_and_stores_nothing a_dry_run_checks_as_a_write_does }

fn a_dry_run_answers_and_stores_nothing(server: &Server) {
    let before = server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let dry = |path: &str| format!("{path}?dryRun=All&fieldManager=tidegate");
    let document = json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 70}]);
    let patched = server.rest.patch(&dry(&server.service("carts")), &document).ok();
    assert_eq!(patched["spec"]["http"][0]["route"][0]["weight"], 70);
    assert_eq!(patched["metadata"]["generation"], 2);
    assert_eq!(patched["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    let made = server.rest.post(
        &dry(&server.services()),
        &json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "new"}, "spec": {}}),
    );
    assert_eq!(made.status, 201);
    server.rest.delete(&format!("{}?dryRun=All", server.service("carts"))).ok();
    assert_eq!(server.rest.get(&server.service("carts")).ok(), before);
    assert_eq!(server.rest.get(&server.service("new")).status, 404);
}

fn a_dry_run_checks_as_a_write_does(server: &Server) {
    server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let path = format!("{}?dryRun=All", server.service("carts"));
    let test = json!([{"op": "test", "path": "/spec/http/0/route/0/weight", "value": 1}]);
    assert_eq!(server.rest.patch(&path, &test).status, 422);
    let text = json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": "70"}]);
    assert_eq!(server.rest.patch(&path, &text).status, 422);
    expect![[r#"
        422 Invalid PatchOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"
    "#]]
    .assert_eq(&failure(server, &server.rest.patch(&path.replace("All", "Some"), &json!([]))));
}
