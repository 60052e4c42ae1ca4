//! Gate files of other programs, graded through the command.

use crate::support::stub::{Answer, Stub};
use crate::support::*;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};

fn fixture(name: &str) -> String {
    std::fs::read_to_string(crate::repository::within("fixtures/gates").join(name)).expect("a fixture")
}

/// A run with these files in its working directory.
fn evaluate(line: &str, files: &[(&str, &str)]) -> Run {
    let run = tidegate(&format!("evaluate {line}"));
    files.iter().for_each(|(name, text)| std::fs::write(run.home().join(name), text).expect("a file"));
    run
}

/// A Prometheus that answers its queries with one value after the other, and then with the last one.
fn prometheus(values: &'static [&'static str]) -> (String, Stub) {
    let asked = AtomicUsize::new(0);
    let stub = Stub::new(move |_| {
        let value = values[asked.fetch_add(1, Ordering::Relaxed).min(values.len() - 1)];
        let series = json!([{"metric": {}, "value": [1, value]}]);
        Answer::json(200, &json!({"status": "success", "data": {"resultType": "vector", "result": series}}))
    });
    (format!("http://127.0.0.1:{}", stub.port), stub)
}

const WINDOW: &str = "--start 2026-01-01T00:00:00Z --end 2026-01-01T00:10:00Z";

#[test]
fn service_objectives_with_their_indicators() {
    let (objectives, indicators) = (fixture("service-objectives.yaml"), fixture("service-indicators.yaml"));
    let files = [("service-objectives.yaml", objectives.as_str()), ("service-indicators.yaml", indicators.as_str())];
    let values = r#"{"request_latency_seconds": 0.9, "request_latency_dt": 400}"#;
    evaluate("--gate service-objectives.yaml --sli service-indicators.yaml --values -", &files).stdin(values).shows(expect![[
        r#"
        INDICATOR                VALUE  LIMIT                SCORE  STATUS  WHY
        request_latency_seconds  0.9    upperSevere 0.8      0/50   fail    0.9 >= upperSevere 0.8
        request_latency_dt       400    upperSevere 1000000  50/50  pass    within its limits
        fail: score 50 of 100 is below 75: request_latency_seconds (0.9 >= upperSevere 0.8)
        [exit status: 10]
    "#
    ]]);
    evaluate("--gate service-objectives.yaml --values -", &files).stdin(values).shows(expect![[r#"
        ------- stderr -------
        error: service-objectives.yaml: a service-objectives.yaml has no indicators of its own
        hint: name the file that has them: `--sli service-indicators.yaml`
        [exit status: 2]
    "#]]);
    evaluate("--gate service-indicators.yaml --values -", &files).stdin(values).shows(expect![[r#"
        ------- stderr -------
        error: service-indicators.yaml: this is a service-indicators.yaml: it has queries, and no limits
        hint: name it with `--sli FILE`, and the file with the objectives with `--gate FILE`
        [exit status: 2]
    "#]]);
    let queries =
        evaluate("--gate service-objectives.yaml --sli service-indicators.yaml --stage dev --show-queries", &files).run();
    assert!(queries.stdout.contains("rate(requests_latency_seconds_sum{job='carts-dev'}[300s])"), "{queries:?}");
}

#[test]
fn an_analysis_takes_its_measurements_at_once() {
    let template = fixture("analysis-template.yaml");
    let (first, _) = template.split_once("  - name: smoke").expect("two metrics");
    let files = [("analysis.yaml", first)];
    // One of five may fail.
    let (url, asked) = prometheus(&["0.97", "0.995"]);
    let run = |line: &str| evaluate(&format!("--gate analysis.yaml {WINDOW} --arg service=carts {line}"), &files);
    run(&format!("--prometheus {url}")).shows(expect![[r#"
        INDICATOR     VALUE  LIMIT            SCORE  STATUS  WHY
        success-rate  0.995  success >= 0.99  1/1    pass    1 of 5 failed, 1 may
        `address` says nothing here: `--prometheus URL` and its flags say whom to ask
        pass: all of 1 successful
    "#]]);
    let asked = asked.log();
    let at = |time: &str| asked.lines().filter(|line| line.contains(&format!("time={time}"))).count();
    // 00:06 to 00:10, one a minute.
    for time in ["1767225960", "1767226020", "1767226080", "1767226140", "1767226200"] {
        assert_eq!(at(time), 1, "{asked:?}");
    }
    let (url, _stub) = prometheus(&["0.97"]);
    let failed = run(&format!("--prometheus {url} -o json --arg least-success=0.98")).run();
    assert_eq!(failed.status, Some(10), "{failed:?}");
    // The argument counts when it is graded again, too.
    let again = evaluate("--from-evidence evidence.json", &[("evidence.json", &failed.stdout)]).run();
    assert_eq!(again.status, Some(10), "{again:?}");
    let (url, _stub) = prometheus(&["NaN"]);
    assert_eq!(run(&format!("--prometheus {url}")).run().status, Some(12));
    evaluate("--gate analysis.yaml --prometheus http://127.0.0.1:1", &files).shows(expect![[r#"
        ------- stderr -------
        error: nothing is known for the argument `service`
        hint: give it: `--arg service=VALUE`
        [exit status: 2]
    "#]]);
}

#[test]
fn a_canary_is_held_against_its_ranges() {
    let canary = fixture("canary.yaml");
    let files = [("canary.yaml", canary.as_str())];
    let values = r#"{"request-success-rate": 98.5, "request-duration": 210, "not-found": 0.4}"#;
    evaluate("--gate canary.yaml --values -", &files).stdin(values).shows(expect![[r#"
        INDICATOR             VALUE  LIMIT    SCORE  STATUS  WHY
        request-success-rate  98.5   min 99   0/1    fail    98.5 is below the least, 99
        request-duration      210    max 500  1/1    pass    within its range
        not-found             0.4    max 5    1/1    pass    within its range
        `address` says nothing here: `--prometheus URL` and its flags say whom to ask
        one check decides here: so many failed checks are not waited for
        fail: request-success-rate: 98.5 is below the least, 99
        [exit status: 10]
    "#]]);
    let (url, _stub) = prometheus(&["99.5"]);
    let outcome = evaluate(&format!("--gate canary.yaml {WINDOW} --prometheus {url} -o json"), &files).run();
    let result: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(
        (outcome.status, &result["verdict"], &result["format"]),
        (Some(10), &json!("fail"), &json!("flagger")),
        "{result}"
    );
    assert_eq!(result["reason"], "not-found: 99.5 is above the most, 5");
    let again = evaluate("--from-evidence evidence.json -o json", &[("evidence.json", &outcome.stdout)]).run();
    assert_eq!(again.stdout, outcome.stdout);
}

/// flagger's own metrics, as the mesh of the sandbox has them.
#[test]
fn the_built_in_metrics_are_istios() {
    let sandbox = Sandbox::fast(60.0);
    let (_, canary) = fixture("canary.yaml").split_once("---\n").map(|(one, two)| (one.to_owned(), two.to_owned())).expect("two");
    let (built_in, _) = canary.split_once("    - name: not-found").expect("three metrics");
    let run = eventually("the candidate has a history", || {
        let outcome = tidegate(
            "evaluate --gate canary.yaml --arg namespace=sockshop-production --arg target=orders.* --timeout 25s -o json",
        );
        std::fs::write(outcome.home().join("canary.yaml"), built_in).expect("a file");
        let outcome = outcome.on(&sandbox).run();
        (outcome.status == Some(0)).then_some(outcome)
    });
    let result: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert!(result["indicators"][1]["values"][0]["value"].is_string(), "{result}");
}

#[test]
fn a_canary_configuration_judges_both_sides() {
    let config = fixture("canary-config.json");
    let files = [("canary-config.json", config.as_str())];
    let values = r#"{"latency": {"control": [10,11,9,10,12,10,11,9,10,11], "experiment": [20,21,19,20,22,20,21,19,20,21]},
        "errors": {"control": [0,0,1,0,0,1,0,0,0,1], "experiment": [0,0,1,0,0,1,0,0,0,1]}}"#;
    evaluate("--gate canary-config.json --values -", &files).stdin(values).shows(expect![[r#"
        INDICATOR  VALUE              LIMIT   SCORE  STATUS  WHY
        latency    20.3 against 10.3  <none>  0/1    fail    latency was classified as High
        errors     0.3 against 0.3    <none>  1/1    pass    The experiment and control data are identical
        fail: score 60 is below 75: latency was classified as High
        [exit status: 10]
    "#]]);
    evaluate("--gate canary-config.json --values -", &files).stdin(r#"{"latency": 3}"#).shows(expect![[r#"
        ------- stderr -------
        error: `latency` has no values of both sides, which a canary configuration compares
        hint: they are `{"metric": {"control": […], "experiment": […]}}`
        [exit status: 2]
    "#]]);
    evaluate("--gate canary-config.json --prometheus http://127.0.0.1:1", &files).shows(expect![[r#"
        ------- stderr -------
        error: nothing is known for `${scope}`
        hint: give it: `--arg control=VALUE`
        [exit status: 2]
    "#]]);
    let stub = Stub::new(|request| {
        let value = if request.target.contains("v2") { "20" } else { "10" };
        let values: Vec<Value> = (0..30).map(|at| json!([at * 60, value])).collect();
        let series = json!([{"metric": {}, "values": values}]);
        Answer::json(200, &json!({"status": "success", "data": {"resultType": "matrix", "result": series}}))
    });
    let line = format!("--gate canary-config.json {WINDOW} --prometheus http://127.0.0.1:{}", stub.port);
    evaluate(&format!("{line} --arg control=v1 --arg experiment=v2"), &files).shows(expect![[r#"
        INDICATOR  VALUE          LIMIT   SCORE  STATUS  WHY
        latency    20 against 10  <none>  0/1    fail    latency was classified as High
        errors     20 against 10  <none>  0/1    fail    The metric errors was classified as High (Critical)
        latency: Kayenta computes to 1e-4 in the metric's unit, which is coarse here; exactly the shift lies between 9.999900924639778e0 and 1.0000099075360222e1: High
        errors: Kayenta computes to 1e-4 in the metric's unit, which is coarse here; exactly the shift lies between 9.999900924639778e0 and 1.0000099075360222e1: High
        fail: score 0 is below 75: Canary Failed: The metric errors was classified as High (Critical)
        [exit status: 10]
    "#]]);
    evaluate(&format!("{line} --arg control=v1 --arg experiment=v1"), &files).succeeds();
    assert!(stub.log().lines().all(|asked| asked.contains("/api/v1/query_range") && asked.contains("step=60")), "{}", stub.log());
    let first = evaluate("--gate canary-config.json --values - -o json", &files).stdin(values).run();
    let again = evaluate("--from-evidence evidence.json -o json", &[("evidence.json", &first.stdout)]).run();
    assert_eq!((again.status, again.stdout), (Some(10), first.stdout));
}
