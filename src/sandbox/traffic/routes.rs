//! Which route of a VirtualService takes a request.
use http::HeaderMap;
use regex::Regex;
use serde_json::Value;

use super::endpoints::{items, text};

/// What routing looks at. All requests are plain HTTP on port 80.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`
    pub method: &'a str,
    /// The host asked for, without a port; empty where it does not matter.
    pub authority: &'a str,
    /// The path, without its query.
    pub path: &'a str,
    /// The query, empty where there is none.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The gateway that it came by, as the VirtualService names it; `mesh` inside the mesh.
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
        "method" => matches_text(wanted, request.method),
        "authority" => !request.authority.is_empty() && matches_text(wanted, request.authority),
        "scheme" => matches_text(wanted, "http"),
        "port" => wanted.as_u64() == Some(80),
        "gateways" => items(wanted).is_empty() || items(wanted).iter().any(|g| text(g) == request.gateway),
        "headers" => members(wanted).all(|(name, value)| has_header(request, name, value)),
        "withoutHeaders" => !members(wanted).any(|(name, value)| has_header(request, name, value)),
        "queryParams" => members(wanted).all(|(name, value)| {
            let pairs = request.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let mut values = pairs.filter(|(key, _)| key == name).map(|(_, got)| got);
            values.next().is_some_and(|got| matches_text(value, got))
        }),
        // Labels and namespaces of the source: nothing that the clients have.
        _ => false,
    })
}

fn has_header(request: &Request<'_>, name: &str, wanted: &Value) -> bool {
    let values = request.headers.get(name).and_then(|value| value.to_str().ok());
    values.is_some_and(|got| matches_text(wanted, got))
}

fn members(wanted: &Value) -> impl Iterator<Item = (&String, &Value)> {
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
