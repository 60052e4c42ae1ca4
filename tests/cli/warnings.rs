//! What would make a change temporary, or without effect.

use crate::support::*;
use serde_json::Value;

fn owned(metadata: Value) -> String {
    let sandbox = Sandbox::empty();
    split(&sandbox, "carts", &[("blue", json!(100)), ("green", json!(0))]);
    sandbox.rest.merge(&sandbox::path("shop", "carts"), &json!({"metadata": metadata})).ok();
    let output = tidegate("shift carts -n shop --weights 80/20 --no-preflight").on(&sandbox).succeeds();
    assert_eq!(sandbox.weights("shop", "carts", 0), [80, 20]);
    output.stderr
}

#[test]
fn owners_are_named_with_when_they_put_it_back() {
    expect![[r#"
        warning: carts is managed by Argo CD (application `shop`): it puts the weights back within 3 minutes, within 5 s where it heals itself (`tidegate help gitops`)
    "#]].assert_eq(&owned(json!({
        "annotations": {"argocd.argoproj.io/tracking-id": "shop:networking.istio.io/VirtualService:shop/carts"},
    })));
    expect![[r#"
        warning: carts is managed by Flux (Kustomization `apps`): it puts the weights back at its next interval, often 1 to 10 minutes (`tidegate help gitops`)
    "#]].assert_eq(&owned(json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}})));
    expect![[r#"
        warning: carts is managed by Flux (HelmRelease `web`): it puts the weights back at the next upgrade, or at its interval where it corrects drift (`tidegate help gitops`)
    "#]].assert_eq(&owned(json!({"labels": {"helm.toolkit.fluxcd.io/name": "web"}})));
    expect![[r#"
        warning: carts is managed by Helm (release `web`): it puts the weights back at the next `helm upgrade` (`tidegate help gitops`)
    "#]].assert_eq(&owned(json!({
        "labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "web"},
    })));
    let owner = |kind: &str, version: &str| json!({"ownerReferences": [{"apiVersion": version, "kind": kind, "name": "carts", "uid": "1"}]});
    expect![[r#"
        warning: carts is managed by flagger: it puts the weights back at its next tick, 10 s by default (`tidegate help gitops`)
    "#]]
    .assert_eq(&owned(owner("Canary", "flagger.app/v1beta1")));
    expect![[r#"
        warning: carts is managed by Argo Rollouts: it puts the weights back at once (`tidegate help gitops`)
    "#]]
    .assert_eq(&owned(owner("Rollout", "argoproj.io/v1alpha1")));
    expect![[""]].assert_eq(&owned(json!({"labels": {"app.kubernetes.io/instance": "carts"}})));
}

#[test]
fn the_help_has_the_rule_to_paste() {
    let output = tidegate("help gitops").succeeds();
    for text in ["ignoreDifferences", "RespectIgnoreDifferences=true", ".spec.http[].route[].weight", "suspend kustomization"] {
        assert!(output.stdout.contains(text), "{output}");
    }
}

fn to(subset: &str, weight: u32) -> Value {
    json!({"destination": {"host": "carts", "subset": subset}, "weight": weight})
}

#[test]
fn a_route_behind_one_that_takes_all_gets_no_request() {
    let sandbox = Sandbox::empty();
    virtual_service(
        &sandbox,
        "carts",
        json!({"hosts": ["carts"], "http": [
            {"route": [{"destination": {"host": "carts", "subset": "blue"}}]},
            {"name": "dead", "route": [to("blue", 100), to("green", 0)]},
        ]}),
    );
    tidegate("shift carts -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
        ------- stderr -------
        warning: http[1] of virtualservice.networking.istio.io/carts never gets a request: a route before it takes them all (IST0130)
    "#]]);
}

#[test]
fn a_gateways_route_that_knows_no_subset_does_not_see_it() {
    let sandbox = Sandbox::new();
    let spec =
        json!({"hosts": ["carts.example.com"], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "orders"}}]}]});
    let object =
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "edge"}, "spec": spec});
    sandbox.rest.post("/apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices", &object).ok();
    tidegate("shift vs/orders --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/orders shifted: v1 100 -> 80, v2 0 -> 20
        ------- stderr -------
        warning: requests through gateway edge do not see these weights: virtualservice.networking.istio.io/edge routes them to the same host without a subset (IST0140)
    "#]]);
}
