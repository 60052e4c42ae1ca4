//! What a delivery costs beside the waiting, on a sandbox in this process.
//!
//!     cargo bench --bench delivery                  all of it, about six minutes
//!     cargo bench --bench delivery -- share memory  only these sections
//!     TIDEGATE_WAIT=3600 cargo bench --bench delivery -- memory
//!
//! - `share`: the tool's own part of a delivery. The program has one thread that either runs or waits for a socket, a timer
//!   or a process; so its own part is its CPU time, and what it waited for a processor (Linux tells both). All other wall
//!   time is the cluster's, the tests' and the windows', but for the pause between two looks: the end of a rollout is seen
//!   up to half a second late. Beside it stands a delivery without tests and gates in a sandbox whose rollouts take no
//!   time: its wall time is what is left where there is nothing to wait for.
//! - `requests`: what is sent for each stage alone, from the sandbox's request log.
//! - `memory`: resident memory while a run waits for approval or for a metric that never comes, after ten looks and at the
//!   end. The wait is two minutes long, or `TIDEGATE_WAIT` seconds; it is not scaled.
//! - `reroute`: from the verdict to the answer to the PATCH that puts the weights back, as the program tells it, and what was
//!   sent between the last question to the metrics source and that PATCH.

#![allow(clippy::print_stdout)] // the figures are printed

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidegate::sandbox::{self, Options};
use tokio::sync::oneshot;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What is measured, by its name.
type Section = (&'static str, fn() -> Result);

const SECTIONS: [Section; 4] = [("share", share), ("requests", requests), ("memory", memory), ("reroute", reroute)];

const SHIPYARD: &str = "stages:
- {name: dev, deployment_strategy: direct, test_strategy: functional}
- {name: staging, deployment_strategy: blue_green_service, test_strategy: performance}
- {name: production, deployment_strategy: blue_green_service}
";

/// Nothing but deployments and traffic.
const PLAIN: &str = "stages:
- {name: dev, deployment_strategy: direct}
- {name: staging, deployment_strategy: blue_green}
- {name: production, deployment_strategy: blue_green}
";

/// A person lets versions into production.
const ASKING: &str = "stages:
- {name: dev, deployment_strategy: direct}
- {name: production, deployment_strategy: blue_green, approval_strategy: {pass: manual, warning: manual}}
";

const TESTS: &str = "performance: {users: 5, loops: 2, think: 0s, requests: [{path: /carts/1/items}]}\n";

/// The 95th percentile of the slower of the two colours.
const RESPONSE_TIME: &str = "max(histogram_quantile(0.95, sum by (le, destination_workload) (rate(\
    istio_request_duration_milliseconds_bucket{destination_workload_namespace='$ENVIRONMENT',\
    destination_workload=~'carts-.*'}[$DURATION]))))";

/// The windows of a gate.
const WINDOWS: &str = "--settle 2s --timeframe 3s";

fn main() -> Result {
    // Cargo passes `--bench`.
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, section) in SECTIONS {
        if asked.is_empty() || asked.iter().any(|word| word == name) {
            section()?;
        }
    }
    Ok(())
}

fn share() -> Result {
    println!("the tool's own part of a delivery through three stages, in ms:");
    println!("  {:<58} {:>8} {:>8} {:>8} {:>8}", "", "wall", "CPU", "queued", "own");
    let told = |what: &str, spent: &Spent| {
        let own = spent.cpu + spent.queued;
        let part = 100.0 * own / spent.wall;
        println!("  {what:<58} {:8.0} {:8.1} {:8.1} {part:7.2}%", spent.wall, spent.cpu, spent.queued);
    };
    let place = Place::start(1.0, SHIPYARD, true)?;
    for _ in 0..3 {
        told("tests, and two gates that measure for some seconds", &place.spent(&format!("{} {WINDOWS}", send("0.6.2")))?);
    }
    let place = Place::start(1000.0, PLAIN, false)?;
    for _ in 0..3 {
        told("no tests and gates, rollouts that take no time", &place.spent(&format!("{} --allow-no-gate", send("0.6.2")))?);
    }
    Ok(())
}

fn requests() -> Result {
    let place = Place::start(1.0, SHIPYARD, true)?;
    println!("requests of a delivery:");
    println!("  {:<24} {:>6} {:>9} {:>6} {:>7} {:>9} {:>9}", "", "all", "rights", "reads", "writes", "by proxy", "listening");
    let mut stages: Vec<(&str, String)> = vec![("dev, staging, production", String::new())];
    for stage in ["dev", "staging", "production"] {
        stages.push((stage, format!("--stage {stage} --until {stage}")));
    }
    for (name, flags) in stages {
        let before = place.log()?.len();
        place.run(&format!("{} {WINDOWS} {flags}", send("0.6.2")), &[0])?;
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for line in place.log()?[before..].lines() {
            *kinds.entry(kind(line)).or_default() += 1;
        }
        let of = |kind: &str| kinds.get(kind).copied().unwrap_or_default();
        println!(
            "  {name:<24} {:>6} {:>9} {:>6} {:>7} {:>9} {:>9}",
            kinds.values().sum::<usize>(),
            of("rights"),
            of("reads"),
            of("writes"),
            of("proxy"),
            of("listening")
        );
    }
    println!("  by proxy: smoke tests, tests, the metrics source; listening: the lease and the words of others, every 2 s");
    Ok(())
}

/// What a line of the request log is.
fn kind(line: &str) -> &'static str {
    if line.contains("selfsubjectaccessreviews") {
        "rights"
    } else if line.contains("/proxy") {
        "proxy"
    } else if line.contains("/leases") || listens(line) {
        "listening"
    } else if line.starts_with("GET") {
        "reads"
    } else {
        "writes"
    }
}

/// Whether it looks at what others left beside a run.
fn listens(line: &str) -> bool {
    line.starts_with("GET") && line.contains("/configmaps/tidegate-run-")
}

fn memory() -> Result {
    let wait = std::env::var("TIDEGATE_WAIT")
        .ok()
        .and_then(|text| text.parse().ok())
        .map_or(Duration::from_secs(120), Duration::from_secs);
    println!("resident memory in KiB while a run waits for {} s:", wait.as_secs());
    println!("  {:<40} {:>10} {:>10} {:>10} {:>7}", "", "10 looks", "the end", "anonymous", "looks");
    let asking = Place::start(1.0, ASKING, false)?;
    let gated = Place::start(1.0, SHIPYARD, true)?;
    std::fs::write(gated.home().join("never.json"), perfspec("no_such_metric"))?;
    let seconds = 2 * wait.as_secs() + 60;
    let waits = [
        ("for approval", &asking, format!("{} --allow-no-gate --timeout {seconds}s", send("0.6.2"))),
        (
            "for a metric that never comes",
            &gated,
            format!("{} {WINDOWS} --stage staging --gate never.json --evaluation-timeout {seconds}s", send("0.6.2")),
        ),
    ];
    // Side by side: an hour is an hour.
    let outcomes: Vec<Result<String>> = thread::scope(|scope| {
        let waits: Vec<_> = waits
            .iter()
            .map(|(what, place, line)| scope.spawn(move || resident(what, place, line, wait).map_err(|error| error.to_string())))
            .collect();
        waits.into_iter().map(|one| Ok(one.join().map_err(|_| "a thread panicked")??)).collect()
    });
    for line in outcomes {
        println!("{}", line?);
    }
    Ok(())
}

/// The memory of a run after ten looks, and when it has waited long enough.
fn resident(what: &str, place: &Place, line: &str, wait: Duration) -> Result<String> {
    let looks = || Ok::<_, std::io::Error>(place.log()?.lines().filter(|line| listens(line)).count());
    let mut child = place.start_run(line)?;
    while looks()? < 10 {
        if let Some(status) = child.try_wait()? {
            return Err(format!("{line}: {status}").into());
        }
        thread::sleep(Duration::from_millis(100));
    }
    let first = status(&child, "VmRSS:")?;
    thread::sleep(wait);
    let (last, own, looks) = (status(&child, "VmRSS:")?, status(&child, "RssAnon:")?, looks()?);
    child.kill()?;
    child.wait()?;
    Ok(format!("  {what:<40} {first:>10} {last:>10} {own:>10} {looks:>7}"))
}

/// A figure of the kernel about a process, in KiB.
fn status(child: &Child, key: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)).ok_or("the process has ended")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn reroute() -> Result {
    let place = Place::start(1.0, SHIPYARD, true)?;
    let mut took = Vec::new();
    let mut between = Vec::new();
    for _ in 0..5 {
        let before = place.log()?.len();
        let said = place.run(&format!("{} {WINDOWS} --stage staging --until staging --keptn-order", send("0.6.1")), &[10])?;
        let (told, _) = said.split_once(" ms after the verdict").ok_or("nothing was put back")?;
        took.push(told.rsplit(' ').next().unwrap_or_default().parse::<u64>()?);
        let log = place.log()?[before..].to_owned();
        let lines: Vec<&str> = log.lines().collect();
        let back = lines.iter().rposition(|line| line.starts_with("PATCH") && line.contains("/virtualservices/"));
        let back = back.ok_or("no PATCH")?;
        let asked = lines[..back].iter().rposition(|line| line.contains("/proxy/api/v1/query")).ok_or("no question")?;
        between = lines[asked + 1..=back].iter().map(|line| (*line).to_owned()).collect();
    }
    took.sort_unstable();
    println!("from the verdict to the weights as they were, in ms: {took:?}; between the last question and there was sent:");
    between.iter().for_each(|line| println!("  {line}"));
    Ok(())
}

/// `send new-artifact` of a version of carts.
fn send(tag: &str) -> String {
    format!("send new-artifact -p sockshop --service carts --image docker.io/keptnexamples/carts:{tag}")
}

fn perfspec(query: &str) -> String {
    let thresholds = r#"{"type": "Threshold", "thresholds": {"upperSevere": 800}, "metricScore": 100}"#;
    format!(
        r#"{{"spec_version": "1.0", "objectives": {{"pass": 90, "warning": 75}},
            "indicators": [{{"id": "response_time", "source": "Prometheus", "query": "{query}", "grading": {thresholds}}}]}}"#
    )
}

/// What one run cost, in ms.
struct Spent {
    wall: f64,
    cpu: f64,
    queued: f64,
}

/// A sandbox with a project, and a directory to run in.
struct Place {
    kubeconfig: PathBuf,
    log: PathBuf,
    home: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    /// With a project of this shipyard, and with tests and a gate where they are `furnished`.
    fn start(speed: f64, shipyard: &str, furnished: bool) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let options = Options {
            dir: home.path().join("sandbox"),
            port: 0,
            metrics_port: 0,
            ingress_port: 0,
            speed,
            faults: Vec::new(),
            seeded: true,
            request_log: true,
        };
        let (started, wait) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let Ok(sandbox) = sandbox::Sandbox::start(options).await else { return };
                let places = (sandbox.kubeconfig().to_owned(), sandbox.request_log().to_owned());
                if started.send(places).is_ok() {
                    // An error means that the measurement is over, too.
                    let _ = stopped.await;
                }
                sandbox.stop().await;
            });
        });
        let (kubeconfig, log) = wait.recv().map_err(|_| "the sandbox does not start")?;
        let place = Self { kubeconfig, log, home, stop: Some(stop), thread: Some(thread) };
        std::fs::write(place.home().join("shipyard.yaml"), shipyard)?;
        place.run("create project sockshop --shipyard shipyard.yaml", &[0])?;
        if furnished {
            for (file, text) in [("perfspec.json", perfspec(RESPONSE_TIME)), ("tests.yaml", TESTS.to_owned())] {
                std::fs::write(place.home().join(file), text)?;
                place.run(&format!("add-resource -p sockshop --service carts --resource {file}"), &[0])?;
            }
        }
        Ok(place)
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    /// The requests so far.
    fn log(&self) -> std::io::Result<String> {
        std::fs::read_to_string(&self.log)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(line.split_whitespace()).current_dir(self.home()).stdin(Stdio::null());
        command.env("HOME", self.home()).env("KUBECONFIG", &self.kubeconfig).env_remove("LD_LIBRARY_PATH");
        command
    }

    /// Runs to the end, which must be one of `ends`; what was said.
    fn run(&self, line: &str, ends: &[i32]) -> Result<String> {
        let output = self.command(line).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code().filter(|code| ends.contains(code)) {
            Some(_) => Ok(said),
            None => Err(format!("{line}: {}\n{said}", output.status).into()),
        }
    }

    fn start_run(&self, line: &str) -> Result<Child> {
        Ok(self.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    /// Runs to a good end, and tells what it cost.
    fn spent(&self, line: &str) -> Result<Spent> {
        let cpu = || -> Result<f64> {
            let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
            #[allow(clippy::cast_precision_loss)] // small counts
            let micro = (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64;
            Ok(micro / 1e3)
        };
        let before = cpu()?;
        let begun = Instant::now();
        let mut child = self.start_run(line)?;
        let mut queued = 0.0;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            queued = waited(child.id()).unwrap_or(queued);
            thread::sleep(Duration::from_millis(10));
        };
        let wall = begun.elapsed().as_secs_f64() * 1e3;
        match status.success() {
            true => Ok(Spent { wall, cpu: cpu()? - before, queued }),
            false => Err(format!("{line}: {status}").into()),
        }
    }
}

/// How long a process has waited for a processor so far, in ms: the second number of its threads' `schedstat`.
fn waited(process: u32) -> Option<f64> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let of = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    Some(tasks.flatten().filter_map(of).sum::<f64>() / 1e6)
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
