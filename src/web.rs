//! HTTP by URL, for whoever needs it: a source of metrics, a version under test, a receiver of events.
//!
//! It is the stack that the connection to the API server has. One try each: who wants another asks again.

use crate::error::{Error, Result};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
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
    /// Further headers, as `X-Scope-OrgID` for Mimir.
    pub headers: Vec<(String, String)>,
    /// A file with the certificate authority of the server, instead of the system's.
    pub certificate_authority: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// A server by its URL.
pub struct Site {
    base: Uri,
    headers: HeaderMap,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Site {
    /// Prepares connections to `url`, which may carry `user:password@`. `what` is what errors call it: `a metrics source`.
    ///
    /// # Errors
    /// `Usage` for a URL, header or certificate file that cannot be used.
    pub fn new(url: &str, access: &Access, what: &str) -> Result<Self> {
        let wrong =
            || Error::usage(format!("`{}` is not the URL of {what}", url.escape_debug())).hint("write it as `http://HOST:PORT`");
        let base: Uri = url.trim_end_matches('/').parse().map_err(|_| wrong())?;
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
        if let Some(token) = &access.token {
            headers.insert(header::AUTHORIZATION, secret(format!("Bearer {}", token.trim()))?);
        } else if let Some((user, _)) = base.authority().and_then(|authority| authority.as_str().rsplit_once('@')) {
            use base64::Engine as _;
            let coded = base64::engine::general_purpose::STANDARD.encode(decoded(user));
            headers.insert(header::AUTHORIZATION, secret(format!("Basic {coded}"))?);
        }
        for (name, value) in &access.headers {
            let wrong = || Error::usage(format!("`{}` is not a header", name.escape_debug()));
            let name: HeaderName = name.parse().map_err(|_| wrong())?;
            headers.insert(name, secret(value.clone()).map_err(|_| wrong())?);
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(access.timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust(access, base.scheme_str() == Some("https"))?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
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

    /// Sends a request, once.
    ///
    /// # Errors
    /// Why there is no answer: `connection refused`, `no answer within 10 s`.
    pub async fn send(&self, call: Call) -> Result<Answer, String> {
        let mut request = Request::builder().method(&call.method).uri(format!("{}{}", self.url(), call.path));
        for (name, value) in self.headers.iter().chain(&call.headers) {
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

/// Trust in the authority of the file, else in the system's. The system's store is read only for `https`.
fn trust(access: &Access, needed: bool) -> Result<rustls::ClientConfig> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::failed(error.to_string()))?;
    if !needed {
        return Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
    }
    let Some(file) = &access.certificate_authority else {
        use rustls_platform_verifier::BuilderVerifierExt as _;
        let builder = builder
            .with_platform_verifier()
            .map_err(|error| Error::failed("the system's certificates cannot be used").caused_by(error.to_string()))?;
        return Ok(builder.with_no_client_auth());
    };
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let wrong = |why: String| Error::usage(format!("{} has no certificate", file.display())).caused_by(why);
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))? {
        roots.add(certificate.map_err(|error| wrong(error.to_string()))?).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
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
