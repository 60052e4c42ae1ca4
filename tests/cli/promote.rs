use crate::support::*;

const NS: &str = "sockshop-production";

#[test]
fn the_candidate_of_the_release_gets_everything() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    tidegate("promote carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted: blue 80 -> 0, green 20 -> 100
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 0), [0, 100]);
    tidegate("promote carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted (no change): blue 0, green 100
    "#]]);
    tidegate("promote carts --error-unchanged").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted (no change): blue 0, green 100
        ------- stderr -------
        error: nothing to change (--error-unchanged)
        [exit status: 3]
    "#]]);
    tidegate("status carts").on(&sandbox).shows(expect![[r#"
        NAME   ROUTE    DESTINATION  ROLE    WEIGHT  SHARE  READY  CHANGED
        carts  http[0]  blue         <none>  0       0%     2/2    AGE by alice
        carts  http[0]  green        stable  100     100%   2/2    AGE by alice
        ------- stderr -------
        1 service
    "#]]);
    // And the other way round, from there.
    tidegate("shift carts --weights 10/90").on(&sandbox).succeeds();
    tidegate("promote carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted: blue 10 -> 100, green 90 -> 0
    "#]]);
}

#[test]
fn roles_come_from_the_weights_where_nothing_is_recorded() {
    let sandbox = Sandbox::new();
    tidegate("promote carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted: blue 100 -> 0, green 0 -> 100
    "#]]);
    // A blue-green switch: one side has everything, so the other is meant.
    assert_eq!(sandbox.weights(NS, "carts", 0), [0, 100]);
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 0 -> 100, green 100 -> 0
    "#]]);
}

#[test]
fn roles_that_are_not_certain_are_not_guessed() {
    let sandbox = Sandbox::new();
    tidegate("promote name -n istio-katas").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: it is not certain which side of `name` is stable:
          http[0]: name-v2 10, name-v1 90
        hint: name the destination that is to serve everything, as in `tidegate promote name -n istio-katas --to name-v1`
        [exit status: 2]
    "#]]);
    tidegate("promote name -n istio-katas --to name-v2").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/name promoted: name-v2 10 -> 100, name-v1 90 -> 0
    "#]]);
    tidegate("promote carts-db").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no route of `carts-db` has weights
        [exit status: 5]
    "#]]);
    tidegate("promote carts --to purple").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `carts` has no destination `purple`; it has blue, green
        [exit status: 5]
    "#]]);
}

#[test]
fn a_third_destination_keeps_its_share() {
    let sandbox = Sandbox::empty();
    split(&sandbox, "carts", &[("blue", json!(90)), ("green", json!(0)), ("beta", json!(10))]);
    tidegate("shift carts -n shop --weights blue=80,green=20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 90 -> 72, green 0 -> 18, beta 10
    "#]]);
    tidegate("promote carts -n shop --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted: blue 72 -> 0, green 18 -> 90, beta 10
    "#]]);
    tidegate("rollback carts -n shop").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 0 -> 90, green 90 -> 0, beta 10
    "#]]);
    assert_eq!(sandbox.weights("shop", "carts", 0), [90, 0, 10]);
    // Which of two is to lose everything?
    tidegate("promote carts -n shop --to green --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: blue, beta share the traffic of `carts` beside green: which of them is to lose it?
        hint: name all weights: `tidegate shift carts -n shop --weights blue=0,green=100,beta=0`
        [exit status: 2]
    "#]]);
}

#[test]
fn what_was_rolled_back_is_not_promoted() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    tidegate("rollback carts").on(&sandbox).succeeds();
    tidegate("promote carts").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the last release of `carts` was rolled back; none is in progress
        hint: `tidegate promote carts --to green` gives green everything all the same
        [exit status: 2]
    "#]]);
    tidegate("promote carts --to green").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted: blue 100 -> 0, green 0 -> 100
    "#]]);
}
