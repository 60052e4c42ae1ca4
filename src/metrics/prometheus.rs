//! The query API of Prometheus, as Thanos, Mimir and VictoriaMetrics have it, too.

use super::http::{Answer, Ask, Transport};
use crate::error::Result;
use http::Method;

/// A longer query goes into the body: proxies refuse long URLs.
const LONGEST_GET: usize = 4000;

/// A Prometheus.
pub struct Prometheus<'a> {
    /// How it is reached.
    pub transport: Transport<'a>,
    /// How long the server may take for one query, in seconds; it keeps this only roughly.
    pub patience: f64,
}

impl Prometheus<'_> {
    /// An instant query at `time`, in seconds since the epoch.
    ///
    /// # Errors
    /// `Unreachable` where there is no answer; what the answer says, an error included, is the caller's to read.
    pub async fn instant(&self, query: &str, time: f64) -> Result<Answer> {
        self.ask("/api/v1/query", vec![("query".into(), query.into()), ("time".into(), format!("{time:.3}"))]).await
    }

    /// What the time is at the source: its clock is the one that the samples were taken by.
    ///
    /// # Errors
    /// As [`Prometheus::instant`].
    pub async fn clock(&self) -> Result<Answer> {
        self.ask("/api/v1/query", vec![("query".into(), "time()".into())]).await
    }

    /// A query over a span of time, one value every `step` seconds.
    ///
    /// # Errors
    /// As [`Prometheus::instant`].
    pub async fn range(&self, query: &str, start: f64, end: f64, step: f64) -> Result<Answer> {
        let span = [("start", start), ("end", end), ("step", step)].map(|(key, value)| (key.to_owned(), format!("{value:.3}")));
        let mut fields = vec![("query".to_owned(), query.to_owned())];
        fields.extend(span);
        self.ask("/api/v1/query_range", fields).await
    }

    async fn ask(&self, path: &str, mut fields: Vec<(String, String)>) -> Result<Answer> {
        fields.push(("timeout".into(), format!("{:.0}s", self.patience.max(1.0))));
        let length: usize = fields.iter().map(|(_, value)| value.len()).sum();
        let method = if length > LONGEST_GET { Method::POST } else { Method::GET };
        self.transport.send(&Ask { method, path: path.to_owned(), fields, body: None }).await
    }
}
