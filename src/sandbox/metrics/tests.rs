use serde_json::{Value as Json, json};

use super::{Sample, Tsdb, handle};

/// `vectors.json` counts its seconds from here.
const EPOCH: i64 = 1_700_000_000;

fn vectors() -> (Tsdb, Vec<Json>) {
    let mut file: Json =
        serde_json::from_str(include_str!("vectors.json")).expect("vectors.json is JSON");
    let mut db = Tsdb::default();
    for series in file["series"].as_array().expect("series") {
        let labels = serde_json::from_value(series["labels"].clone()).expect("labels");
        let (from, every) = (
            series["from"].as_i64().expect("from"),
            series["every"].as_i64().expect("every"),
        );
        let values = series["values"]
            .as_array()
            .expect("values")
            .iter()
            .map(|v| v.as_f64().expect("number"));
        let at = |i: usize| (EPOCH + from + every * i as i64) * 1000;
        db.insert(
            labels,
            values
                .enumerate()
                .map(|(i, value)| Sample { at: at(i), value }),
        );
    }
    let cases = file["cases"].take();
    (db, cases.as_array().expect("cases").clone())
}

/// Elements of a vector have no order, except where a query sorts them, which none of the cases relies on.
fn unordered(mut body: Json) -> Json {
    if let Some(result) = body
        .pointer_mut("/data/result")
        .filter(|r| r[0].is_object())
        && let Some(elements) = result.as_array_mut()
    {
        elements.sort_by_key(|e| sorted(&e["metric"]));
    }
    body
}

/// Object members in alphabetic order, as text.
fn sorted(value: &Json) -> String {
    let members: std::collections::BTreeMap<_, _> =
        value.as_object().into_iter().flatten().collect();
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
            differences.push(format!(
                "{url}\n  got    {} {body}\n  wanted {} {wanted}",
                got.status, case["status"]
            ));
        }
    }
    assert!(cases.len() > 200, "only {} cases", cases.len());
    assert!(
        differences.is_empty(),
        "{} of {} differ:\n{}",
        differences.len(),
        cases.len(),
        differences.join("\n")
    );
}
