//! Several services as one.

use crate::support::*;

const FIVE: &str = "shift product recommendation review product-composite auth-server -n hands-on --weights old=0,new=100";
const NAMES: [(&str, usize); 5] =
    [("product-vs", 1), ("recommendation-vs", 1), ("review-vs", 1), ("product-composite-vs", 0), ("auth-server-vs", 0)];

fn weights(sandbox: &Sandbox) -> Vec<String> {
    let told = |(name, route): &(&str, usize)| {
        let weights = sandbox.weights("hands-on", name, *route);
        format!("{name} {}/{}", weights[0], weights[1])
    };
    NAMES.iter().map(told).collect()
}

fn writes(requests: &str) -> Vec<&str> {
    requests.lines().filter(|line| line.starts_with("PATCH")).collect()
}

#[test]
fn the_books_five_services_move_as_one() {
    let sandbox = Sandbox::new();
    let requests = sandbox.requests_of(|| {
        tidegate(FIVE).on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/product-vs            shifted: old 100 -> 0, new 0 -> 100
        virtualservice.networking.istio.io/recommendation-vs     shifted: old 100 -> 0, new 0 -> 100
        virtualservice.networking.istio.io/review-vs             shifted: old 100 -> 0, new 0 -> 100
        virtualservice.networking.istio.io/product-composite-vs  shifted: old 100 -> 0, new 0 -> 100
        virtualservice.networking.istio.io/auth-server-vs        shifted: old 100 -> 0, new 0 -> 100
    "#]])
    });
    assert!(weights(&sandbox).iter().all(|one| one.ends_with(" 0/100")), "{:?}", weights(&sandbox));
    // All are checked by the server before the first is written.
    let writes = writes(&requests);
    assert_eq!(writes.len(), 10, "{requests}");
    assert!(writes[..5].iter().all(|line| line.contains("dryRun=All")), "{requests}");
    assert!(writes[5..].iter().all(|line| !line.contains("dryRun")), "{requests}");
    // The route for testers stands as it did.
    assert_eq!(sandbox.weights("hands-on", "review-vs", 0), [json!(null)]);
    tidegate(FIVE).on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/product-vs            shifted (no change): old 0, new 100
        virtualservice.networking.istio.io/recommendation-vs     shifted (no change): old 0, new 100
        virtualservice.networking.istio.io/review-vs             shifted (no change): old 0, new 100
        virtualservice.networking.istio.io/product-composite-vs  shifted (no change): old 0, new 100
        virtualservice.networking.istio.io/auth-server-vs        shifted (no change): old 0, new 100
    "#]]);
    tidegate("rollback product recommendation review product-composite auth-server -n hands-on").on(&sandbox).shows(expect![[
        r#"
            virtualservice.networking.istio.io/product-vs            rolled back: old 0 -> 100, new 100 -> 0
            virtualservice.networking.istio.io/recommendation-vs     rolled back: old 0 -> 100, new 100 -> 0
            virtualservice.networking.istio.io/review-vs             rolled back: old 0 -> 100, new 100 -> 0
            virtualservice.networking.istio.io/product-composite-vs  rolled back: old 0 -> 100, new 100 -> 0
            virtualservice.networking.istio.io/auth-server-vs        rolled back: old 0 -> 100, new 100 -> 0
        "#
    ]]);
    assert!(weights(&sandbox).iter().all(|one| one.ends_with(" 100/0")), "{:?}", weights(&sandbox));
}

#[test]
fn one_that_cannot_be_planned_stops_all() {
    let sandbox = Sandbox::new();
    let requests = sandbox.requests_of(|| {
        tidegate("shift product nothing -n hands-on --weights old=0,new=100").on(&sandbox).shows(expect![[r#"
            ------- stderr -------
            error: no virtual service for `nothing` in namespace hands-on
            hint: there are: auth-server-vs, product-composite-vs, product-vs, recommendation-vs, review-vs
            [exit status: 5]
        "#]]);
    });
    assert_eq!(writes(&requests), Vec::<&str>::new());
}

#[test]
fn without_the_checks_nothing_is_rehearsed_and_a_refusal_still_undone() {
    let sandbox = Sandbox::new();
    let requests = sandbox.requests_of(|| {
        tidegate(&format!("{FIVE} --no-preflight")).on(&sandbox).succeeds();
    });
    let all = writes(&requests);
    assert_eq!(all.len(), 5, "{requests}");
    assert!(all.iter().all(|line| !line.contains("dryRun")), "{requests}");
    assert!(weights(&sandbox).iter().all(|one| one.ends_with(" 0/100")), "{:?}", weights(&sandbox));

    let sandbox = Sandbox::with_faults(&["500@patch:2"]);
    let before = weights(&sandbox);
    let output = tidegate(&format!("{FIVE} --no-preflight")).on(&sandbox).run();
    assert_eq!(output.status, Some(1), "{output}");
    assert_eq!(weights(&sandbox), before, "{output}");
}

#[test]
fn a_refusal_in_the_middle_is_undone() {
    // The first five patches are dry runs.
    let sandbox = Sandbox::with_faults(&["500@patch:7"]);
    let before = weights(&sandbox);
    let output = tidegate(FIVE).on(&sandbox).run();
    assert_eq!(output.status, Some(1), "{output}");
    assert_eq!(weights(&sandbox), before);
    assert!(output.stdout.contains(" refused: "), "{output}");
    assert!(output.stdout.contains(" undone: "), "{output}");
    assert!(output.stderr.contains("all of them stand as they did before"), "{output}");
    // Not a trace of it: no release is left in progress. Which of the five were written first is left to chance.
    let status = tidegate("status -n hands-on").on(&sandbox).run().to_string().replace("kubectl-create", "tidegate");
    expect![[r#"
        NAME                  ROUTE    DESTINATION  ROLE    WEIGHT   SHARE  READY  CHANGED
        auth-server-vs        http[0]  old          <none>  100      100%   1/1    AGE by tidegate
        auth-server-vs        http[0]  new          <none>  0        0%     1/1    AGE by tidegate
        product-composite-vs  http[0]  old          <none>  100      100%   1/1    AGE by tidegate
        product-composite-vs  http[0]  new          <none>  0        0%     1/1    AGE by tidegate
        product-vs            http[0]  new          <none>  <unset>  100%   1/1    AGE by tidegate
        product-vs            http[1]  old          <none>  100      100%   1/1    AGE by tidegate
        product-vs            http[1]  new          <none>  0        0%     1/1    AGE by tidegate
        recommendation-vs     http[0]  new          <none>  <unset>  100%   1/1    AGE by tidegate
        recommendation-vs     http[1]  old          <none>  100      100%   1/1    AGE by tidegate
        recommendation-vs     http[1]  new          <none>  0        0%     1/1    AGE by tidegate
        review-vs             http[0]  new          <none>  <unset>  100%   1/1    AGE by tidegate
        review-vs             http[1]  old          <none>  100      100%   1/1    AGE by tidegate
        review-vs             http[1]  new          <none>  0        0%     1/1    AGE by tidegate
        ------- stderr -------
        5 services
    "#]]
    .assert_eq(&status);
    for (name, _) in NAMES {
        let object = sandbox.service("hands-on", name);
        assert_eq!(object["metadata"]["annotations"].get("tidegate/release"), None, "{object}");
    }
}

#[test]
fn a_refusal_of_two_is_told_in_full() {
    let sandbox = Sandbox::with_faults(&["500@patch:4"]);
    tidegate("shift product review -n hands-on --weights old=0,new=100").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/product-vs  shifted: old 100 -> 0, new 0 -> 100
        virtualservice.networking.istio.io/review-vs   refused: Error from server (InternalError): Internal error occurred: an injected fault; it was not carried out
        virtualservice.networking.istio.io/product-vs  undone: old 0 -> 100, new 100 -> 0
        ------- stderr -------
        error: 1 of 2 objects refused the change; all of them stand as they did before
        [exit status: 1]
    "#]]);
}

#[test]
fn a_refused_dry_run_writes_nothing() {
    let sandbox = Sandbox::with_faults(&["500@patch:2"]);
    let output = tidegate(FIVE).on(&sandbox).run();
    assert_eq!(output.status, Some(1), "{output}");
    assert!(writes(&sandbox.requests()).iter().all(|line| line.contains("dryRun=All")));
    assert!(weights(&sandbox).iter().all(|one| one.ends_with(" 100/0")));
}

#[test]
fn what_cannot_be_undone_is_said() {
    // The second write is refused, and the undoing of the first too.
    let sandbox = Sandbox::with_faults(&["500@patch:4", "500@patch:5"]);
    tidegate("shift product review -n hands-on --weights old=0,new=100").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/product-vs  shifted: old 100 -> 0, new 0 -> 100
        virtualservice.networking.istio.io/review-vs   refused: Error from server (InternalError): Internal error occurred: an injected fault; it was not carried out
        virtualservice.networking.istio.io/product-vs  not undone: Error from server (InternalError): Internal error occurred: an injected fault
        ------- stderr -------
        error: 1 of 2 objects refused the change; not all could be put back
        hint: `tidegate status product -n hands-on`; then `tidegate rollback product -n hands-on`
        [exit status: 20]
    "#]]);
}

#[test]
fn by_labels() {
    let sandbox = Sandbox::empty();
    for (name, team) in [("a", "x"), ("b", "y"), ("c", "x")] {
        split(&sandbox, name, &[("old", json!(100)), ("new", json!(0))]);
        sandbox.rest.merge(&sandbox::path("shop", name), &json!({"metadata": {"labels": {"team": team}}})).ok();
    }
    tidegate("shift -l team=x -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/a  shifted: old 100 -> 80, new 0 -> 20
        virtualservice.networking.istio.io/c  shifted: old 100 -> 80, new 0 -> 20
    "#]]);
    assert_eq!(sandbox.weights("shop", "b", 0), [100, 0]);
    tidegate("shift -l team=none -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        No resources found in shop namespace.
    "#]]);
    tidegate("shift a -l team=x -n shop --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the argument '[SERVICE]...' cannot be used with '--selector <LABELS>'

        Usage: tidegate shift --weights <W/W> --namespace <NAME> <SERVICE>...

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
}

#[test]
fn all_of_a_namespace() {
    let sandbox = Sandbox::new();
    // Those without weights are no services that could be shifted.
    tidegate("shift --all --weights 90/10").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts   shifted: blue 100 -> 90, green 0 -> 10
        virtualservice.networking.istio.io/orders  shifted: v1 100 -> 90, v2 0 -> 10
    "#]]);
    tidegate("rollback --all").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts   rolled back: blue 90 -> 100, green 10 -> 0
        virtualservice.networking.istio.io/orders  rolled back: v1 90 -> 100, v2 10 -> 0
    "#]]);
    tidegate("shift --weights 90/10").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the following required arguments were not provided:
          <SERVICE>...

        Usage: tidegate shift --weights <W/W> <SERVICE>...

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
    tidegate("shift carts --all --weights 90/10").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the argument '[SERVICE]...' cannot be used with '--all'

        Usage: tidegate shift --weights <W/W> <SERVICE>...

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
}

#[test]
fn the_same_service_twice_is_once() {
    let sandbox = Sandbox::new();
    tidegate("shift carts carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    tidegate("shift carts vs/carts --weights 70/30").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `carts` and `vs/carts` are the same: virtualservice.networking.istio.io/carts
        [exit status: 2]
    "#]]);
}

#[test]
fn several_namespaces() {
    let sandbox = Sandbox::new();
    tidegate("shift carts.sockshop-staging carts.sockshop-production --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts in sockshop-staging     shifted: blue 100 -> 80, green 0 -> 20
        virtualservice.networking.istio.io/carts in sockshop-production  shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
}
