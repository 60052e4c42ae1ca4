//! Joins the objects, the traffic that flows by them, and the metrics that it leaves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde_json::Value;

use super::app;
use super::kinds::{DESTINATION_RULES, GATEWAYS, PODS, SERVICES, VIRTUAL_SERVICES};
use super::metrics::{self, Tsdb};
use super::respond::Body;
use super::store::Store;
use super::traffic::{self, Snapshot, Traffic, Visit};

/// How often the clients of the mesh are looked after.
const TICK: Duration = Duration::from_millis(100);

/// The mesh of a sandbox: its clients, simulated and real, and its Prometheus.
pub struct Mesh {
    store: Arc<Store>,
    traffic: Mutex<Traffic>,
    db: Mutex<Tsdb>,
    begun: Instant,
    /// Simulated seconds since the epoch when it began.
    start: f64,
    /// Simulated seconds per second.
    speed: f64,
}

impl Mesh {
    /// A mesh whose time begins now.
    pub fn new(store: Arc<Store>, speed: f64) -> Self {
        let start = jiff::Timestamp::now().as_second() as f64;
        Self { store, traffic: Mutex::default(), db: Mutex::default(), begun: Instant::now(), start, speed }
    }

    fn now(&self) -> f64 {
        self.start + self.begun.elapsed().as_secs_f64() * self.speed
    }

    /// Lets the simulated clients send their requests until it is dropped.
    pub async fn flow(self: Arc<Self>) {
        loop {
            self.with(|traffic, snapshot| traffic.tick(self.now(), snapshot, &mut lock(&self.db)));
            tokio::time::sleep(TICK).await;
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Traffic, &Snapshot<'_>) -> T) -> T {
        let kinds = [&VIRTUAL_SERVICES, &DESTINATION_RULES, &SERVICES, &GATEWAYS, &PODS];
        let lists = kinds.map(|kind| self.store.list(kind, ""));
        let [virtual_services, destination_rules, services, gateways, pods] =
            lists.each_ref().map(|list| list.iter().map(AsRef::as_ref).collect());
        let snapshot = Snapshot { virtual_services, destination_rules, services, gateways, pods };
        act(&mut lock(&self.traffic), &snapshot)
    }

    /// Answers a request for metrics.
    pub fn metrics(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let uri = request.uri();
        let (method, query) = (request.method().as_str(), uri.query().unwrap_or_default());
        let answer = metrics::handle(&lock(&self.db), self.now(), method, uri.path(), query, request.body());
        let mut response = Response::new(if request.method() == http::Method::HEAD { Bytes::new() } else { answer.body.into() });
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Ok(kind) = answer.content_type.parse() {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    }

    /// Answers a request that comes to the ingress gateway.
    pub async fn arrive(&self, request: &Request<Bytes>) -> Response<Body> {
        let uri = request.uri();
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = uri.authority().map(http::uri::Authority::as_str).or(host).unwrap_or_default();
        let asked = traffic::Request {
            method: request.method().as_str(),
            authority: without_port(host),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers: request.headers(),
            gateway: "",
        };
        match self.with(|traffic, snapshot| traffic.arrive(snapshot, &asked)) {
            Some(visit) => self.carry(&visit, uri.path()).await,
            None => app::no_route(),
        }
    }

    /// A request that somebody outside of the mesh sends to a service; `None` where it has no ready pod.
    pub fn to_service(&self, namespace: &str, name: &str, path: &str) -> Option<Visit> {
        self.with(|traffic, snapshot| traffic.call_service(snapshot, namespace, name, path))
    }

    /// A request that somebody outside of the mesh sends to a pod.
    pub fn to_pod(&self, pod: &Value, path: &str) -> Visit {
        self.with(|traffic, snapshot| traffic.call_pod(snapshot, pod, path))
    }

    /// Answers a request. Takes the time that the answer needs: where simulated time runs faster, the waiting is as much shorter, and the
    /// metrics show the simulated time.
    pub async fn carry(&self, visit: &Visit, path: &str) -> Response<Body> {
        let wait = Duration::try_from_secs_f64(visit.end.ms / 1000.0 / self.speed).unwrap_or_default();
        tokio::time::sleep(wait).await;
        lock(&self.traffic).record(visit, &mut lock(&self.db));
        app::answer(&visit.end, path)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
