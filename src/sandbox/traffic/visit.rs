//! Single requests of clients that are real: a test under way, somebody's curl.
use serde_json::{Value, json};

use super::endpoints::{Endpoints, Service, Workload, selects, text, workload};
use super::meter::{Client, Outcome};
use super::plan::{self, Answer, End};
use super::routes::Request;
use super::{Snapshot, Traffic};
use crate::sandbox::image::Start;
use crate::sandbox::metrics::Tsdb;

/// A request and what becomes of it.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Where it ends.
    pub end: Ended,
    client: Client,
    asked: String,
    copies: Vec<Ended>,
}

/// How a request ends.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The Service whose cluster was used.
    pub service: Option<Service>,
    /// The pod that answers, if one does.
    pub workload: Option<Workload>,
    /// The HTTP status.
    pub code: u16,
    /// Envoy's response flags.
    pub flags: &'static str,
    /// Simulated milliseconds until the answer.
    pub ms: f64,
}

/// Whether a path asks for the health of the application.
pub fn is_health(path: &str) -> bool {
    ["/health", "/healthz", "/actuator/health"].contains(&path)
}

impl Traffic {
    /// A request that comes to the ingress gateway; `None` where nobody takes its host.
    pub fn arrive(&mut self, cluster: &Snapshot<'_>, request: &Request<'_>) -> Option<Visit> {
        self.accepted.update(&cluster.virtual_services);
        let arrival = plan::arrival(cluster, &self.accepted, request)?;
        let key = format!("{} ingress", arrival.key);
        let shares: Vec<f64> = arrival.ends.iter().map(|end| end.share).collect();
        let end = arrival.ends.get(self.pick(&key, &shares))?;
        let end = self.end(end, &key, request.path);
        let mut copies = Vec::new();
        for (at, mirror) in arrival.mirrors.iter().enumerate() {
            let key = format!("{key} mirror {at}");
            if self.shares.whole(&key, mirror.share) > 0 {
                copies.push(self.end(mirror, &key, request.path));
            }
        }
        Some(Visit { end, client: Client::Gateway, asked: request.authority.to_owned(), copies })
    }

    /// A request that somebody outside of the mesh sends to a Service; `None` where it has no ready pod.
    pub fn call_service(&mut self, cluster: &Snapshot<'_>, namespace: &str, name: &str, path: &str) -> Option<Visit> {
        let answer = Endpoints::new(cluster).answer(&json!({ "host": name }), namespace);
        match answer {
            Answer::Pods(..) => {
                let key = format!("{namespace}/{name} outside");
                Some(self.outside(&End { share: 1.0, answer }, &key, path))
            }
            Answer::Proxy { .. } => None,
        }
    }

    /// A request that somebody outside of the mesh sends to a pod.
    pub fn call_pod(&mut self, cluster: &Snapshot<'_>, pod: &Value, path: &str) -> Visit {
        let target = workload(pod);
        let mut near = cluster.services.iter().filter(|one| text(&one["metadata"]["namespace"]) == target.namespace);
        let service = near.find(|one| selects(&one["spec"]["selector"], pod));
        let name = service.map_or("unknown", |service| text(&service["metadata"]["name"]));
        let service = Service {
            host: format!("{name}.{}.svc.cluster.local", target.namespace),
            name: name.to_owned(),
            namespace: target.namespace.clone(),
        };
        let key = format!("{}/{} outside", target.namespace, target.pod);
        self.outside(&End { share: 1.0, answer: Answer::Pods(service, vec![target]) }, &key, path)
    }

    fn outside(&mut self, end: &End, key: &str, path: &str) -> Visit {
        let end = self.end(end, key, path);
        Visit { end, client: Client::Outside, asked: "unknown".to_owned(), copies: Vec::new() }
    }

    /// Counts a request that has been answered.
    pub fn record(&mut self, visit: &Visit, db: &mut Tsdb) {
        for (ended, mirrored) in [(&visit.end, false)].into_iter().chain(visit.copies.iter().map(|copy| (copy, true))) {
            let outcome = Outcome {
                client: visit.client,
                asked: &visit.asked,
                service: ended.service.as_ref(),
                workload: ended.workload.as_ref(),
                code: ended.code,
                flags: ended.flags,
                mirrored,
            };
            self.meter.record(&outcome, &[ended.ms], db);
        }
    }

    fn end(&mut self, end: &End, key: &str, path: &str) -> Ended {
        match &end.answer {
            Answer::Proxy { code, flags, service } => {
                Ended { service: service.clone(), workload: None, code: *code, flags, ms: 0.0 }
            }
            Answer::Pods(service, pods) => {
                let even = vec![1.0 / pods.len() as f64; pods.len()];
                let workload = pods.get(self.pick(&format!("{key} {}", service.host), &even)).cloned();
                let behaviour = workload.as_ref().map(|workload| workload.behaviour);
                let unready = workload.as_ref().is_some_and(|one| Start::of_image(&one.image) == Start::Unready);
                let health = is_health(path);
                let errors = behaviour.map_or(0.0, |behaviour| if health { 0.0 } else { behaviour.errors });
                let pod = workload.as_ref().map_or("", |workload| workload.pod.as_str());
                let failed = self.pick(&format!("{key} {pod}"), &[1.0 - errors, errors]) == 1;
                let code = match () {
                    () if health && unready => 503,
                    () if failed => 500,
                    () => 200,
                };
                let chance = self.shares.chance();
                let ms = behaviour.map_or(0.0, |behaviour| behaviour.latency(chance));
                Ended { service: Some(service.clone()), workload, code, flags: "-", ms }
            }
        }
    }

    /// One of several parts with these shares.
    fn pick(&mut self, key: &str, shares: &[f64]) -> usize {
        self.shares.split(key, shares, 1).iter().position(|count| *count > 0).unwrap_or(0)
    }
}
