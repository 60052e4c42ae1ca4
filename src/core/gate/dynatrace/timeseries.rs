//! The questions of a perfspec.

use super::super::evaluation::{Sample, Window};
use super::{Dynatrace, Request, quoted};
use serde_json::{Map, Value, json};

/// The metrics of the Timeseries API (v1) and what the Metrics API (v2) calls them, with the entities that have them.
/// Counters have no aggregation but their value, and are counted whatever v1 called it.
const METRICS: [(&str, &str, bool); 8] = [
    ("service.responsetime", "builtin:service.response.time", false),
    ("service.failurerate", "builtin:service.errors.total.rate", false),
    ("service.serversidefailurerate", "builtin:service.errors.server.rate", false),
    ("service.clientsidefailurerate", "builtin:service.errors.client.rate", false),
    ("service.requestspermin", "builtin:service.requestCount.total", true),
    ("service.server_side_requests", "builtin:service.requestCount.server", true),
    ("service.errorcounthttp4xx", "builtin:service.errors.fourxx.count", true),
    ("service.errorcounthttp5xx", "builtin:service.errors.fivexx.count", true),
];

/// What v1's built-in metrics begin with.
const V1: &str = "com.dynatrace.builtin:";

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
    /// The request of the Metrics API (v2). The values stay in v1's unit, as the thresholds of perfspecs are: microseconds.
    ///
    /// # Errors
    /// Says that nothing is known to be meant by the time series, the aggregation, or the entities.
    pub(super) fn request(&self, window: Window) -> Result<Request, String> {
        let (metric, counter) = match self.id.strip_prefix(V1) {
            None => (self.id.as_str(), false),
            Some(old) => match METRICS.iter().find(|(name, ..)| *name == old) {
                Some((_, metric, counter)) => (*metric, *counter),
                None => {
                    return Err(format!(
                        "the Timeseries API (v1) is gone, and nothing is known to take the place of `{}`: write the key of a \
                         metric of the Metrics API (v2), `builtin:…`",
                        self.id
                    ));
                }
            },
        };
        let aggregation = self.aggregation.to_lowercase();
        let transformation = match (aggregation.as_str(), &self.percentile) {
            ("count" | "sum", _) if counter => "value".to_owned(),
            ("percentile", Some(digits)) if !counter => format!("percentile({digits})"),
            ("avg" | "count" | "max" | "median" | "min" | "sum" | "value", _) if !counter => aggregation,
            _ => return Err(format!("`{}` cannot be aggregated by `{}`", self.id, self.aggregation)),
        };
        let mut entities = Vec::new();
        let (ids, tags) = (texts(self.entities.as_ref())?, texts(self.tags.as_ref())?);
        if !ids.is_empty() {
            entities.push(format!("entityId({})", ids.iter().map(|id| quoted(id)).collect::<Vec<_>>().join(",")));
        }
        if !tags.is_empty() {
            if ids.is_empty() {
                let kind = ["service", "host", "app"].into_iter().find(|kind| metric.contains(&format!(":{kind}.")));
                let kind = kind.map_or("PROCESS_GROUP_INSTANCE", |kind| match kind {
                    "service" => "SERVICE",
                    "host" => "HOST",
                    _ => "APPLICATION",
                });
                entities.push(format!("type({})", quoted(kind)));
            }
            entities.extend(tags.iter().map(|tag| format!("tag({})", quoted(tag))));
        }
        Ok(Request::new("/api/v2/metrics/query", window, ["from", "to"])
            .with("resolution", "Inf")
            .with("metricSelector", format!("{metric}:{transformation}"))
            .with("entitySelector", entities.join(",")))
    }

    /// Whether it is asked of all entities there are.
    pub fn is_open(&self) -> bool {
        self.entities.is_none() && self.tags.is_none()
    }

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
    /// The request of the Entities API (v2).
    pub(super) fn request(&self, window: Window) -> Request {
        let kind = match self.entity_type.as_str() {
            "Service" => "SERVICE",
            "Application" => "APPLICATION",
            _ => "PROCESS_GROUP_INSTANCE",
        };
        let mut entities = vec![format!("type({})", quoted(kind))];
        entities.extend(texts(self.tags.as_ref()).unwrap_or_default().iter().map(|tag| format!("tag({})", quoted(tag))));
        Request::new("/api/v2/entities", window, ["from", "to"])
            .with("entitySelector", entities.join(","))
            .with("fields", format!("+{}", self.relation.replace(':', ".")))
            .with("pageSize", "500")
    }

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

/// One text, or a list of them.
fn texts(value: Option<&Value>) -> Result<Vec<String>, String> {
    let text = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(|| format!("{item} is not a text"));
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(text).collect(),
        Some(one) => Ok(vec![text(one)?]),
    }
}

/// The tags by which keptn found the entities of a service.
pub fn tags(project: &str, stage: &str, service: &str) -> Vec<String> {
    vec![format!("service:{service}"), format!("environment:{project}-{stage}")]
}

/// The question for the requests of the service entities with all of these tags: keptn judged the one that had the most.
pub fn requests(tags: &[String]) -> Dynatrace {
    Dynatrace::Timeseries(Timeseries {
        id: format!("{V1}service.server_side_requests"),
        aggregation: "count".to_owned(),
        percentile: None,
        entities: None,
        tags: Some(json!(tags)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { start: 1_557_000_000, end: 1_557_000_180 };

    fn fields(query: &Timeseries) -> Result<Vec<(String, String)>, String> {
        Dynatrace::Timeseries(query.clone()).request(WINDOW).map(|request| request.fields)
    }

    fn series(id: &str, aggregation: &str, percentile: Option<&str>) -> Timeseries {
        Timeseries {
            id: id.into(),
            aggregation: aggregation.into(),
            percentile: percentile.map(str::to_owned),
            entities: None,
            tags: None,
        }
    }

    #[test]
    fn v1_is_asked_of_v2() {
        let mut query = series("com.dynatrace.builtin:service.responsetime", "AVG", None);
        query.tags = Some(json!(["service:carts", "say:\"hi\""]));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = vec![
            pair("from", "1557000000000"),
            pair("to", "1557000180000"),
            pair("resolution", "Inf"),
            pair("metricSelector", "builtin:service.response.time:avg"),
            pair("entitySelector", "type(\"SERVICE\"),tag(\"service:carts\"),tag(\"say:~\"hi~\"\")"),
        ];
        assert_eq!(fields(&query), Ok(expected));
        for (query, selector) in [
            (
                series("com.dynatrace.builtin:service.responsetime", "percentile", Some("95")),
                "builtin:service.response.time:percentile(95)",
            ),
            (series("com.dynatrace.builtin:service.requestspermin", "COUNT", None), "builtin:service.requestCount.total:value"),
            (series("calc:service.mine", "max", None), "calc:service.mine:max"),
        ] {
            assert_eq!(fields(&query).map(|fields| fields[3].1.clone()), Ok(selector.to_owned()));
        }
        query.entities = Some(json!("SERVICE-1"));
        assert!(fields(&query).is_ok_and(|fields| fields[4].1.starts_with("entityId(\"SERVICE-1\"),tag(")), "{query:?}");
    }

    #[test]
    fn what_v2_does_not_know_is_not_guessed() {
        for (query, says) in [
            (series("com.dynatrace.builtin:host.disk.foo", "AVG", None), "nothing is known to take the place"),
            (series("com.dynatrace.builtin:service.requestspermin", "AVG", None), "cannot be aggregated"),
            (series("builtin:service.response.time", "NONE", None), "cannot be aggregated"),
            (Timeseries { tags: Some(json!([1])), ..series("builtin:x", "AVG", None) }, "1 is not a text"),
        ] {
            assert!(fields(&query).is_err_and(|why| why.contains(says)), "{query:?}");
        }
    }

    #[test]
    fn relations_are_asked_of_the_entities() {
        let query =
            Smartscape { entity_type: "Service".into(), relation: "toRelationships:calls".into(), tags: Some(json!("a:b")) };
        let request = query.request(WINDOW);
        assert_eq!(request.path, "/api/v2/entities");
        let told: Vec<&str> = request.fields.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(told[2..], ["type(\"SERVICE\"),tag(\"a:b\")", "+toRelationships.calls", "500"]);
    }
}
