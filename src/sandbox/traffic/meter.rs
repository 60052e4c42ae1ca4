//! Istio's standard metrics about finished requests, from both ends.
use std::collections::HashMap;

use super::endpoints::{Service, Workload};
use crate::sandbox::metrics::{Counter, Labels, Tsdb, named};

/// The upper edges of Istio's duration histogram, in milliseconds.
const EDGES: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// What Istio says where it knows nothing.
const UNKNOWN: &str = "unknown";

/// Who sends requests: its proxy reports them as `reporter="source"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Client {
    /// A workload inside the mesh.
    Mesh,
    /// The ingress gateway.
    Gateway,
    /// Something without a proxy, such as the API server's own: nobody but the pod's proxy reports its requests.
    Outside,
}

impl Client {
    pub fn workload(self) -> &'static str {
        match self {
            Self::Mesh => "load-generator",
            Self::Gateway => "istio-ingressgateway",
            Self::Outside => UNKNOWN,
        }
    }

    pub fn namespace(self) -> &'static str {
        match self {
            Self::Mesh => "load",
            Self::Gateway => "istio-system",
            Self::Outside => UNKNOWN,
        }
    }

    /// The scraped target.
    pub fn target(self) -> String {
        target(self.namespace(), self.workload())
    }
}

/// Names the proxy of a pod among the scraped targets.
pub fn target(namespace: &str, pod: &str) -> String {
    format!("{namespace}/{pod}")
}

/// What became of requests that ended alike.
#[derive(Debug)]
pub struct Outcome<'a> {
    pub client: Client,
    /// The host that the client named.
    pub asked: &'a str,
    /// The service whose cluster was used; none where there is no cluster.
    pub service: Option<&'a Service>,
    /// The pod that answered, if one did.
    pub workload: Option<&'a Workload>,
    pub code: u16,
    pub flags: &'a str,
    /// A copy: the client's proxy does not count it.
    pub mirrored: bool,
}

/// The counters in use.
#[derive(Debug, Default)]
pub struct Meter {
    families: HashMap<String, Family>,
    /// The scraped applications of a pod, by the name of its proxy.
    apps: HashMap<String, Vec<String>>,
    /// The sum and the count of each application's request latencies.
    latencies: HashMap<String, (Counter, Counter)>,
}

/// `istio_requests_total` and `istio_request_duration_milliseconds` for one set of labels.
#[derive(Debug)]
struct Family {
    target: String,
    requests: Counter,
    count: Counter,
    sum: Counter,
    /// One for each of [`EDGES`], and the last for `+Inf`.
    buckets: Vec<Counter>,
}

impl Meter {
    /// Takes up the applications that are scraped from now on, and drops the counters of targets that are gone.
    pub fn scrape(&mut self, apps: HashMap<String, Vec<String>>, is_live: impl Fn(&str) -> bool) {
        self.families.retain(|_, family| is_live(&family.target));
        self.latencies.retain(|target, _| is_live(target));
        self.apps = apps;
    }

    /// Counts requests by their durations in milliseconds, as the pod saw them; the client saw a millisecond more.
    pub fn record(&mut self, outcome: &Outcome<'_>, durations: &[f64], db: &mut Tsdb) {
        if durations.is_empty() {
            return;
        }
        if !outcome.mirrored && outcome.client != Client::Outside {
            let seen: Vec<f64> = durations.iter().map(|ms| ms + 1.0).collect();
            self.count("source", outcome.client.target(), outcome, &seen, db);
        }
        if let Some(workload) = outcome.workload {
            let proxy = target(&workload.namespace, &workload.pod);
            self.latency(&proxy, durations, db);
            self.count("destination", proxy, outcome, durations, db);
        }
    }

    /// What the application itself counts of its requests.
    fn latency(&mut self, proxy: &str, durations: &[f64], db: &mut Tsdb) {
        for target in self.apps.get(proxy).into_iter().flatten() {
            let known = self.latencies.get(target).copied();
            let mut new = |name| db.counter(target, named(name, &Labels::new()));
            let counters = known.or_else(|| Some((new("requests_latency_seconds_sum")?, new("requests_latency_seconds_count")?)));
            let Some((sum, count)) = counters else { continue };
            self.latencies.insert(target.clone(), (sum, count));
            db.add(sum, durations.iter().sum::<f64>() / 1000.0);
            db.add(count, durations.len() as f64);
        }
    }

    fn count(&mut self, reporter: &str, target: String, outcome: &Outcome<'_>, durations: &[f64], db: &mut Tsdb) {
        let (service, workload) = (outcome.service.map(|s| &s.host), outcome.workload);
        let names = workload.map(|w| (&w.namespace, &w.name, &w.version));
        let Outcome { client, asked, code, flags, .. } = outcome;
        let key = format!("{reporter} {target} {client:?} {asked} {service:?} {names:?} {code} {flags}");
        if !self.families.contains_key(&key) {
            let Some(family) = Family::new(labels(reporter, outcome), target, db) else { return };
            self.families.insert(key.clone(), family);
        }
        let Some(family) = self.families.get(&key) else { return };
        let number = durations.len() as f64;
        db.add(family.requests, number);
        db.add(family.count, number);
        db.add(family.sum, durations.iter().sum());
        let up_to = |edge: f64| durations.iter().filter(|ms| **ms <= edge).count() as f64;
        for (counter, edge) in family.buckets.iter().zip(EDGES.into_iter().chain([f64::INFINITY])) {
            db.add(*counter, up_to(edge));
        }
    }
}

impl Family {
    fn new(labels: Labels, target: String, db: &mut Tsdb) -> Option<Self> {
        let mut counter = |name: &str, le: Option<String>| {
            let mut labels = labels.clone();
            labels.insert("__name__".to_owned(), name.to_owned());
            labels.extend(le.map(|le| ("le".to_owned(), le)));
            db.counter(&target, labels)
        };
        let requests = counter("istio_requests_total", None)?;
        let count = counter("istio_request_duration_milliseconds_count", None)?;
        let sum = counter("istio_request_duration_milliseconds_sum", None)?;
        let edges = EDGES.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let buckets = edges.map(|le| counter("istio_request_duration_milliseconds_bucket", Some(le)));
        let buckets = buckets.collect::<Option<Vec<_>>>()?;
        Some(Self { target, requests, count, sum, buckets })
    }
}

/// Istio's labels; what is not known says `unknown`.
fn labels(reporter: &str, outcome: &Outcome<'_>) -> Labels {
    let Outcome { client, asked, service, workload, code, flags, .. } = outcome;
    let unknown = UNKNOWN;
    let principal = |namespace: &str| format!("spiffe://cluster.local/ns/{namespace}/sa/default");
    let of = |field: fn(&Workload) -> &String| workload.map_or(unknown, |w| field(w));
    let security = match (reporter, client) {
        ("destination", Client::Outside) => "none",
        ("destination", _) => "mutual_tls",
        _ => unknown,
    };
    let code = code.to_string();
    let (source_principal, destination_principal) = match workload {
        Some(workload) if *client != Client::Outside => (principal(client.namespace()), principal(&workload.namespace)),
        _ => (unknown.to_owned(), unknown.to_owned()),
    };
    let pairs = [
        ("reporter", reporter),
        ("source_workload", client.workload()),
        ("source_workload_namespace", client.namespace()),
        ("source_principal", &source_principal),
        ("source_app", client.workload()),
        ("source_version", unknown),
        ("source_canonical_service", client.workload()),
        ("source_canonical_revision", "latest"),
        ("source_cluster", "Kubernetes"),
        ("destination_workload", of(|w| &w.name)),
        ("destination_workload_namespace", of(|w| &w.namespace)),
        ("destination_principal", &destination_principal),
        ("destination_app", of(|w| &w.app)),
        ("destination_version", of(|w| &w.version)),
        ("destination_canonical_service", of(|w| &w.canonical_service)),
        ("destination_canonical_revision", of(|w| &w.canonical_revision)),
        ("destination_cluster", workload.map_or(unknown, |_| "Kubernetes")),
        // Without a cluster the proxy knows no more than the host that was asked for.
        ("destination_service", service.map_or(asked, |s| s.host.as_str())),
        ("destination_service_name", service.map_or(asked, |s| s.name.as_str())),
        ("destination_service_namespace", service.map_or(unknown, |s| s.namespace.as_str())),
        ("request_protocol", "http"),
        ("response_code", &code),
        ("response_flags", flags),
        ("connection_security_policy", security),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
