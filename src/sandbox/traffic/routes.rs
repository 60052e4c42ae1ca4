//! Which route of a VirtualService takes a request.
use regex::Regex;
use serde_json::Value;

use super::endpoints::{items, text};

/// What routing looks at. All requests are `GET`s on port 80.
pub struct Request<'a> {
    pub path: &'a str,
    /// Whether it carries `X-group: test`, the only header there is.
    pub tester: bool,
    /// The gateway that it came by; `mesh` inside the mesh.
    pub gateway: &'a str,
}

/// Whether a route takes the request: without conditions it takes all, else one of them must hold entirely.
pub fn matches(route: &Value, request: &Request<'_>) -> bool {
    match items(&route["match"]) {
        [] => true,
        conditions => conditions.iter().any(|condition| holds(condition, request)),
    }
}

fn holds(condition: &Value, request: &Request<'_>) -> bool {
    let Some(fields) = condition.as_object() else { return true };
    fields.iter().all(|(field, wanted)| match field.as_str() {
        "name" | "ignoreUriCase" => true,
        "uri" => matches_text(wanted, request.path),
        "method" => matches_text(wanted, "GET"),
        "scheme" => matches_text(wanted, "http"),
        "port" => wanted.as_u64() == Some(80),
        "gateways" => items(wanted).is_empty() || items(wanted).iter().any(|g| text(g) == request.gateway),
        "headers" => headers(wanted)
            .all(|(name, value)| request.tester && name.eq_ignore_ascii_case("x-group") && matches_text(value, "test")),
        "withoutHeaders" => !headers(wanted)
            .any(|(name, value)| request.tester && name.eq_ignore_ascii_case("x-group") && matches_text(value, "test")),
        // Nothing that the simulated clients have: query parameters, labels of the source, an authority.
        _ => false,
    })
}

fn headers(wanted: &Value) -> impl Iterator<Item = (&String, &Value)> {
    wanted.as_object().into_iter().flatten()
}

/// Istio's StringMatch; an empty one asks for presence only.
fn matches_text(wanted: &Value, got: &str) -> bool {
    if let Some(exact) = wanted["exact"].as_str() {
        got == exact
    } else if let Some(prefix) = wanted["prefix"].as_str() {
        got.starts_with(prefix)
    } else if let Some(regex) = wanted["regex"].as_str() {
        Regex::new(&format!("^(?:{regex})$")).is_ok_and(|r| r.is_match(got))
    } else {
        true
    }
}

/// Name and namespace of the VirtualService that holds the routes in this one's place.
pub fn delegate_of<'a>(route: &'a Value, vs: &'a Value) -> Option<(&'a str, &'a str)> {
    let delegate = &route["delegate"];
    let namespace = delegate["namespace"].as_str().unwrap_or(text(&vs["metadata"]["namespace"]));
    Some((delegate["name"].as_str()?, namespace))
}

/// A weight; missing is 0, and old stored objects hold quoted numbers.
pub fn weight(value: &Value) -> i64 {
    let weight = value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0);
    // The range of the field, so that sums cannot overflow.
    weight.clamp(i32::MIN.into(), i32::MAX.into())
}
