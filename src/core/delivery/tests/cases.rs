//! What the suites, their counts and their words come to.

use super::*;
use crate::error::Kind;
use serde_json::json;

const WHOLE: &str = "\
timeout: 5s
functional:
  path: /ready
  checks:
  - /carts/1/items
  - {method: POST, path: /carts/1/items, headers: {Content-Type: application/json, X-Load: 1}, body: {itemId: a, price: 9.5}}
performance:
  users: 4
  duration: 1m30s
  think: 100ms
  allowedErrors: 2.5%
  requests: [/a, /b]
";

fn suite(text: &str) -> Suite {
    Suite::parse("tests.yaml", text).expect("a suite")
}

fn plan(text: &str, strategy: TestStrategy) -> TestPlan {
    suite(text).plan(strategy).expect("a plan").clone()
}

#[test]
fn a_suite_says_what_is_asked() {
    let functional = plan(WHOLE, TestStrategy::Functional);
    assert_eq!((functional.health.as_str(), functional.timeout), ("/ready", Duration::from_secs(5)));
    assert_eq!(functional.requests.len(), 2);
    let post = &functional.requests[1];
    assert_eq!((post.method.as_str(), post.body.as_str()), ("POST", r#"{"itemId":"a","price":9.5}"#));
    assert_eq!(post.headers[1], ("X-Load".into(), "1".into()));
    assert_eq!(
        functional.once().iter().map(Request::title).collect::<Vec<_>>(),
        ["GET /ready", "GET /carts/1/items", "POST /carts/1/items"]
    );
    let performance = plan(WHOLE, TestStrategy::Performance);
    let load = performance.load.expect("a load");
    assert_eq!((load.users, load.loops, load.duration), (4, None, Some(Duration::from_secs(90))));
    assert_eq!((load.think, load.allowed), (Duration::from_millis(100), 0.025));
    assert_eq!(performance.once().len(), 1, "the health check alone");
    assert_eq!(suite(WHOLE).plan(TestStrategy::None), None);
}

#[test]
fn what_is_built_in_is_what_keptn_did() {
    let built_in = Suite::built_in();
    let performance = built_in.plan(TestStrategy::Performance).expect("a plan");
    assert_eq!(performance.load, Some(Load::KEPTN));
    assert_eq!(Load::KEPTN.planned(performance.requests.len()), Some(5000));
    assert_eq!(performance.origin, "built in");
    assert_eq!(built_in.smoke().once(), [Request::get("/health")]);
}

#[test]
fn a_smoke_test_asks_the_version_itself() {
    let smoke = suite("through: ingress\nfunctional: {checks: [/x]}").smoke();
    assert_eq!((smoke.name.as_str(), smoke.through.clone(), smoke.once().len()), ("smoke", Through::Pods, 2));
    let program = suite("functional: {path: /up, command: [bash, test.sh]}");
    assert_eq!(program.smoke().once(), [Request::get("/up")], "a program is not run twice");
    assert_eq!(suite("functional: none").smoke().work, Work::Nothing);
}

#[test]
fn programs_and_jobs() {
    let both = suite("command: k6 run load.js\nperformance: {job: {image: 'k6:1', command: [k6, run, '$(TARGET_URL)']}}");
    let line = Work::Command(["sh", "-c", "k6 run load.js"].map(String::from).to_vec());
    assert_eq!(both.plan(TestStrategy::Functional).expect("a plan").work, line);
    let Work::Job(job) = &both.plan(TestStrategy::Performance).expect("a plan").work else { panic!("a job") };
    assert_eq!((job.image.as_str(), job.command.len(), job.keep), ("k6:1", 3, false));
    let list = plan("performance: {users: 3, loops: 7, command: [jmeter, -n]}", TestStrategy::Performance);
    assert_eq!(list.work, Work::Command(vec!["jmeter".into(), "-n".into()]));
}

#[test]
fn what_is_wrong_is_shown_where_it_stands() {
    let refused = |text: &str| {
        let error = Suite::parse("tests.yaml", text).expect_err("wrong");
        assert_eq!(error.kind, Kind::Usage);
        error.message
    };
    assert_eq!(
        refused("performance:\n  user: 3\n"),
        "tests.yaml:2:3: unknown key `user`; did you mean `users`?\n   2 |   user: 3\n     |   ^"
    );
    for (text, told) in [
        ("performance: {loops: 0}", "`loops` is a whole number from 1"),
        ("performance: {users: 1000000}", "more than 10000 users"),
        ("performance: {think: 3}", "`3` is not a duration"),
        ("performance: {allowedErrors: 10}", "write `10%` or `0%`"),
        ("performance: {allowedErrors: 101%}", "write `10%` or `0%`"),
        ("performance: {requests: []}", "at least one request"),
        ("functional: {checks: [health]}", "begins with `/`"),
        ("functional: {checks: [{path: x}]}", "begins with `/`"),
        ("functional: {checks: [{method: get, path: /x}]}", "in capitals"),
        ("functional: {checks: [{}]}", "a request has a `path`"),
        ("functional: {checks: /x}", "a list of paths"),
        ("functional: off please", "`none` to switch the test off"),
        ("command: []", "a list of words"),
        ("command: x\njob: {image: y}", "either a `command` or a `job`"),
        ("job: {command: [x]}", "a job has an `image`"),
        ("job: jmeter", "a map with `image` and `command`"),
        ("url: carts.example.com", "begins with http://"),
        ("url: http://x\nthrough: pods", "drop `through`"),
        ("through: gateway", "pods, service or ingress"),
        ("", "the file is empty"),
        ("users: 3", "unknown key `users`"),
        ("functional: {path: /x, path: /y}", "written twice"),
    ] {
        let message = refused(text);
        assert!(message.contains(told), "{text}: {message}");
    }
}

#[test]
fn the_environment_has_keptns_names() {
    let target = Target {
        project: "sockshop".into(),
        stage: "staging".into(),
        namespace: "sockshop-staging".into(),
        service: "carts".into(),
        image: "docker.io/keptnexamples/carts".into(),
        tag: Some("0.6.1".into()),
        host: "carts-canary".into(),
        port: 80,
        ..Target::default()
    };
    let plan = plan(WHOLE, TestStrategy::Performance);
    let environment = plan.environment(&target, "http://127.0.0.1:4711");
    let value = |name: &str| environment.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    for (name, wanted) in [
        ("TARGET_URL", "http://127.0.0.1:4711"),
        ("SERVER_URL", "127.0.0.1"),
        ("SERVER_PORT", "4711"),
        ("CHECK_PATH", "/health"),
        ("PROJECT", "sockshop"),
        ("STAGE", "staging"),
        ("SERVICE", "carts"),
        ("NAMESPACE", "sockshop-staging"),
        ("IMAGE", "docker.io/keptnexamples/carts"),
        ("TAG", "0.6.1"),
        ("VUCount", "4"),
        ("ThinkTime", "100"),
    ] {
        assert_eq!(value(name), wanted, "{name}");
    }
    assert_eq!(target.dns(), "carts-canary.sockshop-staging.svc.cluster.local");
    let secure = plan.environment(&target, "https://carts.example.com/base");
    assert!(secure.contains(&("SERVER_PORT".into(), "443".into())));
    assert!(secure.contains(&("SERVER_URL".into(), "carts.example.com".into())));
}

#[test]
fn variables_are_put_in_as_kubernetes_does() {
    let environment = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
    for (text, wanted) in
        [("-JA=$(A)", "-JA=1"), ("$(B)$(A)", "$(A)1"), ("$(C) $A $", "$(C) $A $"), ("$$(A)", "$(A)"), ("$(A", "$(A"), ("", "")]
    {
        assert_eq!(expand(text, &environment), wanted, "{text}");
    }
}

#[test]
fn jmeters_summary() {
    let line = "summary =   5000 in 00:02:10 =   38.5/s Avg:    12 Min:     3 Max:  1043 Err:    12 (0.24%)";
    let summary = Summary::parse(line).expect("a summary");
    assert_eq!(summary, Summary { requests: 5000, average: 12, max: 1043, failed: 12 });
    assert_eq!(Summary::parse(&line.replace("summary =", "summary +")), None);
    assert_eq!(Summary::parse("summary = of the day"), None);
    let nothing = "summary =      0 in 00:00:00 = ******/s Avg:     0 Min: 9223372036854775807 Max: -9223372036854775808 Err:     0 (0.00%)";
    assert_eq!(Summary::parse(nothing), Some(Summary { requests: 0, average: 0, max: 0, failed: 0 }));
    let plan = plan("performance: {command: jmeter}", TestStrategy::Performance);
    let report = |failure: Option<&str>, failed: u64| {
        let output = vec![line.replace("12 (", &format!("{failed} (")), "... end of run".into()];
        plan.report_of_output(failure.map(str::to_owned), output, 1, 2)
    };
    let idle = plan.report_of_output(None, vec![nothing.into()], 1, 2);
    assert_eq!((idle.passed, idle.reason.as_str()), (false, "performance: no request was sent (tests.yaml)"));
    let good = report(None, 500);
    assert!(good.passed, "{}", good.reason);
    assert_eq!((good.requests, good.failed), (5000, 500));
    let bad = report(None, 501);
    assert_eq!(bad.reason, "performance: 501 of 5000 requests failed (10.02 %, allowed 10 %) (tests.yaml)");
    assert!(!bad.passed);
    assert_eq!(report(Some("ended with exit code 3"), 0).reason, "performance: ended with exit code 3 (tests.yaml)");
}

#[test]
fn quantiles_are_at_most_a_thirty_second_too_high() {
    let mut state = 7_u64;
    let mut values: Vec<u64> = (0..5000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % (1 << (state >> 60))
        })
        .chain([0, 1, 63, 64, 65, 1 << 39, u64::from(u32::MAX)])
        .collect();
    let mut histogram = Histogram::default();
    values.iter().for_each(|value| histogram.add(Duration::from_micros(*value)));
    values.sort_unstable();
    for share in [0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0] {
        let place = ((values.len() as f64 * share).ceil() as usize).max(1) - 1;
        let (true_value, told) = (values[place], histogram.quantile(share));
        assert!(told >= true_value && told <= true_value + true_value / 32 + 1, "{share}: {true_value}, {told}");
    }
    histogram.add(Duration::MAX);
    assert_eq!(histogram.quantile(1.0), (1 << 40) - 1, "longer ones are counted as twelve days");
    assert_eq!(Histogram::default().latency(), None);
}

fn tally(good: u64, bad: u64) -> Tally {
    let mut tally = Tally::default();
    (0..good).for_each(|_| tally.add("GET /a", Duration::from_millis(10), Ok(())));
    (0..bad).for_each(|_| tally.add("GET /a", Duration::from_millis(10), Err("HTTP 500".into())));
    tally
}

#[test]
fn reports_say_why() {
    let functional = Suite::built_in().plan(TestStrategy::Functional).expect("a plan").clone();
    let performance = plan(WHOLE, TestStrategy::Performance);
    let told = |plan: &TestPlan, tally: &Tally| {
        let report = plan.report(tally, 1, 2);
        (report.passed, report.reason)
    };
    assert_eq!(told(&functional, &tally(3, 0)), (true, "functional: 3 of 3 checks ok (built in)".into()));
    assert_eq!(told(&functional, &tally(2, 1)), (false, "functional: 1 of 3 checks failed: GET /a: HTTP 500 (built in)".into()));
    let unhealthy = Tally { unhealthy: true, ..tally(0, 1) };
    assert_eq!(
        told(&performance, &unhealthy),
        (false, "performance: the health check failed: GET /a: HTTP 500 (tests.yaml)".into())
    );
    assert_eq!(
        told(&performance, &tally(1000, 25)),
        (
            true,
            "performance: 1025 requests, 25 failed (2.44 %, allowed 2.5 %), p50 10 ms, p95 10 ms, max 10 ms (tests.yaml)".into()
        )
    );
    assert_eq!(
        told(&performance, &tally(900, 100)),
        (false, "performance: 100 of 1000 requests failed (10 %, allowed 2.5 %), mostly HTTP 500 (tests.yaml)".into())
    );
    let late = Tally { late: true, ..tally(7, 1) };
    assert_eq!(
        told(&performance, &late),
        (false, "performance: did not end in time: 8 requests were sent, 1 of them failed: GET /a: HTTP 500 (tests.yaml)".into())
    );
    assert_eq!(told(&performance, &tally(1, 0)), (false, "performance: no request was sent (tests.yaml)".into()));
    assert!(!told(&functional, &Tally::default()).0, "nothing asked is nothing passed");
}

#[test]
fn failures_are_told_apart_in_bounded_memory() {
    let mut tally = Tally::default();
    (0..1000).for_each(|at| tally.add("GET /", Duration::ZERO, Err(format!("reason {at}"))));
    assert_eq!((tally.failed, tally.reasons.len()), (1000, 21));
    assert_eq!(tally.reasons["others"], 980);
    assert!(tally.is_lost(Some(9_999), 0.1) && !tally.is_lost(Some(10_000), 0.1) && !tally.is_lost(None, 0.0));
}

#[test]
fn a_job_has_the_same_environment_and_no_sidecar() {
    let target = Target { project: "p".into(), stage: "s".into(), service: "carts".into(), ..Target::default() };
    let plan = plan("performance: {job: {image: 'k6:1', env: {TAG: x, URL: '$(TARGET_URL)/a'}}}", TestStrategy::Performance);
    let Work::Job(work) = &plan.work else { panic!("a job") };
    let manifest = job::manifest("n", work, &plan, &target, "http://10.0.0.1:8080", 60);
    let container = &manifest["spec"]["template"]["spec"]["containers"][0];
    assert!(container.get("command").is_none(), "the image's own");
    let variables = container["env"].as_array().expect("a list");
    let value = |name: &str| -> Vec<&serde_json::Value> {
        variables.iter().filter(|one| one["name"] == name).map(|one| &one["value"]).collect()
    };
    assert_eq!(value("TAG"), [&json!("x")], "its own word counts");
    assert_eq!(value("URL"), [&json!("http://10.0.0.1:8080/a")]);
    assert_eq!(manifest["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"], "false");
    assert_eq!(manifest["spec"]["activeDeadlineSeconds"], 60);
    assert_eq!(manifest["metadata"]["labels"]["tidegate/service"], "carts");
}

#[test]
fn how_a_job_ended() {
    let job = |kind: &str, reason: &str| {
        let condition = json!({"type": kind, "status": "True", "reason": reason, "message": "Job has reached the limit"});
        job::ended(&json!({"status": {"conditions": [{"type": "Suspended", "status": "False"}, condition]}}))
    };
    assert_eq!(job("Complete", ""), Some(Ok(())));
    assert_eq!(job("Failed", "DeadlineExceeded"), Some(Err("did not end in time".into())));
    assert_eq!(job("Failed", "BackoffLimitExceeded"), Some(Err("Job has reached the limit".into())));
    assert_eq!(job("FailureTarget", ""), None, "it is about to fail");
    assert_eq!(job::ended(&json!({})), None);
    let waiting = json!({"status": {"containerStatuses": [
        {"name": "test", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}},
    ]}});
    assert_eq!(job::stuck(std::slice::from_ref(&waiting)).as_deref(), Some("ImagePullBackOff: manifest unknown"));
    assert_eq!(job::exit_code(&[waiting]), None);
    let ended = json!({"status": {"containerStatuses": [{"name": "test", "state": {"terminated": {"exitCode": 99}}}]}});
    assert_eq!(job::exit_code(std::slice::from_ref(&ended)), Some(99));
    assert_eq!(job::stuck(&[ended]), None);
}
