use crate::support::*;

const NS: &str = "sockshop-production";

#[test]
fn a_dry_run_of_the_client_writes_nothing() {
    let sandbox = Sandbox::new();
    let requests = sandbox.requests_of(|| {
        tidegate("shift carts --weights 80/20 --dry-run").on(&sandbox).shows(expect![[r#"
            context sandbox, namespace sockshop-production
              carts  http[0]  blue 100 -> 80   green 0 -> 20   green: 2 of 2 pods ready
            virtualservice.networking.istio.io/carts shifted (dry run): blue 100 -> 80, green 0 -> 20
        "#]]);
        tidegate("shift carts --weights 80/20 --dry-run=client -o name").on(&sandbox).shows(expect![[r#"
            virtualservice.networking.istio.io/carts
        "#]]);
        tidegate("promote carts --dry-run").on(&sandbox).shows(expect![[r#"
            context sandbox, namespace sockshop-production
              carts  http[0]  blue 100 -> 0   green 0 -> 100   green: 2 of 2 pods ready
            virtualservice.networking.istio.io/carts promoted (dry run): blue 100 -> 0, green 0 -> 100
        "#]]);
        tidegate("rollback carts --to green --dry-run=client").on(&sandbox).shows(expect![[r#"
            context sandbox, namespace sockshop-production
              carts  http[0]  blue 100 -> 0   green 0 -> 100
            virtualservice.networking.istio.io/carts rolled back (dry run): blue 100 -> 0, green 0 -> 100
        "#]]);
        tidegate("shift product review -n hands-on --weights old=0,new=100 --dry-run").on(&sandbox).shows(expect![[r#"
            context sandbox, namespace hands-on
              product-vs  http[1]  old 100 -> 0   new 0 -> 100   new: 1 of 1 pods ready
                          http[0]  untouched: X-group: test -> new
              review-vs   http[1]  old 100 -> 0   new 0 -> 100   new: 1 of 1 pods ready
                          http[0]  untouched: X-group: test -> new
            virtualservice.networking.istio.io/product-vs  shifted (dry run): old 100 -> 0, new 0 -> 100
            virtualservice.networking.istio.io/review-vs   shifted (dry run): old 100 -> 0, new 0 -> 100
        "#]]);
    });
    assert!(requests.lines().all(|line| line.starts_with("GET ")), "{requests}");
}

#[test]
fn a_dry_run_of_the_server_stores_nothing() {
    let sandbox = Sandbox::new();
    let before = sandbox.service(NS, "carts");
    let requests = sandbox.requests_of(|| {
        tidegate("shift carts --weights 80/20 --dry-run=server").on(&sandbox).shows(expect![[r#"
            virtualservice.networking.istio.io/carts shifted (server dry run): blue 100 -> 80, green 0 -> 20
        "#]]);
    });
    let writes: Vec<&str> = requests.lines().filter(|line| !line.starts_with("GET ")).collect();
    assert_eq!(writes.len(), 1, "{requests}");
    assert!(writes[0].contains("dryRun=All"), "{requests}");
    assert_eq!(sandbox.service(NS, "carts"), before);
    tidegate("shift carts --weights 80/20 --dry-run=none").on(&sandbox).succeeds();
    assert_eq!(sandbox.weights(NS, "carts", 0), [80, 20]);
}

#[test]
fn a_dry_run_says_where_it_ends() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20 --dry-run=elsewhere").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: invalid value 'elsewhere' for '--dry-run[=<WHERE>]'
          [possible values: none, client, server]

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
    // `=` is needed, as with kubectl: what follows is a service.
    tidegate("shift --weights 80/20 --dry-run carts").on(&sandbox).shows(expect![[r#"
        context sandbox, namespace sockshop-production
          carts  http[0]  blue 100 -> 80   green 0 -> 20   green: 2 of 2 pods ready
        virtualservice.networking.istio.io/carts shifted (dry run): blue 100 -> 80, green 0 -> 20
    "#]]);
}

#[test]
fn nothing_to_change_is_said_by_dry_runs_too() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 100/0 --dry-run").on(&sandbox).shows(expect![[r#"
        context sandbox, namespace sockshop-production
          carts  http[0]  blue 100   green 0
        virtualservice.networking.istio.io/carts shifted (no change) (dry run): blue 100, green 0
    "#]]);
    tidegate("shift carts --weights 100/0 --dry-run -o json").on(&sandbox).shows(expect![[r#"
        []
    "#]]);
    tidegate("shift carts --weights 100/0 --dry-run=server --error-unchanged").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted (no change) (server dry run): blue 100, green 0
        ------- stderr -------
        error: nothing to change (--error-unchanged)
        [exit status: 3]
    "#]]);
    tidegate("shift carts --weights 100/0 --dry-run --error-unchanged").on(&sandbox).shows(expect![[r#"
        context sandbox, namespace sockshop-production
          carts  http[0]  blue 100   green 0
        virtualservice.networking.istio.io/carts shifted (no change) (dry run): blue 100, green 0
        ------- stderr -------
        error: nothing to change (--error-unchanged)
        [exit status: 3]
    "#]]);
}

#[test]
fn several_objects_are_a_list_of_patches() {
    let sandbox = Sandbox::new();
    let output = tidegate("shift product review -n hands-on --weights old=90,new=10 --dry-run -o json").on(&sandbox).succeeds();
    let document: serde_json::Value = serde_json::from_str(&output.raw).expect("one document");
    let list = document.as_array().expect("a list");
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["object"], "virtualservice.networking.istio.io/product-vs");
    assert_eq!(list[0]["namespace"], "hands-on");
    // Each is taken as it is.
    let reply = sandbox.rest.patch(&sandbox::path("hands-on", "review-vs"), &list[1]["patch"]);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(sandbox.weights("hands-on", "review-vs", 1), [90, 10]);
    // But only once: it is guarded.
    assert_eq!(sandbox.rest.patch(&sandbox::path("hands-on", "review-vs"), &list[1]["patch"]).status, 422);
}

#[test]
fn a_diff_shows_the_weights() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20 --diff --dry-run").on(&sandbox).shows(expect![[r#"
        --- sockshop-production/virtualservice.networking.istio.io/carts spec.http[0] (live)
        +++ sockshop-production/virtualservice.networking.istio.io/carts spec.http[0] (planned)
        -blue: 100
        +blue: 80
        -green: 0
        +green: 20
        context sandbox, namespace sockshop-production
          carts  http[0]  blue 100 -> 80   green 0 -> 20   green: 2 of 2 pods ready
        virtualservice.networking.istio.io/carts shifted (dry run): blue 100 -> 80, green 0 -> 20
    "#]]);
    tidegate("shift carts --weights 80/20 --diff").on(&sandbox).shows(expect![[r#"
        --- sockshop-production/virtualservice.networking.istio.io/carts spec.http[0] (live)
        +++ sockshop-production/virtualservice.networking.istio.io/carts spec.http[0] (planned)
        -blue: 100
        +blue: 80
        -green: 0
        +green: 20
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    tidegate("shift carts --weights 80/20 --diff").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted (no change): blue 80, green 20
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 0), [80, 20]);
}

#[test]
fn a_diff_beside_an_answer_for_machines_is_a_message() {
    let sandbox = Sandbox::new();
    for line in ["shift carts --weights 80/20 --diff --dry-run -o json", "shift carts --weights 80/20 --diff -o json"] {
        let output = tidegate(line).on(&sandbox).succeeds();
        serde_json::from_str::<serde_json::Value>(&output.raw).expect("one document");
        assert!(output.stderr.contains("+green: 20"), "{output}");
    }
}
