//! Servers of other ages.

use crate::support::*;

#[test]
fn a_server_without_v1_is_asked_for_the_versions_before() {
    for version in ["v1beta1", "v1alpha3"] {
        let cluster = stub::Stub::new(move |request| stub::mesh(request, version));
        tidegate("shift carts --weights 80/20 --no-preflight").with(cluster.kubeconfig()).succeeds();
        let log = cluster.log().replace(version, "VERSION");
        match version {
            "v1beta1" => expect![[r#"
                GET /apis/networking.istio.io/v1/namespaces/shop/virtualservices/carts
                GET /apis/networking.istio.io/VERSION/namespaces/shop/virtualservices/carts
                PATCH /apis/networking.istio.io/VERSION/namespaces/shop/virtualservices/carts?fieldManager=tidegate
            "#]]
            .assert_eq(&log),
            _ => expect![[r#"
                GET /apis/networking.istio.io/v1/namespaces/shop/virtualservices/carts
                GET /apis/networking.istio.io/v1beta1/namespaces/shop/virtualservices/carts
                GET /apis/networking.istio.io/VERSION/namespaces/shop/virtualservices/carts
                PATCH /apis/networking.istio.io/VERSION/namespaces/shop/virtualservices/carts?fieldManager=tidegate
            "#]]
            .assert_eq(&log),
        }
        tidegate("status").with(cluster.kubeconfig()).succeeds();
        tidegate("shift carts --weights 80/20").with(cluster.kubeconfig()).succeeds();
    }
}

#[test]
fn a_server_with_v1_is_asked_for_nothing_else() {
    let cluster = stub::Stub::new(|request| stub::mesh(request, "v1"));
    tidegate("shift carts --weights 80/20").with(cluster.kubeconfig()).succeeds();
    tidegate("status").with(cluster.kubeconfig()).succeeds();
    for request in cluster.requests() {
        let discovery = ["/api", "/apis", "/apis/networking.istio.io", "/apis/networking.istio.io/v1", "/version", "/openapi/v3"];
        assert!(!discovery.contains(&request.target.as_str()), "{}", request.target);
        assert!(!request.target.contains("v1beta1"), "{}", request.target);
    }
}

#[test]
fn a_cluster_without_istio_is_said() {
    let cluster = stub::Stub::new(|request| stub::mesh(request, "v7"));
    tidegate("status").with(cluster.kubeconfig()).shows(expect![[r#"
        ------- stderr -------
        error: the cluster has no virtual services: Istio's resource definitions are not installed
        [exit status: 5]
    "#]]);
    tidegate("shift carts --weights 80/20").with(cluster.kubeconfig()).shows(expect![[r#"
        ------- stderr -------
        error: the cluster has no virtual services: Istio's resource definitions are not installed
        [exit status: 5]
    "#]]);
}

#[test]
fn who_asks_and_with_what_is_said_to_the_server() {
    let cluster = stub::Stub::new(|request| stub::mesh(request, "v1"));
    let run = tidegate("shift carts --weights 80/20 --no-preflight --as carol --as-group devs --as-group ops --as-uid 7");
    run.with(cluster.kubeconfig()).succeeds();
    let requests = cluster.requests();
    let patch = &requests[1];
    let header = |name: &str| patch.headers.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!(patch.method, "PATCH");
    assert_eq!(header("content-type"), "application/json-patch+json");
    assert_eq!(header("authorization"), "Bearer t");
    assert_eq!(header("user-agent"), concat!("tidegate/", env!("CARGO_PKG_VERSION")));
    assert_eq!((header("impersonate-user"), header("impersonate-uid")), ("carol", "7"));
}
