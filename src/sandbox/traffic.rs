//! Requests that flow by the routes in force, and the metrics that Istio's proxies would write about them.
//!
//! Every VirtualService with hosts gets a steady stream of `GET`s; two in a hundred carry `X-group: test`. Routes,
//! weights, subsets and delegates are followed as istiod and Envoy follow them: a missing cluster answers 503 with
//! the flag NC, a destination without ready pods 503 UH, no route 404 NR. TCP and TLS routes carry nothing.
//!
//! What a pod does is told by the image of its first container:
//!
//! | image | behaviour |
//! |---|---|
//! | a tag with `missing`, `broken` or `does-not-exist` in it | cannot be pulled |
//! | a tag with `crash` or `crashN` (`2.0-crash`, `2.0-crash137`) | ends with status 1 or N right after its start |
//! | `carts:0.6.1`, in any registry | answers in 1,000 to 1,100 ms |
//! | a tag with the word `slow` (`1.4.2-slow`, `slow`) | the same |
//! | a tag with the word `unready` (`2.0-unready`) | runs, and is never ready: `/health` answers 503 |
//! | a tag with `latN` (`2.0-lat250`) | answers in N to 1.1 N ms |
//! | a tag with `errN` (`2.0-err5`, `err0.5`) | N % of the answers are 500 |
//! | all others | answers in 30 to 50 ms, one in fifty in 60 to 100 ms |
//!
//! Words are separated by `-` and combine: `2.0-lat250-err5`. All others that run answer
//! `/health` without errors.
//!
//! Requests of real clients ([`Visit`]) meet the same routes and the same pods, and count as the simulated ones do.
//!
//! An application counts its requests, too, as carts of the sock shop does: `requests_latency_seconds_sum` and `_count`.
//! Every pod is scraped once for each Service that selects it, as the job
//! `SERVICE-NAMESPACE` with the labels `namespace`, `pod`, `instance`, `deployment` and `version`, so that a slow version
//! shows as soon as anything asks it, whatever its share of the traffic is. Scraping through the ingress, as keptn did,
//! would mix the counters of both colours.
//!
//! All of it is reproducible: what looks random comes from a generator with a fixed seed, and shares are kept exact in
//! the long run.
mod endpoints;
mod ingress;
mod meter;
mod plan;
mod routes;
mod scrape;
mod share;
mod visit;

use serde_json::Value;

use super::metrics::Tsdb;
pub use endpoints::{Workload, text};
use meter::{Client, Meter, Outcome};
use plan::{Accepted, Answer, End, Stream};
pub use routes::Request;
use scrape::Scrape;
use share::Shares;
pub use visit::{Ended, Visit, is_health};

/// Seconds that are caught up at most; after a longer pause (a suspended laptop) the metrics have a gap.
const MAX_CATCH_UP: i64 = 600;

/// The objects that decide about traffic, as the API server stores them.
#[derive(Debug, Default)]
pub struct Snapshot<'a> {
    /// `networking.istio.io` VirtualServices of all namespaces.
    pub virtual_services: Vec<&'a Value>,
    /// `networking.istio.io` DestinationRules of all namespaces.
    pub destination_rules: Vec<&'a Value>,
    /// Services of all namespaces.
    pub services: Vec<&'a Value>,
    /// `networking.istio.io` Gateways of all namespaces.
    pub gateways: Vec<&'a Value>,
    /// Pods of all namespaces; those with the condition `Ready` take requests.
    pub pods: Vec<&'a Value>,
}

/// The simulated clients.
#[derive(Debug)]
pub struct Traffic {
    rate: f64,
    last: Option<i64>,
    accepted: Accepted,
    shares: Shares,
    meter: Meter,
}

impl Default for Traffic {
    /// Forty requests a second to each VirtualService.
    fn default() -> Self {
        Self::new(40.0)
    }
}

impl Traffic {
    /// Clients that send `rate` requests per simulated second to each VirtualService.
    pub fn new(rate: f64) -> Self {
        Self {
            rate: rate.max(0.0),
            last: None,
            accepted: Accepted::default(),
            shares: Shares::default(),
            meter: Meter::default(),
        }
    }

    /// Sends the requests of every whole second up to `now` (seconds since the epoch) that has not been served yet,
    /// all to the cluster as it is now, with one scrape a second.
    pub fn tick(&mut self, now: f64, cluster: &Snapshot<'_>, db: &mut Tsdb) {
        let now = now.floor() as i64;
        let first = match self.last {
            Some(last) if now - last <= MAX_CATCH_UP => last + 1,
            _ => now,
        };
        if first > now {
            return;
        }
        self.last = Some(now);
        self.accepted.update(&cluster.virtual_services);
        let streams = plan::streams(cluster, &self.accepted);
        let Scrape { targets, apps } = Scrape::of(cluster);
        self.meter.scrape(apps, |target| targets.contains_key(target));
        db.set_targets(targets, first * 1000);
        for second in first..=now {
            self.shares.next_round();
            for stream in &streams {
                self.send(stream, db);
            }
            db.scrape(second * 1000);
        }
    }

    fn send(&mut self, stream: &Stream, db: &mut Tsdb) {
        let client = if stream.from_mesh { Client::Mesh } else { Client::Gateway };
        let rate = self.rate * (0.95 + 0.1 * self.shares.chance());
        let requests = self.shares.whole(&stream.key, rate);
        let classes: Vec<f64> = stream.classes.iter().map(|c| c.share).collect();
        let per_class = self.shares.split(&format!("{} classes", stream.key), &classes, requests);
        let seen = Seen { client, asked: &stream.asked, mirrored: false };
        for (index, (class, requests)) in stream.classes.iter().zip(per_class).enumerate() {
            let key = format!("{} {index}", stream.key);
            let ends: Vec<f64> = class.ends.iter().map(|e| e.share).collect();
            let per_end = self.shares.split(&key, &ends, requests);
            for (i, (end, requests)) in class.ends.iter().zip(per_end).enumerate() {
                self.answer(end, &format!("{key} {i}"), requests, seen, db);
            }
            for (i, mirror) in class.mirrors.iter().enumerate() {
                let key = format!("{key} mirror {i}");
                let copies = self.shares.whole(&key, requests as f64 * mirror.share);
                let seen = Seen { mirrored: true, ..seen };
                self.answer(mirror, &format!("{key} pods"), copies, seen, db);
            }
        }
    }

    /// Counts requests that end in one place; `key` names their splits.
    fn answer(&mut self, end: &End, key: &str, requests: u64, seen: Seen<'_>, db: &mut Tsdb) {
        let Seen { client, asked, mirrored } = seen;
        let outcome = Outcome { client, asked, service: None, workload: None, code: 503, flags: "-", mirrored };
        match &end.answer {
            Answer::Proxy { code, flags, service } => {
                let outcome = Outcome { service: service.as_ref(), code: *code, flags, ..outcome };
                self.meter.record(&outcome, &vec![0.0; requests as usize], db);
            }
            Answer::Pods(service, pods) => {
                let even = vec![1.0 / pods.len() as f64; pods.len()];
                let per_pod = self.shares.split(key, &even, requests);
                for (pod, requests) in pods.iter().zip(per_pod) {
                    let errors = pod.behaviour.errors;
                    let key = format!("{key} {}", pod.pod);
                    let per_code = self.shares.split(&key, &[1.0 - errors, errors], requests);
                    for (code, requests) in [200, 500].into_iter().zip(per_code) {
                        let chances = (0..requests).map(|_| self.shares.chance());
                        let durations: Vec<f64> = chances.map(|c| pod.behaviour.latency(c)).collect();
                        let outcome = Outcome { service: Some(service), workload: Some(pod), code, ..outcome };
                        self.meter.record(&outcome, &durations, db);
                    }
                }
            }
        }
    }
}

/// How the client sees requests.
#[derive(Clone, Copy)]
struct Seen<'a> {
    client: Client,
    asked: &'a str,
    mirrored: bool,
}

#[cfg(test)]
mod tests;
