//! Speed and size, side by side with kubectl and with a bare client, on the lab's API server.
//!
//!     cargo bench --bench speed                  all of it, about five minutes
//!     cargo bench --bench speed -- shift start   only these sections
//!     cargo bench --bench speed --target x86_64-unknown-linux-musl
//!                                                the program without a C library below it
//!
//! Every figure is of whole processes, from before their start to after their end, taken in turn: what disturbs one
//! disturbs the others. Other programs on the machine still spoil the figures of wall time; those of CPU time less.

#![allow(clippy::print_stdout, clippy::print_stderr)] // the figures are printed

mod delay;
mod floor;
mod lab;
mod measure;
mod report;

use lab::{CONNECTIONS, Lab, SERVICES};
use measure::Runs;
use report::Must::{Any, AtLeast, AtMost};
use report::Report;
use serde_json::Value;
use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Duration;

type Result<T = ()> = std::result::Result<T, String>;

const SECTIONS: [&str; 5] = ["start", "shift", "distant", "batch", "status"];

/// Runs that are not counted: caches fill, and the server meets the objects for the first time.
const WARM_UP: usize = 2;

const VIRTUAL_SERVICES: &str = "/apis/networking.istio.io/v1/namespaces";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let result = match words.first().map(String::as_str) {
        Some(floor::WORD) => floor::run(&words[1..]).map_err(|error| error.to_string()),
        Some(measure::WORD) => measure::child(&arguments[1..]).map(|text| println!("{text}")),
        _ => compare(&words),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn compare(words: &[String]) -> Result {
    // Cargo passes `--bench`.
    let asked: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    if let Some(unknown) = asked.iter().find(|word| !SECTIONS.contains(word)) {
        return Err(format!("no section `{unknown}`; there are {}", SECTIONS.join(", ")));
    }
    let wanted = |section: &str| asked.is_empty() || asked.contains(&section);
    let Some(lab) = Lab::start()? else {
        println!("nothing measured: `tests/lab/build` builds the API server that is needed");
        return Ok(());
    };
    lab.fill(wanted("batch") || wanted("status"))?;
    let mut report = Report::default();
    if wanted("start") {
        start(&lab, &mut report)?;
    }
    if wanted("shift") {
        shift(&lab, &mut report)?;
    }
    if wanted("distant") {
        distant(&lab, &mut report)?;
    }
    if wanted("batch") {
        batch(&lab, &mut report)?;
        plugin(&lab, &mut report)?;
    }
    if wanted("status") {
        status(&lab, &mut report)?;
    }
    report.print();
    Ok(())
}

/// Measures the commands in turn.
fn in_turn<const N: usize>(rounds: usize, mut commands: impl FnMut() -> Result<[Command; N]>) -> Result<[Runs; N]> {
    let mut all = std::array::from_fn(|_| Runs::default());
    for round in 0..rounds + WARM_UP {
        for (runs, command) in all.iter_mut().zip(commands()?) {
            let cost = measure::run(&command)?;
            if round >= WARM_UP {
                runs.push(cost);
            }
        }
    }
    Ok(all)
}

/// What answers without a server.
fn start(lab: &Lab, report: &mut Report) -> Result {
    let completion = || {
        let mut command = lab.tidegate(&["--", "tidegate", "shi"]);
        command.env("TIDEGATE_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "1").env("_CLAP_COMPLETE_COMP_TYPE", "9");
        command
    };
    let ours = || [lab.tidegate(&["--help"]), lab.tidegate(&["version", "--client"]), completion()];
    let [help, version, answer, kubectl] = in_turn(30, || {
        let [help, version, answer] = ours();
        Ok([help, version, answer, lab.kubectl(&["version", "--client"])])
    })?;
    report.section("Start");
    report.runs("kubectl version --client", &kubectl);
    for (name, what, runs) in [
        ("tidegate --help", "--help: less wall than kubectl version --client", &help),
        ("tidegate version --client", "version --client: less wall than kubectl's", &version),
        ("tidegate, a completion answer", "a completion answer: less wall than kubectl version --client", &answer),
    ] {
        report.runs(name, runs);
        report.ratio(what, kubectl.median().wall / runs.median().wall, AtLeast(25.0));
    }
    for command in ours() {
        match touched(lab, &command)? {
            Some(touched) => {
                report.figure(&format!("files and sockets touched by {}", told(&command)), touched as f64, "", AtMost(0.0))
            }
            None => println!("  strace is missing: not looked at which files are touched"),
        }
    }
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_tidegate")).map_err(|error| error.to_string())?.len();
    report.figure("the program's size", size as f64 / 1e6, " MB", AtMost(7.5));
    Ok(())
}

fn told(command: &Command) -> String {
    command.get_args().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// How many files and sockets a program opens, beside those with which the system loads and starts it; `None` without
/// strace.
fn touched(lab: &Lab, command: &Command) -> Result<Option<usize>> {
    if Command::new("strace").arg("-V").output().is_err() {
        return Ok(None);
    }
    let trace = lab.file("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-e", "trace=open,openat,creat,%network", "-o"])
        .arg(&trace)
        .arg(command.get_program())
        .args(command.get_args());
    strace.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    lab::alone(&mut strace);
    lab::read(&mut strace)?;
    let text = std::fs::read_to_string(trace).map_err(|error| error.to_string())?;
    // The loader, and the C library that asks where the stack is.
    let system = ["\"/etc/ld.so", "/lib/", "\"/proc/self/maps\"", "+++ exited"];
    let lines = text.lines().filter(|line| !system.iter().any(|known| line.contains(known)));
    Ok(Some(lines.inspect(|line| println!("  touched: {line}")).count()))
}

/// Weights that differ from one call to the next.
struct Weights(u32);

impl Weights {
    fn next(&mut self) -> String {
        self.0 = self.0 % 98 + 1;
        format!("{}/{}", self.0, 100 - self.0)
    }
}

/// The patch that tidegate would send now for one service: the others send the same.
fn document(lab: &Lab, weights: &str) -> Result<String> {
    let dry = ["shift", "carts", "-n=bench", "--no-preflight", "--dry-run=client", "-o=json", "--weights", weights];
    let document: Value = serde_json::from_str(&lab::read(&mut lab.tidegate(&dry))?).map_err(|error| error.to_string())?;
    Ok(document.to_string())
}

/// One shift by the bare client, by tidegate without and with its pre-flight, by kubectl, and by kubectl that does not
/// know the server yet, as in a container.
struct Shift {
    floor: Runs,
    plain: Runs,
    checked: Runs,
    kubectl: Runs,
    new_kubectl: Runs,
}

impl Shift {
    /// Against the server that `target` names for the bare client and `kubeconfig` for the others.
    fn measure(lab: &Lab, rounds: usize, target: &str, kubeconfig: &str) -> Result<Self> {
        let mut weights = Weights(0);
        let config = format!("--kubeconfig={kubeconfig}");
        let mut all: [Runs; 5] = Default::default();
        for round in 0..rounds + WARM_UP {
            for (place, runs) in all.iter_mut().enumerate() {
                let weights = weights.next();
                let shift = ["shift", "carts", "-n=bench", "--weights", &weights, &config];
                let command = match place {
                    0 => {
                        let path = format!("{VIRTUAL_SERVICES}/bench/virtualservices/carts");
                        let patch = document(lab, &weights)?;
                        lab.write("pair", &format!("GET\t{path}\nPATCH\t{path}?fieldManager=tidegate\t{patch}\n"))?;
                        lab.floor(target, "pair", 1)
                    }
                    1 => lab.tidegate(&[&shift[..], &["--no-preflight"]].concat()),
                    2 => lab.tidegate(&shift),
                    _ => {
                        let patch = document(lab, &weights)?;
                        let cache = if place == 3 { "warm".into() } else { format!("cold-{round}") };
                        let cache = format!("--cache-dir={}", lab.file(&cache).display());
                        let patch =
                            ["patch", "virtualservice", "carts", "-n=bench", "--type=json", &config, &cache, "-p", &patch];
                        lab.kubectl(&patch)
                    }
                };
                let cost = measure::run(&command)?;
                if round >= WARM_UP {
                    runs.push(cost);
                }
            }
        }
        let [floor, plain, checked, kubectl, new_kubectl] = all;
        Ok(Self { floor, plain, checked, kubectl, new_kubectl })
    }

    fn show(&self, report: &Report) {
        report.runs("kubectl patch, its cache empty", &self.new_kubectl);
        report.runs("kubectl patch --type=json", &self.kubectl);
        report.runs("the floor: a bare client", &self.floor);
        report.runs("tidegate shift --no-preflight", &self.plain);
        report.runs("tidegate shift", &self.checked);
    }
}

fn shift(lab: &Lab, report: &mut Report) -> Result {
    let kubeconfig = lab.write("kubeconfig", &lab.kubeconfig()?)?;
    let measured = Shift::measure(lab, 40, "target", &kubeconfig.to_string_lossy())?;
    report.section("One shift");
    measured.show(report);
    let [floor, plain, checked, kubectl] =
        [&measured.floor, &measured.plain, &measured.checked, &measured.kubectl].map(Runs::median);
    report.ratio("shift --no-preflight: wall of the floor's", plain.wall / floor.wall, AtMost(1.2));
    report.ratio("shift: wall of the floor's", checked.wall / floor.wall, AtMost(1.4));
    report.ratio("shift --no-preflight: less wall than kubectl patch", kubectl.wall / plain.wall, AtLeast(6.0));
    report.ratio("shift: less wall than kubectl patch", kubectl.wall / checked.wall, AtLeast(5.0));
    report.ratio("shift --no-preflight: less CPU than kubectl patch", kubectl.cpu / plain.cpu, AtLeast(18.0));
    report.ratio("shift: less CPU than kubectl patch", kubectl.cpu / checked.cpu, Any);
    report.ratio("shift: less memory than kubectl patch", kubectl.memory / checked.memory, AtLeast(7.0));
    Ok(())
}

fn distant(lab: &Lab, report: &mut Report) -> Result {
    let round_trip = Duration::from_millis(50);
    let address = delay::start(lab.address().to_owned(), round_trip).map_err(|error| error.to_string())?;
    lab.write("distant", &lab.target(&address)?)?;
    let kubeconfig = lab.write("distant.kubeconfig", &lab.kubeconfig()?.replace(lab.address(), &address))?;
    let measured = Shift::measure(lab, 12, "distant", &kubeconfig.to_string_lossy())?;
    report.section("One shift at a round trip of 50 ms");
    measured.show(report);
    let trips = |runs: &Runs| (runs.median().wall / round_trip.as_secs_f64() / 1e3).floor();
    let less = |than: &Runs, runs: &Runs| than.median().wall / runs.median().wall;
    let Shift { floor, plain, checked, kubectl, new_kubectl } = &measured;
    report.ratio("50 ms away, shift --no-preflight: less wall than kubectl patch", less(kubectl, plain), AtLeast(1.5));
    report.ratio("50 ms away, shift: less wall than kubectl patch", less(kubectl, checked), Any);
    report.ratio(
        "50 ms away, shift --no-preflight: less wall than kubectl patch, its cache empty",
        less(new_kubectl, plain),
        AtLeast(1.5),
    );
    report.ratio("50 ms away, shift: less wall than kubectl patch, its cache empty", less(new_kubectl, checked), Any);
    report.figure("50 ms away, the floor: round trips", trips(floor), "", Any);
    report.figure("50 ms away, shift --no-preflight: round trips", trips(plain), "", AtMost(4.0));
    report.figure("50 ms away, shift: round trips", trips(checked), "", AtMost(5.0));
    Ok(())
}

/// A thousand services at once.
fn batch(lab: &Lab, report: &mut Report) -> Result {
    let mut weights = Weights(0);
    let [mut bare, mut bare_checked, mut ours, mut ours_checked]: [Runs; 4] = Default::default();
    for _ in 0..5 {
        let line = |path: &str, patch: &Value, dry: &str| format!("PATCH\t{path}?fieldManager=tidegate{dry}\t{patch}\n");
        for checked in [false, true] {
            let wanted = weights.next();
            let dry = ["shift", "--all", "-n=many-0", "--no-preflight", "--dry-run=client", "-o=json", "--weights", &wanted];
            let documents: Vec<Value> =
                serde_json::from_str(&lab::read(&mut lab.tidegate(&dry))?).map_err(|error| error.to_string())?;
            let lines = |dry: &str| -> String {
                let text = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                let each = documents.iter().map(|one| {
                    let name = text(one, "object");
                    let name = name.rsplit('/').next().unwrap_or_default();
                    let path = format!("{VIRTUAL_SERVICES}/{}/virtualservices/{name}", text(one, "namespace"));
                    line(&path, &one["patch"], dry)
                });
                each.collect()
            };
            let before = if checked { lines("&dryRun=All") } else { String::new() };
            lab.write("batch", &(before + &lines("")))?;
            let cost = measure::run(&lab.floor("target", "batch", CONNECTIONS))?;
            if checked { bare_checked.push(cost) } else { bare.push(cost) }
        }
        for checked in [false, true] {
            let wanted = weights.next();
            let mut arguments = vec!["shift", "--all", "-n=many-0", "--yes", "--weights", &wanted];
            arguments.extend((!checked).then_some("--no-preflight"));
            let cost = measure::run(&lab.tidegate(&arguments))?;
            if checked { ours_checked.push(cost) } else { ours.push(cost) }
        }
    }
    let mut kubectl = Runs::default();
    for number in 0..20 {
        let weights = weights.next();
        let (old, new) = weights.split_once('/').unwrap_or_default();
        let patch = format!(
            r#"[{{"op":"replace","path":"/spec/http/0/route/0/weight","value":{old}}},{{"op":"replace","path":"/spec/http/0/route/1/weight","value":{new}}}]"#
        );
        let name = format!("service-{number:04}");
        kubectl.push(measure::run(&lab.kubectl(&["patch", "virtualservice", &name, "-n=many-0", "--type=json", "-p", &patch]))?);
    }
    report.section(&format!("{SERVICES} services in one call"));
    report.runs("kubectl patch, one of a loop", &kubectl);
    report.runs("a bare client, the patches", &bare);
    report.runs("a bare client, a dry run of each, then the patches", &bare_checked);
    report.runs("tidegate shift --all --no-preflight", &ours);
    report.runs("tidegate shift --all", &ours_checked);
    let [bare, bare_checked, ours, ours_checked] = [&bare, &bare_checked, &ours, &ours_checked].map(|runs| runs.median().wall);
    let kubectl = kubectl.median().wall * SERVICES as f64;
    report.ratio("1,000 services, --no-preflight: less wall than a kubectl loop", kubectl / ours, AtLeast(25.0));
    report.ratio("1,000 services: less wall than a kubectl loop", kubectl / ours_checked, Any);
    report.ratio("1,000 services, --no-preflight: wall of a bare client's", ours / bare, AtMost(1.3));
    report.ratio("1,000 services: wall of a bare client's, with the dry runs", ours_checked / bare_checked, AtMost(1.3));
    Ok(())
}

/// How often a credential plugin runs for a call.
fn plugin(lab: &Lab, report: &mut Report) -> Result {
    let config = lab.kubeconfig()?;
    let (head, token) = config.split_once("user: {token: ").ok_or("no token")?;
    let token = token.trim_end().trim_end_matches('}');
    let count = lab.file("plugin-runs");
    let answer =
        format!(r#"{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"{token}"}}}}"#);
    let script = lab.write("plugin", &format!("echo run >>{}\necho '{answer}'\n", count.display()))?;
    let exec = format!(
        "user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, args: [{}], interactiveMode: Never}}}}\n",
        script.display()
    );
    let kubeconfig = lab.write("plugin.kubeconfig", &format!("{head}{exec}"))?;
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    lab::read(&mut lab.tidegate(&["shift", "--all", "-n=many-0", "--yes", "--weights=50/50", &kubeconfig]))?;
    let runs = std::fs::read_to_string(count).map_err(|error| error.to_string())?.lines().count();
    report.figure("1,000 services: runs of the credential plugin", runs as f64, "", AtMost(1.0));
    Ok(())
}

fn status(lab: &Lab, report: &mut Report) -> Result {
    let [ours, kubectl] =
        in_turn(5, || Ok([lab.tidegate(&["status", "-A"]), lab.kubectl(&["get", "virtualservices", "-A", "-o=json"])]))?;
    report.section("10,000 virtual services");
    report.runs("kubectl get virtualservices -A -o json", &kubectl);
    report.runs("tidegate status -A", &ours);
    report.ratio("status -A: memory of kubectl's", ours.median().memory / kubectl.median().memory, AtMost(0.25));
    report.ratio("status -A: wall of kubectl's", ours.median().wall / kubectl.median().wall, AtMost(0.5));
    Ok(())
}
