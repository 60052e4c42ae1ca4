use crate::support::*;

const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: carts, namespace: shop}
spec:
  selector: {app: carts}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: carts-blue, namespace: shop}
spec:
  host: carts
  subsets:
  - {name: blue, labels: {version: blue}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: carts-green, namespace: shop}
spec:
  host: carts.shop.svc.cluster.local
  subsets:
  - {name: green, labels: {version: green}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: carts-blue, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: carts, version: blue}}
  template:
    metadata: {labels: {app: carts, version: blue}}
    spec:
      containers:
      - {name: carts, image: 'example/carts:1', ports: [{containerPort: 8080}]}
";

fn shop() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.rest.create(SHOP);
    split(&sandbox, "carts", &[("blue", json!(100)), ("green", json!(0))]);
    eventually("an endpoint is ready", || {
        let list = sandbox.rest.get("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices").ok();
        (list["items"][0]["endpoints"][0]["conditions"]["ready"] == true).then_some(())
    });
    sandbox
}

#[test]
fn a_subset_without_pods_gets_no_traffic() {
    let sandbox = shop();
    tidegate("shift carts -n shop --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: green of `carts` has no pod
        hint: `--force` shifts all the same: these requests would be answered 503
        [exit status: 1]
    "#]]);
    assert_eq!(sandbox.weights("shop", "carts", 0), [100, 0]);
    tidegate("promote carts -n shop").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: green of `carts` has no pod
        hint: `--force` shifts all the same: these requests would be answered 503
        [exit status: 1]
    "#]]);
    tidegate("shift carts -n shop --weights 80/20 --force").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
        ------- stderr -------
        warning: forced: green of `carts` has no pod
    "#]]);
    // Away from it, nothing is asked of it.
    tidegate("shift carts -n shop --weights 90/10").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 80 -> 90, green 20 -> 10
    "#]]);
}

#[test]
fn a_subset_that_no_rule_has_is_found_by_its_like() {
    let sandbox = shop();
    split(&sandbox, "typo", &[("blue", json!(100)), ("green", json!(0))]);
    let spec = json!({"spec": {"http": [{"route": [
        {"destination": {"host": "carts", "subset": "blue"}, "weight": 100},
        {"destination": {"host": "carts", "subset": "grene"}, "weight": 0},
    ]}]}});
    sandbox.rest.merge(&sandbox::path("shop", "typo"), &spec).ok();
    tidegate("shift typo -n shop --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: carts.shop.svc.cluster.local has no subset `grene`; its destination rules have blue, green
        hint: `--force` shifts all the same: these requests would be answered 503
        [exit status: 5]
    "#]]);
    tidegate("shift typo -n shop --weights 80/20 --force").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/typo shifted: blue 100 -> 80, grene 0 -> 20
        ------- stderr -------
        warning: forced: carts.shop.svc.cluster.local has no subset `grene`; its destination rules have blue, green
    "#]]);
}

#[test]
fn a_host_that_is_no_service_of_the_cluster_cannot_be_checked() {
    let sandbox = Sandbox::empty();
    route(
        &sandbox,
        "api",
        json!([
            {"destination": {"host": "old.example.com"}, "weight": 100},
            {"destination": {"host": "new.example.com"}, "weight": 0},
        ]),
    );
    tidegate("shift api -n shop --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/api shifted: old 100 -> 80, new 0 -> 20
    "#]]);
}

#[test]
fn a_service_that_does_not_exist_gets_no_traffic() {
    let sandbox = Sandbox::empty();
    route(
        &sandbox,
        "api",
        json!([
            {"destination": {"host": "old"}, "weight": 100},
            {"destination": {"host": "new"}, "weight": 0},
        ]),
    );
    tidegate("shift api -n shop --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: new of `api`: the service new.shop.svc.cluster.local has no endpoints
        hint: `--force` shifts all the same: these requests would be answered 503
        [exit status: 1]
    "#]]);
}

#[test]
fn rules_of_the_services_own_namespace_count() {
    let sandbox = Sandbox::new();
    let host = "carts.sockshop-production.svc.cluster.local";
    let spec = json!({"hosts": ["shop.example.com"], "gateways": ["edge"], "http": [{"route": [
        {"destination": {"host": host, "subset": "blue"}, "weight": 100},
        {"destination": {"host": host, "subset": "green"}, "weight": 0},
    ]}]});
    let object =
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "edge"}, "spec": spec});
    sandbox.rest.post("/apis/networking.istio.io/v1/namespaces/hands-on/virtualservices", &object).ok();
    tidegate("shift edge -n hands-on --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/edge shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    tidegate("status edge -n hands-on").on(&sandbox).shows(expect![[r#"
        NAME  ROUTE    DESTINATION  ROLE       WEIGHT  SHARE  READY  CHANGED
        edge  http[0]  blue         stable     80      80%    2/2    AGE by alice
        edge  http[0]  green        candidate  20      20%    2/2    AGE by alice
        ------- stderr -------
        1 service, 1 release in progress (edge, since TIME)
    "#]]);
}

#[test]
fn without_the_right_to_read_what_is_checked_it_says_so() {
    let sandbox = Sandbox::with_faults(&["403@list"]);
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        Error from server (Forbidden): forbidden: an injected fault
        hint: `tidegate help rbac` prints the role that is needed
        [exit status: 4]
    "#]]);
    tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
}
