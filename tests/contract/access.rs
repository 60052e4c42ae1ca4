use super::{failure, told};
use crate::support::server::{Server, on_both};
use crate::support::*;

on_both! { a_reader_may_not_write an_unknown_token_is_nobody tidegate_says_who_may_not }

fn a_reader_may_not_write(server: &Server) {
    let Some(viewer) = server.viewer() else { return };
    server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    assert_eq!(viewer.get(&server.service("carts")).status, 200);
    assert_eq!(viewer.get(&server.services()).status, 200);
    let document = json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 70}]);
    expect![[r#"
        403 {
          "kind": "Status",
          "apiVersion": "v1",
          "metadata": {},
          "status": "Failure",
          "message": "virtualservices.networking.istio.io \"carts\" is forbidden: User \"viewer\" cannot patch resource \"virtualservices\" in API group \"networking.istio.io\" in the namespace \"NAMESPACE\"",
          "reason": "Forbidden",
          "details": {
            "name": "carts",
            "group": "networking.istio.io",
            "kind": "virtualservices"
          },
          "code": 403
        }
    "#]].assert_eq(&told(server, &viewer.patch(&server.service("carts"), &document)));
    // Rights are looked at before the object is: this one does not exist.
    expect![[r#"
        403 Forbidden virtualservices.networking.istio.io "none" is forbidden: User "viewer" cannot patch resource "virtualservices" in API group "networking.istio.io" in the namespace "NAMESPACE"
    "#]].assert_eq(&failure(server, &viewer.patch(&server.service("none"), &document)));
    // And before the patch is read.
    expect![[r#"
        403 Forbidden virtualservices.networking.istio.io "carts" is forbidden: User "viewer" cannot patch resource "virtualservices" in API group "networking.istio.io" in the namespace "NAMESPACE"
    "#]].assert_eq(&failure(server, &viewer.patch(&server.service("carts"), &json!({}))));
    expect![[r#"
        403 Forbidden virtualservices.networking.istio.io "carts" is forbidden: User "viewer" cannot delete resource "virtualservices" in API group "networking.istio.io" in the namespace "NAMESPACE"
    "#]].assert_eq(&failure(server, &viewer.delete(&server.service("carts"))));
    expect![[r#"
        403 Forbidden virtualservices.networking.istio.io is forbidden: User "viewer" cannot create resource "virtualservices" in API group "networking.istio.io" in the namespace "NAMESPACE"
    "#]].assert_eq(&failure(server, &viewer.post(&server.services(), &json!({}))));
}

fn an_unknown_token_is_nobody(server: &Server) {
    expect![[r#"
        401 {
          "kind": "Status",
          "apiVersion": "v1",
          "metadata": {},
          "status": "Failure",
          "message": "Unauthorized",
          "reason": "Unauthorized",
          "code": 401
        }
    "#]]
    .assert_eq(&told(server, &server.stranger().get(&server.service("carts"))));
}

fn tidegate_says_who_may_not(server: &Server) {
    if server.viewer().is_none() {
        return;
    }
    server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let run = server.as_viewer("shift carts --weights 70/30 --no-preflight").run();
    expect![[r#"
        ------- stderr -------
        Error from server (Forbidden): virtualservices.networking.istio.io "carts" is forbidden: User "viewer" cannot patch resource "virtualservices" in API group "networking.istio.io" in the namespace "NAMESPACE"
        hint: `tidegate help rbac` prints the role that is needed
        [exit status: 4]
    "#]].assert_eq(&server.anonymous(&run.to_string()));
}
