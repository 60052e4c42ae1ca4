//! What `status` and `history` say of deliveries.

use super::*;
use crate::support::run::{finish, wait};
use serde_json::Value;

const STAGING: &str = "--stage staging --until staging";

/// Run ids, ports, and who drives from where, are not the same twice.
fn settled(text: &str) -> String {
    let text = regex::Regex::new(r"(?m)(\brun |^)[0-9a-f]{8}\b").expect("a pattern").replace_all(text, "${1}ID");
    let text = regex::Regex::new(r"xip\.io:\d+").expect("a pattern").replace_all(&text, "xip.io:PORT");
    let driver = regex::Regex::new(r"alice@[^ ;]+").expect("a pattern");
    driver.replace_all(&text, "alice@HOST").into_owned()
}

fn status(sandbox: &Sandbox, flags: &str) -> Value {
    let output = tidegate(&format!("status {flags} -o json")).on(sandbox).succeeds();
    serde_json::from_str(&output.raw).expect("JSON")
}

#[test]
fn the_status_of_a_projects_service_says_where_it_is_reached() {
    let sandbox = sockshop();
    let output = tidegate("status carts").on(&sandbox).succeeds();
    expect![[r#"
        NAME   ROUTE    DESTINATION  ROLE    WEIGHT  SHARE  READY  CHANGED
        carts  http[0]  blue         <none>  100     100%   2/2    AGE by kubectl-create
        carts  http[0]  green        <none>  0       0%     2/2    AGE by kubectl-create

        PROJECT   STAGE       SERVICE  URL
        sockshop  production  carts    http://carts.sockshop-production.203.0.113.10.xip.io:PORT
        ------- stderr -------
        1 service
    "#]]
    .assert_eq(&settled(&output.to_string()));
    let url = status(&sandbox, "carts")[0]["url"].to_string();
    assert!(url.starts_with(r#""http://carts.sockshop-production.203.0.113.10.xip.io:"#), "{url}");
    // The address of the ingress is a convenience.
    sandbox.rest.delete("/api/v1/namespaces/istio-system/services/istio-ingressgateway").ok();
    assert_eq!(status(&sandbox, "carts")[0]["url"], "http://carts.sockshop-production.203.0.113.10.xip.io");
    assert_eq!(status(&sandbox, "-n hands-on")[0].get("url"), None, "no project's");
}

#[test]
fn a_delivery_that_waits_is_shown_wherever_its_service_is() {
    let sandbox = asking();
    let run = send("0.6.2", "--allow-no-gate").on(&sandbox);
    let child = background(&run);
    until(&sandbox, "waiting", "approval");
    let driven = tidegate("status carts").on(&sandbox).succeeds();
    expect![[r#"
        NAME   ROUTE    DESTINATION  ROLE    WEIGHT  SHARE  READY  CHANGED
        carts  http[0]  blue         <none>  100     100%   2/2    AGE by kubectl-create
        carts  http[0]  green        <none>  0       0%     2/2    AGE by kubectl-create

        PROJECT   STAGE       SERVICE  URL
        sockshop  production  carts    http://carts.sockshop-production.203.0.113.10.xip.io:PORT

        carts 0.6.2 is on its way through sockshop (run ID, sent at TIME by alice)
          production, approval: waits for a person's approval; alice@HOST drives it
          go on: `tidegate approve carts --project sockshop`
          go back: `tidegate abort carts --project sockshop`
        ------- stderr -------
        1 service
    "#]]
    .assert_eq(&settled(&driven.to_string()));
    let shown = status(&sandbox, "carts -n sockshop-dev");
    let delivery = &shown[0]["delivery"];
    assert_eq!(
        (&delivery["stage"], &delivery["phase"], &delivery["driven"]),
        (&json!("production"), &json!("approval"), &json!(true))
    );
    let all = tidegate("status -A").on(&sandbox).succeeds();
    assert_eq!(all.stdout.matches("is on its way").count(), 1, "once, though it concerns several stages: {all}");
    interrupt(&child);
    assert_eq!(finish(child).status, Some(130));

    let left = tidegate("status carts -o wide").on(&sandbox).succeeds();
    assert!(left.stdout.contains("waits for a person's approval; nobody drives it"), "{left}");
    assert_eq!(status(&sandbox, "orders")[0].get("delivery"), None, "another service");
    tidegate("approve carts -p sockshop").on(&sandbox).succeeds();
    let over = status(&sandbox, "carts");
    assert_eq!((over[0].get("delivery"), &over[0]["stage"]), (None, &json!("production")));
}

#[test]
fn a_delivery_that_nobody_drives_says_how_to_go_on() {
    let sandbox = sockshop();
    let run = send("0.6.1", &format!("{STAGING} --share 10")).on(&sandbox);
    let mut child = background(&run);
    until(&sandbox, "running", "tests");
    child.kill().expect("it runs");
    wait(&mut child);
    // A lease that was not let go counts until it is not renewed any more.
    let delivery = eventually("the lease has run out", || {
        let shown = status(&sandbox, "carts -n sockshop-staging");
        let delivery = &shown[0]["delivery"];
        (delivery["driven"] == false).then(|| delivery.clone())
    });
    expect![[r#"
        {
          "run": "UID",
          "image": "docker.io/keptnexamples/carts:0.6.1",
          "status": "running",
          "stage": "staging",
          "phase": "tests",
          "waitsFor": "its tests",
          "started": "TIME",
          "by": "alice",
          "driven": false,
          "continue": "tidegate resume carts --project sockshop",
          "abort": "tidegate abort carts --project sockshop"
        }"#]]
    .assert_eq(&settled(&filter::filtered(&serde_json::to_string_pretty(&delivery).expect("JSON"))));
    let yaml = tidegate("status carts -n sockshop-staging -o yaml").on(&sandbox).succeeds();
    assert!(yaml.stdout.contains("    continue: tidegate resume carts --project sockshop\n"), "{yaml}");
    let command = delivery["abort"].as_str().expect("a command").trim_start_matches("tidegate ");
    tidegate(command).on(&sandbox).succeeds();
    assert_eq!(status(&sandbox, "carts -n sockshop-staging")[0].get("delivery"), None);
}

#[test]
fn deliveries_cost_the_same_however_many_services_there_are() {
    let sandbox = sockshop();
    send("0.6.2", "--until dev").on(&sandbox).succeeds();
    let of = |line: &str| {
        let requests = sandbox.requests_of(|| drop(tidegate(line).on(&sandbox).succeeds()));
        let about = ["/namespaces?", "configmaps", "leases", "/services?"];
        let mut own: Vec<String> =
            requests.lines().filter(|line| about.iter().any(|word| line.contains(word))).map(str::to_owned).collect();
        own.sort();
        own.join("\n")
    };
    expect![[r#"
        GET /api/v1/namespaces/istio-system/services?limit=500&labelSelector=istio%3Dingressgateway 200
        GET /api/v1/namespaces/sockshop-dev/configmaps?limit=500&labelSelector=tidegate%2Frun%2Ctidegate%2Fstatus%20in%20%28running%2Cwaiting%2Cstuck%29 200
        GET /api/v1/namespaces?limit=500&labelSelector=tidegate%2Fproject 200
        GET /apis/coordination.k8s.io/v1/namespaces/sockshop-dev/leases?limit=500&labelSelector=app.kubernetes.io%2Fmanaged-by%3Dtidegate 200"#]].assert_eq(&of("status -A"));
    expect![[r#"
        GET /api/v1/namespaces/istio-system/services?limit=500&labelSelector=istio%3Dingressgateway 200
        GET /api/v1/namespaces/sockshop-dev/configmaps?limit=500&labelSelector=tidegate%2Frun%2Ctidegate%2Fstatus%20in%20%28running%2Cwaiting%2Cstuck%29 200
        GET /api/v1/namespaces?limit=500&labelSelector=tidegate%2Fproject 200
        GET /apis/coordination.k8s.io/v1/namespaces/sockshop-dev/leases?limit=500&labelSelector=app.kubernetes.io%2Fmanaged-by%3Dtidegate 200"#]].assert_eq(&of("status carts -n sockshop-staging"));
    expect!["GET /api/v1/namespaces?limit=500&labelSelector=tidegate%2Fproject 200"].assert_eq(&of("status -n hands-on"));
    assert_eq!(of("shift carts -n sockshop-staging --weights 80/20"), "");
}

/// A server with one service of a project, on which the lists of `refused` are forbidden.
fn refusing(refused: &'static [&'static str]) -> stub::Stub {
    stub::Stub::new(move |request| {
        let service = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "carts", "namespace": "shop", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"hosts": ["carts", "carts.example.com"], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "carts"}}]}]},
        });
        let namespace = json!({"metadata": {"name": "shop", "labels": {"tidegate/project": "p", "tidegate/stage": "dev"}}});
        let last = request.target.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        match last {
            kind if refused.contains(&kind) => stub::Answer::json(
                403,
                &json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"}),
            ),
            "carts" => stub::Answer::json(200, &service),
            "namespaces" => stub::Answer::json(200, &json!({"items": [namespace]})),
            _ => stub::Answer::json(200, &json!({"items": []})),
        }
    })
}

#[test]
fn who_may_not_read_projects_sees_the_rest() {
    let shown = |refused: &'static [&'static str]| {
        let server = refusing(refused);
        let output = tidegate("status carts -o json").with(server.kubeconfig()).run();
        assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{output}");
        let shown: Value = serde_json::from_str(&output.raw).expect("JSON");
        let history = tidegate("history carts").with(server.kubeconfig()).run();
        assert_eq!((history.status, history.stdout.as_str()), (Some(0), ""), "{history}");
        (shown[0]["name"].clone(), shown[0]["url"].clone())
    };
    assert_eq!(shown(&["namespaces"]), (json!("carts"), json!(null)));
    assert_eq!(shown(&["configmaps", "leases", "services"]), (json!("carts"), json!("http://carts.example.com")));
}

#[test]
fn a_watch_tells_of_deliveries() {
    let sandbox = asking();
    let run = tidegate("status carts --watch -o json").on(&sandbox);
    let mut child = background(&run);
    let output = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut lines =
        std::io::BufRead::lines(output).map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("JSON"));
    assert_eq!(lines.next().expect("a document").get("delivery"), None);
    let sent = send("0.6.2", "--allow-no-gate --no-wait").on(&sandbox).run();
    assert_eq!(sent.status, Some(13), "{sent}");
    let shown = lines.find(|shown| shown["delivery"]["status"] == "waiting").expect("a document");
    assert_eq!(shown["delivery"]["driven"], false);
    interrupt(&child);
    assert_eq!(wait(&mut child).code(), Some(130));
}

#[test]
fn the_history_has_the_deliveries_stage_by_stage() {
    let sandbox = sockshop();
    assert_eq!(send("0.6.1", STAGING).on(&sandbox).run().status, Some(10));
    send("0.6.2", "--until staging").on(&sandbox).succeeds();
    let output = tidegate("history carts -n sockshop-staging").on(&sandbox).succeeds();
    let text = settled(&output.to_string());
    let text = regex::Regex::new(r"\d+(\.\d+)? >= upperSevere").expect("a pattern").replace_all(&text, "N >= upperSevere");
    expect![[r#"
        REVISION  CHANGED                                 VERB     WEIGHTS                    REASON
        1         TIME by kubectl-create  found    http[0] blue 100, green 0  <none>
        2*        TIME by alice           promote  http[0] blue 0, green 100  carts 0.6.2 (run ID)

        RUN       VERSION  SENT                           STAGE    RESULT  ENDED                 GATE    WHY
        ID  0.6.1    TIME by alice  staging  failed  TIME  fail    score 0 of 100 is below 75: response_time (N >= upperSevere 800)
        ID  0.6.2    TIME by alice  dev      passed  TIME  <none>  functional: 1 of 1 checks ok (carts.tests.yaml)
        ID  0.6.2    TIME by alice  staging  passed  TIME  pass    score 100 of 100 reaches 90
    "#]].assert_eq(&text);
    let changes = tidegate("history carts -n sockshop-staging -o json").on(&sandbox).succeeds();
    let changes: Value = serde_json::from_str(&changes.raw).expect("JSON");
    assert!(changes[0]["revision"].is_number(), "{changes}");
    // Of a stage where nothing was changed there are deliveries all the same.
    let dev = tidegate("history carts -n sockshop-dev").on(&sandbox).succeeds();
    assert!(dev.stdout.starts_with("RUN "), "{dev}");
}
