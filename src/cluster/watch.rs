//! Following the virtual services as they change.

use super::api::VERSIONS;
use super::connect::Cluster;
use super::wording;
use crate::core::object::Object;
use crate::error::{Error, Result};
use futures_util::StreamExt as _;
use http::Method;
use http_body_util::{BodyDataStream, BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::Value;

/// So long the server keeps one watch open; then the next goes on from where it ended.
const SECONDS: u32 = 290;

/// What a watch saw.
#[derive(Debug)]
pub enum Event {
    /// An object that is new or different.
    Changed(Box<Object>),
    /// An object that is gone: its namespace and name.
    Gone(String, String),
    /// The version that the watch started from is too old (410): list again.
    Expired,
    /// The server closed the watch, as it does from time to time: go on from the last version.
    Ended,
}

/// A watch.
pub struct Watch {
    body: BodyDataStream<Incoming>,
    pending: Vec<u8>,
    /// The version up to which everything was seen.
    pub version: String,
}

impl Cluster {
    /// Watches the virtual services of a namespace, or of all, from `version` on.
    pub async fn watch(&self, namespace: Option<&str>, selector: Option<&str>, version: &str) -> Result<Watch> {
        let scope = namespace.map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
        let mut path = format!(
            "/apis/networking.istio.io/{}{scope}/virtualservices?watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={SECONDS}",
            VERSIONS[self.version.get()]
        );
        path += &selector.map(|selector| format!("&labelSelector={}", crate::web::encoded(selector))).unwrap_or_default();
        let request =
            self.begin(&Method::GET, &path).await?.header(http::header::ACCEPT, "application/json").body(Full::default());
        let request = request.map_err(|error| Error::failed(error.to_string()))?;
        let lost = |why: &str| wording::unreachable(&self.server, why, 1);
        let sent =
            tokio::time::timeout(self.request_timeout, self.send(request)).await.map_err(|_| lost("no answer to a watch"))?;
        let response = sent.map_err(|error| lost(&wording::innermost(&error)))?;
        if !response.status().is_success() {
            let reply = super::api::read(response, false).await.map_err(|error| lost(&wording::innermost(&error)))?;
            return Err(wording::refusal(&reply, "watching virtualservices"));
        }
        Ok(Watch { body: response.into_body().into_data_stream(), pending: Vec::new(), version: version.to_owned() })
    }
}

impl Watch {
    /// The next event.
    pub async fn next(&mut self) -> Event {
        loop {
            while let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                if let Some(event) = self.event(&line) {
                    return event;
                }
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.pending.extend_from_slice(&bytes),
                _ => return Event::Ended,
            }
        }
    }

    fn event(&mut self, line: &[u8]) -> Option<Event> {
        let mut line: Value = serde_json::from_slice(line).ok()?;
        let object = line.get_mut("object").map(Value::take).unwrap_or_default();
        if let Some(version) = object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
            version.clone_into(&mut self.version);
        }
        match line.get("type").and_then(Value::as_str)? {
            "ADDED" | "MODIFIED" => Some(Event::Changed(Box::new(Object::read(object)))),
            "DELETED" => {
                let object = Object::read(object);
                Some(Event::Gone(object.namespace, object.name))
            }
            "ERROR" => Some(Event::Expired),
            _ => None,
        }
    }
}
