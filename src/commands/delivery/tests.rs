//! Runs a stage's tests: finds the way to the version, asks, counts, reports.

use super::reach;
use super::target::{self, Version};
use crate::cluster::{Cluster, PODS, Place, SERVICES, ServicePort};
use crate::commands::Context;
use crate::core::delivery::ingress::Address;
use crate::core::delivery::pod;
use crate::core::delivery::shipyard::TestStrategy;
use crate::core::delivery::tests::{Report, Suite, Target, TestPlan, Through, Work, expand};
use crate::error::{Error, Kind, Result};
use crate::probe::{self, Forwarder};
use crate::ui::printable;
use crate::web::{Call, Exchange, Pass};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::time::Instant;

/// Which of a service's tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// What it must answer before it is given traffic.
    Smoke,
    /// What the stage's strategy asks for.
    Of(TestStrategy),
}

/// Runs a test of a service on a version; none where the stage has no tests. `suite` is the file's name and text, where there
/// is one.
///
/// # Errors
/// As [`run`], and `Usage` for a file that cannot be read.
pub async fn test(
    context: &Context,
    cluster: &Cluster,
    version: Version<'_>,
    which: Which,
    suite: Option<(&str, &str)>,
    deadline: Instant,
) -> Result<Option<Report>> {
    let suite = match suite {
        Some((file, text)) => Suite::parse(file, text)?,
        None => Suite::built_in(),
    };
    let plan = match which {
        Which::Smoke => smoke(context, cluster, version, &suite).await,
        Which::Of(strategy) => suite.plan(strategy).cloned(),
    };
    let Some(plan) = plan else { return Ok(None) };
    let target = target::find(cluster, version, plan.through == Through::Ingress).await?;
    if !plan.fits(&target) {
        return Ok(Some(plan.report_of_foreign(&target, now())));
    }
    run(context, cluster, &plan, &target, deadline).await.map(Some)
}

/// The smoke test asks the version's own pods, unless the mesh lets nobody in: then it goes through the ingress, too, and a
/// version without traffic cannot be asked.
async fn smoke(context: &Context, cluster: &Cluster, version: Version<'_>, suite: &Suite) -> Option<TestPlan> {
    let plan = suite.smoke();
    if !suite.is_by_ingress() || plan.work == Work::Nothing {
        return Some(plan);
    }
    let policies = reach::policies(cluster, std::iter::once(version.namespace)).await;
    match reach::closed(cluster, &policies, version.namespace, version.deployment, version.service).await {
        None => Some(plan),
        Some(_) if !version.idle => Some(TestPlan { through: Through::Ingress, ..plan }),
        Some(policy) => {
            let why = format!("PeerAuthentication {policy} is STRICT");
            context.ui.say(&format!("    not asked: no way leads to a version without traffic ({why})\n"));
            None
        }
    }
}

/// Runs a test until `deadline`. What the version does wrong is in the report.
///
/// # Errors
/// What keeps it from being tested at all: no ready pod, no rights, a program that cannot be started.
pub async fn run(context: &Context, cluster: &Cluster, plan: &TestPlan, target: &Target, deadline: Instant) -> Result<Report> {
    let started = now();
    match &plan.work {
        Work::Nothing => Ok(plan.report_of_nothing(started)),
        Work::Probe => {
            let way = Way::find(cluster, plan, target).await?;
            let tally = probe::probe(&*way.pass(), plan, deadline).await?;
            way.check()?;
            Ok(plan.report(&tally, started, now()))
        }
        Work::Command(words) => command(context, cluster, plan, target, words, deadline).await,
        Work::Job(job) => super::job::run(context, cluster, plan, target, job, deadline).await,
    }
}

/// The present, in seconds since the epoch.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

async fn command(
    context: &Context,
    cluster: &Cluster,
    plan: &TestPlan,
    target: &Target,
    words: &[String],
    deadline: Instant,
) -> Result<Report> {
    let started = now();
    let way = Way::find(cluster, plan, target).await?;
    let (url, forwarder) = match way.url() {
        Some(url) => (url, None),
        None => {
            let forwarder = Forwarder::open().await?;
            (forwarder.url(), Some(forwarder))
        }
    };
    let environment = plan.environment(target, &url);
    let words: Vec<String> = words.iter().map(|word| expand(word, &environment)).collect();
    let say = |line: &str| context.ui.say(&format!("{}\n", format!("    {}", printable(line)).trim_end()));
    let program = probe::run(&words, &environment, deadline, &say);
    let pass = way.pass();
    let ended = match &forwarder {
        None => program.await?,
        Some(forwarder) => tokio::select! {
            biased;
            ended = program => ended?,
            never = forwarder.serve(&*pass, plan.timeout) => match never {},
        },
    };
    way.check()?;
    Ok(plan.report_of_output(ended.failure, ended.output, started, now()))
}

/// A way to a version.
enum Way<'a> {
    /// Through the API server, to one of these places after the other.
    Cluster {
        cluster: &'a Cluster,
        places: Vec<Place>,
        next: Cell<usize>,
        /// The API server refused to pass requests on: no fault of the version.
        refused: RefCell<Option<Error>>,
    },
    /// By its URL, with a host header where the name in it leads nowhere.
    Url { url: String, host: Option<String>, pass: Box<Pass<'static>> },
}

impl<'a> Way<'a> {
    async fn find(cluster: &'a Cluster, plan: &TestPlan, target: &Target) -> Result<Self> {
        let through = |places| Way::Cluster { cluster, places, next: Cell::new(0), refused: RefCell::new(None) };
        let service = || ServicePort { namespace: target.namespace.clone(), name: target.host.clone(), port: target.port };
        match &plan.through {
            Through::Pods if !target.pods.is_empty() => {
                let pods = pods(cluster, target).await?;
                Ok(through(pods.into_iter().map(|pod| Place::Pod(pod.at)).collect()))
            }
            Through::Pods | Through::Service => Ok(through(vec![Place::Service(service())])),
            Through::Ingress => {
                let (url, host, address) = ingress(target)?;
                // The probe asks the address and needs no DNS.
                let pass = probe::by_url(&address.url(), target.public_host.as_deref())?;
                Ok(Way::Url { url, host, pass })
            }
            Through::Url(url) => Ok(Way::Url { url: url.clone(), host: None, pass: probe::by_url(url, None)? }),
        }
    }

    /// A URL that a program can use by itself.
    fn url(&self) -> Option<String> {
        match self {
            Way::Url { url, host: None, .. } => Some(url.clone()),
            _ => None,
        }
    }

    fn pass(&self) -> Box<Pass<'_>> {
        Box::new(move |call: Call| -> Exchange<'_> {
            match self {
                Way::Url { pass, .. } => pass(call),
                Way::Cluster { cluster, places, next, refused } => {
                    let place = next.get();
                    next.set((place + 1) % places.len().max(1));
                    Box::pin(async move {
                        let Some(place) = places.get(place) else { return Err("there is no pod".to_owned()) };
                        cluster.relay(place, call).await.map_err(|error| {
                            let why = error.message.clone();
                            if error.kind == Kind::Forbidden {
                                refused.borrow_mut().get_or_insert(error);
                            }
                            why
                        })
                    })
                }
            }
        })
    }

    /// Whether the API server passed requests on.
    fn check(&self) -> Result<()> {
        match self {
            Way::Cluster { refused, .. } => match refused.take() {
                Some(error) => Err(error
                    .hint("tests through the API server need `get` and `create` on pods/proxy and services/proxy")
                    .hint("or reach the version another way: `through: ingress` or `url: …` in tests.yaml")),
                None => Ok(()),
            },
            Way::Url { .. } => Ok(()),
        }
    }
}

/// The URL of a version at the ingress, with the host header that it needs where the name in it leads nowhere.
///
/// # Errors
/// `NotFound` where no ingress is known.
pub(super) fn ingress(target: &Target) -> Result<(String, Option<String>, &Address)> {
    let Some(address) = &target.ingress else {
        return Err(Error::not_found(format!("no address of an ingress leads to {}", target.service))
            .hint("name one in tests.yaml with `url: http://HOST`, or ask the pods with `through: pods`"));
    };
    let named = target.public_host.as_ref().filter(|host| address.is_named_by(host));
    Ok(match named {
        Some(host) if address.port == 80 => (format!("http://{host}"), None, address),
        Some(host) => (format!("http://{host}:{}", address.port), None, address),
        None => (address.url(), target.public_host.clone(), address),
    })
}

/// A ready pod of a version.
pub(super) struct Pod {
    at: ServicePort,
    /// Its address within the cluster, with the port.
    pub address: Option<String>,
}

/// The ready pods of a version, with the port that its service sends requests to.
///
/// # Errors
/// `NotFound` where there is none.
pub(super) async fn pods(cluster: &Cluster, target: &Target) -> Result<Vec<Pod>> {
    let selector: Vec<String> = target.pods.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let selector = selector.join(",");
    let (service, pods) = tokio::join!(
        cluster.object(&SERVICES, &target.namespace, &target.host),
        cluster.list(&PODS, Some(&target.namespace), &selector)
    );
    let service = service?.unwrap_or_default();
    let ready: Vec<Pod> = pods?
        .iter()
        .filter(|pod| pod::is_ready(pod))
        .filter_map(|pod| {
            let name = pod.pointer("/metadata/name").and_then(Value::as_str)?.to_owned();
            let port = pod::port(&service, pod, target.port);
            let address = pod.pointer("/status/podIP").and_then(Value::as_str).map(|ip| format!("{ip}:{port}"));
            Some(Pod { at: ServicePort { namespace: target.namespace.clone(), name, port }, address })
        })
        .collect();
    match ready.is_empty() {
        true => Err(Error::not_found(format!("no pod in namespace {} with the labels {selector} is ready", target.namespace))),
        false => Ok(ready),
    }
}
