//! From a kubeconfig to a connection.
//!
//! kube reads the kubeconfig; its client is not used, for measured reasons: it never sets TCP_NODELAY, which costs a round
//! trip; it speaks HTTP/1.1 only, so that reads side by side need a TLS handshake each; it repeats every verb up to fifteen
//! times on 429, 503 and 504; and what it brings for rare ways of logging in makes every start slower. Here the first
//! connection is opened at once, through a proxy where there is one, tells by ALPN whether the server speaks HTTP/2, and
//! carries everything that follows.

use super::credential::{self, Credential};
use super::kubeconfig::{self, Loaded};
use crate::core::host;
use crate::dial::tls::{self, Identity, Trust};
use crate::dial::{self, Connector, Stream, Way, proxy};
use crate::error::{Error, Result};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header, request};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::client::legacy::{Client as Http, Error as HttpError};
use hyper_util::rt::TokioExecutor;
use kube::config::{AuthInfo, Cluster as Server};
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Service};

const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where and as whom to connect: kubectl's connection flags.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The kubeconfig file, instead of `KUBECONFIG` and `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it.
    pub context: Option<String>,
    /// The cluster in it.
    pub cluster: Option<String>,
    /// The user in it.
    pub user: Option<String>,
    /// The namespace, instead of the context's.
    pub namespace: Option<String>,
    /// The API server's URL.
    pub server: Option<String>,
    /// A bearer token.
    pub token: Option<String>,
    /// A user for basic authentication.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// A file with the API server's certificate authority.
    pub certificate_authority: Option<PathBuf>,
    /// A file with a client certificate.
    pub client_certificate: Option<PathBuf>,
    /// A file with its key.
    pub client_key: Option<PathBuf>,
    /// Does not verify the API server's certificate.
    pub insecure: bool,
    /// The name to verify it against.
    pub tls_server_name: Option<String>,
    /// The user to impersonate.
    pub impersonate: Option<String>,
    /// The groups to impersonate.
    pub impersonate_groups: Vec<String>,
    /// The uid to impersonate.
    pub impersonate_uid: Option<String>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// The field manager of our patches.
    pub field_manager: String,
}

/// A connection to an API server.
pub struct Cluster {
    http: Http<Dialler, Full<Bytes>>,
    /// The server's URL, without a `/` at its end.
    base: String,
    credential: Credential,
    pub(super) request_timeout: Duration,
    pub(super) field_manager: String,
    /// The place in `api::VERSIONS` of the version of Istio's API that the server was seen to serve.
    pub(super) version: Cell<usize>,
    /// The server, as people name it: `10.0.0.1:6443`.
    pub server: String,
    /// The context.
    pub context: String,
    /// The namespace where none is named.
    pub namespace: String,
    /// The user of the kubeconfig, for the record of who changed something.
    pub user: Option<String>,
}

impl Cluster {
    /// Reads the kubeconfig, obtains the credentials and opens the connection.
    ///
    /// # Errors
    /// `Usage` for a kubeconfig that cannot be read or lacks the context, `Forbidden` for a credential plugin that fails,
    /// `Unreachable` where nobody answers.
    pub async fn connect(options: &Options) -> Result<Self> {
        let Loaded { mut cluster, mut user, user_name, context, namespace } = kubeconfig::load(options)?;
        adjust(&mut cluster, &mut user, options);
        let namespace = options.namespace.clone().or(namespace).unwrap_or_else(|| "default".into());
        if !host::is_name(&namespace) {
            let named = namespace.escape_debug();
            return Err(Error::usage(format!(
                "the context `{context}` has the namespace `{named}`, which is not the name of one"
            )));
        }
        let url = address(&cluster, &context)?;
        let proxy = proxy::for_server(cluster.proxy_url.as_deref().filter(|url| !url.is_empty()), &url)?;
        let mut server = server_name(&url);
        if let Some(proxy) = &proxy {
            server += &format!(" through the proxy {}", server_name(proxy));
        }
        let (credential, identity) = Credential::obtain(user).await?;
        let connector = connector(&cluster, &url, identity, proxy)?;
        Ok(Self {
            http: open(connector, &url, &server).await?,
            base: url.to_string().trim_end_matches('/').to_owned(),
            credential,
            request_timeout: options.request_timeout,
            field_manager: options.field_manager.clone(),
            version: Cell::new(0),
            server,
            context,
            namespace,
            user: user_name,
        })
    }

    /// The beginning of a request: where to, by which program and by whom.
    ///
    /// # Errors
    /// `Forbidden` where a credential has expired and cannot be renewed.
    pub(super) async fn begin(&self, method: &Method, path: &str) -> Result<request::Builder> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(headers) = request.headers_mut() {
            headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
            self.credential.sign(headers).await?;
        }
        Ok(request)
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, HttpError> {
        self.http.request(request).await
    }
}

/// Puts the flags in the place of what the kubeconfig says.
fn adjust(cluster: &mut Server, user: &mut AuthInfo, options: &Options) {
    if let Some(token) = &options.token {
        *user = AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() };
    }
    if options.username.is_some() {
        let password = options.password.clone().map(Into::into);
        *user = AuthInfo { username: options.username.clone(), password, ..AuthInfo::default() };
    }
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    if let Some(file) = &options.client_certificate {
        user.client_certificate = Some(path(file));
        user.client_certificate_data = None;
    }
    if let Some(file) = &options.client_key {
        user.client_key = Some(path(file));
        user.client_key_data = None;
    }
    if let Some(name) = &options.impersonate {
        user.impersonate = Some(name.clone());
    }
    if !options.impersonate_groups.is_empty() {
        user.impersonate_groups = Some(options.impersonate_groups.clone());
    }
    if let Some(uid) = &options.impersonate_uid {
        user.impersonate_uid = Some(uid.clone());
    }
    if options.insecure {
        cluster.insecure_skip_tls_verify = Some(true);
    }
    if let Some(name) = &options.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
}

/// The server's URL.
fn address(cluster: &Server, context: &str) -> Result<Uri> {
    let odd = |why: String| Error::usage(format!("the context `{context}` of the kubeconfig cannot be used")).caused_by(why);
    let server = cluster.server.as_deref().filter(|server| !server.is_empty());
    let server = server.ok_or_else(|| odd("its cluster has no server".into()))?;
    let url = server.parse().ok().filter(|url: &Uri| matches!(url.scheme_str(), Some("http" | "https")));
    url.ok_or_else(|| odd(format!("its server `{}` is not the URL of one", server.escape_debug())))
}

fn server_name(url: &Uri) -> String {
    match (url.host(), url.port_u16()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        _ => url.to_string(),
    }
}

fn connector(cluster: &Server, url: &Uri, identity: Option<Identity>, proxy: Option<Uri>) -> Result<Connector> {
    let secure = [Some(url), proxy.as_ref()].into_iter().flatten().any(|url| url.scheme_str() == Some("https"));
    let (data, file) = (cluster.certificate_authority_data.as_deref(), cluster.certificate_authority.as_deref());
    let trust = match credential::pem("certificate-authority", data, file)? {
        _ if !secure => Trust::Nobody,
        _ if cluster.insecure_skip_tls_verify == Some(true) => Trust::Anybody,
        Some(pem) => Trust::Authorities(pem),
        None => Trust::System,
    };
    let odd = |why: String| Error::usage("the kubeconfig's certificates cannot be used").caused_by(why);
    let tls = tls::client(&trust, identity.as_ref()).map_err(odd)?;
    let server_name = cluster.tls_server_name.clone().filter(|name| !name.is_empty());
    dial::connector(Way { tls, server_name, proxy, plain: false, timeout: CONNECT_TIMEOUT })
}

async fn open(mut connector: Connector, url: &Uri, server: &str) -> Result<Http<Dialler, Full<Bytes>>> {
    let dialled = tokio::time::timeout(CONNECT_TIMEOUT, reach(&mut connector, url, server)).await;
    let first = dialled.map_err(|_| super::wording::unreachable(server, "no answer within 10 s", 1))??;
    let http2 = first.connected().is_negotiated_h2();
    let dialler = Dialler { first: Arc::new(Mutex::new(Some(first))), connector };
    Ok(Http::builder(TokioExecutor::new()).http2_only(http2).build(dialler))
}

/// Opens the first connection; a server that is just starting gets two more chances.
async fn reach(connector: &mut Connector, url: &Uri, server: &str) -> Result<Stream> {
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match connector.call(url.clone()).await {
            Ok(stream) => return Ok(stream),
            Err(error) => super::wording::innermost(error.as_ref()),
        };
        let Some(pause) = super::api::PAUSES.get(tries - 1).filter(|_| !super::wording::is_about_certificates(&error)) else {
            return Err(super::wording::unreachable(server, &error, tries));
        };
        tokio::time::sleep(*pause).await;
    }
}

/// Hands out the connection that was opened first, then opens others.
#[derive(Clone)]
struct Dialler {
    first: Arc<Mutex<Option<Stream>>>,
    connector: Connector,
}

impl Service<Uri> for Dialler {
    type Response = Stream;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        match self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(stream) => Box::pin(std::future::ready(Ok(stream))),
            None => self.connector.call(url),
        }
    }
}
