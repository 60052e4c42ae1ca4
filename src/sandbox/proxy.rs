//! Requests that the API server passes on to services and pods.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::auth::{self, User};
use super::request::{Proxy, Target};
use super::respond::{self, Body};
use super::server::Server;
use super::status::Failure;
use super::store::text;

/// Where the Prometheus of the sandbox is found.
const PROMETHEUS: (&str, &str) = ("monitoring", "prometheus-service");

/// Passes a request on, where the user may do that.
pub async fn pass_on(
    server: &Server,
    head: &http::request::Parts,
    user: &User,
    proxy: &Proxy,
    body: Bytes,
) -> Result<Response<Body>, Failure> {
    let verb = match head.method.as_str() {
        "GET" | "HEAD" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        _ => "delete",
    };
    let target = Target {
        kind: proxy.kind,
        version: "v1",
        namespace: proxy.namespace.clone(),
        name: proxy.named.clone(),
        sub: "proxy".into(),
    };
    auth::authorize(user, verb, &target)?;
    let word = if proxy.kind.plural == "pods" { "pod" } else { "service" };
    let Some((name, port)) = parse(&proxy.named) else {
        return Err(Failure::bad_request(format!("invalid {word} request {:?}", proxy.named)));
    };
    let Some(object) = server.store.get(proxy.kind, &proxy.namespace, name) else {
        return Err(Failure::not_found(proxy.kind, name));
    };
    let path = if proxy.path.is_empty() { "/" } else { proxy.path.as_str() };
    let visit = if word == "pod" {
        let port = port_of_pod(&object, port)?;
        match answers(&object, &port) {
            true => Some(server.mesh.to_pod(&object, path)),
            false => return Err(refused(text(&object, "/status/podIP"), &port)),
        }
    } else {
        check_port(&object, name, port)?;
        match server.mesh.to_service(&proxy.namespace, name, path) {
            _ if (proxy.namespace.as_str(), name) == PROMETHEUS => None,
            Some(visit) => Some(visit),
            None => return Err(unavailable(format!("no endpoints available for service {name:?}"))),
        }
    };
    if proxy.path.is_empty() && [Method::GET, Method::HEAD].contains(&head.method) {
        return Ok(slash(head));
    }
    Ok(match visit {
        Some(visit) => server.mesh.carry(&visit, path).await,
        // The Prometheus of the sandbox is no pod.
        None => {
            let mut request = Request::new(body);
            *request.method_mut() = head.method.clone();
            *request.headers_mut() = head.headers.clone();
            let query = head.uri.query().map_or(String::new(), |query| format!("?{query}"));
            *request.uri_mut() = format!("{path}{query}").parse().map_err(|_| Failure::bad_request("the path is no path"))?;
            server.mesh.metrics(&request).map(|bytes| Full::new(bytes).boxed_unsync())
        }
    })
}

/// `name`, `name:port` or `scheme:name:port`.
fn parse(named: &str) -> Option<(&str, &str)> {
    let (scheme, name, port) = match named.split(':').collect::<Vec<_>>().as_slice() {
        [name] => ("", *name, ""),
        [name, port] => ("", *name, *port),
        [scheme, name, port] => (*scheme, *name, *port),
        _ => return None,
    };
    (["", "http", "https"].contains(&scheme) && !name.is_empty()).then_some((name, port))
}

/// An empty path leads to the one with a slash.
fn slash(head: &http::request::Parts) -> Response<Body> {
    let query = head.uri.query().map_or(String::new(), |query| format!("?{query}"));
    let place = format!("{}/{query}", head.uri.path());
    let mut response = respond::bytes(StatusCode::MOVED_PERMANENTLY, "text/plain", Bytes::new());
    if let Ok(place) = place.parse() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Refuses a port that the service has not: by its number or its name; without one, the service's port has no name.
fn check_port(service: &Value, name: &str, wanted: &str) -> Result<(), Failure> {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match wanted.parse::<u64>() {
        Ok(number) if ports.iter().any(|port| port["port"] == number) => Ok(()),
        Ok(number) => Err(unavailable(format!("no service port {number} found for service {name:?}"))),
        Err(_) if ports.iter().any(|port| text(port, "/name") == wanted) => Ok(()),
        Err(_) => Err(unavailable(format!("no endpoints available for service {name:?}"))),
    }
}

/// The port to ask a pod at: without one, the first that its containers name.
fn port_of_pod(pod: &Value, wanted: &str) -> Result<String, Failure> {
    if text(pod, "/status/podIP").is_empty() {
        return Err(Failure::bad_request("address not allowed"));
    }
    let first = ports(pod).next().and_then(|port| port["containerPort"].as_u64());
    match (wanted, first) {
        ("", Some(first)) => Ok(first.to_string()),
        ("", None) => Ok("80".to_owned()),
        (wanted, _) => Ok(wanted.to_owned()),
    }
}

/// Whether something listens: the container runs, and the port is one that it names, if it names any.
fn answers(pod: &Value, port: &str) -> bool {
    let running = pod.pointer("/status/containerStatuses/0/state/running").is_some();
    let mut named = ports(pod).peekable();
    let wanted = port.parse().ok();
    running && (named.peek().is_none() || named.any(|one| one["containerPort"].as_u64() == wanted))
}

fn ports(pod: &Value) -> impl Iterator<Item = &Value> {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    containers.filter_map(|container| container.get("ports")?.as_array()).flatten()
}

fn refused(address: &str, port: &str) -> Failure {
    unavailable(format!("error trying to reach service: dial tcp {address}:{port}: connect: connection refused"))
}

fn unavailable(message: String) -> Failure {
    Failure::new(503, "ServiceUnavailable", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_with_scheme_and_port() {
        assert_eq!(parse("carts"), Some(("carts", "")));
        assert_eq!(parse("carts:80"), Some(("carts", "80")));
        assert_eq!(parse("http:carts:web"), Some(("carts", "web")));
        for bad in ["", "ftp:carts:80", "a:b:c:d"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
