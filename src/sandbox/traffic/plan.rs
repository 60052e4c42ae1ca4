//! From the objects of a cluster to streams of requests and where they end, as istiod and Envoy would have it.
use std::collections::{BTreeMap, HashSet};

use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::Snapshot;
use super::endpoints::{Endpoints, Service, Workload, full_host, items, text};
use super::ingress;
use super::routes::{Request, delegate_of, matches, weight};
use crate::sorted;

/// The share of requests that carry `X-group: test`.
const TESTERS: f64 = 0.02;

/// The requests that one VirtualService takes.
#[derive(Debug)]
pub struct Stream {
    /// `namespace/name` of the VirtualService.
    pub key: String,
    /// The host that the clients name.
    pub asked: String,
    /// Whether clients inside the mesh send it, or the ingress gateway.
    pub from_mesh: bool,
    /// Requests that are routed alike.
    pub classes: Vec<Class>,
}

/// A part of a stream: requests of one path, with or without the testers' header.
#[derive(Debug)]
pub struct Class {
    pub share: f64,
    pub ends: Vec<End>,
    /// Copies that the destinations receive and nobody waits for; a share of 1 copies every request.
    pub mirrors: Vec<End>,
}

/// Where a share of the requests ends; the shares of a class add up to 1.
#[derive(Debug)]
pub struct End {
    pub share: f64,
    pub answer: Answer,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The ready pods of a destination, in turn.
    Pods(Service, Vec<Workload>),
    /// The client's own proxy, with a status and Envoy's response flags; the service only where a cluster exists.
    Proxy { code: u16, flags: &'static str, service: Option<Service> },
}

/// Remembers the last routes that Envoy accepted of each VirtualService: it refuses weights that add up to nothing
/// and goes on with what it had.
#[derive(Debug, Default)]
pub struct Accepted(BTreeMap<String, Vec<Value>>);

impl Accepted {
    /// Takes up the routes of all VirtualServices and forgets those that are gone.
    pub fn update(&mut self, virtual_services: &[&Value]) {
        let names: HashSet<String> = virtual_services.iter().map(|vs| key(vs)).collect();
        self.0.retain(|name, _| names.contains(name));
        for vs in virtual_services {
            let http = items(&vs["spec"]["http"]);
            if http.iter().all(|route| valid(items(&route["route"]))) {
                let known = self.0.entry(key(vs)).or_default();
                if known != http {
                    *known = http.to_vec();
                }
            }
        }
    }

    fn http(&self, vs: &Value) -> &[Value] {
        self.0.get(&key(vs)).map_or(&[], Vec::as_slice)
    }
}

fn valid(destinations: &[Value]) -> bool {
    let weights = || destinations.iter().map(|d| weight(&d["weight"]));
    destinations.len() < 2 || (weights().all(|w| w >= 0) && weights().sum::<i64>() > 0)
}

fn key(object: &Value) -> String {
    format!("{}/{}", text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

/// The streams of a cluster, oldest VirtualService first.
pub fn streams(cluster: &Snapshot<'_>, accepted: &Accepted) -> Vec<Stream> {
    let endpoints = Endpoints::new(cluster);
    let mut virtual_services = cluster.virtual_services.clone();
    sorted::by_key(&mut virtual_services, |vs| age(vs));
    // Of several VirtualServices for one host on one gateway the oldest counts.
    let mut taken = HashSet::new();
    let mut streams = Vec::new();
    for vs in &virtual_services {
        let namespace = text(&vs["metadata"]["namespace"]);
        let hosts: Vec<String> = items(&vs["spec"]["hosts"]).iter().map(|h| full_host(text(h), namespace)).collect();
        let gateways = gateways(vs);
        let mut owned = Vec::new();
        for host in &hosts {
            for gateway in &gateways {
                if taken.insert((host.clone(), *gateway)) {
                    owned.push((host, *gateway));
                }
            }
        }
        // Clients name a Service where they can, else what stands first (a public host at a gateway).
        let Some((asked, _)) = owned.iter().find(|(h, _)| endpoints.has(h)).or(owned.first()) else { continue };
        if vs["spec"]["http"].is_null() && accepted.http(vs).is_empty() {
            continue;
        }
        let from_mesh = owned.iter().any(|(host, gateway)| host == asked && *gateway == "mesh");
        let gateway = if from_mesh { "mesh" } else { gateways.first().copied().unwrap_or("mesh") };
        let routing = Routing { endpoints: &endpoints, accepted, virtual_services: &virtual_services };
        let classes = routing.classes(vs, gateway);
        streams.push(Stream { key: key(vs), asked: (*asked).clone(), from_mesh, classes });
    }
    streams
}

/// Sorts as istiod does: creation time, then name, then namespace.
pub fn age(object: &Value) -> (&str, &str, &str) {
    let meta = &object["metadata"];
    (text(&meta["creationTimestamp"]), text(&meta["name"]), text(&meta["namespace"]))
}

/// What a request meets that comes to the ingress gateway.
#[derive(Debug)]
pub struct Arrival {
    /// `namespace/name` of the VirtualService that takes it.
    pub key: String,
    /// Where it may end.
    pub ends: Vec<End>,
    /// Where copies go.
    pub mirrors: Vec<End>,
}

/// Routes a request that comes to the ingress gateway on port 80; `None` where no VirtualService behind a Gateway takes
/// its host.
pub fn arrival(cluster: &Snapshot<'_>, accepted: &Accepted, request: &Request<'_>) -> Option<Arrival> {
    let endpoints = Endpoints::new(cluster);
    let mut virtual_services = cluster.virtual_services.clone();
    sorted::by_key(&mut virtual_services, |vs| age(vs));
    let mut best: Option<(usize, &Value, &str)> = None;
    for vs in &virtual_services {
        let namespace = text(&vs["metadata"]["namespace"]);
        let open = |gateway: &&str| ingress::serves(&cluster.gateways, gateway, namespace, request.authority);
        let Some(gateway) = gateways(vs).into_iter().find(open) else { continue };
        let hosts = items(&vs["spec"]["hosts"]).iter().map(|host| full_host(text(host), namespace));
        let fit = hosts.filter_map(|host| ingress::fit(&host, request.authority)).max();
        // The most exact host counts, and of equals the oldest.
        if let Some(fit) = fit
            && best.is_none_or(|(before, ..)| fit > before)
        {
            best = Some((fit, vs, gateway));
        }
    }
    let (_, vs, gateway) = best?;
    let routing = Routing { endpoints: &endpoints, accepted, virtual_services: &virtual_services };
    let (ends, mirrors) = routing.route(vs, &Request { gateway, ..*request });
    Some(Arrival { key: key(vs), ends, mirrors })
}

fn gateways(vs: &Value) -> Vec<&str> {
    match items(&vs["spec"]["gateways"]) {
        [] => vec!["mesh"],
        named => named.iter().map(text).collect(),
    }
}

struct Routing<'a> {
    endpoints: &'a Endpoints<'a>,
    accepted: &'a Accepted,
    virtual_services: &'a [&'a Value],
}

impl Routing<'_> {
    /// Every path that the routes name gets an equal share of the requests, and so does `/` where a route has no
    /// condition on the path.
    fn classes(&self, vs: &Value, gateway: &str) -> Vec<Class> {
        let paths = self.paths(vs);
        let (anybody, mut tester) = (HeaderMap::new(), HeaderMap::new());
        tester.insert("x-group", HeaderValue::from_static("test"));
        let mut classes = Vec::new();
        for path in &paths {
            for (headers, share) in [(&anybody, 1.0 - TESTERS), (&tester, TESTERS)] {
                let request = Request { method: "GET", authority: "", path, query: "", headers, gateway };
                let (ends, mirrors) = self.route(vs, &request);
                classes.push(Class { share: share / paths.len() as f64, ends, mirrors });
            }
        }
        classes
    }

    fn paths(&self, vs: &Value) -> Vec<String> {
        let mut paths = Vec::new();
        for route in self.accepted.http(vs) {
            let conditions = items(&route["match"]);
            let any = [Value::Null];
            for condition in if conditions.is_empty() { &any } else { conditions } {
                let uri = &condition["uri"];
                let path = if uri.is_null() { Some("/") } else { uri["exact"].as_str().or(uri["prefix"].as_str()) };
                paths.extend(path.filter(|p| !paths.iter().any(|known| known == p)).map(str::to_owned));
            }
        }
        if paths.is_empty() {
            paths.push("/".to_owned());
        }
        paths
    }

    /// Where the first route that matches sends a request.
    fn route(&self, vs: &Value, request: &Request<'_>) -> (Vec<End>, Vec<End>) {
        for route in self.accepted.http(vs).iter().filter(|r| matches(r, request)) {
            let Some((name, namespace)) = delegate_of(route, vs) else { return self.ends(route, vs) };
            let named = |d: &&&Value| d["metadata"]["name"] == *name && d["metadata"]["namespace"] == *namespace;
            let delegate = self.virtual_services.iter().find(named).filter(|d| items(&d["spec"]["hosts"]).is_empty());
            let Some(delegate) = delegate else { break };
            if let Some(inner) = self.accepted.http(delegate).iter().find(|r| matches(r, request)) {
                return self.ends(inner, delegate);
            }
        }
        (vec![whole(404, "NR")], Vec::new())
    }

    fn ends(&self, route: &Value, vs: &Value) -> (Vec<End>, Vec<End>) {
        let namespace = text(&vs["metadata"]["namespace"]);
        let fixed = if route["redirect"].is_null() { None } else { Some(route["redirect"]["redirectCode"].as_u64()) };
        let fixed = fixed.map(|code| code.unwrap_or(301)).or(route["directResponse"]["status"].as_u64());
        if let Some(code) = fixed {
            return (vec![whole(u16::try_from(code).unwrap_or(200), "-")], Vec::new());
        }
        let mut mirrors = Vec::new();
        let single = Some(&route["mirror"]).filter(|m| !m.is_null()).map(|m| (m, &route["mirrorPercentage"]));
        let several = items(&route["mirrors"]).iter().map(|m| (&m["destination"], &m["percentage"]));
        for (destination, percentage) in single.into_iter().chain(several) {
            let share = percentage["value"].as_f64().unwrap_or(100.0) / 100.0;
            mirrors.push(End { share, answer: self.endpoints.answer(destination, namespace) });
        }
        let destinations = items(&route["route"]);
        let weights: Vec<i64> = match destinations {
            [_] => vec![1],
            several => several.iter().map(|d| weight(&d["weight"])).collect(),
        };
        let sum: i64 = weights.iter().sum();
        let weighted = destinations.iter().zip(weights).filter(|(_, w)| *w > 0);
        let ends: Vec<End> = weighted
            .map(|(d, w)| End { share: w as f64 / sum as f64, answer: self.endpoints.answer(&d["destination"], namespace) })
            .collect();
        (if ends.is_empty() { vec![whole(404, "NR")] } else { ends }, mirrors)
    }
}

/// All requests answered by the client's own proxy.
fn whole(code: u16, flags: &'static str) -> End {
    End { share: 1.0, answer: Answer::Proxy { code, flags, service: None } }
}
