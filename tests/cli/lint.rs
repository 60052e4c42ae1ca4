//! Gate files that are checked before anybody is asked by them.

use crate::support::*;
use serde_json::Value;

/// A run with these files in its working directory.
fn lint(line: &str, files: &[(&str, &str)]) -> Run {
    let run = tidegate(&format!("lint {line}"));
    for (name, text) in files {
        let path = run.home().join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
    run
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(crate::repository::within("fixtures/gates").join(name)).expect("a fixture")
}

const PERFSPEC: &str = r#"{"spec_version": "1.0",
  "indicators": [
    {"id": "rt", "source": "Prometheus", "query": "rate(x{job='$SERVICE'}[10s]))",
     "grading": {"type": "Threshold", "thresholds": {"upperSevere": 800, "lowerWarning ": 6}, "metricScore": 100}}],
  "objectives": {"pass": 90, "warning": 75}}"#;

#[test]
fn findings_point_at_the_line_and_the_character() {
    lint("perfspec.json", &[("perfspec.json", PERFSPEC)]).shows(expect![[r#"
        perfspec.json:3:74: warning: a window of 10 s has room for fewer than two scrapes, one every 15 s: no rate can be told
           3 |     {"id": "rt", "source": "Prometheus", "query": "rate(x{job='$SERVICE'}[10s]))",
             |                                                                          ^
        perfspec.json:3:80: error: this is not PromQL: `)` stands where an operator is due
           3 |     {"id": "rt", "source": "Prometheus", "query": "rate(x{job='$SERVICE'}[10s]))",
             |                                                                                ^
        perfspec.json:4:74: error: unknown key `lowerWarning `; did you mean `lowerWarning`?
           4 |      "grading": {"type": "Threshold", "thresholds": {"upperSevere": 800, "lowerWarning ": 6}, "metricScore": 100}}],
             |                                                                          ^
        ------- stderr -------
        2 errors, 1 warning in 1 file
        [exit status: 2]
    "#]]);
    lint(
        "slo.yaml sli.yaml --scrape-interval 30s",
        &[
            ("slo.yaml", "objectives:\n- sli: p95\n  pass:\n  - criteria: [\"<=1%\"]\n- sli: p59\ntotal_score: {pass: 90%}\n"),
            ("sli.yaml", "indicators:\n  p95: |\n    rate(\n      x[50s])\n"),
        ],
    )
    .shows(expect![[r#"
        slo.yaml:4:16: warning: `<=1%` compares with earlier values: it means `<=+1%`; a share is `<=1` in its unit
           4 |   - criteria: ["<=1%"]
             |                ^
        slo.yaml:5:3: error: no query measures `p59`
           5 | - sli: p59
             |   ^
        sli.yaml:4:8: warning: a window of 50 s has room for fewer than two scrapes, one every 30 s: no rate can be told
           4 |       x[50s])
             |        ^
        ------- stderr -------
        1 error, 2 warnings in 2 files
        [exit status: 2]
    "#]]);
}

#[test]
fn what_is_fine_says_nothing_and_exits_with_0() {
    let files = ["perfspec.json", "slo.yaml", "sli.yaml", "analysis-template.yaml", "canary.yaml", "canary-config.json"];
    for name in files {
        let outcome = lint("gates --strict", &[(&format!("gates/{name}"), &fixture(name))]).run();
        assert_eq!(outcome.status, Some(0), "{name}: {outcome:?}");
    }
    let outcome = lint("gates", &[("gates/a/perfspec.json", &fixture("perfspec.json")), ("gates/values.json", "{}")]).run();
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("0 errors, 0 warnings in 1 file"), "{outcome:?}");
}

#[test]
fn warnings_fail_where_they_are_to() {
    let weak = fixture("perfspec.json").replace("\"pass\": 90", "\"pass\": 40");
    for (line, status) in [("perfspec.json", 0), ("perfspec.json --strict", 2)] {
        let outcome = lint(line, &[("perfspec.json", &weak)]).run();
        assert_eq!(outcome.status, Some(status), "{outcome:?}");
        assert!(outcome.stdout.contains(": warning: "), "{outcome:?}");
    }
}

#[test]
fn machines_get_a_list() {
    let outcome = lint("- -o json", &[]).stdin(PERFSPEC).run();
    let found: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(outcome.status, Some(2));
    let query = &found[0];
    assert_eq!(
        (&query["file"], &query["format"], &query["severity"]),
        (&json!("standard input"), &json!("perfspec"), &json!("warning"))
    );
    assert_eq!(query["position"], json!({"line": 3, "column": 74}), "{query}");
    assert_eq!(query["pointer"], "/indicators/0/query");
    let outcome = lint("perfspec.json -o yaml", &[("perfspec.json", &fixture("perfspec.json"))]).run();
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "[]\n"));
}

#[test]
fn a_file_without_its_queries_and_one_that_is_no_gate() {
    let objectives = fixture("service-objectives.yaml");
    let indicators = fixture("service-indicators.yaml").replace("request_latency_dt", "request_latency");
    let outcome = lint(".", &[("service-objectives.yaml", &objectives), ("service-indicators.yaml", &indicators)]).run();
    assert!(outcome.stdout.contains("no indicator measures `request_latency_dt`: its limit would be dropped"), "{outcome:?}");
    assert_eq!(outcome.status, Some(2));
    lint("deployment.yaml", &[("deployment.yaml", "kind: Deployment\napiVersion: apps/v1\n")]).shows(expect![[r#"
        ------- stderr -------
        error: deployment.yaml: this is no gate file that is known
        hint: `tidegate help gates` says which there are
        [exit status: 2]
    "#]]);
    lint(".", &[("deployment.yaml", "kind: Deployment\n")]).shows(expect![[r#"
        ------- stderr -------
        error: there is no gate file in .
        hint: `tidegate help gates` says which there are
        [exit status: 2]
    "#]]);
    lint("nothing.yaml", &[]).shows(expect![[r#"
        ------- stderr -------
        error: cannot read nothing.yaml
        caused by: No such file or directory (os error 2)
        [exit status: 2]
    "#]]);
    lint("slo.yaml", &[("slo.yaml", "objectives: [\n")]).shows(expect![[r#"
        slo.yaml:1:1: error: no objectives: nothing is graded
           1 | objectives: [
             | ^
        slo.yaml:1:1: error: a `total_score` with `pass` says what the total must reach
           1 | objectives: [
             | ^
        slo.yaml:2:1: error: this is not YAML: did not find expected node content at line 2 column 1, while parsing a flow node
           2 | 
             | ^
        ------- stderr -------
        3 errors, 0 warnings in 1 file
        [exit status: 2]
    "#]]);
}
