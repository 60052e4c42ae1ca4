//! Answers: bodies, JSON, text, warnings.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use super::status::Failure;

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A JSON answer.
pub fn json(status: StatusCode, value: &Value) -> Response<Body> {
    bytes(status, "application/json", format!("{value}\n").into())
}

/// An answer of bytes.
pub fn bytes(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A text answer.
pub fn text(status: StatusCode, body: &str) -> Response<Body> {
    bytes(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(body.as_bytes()))
}

/// What the API server says to a path that it does not know.
pub fn unknown_path() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// A failure as a `Status`.
pub fn failure(failure: &Failure) -> Response<Body> {
    let mut response = json(failure.http_status(), &failure.to_value());
    if failure.code == 429 {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// An answer that goes on: one JSON document a line.
pub fn stream(lines: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    use futures_util::StreamExt;
    let frames = lines.map(|line| Ok::<_, Infallible>(Frame::data(line)));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Adds a `Warning` header for each text.
pub fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}
