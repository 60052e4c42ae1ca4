use crate::support::*;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;

const PERFSPEC: &str = r#"{"spec_version": "1.0",
  "indicators": [
    {"id": "response_time", "source": "Prometheus", "query": "rt{stage='$STAGE'}",
     "grading": {"type": "Threshold", "thresholds": {"upperSevere": 800, "upperWarning": 600}, "metricScore": 50}},
    {"id": "failure_rate", "source": "Prometheus", "query": "fr",
     "grading": {"type": "Threshold", "thresholds": {"upperSevere": 1}, "metricScore": 50}}],
  "objectives": {"pass": 90, "warning": 75}}"#;

const SLO: &str = "spec_version: '1.0'
comparison: {compare_with: single_result, include_result_with_score: pass, aggregate_function: avg}
objectives:
- sli: response_time
  pass: [{criteria: ['<=+10%', '<600']}]
  warning: [{criteria: ['<=800']}]
total_score: {pass: '90%', warning: '50%'}
";

/// A run with the two gate files in its working directory.
fn evaluate(line: &str) -> Run {
    let run = tidegate(&format!("evaluate {line}"));
    std::fs::write(run.home().join("perfspec.json"), PERFSPEC).expect("a file");
    std::fs::write(run.home().join("slo.yaml"), SLO).expect("a file");
    run
}

#[test]
fn given_values_are_graded_by_a_perfspec() {
    evaluate("--gate perfspec.json --values -").stdin(r#"{"response_time": 412, "failure_rate": 0.4}"#).shows(expect![[r#"
        INDICATOR      VALUE  LIMIT                              SCORE  STATUS  WHY
        response_time  412    upperSevere 800, upperWarning 600  50/50  pass    within its limits
        failure_rate   0.4    upperSevere 1                      50/50  pass    within its limits
        pass: score 100 of 100 reaches 90
    "#]]);
    evaluate("--gate perfspec.json --values -").stdin(r#"{"response_time": 700, "failure_rate": 0.4}"#).shows(expect![[r#"
        INDICATOR      VALUE  LIMIT                              SCORE  STATUS   WHY
        response_time  700    upperSevere 800, upperWarning 600  25/50  warning  700 >= upperWarning 600
        failure_rate   0.4    upperSevere 1                      50/50  pass     within its limits
        warning: score 75 of 100 reaches the warning level 75, not 90: response_time (700 >= upperWarning 600)
    "#]]);
    evaluate("--gate perfspec.json --values - --fail-on warning").stdin(r#"{"response_time": 700, "failure_rate": 0.4}"#).shows(
        expect![[r#"
            INDICATOR      VALUE  LIMIT                              SCORE  STATUS   WHY
            response_time  700    upperSevere 800, upperWarning 600  25/50  warning  700 >= upperWarning 600
            failure_rate   0.4    upperSevere 1                      50/50  pass     within its limits
            warning: score 75 of 100 reaches the warning level 75, not 90: response_time (700 >= upperWarning 600)
            [exit status: 11]
        "#]],
    );
    evaluate("--gate perfspec.json --values -").stdin(r#"{"response_time": 1043, "failure_rate": 0.4}"#).shows(expect![[r#"
        INDICATOR      VALUE  LIMIT                              SCORE  STATUS  WHY
        response_time  1043   upperSevere 800, upperWarning 600  0/50   fail    1043 >= upperSevere 800
        failure_rate   0.4    upperSevere 1                      50/50  pass    within its limits
        fail: score 50 of 100 is below 75: response_time (1043 >= upperSevere 800)
        [exit status: 10]
    "#]]);
    evaluate("--gate perfspec.json --values - --advisory").stdin(r#"{"response_time": 1043}"#).shows(expect![[r#"
        INDICATOR      VALUE   LIMIT                              SCORE  STATUS  WHY
        response_time  1043    upperSevere 800, upperWarning 600  0/50   fail    1043 >= upperSevere 800
        failure_rate   <none>  <none>                             0/50   fail    no values
        fail: score 0 of 100 is below 75: response_time (1043 >= upperSevere 800); failure_rate (no values)
    "#]]);
}

#[test]
fn what_was_not_measured_never_passes() {
    for values in [
        "{}",
        r#"{"response_time": null, "failure_rate": null}"#,
        r#"{"response_time": "NaN", "failure_rate": "NaN"}"#,
        r#"{"responsetime": 1}"#,
    ] {
        let outcome = evaluate("--gate perfspec.json --values -").stdin(values).run();
        assert_eq!(outcome.status, Some(10), "{values}: {outcome:?}");
        let outcome = evaluate("--gate slo.yaml --values -").stdin(values).run();
        assert_eq!(outcome.status, Some(10), "{values}: {outcome:?}");
    }
}

#[test]
fn objectives_compare_with_earlier_runs() {
    let earlier = r#"[{"result": "pass", "score": 100, "values": [{"metric": "response_time", "value": 500, "success": true}]}]"#;
    // 560 is more than a tenth above 500, and within the warning.
    for (value, status, warned) in [("540", 0, false), ("560", 0, true), ("900", 10, false)] {
        let run =
            evaluate("--gate slo.yaml --values - --compare-with earlier.json").stdin(&format!(r#"{{"response_time": {value}}}"#));
        std::fs::write(run.home().join("earlier.json"), earlier).expect("a file");
        let outcome = run.run();
        assert_eq!(outcome.status, Some(status), "{value}: {outcome:?}");
        assert_eq!(outcome.stdout.contains("warning: "), warned, "{value}: {outcome:?}");
    }
}

#[test]
fn the_same_evidence_gives_the_same_verdict() {
    let first = evaluate("--gate perfspec.json --values - -o json").stdin(r#"{"response_time": 700, "failure_rate": 0.4}"#).run();
    let run = evaluate("--from-evidence evidence.json -o json");
    std::fs::write(run.home().join("evidence.json"), &first.stdout).expect("a file");
    assert_eq!(run.run().stdout, first.stdout);
    let run = evaluate("--from-evidence evidence.json -o pitometer");
    std::fs::write(run.home().join("evidence.json"), &first.stdout).expect("a file");
    let result: Value = serde_json::from_str(&run.run().stdout).expect("JSON");
    assert_eq!((&result["totalScore"], &result["result"]), (&json!(75), &json!("warning")));
    assert_eq!(result["indicatorResults"][0]["violations"][0]["breach"], "upperWarning");
}

#[test]
fn machines_read_it_in_their_formats() {
    let values = r#"{"response_time": 1043, "failure_rate": 0.4}"#;
    evaluate("--gate perfspec.json --values - -o junit").stdin(values).shows(expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuite name="tidegate evaluate" tests="2" failures="1" errors="0">
          <testcase classname="gate" name="response_time"><failure message="1043 &gt;= upperSevere 800"/></testcase>
          <testcase classname="gate" name="failure_rate"><system-out>within its limits</system-out></testcase>
        </testsuite>
        [exit status: 10]
    "#]]);
    evaluate("--gate perfspec.json --values - -o markdown").stdin(values).shows(expect![[r#"
        **fail**: score 50 of 100 is below 75: response_time (1043 >= upperSevere 800)

        | indicator | value | limit | score | why |
        |---|---|---|---|---|
        | response_time | 1043 | upperSevere 800, upperWarning 600 | 0/50 | 1043 >= upperSevere 800 |
        | failure_rate | 0.4 | upperSevere 1 | 50/50 | within its limits |
        [exit status: 10]
    "#]]);
    let keptn = evaluate("--gate slo.yaml --values - -o keptn").stdin(r#"{"response_time": 500}"#).run();
    let keptn: Value = serde_json::from_str(&keptn.stdout).expect("JSON");
    assert_eq!((&keptn["result"], &keptn["evaluation"]["score"]), (&json!("pass"), &json!(100)));
    let pairs = r#"{"latency": {"control": [10,11,9,10,12,10,11,9,10,11], "experiment": [20,21,19,20,22,20,21,19,20,21]}}"#;
    let outcome = evaluate("--judge kayenta --values - -o json").stdin(pairs).run();
    let judged: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!((outcome.status, &judged["results"][0]["classification"]), (Some(10), &json!("High")), "{judged}");
}

#[test]
fn bad_input_is_explained() {
    evaluate("").shows(expect![[r#"
        ------- stderr -------
        error: the following required arguments were not provided:
          --require <EXPR>

        Usage: tidegate evaluate --require <EXPR> [SERVICE]

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
    evaluate("--gate nothing.json --values -").shows(expect![[r#"
        ------- stderr -------
        error: standard input: this is not JSON: EOF while parsing a value at line 1 column 0
        [exit status: 2]
    "#]]);
    evaluate("--gate perfspec.json --values -").stdin("[1]").shows(expect![[r#"
        ------- stderr -------
        error: standard input: entry 0 is not of the form {"metric", "value", "success", "message"}
        [exit status: 2]
    "#]]);
    evaluate("carts --require success-rate<=99").shows(expect![[r#"
        ------- stderr -------
        error: `success-rate<=99` would require the worse: did you mean `success-rate>=99`?
        hint: `tidegate help evaluate` has examples
        [exit status: 2]
    "#]]);
    evaluate("--gate perfspec.json --prometheus http://127.0.0.1:1").shows(expect![[r#"
        ------- stderr -------
        error: nothing is known for the placeholder `$STAGE` in `rt{stage='$STAGE'}`
        hint: give it: `--stage NAME`
        [exit status: 2]
    "#]]);
    evaluate("--gate slo.yaml --prometheus http://127.0.0.1:1").shows(expect![[r#"
        ------- stderr -------
        error: an slo.yaml has no queries of its own
        hint: name the file that has them with `--sli sli.yaml`, or give values with `--values FILE`
        [exit status: 2]
    "#]]);
    let run = evaluate("--gate wrong.json --values -").stdin("{}");
    std::fs::write(run.home().join("wrong.json"), PERFSPEC.replace("upperWarning", "upperWarnin")).expect("a file");
    run.shows(expect![[r#"
        ------- stderr -------
        error: wrong.json:4:74: unknown key `upperWarnin`; did you mean `upperWarning`?
           4 |      "grading": {"type": "Threshold", "thresholds": {"upperSevere": 800, "upperWarnin": 600}, "metricScore": 50}},
             |                                                                          ^
        [exit status: 2]
    "#]]);
}

/// A server that gives one answer to every request, for as long as the test lives.
fn source(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 8192];
            let _ = stream.read(&mut request);
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

/// What a real Prometheus answers when something is odd: none of it passes.
#[test]
fn odd_answers_of_prometheus_never_pass() {
    let vector = |value: &str| {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{value}"]}}]}}}}"#)
    };
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    for (status, body, code) in [
        ("200 OK", leak(vector("NaN")), 10),
        ("200 OK", leak(vector("+Inf")), 10),
        ("200 OK", r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, 10),
        ("200 OK", r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, 12),
        ("400 Bad Request", r#"{"status":"error","errorType":"bad_data","error":"1:3: parse error"}"#, 12),
        ("422 Unprocessable Entity", r#"{"status":"error","errorType":"execution","error":"many-to-many"}"#, 12),
        ("404 Not Found", "404 page not found", 12),
    ] {
        let url = source(status, body);
        // The window has an end, so that the source's clock is not asked for.
        let run = evaluate(&format!(
            "--gate perfspec.json --stage dev --prometheus {url} --start 2026-01-01T00:00:00Z --end 2026-01-01T00:05:00Z"
        ));
        let outcome = run.run();
        assert_eq!(outcome.status, Some(code), "{status} {body}: {outcome:?}");
    }
    let url = source("200 OK", leak(vector("0.5")));
    evaluate(&format!(
        "--gate perfspec.json --stage dev --prometheus {url} --start 2026-01-01T00:00:00Z --end 2026-01-01T00:05:00Z"
    ))
    .succeeds();
}

/// The mesh's own metrics, found in the cluster and reached through the API server.
#[test]
fn a_candidate_is_judged_by_the_requests_it_answers() {
    let sandbox = Sandbox::fast(60.0);
    let outcome =
        tidegate("evaluate orders --timeout 25s --timeframe 10m --require success-rate>=99 --require p95<500ms --require rps>=1")
            .on(&sandbox)
            .run();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("pass: all of 3 proven"), "{outcome:?}");

    let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "carts:0.6.3-err5"}]);
    sandbox.rest.patch("/apis/apps/v1/namespaces/sockshop-production/deployments/carts-green", &image).ok();
    eventually("green is rolled out", || {
        let outcome = tidegate("shift carts --weights 80/20").on(&sandbox).run();
        (outcome.status == Some(0)).then_some(())
    });
    let outcome = tidegate("evaluate carts --timeout 25s --timeframe 20m --require error-rate<=stable+1%").on(&sandbox).run();
    assert_eq!(outcome.status, Some(10), "{outcome:?}");
    assert!(outcome.stdout.contains("fail: error-rate<=stable+1%"), "{outcome:?}");
    let outcome = tidegate("evaluate carts --require error-rate<=stable --show-queries").on(&sandbox).run();
    assert!(outcome.stdout.contains(r#"destination_workload=~"carts-green""#), "{outcome:?}");
    assert!(outcome.stdout.contains(r#"destination_workload=~"carts-blue""#), "{outcome:?}");
}
