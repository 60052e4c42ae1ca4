use super::*;
use crate::core::gate::evaluation::{Evaluation, Evidence, Verdict};
use crate::core::gate::{Gate, regrade};
use serde_json::{Value, json};

fn term(text: &str) -> Term {
    text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
}

#[test]
fn terms_are_read_with_their_units() {
    for (text, share) in [
        ("success-rate>=99", 0.01),
        ("error-rate<1%", 0.01),
        ("error-rate <= 0.5", 0.005),
        ("p95<500ms", 0.05),
        ("p99<=1s", 0.01),
    ] {
        let found = term(text).allowed_share().expect(text);
        assert!((found - share).abs() < 1e-12, "{text}: {found}");
    }
    assert_eq!(term("p95<1.5s").bound, Bound::Fixed(1500.0));
    assert_eq!(term("error-rate<=stable+1%").bound, Bound::Stable { times: 1.0, plus: 0.01 });
    assert_eq!(term("success-rate>=stable-1").bound, Bound::Stable { times: 1.0, plus: 0.01 });
    assert_eq!(term("p99<=stable*1.2").bound, Bound::Stable { times: 1.2, plus: 0.0 });
    assert_eq!(term("p99<=stable+50ms").bound, Bound::Stable { times: 1.0, plus: 50.0 });
    assert_eq!(term("p99<=stable+10%").bound, Bound::Stable { times: 1.1, plus: 0.0 });
    for text in [
        "",
        "rps",
        "success-rate<=99",
        "p95>500ms",
        "error-rate>=1",
        "p0<1",
        "p100<1",
        "errors<1",
        "success-rate>=101",
        "p95<500kg",
        "rps>=stable",
        "error-rate<=stable-1%",
        "success-rate>=stable+1%",
        "success-rate>=stable*1.1",
        "error-rate=1",
        "p95<",
        "p95<ms",
    ] {
        assert!(text.parse::<Term>().is_err(), "{text}");
    }
}

#[test]
fn queries_name_the_side_and_no_other() {
    let side = |target| Side { service: "carts.shop.svc.cluster.local".into(), target };
    let base = r#"istio_requests_total{reporter=~"source|waypoint",destination_service="carts.shop.svc.cluster.local""#;
    assert_eq!(query_requests(&side(Target::Service)), format!("{base}}}"));
    assert_eq!(query_requests(&side(Target::Version("v\"2".into()))), format!(r#"{base},destination_version="v\"2"}}"#));
    let names = Target::Workloads(vec!["carts-green".into(), "a.b".into()]);
    assert_eq!(query_requests(&side(names)), format!(r#"{base},destination_workload=~"carts-green|a\\.b"}}"#));
}

#[test]
fn envoys_own_statistics_are_told_apart_by_cluster() {
    let side = |subset: &str| Side { service: "carts.shop.svc.cluster.local".into(), target: Target::Cluster(subset.into()) };
    assert_eq!(
        query_requests(&side("v2")),
        r#"envoy_cluster_upstream_rq{envoy_cluster_name=~"outbound\\|[0-9]+\\|v2\\|carts\\.shop\\.svc\\.cluster\\.local;?"}"#
    );
    assert!(freshness(&side("v2")).contains(r"[0-9]+\\|[^|]*\\|carts"), "{}", freshness(&side("v2")));
    assert!(query_buckets(&side("v2")).contains("envoy_cluster_upstream_rq_time_bucket{"));
    // `2xx` and `200` of one request are one request.
    let series = |code: &str, values: [u32; 2]| json!({"metric": {"envoy_response_code": code}, "values": [[1000, values[0].to_string()], [1015, values[1].to_string()]]});
    let body = json!({"data": {"result": [
        series("200", [0, 900]), series("2xx", [0, 900]), series("503", [0, 100]), series("5xx", [0, 100])]}});
    let result = graded(&["error-rate<=1%"], &body, &json!({"data": {"result": []}}));
    assert_eq!(result.verdict, Verdict::Fail);
    assert_eq!(result.indicators[0].values[0].number(), Some(0.1), "{result:?}");
}

#[test]
fn the_time_between_scrapes_is_read_from_the_samples() {
    let series = |times: &[f64]| {
        let values: Vec<Value> = times.iter().map(|time| json!([time, "1"])).collect();
        json!({"metric": {}, "values": values})
    };
    let cadence = |series: &[Value]| cadence(&json!({"data": {"resultType": "matrix", "result": series}}));
    assert_eq!(cadence(&[series(&[10.0]), series(&[10.0, 11.0, 12.0, 16.0])]), Some(1.0));
    assert_eq!(cadence(&[series(&[10.0, 25.002, 39.998])]), Some(15.002));
    assert_eq!(cadence(&[series(&[10.0])]), None);
    assert_eq!(cadence(&[]), None);
}

/// A range answer: series by response code, one counter value every 15 s.
fn range(series: &[(&str, &[f64])]) -> Value {
    let result: Vec<Value> = series
        .iter()
        .map(|(code, values)| {
            let pairs: Vec<Value> =
                values.iter().enumerate().map(|(at, value)| json!([1000 + 15 * at, value.to_string()])).collect();
            json!({"metric": {"response_code": code}, "values": pairs})
        })
        .collect();
    json!({"status": "success", "data": {"resultType": "matrix", "result": result}})
}

fn graded(texts: &[&str], candidate: &Value, stable: &Value) -> Evaluation {
    let Ok(Gate::Require(terms)) = Gate::require(texts.iter().copied()) else { panic!("terms") };
    let side = Side { service: "carts".into(), target: Target::Service };
    let (candidate, stable) = (Sampled::read(candidate, None).expect("counts"), Sampled::read(stable, None).expect("counts"));
    let answers = terms.iter().map(|term| answer(term, &side, &candidate, Some(&stable), None)).collect();
    grade(&terms, Evidence { window: None, answers, previous: Vec::new(), ..Evidence::default() })
}

#[test]
fn counters_are_subtracted_series_by_series() {
    // The second series is born, the first restarts.
    let body = range(&[("200", &[100.0, 400.0, 50.0])]);
    let mut body = body;
    body["data"]["result"]
        .as_array_mut()
        .expect("series")
        .push(json!({"metric": {"response_code": "503"}, "values": [[1015, "7"], [1030, "9"]]}));
    let result = graded(&["rps>=1"], &body, &range(&[]));
    let rows = &result.basis.evidence.answers[0].samples[0].value;
    assert_eq!(rows, &json!([[1015.0, 307.0, 7.0, 7.0], [1030.0, 52.0, 2.0, 2.0]]));
}

#[test]
fn verdicts_are_proven_or_open() {
    let good = range(&[("200", &[0.0, 3000.0, 6000.0])]);
    let bad = range(&[("200", &[0.0, 900.0, 1800.0]), ("500", &[0.0, 100.0, 200.0])]);
    let little = range(&[("200", &[0.0, 3.0, 5.0])]);
    let verdict = |texts: &[&str], candidate: &Value, stable: &Value| graded(texts, candidate, stable).verdict;
    assert_eq!(verdict(&["success-rate>=99", "error-rate<=stable+1%"], &good, &good), Verdict::Pass);
    assert_eq!(verdict(&["success-rate>=99"], &bad, &good), Verdict::Fail);
    assert_eq!(verdict(&["error-rate<=stable+1%"], &bad, &good), Verdict::Fail);
    // An outage that hits both sides fails nobody.
    assert_ne!(verdict(&["error-rate<=stable+1%"], &bad, &bad), Verdict::Fail);
    assert_eq!(verdict(&["success-rate>=99"], &little, &good), Verdict::Inconclusive);
    assert_eq!(verdict(&["success-rate>=99"], &range(&[]), &good), Verdict::Inconclusive);
    // One failure among others fails.
    assert_eq!(verdict(&["rps>=1", "success-rate>=99"], &bad, &good), Verdict::Fail);
    assert_eq!(verdict(&["rps>=1000"], &good, &good), Verdict::Fail);
    // 6000 requests in two intervals are 200 a second, and 3000 in one are, too.
    assert_eq!(verdict(&["rps>=200"], &good, &good), Verdict::Pass);
    assert_eq!(verdict(&["rps>200"], &good, &good), Verdict::Fail);
    let short = range(&[("200", &[0.0, 3000.0])]);
    assert_eq!(verdict(&["rps>=200"], &short, &good), Verdict::Pass);
    assert_eq!(verdict(&["rps>200"], &short, &good), Verdict::Inconclusive);
    assert_eq!(verdict(&["rps<=200"], &short, &good), Verdict::Inconclusive);
    assert_eq!(grade(&[], Evidence::default()).verdict, Verdict::Fail);
}

#[test]
fn latencies_are_judged_as_shares_above_the_limit() {
    let buckets = |slow: f64| {
        let series = |edge: &str, share: f64| json!({"metric": {"le": edge}, "values": [[1000, "0"], [1015, (4000.0 * share).to_string()]]});
        let result = [series("500", 1.0 - slow), series("1000", 1.0), series("+Inf", 1.0)];
        json!({"status": "success", "data": {"resultType": "matrix", "result": result}})
    };
    let verdict = |slow: f64, text: &str, stable: f64| {
        let requests = range(&[("200", &[0.0, 4000.0])]);
        let sampled = |slow: f64| Sampled::read(&requests, Some(&buckets(slow))).expect("a histogram");
        let side = Side { service: "carts".into(), target: Target::Service };
        let terms = [term(text)];
        let answers = vec![answer(&terms[0], &side, &sampled(slow), Some(&sampled(stable)), None)];
        grade(&terms, Evidence { window: None, answers, previous: Vec::new(), ..Evidence::default() }).verdict
    };
    assert_eq!(verdict(0.01, "p95<500ms", 0.01), Verdict::Pass);
    assert_eq!(verdict(0.30, "p95<500ms", 0.01), Verdict::Fail);
    // 1,000 is an edge, too; the stable side's p95 lies at 500 or a little below.
    assert_eq!(verdict(0.30, "p95<=stable*1.2", 0.04), Verdict::Inconclusive);
    assert_eq!(verdict(0.01, "p95<=stable*2.2", 0.04), Verdict::Pass);
}

#[test]
fn an_evaluation_can_be_graded_again_from_its_own_json() {
    let good = range(&[("200", &[0.0, 3000.0, 6000.0])]);
    let result = graded(&["success-rate>=99", "error-rate<=stable+1%", "rps>=1"], &good, &good);
    let json = serde_json::to_string(&result).expect("JSON");
    assert_eq!(regrade("evidence", &json), Ok(result));
}
