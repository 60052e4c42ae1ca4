//! What `--require` asks, and of which window.

use crate::support::*;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A Prometheus that knows the time and no requests; it keeps what it was asked.
fn idle() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 8192];
            let length = stream.read(&mut request).unwrap_or(0);
            let line = String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned();
            let now = jiff::Timestamp::now().as_second();
            let body = match line.contains("query_range") {
                true => r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#.to_owned(),
                false => format!(
                    r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[{now},"{now}"]}}]}}}}"#
                ),
            };
            log.lock().expect("a log").push(line);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    (url, asked)
}

/// A window that moved along with the looks would be a new test at each of them.
#[test]
fn every_look_begins_where_the_first_one_did() {
    let sandbox = Sandbox::new();
    let (url, asked) = idle();
    let line = format!("evaluate orders --prometheus {url} --require success-rate>=99 --timeframe 5m --timeout 12s");
    let outcome = tidegate(&line).on(&sandbox).run();
    assert_eq!(outcome.status, Some(12), "{outcome:?}");
    let asked = asked.lock().expect("a log");
    let of = |key: &str| -> Vec<&str> {
        let ranges = asked.iter().filter(|line| line.contains("query_range"));
        ranges.filter_map(|line| line.split(['&', '?', ' ']).find_map(|field| field.strip_prefix(key))).collect()
    };
    let (starts, ends) = (of("start="), of("end="));
    assert!(starts.len() >= 2, "there were several looks: {asked:?}");
    assert!(starts.iter().all(|start| *start == starts[0]), "{starts:?}");
    assert!(ends.windows(2).all(|pair| pair[0] < pair[1]), "{ends:?}");
}

#[test]
fn envoys_statistics_are_asked_by_cluster() {
    let sandbox = Sandbox::new();
    let outcome =
        tidegate("evaluate carts --require error-rate<=1 --metrics envoy --candidate green --show-queries").on(&sandbox).run();
    assert!(
        outcome.stdout.contains(
            r#"envoy_cluster_upstream_rq{envoy_cluster_name=~"outbound\\|[0-9]+\\|green\\|carts\\.sockshop-production\\.svc\\.cluster\\.local;?"}"#
        ),
        "{outcome:?}"
    );
}

#[test]
fn prometheus_is_found_by_its_labels() {
    let sandbox = Sandbox::new();
    sandbox.rest.delete("/api/v1/namespaces/monitoring/services/prometheus-service");
    let ask = || tidegate("evaluate orders --require success-rate>=99 --timeout 2s --advisory").on(&sandbox).run();
    let outcome = ask();
    assert_eq!(outcome.status, Some(5), "{outcome}");
    assert!(outcome.stderr.contains("no Prometheus was found"), "{outcome}");

    let service = |name: &str| {
        json!({
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "prometheus"}},
            "spec": {"ports": [{"name": "grpc", "port": 10901}, {"name": "http-web", "port": 9095}]},
        })
    };
    let made =
        |namespace: &str| sandbox.rest.post(&format!("/api/v1/namespaces/{namespace}/services"), &service("prom-k8s")).ok();
    made("hands-on");
    let outcome = ask();
    assert!(outcome.stderr.contains("asking hands-on/prom-k8s through the API server"), "{outcome}");
    made("sockshop-production");
    let outcome = ask();
    assert_eq!(outcome.status, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("several Prometheus: hands-on/prom-k8s, sockshop-production/prom-k8s"), "{outcome}");
}
