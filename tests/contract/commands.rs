use crate::support::server::{Server, on_both};
use crate::support::*;
use serde_json::Value;

on_both! {
    a_release_from_start_to_end
    a_printed_patch_is_taken_by_kubectl
    a_group_is_refused_as_a_whole
    drift_is_told
    a_release_with_checks
}

fn weights(server: &Server, name: &str) -> String {
    let object = server.rest.get(&server.service(name)).ok();
    let list = object["spec"]["http"][0]["route"].as_array().expect("a route").iter();
    list.map(|to| to["weight"].to_string()).collect::<Vec<_>>().join("/")
}

fn a_release_from_start_to_end(server: &Server) {
    server.split("carts", &[("blue", Some(100)), ("green", None)]);
    let run = |line: &str| server.anonymous(&server.tidegate(line).run().to_string());
    let route = |server: &Server| server.rest.get(&server.service("carts")).ok()["spec"].clone();
    let before = route(server);
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]
    .assert_eq(&run("shift carts --weights 80/20 --no-preflight"));
    assert_eq!(weights(server, "carts"), "80/20");
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted (no change): blue 80, green 20
    "#]]
    .assert_eq(&run("shift carts --weights 80/20 --no-preflight"));
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 80 -> 50, green 20 -> 50
    "#]]
    .assert_eq(&run("shift carts --weights green=50,blue=50 --no-preflight"));
    expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 50 -> 100, green 50 -> 0
    "#]]
    .assert_eq(&run("rollback carts"));
    let mut after = route(server);
    assert_eq!(after["http"][0]["route"][1]["weight"], 0);
    after["http"][0]["route"][1].as_object_mut().expect("an object").remove("weight");
    assert_eq!(after, before);
    expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): blue 100, green 0
    "#]]
    .assert_eq(&run("rollback carts"));
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 999, green 0 -> 1
    "#]]
    .assert_eq(&run("shift carts --weights 999/1 --no-preflight"));
    expect![[r#"
        virtualservice.networking.istio.io/carts promoted: blue 999 -> 0, green 1 -> 1000
    "#]]
    .assert_eq(&run("promote carts --no-preflight"));
    assert_eq!(weights(server, "carts"), "0/1000");
    expect![[r#"
        REVISION  CHANGED                                 VERB      WEIGHTS                     REASON
        1         TIME by tidegate-tests  found     http[0] blue 100, green 0   <none>
        2         TIME by alice           shift     http[0] blue 80, green 20   <none>
        3         TIME by alice           shift     http[0] blue 50, green 50   <none>
        4         TIME by alice           rollback  http[0] blue 100, green 0   <none>
        5         TIME by alice           shift     http[0] blue 999, green 1   <none>
        6*        TIME by alice           promote   http[0] blue 0, green 1000  <none>
    "#]]
    .assert_eq(&run("history carts"));
    expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 0 -> 80, green 1000 -> 20
    "#]]
    .assert_eq(&run("rollback carts --to-revision 2"));
    assert_eq!(weights(server, "carts"), "80/20");
}

fn a_printed_patch_is_taken_by_kubectl(server: &Server) {
    server.split("carts", &[("blue", Some(100)), ("green", None)]);
    let document = server.tidegate("shift carts --weights 80/20 --no-preflight --dry-run -o json").succeeds().raw;
    assert_eq!(weights(server, "carts"), "100/null");
    let Some(said) = server.kubectl(&["patch", "vs", "carts", "--type=json", "-p", &document]) else { return };
    assert_eq!(said, "virtualservice.networking.istio.io/carts patched\n");
    assert_eq!(weights(server, "carts"), "80/20");
    // And the way back works from what kubectl wrote.
    server.tidegate("rollback carts").succeeds();
    assert_eq!(weights(server, "carts"), "100/0");
}

fn a_group_is_refused_as_a_whole(server: &Server) {
    use crate::support::webhook::{Verdict, Webhook};
    for name in ["carts", "orders", "queue"] {
        server.split(name, &[("blue", Some(100)), ("green", Some(0))]);
    }
    let webhook = Webhook::new(|object| match (&object["metadata"]["name"], &object["spec"]["http"][0]["route"][0]["weight"]) {
        (Value::String(name), Value::Number(weight)) if name == "orders" && weight.as_i64() == Some(80) => {
            Verdict::Deny("configuration is invalid: orders stays as it is")
        }
        _ => Verdict::Allow,
    });
    let probe = json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 99}]);
    let probe = || drop(server.rest.patch(&format!("{}?dryRun=All", server.service("carts")), &probe));
    let registered = webhook.register(&server.rest, &server.namespace, probe);
    let before = server.rest.get(&server.services()).ok()["items"].clone();
    let run = server.tidegate("shift carts orders queue --weights 80/20 --force").run();
    expect![[r#"
        virtualservice.networking.istio.io/carts   left alone
        virtualservice.networking.istio.io/orders  refused: the admission webhook validation.istio.io refused virtualservice.networking.istio.io/orders: orders stays as it is
        virtualservice.networking.istio.io/queue   left alone
        ------- stderr -------
        warning: forced: no destination rule of carts.NAMESPACE.svc.cluster.local has subsets, so `green` does not exist
        warning: forced: no destination rule of carts.NAMESPACE.svc.cluster.local has subsets, so `green` does not exist
        warning: forced: no destination rule of carts.NAMESPACE.svc.cluster.local has subsets, so `green` does not exist
        error: 1 of 3 objects refused the change; all of them stand as they did before
        [exit status: 1]
    "#]].assert_eq(&server.anonymous(&run.to_string()));
    assert_eq!(server.rest.get(&server.services()).ok()["items"], before);
    registered.remove(&server.rest);
}

fn drift_is_told(server: &Server) {
    server.split("carts", &[("blue", Some(100)), ("green", Some(0))]);
    server.tidegate("shift carts --weights 80/20 --no-preflight").succeeds();
    let document = json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 70}]);
    server.rest.patch(&format!("{}?fieldManager=kubectl-edit", server.service("carts")), &document).ok();
    let run = server.tidegate("status carts").run();
    expect![[r#"
        NAME   ROUTE    DESTINATION  ROLE       WEIGHT  SHARE  READY      CHANGED
        carts  http[0]  blue         stable     70      77.8%  <unknown>  AGE by kubectl-edit
        carts  http[0]  green        candidate  20      22.2%  <unknown>  AGE by kubectl-edit
        ------- stderr -------
        1 service, 1 release in progress (carts, since TIME)
        carts was changed outside of its release by kubectl-edit at TIME
    "#]]
    .assert_eq(&server.anonymous(&run.to_string()));
    // The way back is not in its way: only weights were changed.
    let run = server.tidegate("rollback carts").run();
    expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 70 -> 100, green 20 -> 0
    "#]]
    .assert_eq(&server.anonymous(&run.to_string()));
    assert_eq!(weights(server, "carts"), "100/0");
}

const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: carts, namespace: NAMESPACE}
spec:
  selector: {app: carts}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: carts, namespace: NAMESPACE}
spec:
  host: carts
  subsets:
  - {name: blue, labels: {version: blue}}
  - {name: green, labels: {version: green}}
  - {name: red, labels: {version: red}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: carts, namespace: NAMESPACE}
spec:
  hosts: [carts]
  http:
  - route:
    - {destination: {host: carts, subset: blue, port: {number: 80}}}
";

fn deployment(color: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: carts-{color}, namespace: NAMESPACE}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: carts, version: {color}}}}}
  template:
    metadata: {{labels: {{app: carts, version: {color}}}}}
    spec:
      containers:
      - {{name: carts, image: \"example/carts:1\", ports: [{{containerPort: 8080}}]}}
"
    )
}

fn a_release_with_checks(server: &Server) {
    server.manifests(SHOP);
    server.manifests(&deployment("blue"));
    server.manifests(&deployment("green"));
    let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", server.namespace);
    eventually("four endpoints are ready", || {
        let list = server.rest.get(&slices).ok();
        let endpoints = list["items"][0]["endpoints"].as_array()?;
        (endpoints.iter().filter(|endpoint| endpoint["conditions"]["ready"] == true).count() == 4).then_some(())
    });
    let run = |line: &str| server.anonymous(&server.tidegate(line).run().to_string());
    expect![[r#"
        ------- stderr -------
        error: carts.NAMESPACE.svc.cluster.local has no subset `gren`; its destination rules have blue, green, red
        hint: did you mean `green`?
        [exit status: 5]
    "#]]
    .assert_eq(&run("shift carts --weights blue=80,gren=20"));
    expect![[r#"
        ------- stderr -------
        error: red of `carts` has no pod
        hint: `--force` shifts all the same: these requests would be answered 503
        [exit status: 1]
    "#]]
    .assert_eq(&run("shift carts --weights blue=80,red=20"));
    expect![[r#"
        context CONTEXT, namespace NAMESPACE
          carts  http[0]  blue 100 -> 80   green 0 -> 20
        virtualservice.networking.istio.io/carts shifted (dry run): blue 100 -> 80, green 0 -> 20
    "#]]
    .assert_eq(&run("shift carts --weights blue=80,green=20 --dry-run"));
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]
    .assert_eq(&run("shift carts --weights blue=80,green=20"));
    let object = server.rest.get(&server.service("carts")).ok();
    assert_eq!(
        object["spec"]["http"][0]["route"],
        json!([
            {"destination": {"host": "carts", "subset": "blue", "port": {"number": 80}}, "weight": 80},
            {"destination": {"host": "carts", "subset": "green", "port": {"number": 80}}, "weight": 20},
        ])
    );
    expect![[r#"
        NAME   ROUTE    DESTINATION  ROLE       WEIGHT  SHARE  READY  CHANGED
        carts  http[0]  blue         stable     80      80%    2/2    AGE by alice
        carts  http[0]  green        candidate  20      20%    2/2    AGE by alice
        ------- stderr -------
        1 service, 1 release in progress (carts, since TIME)
    "#]]
    .assert_eq(&run("status"));
    expect![[r#"
        virtualservice.networking.istio.io/carts promoted: blue 80 -> 0, green 20 -> 100
    "#]]
    .assert_eq(&run("promote carts"));
    expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 0 -> 100, green 100 -> 0
    "#]]
    .assert_eq(&run("rollback carts"));
}
