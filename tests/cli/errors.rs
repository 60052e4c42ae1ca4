//! What the server says no with.

use crate::support::stub::{Answer, Stub};
use crate::support::*;
use std::sync::atomic::{AtomicUsize, Ordering};

const NS: &str = "sockshop-production";

/// What a shift says where each of these is the answer of the server: all side by side, since some of it is waiting.
fn shifts_with(faults: &[&str]) -> String {
    let shift = |fault: &str| {
        let sandbox = Sandbox::with_faults(&[fault]);
        tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox).run().to_string()
    };
    std::thread::scope(|scope| {
        let runs: Vec<_> = faults.iter().map(|fault| scope.spawn(move || shift(fault))).collect();
        let told = |(fault, run): (&&str, std::thread::ScopedJoinHandle<'_, String>)| {
            format!("# {fault}\n{}", run.join().expect("it ran"))
        };
        faults.iter().zip(runs).map(told).collect()
    })
}

#[test]
fn each_refusal_of_a_read() {
    let faults = ["400@get", "401@get", "403@get", "409@get", "422@get", "429@get", "500@get", "503@get", "504@get"];
    expect![[r##"
        # 400@get
        ------- stderr -------
        Error from server (BadRequest): the server rejected our request for an unknown reason
        [exit status: 1]
        # 401@get
        ------- stderr -------
        error: You must be logged in to the server (Unauthorized)
        hint: check the user of the context: `kubectl config view --minify`
        [exit status: 4]
        # 403@get
        ------- stderr -------
        Error from server (Forbidden): forbidden: an injected fault
        hint: `tidegate help rbac` prints the role that is needed
        [exit status: 4]
        # 409@get
        ------- stderr -------
        Error from server (Conflict): Operation cannot be fulfilled on virtualservices.networking.istio.io "carts": the object has been modified; please apply your changes to the latest version and try again
        [exit status: 6]
        # 422@get
        ------- stderr -------
        Error from server (Invalid): the server rejected our request due to an error in our request
        [exit status: 1]
        # 429@get
        ------- stderr -------
        Error from server (TooManyRequests): the server has received too many requests and has asked us to try again later
        [exit status: 7]
        # 500@get
        ------- stderr -------
        Error from server (InternalError): Internal error occurred: an injected fault
        [exit status: 1]
        # 503@get
        ------- stderr -------
        Error from server (ServiceUnavailable): the server is currently unable to handle the request
        [exit status: 7]
        # 504@get
        ------- stderr -------
        Error from server (Timeout): the server was unable to return a response in the time allotted, but may still be processing the request
        [exit status: 7]
    "##]].assert_eq(&shifts_with(&faults));
}

#[test]
fn each_refusal_of_a_patch() {
    let faults = [
        "400@patch",
        "401@patch",
        "403@patch",
        "404@patch",
        "409@patch",
        "422@patch",
        "429@patch",
        "500@patch",
        "503@patch",
        "504@patch",
    ];
    expect![[r##"
        # 400@patch
        ------- stderr -------
        Error from server (BadRequest): the server rejected our request for an unknown reason
        [exit status: 1]
        # 401@patch
        ------- stderr -------
        error: You must be logged in to the server (Unauthorized)
        hint: check the user of the context: `kubectl config view --minify`
        [exit status: 4]
        # 403@patch
        ------- stderr -------
        Error from server (Forbidden): forbidden: an injected fault
        hint: `tidegate help rbac` prints the role that is needed
        [exit status: 4]
        # 404@patch
        ------- stderr -------
        error: `carts` was deleted while this ran; nothing was written
        [exit status: 6]
        # 409@patch
        ------- stderr -------
        Error from server (Conflict): Operation cannot be fulfilled on virtualservices.networking.istio.io "carts": the object has been modified; please apply your changes to the latest version and try again
        [exit status: 6]
        # 422@patch
        ------- stderr -------
        Error from server (Invalid): the server rejected our request due to an error in our request
        [exit status: 1]
        # 429@patch
        ------- stderr -------
        Error from server (TooManyRequests): the server has received too many requests and has asked us to try again later
        [exit status: 7]
        # 500@patch
        ------- stderr -------
        Error from server (InternalError): Internal error occurred: an injected fault; it was not carried out
        [exit status: 1]
        # 503@patch
        ------- stderr -------
        Error from server (ServiceUnavailable): the server is currently unable to handle the request; it was not carried out
        [exit status: 7]
        # 504@patch
        ------- stderr -------
        error: the API server SERVER did not answer the patch: the server was unable to return a response in the time allotted, but may still be processing the request; it was not carried out
        [exit status: 7]
    "##]].assert_eq(&shifts_with(&faults));
}

#[test]
fn what_passes_is_tried_again() {
    expect![[r#"
        # 409@patch:1
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
        # 429@patch:1
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
        # 503@patch:1
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
        # 429@get:1
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
        # 503@get:1
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]
    .assert_eq(&shifts_with(&["409@patch:1", "429@patch:1", "503@patch:1", "429@get:1", "503@get:1"]));
}

#[test]
fn the_server_says_how_long_to_wait() {
    let tries = AtomicUsize::new(0);
    let cluster = Stub::new(move |request| {
        if request.method == "GET" && tries.fetch_add(1, Ordering::Relaxed) == 0 {
            let busy =
                json!({"kind": "Status", "status": "Failure", "message": "too many requests", "reason": "TooManyRequests"});
            return Answer::With(429, "Retry-After: 1\r\nContent-Type: application/json\r\n", busy.to_string());
        }
        stub::mesh(request, "v1")
    });
    let started = std::time::Instant::now();
    tidegate("shift carts --weights 80/20 --no-preflight").with(cluster.kubeconfig()).succeeds();
    assert!(started.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!(cluster.requests().len(), 3);
}

#[test]
fn somebody_else_changes_the_weights_meanwhile() {
    // The PATCH waits; meanwhile the weights are changed.
    let sandbox = Sandbox::with_faults(&["latency=1500ms@patch:1"]);
    let run = tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox);
    let child = started(&run);
    eventually("it has read", || sandbox.requests().contains("GET").then_some(()));
    // A PUT, since the patches wait.
    let mut object = sandbox.service(NS, "carts");
    object["spec"]["http"][0]["route"][0]["weight"] = json!(60);
    object["spec"]["http"][0]["route"][1]["weight"] = json!(40);
    sandbox.rest.put(&format!("{}?fieldManager=kubectl-edit", sandbox::path(NS, "carts")), &object).ok();
    expect![[r#"
        ------- stderr -------
        error: `carts` was changed while this ran: http[0] blue 100 -> 60, http[0] green 0 -> 40 by kubectl-edit at TIME; nothing was written
        hint: look at it: `tidegate status carts`; then run this again
        [exit status: 6]
    "#]].assert_eq(&run::finish(child).to_string());
    assert_eq!(sandbox.weights(NS, "carts", 0), [60, 40]);
}

#[test]
fn somebody_else_wants_the_same() {
    let sandbox = Sandbox::with_faults(&["latency=1500ms@patch:1"]);
    let run = tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox);
    let child = started(&run);
    eventually("it has read", || sandbox.requests().contains("GET").then_some(()));
    let mut object = sandbox.service(NS, "carts");
    object["spec"]["http"][0]["route"][0]["weight"] = json!(80);
    object["spec"]["http"][0]["route"][1]["weight"] = json!(20);
    sandbox.rest.put(&sandbox::path(NS, "carts"), &object).ok();
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]
    .assert_eq(&run::finish(child).to_string());
}

#[test]
fn something_unrelated_changes_meanwhile() {
    let sandbox = Sandbox::with_faults(&["latency=1500ms@patch:1"]);
    let run = tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox);
    let child = started(&run);
    eventually("it has read", || sandbox.requests().contains("GET").then_some(()));
    // A route before it moves it to another place; an annotation breaks the guard that there are none.
    let mut object = sandbox.service(NS, "carts");
    object["metadata"]["annotations"] = json!({"note": "x"});
    let routes = object["spec"]["http"].as_array_mut().expect("routes");
    routes.insert(0, json!({"match": [{"uri": {"exact": "/health"}}], "directResponse": {"status": 200}}));
    sandbox.rest.put(&sandbox::path(NS, "carts"), &object).ok();
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]
    .assert_eq(&run::finish(child).to_string());
    assert_eq!(sandbox.weights(NS, "carts", 1), [80, 20]);
    assert_eq!(sandbox.service(NS, "carts")["metadata"]["annotations"]["note"], "x");
}

#[test]
fn the_object_is_deleted_meanwhile() {
    let sandbox = Sandbox::with_faults(&["latency=1500ms@patch:1"]);
    let run = tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox);
    let child = started(&run);
    eventually("it has read", || sandbox.requests().contains("GET").then_some(()));
    sandbox.rest.delete(&sandbox::path(NS, "carts")).ok();
    expect![[r#"
        ------- stderr -------
        error: `carts` was deleted while this ran; nothing was written
        [exit status: 6]
    "#]]
    .assert_eq(&run::finish(child).to_string());
}

#[test]
fn the_object_is_made_anew_meanwhile() {
    let sandbox = Sandbox::with_faults(&["latency=1500ms@patch:1"]);
    let run = tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox);
    let child = started(&run);
    eventually("it has read", || sandbox.requests().contains("GET").then_some(()));
    let object = sandbox.service(NS, "carts");
    sandbox.rest.delete(&sandbox::path(NS, "carts")).ok();
    let fresh = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "carts"}, "spec": object["spec"],
    });
    sandbox.rest.post(sandbox::path(NS, "").trim_end_matches('/'), &fresh).ok();
    expect![[r#"
        ------- stderr -------
        error: `carts` was deleted and created again while this ran; nothing was written
        hint: look at it: `tidegate status carts`; then run this again
        [exit status: 6]
    "#]]
    .assert_eq(&run::finish(child).to_string());
    assert_eq!(sandbox.weights(NS, "carts", 0), [100, 0]);
}

fn started(run: &Run) -> std::process::Child {
    use std::process::Stdio;
    run.command().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
}

#[test]
fn a_rollback_outlives_a_webhook_that_is_away() {
    use crate::support::webhook::{Verdict, Webhook};
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    let mut webhook = Webhook::new(|_| Verdict::Allow);
    let probe = json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 81}]);
    let probe = || drop(sandbox.rest.patch(&format!("{}?dryRun=All", sandbox::path(NS, "carts")), &probe));
    let registered = webhook.register(&sandbox.rest, NS, probe);
    webhook.down();
    let run = tidegate("rollback carts").on(&sandbox);
    let child = started(&run);
    eventually("it was refused once", || sandbox.requests().contains("?fieldManager=tidegate 500").then_some(()));
    registered.remove(&sandbox.rest);
    expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 80 -> 100, green 20 -> 0
        ------- stderr -------
        the API server cannot reach the admission webhook validation.istio.io (is istiod down?); nothing was written; trying again for 59 s
    "#]].assert_eq(&run::finish(child).to_string());
    assert_eq!(sandbox.weights(NS, "carts", 0), [100, 0]);
}

#[test]
fn a_success_that_is_no_object_is_none() {
    for body in ["[]", "{}", r#"{"error":"please log in"}"#, "", "null"] {
        let cluster = Stub::new(move |request| match request.method.as_str() {
            "PATCH" => Answer::With(200, "Content-Type: application/json\r\n", body.into()),
            _ => stub::mesh(request, "v1"),
        });
        let output = tidegate("shift carts --weights 80/20 --no-preflight").with(cluster.kubeconfig()).run();
        assert_eq!((output.status, output.stdout.as_str()), (Some(7), ""), "{body}: {output}");
        assert!(output.stderr.contains("what answers is not a Kubernetes API server"), "{output}");
        assert!(output.stderr.contains("it was not carried out"), "{output}");
    }
}

#[test]
fn a_failure_behind_the_server_is_looked_into() {
    for (code, after) in [(500, 20), (502, 20), (503, 20), (500, 0), (502, 0), (503, 0)] {
        let patched = std::sync::atomic::AtomicBool::new(false);
        // What was carried out although the answer says otherwise is read afterwards.
        let kept = std::sync::Mutex::new(None::<serde_json::Value>);
        let cluster = Stub::new(move |request| {
            if request.method == "PATCH" {
                let document: tidegate::core::patch::Patch = serde_json::from_slice(&request.body).expect("a patch");
                let Answer::With(_, _, text) = stub::mesh(&stub::Request { method: "GET".into(), ..request.clone() }, "v1")
                else {
                    unreachable!("it answers")
                };
                let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                if after > 0 && !patched.swap(true, Ordering::Relaxed) {
                    *kept.lock().expect("not poisoned") = document.applied(&object);
                }
                return stub::status(code, "ServerError", "it broke in the middle");
            }
            let path = request.target.split('?').next().unwrap_or_default();
            match kept.lock().expect("not poisoned").as_ref().filter(|_| path.ends_with("virtualservices/carts")) {
                Some(object) => Answer::json(200, object),
                None => stub::mesh(request, "v1"),
            }
        });
        let output = tidegate("shift carts --weights 80/20 --no-preflight").with(cluster.kubeconfig()).run();
        match after {
            0 => {
                assert_eq!(output.status, Some(if code == 500 { 1 } else { 7 }), "{output}");
                assert!(output.stderr.contains("it broke in the middle; it was not carried out"), "{output}");
            }
            _ => assert_eq!(
                output.to_string(),
                "virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20\n"
            ),
        }
    }
}
