//! Programs that measure, and others whose output is wanted as a whole.

use crate::error::{Error, Kind, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

/// So much of a program's output is read: a number needs less.
const MOST_BYTES: u64 = 1024 * 1024;

/// What a program left when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    /// What it printed.
    pub output: String,
    /// What it complained about.
    pub complaint: String,
}

/// Runs a program with further variables in its environment. After `limit`, and when this future is dropped, it is killed
/// with all that it started.
///
/// # Errors
/// `Usage` where it cannot be started, `Timeout` where it does not end in time.
pub async fn run(arguments: &[String], environment: &[(String, String)], limit: Duration) -> Result<Ended> {
    let Some((program, arguments)) = arguments.split_first() else { return Err(Error::usage("a command without a program")) };
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let cannot = |error: std::io::Error| {
        let why = error.to_string();
        Error::usage(format!("cannot run `{program}`")).caused_by(why.split(" (os error").next().unwrap_or(&why).to_lowercase())
    };
    let mut child = command.spawn().map_err(cannot)?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ending = async {
        let status = child.wait().await;
        // What it left behind would hold its output open.
        drop(group);
        status
    };
    let all = async { tokio::join!(ending, text(stdout), text(stderr)) };
    let (status, output, complaint) = tokio::time::timeout(limit, all)
        .await
        .map_err(|_| Error::new(Kind::Timeout, format!("`{program}` did not end within {} s", limit.as_secs_f64().ceil())))?;
    Ok(Ended { code: status.map_err(cannot)?.code(), output, complaint })
}

/// A process group, which ends with this.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        // A group that has ended by itself is what is wanted.
        let _ = self.0.map(|group| kill_process_group(group, Signal::KILL));
    }
}

/// The text of a stream, to its end or to the limit.
async fn text(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What was read before a failure is there to be judged.
        let _ = stream.take(MOST_BYTES).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
