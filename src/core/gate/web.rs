//! Values out of JSON documents.

use super::evaluation::Sample;
use super::jsonpath;
use crate::core::duration;
use crate::core::lint::{Findings, join};
use crate::core::yaml;
use serde_json::{Map, Value};
use std::time::Duration;

/// A document of an HTTP server, and the place of the value in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Web {
    /// `http://HOST/PATH`. May hold `${VAR}`, a variable of the environment.
    pub url: String,
    /// `GET`, `POST`; empty is `GET`.
    pub method: String,
    /// Names and values, where `${VAR}` is a variable of the environment: secrets stay out of files.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<String>,
    /// Where in the document, as [`jsonpath`] reads it; empty is the whole document.
    pub path: String,
    /// How long one request may take, where the gate file says so.
    pub timeout: Option<Duration>,
}

impl Web {
    /// Reads `{url, method, headers, body, jsonPath, timeout}`, or a bare URL.
    pub(super) fn read(at: &str, query: &Value, found: &mut Findings) -> Option<Self> {
        if let Some(url) = query.as_str() {
            return Some(Self { url: url.to_owned(), ..Self::default() });
        }
        let Some(map) = query.as_object() else {
            found.error(at, "this is a URL, or a map with `url` and `jsonPath`");
            return None;
        };
        found.keys(at, map, &["url", "method", "headers", "body", "jsonPath", "timeout"]);
        let Some(url) = map.get("url").and_then(Value::as_str) else {
            found.error(join(at, "url"), "`url` is missing");
            return None;
        };
        let text = |key: &str| map.get(key).and_then(yaml::scalar);
        let headers = map.get("headers").and_then(Value::as_object).into_iter().flatten();
        let body = match map.get("body") {
            Some(body @ (Value::Object(_) | Value::Array(_))) => Some(body.to_string()),
            other => other.and_then(yaml::scalar),
        };
        let web = Self {
            url: url.to_owned(),
            method: text("method").unwrap_or_default(),
            headers: headers.filter_map(|(name, value)| Some((name.clone(), yaml::scalar(value)?))).collect(),
            body,
            path: text("jsonPath").unwrap_or_default(),
            timeout: timeout(at, map, found),
        };
        if let Err(why) = web.samples(&Value::Null) {
            found.error(join(at, "jsonPath"), why);
        }
        Some(web)
    }

    /// The values at the query's path, as they stand; truth values count as 1 and 0. None where nothing is there.
    ///
    /// # Errors
    /// Says why the path cannot be used.
    pub fn samples(&self, body: &Value) -> Result<Vec<Sample>, String> {
        let found = jsonpath::find(&self.path, body)?;
        let single = found.len() < 2;
        let sample = |(at, value): (String, &Value)| Sample::of(if single { String::new() } else { at }, value.clone());
        Ok(found.into_iter().map(sample).collect())
    }
}

/// The key `timeout` of a source: `10s`, or seconds.
pub(super) fn timeout(at: &str, map: &Map<String, Value>, found: &mut Findings) -> Option<Duration> {
    let written = map.get("timeout").and_then(yaml::scalar)?;
    let seconds = |count: f64| Duration::try_from_secs_f64(count).ok();
    let span = written.parse().map_or_else(|_| duration::parse(&written).ok(), seconds).filter(|span| !span.is_zero());
    if span.is_none() {
        found.error(join(at, "timeout"), format!("`{}` is not a length of time: `10s`", written.escape_debug()));
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_found_by_their_path() {
        let at = |path: &str, body: &Value| Web { path: path.into(), ..Web::default() }.samples(body);
        let body = json!({"ok": true, "rates": [{"v": 1.5}, {"v": "2"}]});
        assert_eq!(at("{$.ok}", &body).map(|found| found[0].number()), Ok(Some(1.0)));
        let all = at("$.rates[*].v", &body).expect("two");
        assert_eq!(all.iter().map(Sample::number).collect::<Vec<_>>(), [Some(1.5), Some(2.0)]);
        assert_eq!(all[1].key, "$.rates[1].v");
        assert_eq!(at("", &json!(7)).map(|found| found[0].number()), Ok(Some(7.0)));
        assert_eq!(at("$.rates", &body).map(|found| found[0].number()), Ok(None));
    }

    #[test]
    fn a_timeout_is_a_length_of_time() {
        let read = |written: Value| {
            let map = json!({"timeout": written});
            let mut found = Findings::default();
            timeout("", map.as_object().expect("a map"), &mut found)
        };
        assert_eq!(read(json!("250ms")), Some(Duration::from_millis(250)));
        assert_eq!(read(json!(10)), Some(Duration::from_secs(10)));
        assert_eq!(read(json!("2m")), Some(Duration::from_secs(120)));
        for wrong in [json!("0s"), json!("soon"), json!(-1), json!("1e99")] {
            assert_eq!(read(wrong), None);
        }
    }
}
