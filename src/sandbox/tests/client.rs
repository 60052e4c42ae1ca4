//! A sandbox in a directory of its own, and a small client for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::sandbox::{Options, Sandbox};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sandbox that ends with the test.
pub struct Running {
    pub sandbox: Sandbox,
    pub dir: TempDir,
}

/// Starts a seeded sandbox whose time runs a hundred times as fast.
pub async fn start(faults: &[&str]) -> anyhow::Result<Running> {
    let dir = tempfile::tempdir()?;
    let sandbox = Sandbox::start(Options {
        dir: dir.path().join("sandbox"),
        port: 0,
        metrics_port: 0,
        ingress_port: 0,
        speed: 100.0,
        faults: faults.iter().map(|fault| fault.parse()).collect::<Result<_, _>>()?,
        seeded: true,
        request_log: true,
    })
    .await?;
    Ok(Running { sandbox, dir })
}

impl Running {
    /// A client with all rights.
    pub fn admin(&self) -> anyhow::Result<Client> {
        let kubeconfig: Value = serde_yaml::from_str(&std::fs::read_to_string(self.sandbox.kubeconfig())?)?;
        let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap_or("").to_owned();
        self.user(&token)
    }

    /// A client with any token.
    pub fn user(&self, token: &str) -> anyhow::Result<Client> {
        let address = self.sandbox.server().trim_start_matches("https://").to_owned();
        Client::new(address, token, &self.dir.path().join("sandbox/ca.crt"))
    }

    /// The request log.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.sandbox.request_log())?)
    }
}

/// Asks over a new connection each time.
pub struct Client {
    address: String,
    token: String,
    tls: TlsConnector,
}

/// An answer, with its body as JSON, or as a text where it is none.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Client {
    fn new(address: String, token: &str, ca: &Path) -> anyhow::Result<Client> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Client { address, token: token.to_owned(), tls: TlsConnector::from(Arc::new(tls)) })
    }

    /// Sends a request; the answer's body has not been read yet.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<http::Response<Incoming>> {
        let stream = TcpStream::connect(&self.address).await?;
        let stream = self.tls.connect(ServerName::try_from("127.0.0.1")?, stream).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(tokio::time::timeout(PATIENCE, sender.send_request(request)).await??)
    }

    /// A request with this user's token.
    pub fn request(&self, method: &str, path: &str, content_type: &str, body: String) -> anyhow::Result<Request<Full<Bytes>>> {
        Ok(Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", content_type)
            .header("user-agent", "test/1")
            .body(Full::new(Bytes::from(body)))?)
    }

    /// Asks, and reads all of the answer.
    pub async fn ask(&self, method: &str, path: &str, content_type: &str, body: &Value) -> anyhow::Result<Answer> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.send(self.request(method, path, content_type, body)?).await?;
        let (head, body) = response.into_parts();
        let bytes = tokio::time::timeout(PATIENCE, body.collect()).await??.to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask("GET", path, "", &Value::Null).await
    }

    /// GET, again and again until the answer is as wanted.
    pub async fn wait(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let tries = async {
            loop {
                let answer = self.get(path).await?;
                if wanted(&answer.body) {
                    return anyhow::Ok(answer.body);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, tries).await {
            Ok(body) => body,
            Err(_) => anyhow::bail!("{path} never came to be as wanted: {}", self.get(path).await?.body),
        }
    }
}

/// The documents of an endless answer, one at a time.
pub struct Lines {
    body: Incoming,
    rest: Vec<u8>,
}

impl Lines {
    /// Starts a watch.
    pub async fn open(client: &Client, path: &str) -> anyhow::Result<Lines> {
        let response = client.send(client.request("GET", path, "", String::new())?).await?;
        Ok(Lines { body: response.into_body(), rest: Vec::new() })
    }

    /// The next document; `None` at the end.
    pub async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            match tokio::time::timeout(PATIENCE, self.body.frame()).await? {
                None => return Ok(None),
                Some(frame) => self.rest.extend(frame?.into_data().unwrap_or_default()),
            }
        }
    }
}
