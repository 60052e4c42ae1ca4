//! The transport to a metrics source: directly, or through somebody who is nearer to it.

use crate::error::{Error, Kind, Result};
use crate::web::{Access, Call, Site, form};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use std::pin::Pin;
use std::time::Duration;

/// The pauses between tries of a request that failed in a way that may pass.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];

/// A longer `Retry-After` than this is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// No answer of a metrics source is larger: a query that selects everything must not fill the memory.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// A request to a metrics source: a path below its URL, with a query.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// GET or POST.
    pub method: Method,
    /// `/api/v1/query`
    pub path: String,
    /// Form fields: in the URL, or in the body of a POST that has no other.
    pub fields: Vec<(String, String)>,
    /// What is sent, as JSON unless a header says otherwise.
    pub body: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body as text.
    pub body: String,
    /// When it wants to be asked again, where it says so.
    pub retry_after: Option<Duration>,
}

/// A future that is boxed so that transports of different make have one type.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// How a source is reached.
pub enum Transport<'a> {
    /// By its URL.
    Direct(Box<Direct>),
    /// Through somebody who passes requests on, such as the API server's proxy to services.
    Through(Box<dyn Fn(Ask) -> Pending<'a, Answer> + 'a>),
}

impl Transport<'_> {
    /// Sends a request; tries again where the failure may pass. The caller holds the deadline.
    ///
    /// # Errors
    /// `Unreachable` where there is no answer.
    pub async fn send(&self, ask: &Ask) -> Result<Answer> {
        let mut pauses = PAUSES.iter();
        loop {
            let result = match self {
                Transport::Direct(direct) => direct.send(ask).await,
                Transport::Through(pass) => pass(ask.clone()).await,
            };
            let (passing, wanted) = match &result {
                Ok(answer) => (matches!(answer.status, 429 | 500 | 502..=504), answer.retry_after),
                Err(error) => (error.kind == Kind::Unreachable, None),
            };
            let wanted = wanted.unwrap_or_default();
            match pauses.next().filter(|_| passing && wanted <= LONGEST_PAUSE) {
                Some(pause) => tokio::time::sleep(wanted.max(*pause)).await,
                None => return result,
            }
        }
    }
}

/// A connection by URL.
pub struct Direct {
    site: Site,
    timeout: Duration,
}

impl Direct {
    /// Prepares connections to `url`, which may carry `user:password@`.
    ///
    /// # Errors
    /// `Usage` for a URL, header or certificate file that cannot be used.
    pub fn new(url: &str, access: &Access) -> Result<Self> {
        Ok(Self { site: Site::new(url, access, "a metrics source")?, timeout: access.timeout })
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// `Unreachable` where there is no answer.
    pub async fn send(&self, ask: &Ask) -> Result<Answer> {
        let form = form(&ask.fields);
        let posted = ask.method == Method::POST && ask.body.is_none() && !form.is_empty();
        let path = if posted || form.is_empty() { ask.path.clone() } else { format!("{}?{form}", ask.path) };
        let (kind, body) = match &ask.body {
            Some(body) => (Some("application/json"), Bytes::from(body.clone())),
            None if posted => (Some("application/x-www-form-urlencoded"), Bytes::from(form)),
            None => (None, Bytes::new()),
        };
        let headers = HeaderMap::from_iter(kind.map(|kind| (header::CONTENT_TYPE, HeaderValue::from_static(kind))));
        let call = Call { method: ask.method.clone(), path, headers, body, keep: MOST_BYTES, timeout: self.timeout };
        let lost = |why: &str| {
            let authority = self.site.authority();
            Error::new(Kind::Unreachable, format!("cannot reach the metrics source {authority}: {why}"))
        };
        let answer = self.site.send(call).await.map_err(|why| lost(&why))?;
        let seconds = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        match answer.cut {
            true => Err(lost("length limit exceeded")),
            false => Ok(Answer { status: answer.status, body: answer.text(), retry_after: seconds.map(Duration::from_secs) }),
        }
    }
}
