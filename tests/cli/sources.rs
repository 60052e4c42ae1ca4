//! Where a gate's numbers come from, each source answering over the wire.

use crate::support::stub::{Answer, Request, Stub};
use crate::support::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const WINDOW: &str = "--start 2026-01-01T00:00:00Z --end 2026-01-01T00:05:00Z";

/// A run that grades one indicator, `a`, which must be 1 to 10; `sli` is its line of the SLI file.
fn graded(sli: &str, line: &str) -> Run {
    let run = tidegate(&format!("evaluate carts --gate slo.yaml --sli sli.yaml {WINDOW} {line}"));
    let slo = "objectives:\n- sli: a\n  pass: [{criteria: ['>=1', '<=10']}]\ntotal_score: {pass: '90%'}\n";
    std::fs::write(run.home().join("slo.yaml"), slo).expect("a file");
    std::fs::write(run.home().join("sli.yaml"), format!("indicators:\n  a: {sli}\n")).expect("a file");
    run
}

#[test]
fn a_number_out_of_a_web_page() {
    let stub = Stub::new(|request| match (request.target.as_str(), request.headers.get("x-key").map(String::as_str)) {
        ("/load/staging?full=1", Some("s3cret")) => Answer::json(200, &json!({"runs": [{"p95": 7.5}, {"p95": "9"}]})),
        _ => Answer::json(403, &json!({"error": "no"})),
    });
    let sli = |path: &str| {
        format!(
            "{{web: {{url: 'http://127.0.0.1:{}/load/$STAGE?full=1', headers: {{X-Key: '${{KEY}}'}}, jsonPath: '{path}'}}}}",
            stub.port
        )
    };
    let run = |path: &str| graded(&sli(path), "--stage staging -o wide").env("KEY", "s3cret");
    run("$.runs[0].p95").shows(expect![[r#"
        INDICATOR  VALUE  LIMIT           SCORE  STATUS  WHY    QUERY
        a          7.5    >=1 1, <=10 10  1/1    pass    holds  GET http://SERVER/load/staging?full=1 $.runs[0].p95
        pass: 100 % reaches 90
    "#]]);
    let outcome = run("$.runs[*].p95").run();
    assert!(outcome.status == Some(10) && outcome.stdout.contains("multiple values"), "{outcome:?}");
    let outcome = run("$.nothing").run();
    assert!(outcome.status == Some(10) && outcome.stdout.contains("did not return any values"), "{outcome:?}");
    let outcome = graded(&sli("$"), "--stage staging").env("KEY", "wrong").run();
    assert!(outcome.status == Some(10) && outcome.stdout.contains("HTTP status 403"), "{outcome:?}");
    let outcome = graded(&sli("$"), "--stage staging").run();
    assert!(outcome.status == Some(2) && outcome.stderr.contains("no variable `KEY`"), "{outcome:?}");
    let outcome = graded("{web: 'http://127.0.0.1:1/'}", "--request-timeout 1s").run();
    assert_eq!(outcome.status, Some(7), "{outcome:?}");
}

#[test]
fn a_number_that_a_program_prints() {
    let passes = |sli: &str| graded(sli, "--stage staging --project sockshop --label build=4").succeeds();
    passes("{command: [echo, '5']}");
    passes("{command: [sh, -c, 'test $PROJECT-$STAGE-$SERVICE = sockshop-staging-carts && echo $LABEL_build']}");
    passes("{command: {run: [sh, -c, 'exit 3'], value: exitCode}}");
    passes("{command: [sh, -c, 'expr $DURATION_SECONDS / 60']}");
    for (sli, says, code) in [
        ("{command: [sh, -c, 'echo no route >&2; exit 3']}", "exit code 3: no route", 10),
        ("{command: [echo, fine]}", "not a number", 10),
        ("{command: [no-such-program]}", "cannot run `no-such-program`", 2),
        ("{command: {run: [sleep, '60'], timeout: 100ms}}", "did not end within", 124),
    ] {
        let outcome = graded(sli, "").run();
        assert!(outcome.status == Some(code) && outcome.to_string().contains(says), "{sli}: {outcome:?}");
    }
}

/// What a program started goes with it.
#[test]
fn the_deadline_ends_a_program_and_its_children() {
    let run = graded("{command: [sh, -c, 'sleep 61.25 & echo $! > child; wait']}", "--timeout 500ms");
    let child = run.home().join("child");
    let mut command = run.command();
    let status = command.output().expect("the program runs").status;
    assert_eq!(status.code(), Some(124));
    let id = std::fs::read_to_string(child).expect("the child's id");
    eventually("the child is gone", || {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
        // A zombie waits for its parent to look.
        (state.is_empty() || state.contains(") Z ")).then_some(())
    });
}

/// Each source on its own: what one cannot say, the others do.
#[test]
fn one_source_away_leaves_the_others() {
    let perfspec = |url: &str| {
        let run = tidegate(&format!("evaluate --gate slo.yaml --sli sli.yaml --request-timeout 1s {WINDOW} --prometheus {url}"));
        let slo = "objectives: [{sli: a, pass: [{criteria: ['>0']}]}, {sli: b, pass: [{criteria: ['>0']}]}]\ntotal_score: {pass: '90%'}\n";
        std::fs::write(run.home().join("slo.yaml"), slo).expect("a file");
        std::fs::write(run.home().join("sli.yaml"), "indicators: {a: up, b: {command: [echo, '5']}}\n").expect("a file");
        run
    };
    let outcome = perfspec("http://127.0.0.1:1").run();
    assert_eq!(outcome.status, Some(10), "{outcome:?}");
    assert!(outcome.stdout.contains("cannot reach the metrics source"), "{outcome:?}");
}

/// What Prometheus answers to `up`.
fn five(request: &Request) -> Answer {
    match request.target.contains("/api/v1/query?query=up&time=1767225900.000&timeout=") {
        true => Answer::json(200, &vector()),
        false => Answer::json(400, &json!({"status": "error", "errorType": "bad_data", "error": "unexpected"})),
    }
}

fn vector() -> serde_json::Value {
    json!({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "5"]}]}})
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(String::as_str)
}

#[test]
fn prometheus_knows_who_asks() {
    let stub = Stub::new(|request| match header(request, "authorization") {
        Some("Bearer t0ken" | "Basic dXNlcjpzM2NyZXQ=") => five(request),
        _ => Answer::json(401, &json!({"error": "Unauthorized"})),
    });
    let url = format!("--prometheus http://127.0.0.1:{}", stub.port);
    let with = |line: &str, file: &str, text: &str| {
        let run = graded("up", &format!("{url} {line}"));
        std::fs::write(run.home().join(file), text).expect("a file");
        run
    };
    with("--prometheus-token-file token", "token", "t0ken\n").succeeds();
    with("--prometheus-basic-file basic", "basic", "user:s3cret\n").succeeds();
    graded("up", &url).env("TIDEGATE_PROMETHEUS_TOKEN", "t0ken").succeeds();
    graded("up", &url).env("TIDEGATE_PROMETHEUS_BASIC", "user:s3cret").succeeds();
    graded("up", &format!("--prometheus http://user:s3cret@127.0.0.1:{}", stub.port)).succeeds();
    let outcome = graded("up", &format!("--prometheus http://user:wr0ng@127.0.0.1:{}", stub.port)).run();
    assert!(outcome.status == Some(4) && outcome.stderr.contains("HTTP status 401: Unauthorized"), "{outcome:?}");
    assert!(!outcome.to_string().contains("wr0ng"), "{outcome:?}");
    let outcome = graded("up", "--prometheus user:wr0ng@127.0.0.1").run();
    assert!(outcome.status == Some(2) && !outcome.to_string().contains("wr0ng"), "{outcome:?}");
    // The settings' file says it, too; but its token is for its own address.
    let with = |line: &str, url: &str| {
        let run = with(line, "token", "t0ken\n");
        let text = format!("prometheus: {url}\nprometheus-token-file: token\n");
        std::fs::write(run.home().join("tidegate.yaml"), text).expect("a file");
        run
    };
    let run = graded("up", "");
    std::fs::write(run.home().join("token"), "t0ken").expect("a file");
    std::fs::write(
        run.home().join("tidegate.yaml"),
        format!("prometheus: http://127.0.0.1:{}\nprometheus-token-file: token\n", stub.port),
    )
    .expect("a file");
    run.succeeds();
    assert_eq!(with("", "http://127.0.0.1:1").run().status, Some(4));
}

#[test]
fn prometheus_is_shown_a_certificate() {
    let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).expect("names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("a certificate");
    let issuer = Issuer::from_params(&params, &key);
    let issue = || {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".into()]).expect("names");
        (params.signed_by(&key, &issuer).expect("a certificate"), key)
    };
    let ((server, server_key), (client, client_key)) = (issue(), issue());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().expect("a verifier");
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der().clone()], PrivateKeyDer::try_from(server_key.serialize_der()).expect("a key"))
        .expect("a server");
    let stub = Stub::with_tls(tls, five);
    let with = |line: &str| {
        let run = graded("up", &format!("--prometheus https://127.0.0.1:{} --prometheus-ca ca {line}", stub.port));
        for (file, text) in [("ca", authority.pem()), ("cert", client.pem()), ("key", client_key.serialize_pem())] {
            std::fs::write(run.home().join(file), text).expect("a file");
        }
        run
    };
    with("--prometheus-cert cert --prometheus-key key").succeeds();
    assert_eq!(with("--request-timeout 1s").run().status, Some(7));
    let outcome = with("--prometheus-cert key --prometheus-key key").run();
    assert!(
        outcome.status == Some(2) && outcome.stderr.contains("the client certificate: there is no certificate in it"),
        "{outcome:?}"
    );
    assert_eq!(with("--prometheus-cert cert").run().status, Some(2));
}

#[test]
fn a_proxy_passes_requests_on() {
    let proxy = Stub::new(|request| match request.method.as_str() {
        "CONNECT" => Answer::With(403, "", String::new()),
        _ => match header(request, "proxy-authorization") == Some("Basic dTpw") {
            true => five(request),
            false => Answer::With(407, "", String::new()),
        },
    });
    let through = format!("http://u:p@127.0.0.1:{}", proxy.port);
    let url = "--prometheus http://prometheus.example:9090 --request-timeout 1s";
    graded("up", &format!("{url} --prometheus-proxy {through}")).succeeds();
    graded("up", url).env("HTTP_PROXY", &through).succeeds();
    assert!(proxy.log().starts_with("GET http://prometheus.example:9090/api/v1/query?"), "{}", proxy.log());
    let asked = proxy.requests().len();
    let outcome = graded("up", url).env("HTTP_PROXY", &through).env("NO_PROXY", ".example").run();
    assert_eq!((outcome.status, proxy.requests().len()), (Some(7), asked), "{outcome:?}");
    let outcome = graded("up", "--prometheus https://prometheus.example --request-timeout 1s").env("HTTPS_PROXY", &through).run();
    assert!(outcome.status == Some(7) && !outcome.to_string().contains("u:p"), "{outcome:?}");
    assert!(proxy.log().contains("CONNECT prometheus.example:443"), "{}", proxy.log());
    let outcome = graded("up", &format!("{url} --prometheus-proxy ftp://u:p@x")).run();
    assert!(outcome.status == Some(2) && !outcome.to_string().contains("u:p"), "{outcome:?}");
}

#[test]
fn a_busy_prometheus_is_asked_again_when_it_says() {
    let asked = AtomicUsize::new(0);
    let stub = Stub::new(move |request| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::With(429, "Retry-After: 1\r\n", String::new()),
        1 => Answer::With(500, "", String::new()),
        _ => five(request),
    });
    let url = format!("--prometheus http://127.0.0.1:{}", stub.port);
    graded("up", &url).succeeds();
    assert_eq!(stub.requests().len(), 3);
    let stub = Stub::new(|_| Answer::With(429, "Retry-After: 3600\r\n", String::new()));
    let outcome = graded("up", &format!("--prometheus http://127.0.0.1:{}", stub.port)).run();
    assert_eq!((outcome.status, stub.requests().len()), (Some(10), 1), "{outcome:?}");
    assert!(outcome.stdout.contains("HTTP status 429"), "{outcome:?}");
}

#[test]
fn what_prometheus_warns_of_is_said() {
    let stub = Stub::new(|_| {
        let mut answer = vector();
        answer["warnings"] = json!(["receive Series from Addr: store-2: context deadline exceeded"]);
        answer["infos"] = json!(["metric might not be a counter, name does not end in _total: \"x\""]);
        Answer::json(200, &answer)
    });
    let outcome = graded("up", &format!("--prometheus http://127.0.0.1:{}", stub.port)).succeeds();
    expect![[r#"
        warning: the metrics source says: metric might not be a counter, name does not end in _total: "x"
        warning: the metrics source says: receive Series from Addr: store-2: context deadline exceeded
    "#]]
    .assert_eq(&outcome.stderr);
}
