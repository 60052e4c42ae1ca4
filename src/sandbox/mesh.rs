//! Joins the objects, the traffic that flows by them, and the metrics that it leaves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use tokio::task::JoinSet;

use super::kinds::{DESTINATION_RULES, PODS, SERVICES, VIRTUAL_SERVICES};
use super::metrics::{self, Tsdb};
use super::server::Metrics;
use super::store::Store;
use super::traffic::{Snapshot, Traffic};

/// How often the clients of the mesh are looked after.
const TICK: Duration = Duration::from_millis(100);

/// Starts the traffic, and gives the handler of its metrics. Simulated time begins now and runs `speed` times as fast.
pub fn simulate(store: &Arc<Store>, speed: f64, tasks: &mut JoinSet<()>) -> Metrics {
    let begun = Instant::now();
    let start = jiff::Timestamp::now().as_second() as f64;
    let now = move || start + begun.elapsed().as_secs_f64() * speed;
    let db = Arc::new(Mutex::new(Tsdb::default()));
    tasks.spawn(flow(store.clone(), db.clone(), now));
    Arc::new(move |request| answer(&db, now(), &request))
}

async fn flow(store: Arc<Store>, db: Arc<Mutex<Tsdb>>, now: impl Fn() -> f64) {
    let mut traffic = Traffic::default();
    loop {
        let lists = [&VIRTUAL_SERVICES, &DESTINATION_RULES, &SERVICES, &PODS].map(|kind| store.list(kind, ""));
        let [virtual_services, destination_rules, services, pods] =
            lists.each_ref().map(|list| list.iter().map(AsRef::as_ref).collect());
        let snapshot = Snapshot { virtual_services, destination_rules, services, pods };
        traffic.tick(now(), &snapshot, &mut db.lock().unwrap_or_else(PoisonError::into_inner));
        drop(snapshot);
        tokio::time::sleep(TICK).await;
    }
}

fn answer(db: &Mutex<Tsdb>, now: f64, request: &Request<Bytes>) -> Response<Bytes> {
    let uri = request.uri();
    let db = db.lock().unwrap_or_else(PoisonError::into_inner);
    let answer =
        metrics::handle(&db, now, request.method().as_str(), uri.path(), uri.query().unwrap_or_default(), request.body());
    let mut response = Response::new(if request.method() == http::Method::HEAD { Bytes::new() } else { answer.body.into() });
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(kind) = answer.content_type.parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}
