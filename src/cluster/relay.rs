//! Requests to pods and services through the API server, with the user's own rights: no port-forward, no ingress.
//!
//! One try each, and no more: what is counted must not be repeated behind the counter's back.

use super::connect::Cluster;
use super::service::ServicePort;
use super::wording;
use crate::error::{Error, Kind, Result};
use crate::web::{Answer, Call, late};
use http::header;
use http_body_util::Full;
use serde_json::Value;
use std::time::Duration;

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A pod, by namespace, name and port.
    Pod(ServicePort),
    /// A service: one of its pods.
    Service(ServicePort),
}

/// What tells the API server who asks and as whom: it would take a program's own words for the user's.
fn is_ours(name: &header::HeaderName) -> bool {
    *name == header::AUTHORIZATION || name.as_str().starts_with("impersonate-") || *name == header::HOST
}

impl Cluster {
    /// Sends a request to a pod or a service. `Authorization`, `Impersonate-…` and `Host` are left out: they would mean the API
    /// server.
    ///
    /// # Errors
    /// Why there is no answer; what the API server itself answers, such as that nobody listens there.
    pub async fn relay(&self, place: &Place, call: Call) -> Result<Answer, Error> {
        let (kind, ServicePort { namespace, name, port }) = match place {
            Place::Pod(at) => ("pods", at),
            Place::Service(at) => ("services", at),
        };
        // A way out of the proxy's path would be a way to the API server itself.
        let plain = crate::web::decoded(call.path.split('?').next().unwrap_or_default());
        if !call.path.starts_with('/') || plain.split(|byte| b"/\\".contains(byte)).any(|part| part == b"..") {
            return Err(Error::failed(format!("`{}` is no path to ask for", call.path.escape_debug())));
        }
        let path = format!("/api/v1/namespaces/{namespace}/{kind}/{name}:{port}/proxy{}", call.path);
        let answer = self.once(&path, call).await?;
        match own(&answer) {
            Some(status) => Err(refusal(&status)),
            None => Ok(answer),
        }
    }

    /// The last lines that a pod's containers printed.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn logs(&self, namespace: &str, pod: &str, container: &str, lines: usize) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&tailLines={lines}");
        let answer = self.once(&path, Call { keep: 256 * 1024, ..Call::get("", self.request_timeout) }).await?;
        match answer.status {
            200..300 => Ok(answer.text()),
            _ => Err(own(&answer).map_or_else(|| Error::failed(format!("HTTP {}", answer.status)), |status| refusal(&status))),
        }
    }

    async fn once(&self, path: &str, call: Call) -> Result<Answer> {
        let lost = |why: &str| Error::new(Kind::Unreachable, why.to_owned());
        let mut request = self.begin(&call.method, path).await?;
        for (name, value) in call.headers.iter().filter(|(name, _)| !is_ours(name)) {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(call.body)).map_err(|error| lost(&error.to_string()))?;
        let exchange = async {
            let response = self.send(request).await.map_err(|error| lost(&wording::innermost(&error)))?;
            Answer::read(response, call.keep).await.map_err(|error| lost(&wording::innermost(&error)))
        };
        let limit = call.timeout.min(Duration::from_secs(86_400));
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(lost(&late(limit))))
    }
}

/// The API server's own words, where it did not pass an answer on: a Status.
fn own(answer: &Answer) -> Option<Value> {
    let status: Value = (answer.status >= 400).then(|| serde_json::from_slice(&answer.body).ok()).flatten()?;
    let text = |key: &str| status.get(key).and_then(Value::as_str);
    (text("kind") == Some("Status") && text("apiVersion") == Some("v1")).then_some(status)
}

fn refusal(status: &Value) -> Error {
    let text = |key: &str| status.get(key).and_then(Value::as_str).unwrap_or_default();
    let message = text("message");
    match status.get("code").and_then(Value::as_u64) {
        Some(401 | 403) => Error::new(Kind::Forbidden, format!("Error from server ({}): {message}", text("reason"))),
        // `error trying to reach service: dial tcp 10.1.2.3:8080: connect: connection refused`
        _ => Error::new(Kind::Unreachable, message.trim_start_matches("error trying to reach service: ").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::HeaderMap;

    #[test]
    fn what_the_api_server_says_itself_is_no_answer_of_the_version() {
        let answer = |status, body: &'static str| Answer {
            status,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
            cut: false,
        };
        let refused = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"error trying to reach service: dial tcp 10.1.2.3:8080: connect: connection refused","reason":"ServiceUnavailable","code":503}"#;
        let error = refusal(&own(&answer(503, refused)).expect("a status"));
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::Unreachable, "dial tcp 10.1.2.3:8080: connect: connection refused")
        );
        assert_eq!(own(&answer(503, r#"{"status":"DOWN"}"#)), None);
        assert_eq!(own(&answer(200, refused)), None);
    }
}
