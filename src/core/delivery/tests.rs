//! Tests of a version: what is asked of it, how it is reached, what came of it.
//!
//! A `tests.yaml` says it ([`Suite::parse`]); where there is none, [`Suite::built_in`] does what keptn's jmeter-service did:
//! a health check, then each check once, or ten users with five hundred loops each.

#[cfg(test)]
#[path = "tests/cases.rs"]
mod cases;
mod counted;
pub mod job;
mod read;
mod summary;

pub use counted::{Histogram, Latency, Tally};
pub use summary::Summary;

use super::ingress::Address;
use super::shipyard::TestStrategy;
use crate::core::lint::Finding;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The path of the health check where nothing else is said.
pub const HEALTH: &str = "/health";

/// How long one request may take where nothing else is said.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The origin of tests that nobody wrote.
const BUILT_IN: &str = "built in";

/// The name of a smoke test.
const SMOKE: &str = "smoke";

/// The file name of a suite among a project's resources.
pub const FILE: &str = "tests.yaml";

/// All tests of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    functional: TestPlan,
    performance: TestPlan,
}

/// One test: what a stage's test strategy asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct TestPlan {
    /// `functional`, `performance` or `smoke`.
    pub name: String,
    /// Where it was read: a file's name, or `built in`.
    pub origin: String,
    /// How the version is reached.
    pub through: Through,
    /// How long one request may take.
    pub timeout: Duration,
    /// The path of the health check.
    pub health: String,
    /// The requests after it.
    pub requests: Vec<Request>,
    /// How many at once and how often; once each, none may fail, where there is none.
    pub load: Option<Load>,
    /// Who does it.
    pub work: Work,
}

/// A request of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// A GET.
    pub fn get(path: &str) -> Self {
        Self { method: "GET".into(), path: path.into(), ..Self::default() }
    }

    /// `GET /health`
    pub fn title(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// A load: each user sends all requests one after the other, again and again, and waits for each answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Users at the same time.
    pub users: usize,
    /// How often each sends all requests; until the duration has passed where there is none.
    pub loops: Option<u64>,
    /// How long.
    pub duration: Option<Duration>,
    /// The pause of a user before each request.
    pub think: Duration,
    /// The share of requests that may fail, from 0 to 1.
    pub allowed: f64,
}

impl Load {
    /// keptn's jmeter-service: 10 users, 500 loops, a quarter of a second between requests, a tenth may fail.
    pub const KEPTN: Load = Load { users: 10, loops: Some(500), duration: None, think: Duration::from_millis(250), allowed: 0.1 };

    /// How many requests it comes to, where that is known.
    pub fn planned(&self, requests: usize) -> Option<u64> {
        let all = |loops: u64| loops.saturating_mul(self.users as u64).saturating_mul(requests as u64);
        self.loops.filter(|_| self.duration.is_none()).map(all)
    }
}

/// Who does a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nobody: the test is switched off.
    Nothing,
    /// tidegate itself.
    Probe,
    /// A program on this machine, with its arguments. `$(NAME)` in them stands for a variable, as in a Job.
    Command(Vec<String>),
    /// A Kubernetes Job beside the version.
    Job(Job),
}

/// A Job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// Its image.
    pub image: String,
    /// What it runs instead of the image's own entry point.
    pub command: Vec<String>,
    /// Variables beside those that each test has.
    pub env: BTreeMap<String, String>,
    /// Stays when it has ended.
    pub keep: bool,
}

/// How a version is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Through {
    /// The pods of the version where they are known, else the service; through the API server, with the user's rights.
    #[default]
    Pods,
    /// The service, through the API server: whichever version its pods have.
    Service,
    /// The ingress, with the routes and weights that users have.
    Ingress,
    /// A URL.
    Url(String),
}

/// A version under test, and the ways that lead to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The project.
    pub project: String,
    /// The stage.
    pub stage: String,
    /// The stage's namespace.
    pub namespace: String,
    /// The service, as the project knows it.
    pub service: String,
    /// The image under test without its tag: `docker.io/keptnexamples/carts`.
    pub image: String,
    /// Its tag.
    pub tag: Option<String>,
    /// The Kubernetes service in front of the version; mostly named like the service.
    pub host: String,
    /// That service's port.
    pub port: u16,
    /// Whether that port speaks something else than HTTP.
    pub foreign: bool,
    /// The labels of the pods of the version; empty where the whole service is meant.
    pub pods: BTreeMap<String, String>,
    /// The address of the ingress, where it is known.
    pub ingress: Option<Address>,
    /// The name by which the ingress knows the service: `carts.production.203.0.113.7.nip.io`.
    pub public_host: Option<String>,
}

impl Target {
    /// Its name within the cluster.
    pub fn dns(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.host, self.namespace)
    }
}

/// What came of a test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether it passed.
    pub passed: bool,
    /// Why, in one line.
    pub reason: String,
    /// `functional`, `performance` or `smoke`.
    pub name: String,
    /// Where the test was read: a file's name, or `built in`.
    pub origin: String,
    /// When it began, in seconds since the epoch.
    pub started: i64,
    /// When it ended.
    pub ended: i64,
    /// Requests sent, as far as they were counted.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// How long the answers took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// The last lines that a program or a Job printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
}

impl Suite {
    /// What is done where nobody says anything.
    pub fn built_in() -> Self {
        let functional = TestPlan {
            name: "functional".into(),
            origin: BUILT_IN.into(),
            through: Through::default(),
            timeout: REQUEST_TIMEOUT,
            health: HEALTH.into(),
            requests: Vec::new(),
            load: None,
            work: Work::Probe,
        };
        let performance = TestPlan {
            name: "performance".into(),
            requests: vec![Request::get(HEALTH)],
            load: Some(Load::KEPTN),
            ..functional.clone()
        };
        Self { functional, performance }
    }

    /// Reads a `tests.yaml`. `file` is what errors call it.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        read::parse(file, text)
    }

    /// All that is wrong, or surely not meant, in a `tests.yaml`.
    pub fn lint(text: &str) -> Vec<Finding> {
        read::read(FILE, text).1.located(text)
    }

    /// The test of a strategy; none where the strategy has none.
    pub fn plan(&self, strategy: TestStrategy) -> Option<&TestPlan> {
        match strategy {
            TestStrategy::None => None,
            TestStrategy::Functional => Some(&self.functional),
            TestStrategy::Performance => Some(&self.performance),
        }
    }

    /// Whether all but the smoke test go through the ingress.
    pub fn is_by_ingress(&self) -> bool {
        self.functional.through == Through::Ingress
    }

    /// What a version must answer before it is given traffic: the health check, and the checks unless a program does them.
    /// Its own pods are asked, whatever the tests ask: nobody else leads to a version without traffic.
    pub fn smoke(&self) -> TestPlan {
        let checks = if self.functional.work == Work::Probe { self.functional.requests.clone() } else { Vec::new() };
        let work = if self.functional.work == Work::Nothing { Work::Nothing } else { Work::Probe };
        let through = match &self.functional.through {
            Through::Ingress => Through::Pods,
            other => other.clone(),
        };
        TestPlan { name: SMOKE.into(), through, requests: checks, load: None, work, ..self.functional.clone() }
    }
}

impl TestPlan {
    /// The requests of the health check and of what follows where each is sent once.
    pub fn once(&self) -> Vec<Request> {
        let health = Request::get(&self.health);
        std::iter::once(health).chain(self.requests.iter().filter(|_| self.load.is_none()).cloned()).collect()
    }

    /// The variables of a program's or a Job's environment, `url` being where the version is reached: ours, and those of
    /// keptn's jmeter-service.
    pub fn environment(&self, target: &Target, url: &str) -> Vec<(String, String)> {
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port),
            _ => (authority, if url.starts_with("https:") { "443" } else { "80" }),
        };
        let (users, loops, think) = match self.load {
            None => (1, 1, Duration::ZERO),
            Some(load) => (load.users, load.loops.unwrap_or(Load::KEPTN.loops.unwrap_or(1)), load.think),
        };
        let one = |name: &str, value: String| (name.to_owned(), value);
        vec![
            one("TARGET_URL", url.to_owned()),
            one("SERVER_URL", host.to_owned()),
            one("SERVER_PORT", port.to_owned()),
            one("CHECK_PATH", self.health.clone()),
            one("PROJECT", target.project.clone()),
            one("STAGE", target.stage.clone()),
            one("SERVICE", target.service.clone()),
            one("NAMESPACE", target.namespace.clone()),
            one("IMAGE", target.image.clone()),
            one("TAG", target.tag.clone().unwrap_or_default()),
            one("VUCount", users.to_string()),
            one("LoopCount", loops.to_string()),
            one("ThinkTime", think.as_millis().to_string()),
            one("DT_LTN", format!("{}_{}", self.name, target.service)),
        ]
    }

    /// The report of a test that tidegate itself did.
    pub fn report(&self, tally: &Tally, started: i64, ended: i64) -> Report {
        let (passed, reason) = tally.judge(self);
        let latency = tally.latencies.latency();
        let (requests, failed) = (tally.requests, tally.failed);
        Report { passed, reason, started, ended, requests, failed, latency, ..self.blank() }
    }

    /// The report of a program or a Job that ended: `failure` says how, where it did not end well. What it printed may hold
    /// JMeter's own count, which can fail a test whose program was content.
    pub fn report_of_output(&self, failure: Option<String>, output: Vec<String>, started: i64, ended: i64) -> Report {
        let summary = output.iter().rev().find_map(|line| Summary::parse(line));
        let allowed = self.load.map_or(0.0, |load| load.allowed);
        let judged = summary.as_ref().and_then(|summary| summary.failure(allowed));
        let (requests, failed) = summary.as_ref().map_or((0, 0), |one| (one.requests, one.failed));
        let told = summary.as_ref().map_or_else(|| "ended with exit code 0".to_owned(), Summary::told);
        let failure = failure.or(judged);
        let reason = format!("{}{}{}", self.title(), failure.as_ref().unwrap_or(&told), self.note());
        Report { passed: failure.is_none(), reason, started, ended, requests, failed, output, ..self.blank() }
    }

    /// Whether this test can ask a version at all: the built-in ones speak HTTP. Who writes a test knows what he asks.
    pub fn fits(&self, target: &Target) -> bool {
        !target.foreign || self.origin != BUILT_IN || self.work != Work::Probe
    }

    /// The report of a test that does not fit.
    pub fn report_of_foreign(&self, target: &Target, now: i64) -> Report {
        let reason = format!("{}not asked: port {} speaks no HTTP{}", self.title(), target.port, self.note());
        Report { passed: true, reason, started: now, ended: now, ..self.blank() }
    }

    /// The report of a test that is switched off.
    pub fn report_of_nothing(&self, now: i64) -> Report {
        let reason = format!("{}switched off{}", self.title(), self.note());
        Report { passed: true, reason, started: now, ended: now, ..self.blank() }
    }

    fn blank(&self) -> Report {
        Report { name: self.name.clone(), origin: self.origin.clone(), ..Report::default() }
    }

    /// What a reason begins with. A smoke test is a step of its own, and named as one.
    fn title(&self) -> String {
        if self.name == SMOKE { String::new() } else { format!("{}: ", self.name) }
    }

    /// Says who decided what was asked: somebody who never wrote a test wonders.
    fn note(&self) -> String {
        format!(" ({})", self.origin)
    }
}

/// Puts the values of variables in the place of `$(NAME)`; `$$` is a dollar sign. As Kubernetes does in a container's command,
/// so that the same command works here and there; an unknown name stays as it is.
pub fn expand(text: &str, environment: &[(String, String)]) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        out += before;
        let named = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let value = named.and_then(|(name, _)| environment.iter().find(|(known, _)| known == name));
        rest = match (value, named) {
            (Some((_, value)), Some((_, behind))) => {
                out += value;
                behind
            }
            _ => {
                out.push('$');
                after.strip_prefix('$').unwrap_or(after)
            }
        };
    }
    out + rest
}
