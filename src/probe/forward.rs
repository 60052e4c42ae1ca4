//! A port on the loopback whose requests are passed on: the way to a version for programs that cannot go through the API
//! server themselves.

use crate::error::{Error, Result};
use crate::web::{Answer, Call, Pass};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// No request or answer of a test is larger.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// So many connections are served at once; more wait.
const MOST_CONNECTIONS: usize = 1024;

/// What belongs to one connection and is not passed on (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A port on the loopback.
pub struct Forwarder {
    listener: TcpListener,
    address: SocketAddr,
}

impl Forwarder {
    /// Opens a free port.
    ///
    /// # Errors
    /// `Failed` where there is none.
    pub async fn open() -> Result<Self> {
        let wrong = |error: std::io::Error| Error::failed("cannot open a port on 127.0.0.1").caused_by(error.to_string());
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        Ok(Self { listener, address })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Passes requests on until it is dropped. Each may take as long as `timeout`.
    pub async fn serve(&self, pass: &Pass<'_>, timeout: Duration) -> Infallible {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                    Ok((stream, _)) => connections.push(connection(stream, pass, timeout)),
                    // No descriptors are left: some come back as connections end.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(()) = connections.next() => {}
            }
        }
    }
}

async fn connection(stream: TcpStream, pass: &Pass<'_>, timeout: Duration) {
    let service = service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(exchange(request, pass, timeout).await));
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    // A client that breaks off concerns nobody but itself.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn exchange(request: Request<Incoming>, pass: &Pass<'_>, timeout: Duration) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return explain(StatusCode::BAD_REQUEST, "the request's body broke off or is too large"),
    };
    let path = head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let mut headers = end_to_end(head.headers);
    // The name of this port says nothing to the version.
    headers.remove(header::HOST);
    let call = Call { method: head.method, path, headers, body, keep: MOST_BYTES, timeout };
    match pass(call).await {
        Ok(answer) if answer.cut => explain(StatusCode::BAD_GATEWAY, "the answer is too large"),
        Ok(answer) => passed_on(answer),
        Err(why) => explain(StatusCode::BAD_GATEWAY, &why),
    }
}

fn passed_on(answer: Answer) -> Response<Full<Bytes>> {
    let mut headers = end_to_end(answer.headers);
    headers.remove(header::CONTENT_LENGTH);
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers
}

fn explain(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("tidegate: {why}\n"))));
    *response.status_mut() = status;
    response
}
