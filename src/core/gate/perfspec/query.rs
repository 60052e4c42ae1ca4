//! The questions of a perfspec, as data.

use super::Indicator;
use crate::core::gate::dynatrace::{Dynatrace, Smartscape, Timeseries};
use crate::core::gate::query::Query;
use crate::error::{Error, Result};
use serde_json::Value;

/// The sources that there are, in the spelling of the original.
pub(super) const SOURCES: [&str; 2] = ["Prometheus", "Dynatrace"];

/// The question of an indicator.
pub(super) fn of(indicator: &Indicator) -> Result<Query> {
    let refused = |why: String| Error::usage(format!("indicator `{}`: {why}", indicator.id));
    match SOURCES.iter().find(|source| source.eq_ignore_ascii_case(&indicator.source)) {
        Some(&"Prometheus") => match &indicator.query {
            Value::String(query) => Ok(Query::Prometheus(query.clone())),
            _ => Err(refused("a query to Prometheus is a text".into())),
        },
        Some(_) => dynatrace(&indicator.query).map(Query::Dynatrace).map_err(refused),
        None => Err(refused(format!("unknown source `{}`; known are {}", indicator.source, SOURCES.join(", ")))
            .hint("give its values with `--values`")),
    }
}

fn dynatrace(query: &Value) -> Result<Dynatrace, String> {
    let text = |key: &str| query.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let aggregation = text("aggregation").ok_or("a query to Dynatrace needs an `aggregation`: AVG, MAX, COUNT, p95 …")?;
    // The sample files leave a key that says nothing as an empty text.
    let given = |key: &str| query.get(key).filter(|value| !value.is_null() && value.as_str() != Some("")).cloned();
    let tags = given("tags");
    if let Some(id) = text("timeseriesId") {
        let digits = aggregation.strip_prefix('p').filter(|digits| digits.parse::<u32>().is_ok());
        return Ok(Dynatrace::Timeseries(Timeseries {
            id: id.to_owned(),
            aggregation: digits.map_or(aggregation, |_| "percentile").to_owned(),
            percentile: digits.map(str::to_owned),
            entities: given("entityIds"),
            tags,
        }));
    }
    let (Some(entity_type), Some(relation)) = (text("entityType"), text("smartscape")) else {
        return Err("a query to Dynatrace names a `timeseriesId`, or an `entityType` and a `smartscape` relation".into());
    };
    if aggregation != "count" {
        return Err(format!("relations can only be counted: `count`, not `{aggregation}`"));
    }
    if !["Service", "Application", "Process"].contains(&entity_type) {
        return Err(format!("relations are those of a Service, Application or Process, not `{entity_type}`"));
    }
    Ok(Dynatrace::Smartscape(Smartscape { entity_type: entity_type.to_owned(), relation: relation.to_owned(), tags }))
}
