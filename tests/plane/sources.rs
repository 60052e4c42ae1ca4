//! What a gate meets at a real Prometheus, and the verdict that it must give: what is not known never passes.

use crate::support::lab::{Lab, lab};
use crate::support::prometheus::{Prometheus, query};
use crate::support::stub::{Answer, Stub};
use crate::support::*;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// No target.
const ALONE: &str = "global: {}\n";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().try_into().expect("a time")
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).expect("a time").to_string()
}

/// A gate of one indicator that must stay below 1. What could not be asked is inconclusive even where that is told to pass.
fn gate(url: &str, query: &str) -> Run {
    let run = tidegate(&format!("evaluate --gate perfspec.json --on-inconclusive pass --prometheus {url}"));
    let file = json!({
        "spec_version": "1.0",
        "indicators": [{
            "id": "indicator", "source": "Prometheus", "query": query,
            "grading": {"type": "Threshold", "thresholds": {"upperSevere": 1}, "metricScore": 100},
        }],
        "objectives": {"pass": 90, "warning": 75},
    });
    std::fs::write(run.home().join("perfspec.json"), file.to_string()).expect("a file");
    run
}

/// Of a window with an end, for which no clock is needed.
fn ended(run: Run) -> Run {
    run.arg("--start=2026-01-01T00:00:00Z").arg("--end=2026-01-01T00:05:00Z")
}

#[track_caller]
fn ends(run: Run, status: i32, says: &str) {
    let output = run.run();
    assert_eq!(output.status, Some(status), "{output}");
    assert!(output.to_string().contains(says), "{says}: {output}");
}

#[test]
fn odd_answers_never_pass() {
    let Some(lab) = lab().filter(|lab| lab.plane.is_some()) else { return };
    let directory = directory();
    let prometheus = Prometheus::start(lab, directory.path(), ALONE);
    let url = prometheus.url.as_str();
    let idle = |le: &str| format!(r#"label_replace(vector(0), "le", "{le}", "", "")"#);
    let quantile = format!("histogram_quantile(0.95, {} or {})", idle("1"), idle("+Inf"));
    let two = r#"(vector(1) or label_replace(vector(1), "x", "y", "", ""))"#;
    let many = format!("{two} / on() {two}");
    let cases = [
        ("vector(0.5)", 0, "pass"),
        // A scalar is a number like any other.
        ("1/2", 0, "pass"),
        ("nosuch", 10, "no values"),
        ("sum(nosuch)", 10, "no values"),
        ("vector(0)/0", 10, "no number was measured"),
        (&quantile, 10, "no number was measured"),
        // Something divided by nothing: within no limit, wherever the limit is.
        ("vector(1)/0", 10, "+Inf >= upperSevere 1"),
        ("vector(-1)/0", 10, "no number was measured"),
        ("1/0", 10, "+Inf >= upperSevere 1"),
        (r#""text""#, 12, "answers a string"),
        ("vector(1)[1m:1s]", 12, "a range of values"),
        ("sum(", 12, "HTTP status 400: bad_data: "),
        (&many, 12, "HTTP status 422: execution: "),
        ("count_over_time(vector(1)[1d:1s])", 12, "HTTP status 422: execution: query processing would load too many samples"),
    ];
    std::thread::scope(|scope| {
        for (query, status, says) in cases {
            scope.spawn(move || ends(gate(url, query), status, says));
        }
        let nowhere = move || gate(&format!("{url}/nowhere"), "vector(0.5)");
        scope.spawn(move || ends(ended(nowhere()), 12, "HTTP status 404"));
        scope.spawn(move || ends(nowhere(), 7, "what answers is no Prometheus"));
        // Prometheus gives up late or never, whatever it was told: these two are not Prometheus.
        scope.spawn(|| {
            let text = "query timed out in expression evaluation";
            let answer = json!({"status": "error", "errorType": "timeout", "error": text});
            let stub = Stub::new(move |_| Answer::json(503, &answer));
            ends(ended(gate(&stub.url(), "vector(0.5)")), 12, "HTTP status 503: timeout: query timed out");
        });
        scope.spawn(|| {
            let stub = Stub::new(|_| Answer::Hang);
            ends(gate(&stub.url(), "vector(0.5)").arg("--timeout=2s"), 124, "the metrics source did not answer within --timeout");
            ends(gate(&stub.url(), "vector(0.5)").arg("--request-timeout=100ms"), 7, "no answer within 0.1 s");
        });
    });
}

/// Scrapes of `orders` in the past, every 5 seconds for ten minutes from `start`.
struct Past {
    start: i64,
    metrics: String,
}

const SERVICE: &str = "orders.sockshop-production.svc.cluster.local";

impl Past {
    /// The counter of a version's answers with a code, by the seconds since the start; no scrape where it is `None`.
    fn series(&mut self, version: &str, code: u32, value: impl Fn(i64) -> Option<i64>) {
        for second in (0..=600).step_by(5) {
            let Some(value) = value(second) else { continue };
            let labels = format!(
                r#"reporter="source",destination_service="{SERVICE}",destination_version="{version}",response_code="{code}""#
            );
            writeln!(self.metrics, "istio_requests_total{{{labels}}} {value} {}", self.start + second).expect("text");
        }
    }

    /// A requirement of v2, judged by what was measured up to a second.
    fn require(&self, sandbox: &Sandbox, url: &str, expression: &str, end: i64) -> Run {
        let (start, end) = (time(self.start), time(self.start + end));
        let line = format!(
            "evaluate orders -n sockshop-production --candidate v2 --stable v1 --prometheus {url} --start {start} --end {end}"
        );
        tidegate(&line).on(sandbox).arg("--require").arg(expression)
    }

    /// The same by a query of somebody's own.
    fn gate(&self, url: &str, query: &str, end: i64) -> Run {
        let (start, end) = (time(self.start), time(self.start + end));
        gate(url, query).arg(format!("--start={start}")).arg(format!("--end={end}"))
    }
}

/// The share of errors as it is often written.
const RATIO: &str = r#"sum(rate(istio_requests_total{response_code=~"5.."}[5m])) / sum(rate(istio_requests_total[5m]))"#;

/// The same, which is 0 before the first error.
const RATIO_OR_ZERO: &str =
    r#"(sum(rate(istio_requests_total{response_code=~"5.."}[5m])) or vector(0)) / sum(rate(istio_requests_total[5m]))"#;

#[test]
fn past_data_is_judged_by_its_counters() {
    let Some(lab) = lab().filter(|lab| lab.plane.is_some()) else { return };
    let steady = |second: i64| Some(1000 + 10 * second);
    // Hours apart, so that none sees another's.
    let mut scenes = (1..=5).map(|number| Past { start: now() / 60 * 60 - number * 3 * 3600, metrics: String::new() });
    let mut scene = || scenes.next().expect("enough");

    let (mut healthy, mut born, mut new, mut idle, mut ended) = (scene(), scene(), scene(), scene(), scene());
    healthy.series("v1", 200, steady);
    healthy.series("v2", 200, steady);
    // Three times a hundred errors between two scrapes, each the first and the last of its code.
    born.series("v1", 200, |second| Some(1000 + 2 * second));
    born.series("v2", 200, |second| Some(1000 + 2 * second));
    for (code, birth) in [(500, 150), (502, 300), (503, 450)] {
        born.series("v2", code, |second| (second > birth).then_some(100));
    }
    // All of a version's requests between two scrapes.
    new.series("v1", 200, steady);
    new.series("v2", 200, |second| (second > 300).then_some(900));
    new.series("v2", 500, |second| (second > 300).then_some(100));
    idle.series("v1", 200, |_| Some(1000));
    idle.series("v2", 200, |_| Some(1000));
    // Nobody marked the end of these series: Prometheus itself was stopped and started again.
    ended.series("v1", 200, |second| steady(second).filter(|_| second <= 300));
    ended.series("v2", 200, |second| steady(second).filter(|_| second <= 300));

    let directory = directory();
    let all: String = [&ended, &idle, &new, &born, &healthy].map(|past| past.metrics.as_str()).concat();
    Prometheus::import(lab, directory.path(), &format!("# TYPE istio_requests counter\n{all}# EOF\n"));
    let prometheus = Prometheus::start(lab, directory.path(), ALONE);
    let (url, sandbox) = (prometheus.url.as_str(), Sandbox::new());

    // Before the first error a ratio of errors is empty, which fails; counted, it is 0.
    assert!(query(url, RATIO, Some(healthy.start + 600)).is_empty());
    ends(healthy.gate(url, RATIO, 600), 10, "no values");
    ends(healthy.gate(url, RATIO_OR_ZERO, 600), 0, "pass");
    ends(healthy.require(&sandbox, url, "error-rate<=1", 600), 0, "pass: all of 1 proven");
    ends(healthy.require(&sandbox, url, "error-rate<=stable+1%", 600), 0, "pass: all of 1 proven");

    // A counter born at 100 never grew, for `rate`.
    let rate = r#"sum(rate(istio_requests_total{response_code=~"5.."}[5m]))"#;
    assert_eq!(query(url, rate, Some(born.start + 600))[0]["value"][1], "0");
    ends(born.require(&sandbox, url, "error-rate<=stable+1%", 600), 10, "fail: error-rate<=stable+1%");
    // Of a version that was not there before, not even the requests are certain.
    ends(new.require(&sandbox, url, "error-rate<=stable+1%", 600), 12, "inconclusive");

    // 0/0.
    assert_eq!(query(url, RATIO_OR_ZERO, Some(idle.start + 600))[0]["value"][1], "NaN");
    ends(idle.gate(url, RATIO_OR_ZERO, 600), 10, "no number was measured");
    ends(idle.require(&sandbox, url, "success-rate>=99", 600), 12, "no requests were seen");

    // The series stay for five minutes, and so does what `rate` makes of them.
    assert_eq!(query(url, "istio_requests_total", Some(ended.start + 400)).len(), 2);
    ends(ended.gate(url, RATIO_OR_ZERO, 400), 0, "pass");
    ends(ended.require(&sandbox, url, "success-rate>=99", 400), 12, "is 100 s old");
}

/// Two versions whose requests grow with every scrape, and their Prometheus.
fn scraped(lab: &Lab, directory: &Path) -> (Stub, Prometheus) {
    let requests = AtomicU64::new(1000);
    let target = Stub::new(move |_| {
        let count = requests.fetch_add(100, Ordering::Relaxed);
        let series = |version| {
            let labels = format!(r#"reporter="source",destination_service="{SERVICE}",destination_version="{version}""#);
            format!("istio_requests_total{{{labels},response_code=\"200\"}} {count}\n")
        };
        Answer::With(200, "Content-Type: text/plain; version=0.0.4\r\n", series("v1") + &series("v2"))
    });
    let configuration = json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "900ms"},
        "scrape_configs": [{"job_name": "mesh", "static_configs": [{"targets": [format!("127.0.0.1:{}", target.port)]}]}],
    });
    let prometheus = Prometheus::start(lab, directory, &configuration.to_string());
    eventually("it is scraped twice", || (!query(&prometheus.url, HEALTHY, None).is_empty()).then_some(()));
    (target, prometheus)
}

/// The share of good answers as it is often written.
const HEALTHY: &str = r#"sum(rate(istio_requests_total{response_code="200"}[30s])) / sum(rate(istio_requests_total[30s]))"#;

fn required(sandbox: &Sandbox, url: &str, window: &str) -> Run {
    let line = "evaluate orders -n sockshop-production --candidate v2 --require success-rate>=99 --on-inconclusive fail";
    tidegate(&format!("{line} --prometheus {url} {window}")).on(sandbox)
}

#[test]
fn a_dead_target_is_not_healthy() {
    let Some(lab) = lab().filter(|lab| lab.plane.is_some()) else { return };
    let (directory, sandbox) = (directory(), Sandbox::new());
    let (target, prometheus) = scraped(lab, directory.path());
    drop(target);
    let raw = |time| query(&prometheus.url, "istio_requests_total", time);
    eventually("its series are gone", || raw(Some(now())).is_empty().then_some(()));
    // For `rate` all is well, for half a minute.
    assert_eq!(query(&prometheus.url, HEALTHY, None)[0]["value"][1], "1");
    ends(required(&sandbox, &prometheus.url, "--timeframe 1m"), 10, "the source has no requests to");
}

/// Whoever was not there when a target went shows its last series for five minutes.
#[test]
fn a_prometheus_that_was_started_again_has_nothing_new() {
    let Some(lab) = lab().filter(|lab| lab.plane.is_some()) else { return };
    let (directory, sandbox) = (directory(), Sandbox::new());
    let (target, prometheus) = scraped(lab, directory.path());
    drop(prometheus);
    drop(target);
    let prometheus = Prometheus::start(lab, directory.path(), ALONE);
    let (start, later) = (time(now() - 60), now() + 120);
    assert_eq!(query(&prometheus.url, "istio_requests_total", Some(later)).len(), 2);
    let end = time(later);
    ends(required(&sandbox, &prometheus.url, &format!("--start {start} --end {end}")), 10, "s old");
}
