use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Labels, Sample, Tsdb, handle};

/// `vectors.json` counts its seconds from here.
const EPOCH: i64 = 1_700_000_000;

fn vectors() -> (Tsdb, Vec<Json>) {
    let mut file: Json = serde_json::from_str(include_str!("vectors.json")).expect("vectors.json is JSON");
    let mut db = Tsdb::default();
    for series in file["series"].as_array().expect("series") {
        let labels = serde_json::from_value(series["labels"].clone()).expect("labels");
        let (from, every) = (series["from"].as_i64().expect("from"), series["every"].as_i64().expect("every"));
        let values = series["values"].as_array().expect("values").iter().map(|v| v.as_f64().expect("number"));
        let at = |i: usize| (EPOCH + from + every * i as i64) * 1000;
        db.insert(labels, values.enumerate().map(|(i, value)| Sample { at: at(i), value }));
    }
    let cases = file["cases"].take();
    (db, cases.as_array().expect("cases").clone())
}

/// Elements of a vector have no order, except where a query sorts them, which none of the cases relies on.
fn unordered(mut body: Json) -> Json {
    if let Some(result) = body.pointer_mut("/data/result").filter(|r| r[0].is_object())
        && let Some(elements) = result.as_array_mut()
    {
        elements.sort_by_key(|e| sorted(&e["metric"]));
    }
    body
}

/// Object members in alphabetic order, as text.
fn sorted(value: &Json) -> String {
    let members: BTreeMap<_, _> = value.as_object().into_iter().flatten().collect();
    json!(members).to_string()
}

#[test]
fn answers_are_those_of_prometheus() {
    let (db, cases) = vectors();
    let mut differences = Vec::new();
    for case in &cases {
        let url = case["path"].as_str().expect("path");
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let got = handle(&db, EPOCH as f64, "GET", path, query, b"");
        let body = serde_json::from_str(&got.body).unwrap_or(Json::String(got.body));
        let (body, wanted) = (unordered(body), unordered(case["body"].clone()));
        if (&json!(got.status), &body) != (&case["status"], &wanted) {
            differences.push(format!("{url}\n  got    {} {body}\n  wanted {} {wanted}", got.status, case["status"]));
        }
    }
    assert!(cases.len() > 200, "only {} cases", cases.len());
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), cases.len(), differences.join("\n"));
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The result of an instant query.
fn result(db: &Tsdb, at: i64, query: &str) -> Json {
    let answer = handle(db, at as f64, "POST", "/api/v1/query", "", format!("query={query}").as_bytes());
    let body: Json = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(answer.status, 200, "{body}");
    body["data"]["result"].clone()
}

#[test]
fn a_vanished_target_ends_its_series() {
    let mut db = Tsdb::default();
    let target = BTreeMap::from([("shop/a".to_owned(), labels(&[("pod", "a")]))]);
    db.set_targets(target.clone(), 10_000);
    let counter = db.counter("shop/a", labels(&[("__name__", "c")])).expect("a known target");
    for second in 10..=14 {
        db.add(counter, 2.0);
        db.scrape(second * 1000);
    }
    assert_eq!(result(&db, 14, "c"), json!([{"metric": {"__name__": "c", "pod": "a"}, "value": [14, "10"]}]));
    assert_eq!(result(&db, 14, "up"), json!([{"metric": {"__name__": "up", "pod": "a"}, "value": [14, "1"]}]));
    db.set_targets(BTreeMap::new(), 15_000);
    db.scrape(15_000);
    db.add(counter, 5.0);
    assert_eq!(result(&db, 14, "c")[0]["value"][1], "10");
    assert_eq!(result(&db, 15, "c"), json!([]));
    assert_eq!(result(&db, 15, "up"), json!([]));
    assert_eq!(result(&db, 15, "count_over_time(c[10s])")[0]["value"][1], "5");
    assert_eq!(db.counter("shop/a", labels(&[("__name__", "c")])), None);
    // The same pod again begins at zero, as a restarted process does.
    db.set_targets(target, 20_000);
    let again = db.counter("shop/a", labels(&[("__name__", "c")])).expect("a known target");
    db.add(again, 3.0);
    db.scrape(20_000);
    assert_eq!(result(&db, 20, "c")[0]["value"][1], "3");
}

#[test]
fn the_past_and_the_number_of_series_are_bounded() {
    let mut db = Tsdb::new(1200.0, 2);
    let target = BTreeMap::from([("t".to_owned(), Labels::new())]);
    db.set_targets(target, 0);
    assert!(db.counter("t", labels(&[("__name__", "a")])).is_some());
    assert_eq!(db.counter("t", labels(&[("__name__", "b")])), None);
    for second in 0..=3000 {
        db.scrape(second * 1000);
    }
    let samples = |range: &str| result(&db, 3000, &format!("count_over_time(a[{range}])"))[0]["value"][1].clone();
    assert_eq!((samples("10m"), samples("15m"), samples("1h")), (json!("601"), json!("621"), json!("641")));
    db.set_targets(BTreeMap::new(), 3_001_000);
    for second in 3001..=4202 {
        db.scrape(second * 1000);
    }
    assert_eq!(db.select(&[]).count(), 0);
}

#[test]
fn other_requests_are_refused_as_prometheus_refuses_them() {
    let db = Tsdb::default();
    let cases = [
        ("GET", "/nosuch", 404),
        ("GET", "/api/v1/nosuch", 404),
        ("GET", "/api/v1/label//values", 404),
        ("DELETE", "/api/v1/query", 405),
        ("POST", "/api/v1/status/buildinfo", 405),
        ("POST", "/api/v1/label/job/values", 405),
        ("GET", "/-/ready", 200),
        ("POST", "/-/healthy", 405),
    ];
    for (method, path, status) in cases {
        let answer = handle(&db, 0.0, method, path, "", b"");
        assert_eq!((answer.status, answer.content_type), (status, "text/plain; charset=utf-8"), "{method} {path}");
    }
    let build = handle(&db, 0.0, "GET", "/api/v1/status/buildinfo", "", b"");
    assert_eq!((build.status, build.content_type), (200, "application/json"));
}

#[test]
fn what_is_left_out_is_said() {
    let db = Tsdb::default();
    let nested = "(".repeat(10_000);
    for query in ["rate(a[5m:1m])", "a[5m:]", "a @ 5", "quantile(0.5, a)", "label_replace(a)", &nested, "a{b=~\"(?!x)\"}"] {
        let answer = handle(&db, 0.0, "POST", "/api/v1/query", "", format!("query={query}").as_bytes());
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
    }
}
