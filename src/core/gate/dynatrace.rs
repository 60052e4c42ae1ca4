//! Dynatrace: what perfspecs ask of it, and its answers turned into samples.

use super::evaluation::{Sample, Window};
use super::number;
use serde_json::{Map, Value, json};

/// A question to Dynatrace.
#[derive(Clone, Debug, PartialEq)]
pub enum Dynatrace {
    /// A time series, one value an entity for the whole window.
    Timeseries(Timeseries),
    /// The number of relations of entities.
    Smartscape(Smartscape),
}

impl Dynatrace {
    /// The question in one line, for people.
    pub fn line(&self) -> String {
        match self {
            Self::Timeseries(query) => {
                let percentile = query.percentile.as_ref().map_or_else(String::new, |percentile| format!(" {percentile}"));
                format!("{} {}{percentile}", query.id, query.aggregation)
            }
            Self::Smartscape(query) => format!("{} {} count", query.entity_type, query.relation),
        }
    }
}

/// A question to the Timeseries API (v1), in the words of a perfspec.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeseries {
    /// The time series, for example `com.dynatrace.builtin:service.responsetime`.
    pub id: String,
    /// `AVG` and the like as written, or `percentile`.
    pub aggregation: String,
    /// The percentile, for `p95` and the like.
    pub percentile: Option<String>,
    /// The entities, if only some.
    pub entities: Option<Value>,
    /// The tags of the entities.
    pub tags: Option<Value>,
}

impl Timeseries {
    /// The body of the v1 request, which names the window in milliseconds.
    pub fn parameters(&self, window: Window) -> Value {
        let mut body = span(&self.aggregation, window);
        if let Some(percentile) = &self.percentile {
            body.insert("percentile".into(), json!(percentile));
        }
        optional(&mut body, "entities", &self.entities);
        optional(&mut body, "tags", &self.tags);
        body.insert("queryMode".into(), json!("TOTAL"));
        Value::Object(body)
    }
}

/// A question for the number of an entity's relations.
#[derive(Clone, Debug, PartialEq)]
pub struct Smartscape {
    /// `Service`, `Application` or `Process`.
    pub entity_type: String,
    /// `toRelationships:calls` and the like.
    pub relation: String,
    /// The tags of the entities.
    pub tags: Option<Value>,
}

impl Smartscape {
    /// The parameters of the v1 request.
    pub fn parameters(&self, window: Window) -> Value {
        let mut body = span("count", window);
        optional(&mut body, "tags", &self.tags);
        Value::Object(body)
    }

    /// One sample an entity: how many relations of the kind it has.
    pub fn samples(&self, entities: &[Value]) -> Vec<Sample> {
        let (direction, kind) = self.relation.split_once(':').unwrap_or((&self.relation, ""));
        let count = |entity: &Value| entity.get(direction)?.get(kind)?.as_array().map(Vec::len);
        let id = |entity: &Value| entity.get("entityId").and_then(Value::as_str).unwrap_or_default().to_owned();
        entities.iter().map(|entity| Sample::of(id(entity), count(entity).unwrap_or(0))).collect()
    }
}

fn span(aggregation: &str, window: Window) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("aggregationType".into(), json!(aggregation));
    body.insert("startTimestamp".into(), json!(window.start.saturating_mul(1000)));
    body.insert("endTimestamp".into(), json!(window.end.saturating_mul(1000)));
    body
}

fn optional(body: &mut Map<String, Value>, key: &str, value: &Option<Value>) {
    if let Some(value) = value {
        body.insert(key.into(), value.clone());
    }
}

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

/// The samples of an answer of the Metrics API (v2): the first value of each of a metric's dimensions.
///
/// # Errors
/// What the answer says instead of a result.
pub fn metrics(body: &Value) -> Result<Vec<Sample>, String> {
    let result = body.get("result").and_then(Value::as_array);
    let result = result.ok_or_else(|| said(body).unwrap_or_else(|| "the answer has no result".into()))?;
    let data = result.iter().filter_map(|metric| metric.get("data").and_then(Value::as_array)).flatten();
    let key = |series: &Value| {
        let dimensions = series.get("dimensions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        dimensions.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
    };
    Ok(data.map(|series| Sample::of(key(series), series.pointer("/values/0").cloned().unwrap_or_default())).collect())
}

/// What Dynatrace says in an error: a text, or `{"code","message"}`.
fn said(body: &Value) -> Option<String> {
    let error = body.get("error")?;
    error.as_str().or_else(|| error.get("message").and_then(Value::as_str)).map(str::to_owned)
}

/// A value of the Metrics API in the unit in which keptn's objectives are written: microseconds become milliseconds, bytes
/// kilobytes. `query` is the SLI's query.
pub fn in_unit(query: &str, value: f64) -> f64 {
    if query.contains("builtin:service.response.time") || query.starts_with("MV2;MicroSecond") {
        return value / 1000.0;
    }
    if query.starts_with("MV2;Byte") { value / 1024.0 } else { value }
}

/// The tags by which keptn found the entities of a service.
pub fn tags(project: &str, stage: &str, service: &str, under_test: bool) -> Vec<String> {
    let mut tags = vec![format!("service:{service}"), format!("environment:{project}-{stage}")];
    if under_test {
        tags.push("test-subject:true".into());
    }
    tags
}

/// The entity with the most requests, of the v1 answer to `com.dynatrace.builtin:service.server_side_requests`; the last
/// of several. `None` where nothing was counted.
pub fn busiest(body: &Value) -> Option<String> {
    let mut best: Option<(f64, String)> = None;
    for sample in timeseries(body).ok()? {
        let Some(count) = number::measured(&sample.value) else { continue };
        if best.as_ref().is_none_or(|(most, _)| count >= *most) {
            best = Some((count, sample.key));
        }
    }
    best.map(|(_, entity)| entity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_both_generations() {
        let v1 = json!({"dataPoints": {"SERVICE-1": [[1, 100], [2, 5]], "SERVICE-2": [[1, null]], "SERVICE-3": []}});
        let numbers: Vec<_> = timeseries(&v1).expect("v1").iter().map(Sample::number).collect();
        assert_eq!(numbers, [Some(100.0), None, None]);
        assert_eq!(timeseries(&json!({"error": "400 - \"Bad Request\""})), Err("400 - \"Bad Request\"".into()));
        let v2 = json!({"result": [{"metricId": "m", "data": [{"dimensions": ["SERVICE-1"], "values": [7.5]}]}]});
        assert_eq!(metrics(&v2), Ok(vec![Sample::of("SERVICE-1", 7.5)]));
        assert_eq!(metrics(&json!({"error": {"code": 403, "message": "Token is missing"}})), Err("Token is missing".into()));
        assert_eq!(in_unit("metricSelector=builtin:service.response.time:avg", 2500.0), 2.5);
        assert_eq!(in_unit("MV2;Byte;metricSelector=x", 2048.0), 2.0);
    }

    #[test]
    fn the_last_of_the_busiest_entities() {
        let body = json!({"dataPoints": {"A": [[1, 10]], "B": [[1, 500]], "C": [[1, 500]], "D": [[1, null]]}});
        assert_eq!(busiest(&body).as_deref(), Some("C"));
        assert_eq!(busiest(&json!({"dataPoints": {}})), None);
        assert_eq!(tags("sockshop", "staging", "carts", true)[2], "test-subject:true");
    }
}
