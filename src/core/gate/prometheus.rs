//! The answers of Prometheus' HTTP API, turned into samples.

use super::evaluation::Sample;
use serde_json::Value;

/// The samples in the body of an instant query's answer. NaN stays in them: see [`Sample::number`].
///
/// # Errors
/// Says why the body holds no instant values: an error of the server, a range of values, a text, a histogram.
pub fn samples(body: &Value) -> Result<Vec<Sample>, String> {
    if body.get("status").and_then(Value::as_str) != Some("success") {
        return Err(failure(body).unwrap_or_else(|| "the answer is not one of Prometheus' query API".into()));
    }
    let data = body.get("data").unwrap_or(&Value::Null);
    let result = data.get("result").unwrap_or(&Value::Null);
    match data.get("resultType").and_then(Value::as_str) {
        Some("vector") => {
            let series = result.as_array().ok_or("the answer has no result")?;
            series.iter().map(one).collect()
        }
        Some("scalar") => {
            let value = value(result).ok_or("the scalar has no value")?;
            Ok(vec![Sample::of("", value)])
        }
        Some("matrix") => Err("the query answers a range of values; ask for one, for example with avg_over_time()".into()),
        Some(other) => Err(format!("the query answers a {other}, not numbers")),
        None => Err("the answer has no result type".into()),
    }
}

/// What an answer warns of: series that are missing because a store did not answer, a function that was given something odd.
pub fn warnings(body: &Value) -> Vec<String> {
    let lists = ["warnings", "infos"].iter().filter_map(|key| body.get(key)?.as_array());
    lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The values in the body of a range query's answer, as they are written; none where there is no series.
///
/// # Errors
/// Says why they are not the values of one series.
pub fn range(body: &Value) -> Result<Vec<Value>, String> {
    if body.get("status").and_then(Value::as_str) != Some("success") {
        return Err(failure(body).unwrap_or_else(|| "the answer is not one of Prometheus' query API".into()));
    }
    let series = body.pointer("/data/result").and_then(Value::as_array).ok_or("the answer has no result")?;
    match series.as_slice() {
        [] => Ok(Vec::new()),
        [one] => {
            let pairs = one.get("values").and_then(Value::as_array).ok_or("the answer is not a range of values")?;
            Ok(pairs.iter().filter_map(value).collect())
        }
        many => {
            Err(format!("the query answers {} series where one is compared; aggregate them, for example with sum()", many.len()))
        }
    }
}

/// What an answer with a status other than 200 says: Prometheus explains itself in the body.
pub fn refusal(status: u16, body: &str) -> String {
    let said = serde_json::from_str(body).ok().as_ref().and_then(failure);
    said.map_or_else(|| format!("HTTP status {status}"), |said| format!("HTTP status {status}: {said}"))
}

fn failure(body: &Value) -> Option<String> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let error = text("error")?;
    Some(text("errorType").map_or_else(|| error.to_owned(), |kind| format!("{kind}: {error}")))
}

fn one(series: &Value) -> Result<Sample, String> {
    let labels = series.get("metric").filter(|labels| labels.is_object());
    let key = labels.map_or_else(|| "{}".to_owned(), Value::to_string);
    if series.get("histogram").is_some() {
        return Err("the query answers a native histogram; ask for a number, for example with histogram_quantile()".into());
    }
    let value = series.get("value").and_then(value).ok_or_else(|| format!("the series {key} has no value"))?;
    Ok(Sample::of(key, value))
}

/// The value of a `[time, "value"]` pair.
fn value(pair: &Value) -> Option<Value> {
    pair.as_array().and_then(|pair| pair.get(1)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(kind: &str, result: Value) -> Value {
        json!({"status": "success", "data": {"resultType": kind, "result": result}})
    }

    #[test]
    fn a_range_is_that_of_one_series() {
        let one = json!({"metric": {}, "values": [[1, "0.5"], [61, "NaN"]]});
        assert_eq!(range(&answer("matrix", json!([one]))), Ok(vec![json!("0.5"), json!("NaN")]));
        assert_eq!(range(&answer("matrix", json!([]))), Ok(vec![]));
        assert!(range(&answer("matrix", json!([one, one]))).is_err_and(|why| why.contains("2 series")));
        assert!(range(&answer("vector", json!([{"value": [1, "1"]}]))).is_err());
        assert!(range(&json!({"status": "error", "errorType": "bad_data", "error": "x"})).is_err());
    }

    #[test]
    fn every_kind_of_answer() {
        let series =
            json!([{"metric": {"job": "a", "__name__": "up"}, "value": [1.5, "0.8"]}, {"metric": {}, "value": [1.5, "NaN"]}]);
        let found = samples(&answer("vector", series)).expect("a vector");
        assert_eq!((found[0].key.as_str(), found[0].number()), (r#"{"job":"a","__name__":"up"}"#, Some(0.8)));
        assert_eq!((found[1].key.as_str(), found[1].number()), ("{}", None));
        assert_eq!(samples(&answer("vector", json!([]))), Ok(vec![]));
        assert_eq!(samples(&answer("scalar", json!([1, "+Inf"]))).map(|found| found[0].number()), Ok(Some(f64::INFINITY)));
        for (body, says) in [
            (answer("matrix", json!([])), "a range of values"),
            (answer("string", json!([1, "x"])), "a string"),
            (answer("vector", json!([{"metric": {}, "histogram": [1, {}]}])), "native histogram"),
            (answer("vector", json!([{"metric": {}}])), "{} has no value"),
            (answer("vector", json!(7)), "no result"),
            (answer("scalar", json!(null)), "no value"),
            (json!({"status": "error", "errorType": "bad_data", "error": "parse error"}), "bad_data: parse error"),
            (json!({"status": "success"}), "no result type"),
            (json!("<html>"), "not one of Prometheus'"),
        ] {
            let error = samples(&body).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(refusal(503, "<html>"), "HTTP status 503");
        assert_eq!(refusal(400, r#"{"status":"error","errorType":"bad_data","error":"x"}"#), "HTTP status 400: bad_data: x");
    }
}
