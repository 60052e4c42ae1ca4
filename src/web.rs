//! HTTP by URL, for whoever needs it: a source of metrics, a version under test, a receiver of events.
//!
//! Connections are opened as those to the API server are. One try each: who wants another asks again.

use crate::dial::tls::{self, Identity, Trust};
use crate::dial::{self, Connector, Way, proxy};
use crate::error::{Error, Result};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

/// A request to somebody whose address is known elsewhere.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Path and query below that address: `/carts/1/items?x=1`.
    pub path: String,
    /// The headers. `Host` may be among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// So many bytes of the answer's body are of interest; the rest is read and dropped.
    pub keep: usize,
    /// How long the whole exchange may take.
    pub timeout: Duration,
}

impl Call {
    /// A GET whose answer's first few lines are of interest.
    pub fn get(path: impl Into<String>, timeout: Duration) -> Self {
        Self { method: Method::GET, path: path.into(), headers: HeaderMap::new(), body: Bytes::new(), keep: 4096, timeout }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as far as it was of interest.
    pub body: Bytes,
    /// The body was longer.
    pub cut: bool,
}

impl Answer {
    /// Reads an answer to its end.
    ///
    /// # Errors
    /// Why the body broke off.
    pub async fn read<B>(response: http::Response<B>, keep: usize) -> Result<Self, B::Error>
    where
        B: hyper::body::Body<Data = Bytes> + Unpin,
    {
        let (head, mut body) = response.into_parts();
        let (mut kept, mut cut) = (BytesMut::new(), false);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            let room = keep.saturating_sub(kept.len());
            cut |= data.len() > room;
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
        Ok(Self { status: head.status.as_u16(), headers: head.headers, body: kept.freeze(), cut })
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An exchange under way, boxed so that ways of different make have one type. The error is why there is no answer, in a few
/// words.
pub type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Answer, String>> + 'a>>;

/// Whoever takes requests: a URL, or somebody who passes them on.
pub type Pass<'a> = dyn Fn(Call) -> Exchange<'a> + 'a;

/// What a connection needs beside the URL.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// A bearer token.
    pub token: Option<String>,
    /// `user:password`, where there is no token.
    pub basic: Option<String>,
    /// Further headers, as `X-Scope-OrgID` for Mimir.
    pub headers: Vec<(String, String)>,
    /// A file with the certificate authority of the server, instead of the system's.
    pub certificate_authority: Option<PathBuf>,
    /// Files with a client certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The URL of a proxy, instead of the environment's.
    pub proxy: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// A server by its URL.
pub struct Site {
    base: Uri,
    headers: HeaderMap,
    client: Client<Connector, Full<Bytes>>,
}

impl Site {
    /// Prepares connections to `url`, which may carry `user:password@`. `what` is what errors call it: `a metrics source`.
    ///
    /// # Errors
    /// `Usage` for a URL, header or certificate file that cannot be used.
    pub fn new(url: &str, access: &Access, what: &str) -> Result<Self> {
        let wrong = || {
            // Without what may be a password.
            let shown = url.rsplit('@').next().unwrap_or_default();
            Error::usage(format!("`{}` is not the URL of {what}", shown.escape_debug())).hint("write it as `http://HOST:PORT`")
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
        let tls = trust(access, secure, what)?;
        let connector = dial::connector(Way { tls, plain: !secure, server_name: None, proxy, timeout: access.timeout })?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { base, headers, client })
    }

    /// Host and port, without credentials.
    pub fn authority(&self) -> &str {
        self.base.authority().map_or("", |authority| authority.as_str().rsplit('@').next().unwrap_or_default())
    }

    /// The URL without credentials, query and slash at its end.
    pub fn url(&self) -> String {
        let path = self.base.path().trim_end_matches('/');
        format!("{}://{}{path}", self.base.scheme_str().unwrap_or("http"), self.authority())
    }

    /// The URL of `path`, which may have a query: below this URL, whose query is added. No path is this URL itself.
    fn address(&self, path: &str) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let base = if path.is_empty() { self.base.path() } else { self.base.path().trim_end_matches('/') };
        let queries: Vec<&str> =
            [self.base.query().unwrap_or_default(), query].into_iter().filter(|one| !one.is_empty()).collect();
        let query = if queries.is_empty() { String::new() } else { format!("?{}", queries.join("&")) };
        format!("{}://{}{base}{path}{query}", self.base.scheme_str().unwrap_or("http"), self.authority())
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// Why there is no answer: `connection refused`, `no answer within 10 s`.
    pub async fn send(&self, call: Call) -> Result<Answer, String> {
        let mut request = Request::builder().method(&call.method).uri(self.address(&call.path));
        // What the user wants to be said takes precedence.
        let own = call.headers.iter().filter(|(name, _)| !self.headers.contains_key(*name));
        for (name, value) in self.headers.iter().chain(own) {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(call.body)).map_err(|error| error.to_string())?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| innermost(&error))?;
            Answer::read(response, call.keep).await.map_err(|error| innermost(&error))
        };
        match tokio::time::timeout(call.timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(late(call.timeout)),
        }
    }
}

/// The words for an answer that did not come in time.
pub fn late(timeout: Duration) -> String {
    format!("no answer within {} s", timeout.as_secs_f64())
}

/// Whom to trust and who we are, by the files of the access. The system's certificates take time to read: only TLS does it.
fn trust(access: &Access, secure: bool, what: &str) -> Result<rustls::ClientConfig> {
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
        .map_err(|why| Error::usage(format!("the certificates for {what} cannot be used")).caused_by(why))
}

/// `application/x-www-form-urlencoded`.
pub fn form(fields: &[(String, String)]) -> String {
    fields.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect::<Vec<_>>().join("&")
}

/// The text with what a query cannot hold percent-encoded.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The text behind percent-encoding, as in the user information of a URL.
pub fn decoded(text: &str) -> Vec<u8> {
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
            assert!(Site::new(url, &access, "a site").is_err(), "{url}");
        }
    }
}
