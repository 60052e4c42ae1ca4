//! What one run of a program costs.
//!
//! The program is started by a fresh copy of this one, which has nothing else to wait for: its `RUSAGE_CHILDREN` is then
//! the program's alone, and so small a parent does not show in the program's peak memory.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What one run cost.
#[derive(Clone, Copy)]
pub struct Cost {
    /// From before the start to after the end, in milliseconds.
    pub wall: f64,
    /// User and system time, in milliseconds.
    pub cpu: f64,
    /// Peak memory, in MiB.
    pub memory: f64,
}

/// The word that makes the benchmark such a copy.
pub const WORD: &str = "measure";

/// Runs `command` with its output thrown away, and tells what it cost.
///
/// # Errors
/// What the program said, where it failed.
pub fn run(command: &Command) -> Result<Cost, String> {
    let mut copy = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    copy.arg(WORD).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => copy.env(name, value),
            None => copy.env_remove(name),
        };
    }
    let output = copy.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{command:?} failed: {said}"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [wall, cpu, memory] => Ok(Cost { wall, cpu, memory }),
        _ => Err(format!("{command:?} was not measured: {text}")),
    }
}

/// The copy's side: runs the program and prints the three numbers.
pub fn child(arguments: &[OsString]) -> Result<String, String> {
    let (program, arguments) = arguments.split_first().ok_or("no program")?;
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().map_err(|error| format!("{}: {error}", program.display()))?;
    let wall = started.elapsed().as_secs_f64() * 1e3;
    if !status.success() {
        return Err(status.to_string());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let cpu = (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e3;
    Ok(format!("{wall} {cpu} {}", usage.max_rss() as f64 / 1024.0))
}

/// Several runs of one program.
#[derive(Default)]
pub struct Runs(Vec<Cost>);

impl Runs {
    /// Adds a run.
    pub fn push(&mut self, cost: Cost) {
        self.0.push(cost);
    }

    /// The medians.
    pub fn median(&self) -> Cost {
        self.pick(|count| count / 2)
    }

    /// The smallest of each.
    pub fn least(&self) -> Cost {
        self.pick(|_| 0)
    }

    fn pick(&self, place: impl Fn(usize) -> usize) -> Cost {
        let of = |part: fn(&Cost) -> f64| {
            let mut values: Vec<f64> = self.0.iter().map(part).collect();
            values.sort_by(f64::total_cmp);
            values.get(place(values.len())).copied().unwrap_or(f64::NAN)
        };
        Cost { wall: of(|cost| cost.wall), cpu: of(|cost| cost.cpu), memory: of(|cost| cost.memory) }
    }
}
