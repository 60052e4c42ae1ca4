//! What the simulated applications, and the proxies before them, answer.

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::image;
use super::respond::{self, Body};
use super::traffic::{Ended, is_health};

/// Envoy's name for how long the application took, in (simulated) milliseconds.
const SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");

/// The answer to a request for `path` that ended so. An application names itself, its version, image and pod.
pub fn answer(ended: &Ended, path: &str) -> Response<Body> {
    let status = StatusCode::from_u16(ended.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(pod) = &ended.workload else {
        return match ended.flags {
            "UH" => by_envoy(respond::text(status, "no healthy upstream")),
            _ => by_envoy(respond::bytes(status, "text/plain", bytes::Bytes::new())),
        };
    };
    let mut body = json!({
        "service": ended.service.as_ref().map_or(pod.app.as_str(), |service| service.name.as_str()),
        "version": image::tag(&pod.image),
        "image": pod.image,
        "pod": pod.pod,
        "namespace": pod.namespace,
        "path": path,
    });
    if is_health(path) {
        body["status"] = if status.is_success() { "UP" } else { "DOWN" }.into();
    } else if !status.is_success() {
        body["error"] = "an error of this version, as its tag says".into();
    }
    let mut response = by_envoy(respond::json(status, &body));
    response.headers_mut().insert(SERVICE_TIME, HeaderValue::from(ended.ms.round() as u64));
    response
}

/// The answer to a host that nobody takes.
pub fn no_route() -> Response<Body> {
    by_envoy(respond::bytes(StatusCode::NOT_FOUND, "text/plain", bytes::Bytes::new()))
}

fn by_envoy(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("istio-envoy"));
    response
}
