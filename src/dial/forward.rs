//! Plain HTTP through a proxy that reads each request, as proxies do that tunnel to no port but 443.

use super::{Connector, Stream, proxy};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt as _};

/// Opens connections to the proxy at `url`, over which hyper's client names the whole URL of each request; and the
/// `Proxy-Authorization` of each, where the URL has credentials.
pub fn forward(url: Uri, timeout: Duration) -> (Connector, Option<HeaderValue>) {
    let basic = proxy::credentials(&url).map(|credentials| format!("Basic {}", BASE64.encode(credentials)));
    let authorization = basic.and_then(|value| HeaderValue::try_from(value).ok()).map(|mut value| {
        value.set_sensitive(true);
        value
    });
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timeout));
    let dial = tower::service_fn(move |_: Uri| {
        let opening = tcp.clone().oneshot(url.clone());
        async move { Ok::<_, BoxError>(Box::new(Forwarded(Box::new(opening.await?))) as Stream) }
    });
    (BoxCloneSyncService::new(dial), authorization)
}

/// A connection to a proxy.
struct Forwarded(Stream);

impl Connection for Forwarded {
    fn connected(&self) -> Connected {
        (*self.0).connected().proxy(true)
    }
}

impl Read for Forwarded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Forwarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
