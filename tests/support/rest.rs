//! Requests of the tests' own to an API server, without a line of what is being tested.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use secrecy::ExposeSecret as _;
use serde::Deserialize as _;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// JSON patch.
pub const JSON_PATCH: &str = "application/json-patch+json";
/// Merge patch.
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// A connection to an API server, as one user.
pub struct Rest {
    runtime: Runtime,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    server: String,
    token: Option<String>,
    /// What it calls itself.
    pub agent: &'static str,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body; a string where it is not JSON.
    pub body: Value,
    /// The `Warning` headers.
    pub warnings: Vec<String>,
}

impl Reply {
    /// The answer, which must be a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    /// What a failure says: status, reason, message.
    pub fn failure(&self) -> String {
        let text = |key: &str| self.body.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
        format!("{} {} {}", self.status, text("reason"), text("message"))
    }
}

impl Rest {
    /// Connects by a kubeconfig, in its current context or the one named, with a token or a client certificate.
    pub fn connect(kubeconfig: &Path, context: Option<&str>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let read = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let config = runtime.block_on(Config::from_custom_kubeconfig(read, &options)).expect("a usable kubeconfig");
        let https = HttpsConnectorBuilder::new().with_tls_config(tls(&config)).https_or_http().enable_http1().build();
        Self {
            runtime,
            client: Client::builder(TokioExecutor::new()).build(https),
            server: config.cluster_url.to_string().trim_end_matches('/').to_owned(),
            token: config.auth_info.token.map(|token| token.expose_secret().to_owned()),
            agent: "tidegate-tests",
        }
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        request = request.header(header::USER_AGENT, self.agent);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.client.request(request.body(Full::from(body)).expect("a request")).await
    }

    /// Sends a request.
    pub fn send(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Reply {
        self.exchange(method, path, content_type, "application/json", body).expect("an answer")
    }

    /// PATCH with a JSON patch; `None` where the server breaks off without an answer.
    pub fn patch_or_break(&self, path: &str, document: &Value) -> Option<Reply> {
        self.exchange(Method::PATCH, path, JSON_PATCH, "application/json", document.to_string().into_bytes()).ok()
    }

    fn exchange(&self, method: Method, path: &str, content_type: &str, accept: &str, body: Vec<u8>) -> Result<Reply, Error> {
        self.runtime.block_on(async {
            let exchange = async {
                let headers = [("content-type", content_type), ("accept", accept)];
                let response = self.request(method, path, &headers, body).await?;
                let status = response.status().as_u16();
                let text = |value: &http::HeaderValue| value.to_str().expect("text").to_owned();
                let warnings = response.headers().get_all("warning").iter().map(text).collect();
                let bytes = response.into_body().collect().await.expect("a body").to_bytes();
                let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
                Ok(Reply { status, body, warnings })
            };
            tokio::time::timeout(super::run::DEADLINE, exchange).await.expect("an answer in time")
        })
    }

    /// GET.
    pub fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, "application/json", Vec::new())
    }

    /// GET in another form: a table, or metadata alone.
    pub fn get_as(&self, path: &str, form: &str) -> Reply {
        self.exchange(Method::GET, path, "application/json", form, Vec::new()).expect("an answer")
    }

    /// POST.
    pub fn post(&self, path: &str, object: &Value) -> Reply {
        self.send(Method::POST, path, "application/json", object.to_string().into_bytes())
    }

    /// PUT.
    pub fn put(&self, path: &str, object: &Value) -> Reply {
        self.send(Method::PUT, path, "application/json", object.to_string().into_bytes())
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, "application/json", Vec::new())
    }

    /// PATCH with a JSON patch.
    pub fn patch(&self, path: &str, document: &Value) -> Reply {
        self.send(Method::PATCH, path, JSON_PATCH, document.to_string().into_bytes())
    }

    /// PATCH with a merge patch.
    pub fn merge(&self, path: &str, document: &Value) -> Reply {
        self.send(Method::PATCH, path, MERGE_PATCH, document.to_string().into_bytes())
    }

    /// Creates every document of a YAML text.
    #[track_caller]
    pub fn create(&self, manifests: &str) {
        for document in serde_yaml::Deserializer::from_str(manifests) {
            let object = Value::deserialize(document).expect("YAML");
            self.post(&collection(&object), &object).ok();
        }
    }

    /// Reads the events of a watch until `enough` says so or the server ends it.
    pub fn watch(&self, path: &str, mut enough: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
        self.runtime.block_on(async {
            let mut events = Vec::new();
            let reading = async {
                let response = self.request(Method::GET, path, &[], Vec::new()).await.expect("an answer");
                let mut body = response.into_body();
                let mut pending = Vec::new();
                while let Some(frame) = body.frame().await {
                    pending.extend_from_slice(&frame.expect("a frame").into_data().unwrap_or_default());
                    while let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
                        let line: Vec<u8> = pending.drain(..=end).collect();
                        events.push(serde_json::from_slice(&line).expect("an event"));
                    }
                    if enough(&events) {
                        return;
                    }
                }
            };
            let in_time = tokio::time::timeout(Duration::from_secs(20), reading).await;
            assert!(in_time.is_ok(), "the watch stood still after {events:?}");
            events
        })
    }
}

fn tls(config: &Config) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in config.root_cert.iter().flatten() {
        roots.add(certificate.clone().into()).expect("a certificate authority");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let builder = builder.with_root_certificates(roots);
    let user = &config.auth_info;
    let (Some(certificate), Some(key)) = (&user.client_certificate_data, &user.client_key_data) else {
        return builder.with_no_client_auth();
    };
    let decoded = |text: &str| BASE64.decode(text).expect("base64");
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&decoded(certificate)).collect();
    let key = PrivateKeyDer::from_pem_slice(&decoded(key.expose_secret())).expect("a key");
    builder.with_client_auth_cert(chain.expect("a certificate"), key).expect("a certificate with its key")
}

/// The path to which an object is posted.
fn collection(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let version = text("/apiVersion");
    let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
    let plural = match text("/kind") {
        "EndpointSlice" => "endpointslices".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    match text("/metadata/namespace") {
        "" => format!("{root}/{plural}"),
        namespace => format!("{root}/namespaces/{namespace}/{plural}"),
    }
}
