use crate::support::sandbox::path;
use crate::support::*;

const NS: &str = "sockshop-production";

#[test]
fn is_one_get_and_one_patch_from_the_stored_inverse() {
    let sandbox = Sandbox::new();
    let before = sandbox.service(NS, "carts")["spec"].clone();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    tidegate("shift carts --weights 50/50").on(&sandbox).succeeds();
    let run = tidegate("rollback carts").on(&sandbox);
    let requests = sandbox.requests_of(|| {
        run.shows(expect![[r#"
            virtualservice.networking.istio.io/carts rolled back: blue 50 -> 100, green 50 -> 0
        "#]]);
    });
    expect![[r#"
        GET /apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts 200
        PATCH /apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts?fieldManager=tidegate 200
    "#]]
    .assert_eq(&requests);
    assert_eq!(sandbox.service(NS, "carts")["spec"], before);
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): blue 100, green 0
    "#]]);
    tidegate("rollback carts --error-unchanged").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): blue 100, green 0
        ------- stderr -------
        error: nothing to change (--error-unchanged)
        [exit status: 3]
    "#]]);
}

#[test]
fn a_promotion_can_be_undone() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    tidegate("promote carts").on(&sandbox).succeeds();
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 0 -> 100, green 100 -> 0
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 0), [100, 0]);
}

#[test]
fn to_a_destination_whatever_was_recorded() {
    let sandbox = Sandbox::new();
    tidegate("rollback carts --to green").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 100 -> 0, green 0 -> 100
    "#]]);
    tidegate("rollback carts --to green").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): blue 0, green 100
    "#]]);
    tidegate("rollback carts --to gren").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `carts` has no destination `gren`; it has blue, green
        hint: `tidegate rollback carts --to green`
        [exit status: 5]
    "#]]);
    // An emergency can be undone as well.
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 0 -> 100, green 100 -> 0
    "#]]);
}

#[test]
fn to_a_revision_of_the_history() {
    let sandbox = Sandbox::new();
    for weights in ["90/10", "70/30", "50/50"] {
        tidegate("shift carts --weights").arg(weights).on(&sandbox).succeeds();
    }
    tidegate("rollback carts --to-revision 3").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 50 -> 70, green 50 -> 30
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 0), [70, 30]);
    tidegate("rollback carts --to-revision 99").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `carts` has no revision 99
        hint: `tidegate history carts` lists them
        [exit status: 5]
    "#]]);
    tidegate("rollback carts --to-revision 1 --to blue").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the argument '--to-revision <N>' cannot be used with '--to <NAME>'

        Usage: tidegate rollback --to-revision <N> <SERVICE>...

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
    tidegate("rollback carts --to-revision x").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: invalid value 'x' for '--to-revision <N>': invalid digit found in string

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
}

#[test]
fn without_a_record_it_says_what_it_needs() {
    let sandbox = Sandbox::new();
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): blue 100, green 0
    "#]]);
    tidegate("rollback name -n istio-katas").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: it is not certain which side of `name` is stable:
          http[0]: name-v2 10, name-v1 90
        hint: name the destination that is to serve everything, as in `tidegate rollback name -n istio-katas --to name-v1`
        [exit status: 2]
    "#]]);
}

#[test]
fn it_finds_destinations_that_moved_meanwhile() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    // Somebody puts a route before it, and turns its destinations round.
    let mut spec = sandbox.service(NS, "carts")["spec"].clone();
    let list = spec["http"].as_array_mut().expect("routes");
    list[0]["route"].as_array_mut().expect("destinations").reverse();
    list.insert(0, json!({"match": [{"uri": {"exact": "/health"}}], "directResponse": {"status": 200}}));
    sandbox.rest.merge(&path(NS, "carts"), &json!({"spec": spec})).ok();
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: green 20 -> 0, blue 80 -> 100
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 1), [0, 100]);
}

#[test]
fn it_refuses_where_the_destinations_are_gone() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    let spec = json!({"spec": {"http": [{"route": [{"destination": {"host": "carts"}}]}]}});
    sandbox.rest.merge(&path(NS, "carts"), &spec).ok();
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the routes of virtualservice.networking.istio.io/carts were rearranged since TIME: http[0] no longer holds what the release changed
        hint: `tidegate status carts`; then `tidegate rollback carts --to NAME --route ROUTE`
        [exit status: 6]
    "#]]);
}

#[test]
fn a_record_that_cannot_be_read_is_said() {
    let sandbox = Sandbox::new();
    let annotation = json!({"metadata": {"annotations": {"tidegate/release": "{broken"}}});
    sandbox.rest.merge(&path(NS, "carts"), &annotation).ok();
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the release recorded on virtualservice.networking.istio.io/carts cannot be read
        hint: name the destination that is to serve: `tidegate rollback carts --to NAME`
        [exit status: 1]
    "#]]);
    tidegate("rollback carts --to blue").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): blue 100, green 0
    "#]]);
    // A shift begins a release of its own over it.
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 80 -> 100, green 20 -> 0
    "#]]);
}

#[test]
fn shifting_back_by_hand_ends_the_release() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    tidegate("shift carts --weights 100/0").on(&sandbox).succeeds();
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): blue 100, green 0
    "#]]);
    tidegate("status carts").on(&sandbox).shows(expect![[r#"
        NAME   ROUTE    DESTINATION  ROLE    WEIGHT  SHARE  READY  CHANGED
        carts  http[0]  blue         stable  100     100%   2/2    AGE by alice
        carts  http[0]  green        <none>  0       0%     2/2    AGE by alice
        ------- stderr -------
        1 service
    "#]]);
}

#[test]
fn idle_routes_of_one_object_are_one_service() {
    let sandbox = Sandbox::empty();
    let to = json!([
        {"destination": {"host": "carts", "subset": "blue"}, "weight": 100},
        {"destination": {"host": "carts", "subset": "green"}, "weight": 0},
    ]);
    let spec = json!({"hosts": ["two"], "http": [{"match": [{"uri": {"prefix": "/a"}}], "route": to}, {"route": to}]});
    virtual_service(&sandbox, "two", spec);
    tidegate("rollback two -n shop").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/two rolled back (no change): blue 100, green 0 (in 2 routes)
    "#]]);
}
