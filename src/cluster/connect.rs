//! From a kubeconfig to a connection.
//!
//! kube 5's own client is not used, for measured reasons: it never sets TCP_NODELAY, which costs a round trip; it speaks
//! HTTP/1.1 only, so that reads side by side need a TLS handshake each; it repeats every verb up to fifteen times on 429,
//! 503 and 504. Here the first connection is opened at once, through a proxy where there is one, tells by ALPN whether the
//! server speaks HTTP/2, and carries everything that follows.

use super::{credential, kubeconfig, proxy};
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Uri;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::config::AuthInfo;
use kube::{Client, Config};
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt as _};

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
    pub(super) client: Client,
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
        // kube's TLS configuration panics unless a provider was chosen for the process; a second choice is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let loaded = kubeconfig::load(options).await?;
        let mut config = loaded.config;
        adjust(&mut config, options)?;
        config.proxy_url = proxy::for_server(loaded.proxy.as_deref(), &config.cluster_url)?;
        credential::resolve(&mut config.auth_info).await?;
        let mut server = server_name(&config.cluster_url);
        if let Some(proxy) = &config.proxy_url {
            server += &format!(" through the proxy {}", server_name(proxy));
        }
        let namespace = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = client(&config, &server).await?;
        Ok(Self {
            client,
            request_timeout: options.request_timeout,
            field_manager: options.field_manager.clone(),
            version: Cell::new(0),
            server,
            context: loaded.context,
            namespace,
            user: loaded.user,
        })
    }
}

fn adjust(config: &mut Config, options: &Options) -> Result<()> {
    let auth = &mut config.auth_info;
    if let Some(token) = &options.token {
        *auth = AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() };
    }
    if options.username.is_some() {
        *auth = AuthInfo {
            username: options.username.clone(),
            password: options.password.clone().map(Into::into),
            ..AuthInfo::default()
        };
    }
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    if let Some(file) = &options.client_certificate {
        auth.client_certificate = Some(path(file));
        auth.client_certificate_data = None;
    }
    if let Some(file) = &options.client_key {
        auth.client_key = Some(path(file));
        auth.client_key_data = None;
    }
    if let Some(user) = &options.impersonate {
        auth.impersonate = Some(user.clone());
    }
    if !options.impersonate_groups.is_empty() {
        auth.impersonate_groups = Some(options.impersonate_groups.clone());
    }
    if let Some(uid) = &options.impersonate_uid {
        auth.impersonate_uid = Some(uid.clone());
    }
    if options.insecure {
        config.accept_invalid_certs = true;
    }
    if let Some(name) = &options.tls_server_name {
        config.tls_server_name = Some(name.clone());
    }
    Ok(())
}

fn server_name(url: &Uri) -> String {
    match (url.host(), url.port_u16()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        _ => url.to_string(),
    }
}

async fn client(config: &Config, server: &str) -> Result<Client> {
    let mut connector = connector(config)?;
    let dial = tokio::time::timeout(CONNECT_TIMEOUT, reach(&mut connector, config.cluster_url.clone(), server));
    let first = dial.await.map_err(|_| super::wording::unreachable(server, "no answer within 10 s", 1))??;
    let http2 = first.connected().is_negotiated_h2();
    let dialler = Dialler { first: Arc::new(Mutex::new(Some(first))), connector };
    let http = Http::builder(TokioExecutor::new()).http2_only(http2).build(dialler);
    let odd = |error: kube::Error| Error::usage("the kubeconfig's user cannot be used").caused_by(error.to_string());
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(odd)?)
        .layer(config.extra_headers_layer().map_err(odd)?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// An open connection, of whichever layers.
trait Duplex: hyper::rt::Read + hyper::rt::Write + Connection + Send + Unpin {}

impl<T: hyper::rt::Read + hyper::rt::Write + Connection + Send + Unpin> Duplex for T {}

type Stream = Box<dyn Duplex>;

impl Connection for Stream {
    fn connected(&self) -> Connected {
        (**self).connected()
    }
}

type Connector = BoxCloneSyncService<Uri, Stream, BoxError>;

/// What opens connections to the API server: through the proxy of the configuration, if it has one.
fn connector(config: &Config) -> Result<Connector> {
    let odd = |why: String| Error::usage("the kubeconfig's certificates cannot be used").caused_by(why);
    let tls = config.rustls_client_config().map_err(|error| odd(error.to_string()))?;
    let mut builder = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = name.clone().try_into().map_err(|_| odd(format!("`{name}` is not a server name")))?;
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let builder = builder.enable_all_versions();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let Some(url) = &config.proxy_url else { return Ok(boxed(builder.wrap_connector(tcp))) };
    let credentials = proxy::credentials(url);
    match url.scheme_str() {
        Some("socks5" | "socks5h") => {
            let socks = SocksV5::new(url.clone(), tcp);
            let socks = match credentials.as_ref().and_then(|one| one.split_once(':')) {
                Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                None => socks,
            };
            Ok(boxed(builder.wrap_connector(socks)))
        }
        Some("http") => Ok(boxed(builder.wrap_connector(tunnel(url, tcp, credentials.as_deref())))),
        Some("https") => {
            let secure = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().wrap_connector(tcp);
            Ok(boxed(builder.wrap_connector(tunnel(url, secure, credentials.as_deref()))))
        }
        _ => Err(Error::usage(format!("a proxy is reached by http, https or socks5, not as in `{}`", proxy::plain(url)))),
    }
}

fn boxed<C>(https: HttpsConnector<C>) -> Connector
where
    HttpsConnector<C>: Service<Uri, Response: Duplex + 'static, Error = BoxError, Future: Send> + Clone + Send + Sync + 'static,
{
    BoxCloneSyncService::new(https.map_response(|stream| Box::new(stream) as Stream))
}

fn tunnel<C>(url: &Uri, connector: C, credentials: Option<&str>) -> Tunnel<C> {
    let tunnel = Tunnel::new(url.clone(), connector);
    let basic = credentials.map(|one| format!("Basic {}", BASE64.encode(one)));
    match basic.and_then(|value| value.try_into().ok()) {
        Some(value) => tunnel.with_auth(value),
        None => tunnel,
    }
}

/// Opens the first connection; a server that is just starting gets two more chances.
async fn reach(connector: &mut Connector, url: Uri, server: &str) -> Result<Stream> {
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match connector.call(url.clone()).await {
            Ok(stream) => return Ok(stream),
            Err(error) => super::wording::innermost(error.as_ref()),
        };
        let Some(pause) = super::api::PAUSES.get(tries - 1).filter(|_| !error.contains("certificate")) else {
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

/// An empty request body.
pub(super) fn empty() -> Body {
    Body::empty()
}
