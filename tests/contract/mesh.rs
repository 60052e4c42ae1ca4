//! The policies of the mesh, as far as they may be read.

use super::relay::connected;
use crate::support::server::{Server, on_both};
use crate::support::stub::{Answer, Stub, status};
use crate::support::*;
use tidegate::cluster::Cluster;

on_both! { a_policy_is_kept_in_both_versions }

fn a_policy_is_kept_in_both_versions(server: &Server) {
    let path = |version: &str| format!("/apis/security.istio.io/{version}/namespaces/{}/peerauthentications", server.namespace);
    let object = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "default"}, "spec": {"mtls": {"mode": "STRICT"}},
    });
    server.rest.post(&path("v1"), &object).ok();
    for version in ["v1", "v1beta1"] {
        let list = server.rest.get(&path(version)).ok();
        assert_eq!(list["items"][0]["spec"]["mtls"]["mode"], "STRICT");
        assert!(list["items"][0]["metadata"]["creationTimestamp"].is_string());
    }
}

/// How many policies are known where a server answers so.
fn known(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> usize {
    let stub = Stub::new(move |request| answer(&request.target));
    connected(&stub.kubeconfig(), async |cluster: &Cluster| cluster.peer_authentications("shop").await.len())
}

#[test]
fn what_may_not_be_read_is_not_known() {
    let page = || Answer::With(404, "Content-Type: text/plain\r\n", "404 page not found\n".into());
    let one = || Answer::json(200, &json!({"kind": "PeerAuthenticationList", "items": [{"metadata": {"name": "default"}}]}));
    assert_eq!(known(move |_| one()), 1);
    assert_eq!(known(move |target| if target.contains("/v1beta1/") { one() } else { page() }), 1, "an older Istio");
    assert_eq!(known(move |_| page()), 0, "no Istio");
    assert_eq!(known(|_| status(403, "Forbidden", "peerauthentications is forbidden")), 0);
}
