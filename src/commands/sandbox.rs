//! `sandbox`: the only place outside of it that names the sandbox.

use super::Context;
use crate::cli::{Sandbox as Verb, SandboxPlace};
use crate::error::{Error, Kind, Result};
use crate::sandbox::{Fault, Options, Sandbox};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// A detached sandbox writes its process id here when it is ready.
const PID_FILE: &str = "sandbox.pid";

/// How long a detached sandbox may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn run(context: &Context, verb: Verb) -> Result<()> {
    match verb {
        Verb::Up { place, detach: false } => up(context, place).await,
        Verb::Up { place, detach: true } => detach(context, &place).await,
        Verb::Down { dir } => down(context, &dir.map_or_else(default_directory, Ok)?).await,
        Verb::Run { place, command } => run_inside(context, place, &command).await,
    }
}

/// Starts a sandbox as the flags say.
pub(super) async fn start(place: &SandboxPlace, directory: &Path) -> Result<Sandbox> {
    if !(place.speed.is_finite() && place.speed > 0.0 && place.speed <= 1000.0) {
        return Err(Error::usage(format!("--speed {} is not a factor between 0 and 1000", place.speed)));
    }
    let faults = place
        .fault
        .iter()
        .map(|text| text.parse::<Fault>().map_err(|why| Error::usage(why.to_string())))
        .collect::<Result<_>>()?;
    let options = Options {
        dir: directory.to_owned(),
        port: place.port,
        metrics_port: place.metrics_port,
        ingress_port: place.ingress_port,
        speed: place.speed,
        faults,
        seeded: !place.empty,
        request_log: true,
    };
    Ok(Sandbox::start(options).await?)
}

async fn up(context: &Context, place: SandboxPlace) -> Result<()> {
    let directory = place.dir.clone().map_or_else(default_directory, Ok)?;
    if let Some(pid) = running(&directory) {
        return Err(Error::usage(format!("a sandbox runs in {} already (process {pid})", directory.display()))
            .hint("`tidegate sandbox down` stops it"));
    }
    let sandbox = start(&place, &directory).await?;
    let pid_file = directory.join(PID_FILE);
    let wrote = std::fs::write(&pid_file, std::process::id().to_string());
    wrote.map_err(|error| Error::failed(format!("cannot write {}", pid_file.display())).caused_by(error.to_string()))?;
    let _remove = Remove(pid_file);
    describe(context, &sandbox);
    context.ui.say("Ctrl-C stops it.\n");
    super::interrupt().await;
    sandbox.stop().await;
    context.ui.say("stopped\n");
    Ok(())
}

fn describe(context: &Context, sandbox: &Sandbox) {
    context.ui.answer(&format!("export KUBECONFIG={}\n", quoted(sandbox.kubeconfig())));
    context.ui.say(&format!(
        "API server {}, Prometheus {}, ingress {}\n",
        sandbox.server(),
        sandbox.metrics(),
        sandbox.ingress()
    ));
    context.ui.say("Try: tidegate status -A\n");
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if text.bytes().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Removes a file when it goes.
struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Starts this program again, as a process of its own that outlives this one.
async fn detach(context: &Context, place: &SandboxPlace) -> Result<()> {
    let directory = place.dir.clone().map_or_else(default_directory, Ok)?;
    if let Some(pid) = running(&directory) {
        context.ui.say(&format!("a sandbox runs already (process {pid})\n"));
        context.ui.answer(&format!("export KUBECONFIG={}\n", quoted(&directory.join("kubeconfig"))));
        return Ok(());
    }
    let cannot = |error: std::io::Error| Error::failed("the sandbox cannot be started").caused_by(error.to_string());
    std::fs::create_dir_all(&directory).map_err(cannot)?;
    let log = directory.join("sandbox.log");
    let program = std::env::current_exe().map_err(cannot)?;
    let mut command = std::process::Command::new(program);
    command.args(["sandbox", "up", "--dir"]).arg(&directory);
    command.args([
        "--port",
        &place.port.to_string(),
        "--metrics-port",
        &place.metrics_port.to_string(),
        "--ingress-port",
        &place.ingress_port.to_string(),
        "--speed",
        &place.speed.to_string(),
    ]);
    for fault in &place.fault {
        command.args(["--fault", fault]);
    }
    if place.empty {
        command.arg("--empty");
    }
    let output = std::fs::File::create(&log).map_err(cannot)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
    #[cfg(unix)]
    {
        // Ctrl-C at the terminal is not meant for it.
        use std::os::unix::process::CommandExt as _;
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(cannot)?;
    let deadline = Instant::now() + PATIENCE;
    while running(&directory) != Some(child.id()) {
        if child.try_wait().map_err(cannot)?.is_some() || Instant::now() > deadline {
            let _ = child.kill();
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let mut error = Error::failed("the sandbox did not start");
            error.causes.extend(said.lines().take(3).map(|line| line.trim_start_matches("error: ").to_owned()));
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    context.ui.answer(&format!("export KUBECONFIG={}\n", quoted(&directory.join("kubeconfig"))));
    context.ui.say(&format!("the sandbox runs (process {}); `tidegate sandbox down` stops it\n", child.id()));
    Ok(())
}

async fn down(context: &Context, directory: &Path) -> Result<()> {
    let Some(pid) = running(directory) else {
        context.ui.say(&format!("no sandbox runs in {}\n", directory.display()));
        return Ok(());
    };
    let asked = Command::new("kill").arg(pid.to_string()).status().await;
    if !asked.is_ok_and(|status| status.success()) {
        return Err(Error::failed(format!("process {pid} cannot be stopped")));
    }
    let deadline = Instant::now() + PATIENCE;
    while running(directory).is_some() {
        if Instant::now() > deadline {
            return Err(Error::new(Kind::Timeout, format!("process {pid} does not stop")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    context.ui.say("stopped\n");
    Ok(())
}

/// The process of the sandbox in `directory`, if it lives and is one of ours.
fn running(directory: &Path) -> Option<u32> {
    let pid: u32 = std::fs::read_to_string(directory.join(PID_FILE)).ok()?.trim().parse().ok()?;
    // A stale file may name a process that has nothing to do with this: its command line tells.
    let line = std::fs::read(format!("/proc/{pid}/cmdline"));
    match line {
        Ok(line) => String::from_utf8_lossy(&line).contains("sandbox").then_some(pid),
        Err(_) if Path::new("/proc/self").exists() => None,
        Err(_) => {
            let alive = std::process::Command::new("kill").args(["-0", &pid.to_string()]).stderr(Stdio::null()).status();
            alive.is_ok_and(|status| status.success()).then_some(pid)
        }
    }
}

async fn run_inside(context: &Context, place: SandboxPlace, command: &[std::ffi::OsString]) -> Result<()> {
    let own = tempfile()?;
    let directory = place.dir.clone().unwrap_or_else(|| own.0.clone());
    let sandbox = start(&place, &directory).await?;
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::usage("no command to run"));
    };
    let mut child = Command::new(program);
    child
        .args(arguments)
        .env("KUBECONFIG", sandbox.kubeconfig())
        .env("PROMETHEUS_URL", sandbox.metrics())
        .env("INGRESS_URL", sandbox.ingress());
    // Ctrl-C at the terminal is the command's to answer; the sandbox lives as long as it does.
    let deaf = tokio::spawn(async {
        loop {
            super::interrupt().await;
        }
    });
    let child = child.status().await;
    deaf.abort();
    sandbox.stop().await;
    let status = child
        .map_err(|error| Error::not_found(format!("cannot run `{}`", program.to_string_lossy())).caused_by(error.to_string()))?;
    match status.code() {
        Some(0) => Ok(()),
        code => {
            context.exit.set(code.and_then(|code| u8::try_from(code).ok()).or(Some(Kind::Failed.code())));
            Ok(())
        }
    }
}

/// A directory that goes when it is dropped.
pub(super) struct Temporary(pub PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left of it is in the system's directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn tempfile() -> Result<Temporary> {
    let nanos = jiff::Timestamp::now().as_nanosecond();
    let directory = std::env::temp_dir().join(format!("tidegate-sandbox-{}-{nanos}", std::process::id()));
    std::fs::create_dir(&directory)
        .map_err(|error| Error::failed(format!("cannot make {}", directory.display())).caused_by(error.to_string()))?;
    Ok(Temporary(directory))
}

/// The sandbox's place where none is named: one for each user.
fn default_directory() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".local/state")));
    let state = state.ok_or_else(|| Error::usage("there is no home directory; name a place with `--dir`"))?;
    Ok(state.join("tidegate/sandbox"))
}
