//! Opening connections: TLS, proxies and name resolution, for every server that is spoken to.

pub mod proxy;
pub mod tls;
mod whole;

use crate::error::{Error, Result};
use http::Uri;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use std::time::Duration;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt as _};
use whole::Whole;

/// How a server is reached.
#[derive(Debug)]
pub struct Way {
    /// Whom to trust, and who we are; for the proxy as well, if that speaks TLS.
    pub tls: rustls::ClientConfig,
    /// The name that the server's certificate must have, where it is not that of the URL.
    pub server_name: Option<String>,
    /// The URL of the proxy in between.
    pub proxy: Option<Uri>,
    /// An HTTP proxy reads the requests and passes them on, as is usual for servers without TLS, instead of opening a tunnel.
    /// The requests then carry [`proxy::authorization`] themselves.
    pub plain: bool,
    /// How long a connection may take to open.
    pub timeout: Duration,
}

/// An open connection, of whichever layers.
pub trait Duplex: hyper::rt::Read + hyper::rt::Write + Connection + Send + Unpin {}

impl<T: hyper::rt::Read + hyper::rt::Write + Connection + Send + Unpin> Duplex for T {}

/// An open connection.
pub type Stream = Box<dyn Duplex>;

impl Connection for Stream {
    fn connected(&self) -> Connected {
        (**self).connected()
    }
}

/// What opens connections.
pub type Connector = BoxCloneSyncService<Uri, Stream, BoxError>;

/// Prepares connections: without Nagle's delay, which would cost a round trip, and with an offer of HTTP/2.
///
/// # Errors
/// `Usage` for a server's name or a proxy that cannot be used.
pub fn connector(way: Way) -> Result<Connector> {
    let mut builder = HttpsConnectorBuilder::new().with_tls_config(way.tls.clone()).https_or_http();
    if let Some(name) = way.server_name {
        let wrong = |_| Error::usage(format!("`{}` is not the name of a server", name.escape_debug()));
        let name = name.clone().try_into().map_err(wrong)?;
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let builder = builder.enable_all_versions();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(way.timeout));
    let Some(url) = &way.proxy else { return Ok(boxed(builder.wrap_connector(tcp))) };
    if way.plain && url.scheme_str() == Some("http") {
        let url = url.clone();
        return Ok(BoxCloneSyncService::new(tower::service_fn(move |_: Uri| {
            let opening = tcp.clone().oneshot(url.clone());
            async move { Ok::<_, BoxError>(Box::new(Whole(Box::new(opening.await?) as Stream)) as Stream) }
        })));
    }
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
        Some("http") => Ok(boxed(builder.wrap_connector(tunnel(url, tcp)))),
        Some("https") => {
            let secure = HttpsConnectorBuilder::new().with_tls_config(way.tls).https_only().enable_http1().wrap_connector(tcp);
            Ok(boxed(builder.wrap_connector(tunnel(url, secure))))
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

fn tunnel<C>(url: &Uri, connector: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(url.clone(), connector);
    match proxy::authorization(url) {
        Some(value) => tunnel.with_auth(value),
        None => tunnel,
    }
}
