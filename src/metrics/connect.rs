//! How a metrics source is connected to: TLS with or without a certificate of our own, a proxy in between.

use super::http::Access;
use crate::error::{Error, Result};
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::IoSlice;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt as _};

/// An open connection, of whichever layers.
pub(super) trait Duplex: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Duplex for T {}

/// An open connection.
pub(super) type Stream = Box<dyn Duplex>;

impl Connection for Stream {
    fn connected(&self) -> Connected {
        (**self).connected()
    }
}

/// What opens connections.
pub(super) type Connector = BoxCloneSyncService<Uri, Stream, BoxError>;

/// What opens connections to `server`, and what its proxy wants to read in each request.
///
/// # Errors
/// `Usage` for certificates and proxies that cannot be used.
pub(super) fn connector(access: &Access, server: &Uri) -> Result<(Connector, Option<HeaderValue>)> {
    let secure = server.scheme_str() == Some("https");
    let proxy = proxy(access.proxy.as_deref(), server)?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(access.timeout));
    let tls = if secure { client(access)? } else { nobody()? };
    let builder = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_all_versions();
    let Some(proxy) = proxy else { return Ok((boxed(builder().wrap_connector(tcp)), None)) };
    let url = proxy.uri().clone();
    match (url.scheme_str(), secure) {
        (Some("socks5" | "socks5h"), _) => {
            let socks = SocksV5::new(url, tcp);
            let socks = match proxy.raw_auth() {
                Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                None => socks,
            };
            Ok((boxed(builder().wrap_connector(socks)), None))
        }
        (Some("http"), true) => {
            let tunnel = Tunnel::new(url, tcp);
            let tunnel = match proxy.basic_auth() {
                Some(value) => tunnel.with_auth(value.clone()),
                None => tunnel,
            };
            Ok((boxed(builder().wrap_connector(tunnel)), None))
        }
        // Without TLS the proxy reads each request: it is told the whole URL.
        (Some("http"), false) => {
            let dial = tower::service_fn(move |_: Uri| {
                let opening = tcp.clone().oneshot(url.clone());
                async move { Ok::<_, BoxError>(Box::new(Whole(Box::new(opening.await?) as Stream)) as Stream) }
            });
            Ok((BoxCloneSyncService::new(dial), proxy.basic_auth().cloned()))
        }
        _ => Err(Error::usage(format!(
            "a proxy of a metrics source is reached by http or socks5, not as in `{}://{}`",
            url.scheme_str().unwrap_or_default(),
            url.host().unwrap_or_default()
        ))),
    }
}

fn boxed<C>(connector: C) -> Connector
where
    C: Service<Uri, Response: Duplex + 'static, Error = BoxError, Future: Send> + Clone + Send + Sync + 'static,
{
    BoxCloneSyncService::new(connector.map_response(|stream| Box::new(stream) as Stream))
}

/// The proxy for a server: the one that is named, else the environment's, which never leads to this machine.
fn proxy(named: Option<&str>, server: &Uri) -> Result<Option<Intercept>> {
    if let Some(url) = named {
        let found = Matcher::builder().all(url).build().intercept(server);
        let shown = url.rsplit('@').next().unwrap_or_default().escape_debug().to_string();
        return found.map(Some).ok_or_else(|| Error::usage(format!("`{shown}` is not the URL of a proxy")));
    }
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    Ok(Some(Matcher::from_env()).filter(|_| !here).and_then(|proxies| proxies.intercept(server)))
}

/// TLS that trusts nobody, for connections without it: the system's certificates take time to read.
fn nobody() -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::failed(error.to_string()))?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// TLS that trusts the authority of the file, else those of the system, and shows the client's certificate where there is
/// one.
fn client(access: &Access) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::failed(error.to_string()))?;
    let builder = match &access.certificate_authority {
        None => {
            use rustls_platform_verifier::BuilderVerifierExt as _;
            builder
                .with_platform_verifier()
                .map_err(|error| Error::failed("the system's certificates cannot be used").caused_by(error.to_string()))?
        }
        Some(file) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| unusable(file, &error.to_string()))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let Some((certificate, key)) = &access.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error.to_string()))?;
    builder.with_client_auth_cert(chain, secret).map_err(|error| unusable(certificate, &error.to_string()))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    match found {
        Ok(found) if found.is_empty() => Err(unusable(file, "there is no certificate in it")),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(file, &error.to_string())),
    }
}

fn unusable(file: &Path, why: &str) -> Error {
    Error::usage(format!("{} cannot be used for TLS", file.display())).caused_by(why)
}

/// A connection whose requests name the whole URL.
struct Whole(Stream);

impl Connection for Whole {
    fn connected(&self) -> Connected {
        self.0.connected().proxy(true)
    }
}

impl Read for Whole {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Whole {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, parts)
    }
}
