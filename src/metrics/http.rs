//! The transport to a metrics source: directly, or through somebody who is nearer to it.

use crate::dial::tls::{self, Identity, Trust};
use crate::dial::{self, Connector, Way, proxy};
use crate::error::{Error, Kind, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::path::PathBuf;
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

/// What a direct connection needs beside the URL.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// A bearer token.
    pub token: Option<String>,
    /// `user:password`, where there is no token.
    pub basic: Option<String>,
    /// Further headers, as `X-Scope-OrgID` for Mimir.
    pub headers: Vec<(String, String)>,
    /// A file with the certificate authority of the source, instead of the system's.
    pub certificate_authority: Option<PathBuf>,
    /// Files with a client certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The URL of a proxy, instead of the environment's.
    pub proxy: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// A connection by URL.
pub struct Direct {
    base: Uri,
    headers: HeaderMap,
    timeout: Duration,
    client: Client<Connector, Full<Bytes>>,
}

impl Direct {
    /// Prepares connections to `url`, which may carry `user:password@`.
    ///
    /// # Errors
    /// `Usage` for a URL, header or certificate file that cannot be used.
    pub fn new(url: &str, access: &Access) -> Result<Self> {
        let wrong = || {
            // Without what may be a password.
            let shown = url.rsplit('@').next().unwrap_or_default();
            Error::usage(format!("`{}` is not the URL of a metrics source", shown.escape_debug()))
                .hint("write it as `http://HOST:PORT`")
        };
        let base: Uri = url.parse().map_err(|_| wrong())?;
        if !matches!(base.scheme_str(), Some("http" | "https")) || base.host().is_none() {
            return Err(wrong());
        }
        let mut headers = HeaderMap::new();
        let secret = |text: String| {
            let mut value =
                HeaderValue::from_str(&text).map_err(|_| Error::usage("the token has letters that a header cannot carry"))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        };
        let user = base.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(user, _)| decoded(user));
        let basic = access.basic.as_ref().map(|basic| basic.trim().as_bytes().to_vec()).or(user);
        if let Some(token) = &access.token {
            headers.insert(header::AUTHORIZATION, secret(format!("Bearer {}", token.trim()))?);
        } else if let Some(basic) = basic {
            use base64::Engine as _;
            let coded = base64::engine::general_purpose::STANDARD.encode(basic);
            headers.insert(header::AUTHORIZATION, secret(format!("Basic {coded}"))?);
        }
        for (name, value) in &access.headers {
            let wrong = || Error::usage(format!("`{}` is not a header", name.escape_debug()));
            let name: HeaderName = name.parse().map_err(|_| wrong())?;
            headers.insert(name, secret(value.clone()).map_err(|_| wrong())?);
        }
        let secure = base.scheme_str() == Some("https");
        let proxy = proxy::for_server(access.proxy.as_deref(), &base)?;
        // Without TLS the proxy reads each request, and in it who asks.
        let told = proxy.as_ref().filter(|_| !secure).and_then(proxy::authorization);
        headers.extend(told.map(|value| (header::PROXY_AUTHORIZATION, value)));
        let connector = dial::connector(Way {
            tls: client(access, secure)?,
            plain: !secure,
            server_name: None,
            proxy,
            timeout: access.timeout,
        })?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { base, headers, timeout: access.timeout, client })
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// `Unreachable` where there is no answer.
    pub async fn send(&self, ask: &Ask) -> Result<Answer> {
        let authority =
            self.base.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default()).unwrap_or_default();
        let below = !ask.path.is_empty();
        let path = if below { self.base.path().trim_end_matches('/') } else { self.base.path() };
        let mut url = format!("{}://{authority}{path}{}", self.base.scheme_str().unwrap_or("http"), ask.path);
        let form = form(&ask.fields);
        let posted = ask.method == Method::POST && ask.body.is_none() && !form.is_empty();
        let mut query: Vec<&str> = self.base.query().into_iter().collect();
        query.extend(Some(form.as_str()).filter(|form| !posted && !form.is_empty()));
        if !query.is_empty() {
            url += &format!("?{}", query.join("&"));
        }
        let (kind, body) = match &ask.body {
            Some(body) => (Some("application/json"), Bytes::from(body.clone())),
            None if posted => (Some("application/x-www-form-urlencoded"), Bytes::from(form)),
            None => (None, Bytes::new()),
        };
        let lost = |why: &str| Error::new(Kind::Unreachable, format!("cannot reach the metrics source {authority}: {why}"));
        let mut request = Request::builder().method(&ask.method).uri(url);
        if let Some(kind) = kind.filter(|_| !self.headers.contains_key(header::CONTENT_TYPE)) {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(|error| lost(&error.to_string()))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| lost(&innermost(&error)))?;
            let status = response.status().as_u16();
            let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let retry_after = seconds.map(Duration::from_secs);
            let body = http_body_util::Limited::new(response.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(|error| lost(&error.to_string()))?.to_bytes();
            Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned(), retry_after })
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(lost(&format!("no answer within {} s", self.timeout.as_secs_f64()))),
        }
    }
}

/// `application/x-www-form-urlencoded`.
pub fn form(fields: &[(String, String)]) -> String {
    fields.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The text behind percent-encoding, as in the user information of a URL.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    plain
}

/// Whom to trust and who we are, by the files of the access. The system's certificates take time to read: only TLS does it.
fn client(access: &Access, secure: bool) -> Result<rustls::ClientConfig> {
    let read = |file: &PathBuf| {
        let cannot = |error: std::io::Error| Error::usage(format!("cannot read {}", file.display())).caused_by(error.to_string());
        std::fs::read(file).map_err(cannot)
    };
    let trust = match &access.certificate_authority {
        _ if !secure => Trust::Nobody,
        Some(file) => Trust::Authorities(read(file)?),
        None => Trust::System,
    };
    let identity = match &access.identity {
        Some((certificate, key)) if secure => Some(Identity { certificate: read(certificate)?, key: read(key)? }),
        _ => None,
    };
    tls::client(&trust, identity.as_ref())
        .map_err(|why| Error::usage("the certificates for the metrics source cannot be used").caused_by(why))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_carry_any_query() {
        let fields = [("query".to_owned(), r#"rate(x{a="b c"}[1m])+1"#.to_owned())];
        assert_eq!(form(&fields), "query=rate%28x%7Ba%3D%22b%20c%22%7D%5B1m%5D%29%2B1");
        assert_eq!(decoded("us%40er:p%3Aw%"), b"us@er:p:w%");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let access = Access { timeout: Duration::from_secs(1), ..Access::default() };
        for url in ["", "prometheus:9090", "ftp://x", "http://", "/x"] {
            assert!(Direct::new(url, &access).is_err(), "{url}");
        }
    }
}
