//! The listener, and the way of a request through faults, users and routes to what it asks for.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::auth::{self, User};
use super::fault::{Effect, Faults};
use super::mesh::Mesh;
use super::request::{self, Call, Query, Route, Target};
use super::respond::{self, Body};
use super::status::{Cause, Failure, json_error};
use super::store::Store;
use super::{discovery, proxy, verbs};

/// The most that a request may carry, as on a real API server.
const MOST_BYTES: usize = 3 * 1024 * 1024;

/// What all connections share.
pub struct Server {
    /// The objects.
    pub store: Arc<Store>,
    /// The faults asked for.
    pub faults: Faults,
    /// The request log, unless it is off.
    pub log: Option<Mutex<File>>,
    /// The token of the user with all rights.
    pub admin_token: String,
    /// The simulated clients and applications, and their metrics.
    pub mesh: Arc<Mesh>,
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is closed on purpose")
    }
}

impl std::error::Error for Broken {}

/// Serves the Kubernetes API until it is dropped.
pub async fn serve(listener: TcpListener, tls: Arc<rustls::ServerConfig>, server: Arc<Server>) {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = stream else {
            // Out of file descriptors, most likely: let some go.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        prepare(&stream, server.faults.reset_connections());
        let (acceptor, server) = (acceptor.clone(), server.clone());
        connections.spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                let handle = move |request| answer(server.clone(), request);
                connection(stream, handle).await;
            }
        });
    }
}

/// Serves plain HTTP until it is dropped: the metrics, the ingress gateway.
pub async fn serve_plain<F>(listener: TcpListener, answer: impl Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static)
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = stream else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        prepare(&stream, false);
        let answer = answer.clone();
        connections.spawn(async move {
            let handle = move |request: Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let response = match Limited::new(body, MOST_BYTES).collect().await {
                        Ok(body) => answer(Request::from_parts(head, body.to_bytes())).await,
                        Err(_) => respond::failure(&too_large()),
                    };
                    Ok::<_, Infallible>(response)
                }
            };
            connection(stream, handle).await;
        });
    }
}

fn prepare(stream: &TcpStream, hard: bool) {
    // Neither can fail in a way that matters: the connection works without them.
    stream.set_nodelay(true).ok();
    if hard {
        stream.set_zero_linger().ok();
    }
}

async fn connection<S, F, E>(stream: S, handle: impl Fn(Request<Incoming>) -> F + Send + Clone + 'static)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Result<Response<Body>, E>> + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    // A client that goes away is no error of the server's.
    auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service_fn(handle)).await.ok();
}

async fn answer(server: Arc<Server>, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
    let method = request.method().clone();
    let path = path_and_query(request.uri());
    let (head, body) = request.into_parts();
    let outcome = match Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => dispatch(&server, &head, body.to_bytes()).await,
        Err(_) => Err(too_large()),
    };
    let mut response = match outcome {
        Ok(response) => response,
        Err(failure) if failure.breaks_connection() => {
            server.note(&method, &path, "-");
            return Err(Broken);
        }
        Err(failure) => respond::failure(&failure),
    };
    server.note(&method, &path, response.status().as_str());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

fn path_and_query(uri: &Uri) -> String {
    uri.path_and_query().map_or("/".to_owned(), ToString::to_string)
}

fn too_large() -> Failure {
    Failure::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {MOST_BYTES}"))
}

async fn dispatch(server: &Server, head: &http::request::Parts, body: Bytes) -> Result<Response<Body>, Failure> {
    let query = Query::parse(head.uri.query().unwrap_or(""));
    let route = request::route(&head.uri);
    let verb = match &route {
        Route::Object(target) => request::verb(&head.method, target, &query).unwrap_or(""),
        _ => "",
    };
    let mut lost = false;
    if !matches!(route, Route::Other)
        && let Some(answer) = suffer(server, head, &route, verb, &mut lost).await?
    {
        return Ok(answer);
    }
    let user = auth::authenticate(&head.headers, &server.admin_token)?;
    match route {
        Route::Object(target) if verb.is_empty() => Err(match target.kind.custom && target.name.is_empty() {
            true => Failure::bad_request("name must be provided"),
            false => Failure::method_not_allowed(),
        }),
        Route::Object(target) => {
            auth::authorize(&user, verb, &target)?;
            let answer = object(server, head, call(head, verb, target, query, user, body)).await;
            if lost { Err(Failure::broken_connection()) } else { answer }
        }
        Route::AccessReview => {
            if head.method != Method::POST {
                return Err(Failure::method_not_allowed());
            }
            let sent = serde_json::from_slice(&body).map_err(|error| Failure::bad_request(json_error(&error)))?;
            Ok(respond::json(StatusCode::CREATED, &auth::review(&user, &sent)?))
        }
        Route::Proxy(to) => proxy::pass_on(server, head, &user, &to, body).await,
        Route::Other => {
            let path = head.uri.path();
            auth::authorize_path(&user, &head.method.as_str().to_lowercase(), path)?;
            Ok(discovery::answer(&head.method, path))
        }
    }
}

fn call(head: &http::request::Parts, verb: &'static str, target: Target, query: Query, user: User, body: Bytes) -> Call {
    let media_type = request::text(&head.headers, "content-type");
    let manager = match query.get("fieldManager") {
        // Without a name of its own, a writer goes by the first word of its user agent.
        "" => {
            let agent = request::text(&head.headers, "user-agent");
            match agent.split('/').next() {
                None | Some("") => "unknown".to_owned(),
                Some(name) => name.chars().take(128).collect(),
            }
        }
        manager => manager.to_owned(),
    };
    Call {
        method: head.method.clone(),
        verb,
        target,
        user,
        form: request::form(&head.headers),
        content_type: media_type.split(';').next().unwrap_or("").trim().to_owned(),
        manager,
        query,
        body,
    }
}

/// Does what is asked for, within the time that the client allows.
async fn object(server: &Server, head: &http::request::Parts, call: Call) -> Result<Response<Body>, Failure> {
    if !["get", "list", "watch"].contains(&call.verb) {
        check_options(&head.method, &call.query)?;
    }
    let target = &call.target;
    if !target.sub.is_empty() && !target.kind.subresources.contains(&target.sub.as_str()) {
        return Err(Failure::not_found(target.kind, &target.name));
    }
    let mut warnings = Vec::new();
    let allowed = match (call.verb, call.query.get("timeout")) {
        ("watch", _) | (_, "") => None,
        (_, text) => Some(go_duration(text).ok_or_else(|| {
            Failure::bad_request(format!("invalid timeout specified in the request URL - time: invalid duration {text:?}"))
        })?),
    };
    let outcome = match allowed {
        None => verbs::run(server, &call, &mut warnings).await,
        Some(limit) => {
            match tokio::time::timeout(limit, verbs::run(server, &call, &mut warnings)).await {
                Ok(outcome) => outcome,
                // The API server leaves out `kind` here.
                Err(_) => Ok(respond::json(
                    StatusCode::GATEWAY_TIMEOUT,
                    &json!({
                        "metadata": {}, "status": "Failure",
                        "message": "Timeout: request did not complete within the allotted timeout",
                        "reason": "Timeout", "details": {}, "code": 504,
                    }),
                )),
            }
        }
    };
    let mut response = match outcome {
        Err(failure) if failure.breaks_connection() => return Err(failure),
        outcome => outcome.unwrap_or_else(|failure| respond::failure(&failure)),
    };
    respond::warn(&mut response, &warnings);
    Ok(response)
}

/// Refuses what a write's parameters cannot be.
fn check_options(method: &Method, query: &Query) -> Result<(), Failure> {
    let mut causes = Vec::new();
    let mut refuse = |reason, field: &str, message: String| {
        causes.push(Cause { reason, field: field.into(), message });
    };
    let (dry_run, validation) = (query.get("dryRun"), query.get("fieldValidation"));
    if !["", "All"].contains(&dry_run) {
        let message = format!("Unsupported value: [{dry_run:?}]: supported values: \"All\"");
        refuse("FieldValueNotSupported", "dryRun", message);
    }
    if query.get("fieldManager").len() > 128 {
        let message = "Too long: may not be more than 128 bytes".into();
        refuse("FieldValueTooLong", "fieldManager", message);
    }
    if !["", "Ignore", "Strict", "Warn"].contains(&validation) {
        let message = format!("Unsupported value: {validation:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"");
        refuse("FieldValueNotSupported", "fieldValidation", message);
    }
    if causes.is_empty() {
        return Ok(());
    }
    let options = match method.as_str() {
        "POST" => "CreateOptions",
        "PUT" => "UpdateOptions",
        "PATCH" => "PatchOptions",
        _ => "DeleteOptions",
    };
    Err(Failure::invalid_as(options, "meta.k8s.io", "", &causes))
}

/// A duration as Go writes it: `10s`, `1m30s`, `500ms`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
        let (unit, seconds) = units.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
        total += number.parse::<f64>().ok()? * seconds;
        rest = tail.get(unit.len()..)?;
    }
    Duration::try_from_secs_f64(total).ok().filter(|d| !d.is_zero())
}

/// Lets the faults have their way with a request; an answer means that nothing else happens.
async fn suffer(
    server: &Server,
    head: &http::request::Parts,
    route: &Route,
    verb: &str,
    lost: &mut bool,
) -> Result<Option<Response<Body>>, Failure> {
    for effect in server.faults.hit(head.method.as_str(), verb) {
        match effect {
            Effect::Latency(time) => tokio::time::sleep(time).await,
            Effect::Code(code) => {
                return Err(match (code, route) {
                    // In the words for the object that the request is about.
                    (404, Route::Object(target)) => Failure::not_found(target.kind, &target.name),
                    (409, Route::Object(target)) => Failure::conflict(target.kind, &target.name),
                    _ => Failure::of_code(code),
                });
            }
            Effect::Reset => return Err(Failure::broken_connection()),
            Effect::Lost => *lost = true,
            Effect::Hang => {
                server.note(&head.method, &path_and_query(&head.uri), "-");
                std::future::pending().await
            }
            Effect::Html => {
                let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n";
                return Ok(Some(respond::bytes(StatusCode::BAD_GATEWAY, "text/html", Bytes::from_static(page.as_bytes()))));
            }
        }
    }
    Ok(None)
}

impl Server {
    /// One line for a request, written before its answer is sent.
    fn note(&self, method: &Method, path: &str, status: &str) {
        if let Some(log) = &self.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            // A log that cannot be written must not stop the server.
            log.write_all(format!("{method} {path} {status}\n").as_bytes()).ok();
        }
    }
}
