//! How services are named.

use crate::support::*;

#[test]
fn a_service_is_found_by_each_of_its_names() {
    let sandbox = Sandbox::new();
    for name in [
        "carts",
        "vs/carts",
        "virtualservice/carts",
        "virtualservices/carts",
        "virtualservice.networking.istio.io/carts",
        "carts.sockshop-production",
        "carts.sockshop-production.svc",
        "carts.sockshop-production.svc.cluster.local",
    ] {
        let output = tidegate("shift --weights 80/20 --no-preflight --dry-run -o name").arg(name).on(&sandbox).run();
        assert_eq!(output.to_string(), "virtualservice.networking.istio.io/carts\n", "{name}");
    }
}

#[test]
fn a_namespace_in_the_name_beats_the_flag() {
    let sandbox = Sandbox::new();
    tidegate("shift carts.sockshop-staging -n hands-on --weights 70/30").on(&sandbox).succeeds();
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [70, 30]);
}

#[test]
fn a_host_finds_the_object_of_another_name() {
    let sandbox = Sandbox::new();
    tidegate("shift review -n hands-on --weights old=90,new=10").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/review-vs shifted: old 100 -> 90, new 0 -> 10
    "#]]);
    tidegate("shift review.hands-on.svc.cluster.local --weights old=80,new=20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/review-vs shifted: old 90 -> 80, new 10 -> 20
    "#]]);
    // Its own hosts name the gateway only: the destination tells.
    tidegate("shift product-composite -n hands-on --weights old=80,new=20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/product-composite-vs shifted: old 100 -> 80, new 0 -> 20
    "#]]);
    // A kind means the object's own name.
    tidegate("shift vs/review -n hands-on --weights old=80,new=20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        Error from server (NotFound): virtualservices.networking.istio.io "review" not found
        [exit status: 5]
    "#]]);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let sandbox = Sandbox::new();
    tidegate("shift cart --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `cart` in namespace sockshop-production
        hint: did you mean `carts`?
        hint: there are: carts, carts-db, orders
        [exit status: 5]
    "#]]);
    tidegate("status nothing-like-it").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `nothing-like-it` in namespace sockshop-production
        hint: there are: carts, carts-db, orders
        [exit status: 5]
    "#]]);
    tidegate("status carts -n empty-place").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `carts` in namespace empty-place
        hint: the namespace has no virtual services; name another with `-n NAMESPACE`
        [exit status: 5]
    "#]]);
    tidegate("rollback deploy/carts").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `deploy` is not a kind that carries weights
        hint: services are named `carts`, `vs/carts` or `carts.NAMESPACE`
        [exit status: 2]
    "#]]);
    tidegate("rollback Carts").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `Carts` is not the name of a service
        hint: names have lower-case letters, digits, `-` and `.`
        [exit status: 2]
    "#]]);
    tidegate("status -n No_Namespace").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `No_Namespace` is not the name of a namespace
        [exit status: 2]
    "#]]);
}

#[test]
fn several_objects_for_one_host_must_be_chosen_from() {
    let sandbox = Sandbox::empty();
    let route = json!([{"route": [
        {"destination": {"host": "carts", "subset": "blue"}, "weight": 100},
        {"destination": {"host": "carts", "subset": "green"}, "weight": 0},
    ]}]);
    virtual_service(&sandbox, "first", json!({"hosts": ["carts"], "http": route}));
    // Ages have seconds: the second must be younger than that.
    let born = sandbox.service("shop", "first")["metadata"]["creationTimestamp"].clone();
    eventually("another second", || {
        let probe = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clock"}});
        let maps = "/api/v1/namespaces/shop/configmaps";
        let now = sandbox.rest.post(&format!("{maps}?dryRun=All"), &probe).ok()["metadata"]["creationTimestamp"].clone();
        (now != born).then_some(())
    });
    virtual_service(&sandbox, "second", json!({"hosts": ["carts.shop.svc.cluster.local"], "http": route}));
    virtual_service(&sandbox, "edge", json!({"hosts": ["carts.example.com"], "gateways": ["edge"], "http": route}));
    tidegate("shift carts -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: 3 virtual services route for `carts`:
          vs/first (the oldest: in the mesh only this one counts)
          vs/edge (gateways only)
          vs/second
        hint: name the object: `vs/first`
        [exit status: 2]
    "#]]);
    tidegate("shift vs/first -n shop --weights 80/20 --force").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/first shifted: blue 100 -> 80, green 0 -> 20
        ------- stderr -------
        warning: forced: no destination rule of carts.shop.svc.cluster.local has subsets, so `green` does not exist
    "#]]);
    tidegate("shift vs/second -n shop --weights 80/20 --force").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/second shifted: blue 100 -> 80, green 0 -> 20
        ------- stderr -------
        warning: forced: no destination rule of carts.shop.svc.cluster.local has subsets, so `green` does not exist
        warning: in the mesh this has no effect: virtualservice.networking.istio.io/first is older and routes for the same host; only the oldest counts (IST0109)
    "#]]);
}

#[test]
fn an_empty_selector_is_not_everything() {
    let sandbox = Sandbox::new();
    let requests = sandbox.requests_of(|| {
        tidegate("shift --weights 50/50 -l").arg("").on(&sandbox).shows(expect![[r#"
            ------- stderr -------
            error: the selector is empty: `--all` means every service of the namespace
            [exit status: 2]
        "#]]);
    });
    assert_eq!(requests, "");
}

#[test]
fn nothing_selected_is_nothing_to_change() {
    let sandbox = Sandbox::new();
    tidegate("shift --weights 50/50 -l app=none -o json --error-unchanged").on(&sandbox).shows(expect![[r#"
        []
        ------- stderr -------
        No resources found in sockshop-production namespace.
        error: nothing to change (--error-unchanged)
        [exit status: 3]
    "#]]);
}
