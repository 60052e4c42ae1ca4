//! Dynatrace, as far as its API goes: a server with recorded shapes of its answers.

use crate::support::stub::{Answer, Request, Stub};
use crate::support::*;
use serde_json::Value;

const WINDOW: &str = "--start 2026-01-01T00:00:00Z --end 2026-01-01T00:05:00Z";

/// The seeds' perfspec: microseconds, a second at most.
const PERFSPEC: &str = r#"{"spec_version": "1.0", "indicators": [
  {"id": "ResponseTime_Backend", "source": "Dynatrace",
   "query": {"timeseriesId": "com.dynatrace.builtin:service.responsetime", "aggregation": "AVG", "startTimestamp": "", "endTimestamp": ""},
   "grading": {"type": "Threshold", "thresholds": {"upperSevere": 1000000, "upperWarning": 800000}, "metricScore": 100}}],
  "objectives": {"pass": 90, "warning": 50}}"#;

fn decoded(target: &str) -> String {
    let mut plain = Vec::new();
    let mut bytes = target.bytes();
    while let Some(byte) = bytes.next() {
        let code = |bytes: &mut std::str::Bytes<'_>| {
            let digits = [bytes.next().expect("a digit"), bytes.next().expect("a digit")];
            u8::from_str_radix(std::str::from_utf8(&digits).expect("ASCII"), 16).expect("a code")
        };
        plain.push(if byte == b'%' { code(&mut bytes) } else { byte });
    }
    String::from_utf8(plain).expect("UTF-8")
}

/// An answer of the Metrics API.
fn series(series: &[(&str, Value)]) -> Answer {
    let data: Vec<Value> = series
        .iter()
        .map(|(entity, value)| {
            json!({"dimensions": [entity], "dimensionMap": {"dt.entity.service": entity}, "timestamps": [1767225900000_i64], "values": [value]})
        })
        .collect();
    let result = json!([{"metricId": "m", "dataPointCountRatio": 2.0E-6, "dimensionCountRatio": 1.0E-5, "data": data}]);
    Answer::json(200, &json!({"totalCount": 1, "nextPageKey": null, "resolution": "Inf", "result": result}))
}

fn refused(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({"error": {"code": status, "message": message}}))
}

fn trusted(request: &Request) -> bool {
    request.headers.get("authorization").map(String::as_str) == Some("Api-Token dt0c01.SECRET")
}

fn perfspec(stub: &Stub, line: &str) -> Run {
    let run = tidegate(&format!("evaluate carts --gate perfspec.json --dynatrace http://127.0.0.1:{} {line}", stub.port));
    std::fs::write(run.home().join("perfspec.json"), PERFSPEC).expect("a file");
    run.env("DT_API_TOKEN", "dt0c01.SECRET")
}

fn slo(stub: &Stub, queries: &[(&str, &str)]) -> Run {
    let run = tidegate(&format!("evaluate --gate slo.yaml --sli sli.yaml {WINDOW} --dynatrace http://127.0.0.1:{}", stub.port));
    let mut objectives = String::new();
    let mut indicators = String::new();
    for (name, query) in queries {
        objectives += &format!("- sli: {name}\n  pass: [{{criteria: ['<=600']}}]\n");
        indicators += &format!("  {name}: '{query}'\n");
    }
    std::fs::write(run.home().join("slo.yaml"), format!("objectives:\n{objectives}total_score: {{pass: '90%'}}\n"))
        .expect("a file");
    std::fs::write(run.home().join("sli.yaml"), format!("indicators:\n{indicators}")).expect("a file");
    run.env("DT_API_TOKEN", "dt0c01.SECRET")
}

#[test]
fn the_entity_with_the_most_requests_is_judged() {
    let stub = Stub::new(|request| {
        let target = decoded(&request.target);
        match trusted(request) {
            false => refused(401, "Token Authentication failed"),
            true if target.contains("requestCount.server:value") => {
                series(&[("SERVICE-1", json!(10)), ("SERVICE-2", json!(900)), ("SERVICE-3", Value::Null)])
            }
            true if target.contains(r#"entitySelector=entityId("SERVICE-2")"#) => series(&[("SERVICE-2", json!(850_000.5))]),
            true => refused(400, "unexpected"),
        }
    });
    perfspec(&stub, &format!("--project sockshop --stage staging {WINDOW}")).shows(expect![[r#"
        INDICATOR             VALUE     LIMIT                                     SCORE   STATUS   WHY
        ResponseTime_Backend  850000.5  upperSevere 1000000, upperWarning 800000  50/100  warning  850001 >= upperWarning 800000
        warning: score 50 of 100 reaches the warning level 50, not 90: ResponseTime_Backend (850001 >= upperWarning 800000)
    "#]]);
    let log: String = stub.requests().iter().map(|request| decoded(&request.target) + "\n").collect();
    expect![[r#"
        /api/v2/metrics/query?from=1767225600000&to=1767225900000&resolution=Inf&metricSelector=builtin:service.requestCount.server:value&entitySelector=type("SERVICE"),tag("service:carts"),tag("environment:sockshop-staging")
        /api/v2/metrics/query?from=1767225600000&to=1767225900000&resolution=Inf&metricSelector=builtin:service.response.time:avg&entitySelector=entityId("SERVICE-2")
    "#]].assert_eq(&log);
    let outcome = perfspec(&stub, &format!("--project sockshop --stage staging {WINDOW} -o wide")).run();
    assert!(outcome.stdout.contains(r#"builtin:service.response.time:avg&entitySelector=entityId("SERVICE-2")"#), "{outcome:?}");
}

#[test]
fn indicators_of_every_form_are_asked() {
    let stub = Stub::new(|request| {
        let target = decoded(&request.target);
        let has = |text: &str| target.contains(text);
        match target.split('?').next().unwrap_or_default() {
            _ if !trusted(request) => refused(401, "Token Authentication failed"),
            "/api/v2/metrics/query" if !has("resolution=Inf") || !has("from=1767225600000&to=1767225900000") => {
                refused(400, "window")
            }
            "/api/v2/metrics/query" if has("nothing") => series(&[]),
            "/api/v2/metrics/query" if has("several") => series(&[("SERVICE-1", json!(1)), ("SERVICE-2", json!(2))]),
            "/api/v2/metrics/query" if has("unknown") => refused(400, "The metric key 'unknown' could not be resolved"),
            "/api/v2/metrics/query" => series(&[("SERVICE-1", json!(512_000))]),
            "/api/v2/slo/1234-abcd" => {
                Answer::json(200, &json!({"evaluatedPercentage": 99.5, "error": "NONE", "status": "SUCCESS"}))
            }
            "/api/v2/problems" => {
                Answer::json(200, &json!({"totalCount": 2, "pageSize": 50, "nextPageKey": "x", "problems": []}))
            }
            "/api/v1/userSessionQueryLanguage/table" => Answer::json(200, &json!({"columnNames": ["n"], "values": [[42]]})),
            _ => refused(404, "Not found"),
        }
    });
    slo(
        &stub,
        &[
            ("p95", "metricSelector=builtin:service.response.time:merge(\"dt.entity.service\"):percentile(95)&entitySelector=type(SERVICE),tag(a)"),
            ("old", "builtin:service.response.time:merge(0):avg?scope=tag(a)"),
            ("memory", "MV2;Byte;metricSelector=builtin:host.mem.used:avg"),
            ("goal", "SLO;1234-abcd"),
            ("problems", "PV2;problemSelector=status(open)"),
            ("sessions", "USQL;SINGLE_VALUE;;SELECT COUNT(*) FROM usersession"),
            ("nothing", "metricSelector=nothing"),
            ("several", "metricSelector=several"),
            ("unknown", "metricSelector=unknown"),
        ],
    )
    .shows(expect![[r#"
        INDICATOR  VALUE   LIMIT      SCORE  STATUS  WHY
        p95        512     <=600 600  1/1    pass    holds
        old        512     <=600 600  1/1    pass    holds
        memory     500     <=600 600  1/1    pass    holds
        goal       99.5    <=600 600  1/1    pass    holds
        problems   2       <=600 600  1/1    pass    holds
        sessions   42      <=600 600  1/1    pass    holds
        nothing    <none>  <=600 600  0/1    fail    query did not return any values
        several    <none>  <=600 600  0/1    fail    expected 1 value, got 2: add `:splitBy():avg` to the metric selector
        unknown    <none>  <=600 600  0/1    fail    HTTP status 400: The metric key 'unknown' could not be resolved
        fail: 66.67 % is below 90: nothing (query did not return any values); several (expected 1 value, got 2: add `:splitBy():avg` to the metric selector); unknown (HTTP status 400: The metric key 'unknown' could not be resolved)
        [exit status: 10]
    "#]]);
}

#[test]
fn pages_belong_together() {
    let stub = Stub::new(|request| {
        let target = decoded(&request.target);
        if !target.starts_with("/api/v2/entities?") {
            return refused(404, "Not found");
        }
        let entity = |id: &str, calls: usize| {
            let calls: Vec<Value> = (0..calls).map(|n| json!({"id": format!("SERVICE-{n}"), "type": "SERVICE"})).collect();
            json!({"entityId": id, "displayName": id, "toRelationships": {"calls": calls}})
        };
        let body = match target.contains("nextPageKey=two") {
            false => json!({"totalCount": 2, "pageSize": 1, "nextPageKey": "two", "entities": [entity("SERVICE-A", 3)]}),
            true => json!({"totalCount": 2, "pageSize": 1, "entities": [entity("SERVICE-B", 9)]}),
        };
        Answer::json(200, &body)
    });
    let run = perfspec(&stub, &format!("{WINDOW} -o json"));
    let text = r#"{"spec_version": "1.0", "indicators": [{"id": "calls", "source": "Dynatrace",
      "query": {"entityType": "Service", "smartscape": "toRelationships:calls", "aggregation": "count", "tags": ["a:b"]},
      "grading": {"type": "Threshold", "thresholds": {"upperSevere": 5}, "metricScore": 100}}], "objectives": {"pass": 90, "warning": 50}}"#;
    std::fs::write(run.home().join("perfspec.json"), text).expect("a file");
    let outcome = run.run();
    let result: Value = serde_json::from_str(&outcome.raw).expect("JSON");
    assert_eq!(
        (outcome.status, &result["indicators"][0]["values"]),
        (Some(10), &json!([{"key": "SERVICE-A", "value": 3}, {"key": "SERVICE-B", "value": 9}]))
    );
}

#[test]
fn what_is_wrong_is_said_without_the_token() {
    let stub = Stub::new(|request| match request.target.contains("response.time") {
        true => refused(403, "Token is missing required scope. Use one of: metrics.read (Read metrics)"),
        false => refused(404, "Not found"),
    });
    let outcome = perfspec(&stub, WINDOW).run();
    assert_eq!(outcome.status, Some(4), "{outcome:?}");
    assert!(outcome.stderr.contains("Dynatrace refuses the API token: HTTP status 403: Token is missing"), "{outcome:?}");
    assert!(!outcome.to_string().contains("SECRET"), "{outcome:?}");
    perfspec(&stub, WINDOW).env("DT_API_TOKEN", "").shows(expect![[r#"
        ------- stderr -------
        error: no API token for Dynatrace
        hint: put it into the environment as DT_API_TOKEN, or into a file: `--dynatrace-token-file FILE`
        [exit status: 2]
    "#]]);
    // A window that has just ended is not judged by a part of its data.
    let outcome = perfspec(&stub, "--timeout 5s").run();
    assert!(outcome.status == Some(12) && outcome.stderr.contains("complete 120 s after the end of a window"), "{outcome:?}");
    let run = perfspec(&stub, WINDOW);
    std::fs::write(run.home().join("perfspec.json"), PERFSPEC.replace("service.responsetime", "host.disk.foo")).expect("a file");
    run.shows(expect![[r#"
        INDICATOR             VALUE   LIMIT   SCORE  STATUS  WHY
        ResponseTime_Backend  <none>  <none>  0/100  error   the Timeseries API (v1) is gone, and nothing is known to take the place of `com.dynatrace.builtin:host.disk.foo`: write the key of a metric of the Metrics API (v2), `builtin:…`
        inconclusive: not every indicator could be asked: ResponseTime_Backend: the Timeseries API (v1) is gone, and nothing is known to take the place of `com.dynatrace.builtin:host.disk.foo`: write the key of a metric of the Metrics API (v2), `builtin:…`
        [exit status: 12]
    "#]]);
}

/// The address and the token of keptn's own Secret.
#[test]
fn the_cluster_knows_where_it_is() {
    let stub = Stub::new(|request| match (request.target.split('?').next().unwrap_or_default(), trusted(request)) {
        ("/api/v2/metrics/query", true) => series(&[("SERVICE-1", json!(1000))]),
        _ => refused(401, "Token Authentication failed"),
    });
    let sandbox = Sandbox::empty();
    let coded = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let run = || {
        let run = tidegate(&format!("evaluate --gate perfspec.json {WINDOW}")).on(&sandbox);
        std::fs::write(run.home().join("perfspec.json"), PERFSPEC).expect("a file");
        run
    };
    run().shows(expect![[r#"
        ------- stderr -------
        error: no address of Dynatrace, and no Secret keptn/dynatrace that has one
        hint: name it: `--dynatrace https://ID.live.dynatrace.com`, or give values with `--values FILE`
        [exit status: 5]
    "#]]);
    sandbox.rest.post("/api/v1/namespaces", &json!({"metadata": {"name": "keptn"}})).ok();
    let data = json!({"DT_TENANT": coded(&format!("http://127.0.0.1:{}", stub.port)), "DT_API_TOKEN": coded("dt0c01.SECRET\n")});
    sandbox.rest.post("/api/v1/namespaces/keptn/secrets", &json!({"metadata": {"name": "dynatrace"}, "data": data})).ok();
    run().succeeds();
}

/// Data that are late are asked for again while they may come.
#[test]
fn late_data_are_waited_for() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let stub = Stub::new(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => series(&[("SERVICE-1", Value::Null)]),
        _ => series(&[("SERVICE-1", json!(1000))]),
    });
    let now = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs())
        .expect("fits");
    let time = |seconds: i64| jiff::Timestamp::from_second(seconds).expect("a time").to_string();
    perfspec(&stub, &format!("--start {} --end {}", time(now - 300), time(now - 121))).succeeds();
    assert_eq!(stub.requests().len(), 2);
}

#[test]
fn an_environment_that_is_busy_is_asked_again() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let stub = Stub::new(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => refused(429, "Too many requests"),
        1 => refused(503, "Unavailable"),
        _ => series(&[("SERVICE-1", json!(1000))]),
    });
    perfspec(&stub, WINDOW).succeeds();
}
