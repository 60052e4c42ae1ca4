//! Tests that would not reach the version: the mesh lets in no plain text, or the way leads to another one.

use super::*;
use crate::support::run::Output;

/// Makes the pods of a namespace, or of the whole mesh, take nothing that comes without a certificate.
fn strict(sandbox: &Sandbox, namespace: &str) {
    let object = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "default"}, "spec": {"mtls": {"mode": "STRICT"}},
    });
    sandbox.rest.post(&format!("/apis/security.istio.io/v1/namespaces/{namespace}/peerauthentications"), &object).ok();
}

fn suite(sandbox: &Sandbox, text: &str) {
    let run = tidegate("add-resource -p sockshop --service carts --resource tests.yaml").on(sandbox);
    std::fs::write(run.home().join("tests.yaml"), text).expect("a file");
    run.succeeds();
}

/// What of a run's requests writes.
fn writes(sandbox: &Sandbox, run: Run) -> (Output, Vec<String>) {
    let mut output = None;
    let requests = sandbox.requests_of(|| output = Some(run.run()));
    let writes = |line: &&str| !line.starts_with("GET") && !line.contains("selfsubjectaccessreviews");
    (output.expect("it ran"), requests.lines().filter(writes).map(str::to_owned).collect())
}

#[test]
fn pods_that_let_nobody_in_are_found_before_anything_is_touched() {
    let sandbox = sockshop();
    strict(&sandbox, "sockshop-staging");
    let (output, written) = writes(&sandbox, send("0.6.2", "").on(&sandbox));
    expect![[r#"
        ------- stderr -------
        error: stage staging: the tests ask the pods of `carts` themselves, which the mesh does not let in: PeerAuthentication sockshop-staging/default is STRICT
        hint: ask through the ingress: `through: ingress` in tests.yaml (`tidegate help tests`)
        hint: keep it with `tidegate add-resource -p sockshop --service carts --resource tests.yaml`
        [exit status: 2]
    "#]]
    .assert_eq(&output.to_string());
    assert_eq!(written, [""; 0]);
    // A stage that is not asked is none of its business, and neither is one whose pods have no proxy.
    assert_eq!(send("0.6.2", "--until dev").on(&sandbox).run().status, Some(0));
    strict(&sandbox, "istio-system");
    let labels = json!({"metadata": {"labels": {"istio-injection": "disabled"}}});
    sandbox.rest.merge("/api/v1/namespaces/sockshop-dev", &labels).ok();
    assert_eq!(send("0.6.2", "--until dev").on(&sandbox).run().status, Some(0));
}

#[test]
fn the_ingress_is_the_way_into_a_strict_mesh() {
    let sandbox = sockshop();
    strict(&sandbox, "istio-system");
    suite(&sandbox, "through: ingress\nfunctional: {checks: [/version]}\nperformance: {users: 2, loops: 2, think: 0s}\n");
    let before = sandbox.requests().len();
    let (output, written) = writes(&sandbox, send("0.6.2", "").on(&sandbox));
    expect![[r#"
        ------- stderr -------
        error: stage staging: its tests go through the ingress, where the version has no traffic yet
        hint: give it some of it before the tests, or all: `--share 50`, `--keptn-order`
        hint: or let them ask its pods: `through: pods` in tests.yaml
        [exit status: 2]
    "#]]
    .assert_eq(&output.to_string());
    assert_eq!(written, [""; 0]);
    let run = send("0.6.2", "--until staging --keptn-order").on(&sandbox).run();
    assert_eq!(run.status, Some(0), "{run}");
    assert!(
        run.stderr.contains("not asked: no way leads to a version without traffic (PeerAuthentication istio-system/default"),
        "{run}"
    );
    assert!(run.stderr.contains("functional: 2 of 2 checks ok"), "{run}");
    let log = sandbox.requests()[before..].to_owned();
    assert!(!log.lines().any(|line| line.contains("/pods/carts") || line.contains("/services/carts:")), "{log}");
}

#[test]
fn a_service_that_leads_to_both_versions_tests_neither() {
    let sandbox = sockshop();
    suite(&sandbox, "through: service\n");
    let (output, written) = writes(&sandbox, send("0.6.2", "").on(&sandbox));
    expect![[r#"
        ------- stderr -------
        error: stage staging: its tests ask the service carts, behind which are both versions
        hint: let them ask the version alone: `through: pods` in tests.yaml
        [exit status: 2]
    "#]]
    .assert_eq(&output.to_string());
    assert_eq!(written, [""; 0]);
    assert_eq!(send("0.6.2", "--until dev").on(&sandbox).run().status, Some(0));
}
