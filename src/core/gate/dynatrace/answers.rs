//! The answers of Dynatrace's API, turned into samples.

use super::super::evaluation::Sample;
use serde_json::Value;

/// The samples of a v1 answer: the first point of each entity, as the query asks for one. A null stays in them, as a
/// value that was not measured.
///
/// # Errors
/// What the answer says instead of data points.
pub fn timeseries(body: &Value) -> Result<Vec<Sample>, String> {
    let points = body.get("dataPoints").or_else(|| body.pointer("/result/dataPoints")).and_then(Value::as_object);
    let points = points.ok_or_else(|| said(body).unwrap_or_else(|| "the answer has no data points".into()))?;
    let first = |points: &Value| points.pointer("/0/1").cloned().unwrap_or_default();
    Ok(points.iter().map(|(entity, points)| Sample::of(entity, first(points))).collect())
}

/// The samples of an answer of the Metrics API (v2): the first value of each series, as `resolution=Inf` asks for one. A null
/// stays in them, as a value that was not measured.
///
/// # Errors
/// What the answer says instead of a result.
pub(super) fn metrics(pages: &[Value]) -> Result<Vec<Sample>, String> {
    let key = |series: &Value| {
        let dimensions = series.get("dimensions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        dimensions.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
    };
    let mut samples = Vec::new();
    for metric in list(pages, "result")? {
        let data = metric.get("data").and_then(Value::as_array).into_iter().flatten();
        samples.extend(data.map(|series| Sample::of(key(series), series.pointer("/values/0").cloned().unwrap_or_default())));
    }
    Ok(samples)
}

/// The entities of an answer of the Entities API (v2).
///
/// # Errors
/// What the answer says instead.
pub(super) fn entities(pages: &[Value]) -> Result<Vec<Value>, String> {
    list(pages, "entities").map(|entities| entities.into_iter().cloned().collect())
}

fn list<'a>(pages: &'a [Value], key: &str) -> Result<Vec<&'a Value>, String> {
    let mut all = Vec::new();
    for page in pages {
        let items = page.get(key).and_then(Value::as_array);
        all.extend(items.ok_or_else(|| said(page).unwrap_or_else(|| format!("the answer has no {key}")))?);
    }
    Ok(all)
}

/// A number of an answer.
///
/// # Errors
/// What the answer says instead.
pub(super) fn number(pages: &[Value], key: &str) -> Result<Vec<Sample>, String> {
    let page = pages.first().unwrap_or(&Value::Null);
    match page.get(key) {
        Some(value) => Ok(vec![Sample::of("", value.clone())]),
        None => Err(said(page).unwrap_or_else(|| format!("the answer has no {key}"))),
    }
}

/// What an answer with a status other than 200 says.
pub fn refusal(status: u16, body: &str) -> String {
    let said = serde_json::from_str(body).ok().as_ref().and_then(said);
    said.map_or_else(|| format!("HTTP status {status}"), |said| format!("HTTP status {status}: {said}"))
}

/// What Dynatrace says in an error: a text, or `{"code", "message", "constraintViolations": [{"message"}]}`.
fn said(body: &Value) -> Option<String> {
    let error = body.get("error")?;
    let message = error.as_str().or_else(|| error.get("message").and_then(Value::as_str))?;
    let detail = error.pointer("/constraintViolations/0/message").and_then(Value::as_str);
    Some(detail.map_or_else(|| message.to_owned(), |detail| format!("{message} {detail}")))
}

/// The entity with the highest value; the last of several, as keptn took it. `None` where nothing was counted.
pub fn busiest(samples: &[Sample]) -> Option<&str> {
    let counted = samples.iter().filter_map(|sample| Some((sample.number()?, sample.key.as_str())));
    let most = counted.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    Some(most.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_of_both_generations() {
        let v1 = json!({"dataPoints": {"SERVICE-1": [[1, 100], [2, 5]], "SERVICE-2": [[1, null]], "SERVICE-3": []}});
        let numbers: Vec<_> = timeseries(&v1).expect("v1").iter().map(Sample::number).collect();
        assert_eq!(numbers, [Some(100.0), None, None]);
        assert_eq!(timeseries(&json!({"error": "400 - \"Bad Request\""})), Err("400 - \"Bad Request\"".into()));
        let page = |entity: &str, value: Value| json!({"nextPageKey": null, "result": [{"metricId": "m", "data": [{"dimensions": [entity], "values": [value]}]}]});
        let pages = [page("SERVICE-1", json!(7.5)), page("SERVICE-2", Value::Null)];
        assert_eq!(metrics(&pages), Ok(vec![Sample::of("SERVICE-1", 7.5), Sample::of("SERVICE-2", Value::Null)]));
        assert_eq!(metrics(&[json!({})]), Err("the answer has no result".into()));
        let refused = json!({"error": {"code": 400, "message": "Bad.", "constraintViolations": [{"message": "No such metric"}]}});
        assert_eq!(metrics(std::slice::from_ref(&refused)), Err("Bad. No such metric".into()));
        assert_eq!(refusal(400, &refused.to_string()), "HTTP status 400: Bad. No such metric");
        assert_eq!(refusal(502, "<html>"), "HTTP status 502");
    }

    #[test]
    fn the_last_of_the_busiest_entities() {
        let samples = [("A", json!(10)), ("B", json!(500)), ("C", json!(500)), ("D", Value::Null)]
            .map(|(key, value)| Sample::of(key, value));
        assert_eq!(busiest(&samples), Some("C"));
        assert_eq!(busiest(&samples[3..]), None);
    }
}
