//! Prometheus's HTTP API over a store: queries, metadata, readiness.
use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::promql::{Evaluator, ExecutionError, ParseError, Value, parse, parse_selector};
use super::tsdb::{Labels, Sample, Series, Tsdb};
use crate::sorted;

/// What goes back to the client.
#[derive(Debug, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// JSON for the API, a line of text otherwise.
    pub body: String,
}

/// A request that fails, with Prometheus's `errorType`.
enum Failure {
    BadData(String),
    Execution(String),
}

impl Failure {
    fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::BadData(format!("invalid parameter {name:?}: {reason}"))
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        Self::Execution(error.0)
    }
}

/// The answer to one request. `now` is in seconds since the epoch and stands for a missing `time`; `path` comes
/// without, `query` without its `?`; `body` is a form where the method is POST.
pub fn handle(db: &Tsdb, now: f64, method: &str, path: &str, query: &str, body: &[u8]) -> Response {
    type Endpoint = fn(&Tsdb, f64, &Parameters) -> Result<Json, Failure>;
    let label = path.strip_prefix("/api/v1/label/").and_then(|rest| rest.strip_suffix("/values"));
    let (endpoint, post): (Endpoint, bool) = match path {
        "/-/ready" if is_read(method) => return text(200, "Prometheus Server is Ready.\n"),
        "/-/healthy" if is_read(method) => return text(200, "Prometheus Server is Healthy.\n"),
        "/-/ready" | "/-/healthy" => return text(405, "Method Not Allowed\n"),
        "/api/v1/query" => (instant, true),
        "/api/v1/query_range" => (range, true),
        "/api/v1/series" => (series, true),
        "/api/v1/labels" => (label_names, true),
        "/api/v1/status/buildinfo" => (build, false),
        _ if label.is_some_and(|name| !name.is_empty() && !name.contains('/')) => (label_values, false),
        _ => return text(404, "404 page not found\n"),
    };
    if !(is_read(method) || (post && method == "POST")) {
        return text(405, "Method Not Allowed\n");
    }
    let mut parameters = Parameters::default();
    if method == "POST" {
        parameters.read(&String::from_utf8_lossy(body));
    }
    parameters.read(query);
    parameters.0.extend(label.map(|name| ("label".to_owned(), decode(name))));
    match endpoint(db, now, &parameters) {
        Ok(data) => api(200, json!({"status": "success", "data": data})),
        Err(Failure::BadData(error)) => api(400, json!({"status": "error", "errorType": "bad_data", "error": error})),
        Err(Failure::Execution(error)) => api(422, json!({"status": "error", "errorType": "execution", "error": error})),
    }
}

fn is_read(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

fn text(status: u16, body: &str) -> Response {
    Response { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
}

fn api(status: u16, body: Json) -> Response {
    Response { status, content_type: "application/json", body: body.to_string() }
}

fn instant(db: &Tsdb, now: f64, parameters: &Parameters) -> Result<Json, Failure> {
    let at = parameters.optional_time("time")?.unwrap_or(millis(now));
    let expr = parse(parameters.get("query")).map_err(|e| Failure::parameter("query", e))?;
    let (kind, result) = match Evaluator::new(db).eval(&expr, at)? {
        Value::Scalar(value) => ("scalar", json!([stamp(at), number(value)])),
        Value::Text(text) => ("string", json!([stamp(at), text])),
        Value::Vector(elements) => {
            let of = |e: super::promql::Element| json!({"metric": e.labels, "value": [stamp(at), point(e.value)]});
            ("vector", elements.into_iter().map(of).collect())
        }
        Value::Matrix(mut series) => {
            sorted::by(&mut series, |a, b| a.0.cmp(&b.0));
            ("matrix", series.iter().map(|(labels, samples)| matrix(labels, samples)).collect())
        }
    };
    Ok(json!({"resultType": kind, "result": result}))
}

fn range(db: &Tsdb, _: f64, parameters: &Parameters) -> Result<Json, Failure> {
    let bound = |name| {
        let time = parse_time(parameters.get(name));
        time.map_err(|reason| Failure::parameter(name, reason))
    };
    let (start, end) = (bound("start")?, bound("end")?);
    if end < start {
        return Err(Failure::parameter("end", "end timestamp must not be before start time"));
    }
    let text = parameters.get("step");
    let step = text.parse().ok().filter(|s: &f64| s.is_finite()).map(millis).or_else(|| super::promql::duration(text));
    let step = step.ok_or_else(|| Failure::parameter("step", cannot_parse(text, "duration")))?;
    if step <= 0 {
        let reason = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Failure::parameter("step", reason));
    }
    if (end - start) / step > 11_000 {
        let reason =
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
        return Err(Failure::BadData(reason.to_owned()));
    }
    let expr = parse(parameters.get("query")).map_err(|e| Failure::BadData(e.to_string()))?;
    let evaluator = Evaluator::new(db);
    let mut found: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
    for at in (0..=(end - start) / step).map(|i| start + i * step) {
        match evaluator.eval(&expr, at)? {
            Value::Scalar(value) => found.entry(Labels::new()).or_default().push(Sample { at, value }),
            Value::Vector(elements) => {
                for element in elements {
                    found.entry(element.labels).or_default().push(Sample { at, value: element.value });
                }
            }
            Value::Text(_) => return Err(no_range("string")),
            Value::Matrix(_) => return Err(no_range("range vector")),
        }
    }
    let result: Json = found.iter().map(|(labels, samples)| matrix(labels, samples)).collect();
    Ok(json!({"resultType": "matrix", "result": result}))
}

fn series(db: &Tsdb, now: f64, parameters: &Parameters) -> Result<Json, Failure> {
    if parameters.all("match[]").next().is_none() {
        return Err(Failure::BadData("no match[] parameter provided".to_owned()));
    }
    let found = sorted::set(selected(db, now, parameters)?.into_iter().map(|s| &s.labels));
    Ok(json!(found))
}

fn label_names(db: &Tsdb, now: f64, parameters: &Parameters) -> Result<Json, Failure> {
    let found = selected(db, now, parameters)?;
    Ok(json!(sorted::set(found.iter().flat_map(|s| s.labels.keys()))))
}

fn label_values(db: &Tsdb, now: f64, parameters: &Parameters) -> Result<Json, Failure> {
    let name = parameters.get("label");
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        return Err(Failure::BadData(format!("invalid label name: {name:?}")));
    }
    let found = selected(db, now, parameters)?;
    Ok(json!(sorted::set(found.iter().filter_map(|s| s.labels.get(name)))))
}

fn build(_: &Tsdb, _: f64, _: &Parameters) -> Result<Json, Failure> {
    // The version whose behaviour this follows: clients decide by it what they may ask.
    Ok(json!({
        "version": "2.42.0", "revision": "tidegate-sandbox", "branch": "", "buildUser": "", "buildDate": "",
        "goVersion": "",
    }))
}

/// The series that any `match[]` accepts (all without one) and that have samples between `start` and `end`.
fn selected<'a>(db: &'a Tsdb, now: f64, parameters: &Parameters) -> Result<Vec<&'a Series>, Failure> {
    let start = parameters.optional_time("start")?.unwrap_or(i64::MIN);
    let end = parameters.optional_time("end")?.unwrap_or(millis(now));
    let invalid = |e: ParseError| Failure::parameter("match[]", e);
    let mut wanted = parameters.all("match[]").map(parse_selector).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    if wanted.is_empty() {
        wanted.push(Vec::new());
    }
    let accepted = |s: &&Series| wanted.iter().any(|matchers| s.accepts(matchers));
    let seen = |s: &&Series| s.between(start, end).next().is_some();
    Ok(db.select(&[]).filter(accepted).filter(seen).collect())
}

fn matrix(labels: &Labels, samples: &[Sample]) -> Json {
    let values: Json = samples.iter().map(|s| json!([stamp(s.at), point(s.value)])).collect();
    json!({"metric": labels, "values": values})
}

fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

/// Seconds, with milliseconds only where there are some.
fn stamp(at: i64) -> Json {
    if at % 1000 == 0 { json!(at / 1000) } else { json!(at as f64 / 1000.0) }
}

fn number(value: f64) -> String {
    match value {
        v if v.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        v => v.to_string(),
    }
}

/// Samples, unlike scalars, are written with an exponent where they are very large or small.
fn point(value: f64) -> String {
    let plain = value == 0.0 || !value.is_finite() || (1e-6..1e21).contains(&value.abs());
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e').filter(|_| !plain) else {
        return number(value);
    };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(("+", exponent), |e| ("-", e));
    format!("{digits}e{sign}{exponent:0>2}")
}

fn no_range(got: &str) -> Failure {
    let wanted = "must be Scalar or instant Vector";
    Failure::BadData(format!("invalid expression type {got:?} for range query, {wanted}"))
}

fn cannot_parse(text: &str, what: &str) -> String {
    format!("cannot parse {text:?} to a valid {what}")
}

/// A Unix time or RFC 3339, in milliseconds.
fn parse_time(text: &str) -> Result<i64, String> {
    // Beyond this range the arithmetic of windows could overflow.
    let unix = text.parse().ok().filter(|s: &f64| s.abs() < 1e13).map(millis);
    let time = unix.or_else(|| Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()));
    time.ok_or_else(|| cannot_parse(text, "timestamp"))
}

/// Decoded form fields in their order; the first of a name counts.
#[derive(Default)]
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(&mut self, form: &str) {
        let pairs = form.split('&').filter(|pair| !pair.is_empty());
        self.0.extend(pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        }));
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn get<'a>(&'a self, name: &'a str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    fn optional_time(&self, name: &str) -> Result<Option<i64>, Failure> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        let described = |e| Failure::parameter(name, format_args!("Invalid time value for '{name}': {e}"));
        parse_time(text).map(Some).map_err(described)
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|(h, l)| (h * 16 + l, after)),
            _ => None,
        };
        match (escaped, first) {
            (Some((byte, after)), _) => {
                bytes.push(byte);
                rest = after;
            }
            (None, b'+') => bytes.push(b' '),
            (None, other) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}
