//! Evaluations that are kept for later ones, and a gate over the past.

use crate::support::run::Output;
use crate::support::server::{Server, on_both};
use crate::support::*;
use serde_json::{Value, json};

const SLO: &str = "spec_version: '1.0'
comparison: {compare_with: several_results, number_of_comparison_results: 2, include_result_with_score: pass, aggregate_function: avg}
objectives:
- {sli: response_time, pass: [{criteria: ['<=+10%']}]}
total_score: {pass: '90%'}
";

fn evaluate(run: Run, value: &str) -> Output {
    std::fs::write(run.home().join("slo.yaml"), SLO).expect("a file");
    run.stdin(&format!(r#"{{"response_time": {value}}}"#)).run()
}

/// 500 and 520 pass; 600 is more than a tenth above their mean and fails, and is not compared with later.
fn walk(mut evaluate: impl FnMut(&str) -> Output) {
    for (value, status, compared) in
        [("500", 0, 0), ("520", 0, 1), ("600", 10, 2), ("null", 10, 0), ("550", 0, 2), ("590", 10, 2)]
    {
        let outcome = evaluate(value);
        assert_eq!(outcome.status, Some(status), "{value}: {outcome:?}");
        let result: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        assert_eq!(result["compared"].as_array().map_or(0, Vec::len), compared, "{value}: {outcome:?}");
    }
}

#[test]
fn a_directory_keeps_them() {
    let kept = directory();
    let place = format!("{}/", kept.path().join("evaluations").display());
    let mut minute = 0;
    walk(|value| {
        minute += 1;
        let line = format!(
            "evaluate carts --stage staging --gate slo.yaml --values - -o json --compare-with {place} \
             --start 2026-01-01T00:00:00Z --end 2026-01-01T00:{minute:02}:00Z"
        );
        evaluate(tidegate(&line), value)
    });
    // Another service's are not its own.
    let line = format!("evaluate carts-db --stage staging --gate slo.yaml --values - -o json --compare-with {place}");
    assert_eq!(evaluate(tidegate(&line), "9000").status, Some(0));
    let names = std::fs::read_dir(place).expect("a directory").count();
    assert_eq!(names, 7);
}

#[test]
fn without_a_service_nothing_is_kept() {
    let outcome = evaluate(tidegate("evaluate --gate slo.yaml --values - --compare-with history"), "1");
    assert_eq!(outcome.status, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("none is named"), "{outcome:?}");
}

on_both! { the_cluster_keeps_them }

fn the_cluster_keeps_them(server: &Server) {
    walk(|value| {
        let run = server.tidegate("evaluate carts --project sockshop --gate slo.yaml --values - -o json --compare-with history");
        evaluate(run, value)
    });
    let map =
        server.rest.get(&format!("/api/v1/namespaces/{}/configmaps/tidegate-evaluations-sockshop.carts", server.namespace)).ok();
    let list: Value = serde_json::from_str(map["data"]["evaluations.json"].as_str().expect("a text")).expect("JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(6), "{list}");
    assert_eq!(list[0]["result"], "fail", "the newest comes first");
    // Somebody else's configuration map of that name is left as it is, and the verdict stands.
    let path = format!("/api/v1/namespaces/{}/configmaps/tidegate-evaluations-sockshop.carts", server.namespace);
    server.rest.merge(&path, &json!({"data": {"evaluations.json": "not ours"}})).ok();
    let run = server.tidegate("evaluate carts --project sockshop --gate slo.yaml --values - --compare-with history");
    assert_eq!(evaluate(run, "1").status, Some(2));
    assert_eq!(server.rest.get(&path).ok()["data"]["evaluations.json"], "not ours");
}

#[test]
fn a_gate_is_replayed_over_the_past() {
    let sandbox = Sandbox::fast(60.0);
    let gate = r#"{"spec_version": "1.0", "objectives": {"pass": 100, "warning": 50}, "indicators": [
        {"id": "clock", "source": "Prometheus", "query": "floor(vector(time()) / 60) % 2",
         "grading": {"type": "Threshold", "metricScore": 50, "thresholds": {"upperSevere": 0.5}}},
        {"id": "one", "source": "Prometheus", "query": "vector(1)",
         "grading": {"type": "Threshold", "metricScore": 50, "thresholds": {"upperSevere": 2}}},
        {"id": "none", "source": "Prometheus", "query": "nosuch",
         "grading": {"type": "Threshold", "metricScore": 0, "ignoreEmpty": true, "thresholds": {"upperSevere": 2}}}]}"#;
    let replay = |flags: &str| {
        let run = tidegate(&format!("evaluate --gate gate.json --replay 1h --step 1m {flags}")).on(&sandbox);
        std::fs::write(run.home().join("gate.json"), gate).expect("a file");
        run.run()
    };
    let result: Value = serde_json::from_str(&replay("-o json").stdout).expect("JSON");
    assert_eq!(result["verdicts"], json!({"pass": 30, "warning": 30, "fail": 0, "inconclusive": 0}));
    assert_eq!(result["windows"].as_array().map(Vec::len), Some(60));
    let [clock, one, none] = [0, 1, 2].map(|place| &result["indicators"][place]);
    assert_eq!((&clock["failed"], &clock["flips"], &clock["noise"]), (&json!(30), &json!(59), &json!(true)));
    assert_eq!((&one["failed"], &one["noise"]), (&json!(0), &json!(false)));
    assert_eq!(none["unmeasured"], 60);
    let told = replay("-o wide").stdout;
    assert!(told.contains("of 60 windows the gate would have failed 0 (0%), warned in 30, passed 30"), "{told}");
    assert!(told.contains("noise: it crosses its limit all the time"), "{told}");
    for (flags, says) in [
        ("--replay 1h --step 0s", "--step at least a second"),
        ("--replay 30d --step 1s", "windows are too many"),
        ("--replay 1m --step 1h", "at least one --step"),
    ] {
        let run = tidegate(&format!("evaluate --gate gate.json {flags}")).on(&sandbox);
        std::fs::write(run.home().join("gate.json"), gate).expect("a file");
        let outcome = run.run();
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(says), "{outcome:?}");
    }
}

#[test]
fn what_was_compared_with_is_told() {
    let kept = directory();
    let place = format!("{}/", kept.path().display());
    let shown = |value: &str, minute: u32| {
        let line = format!(
            "evaluate carts --gate slo.yaml --values - --compare-with {place} \
             --start 2026-01-01T00:00:00Z --end 2026-01-01T00:0{minute}:00Z"
        );
        evaluate(tidegate(&line), value).raw
    };
    expect![[r#"
        INDICATOR      VALUE  LIMIT   SCORE  STATUS  WHY
        response_time  500    <=+10%  1/1    pass    holds: there is nothing to compare with yet
        pass: 100 % reaches 90
    "#]]
    .assert_eq(&shown("500", 1));
    expect![[r#"
        INDICATOR      VALUE  LIMIT       SCORE  STATUS  WHY
        response_time  600    <=+10% 550  0/1    fail    600 is not <=+10% (550)
        compared with carts@20260101T000100Z.json
        fail: 0 % is below 90: response_time (600 is not <=+10% (550))
    "#]]
    .assert_eq(&shown("600", 2));
}
