//! Where metrics come from, stored once.

use crate::support::stub::{Answer, Request, Stub};
use crate::support::*;

/// A Prometheus that lets in who knows the password.
fn prometheus(password: Option<&'static str>) -> Stub {
    Stub::new(move |request| {
        let given = request.headers.get("authorization").map(String::as_str);
        match given == password.map(|_| "Basic dXNlcjpzM2NyZXQ=") {
            true => {
                let result = json!([1, "1767225900"]);
                Answer::json(200, &json!({"status": "success", "data": {"resultType": "scalar", "result": result}}))
            }
            false => Answer::json(401, &json!({"error": "Unauthorized"})),
        }
    })
}

fn dynatrace(request: &Request) -> Answer {
    let known = request.headers.get("authorization").map(String::as_str) == Some("Api-Token dt0c01.SECRET");
    match known && request.target == "/api/v2/metrics?pageSize=1" {
        true => Answer::json(200, &json!({"totalCount": 1, "metrics": [{"metricId": "builtin:x"}]})),
        false => Answer::json(403, &json!({"error": {"code": 403, "message": "Token is missing required scope"}})),
    }
}

/// A run in a directory that has a settings file.
fn configure(line: &str, settings: &str) -> (Run, std::path::PathBuf) {
    let run = tidegate(&format!("configure monitoring {line}"));
    let file = run.home().join("tidegate.yaml");
    if !settings.is_empty() {
        std::fs::write(&file, settings).expect("a file");
    }
    (run, file)
}

/// Runs it, and compares what it says, how it ends, and what is then in `file`.
fn shown(run: &Run, file: &std::path::Path, expected: expect_test::Expect) {
    let output = run.command().output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read_to_string(file).unwrap_or_else(|_| "<no file>\n".into());
    let status = output.status.code().expect("a status");
    expected.assert_eq(&filter::filtered(&format!("{said}[exit status: {status}]\n---\n{text}")));
}

#[test]
fn an_address_that_answers_is_stored_in_the_settings() {
    let stub = prometheus(None);
    let url = format!("prometheus --prometheus http://127.0.0.1:{}", stub.port);
    let old = "# the shop's\nnamespace: shop # all of it\nprometheus: http://old:9090\nprometheus-token-file: old-token\n";
    let (run, file) = configure(&url, old);
    shown(
        &run,
        &file,
        expect![[r#"
        Prometheus answers; stored in tidegate.yaml
        [exit status: 0]
        ---
        # the shop's
        namespace: shop # all of it
        prometheus: http://SERVER
    "#]],
    );
    let (run, file) = configure("prometheus --prometheus http://127.0.0.1:1 --request-timeout 1s", old);
    shown(
        &run,
        &file,
        expect![[r#"
        error: cannot reach the metrics source 127.0.0.1:1: connection refused
        [exit status: 7]
        ---
        # the shop's
        namespace: shop # all of it
        prometheus: http://old:9090
        prometheus-token-file: old-token
    "#]],
    );
    let closed = prometheus(Some("s3cret"));
    let (run, file) = configure(&format!("prometheus --prometheus http://127.0.0.1:{}", closed.port), "");
    shown(
        &run,
        &file,
        expect![[r#"
        error: the metrics source lets nobody in: HTTP status 401: Unauthorized
        [exit status: 4]
        ---
        <no file>
    "#]],
    );
    let (run, file) = configure(&format!("prometheus --prometheus http://user:s3cret@127.0.0.1:{}", closed.port), "");
    shown(
        &run,
        &file,
        expect![[r#"
        error: an address with a password is not stored in a file of the project
        hint: put it into a file: `--prometheus-basic-file FILE`, or into the Secret: `--in-cluster`
        [exit status: 2]
        ---
        <no file>
    "#]],
    );
    let stub = Stub::new(dynatrace);
    let (run, file) = configure(&format!("dynatrace --dynatrace http://127.0.0.1:{}", stub.port), "");
    shown(
        &run.env("DT_API_TOKEN", "dt0c01.SECRET"),
        &file,
        expect![[r#"
        Dynatrace answers; stored in tidegate.yaml
        its token is not stored: DT_API_TOKEN holds it, as now
        [exit status: 0]
        ---
        dynatrace: http://SERVER
    "#]],
    );
    let (run, file) = configure(&format!("dynatrace --dynatrace http://127.0.0.1:{}", stub.port), "");
    shown(
        &run.env("DT_API_TOKEN", "dt0c01.WRONG"),
        &file,
        expect![[r#"
        error: Dynatrace refuses the API token: HTTP status 403: Token is missing required scope
        [exit status: 4]
        ---
        <no file>
    "#]],
    );
}

/// What is stored in the cluster is what `evaluate` uses.
#[test]
fn a_secret_keeps_the_address_and_the_password() {
    let sandbox = Sandbox::new();
    let (stub, other) = (prometheus(Some("s3cret")), Stub::new(dynatrace));
    let stored = |line: String| {
        let run = tidegate(&format!("-n sockshop-dev configure monitoring {line} --in-cluster")).on(&sandbox);
        std::fs::write(run.home().join("basic"), "user:s3cret\n").expect("a file");
        run.env("DT_API_TOKEN", "dt0c01.SECRET")
    };
    let url = format!("prometheus --prometheus http://127.0.0.1:{}", stub.port);
    stored(format!("{url} --prometheus-basic-file basic")).shows(expect![[r#"
        Prometheus answers; stored in the Secret sockshop-dev/tidegate-prometheus
    "#]]);
    stored(format!("{url} --prometheus-basic-file basic")).succeeds();
    stored(format!("dynatrace --dynatrace http://127.0.0.1:{}", other.port)).shows(expect![[r#"
        Dynatrace answers; stored in the Secret sockshop-dev/dynatrace
    "#]]);
    let asked = stub.requests().len();
    let run = tidegate(
        "-n sockshop-dev evaluate --gate slo.yaml --sli sli.yaml --start 2026-01-01T00:00:00Z --end 2026-01-01T00:05:00Z",
    );
    let run = run.on(&sandbox);
    std::fs::write(
        run.home().join("slo.yaml"),
        "objectives: [{sli: a, pass: [{criteria: ['>0']}]}]\ntotal_score: {pass: '90%'}\n",
    )
    .expect("a file");
    std::fs::write(run.home().join("sli.yaml"), "indicators: {a: up}\n").expect("a file");
    run.succeeds();
    assert_eq!(stub.requests().len(), asked + 1);
    // One that somebody else made stays.
    let theirs = json!({"metadata": {"name": "dynatrace"}, "data": {}});
    sandbox.rest.post("/api/v1/namespaces/sockshop-staging/secrets", &theirs).ok();
    let run = tidegate(&format!(
        "-n sockshop-staging configure monitoring dynatrace --in-cluster --dynatrace http://127.0.0.1:{}",
        other.port
    ));
    run.on(&sandbox).env("DT_API_TOKEN", "dt0c01.SECRET").shows(expect![[r#"
        ------- stderr -------
        error: the Secret sockshop-staging/dynatrace is somebody else's
        hint: `kubectl delete secret dynatrace -n sockshop-staging` makes room
        [exit status: 6]
    "#]]);
}

/// `keptn configure monitoring prometheus --project=sockshop --service=carts`.
#[test]
fn what_to_scrape_is_printed_and_written() {
    let sandbox = Sandbox::new();
    tidegate("configure monitoring prometheus --project=sockshop --service=carts -o yaml").on(&sandbox).shows(expect![[r##"
        # written by `tidegate configure monitoring`
        scrape_configs:
        - job_name: "carts-sockshop-dev"
          scrape_interval: 5s
          metrics_path: "/prometheus"
          static_configs:
          - targets: ["carts.sockshop-dev.svc.cluster.local:80"]
        - job_name: "carts-sockshop-production"
          scrape_interval: 5s
          metrics_path: "/prometheus"
          static_configs:
          - targets: ["carts.sockshop-production.svc.cluster.local:80"]
        - job_name: "carts-sockshop-staging"
          scrape_interval: 5s
          metrics_path: "/prometheus"
          static_configs:
          - targets: ["carts.sockshop-staging.svc.cluster.local:80"]
    "##]]);
    tidegate("configure monitoring prometheus --project=shop --service=carts -o yaml").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no namespace shop-STAGE has a service `carts`
        hint: name the stages: `--stage NAME`
        [exit status: 5]
    "#]]);
    let (run, _) = configure("prometheus --project shop --service carts --stage dev --stage staging --write jobs.yml", "");
    let file = run.home().join("jobs.yml");
    shown(
        &run,
        &file,
        expect![[r#"
        jobs.yml is written: name it in `scrape_config_files` of prometheus.yml
        [exit status: 0]
        ---
        # written by `tidegate configure monitoring`
        scrape_configs:
        - job_name: "carts-shop-dev"
          scrape_interval: 5s
          metrics_path: "/prometheus"
          static_configs:
          - targets: ["carts.shop-dev.svc.cluster.local:80"]
        - job_name: "carts-shop-staging"
          scrape_interval: 5s
          metrics_path: "/prometheus"
          static_configs:
          - targets: ["carts.shop-staging.svc.cluster.local:80"]
    "#]],
    );
    let (run, _) = configure("prometheus --project shop --service carts --stage dev --write jobs.yml", "");
    let file = run.home().join("jobs.yml");
    std::fs::write(&file, "scrape_configs: []\n").expect("a file");
    shown(
        &run,
        &file,
        expect![[r#"
        error: jobs.yml holds something else
        hint: name a file of its own, and that in `scrape_config_files` of prometheus.yml
        [exit status: 2]
        ---
        scrape_configs: []
    "#]],
    );
}
