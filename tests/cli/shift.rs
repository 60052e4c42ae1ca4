use crate::support::*;

const NS: &str = "sockshop-production";

#[test]
fn sets_the_weights_in_the_order_of_the_route() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 0), [80, 20]);
}

#[test]
fn sets_the_weights_by_name_in_any_order() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights green=20,blue=80").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 0), [80, 20]);
    // The other one can only have the rest: it is named all the same.
    tidegate("shift carts --weights green=100,blue=0").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 80 -> 0, green 20 -> 100
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 0), [0, 100]);
}

#[test]
fn the_order_of_the_route_is_not_the_order_of_the_versions() {
    let sandbox = Sandbox::new();
    tidegate("shift name -n istio-katas --weights 20/80").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/name shifted: name-v2 10 -> 20, name-v1 90 -> 80
    "#]]);
}

#[test]
fn a_shift_without_checks_is_one_get_and_one_patch() {
    let sandbox = Sandbox::new();
    let run = tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox);
    let requests = sandbox.requests_of(|| drop(run.succeeds()));
    expect![[r#"
        GET /apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts 200
        PATCH /apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts?fieldManager=tidegate 200
    "#]]
    .assert_eq(&requests);
}

#[test]
fn the_checks_read_side_by_side() {
    let sandbox = Sandbox::new();
    let run = tidegate("shift carts --weights 80/20").on(&sandbox);
    let requests = sandbox.requests_of(|| drop(run.succeeds()));
    let mut reads: Vec<&str> = requests.lines().filter(|line| line.starts_with("GET")).collect();
    reads.sort_unstable();
    let writes: Vec<&str> = requests.lines().filter(|line| !line.starts_with("GET")).collect();
    expect![[r#"
        GET /api/v1/namespaces/sockshop-production/pods?resourceVersion=0&labelSelector=deployment%3Dcarts-green 200
        GET /api/v1/namespaces/sockshop-production?resourceVersion=0 200
        GET /apis/discovery.k8s.io/v1/namespaces/sockshop-production/endpointslices?resourceVersion=0&labelSelector=kubernetes.io%2Fservice-name%20in%20%28carts%29 200
        GET /apis/networking.istio.io/v1/namespaces/sockshop-production/destinationrules?resourceVersion=0 200
        GET /apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts 200
        GET /apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices?resourceVersion=0 200
    "#]].assert_eq(&(reads.join("\n") + "\n"));
    expect![[r#"
        PATCH /apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts?fieldManager=tidegate 200
    "#]]
    .assert_eq(&(writes.join("\n") + "\n"));
}

#[test]
fn the_second_run_says_that_nothing_changes() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    let before = sandbox.service(NS, "carts");
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted (no change): blue 80, green 20
    "#]]);
    tidegate("shift carts --weights 80/20 --error-unchanged").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted (no change): blue 80, green 20
        ------- stderr -------
        error: nothing to change (--error-unchanged)
        [exit status: 3]
    "#]]);
    let run = tidegate("shift carts --weights 80/20").on(&sandbox);
    let requests = sandbox.requests_of(|| drop(run.succeeds()));
    assert!(!requests.contains("PATCH"), "{requests}");
    assert_eq!(sandbox.service(NS, "carts"), before);
}

#[test]
fn everything_else_of_the_object_stays() {
    let sandbox = Sandbox::empty();
    sandbox.rest.create(
        r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: carts
  namespace: shop
  labels: {team: a}
  annotations: {note: keep}
spec:
  hosts: [carts, carts.example.com]
  gateways: [mesh, edge]
  exportTo: ["."]
  http:
  - name: main
    timeout: 5s
    retries: {attempts: 3, perTryTimeout: 2s}
    headers: {request: {add: {x-seen: "1"}}}
    fault: {delay: {percentage: {value: 0.1}, fixedDelay: 5s}}
    mirror: {host: carts-shadow}
    mirrorPercentage: {value: 12.5}
    route:
    - {destination: {host: carts, subset: blue, port: {number: 80}}, weight: 100, headers: {response: {set: {a: b}}}}
    - {destination: {host: carts, subset: green, port: {number: 80}}, weight: 0}
"#,
    );
    let mut before = sandbox.service("shop", "carts");
    tidegate("shift carts -n shop --weights 75/25 --no-preflight").on(&sandbox).succeeds();
    let mut after = sandbox.service("shop", "carts");
    assert_eq!(sandbox.weights("shop", "carts", 0), [75, 25]);
    for object in [&mut before, &mut after] {
        for place in 0..2 {
            object["spec"]["http"][0]["route"][place]["weight"].take();
        }
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        for key in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(key);
        }
        let annotations = metadata["annotations"].as_object_mut().expect("annotations");
        annotations.retain(|key, _| !key.starts_with("tidegate/"));
    }
    assert_eq!(after, before);
}

#[test]
fn the_patch_is_guards_then_edits_and_the_record() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20 --dry-run -o json").on(&sandbox).shows(expect![[r#"
        [
          {
            "op": "test",
            "path": "/metadata/uid",
            "value": "UID"
          },
          {
            "op": "test",
            "path": "/spec/http/0/match",
            "value": null
          },
          {
            "op": "test",
            "path": "/spec/http/0/name",
            "value": null
          },
          {
            "op": "test",
            "path": "/spec/http/0/route",
            "value": [
              {
                "destination": {
                  "host": "carts.sockshop-production.svc.cluster.local",
                  "subset": "blue"
                },
                "weight": 100
              },
              {
                "destination": {
                  "host": "carts.sockshop-production.svc.cluster.local",
                  "subset": "green"
                },
                "weight": 0
              }
            ]
          },
          {
            "op": "replace",
            "path": "/spec/http/0/route/0/weight",
            "value": 80
          },
          {
            "op": "replace",
            "path": "/spec/http/0/route/1/weight",
            "value": 20
          },
          {
            "op": "test",
            "path": "/metadata/annotations",
            "value": null
          },
          {
            "op": "add",
            "path": "/metadata/annotations",
            "value": {
              "tidegate/release": "{\"id\":\"carts-STAMP\",\"phase\":\"progressing\",\"stable\":\"blue\",\"candidate\":\"green\",\"since\":\"TIME\",\"by\":\"alice\",\"before\":{\"http[0]\":{\"blue\":100,\"green\":0}},\"undo\":[{\"op\":\"test\",\"path\":\"/spec/http/0/match\",\"value\":null},{\"op\":\"test\",\"path\":\"/spec/http/0/route/0/destination\",\"value\":{\"host\":\"carts.sockshop-production.svc.cluster.local\",\"subset\":\"blue\"}},{\"op\":\"add\",\"path\":\"/spec/http/0/route/0/weight\",\"value\":100},{\"op\":\"test\",\"path\":\"/spec/http/0/route/1/destination\",\"value\":{\"host\":\"carts.sockshop-production.svc.cluster.local\",\"subset\":\"green\"}},{\"op\":\"add\",\"path\":\"/spec/http/0/route/1/weight\",\"value\":0}]}",
              "tidegate/history": "[{\"revision\":1,\"at\":\"TIME\",\"by\":\"kubectl-create\",\"verb\":\"found\",\"routes\":{\"http[0]\":{\"blue\":100,\"green\":0}}},{\"revision\":2,\"at\":\"TIME\",\"by\":\"alice\",\"verb\":\"shift\",\"routes\":{\"http[0]\":{\"blue\":80,\"green\":20}}}]"
            }
          }
        ]
    "#]]);
}

#[test]
fn destinations_that_are_not_named_keep_their_share() {
    let sandbox = Sandbox::empty();
    split(&sandbox, "carts", &[("blue", json!(60)), ("green", json!(10)), ("red", json!(30))]);
    tidegate("shift carts -n shop --weights blue=50,green=50 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 60 -> 35, green 10 -> 35, red 30
    "#]]);
    // Of the 70 that red leaves, 67 and 33 per cent are no whole numbers: the largest remainder decides.
    tidegate("shift carts -n shop --weights blue=67,green=33 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 35 -> 47, green 35 -> 23, red 30
    "#]]);
    tidegate("shift carts -n shop --weights 50/25/25 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 47 -> 50, green 23 -> 25, red 30 -> 25
    "#]]);
    tidegate("shift carts -n shop --weights blue=999,green=1 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 50 -> 749, green 25 -> 1, red 25 -> 250
    "#]]);
}

#[test]
fn two_hosts_without_subsets() {
    let sandbox = Sandbox::empty();
    route(
        &sandbox,
        "carts",
        json!([
            {"destination": {"host": "carts-primary"}, "weight": 100},
            {"destination": {"host": "carts-canary.shop.svc.cluster.local"}},
        ]),
    );
    tidegate("shift carts -n shop --weights 90/10 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: carts-primary 100 -> 90, carts-canary 0 -> 10
    "#]]);
    tidegate("shift carts -n shop --weights carts-canary=30,carts-primary=70 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: carts-primary 90 -> 70, carts-canary 10 -> 30
    "#]]);
    assert_eq!(sandbox.weights("shop", "carts", 0), [70, 30]);
}

#[test]
fn one_subset_of_two_hosts_is_named_with_its_host() {
    let sandbox = Sandbox::empty();
    route(
        &sandbox,
        "carts",
        json!([
            {"destination": {"host": "carts", "subset": "v1"}, "weight": 100},
            {"destination": {"host": "carts-next", "subset": "v1"}, "weight": 0},
        ]),
    );
    tidegate("shift carts -n shop --weights carts/v1=90,carts-next/v1=10 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: carts/v1 100 -> 90, carts-next/v1 0 -> 10
    "#]]);
    tidegate("shift carts -n shop --weights v1=90,carts-next/v1=10 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `v1` means several destinations of `carts`: carts/v1, carts-next/v1
        [exit status: 2]
    "#]]);
}

#[test]
fn a_missing_weight_is_added_and_a_zero_replaced() {
    let sandbox = Sandbox::empty();
    split(&sandbox, "carts", &[("blue", json!(100)), ("green", json!(null))]);
    tidegate("shift carts -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    assert_eq!(sandbox.weights("shop", "carts", 0), [80, 20]);
    split(&sandbox, "none", &[("blue", json!(null)), ("green", json!(null))]);
    tidegate("shift none -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/none shifted: blue 0 -> 80, green 0 -> 20
    "#]]);
    split(&sandbox, "zero", &[("blue", json!(0)), ("green", json!(0))]);
    tidegate("shift zero -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/zero shifted: blue 0 -> 80, green 0 -> 20
    "#]]);
    // What was missing is not written where it stays at nothing.
    split(&sandbox, "stays", &[("blue", json!(50)), ("green", json!(50)), ("red", json!(null))]);
    tidegate("shift stays -n shop --weights blue=80,green=20 --no-preflight").on(&sandbox).succeeds();
    assert_eq!(sandbox.weights("shop", "stays", 0), [json!(80), json!(20), json!(null)]);
}

#[test]
fn sums_other_than_a_hundred_are_read_as_shares() {
    let sandbox = Sandbox::empty();
    split(&sandbox, "carts", &[("blue", json!(5)), ("green", json!(1))]);
    tidegate("shift carts -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 5 -> 80, green 1 -> 20
    "#]]);
    split(&sandbox, "mille", &[("blue", json!(999)), ("green", json!(1))]);
    tidegate("shift mille -n shop --weights 9990/10 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/mille shifted: blue 999 -> 9990, green 1 -> 10
    "#]]);
}

#[test]
fn a_single_destination_gets_a_second_one_beside_it() {
    let sandbox = Sandbox::empty();
    sandbox.rest.create(RULE);
    route(&sandbox, "carts", json!([{"destination": {"host": "carts", "subset": "blue", "port": {"number": 80}}}]));
    tidegate("shift carts -n shop --weights blue=90,green=10 --force").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 90, green 0 -> 10
        ------- stderr -------
        warning: forced: green of `carts`: the service carts.shop.svc.cluster.local has no endpoints
    "#]]);
    assert_eq!(
        sandbox.service("shop", "carts")["spec"]["http"][0]["route"],
        json!([
            {"destination": {"host": "carts", "subset": "blue", "port": {"number": 80}}, "weight": 90},
            {"destination": {"host": "carts", "subset": "green", "port": {"number": 80}}, "weight": 10},
        ])
    );
    tidegate("shift carts -n shop --weights blue=0,green=100 --force").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 90 -> 0, green 10 -> 100
        ------- stderr -------
        warning: forced: green of `carts`: the service carts.shop.svc.cluster.local has no endpoints
    "#]]);
    tidegate("rollback carts -n shop").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 0 -> 100, green 100 -> 0
    "#]]);
    assert_eq!(sandbox.weights("shop", "carts", 0), [100, 0]);
}

#[test]
fn what_is_added_must_exist_even_without_checks() {
    let sandbox = Sandbox::empty();
    sandbox.rest.create(RULE);
    route(&sandbox, "carts", json!([{"destination": {"host": "carts", "subset": "blue"}}]));
    tidegate("shift carts -n shop --weights blue=90,gren=10 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: carts.shop.svc.cluster.local has no subset `gren`; its destination rules have blue, green
        hint: did you mean `green`?
        [exit status: 5]
    "#]]);
    tidegate("shift carts -n shop --weights blue=90,red=10 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: carts.shop.svc.cluster.local has no subset `red`; its destination rules have blue, green
        [exit status: 5]
    "#]]);
    // Neither of both is there.
    tidegate("shift carts -n shop --weights old=90,new=10").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `carts` has no destination `old`; it has blue
        [exit status: 5]
    "#]]);
    assert_eq!(sandbox.weights("shop", "carts", 0), [json!(null)]);
}

const RULE: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: carts, namespace: shop}
spec:
  host: carts
  subsets:
  - {name: blue, labels: {version: blue}}
  - {name: green, labels: {version: green}}
";

#[test]
fn tls_and_tcp_routes_carry_weights_too() {
    let sandbox = Sandbox::empty();
    let to = |subset: &str, weight: u32| json!({"destination": {"host": "db", "subset": subset}, "weight": weight});
    virtual_service(
        &sandbox,
        "db",
        json!({"hosts": ["db"], "tcp": [
            {"match": [{"port": 27017}], "route": [to("old", 100), to("new", 0)]},
        ]}),
    );
    tidegate("shift db -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/db shifted: old 100 -> 80, new 0 -> 20
    "#]]);
    virtual_service(
        &sandbox,
        "web",
        json!({"hosts": ["web"], "tls": [
            {"match": [{"port": 443, "sniHosts": ["web.example.com"]}], "route": [to("old", 100), to("new", 0)]},
        ]}),
    );
    tidegate("shift web -n shop --weights old=80,new=20 --no-preflight").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/web shifted: old 100 -> 80, new 0 -> 20
    "#]]);
    assert_eq!(sandbox.service("shop", "web")["spec"]["tls"][0]["route"][1]["weight"], 20);
    tidegate("rollback web -n shop").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/web rolled back: old 80 -> 100, new 20 -> 0
    "#]]);
}

#[test]
fn the_reason_is_recorded() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20 --reason").arg("try the new cart").on(&sandbox).succeeds();
    tidegate("history carts").on(&sandbox).shows(expect![[r#"
        REVISION  CHANGED                                 VERB   WEIGHTS                    REASON
        1         TIME by kubectl-create  found  http[0] blue 100, green 0  <none>
        2*        TIME by alice           shift  http[0] blue 80, green 20  try the new cart
    "#]]);
}

#[test]
fn the_field_manager_is_always_sent() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20 --field-manager ci-robot").on(&sandbox).succeeds();
    let managers = sandbox.service(NS, "carts")["metadata"]["managedFields"].clone();
    let names: Vec<&str> = managers.as_array().expect("a list").iter().filter_map(|one| one["manager"].as_str()).collect();
    assert!(names.contains(&"ci-robot"), "{names:?}");
    let writes: Vec<String> = sandbox.requests().lines().filter(|line| line.starts_with("PATCH")).map(str::to_owned).collect();
    assert!(writes.iter().all(|line| line.contains("fieldManager=ci-robot")), "{writes:?}");
}

#[test]
fn a_timeout_of_zero_tries_once_and_waits_for_the_answers() {
    let sandbox = Sandbox::with_faults(&["latency=200ms"]);
    tidegate("shift carts -n sockshop-production --weights 80/20 --timeout 0").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    let output = tidegate("evaluate carts --require rps>=0 --timeout 0s").on(&sandbox).run();
    assert_ne!(output.status, Some(124), "{output}");
    assert!(output.stdout.contains("rps"), "{output}");
}
