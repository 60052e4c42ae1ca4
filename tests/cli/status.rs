use crate::support::*;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

const NS: &str = "sockshop-production";

#[test]
fn one_service_is_shown_with_its_roles() {
    let sandbox = Sandbox::new();
    tidegate("shift orders --route everybody --weights 75/25").on(&sandbox).succeeds();
    tidegate("status orders").on(&sandbox).shows(expect![[r#"
        NAME    ROUTE    DESTINATION  ROLE       WEIGHT   SHARE  READY  CHANGED
        orders  http[0]  v2           candidate  <unset>  100%   3/3    AGE by alice
        orders  http[1]  v1           stable     75       75%    3/3    AGE by alice
        orders  http[1]  v2           candidate  25       25%    3/3    AGE by alice
        ------- stderr -------
        1 service, 1 release in progress (orders, since TIME)
    "#]]);
    tidegate("status orders -o wide").on(&sandbox).shows(expect![[r#"
        NAME    ROUTE    DESTINATION  ROLE       WEIGHT   SHARE  READY  CHANGED                        HOST                                          ROUTE-NAME  ONLY           RELEASE                               MANAGED-BY
        orders  http[0]  v2           candidate  <unset>  100%   3/3    TIME by alice  orders.sockshop-production.svc.cluster.local  testers     X-group: test  orders-STAMP (progressing)  <none>
        orders  http[1]  v1           stable     75       75%    3/3    TIME by alice  orders.sockshop-production.svc.cluster.local  everybody   <none>         orders-STAMP (progressing)  <none>
        orders  http[1]  v2           candidate  25       25%    3/3    TIME by alice  orders.sockshop-production.svc.cluster.local  everybody   <none>         orders-STAMP (progressing)  <none>
        ------- stderr -------
        1 service, 1 release in progress (orders, since TIME)
    "#]]);
    tidegate("status orders -o name").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/orders
    "#]]);
    tidegate("status orders -o json").on(&sandbox).shows(expect![[r#"
        [
          {
            "namespace": "sockshop-production",
            "name": "orders",
            "hosts": [
              "orders.sockshop-production.svc.cluster.local"
            ],
            "routes": [
              {
                "route": "http[0]",
                "name": "testers",
                "only": "X-group: test",
                "reachable": true,
                "drifted": false,
                "destinations": [
                  {
                    "name": "v2",
                    "host": "orders.sockshop-production.svc.cluster.local",
                    "subset": "v2",
                    "share": 1.0,
                    "role": "candidate",
                    "ready": 3,
                    "endpoints": 3
                  }
                ]
              },
              {
                "route": "http[1]",
                "name": "everybody",
                "reachable": true,
                "drifted": false,
                "destinations": [
                  {
                    "name": "v1",
                    "host": "orders.sockshop-production.svc.cluster.local",
                    "subset": "v1",
                    "weight": 75,
                    "share": 0.75,
                    "role": "stable",
                    "ready": 3,
                    "endpoints": 3
                  },
                  {
                    "name": "v2",
                    "host": "orders.sockshop-production.svc.cluster.local",
                    "subset": "v2",
                    "weight": 25,
                    "share": 0.25,
                    "role": "candidate",
                    "ready": 3,
                    "endpoints": 3
                  }
                ]
              }
            ],
            "release": {
              "id": "orders-STAMP",
              "phase": "progressing",
              "since": "TIME",
              "by": "alice"
            },
            "changed": {
              "at": "TIME",
              "by": "alice"
            }
          }
        ]
    "#]]);
    tidegate("status vs/carts-db -o yaml").on(&sandbox).shows(expect![[r#"
        - namespace: sockshop-production
          name: carts-db
          hosts:
          - carts-db.sockshop-production.svc.cluster.local
          routes:
          - route: tcp[0]
            only: port 27017
            reachable: true
            drifted: false
            destinations:
            - name: carts-db
              host: carts-db.sockshop-production.svc.cluster.local
              share: 1.0
              ready: 1
              endpoints: 1
          changed:
            at: TIME
            by: kubectl-create
    "#]]);
}

#[test]
fn all_of_a_namespace_and_of_all() {
    let sandbox = Sandbox::new();
    tidegate("status").on(&sandbox).shows(expect![[r#"
        NAME      ROUTE    DESTINATION  ROLE    WEIGHT   SHARE  READY  CHANGED
        carts     http[0]  blue         <none>  100      100%   2/2    AGE by kubectl-create
        carts     http[0]  green        <none>  0        0%     2/2    AGE by kubectl-create
        carts-db  tcp[0]   carts-db     <none>  <unset>  100%   1/1    AGE by kubectl-create
        orders    http[0]  v2           <none>  <unset>  100%   3/3    AGE by kubectl-create
        orders    http[1]  v1           <none>  100      100%   3/3    AGE by kubectl-create
        orders    http[1]  v2           <none>  0        0%     3/3    AGE by kubectl-create
        ------- stderr -------
        3 services
    "#]]);
    let output = tidegate("status -A").on(&sandbox).succeeds();
    let first: Vec<&str> = output.stdout.lines().take(2).collect();
    assert!(first[0].starts_with("NAMESPACE            NAME                  ROUTE    DESTINATION"), "{output}");
    assert_eq!(output.stdout.lines().count(), 25);
    assert_eq!(output.stderr, "11 services\n");
    tidegate("status carts orders").on(&sandbox).shows(expect![[r#"
        NAME    ROUTE    DESTINATION  ROLE    WEIGHT   SHARE  READY  CHANGED
        carts   http[0]  blue         <none>  100      100%   2/2    AGE by kubectl-create
        carts   http[0]  green        <none>  0        0%     2/2    AGE by kubectl-create
        orders  http[0]  v2           <none>  <unset>  100%   3/3    AGE by kubectl-create
        orders  http[1]  v1           <none>  100      100%   3/3    AGE by kubectl-create
        orders  http[1]  v2           <none>  0        0%     3/3    AGE by kubectl-create
        ------- stderr -------
        2 services
    "#]]);
}

#[test]
fn nothing_is_no_failure() {
    let sandbox = Sandbox::empty();
    tidegate("status -n shop").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        No resources found in shop namespace.
    "#]]);
    tidegate("status -A").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        No resources found.
    "#]]);
    tidegate("status -n shop -o json").on(&sandbox).shows(expect![[r#"
        []
        ------- stderr -------
        No resources found in shop namespace.
    "#]]);
    tidegate("status -l a=b -A -o yaml").on(&sandbox).shows(expect![[r#"
        []
        ------- stderr -------
        No resources found.
    "#]]);
}

#[test]
fn what_stands_out_of_the_ordinary_is_said() {
    let sandbox = Sandbox::empty();
    let to = |subset: &str, weight: u32| json!({"destination": {"host": "carts", "subset": subset}, "weight": weight});
    virtual_service(
        &sandbox,
        "carts",
        json!({"hosts": ["carts"], "http": [
            {"match": [{"uri": {"prefix": "/gone"}}], "redirect": {"uri": "/"}},
            {"route": [to("blue", 1), to("green", 2)]},
            {"name": "dead", "route": [to("blue", 100), to("green", 0)]},
            {"route": []},
        ]}),
    );
    virtual_service(&sandbox, "bare", json!({"hosts": ["bare"]}));
    split(&sandbox, "odd", &[("blue", json!(-5)), ("green", json!(105))]);
    split(&sandbox, "fine", &[("blue", json!(9999)), ("green", json!(1))]);
    tidegate("status -n shop").on(&sandbox).shows(expect![[r#"
        NAME   ROUTE                  DESTINATION                   ROLE    WEIGHT  SHARE   READY      CHANGED
        bare   <none>                 <no routes>                   <none>  <none>  <none>  <none>     <unknown>
        carts  http[0]                <a redirect>                  <none>  <none>  <none>  <none>     AGE by tidegate-tests
        carts  http[1]                blue                          <none>  1       33.3%   <unknown>  AGE by tidegate-tests
        carts  http[1]                green                         <none>  2       66.7%   <unknown>  AGE by tidegate-tests
        carts  http[2] (unreachable)  blue                          <none>  100     100%    <unknown>  AGE by tidegate-tests
        carts  http[2] (unreachable)  green                         <none>  0       0%      <unknown>  AGE by tidegate-tests
        carts  http[3] (unreachable)  <no destinations>             <none>  <none>  <none>  <none>     AGE by tidegate-tests
        fine   http[0]                blue                          <none>  9999    >99.9%  <unknown>  AGE by tidegate-tests
        fine   http[0]                green                         <none>  1       <0.1%   <unknown>  AGE by tidegate-tests
        odd    http[0]                <route[0] has the weight -5>  <none>  <none>  <none>  <none>     AGE by tidegate-tests
        ------- stderr -------
        4 services
    "#]]);
}

#[test]
fn a_destination_in_another_namespace_is_counted() {
    let sandbox = Sandbox::new();
    let host = "carts.sockshop-production.svc.cluster.local";
    let spec = json!({"hosts": ["shop.example.com"], "gateways": ["edge"], "http": [{"route": [
        {"destination": {"host": host}, "weight": 100},
        {"destination": {"host": "nowhere.example.com"}, "weight": 0},
    ]}]});
    let object =
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "edge"}, "spec": spec});
    sandbox.rest.post("/apis/networking.istio.io/v1/namespaces/hands-on/virtualservices", &object).ok();
    tidegate("status edge -n hands-on").on(&sandbox).shows(expect![[r#"
        NAME  ROUTE    DESTINATION  ROLE    WEIGHT  SHARE  READY      CHANGED
        edge  http[0]  carts        <none>  100     100%   4/4        AGE by tidegate-tests
        edge  http[0]  nowhere      <none>  0       0%     <unknown>  AGE by tidegate-tests
        ------- stderr -------
        1 service
    "#]]);
}

#[test]
fn a_change_by_others_is_told_with_its_writer() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    let document = json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 100}]);
    sandbox.rest.patch(&format!("{}?fieldManager=kubectl-patch", sandbox::path(NS, "carts")), &document).ok();
    tidegate("status carts").on(&sandbox).shows(expect![[r#"
        NAME   ROUTE    DESTINATION  ROLE       WEIGHT  SHARE  READY  CHANGED
        carts  http[0]  blue         stable     100     83.3%  2/2    AGE by kubectl-patch
        carts  http[0]  green        candidate  20      16.7%  2/2    AGE by kubectl-patch
        ------- stderr -------
        1 service, 1 release in progress (carts, since TIME)
        carts was changed outside of its release by kubectl-patch at TIME
    "#]]);
    tidegate("status carts -o json").on(&sandbox).shows(expect![[r#"
        [
          {
            "namespace": "sockshop-production",
            "name": "carts",
            "hosts": [
              "carts.sockshop-production.203.0.113.10.xip.io",
              "carts.sockshop-production.svc.cluster.local"
            ],
            "routes": [
              {
                "route": "http[0]",
                "reachable": true,
                "drifted": true,
                "destinations": [
                  {
                    "name": "blue",
                    "host": "carts.sockshop-production.svc.cluster.local",
                    "subset": "blue",
                    "weight": 100,
                    "share": 0.8333333333333334,
                    "role": "stable",
                    "ready": 2,
                    "endpoints": 2
                  },
                  {
                    "name": "green",
                    "host": "carts.sockshop-production.svc.cluster.local",
                    "subset": "green",
                    "weight": 20,
                    "share": 0.16666666666666666,
                    "role": "candidate",
                    "ready": 2,
                    "endpoints": 2
                  }
                ]
              }
            ],
            "release": {
              "id": "carts-STAMP",
              "phase": "progressing",
              "since": "TIME",
              "by": "alice"
            },
            "changed": {
              "at": "TIME",
              "by": "kubectl-patch"
            }
          }
        ]
    "#]]);
    // The record knows the candidate all the same.
    tidegate("promote carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted: blue 100 -> 0, green 20 -> 100
    "#]]);
}

#[test]
fn who_may_not_read_endpoints_sees_the_rest() {
    let stub = stub::Stub::new(|request| {
        use stub::Answer;
        let object = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "carts", "namespace": "shop", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"hosts": ["carts"], "http": [{"route": [{"destination": {"host": "carts"}}]}]},
        });
        match request.target.split('?').next().unwrap_or_default() {
            "/apis/networking.istio.io/v1/namespaces/shop/virtualservices" => Answer::json(200, &json!({"items": [object]})),
            "/apis/networking.istio.io/v1/namespaces/shop/destinationrules" => Answer::json(200, &json!({"items": []})),
            path => Answer::json(
                403,
                &json!({
                    "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403,
                    "message": format!("{} is forbidden: no", path.rsplit('/').next().unwrap_or_default()),
                }),
            ),
        }
    });
    let output = tidegate("status").with(stub.kubeconfig()).run();
    // Which of the two lists is refused first is left to chance.
    let stderr = output.stderr.replace("pods is", "endpointslices is");
    assert_eq!(output.status, Some(0));
    expect![[r#"
        NAME   ROUTE    DESTINATION  ROLE    WEIGHT   SHARE  READY      CHANGED
        carts  http[0]  carts        <none>  <unset>  100%   <unknown>  <unknown>
    "#]]
    .assert_eq(&output.stdout);
    expect![[r#"
        warning: READY is unknown: Error from server (Forbidden): endpointslices is forbidden: no
        1 service
    "#]]
    .assert_eq(&stderr);
}

/// The lines of a run that goes on until it is told to stop.
struct Following {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
    _run: Run,
}

fn follow(run: Run) -> Following {
    let mut child = run.command().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let (sender, lines) = std::sync::mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(filter::filtered(&line))));
    Following { child, lines, _run: run }
}

impl Following {
    fn next(&self) -> String {
        self.lines.recv_timeout(run::DEADLINE).expect("a line in time")
    }

    fn interrupt(mut self) -> (Option<i32>, String) {
        interrupt(&self.child);
        let status = run::wait(&mut self.child);
        let mut stderr = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("readable");
        (status.code(), filter::filtered(&stderr))
    }
}

#[test]
fn watching_prints_every_change_to_a_pipe() {
    let sandbox = Sandbox::new();
    let following = follow(tidegate("status carts --watch").on(&sandbox));
    let first: Vec<String> = (0..3).map(|_| following.next()).collect();
    assert!(first[1].starts_with("carts  http[0]  blue         <none>  100     100%"), "{first:?}");
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    let second: Vec<String> = (0..3).map(|_| following.next()).collect();
    assert!(second[1].starts_with("carts  http[0]  blue         stable     80      80%"), "{second:?}");
    // Another service is none of its business.
    tidegate("shift orders --weights 80/20").on(&sandbox).succeeds();
    tidegate("shift carts --weights 70/30").on(&sandbox).succeeds();
    let third: Vec<String> = (0..3).map(|_| following.next()).collect();
    assert!(third[1].starts_with("carts  http[0]  blue         stable     70      70%"), "{third:?}");
    let (status, _) = following.interrupt();
    assert_eq!(status, Some(130));
}

#[test]
fn watching_as_json_is_a_document_a_line() {
    let sandbox = Sandbox::new();
    let following = follow(tidegate("status --watch -o json").on(&sandbox));
    let names: Vec<String> = (0..3)
        .map(|_| {
            let document: serde_json::Value = serde_json::from_str(&following.next()).expect("one document a line");
            document["name"].as_str().expect("a name").to_owned()
        })
        .collect();
    assert_eq!(names, ["carts", "carts-db", "orders"]);
    sandbox.rest.delete(&sandbox::path(NS, "carts-db")).ok();
    tidegate("shift orders --weights 60/40").on(&sandbox).succeeds();
    let document: serde_json::Value = serde_json::from_str(&following.next()).expect("one document a line");
    assert_eq!(document["routes"][1]["destinations"][1]["weight"], 40);
    let (status, stderr) = following.interrupt();
    assert_eq!(status, Some(130));
    assert!(stderr.starts_with("carts-db was deleted\n"), "{stderr}");
}

#[test]
fn a_reader_who_has_seen_enough_ends_the_watch() {
    let sandbox = Sandbox::new();
    let run = tidegate("status --watch").on(&sandbox);
    let line = format!("{} | head -1; echo ${{PIPESTATUS[0]}}", run.shell_line());
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &line]);
    run.prepare(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("bash runs");
    // Without another change there is no other line at which it could notice.
    let output = run::finish(child);
    assert_eq!(output.stderr, "");
    assert!(output.stdout.starts_with("NAME      ROUTE"), "{output}");
    assert!(output.stdout.ends_with("\n0\n"), "{output}");
}

#[test]
fn watching_on_a_terminal_draws_over_itself() {
    let sandbox = Sandbox::new();
    let mut terminal = tidegate("status carts --watch --color never").on(&sandbox).on_a_terminal();
    terminal.await_text("1 service");
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    terminal.await_text("candidate");
    terminal.press("\u{3}");
    let (screen, status) = terminal.end();
    assert_eq!(status, Some(130), "{screen}");
    // Up over header, two rows and the summary, and clear.
    assert!(screen.contains("\u{1b}[4A\u{1b}[J"), "{screen:?}");
}

#[test]
fn a_name_is_looked_for_in_all_namespaces() {
    let sandbox = Sandbox::new();
    sandbox.rest.post("/api/v1/namespaces", &json!({"metadata": {"name": "shop"}})).ok();
    split(&sandbox, "carts", &[("blue", json!(100)), ("green", json!(0))]);
    let output = tidegate("status carts -A -n hands-on").on(&sandbox).succeeds();
    for namespace in ["shop ", "sockshop-production "] {
        assert!(output.stdout.lines().any(|line| line.starts_with(namespace)), "{output}");
    }
    assert!(!output.stdout.contains("orders"), "{output}");
    tidegate("status carts nothing -A").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `nothing` in any namespace
        [exit status: 5]
    "#]]);
}

#[test]
fn piped_rows_fit_eighty_columns() {
    let sandbox = Sandbox::new();
    tidegate("shift orders --route everybody --weights 75/25").on(&sandbox).succeeds();
    let output = tidegate("status orders").on(&sandbox).succeeds();
    assert!(output.raw.lines().count() > 3, "{output}");
    assert!(output.raw.lines().all(|line| line.chars().count() <= 80), "{output}");
}
