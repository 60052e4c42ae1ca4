//! Requests that the API server passes on to pods and services: each is sent once, as it is, and nowhere else.

use crate::support::stub::{Answer, Stub, status};
use crate::support::*;
use http::{HeaderMap, HeaderValue, Method};
use std::path::Path;
use std::time::{Duration, Instant};
use tidegate::cluster::{Cluster, Options, Place, ServicePort};
use tidegate::core::delivery::pod::is_ready;
use tidegate::core::delivery::shipyard::TestStrategy;
use tidegate::core::delivery::tests::Suite;
use tidegate::error::{Error, Kind};
use tidegate::probe::probe;
use tidegate::web::{self, Call, Exchange};

const LIMIT: Duration = Duration::from_secs(30);

/// Does something with a connection, as a command does: on one thread.
pub fn connected<T>(kubeconfig: &Path, work: impl AsyncFnOnce(&Cluster) -> T) -> T {
    let options = Options { kubeconfig: Some(kubeconfig.to_owned()), request_timeout: LIMIT, ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let cluster = Cluster::connect(&options).await.expect("connected");
        work(&cluster).await
    })
}

fn at(namespace: &str, name: &str, port: u16) -> ServicePort {
    ServicePort { namespace: namespace.into(), name: name.into(), port }
}

fn relayed(kubeconfig: &Path, place: Place, call: Call) -> Result<web::Answer, Error> {
    connected(kubeconfig, async |cluster: &Cluster| cluster.relay(&place, call).await)
}

#[test]
fn a_request_arrives_as_it_is_but_for_what_means_the_api_server() {
    let stub = Stub::new(|request| match request.target.contains("/proxy/") {
        true => Answer::With(201, "X-Version: 7\r\n", "made".into()),
        false => Answer::json(200, &json!({})),
    });
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-test", "yes"),
        ("authorization", "Bearer stolen"),
        ("impersonate-user", "system:admin"),
        ("host", "carts.example.com"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let body = bytes::Bytes::from_static(b"{\"itemId\": 1}");
    let call = Call { method: Method::POST, headers, body, ..Call::get("/carts/1/items?x=%2e%2e", LIMIT) };
    let answer = relayed(&stub.kubeconfig(), Place::Pod(at("shop", "carts-blue-1", 8080)), call).expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (201, "made"));
    assert_eq!(answer.headers.get("x-version"), Some(&HeaderValue::from_static("7")));
    assert_eq!(stub.log(), "POST /api/v1/namespaces/shop/pods/carts-blue-1:8080/proxy/carts/1/items?x=%2e%2e\n");
    let sent = &stub.requests()[0];
    assert_eq!(sent.body, b"{\"itemId\": 1}");
    let header = |name: &str| sent.headers.get(name).map(String::as_str);
    assert_eq!((header("x-test"), header("content-type")), (Some("yes"), Some("application/json")));
    assert_eq!((header("authorization"), header("impersonate-user")), (Some("Bearer t"), None));
    assert_eq!(header("host"), Some(format!("127.0.0.1:{}", stub.port).as_str()));
}

#[test]
fn no_path_leads_out_of_the_proxy() {
    let stub = Stub::new(|_| Answer::json(200, &json!({})));
    for path in ["/../../../secrets", "/a/%2e%2e/b", "/%2E./x", "/a%2f..%2fb", "/a\\..\\b", "relative", ""] {
        let error = relayed(&stub.kubeconfig(), Place::Service(at("shop", "carts", 80)), Call::get(path, LIMIT));
        let error = error.expect_err(path);
        assert!(error.message.ends_with("is no path to ask for"), "{path}: {}", error.message);
    }
    assert_eq!(stub.log(), "", "nothing was sent");
}

#[test]
fn what_fails_is_not_tried_again() {
    for answer in [503, 429, 500] {
        let stub = Stub::new(move |_| Answer::With(answer, "Retry-After: 0\r\n", "no".into()));
        let call = Call::get("/", LIMIT);
        let answered = relayed(&stub.kubeconfig(), Place::Service(at("shop", "carts", 80)), call).expect("an answer");
        assert_eq!((answered.status, stub.requests().len()), (answer, 1));
    }
    let stub = Stub::new(|_| Answer::Hang);
    let call = Call::get("/", Duration::from_millis(200));
    let error = relayed(&stub.kubeconfig(), Place::Service(at("shop", "carts", 80)), call).expect_err("no answer");
    assert_eq!((error.kind, error.message.as_str()), (Kind::Unreachable, "no answer within 0.2 s"));
    assert_eq!(stub.requests().len(), 1);
}

#[test]
fn what_the_api_server_says_itself_is_an_error() {
    let told = |code: u16, reason: &'static str, message: &'static str| {
        let stub = Stub::new(move |_| status(code, reason, message));
        let error = relayed(&stub.kubeconfig(), Place::Pod(at("shop", "p", 1)), Call::get("/", LIMIT)).expect_err("a status");
        (error.kind, error.message)
    };
    let forbidden = "pods \"p\" is forbidden: User \"bob\" cannot get resource \"pods/proxy\"";
    assert_eq!(told(403, "Forbidden", forbidden), (Kind::Forbidden, format!("Error from server (Forbidden): {forbidden}")));
    let refused = "error trying to reach service: dial tcp 10.1.2.3:8080: connect: connection refused";
    assert_eq!(
        told(503, "ServiceUnavailable", refused),
        (Kind::Unreachable, "dial tcp 10.1.2.3:8080: connect: connection refused".into())
    );
}

#[test]
fn the_probe_asks_the_pods_of_a_version_without_traffic() {
    let sandbox = Sandbox::new();
    let selector = "/api/v1/namespaces/sockshop-staging/pods?labelSelector=deployment%3Dcarts-green";
    let pod = eventually("a ready pod", || {
        let pods = sandbox.rest.get(selector).ok();
        pods["items"].as_array()?.iter().find(|pod| is_ready(pod))?["metadata"]["name"].as_str().map(str::to_owned)
    });
    let place = Place::Pod(at("sockshop-staging", &pod, 8080));
    let text = "functional: {checks: [/carts/1/items]}\nperformance: {users: 2, loops: 5, think: 0s, requests: [/version]}";
    let suite = Suite::parse("tests.yaml", text).expect("a suite");
    let before = sandbox.requests().len();
    connected(&sandbox.kubeconfig, async |cluster: &Cluster| {
        let pass = |call: Call| -> Exchange<'_> {
            let place = place.clone();
            Box::pin(async move { cluster.relay(&place, call).await.map_err(|error| error.message) })
        };
        for (strategy, requests) in [(TestStrategy::Functional, 2), (TestStrategy::Performance, 11)] {
            let plan = suite.plan(strategy).expect("a plan");
            let tally = probe(&pass, plan, Instant::now() + LIMIT).await.expect("a tally");
            let report = plan.report(&tally, 0, 0);
            assert!(report.passed, "{}", report.reason);
            assert_eq!((report.requests, report.failed), (requests, 0), "{}", report.reason);
        }
    });
    let log = sandbox.requests()[before..].to_owned();
    assert_eq!(log.matches("/proxy/").count(), 13, "{log}");
}

#[test]
fn who_may_not_is_told_by_the_api_server() {
    let sandbox = Sandbox::new();
    let options = |context: &str| Options {
        kubeconfig: Some(sandbox.kubeconfig.clone()),
        context: Some(context.into()),
        request_timeout: LIMIT,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let cluster = Cluster::connect(&options("viewer")).await.expect("connected");
        let error = cluster.relay(&Place::Service(at("sockshop-staging", "carts", 80)), Call::get("/", LIMIT)).await;
        let error = error.expect_err("a viewer sees no application");
        assert_eq!(error.kind, Kind::Forbidden, "{}", error.message);
    });
}
