//! Which routes are meant.

use crate::support::*;
use serde_json::Value;

fn to(subset: &str, weight: u32) -> Value {
    json!({"destination": {"host": "carts", "subset": subset}, "weight": weight})
}

/// Two routes that differ, and one that carries neither of the destinations.
fn three_routes() -> Sandbox {
    let sandbox = Sandbox::empty();
    virtual_service(
        &sandbox,
        "carts",
        json!({"hosts": ["carts"], "http": [
            {"name": "api", "match": [{"uri": {"prefix": "/api"}}], "route": [to("blue", 100), to("green", 0)]},
            {"name": "old", "match": [{"uri": {"exact": "/old"}}], "route": [{"destination": {"host": "legacy"}}]},
            {"name": "rest", "route": [to("blue", 90), to("green", 10)]},
        ]}),
    );
    sandbox
}

#[test]
fn routes_that_differ_must_be_chosen_from() {
    let sandbox = three_routes();
    tidegate("shift carts -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `carts` has 2 routes that this could mean:
          http[0] `api`: blue 100, green 0 (only uri prefix /api)
          http[2] `rest`: blue 90, green 10
        hint: choose with `--route api`, or take all with `--route all`
        [exit status: 2]
    "#]]);
}

#[test]
fn a_route_is_chosen_by_name_or_place() {
    let sandbox = three_routes();
    let shift = |weights: &str| tidegate("shift carts -n shop --no-preflight --weights").arg(weights);
    let choose = |weights: &str, route: &str| shift(weights).arg("--route").arg(route).on(&sandbox).run().to_string();
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 90 -> 81, green 10 -> 19
    "#]]
    .assert_eq(&choose("81/19", "rest"));
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 81 -> 82, green 19 -> 18
    "#]]
    .assert_eq(&choose("82/18", "2"));
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 83, green 0 -> 17
    "#]]
    .assert_eq(&choose("83/17", "http[0]"));
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 83 -> 84, green 17 -> 16
    "#]]
    .assert_eq(&choose("84/16", "http/0"));
    assert_eq!(sandbox.weights("shop", "carts", 0), [84, 16]);
    assert_eq!(sandbox.weights("shop", "carts", 2), [82, 18]);
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: http[0] blue 84 -> 50, green 16 -> 50; http[2] blue 82 -> 50, green 18 -> 50
    "#]].assert_eq(&choose("50/50", "all"));
    expect![[r#"
        ------- stderr -------
        error: no route of `carts` fits `--route`; with these destinations it has:
          http[0] `api`: blue 50, green 50 (only uri prefix /api)
          http[2] `rest`: blue 50, green 50
        [exit status: 5]
    "#]]
    .assert_eq(&choose("50/50", "old"));
    expect![[r#"
        ------- stderr -------
        error: no route of `carts` fits `--route`; with these destinations it has:
          http[0] `api`: blue 50, green 50 (only uri prefix /api)
          http[2] `rest`: blue 50, green 50
        [exit status: 5]
    "#]]
    .assert_eq(&choose("50/50", "tcp[0]"));
    expect![[r#"
        ------- stderr -------
        error: no route of `carts` fits `--route`; with these destinations it has:
          http[0] `api`: blue 50, green 50 (only uri prefix /api)
          http[2] `rest`: blue 50, green 50
        [exit status: 5]
    "#]]
    .assert_eq(&choose("50/50", "7"));
    expect![[r#"
        ------- stderr -------
        error: invalid value '' for '--route <ROUTE>': a route is named by its name, by its index as `1` or `http[1]`, or `all`

        For more information, try '--help'.
        [exit status: 2]
    "#]]
    .assert_eq(&choose("50/50", ""));
}

#[test]
fn routes_that_stand_alike_move_together() {
    let sandbox = Sandbox::empty();
    virtual_service(
        &sandbox,
        "carts",
        json!({"hosts": ["carts"], "http": [
            {"match": [{"uri": {"prefix": "/a"}}], "route": [to("blue", 100), to("green", 0)]},
            {"match": [{"uri": {"prefix": "/b"}}], "route": [to("blue", 100), to("green", 0)]},
        ]}),
    );
    tidegate("shift carts -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20 (in 2 routes)
    "#]]);
    assert_eq!(sandbox.weights("shop", "carts", 0), [80, 20]);
    assert_eq!(sandbox.weights("shop", "carts", 1), [80, 20]);
    tidegate("rollback carts -n shop").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 80 -> 100, green 20 -> 0 (in 2 routes)
    "#]]);
}

#[test]
fn no_route_matches() {
    let sandbox = Sandbox::empty();
    virtual_service(
        &sandbox,
        "mixed",
        json!({"hosts": ["mixed"], "http": [
            {"match": [{"uri": {"prefix": "/gone"}}], "redirect": {"uri": "/"}},
            {"match": [{"uri": {"prefix": "/teapot"}}], "directResponse": {"status": 418}},
            {"match": [{"headers": {"X-group": {"exact": "test"}}}], "route": [{"destination": {"host": "mixed", "subset": "new"}}]},
            {"route": []},
        ]}),
    );
    tidegate("shift mixed -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no route of `mixed` has weights:
          http[0]: a redirect (only uri prefix /gone)
          http[1]: a direct response (only uri prefix /teapot)
          http[2]: everything to new (only X-group: test)
          http[3]: no destinations
        hint: name the subsets to begin a split: `tidegate shift mixed -n shop --weights OLD=100,NEW=0`
        [exit status: 5]
    "#]]);
    virtual_service(&sandbox, "bare", json!({"hosts": ["bare"]}));
    tidegate("shift bare -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no route of `bare` has weights: it has no routes
        [exit status: 5]
    "#]]);
    tidegate("shift bare -n shop --weights old=80,new=20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no route of `bare` has destinations: it has no routes
        [exit status: 5]
    "#]]);
}

#[test]
fn a_delegate_holds_the_weights_in_another_namespace() {
    let sandbox = Sandbox::empty();
    sandbox.rest.post("/api/v1/namespaces", &json!({"metadata": {"name": "team"}})).ok();
    virtual_service(
        &sandbox,
        "edge",
        json!({"hosts": ["shop.example.com"], "gateways": ["edge"], "http": [
            {"match": [{"uri": {"prefix": "/carts"}}], "delegate": {"name": "carts", "namespace": "team"}},
            {"match": [{"uri": {"prefix": "/orders"}}], "route": [{"destination": {"host": "orders"}}]},
        ]}),
    );
    let spec = json!({"http": [{"route": [to("blue", 100), to("green", 0)]}]});
    let object =
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "carts"}, "spec": spec});
    sandbox.rest.post("/apis/networking.istio.io/v1/namespaces/team/virtualservices", &object).ok();
    let before = sandbox.service("shop", "edge");
    tidegate("shift edge -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    assert_eq!(sandbox.weights("team", "carts", 0), [80, 20]);
    assert_eq!(sandbox.service("shop", "edge"), before);
    tidegate("status edge -n shop").on(&sandbox).shows(expect![[r#"
        NAME   ROUTE    DESTINATION                ROLE       WEIGHT   SHARE   READY      CHANGED
        edge   http[0]  <delegates to team/carts>  <none>     <none>   <none>  <none>     AGE by tidegate-tests
        edge   http[1]  orders                     <none>     <unset>  100%    <unknown>  AGE by tidegate-tests
        carts  http[0]  blue                       stable     80       80%     <unknown>  AGE by alice
        carts  http[0]  green                      candidate  20       20%     <unknown>  AGE by alice
        ------- stderr -------
        2 services, 1 release in progress (carts, since TIME)
    "#]]);
    tidegate("rollback edge -n shop").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 80 -> 100, green 20 -> 0
    "#]]);
    assert_eq!(sandbox.weights("team", "carts", 0), [100, 0]);
}

#[test]
fn a_delegate_that_is_missing_is_said() {
    let sandbox = Sandbox::empty();
    virtual_service(&sandbox, "edge", json!({"hosts": ["e"], "http": [{"delegate": {"name": "carts", "namespace": "team"}}]}));
    tidegate("shift edge -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: virtualservice.networking.istio.io/edge delegates to team/carts, which does not exist
        [exit status: 5]
    "#]]);
}

/// `edge` with a route of its own and a delegate.
fn edge(sandbox: &Sandbox, delegate: &str) {
    let spec = json!({"hosts": ["e.example.com"], "gateways": ["edge"], "http": [
        {"match": [{"uri": {"prefix": "/carts"}}], "delegate": {"name": delegate}},
        {"route": [to("blue", 100), to("green", 0)]},
    ]});
    virtual_service(sandbox, "edge", spec);
    virtual_service(sandbox, delegate, json!({"http": [{"route": [to("v1", 100), to("v2", 0)]}]}));
}

#[test]
fn a_delegate_that_is_gone_blocks_no_way_back() {
    let sandbox = Sandbox::empty();
    edge(&sandbox, "gone");
    tidegate("shift edge -n shop --weights blue=50,green=50 --no-preflight").on(&sandbox).succeeds();
    sandbox.rest.delete(&sandbox::path("shop", "gone")).ok();
    tidegate("shift edge -n shop --weights blue=20,green=80 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: virtualservice.networking.istio.io/edge delegates to shop/gone, which does not exist
        [exit status: 5]
    "#]]);
    tidegate("rollback edge -n shop").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/edge rolled back: blue 50 -> 100, green 50 -> 0
        ------- stderr -------
        warning: virtualservice.networking.istio.io/edge delegates to shop/gone, which does not exist
    "#]]);
    let output = tidegate("status edge -n shop").on(&sandbox).succeeds();
    assert!(output.stdout.contains("blue ") && output.stderr.starts_with("warning: "), "{output}");
}

#[test]
fn a_delegate_that_may_not_be_read_ends_no_way_back_with_success() {
    let sandbox = Sandbox::with_faults(&["403@get:4"]);
    sandbox.rest.post("/api/v1/namespaces", &json!({"metadata": {"name": "shop"}})).ok();
    edge(&sandbox, "part");
    tidegate("shift edge -n shop --weights blue=50,green=50 --no-preflight").on(&sandbox).succeeds();
    let output = tidegate("rollback edge -n shop").on(&sandbox).run();
    assert_eq!(output.status, Some(4), "{output}");
    assert!(output.stdout.contains("rolled back: blue 50 -> 100"), "{output}");
    assert!(output.stderr.contains("error: not all of the release may be back: "), "{output}");
}

#[test]
fn each_object_has_revisions_of_its_own() {
    let sandbox = Sandbox::empty();
    edge(&sandbox, "part");
    tidegate("shift edge -n shop --weights blue=50,green=50 --no-preflight").on(&sandbox).succeeds();
    tidegate("rollback vs/part -n shop --to v2").on(&sandbox).succeeds();
    tidegate("rollback edge -n shop --to-revision 2").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: several objects of `edge` have a revision 2, each its own
        hint: name the delegate, as in `vs/part -n shop`, or the weights: `tidegate history edge -n shop` has them
        [exit status: 2]
    "#]]);
    tidegate("rollback vs/part -n shop --to-revision 1").on(&sandbox).succeeds();
    let output = tidegate("history edge -n shop -o json").on(&sandbox).succeeds();
    assert!(output.stdout.contains(r#""object": "virtualservice.networking.istio.io/part""#), "{output}");
}
