//! A program that tests: started without a shell, watched, and ended with all that it started.

use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// So many of the last lines are kept.
const KEPT_LINES: usize = 40;

/// A longer line is told in pieces: what prints no line ends must not fill the memory.
const LONGEST_LINE: usize = 2000;

/// How long output may follow the end of the program: something that it left behind may hold the pipe open.
const DRAIN: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why it is no pass: its exit code or signal, or that its time was over; none where it ended with 0.
    pub failure: Option<String>,
    /// The last lines that it printed, on either stream.
    pub output: Vec<String>,
}

/// Whether a program of this name can be found, as it is when it is started.
pub fn is_there(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match name.contains('/') {
        true => std::path::Path::new(name).exists(),
        false => std::env::split_paths(&path).any(|place| place.join(name).is_file()),
    }
}

/// Runs a program with these variables beside the process's own. `line` is told each line that it prints, as it comes.
/// When `deadline` comes, or the future is dropped, its process group is killed.
///
/// # Errors
/// `Usage` where it cannot be started.
pub async fn run(words: &[String], environment: &[(String, String)], deadline: Instant, line: &dyn Fn(&str)) -> Result<Ended> {
    let Some((name, arguments)) = words.split_first() else { return Err(Error::usage("a `command` is a list of words")) };
    let mut command = Command::new(name);
    command.args(arguments).envs(environment.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A group of its own: a test's shell and its helpers are ended with it, and the terminal's Ctrl-C is ours to hand on.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| {
        let why = error.to_string();
        Error::usage(format!("cannot run `{name}`")).caused_by(why.split(" (os error").next().unwrap_or(&why).to_lowercase())
    })?;
    let mut group = Group::of(&child);
    let mut output = Output { line, kept: VecDeque::new() };
    let (mut stdout, mut stderr) = (Pipe::new(child.stdout.take()), Pipe::new(child.stderr.take()));
    let mut status = None;
    let mut end: tokio::time::Instant = deadline.into();
    let mut late = false;
    while status.is_none() || stdout.open() || stderr.open() {
        tokio::select! {
            read = stdout.read(), if stdout.open() => output.take(&mut stdout, read),
            read = stderr.read(), if stderr.open() => output.take(&mut stderr, read),
            ended = child.wait(), if status.is_none() => {
                status = Some(ended.map_err(|error| Error::failed(format!("`{name}` was lost")).caused_by(error.to_string()))?);
                // What it left behind does not outlive the test.
                group.kill();
                end = end.min(tokio::time::Instant::now() + DRAIN);
            }
            () = tokio::time::sleep_until(end) => {
                late = status.is_none();
                break;
            }
        }
    }
    output.rest(&mut stdout);
    output.rest(&mut stderr);
    let failure = match status {
        _ if late => Some("did not end in time".to_owned()),
        Some(status) if status.success() => None,
        Some(status) => Some(told(status)),
        None => Some("did not end".to_owned()),
    };
    Ok(Ended { failure, output: output.kept.into() })
}

fn told(status: std::process::ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("ended by signal {signal}");
    }
    status.code().map_or_else(|| "failed".to_owned(), |code| format!("ended with exit code {code}"))
}

/// The processes of a program: killed when it is no longer waited for.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    fn of(child: &Child) -> Self {
        #[cfg(unix)]
        let leader = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        #[cfg(not(unix))]
        let _ = child;
        Self {
            #[cfg(unix)]
            leader,
        }
    }

    /// Ends all that is left of it; that nothing is left is no failure.
    fn kill(&mut self) {
        #[cfg(unix)]
        // Once: later the number may be somebody else's.
        if let Some(leader) = self.leader.take() {
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One stream of a program, and the begin of the line that it is printing.
struct Pipe<T> {
    stream: Option<T>,
    buffer: Box<[u8]>,
    begun: Vec<u8>,
}

impl<T: AsyncRead + Unpin> Pipe<T> {
    fn new(stream: Option<T>) -> Self {
        Self { stream, buffer: vec![0; 8192].into(), begun: Vec::new() }
    }

    fn open(&self) -> bool {
        self.stream.is_some()
    }

    async fn read(&mut self) -> usize {
        match &mut self.stream {
            Some(stream) => stream.read(&mut self.buffer).await.unwrap_or(0),
            None => 0,
        }
    }
}

struct Output<'a> {
    line: &'a dyn Fn(&str),
    kept: VecDeque<String>,
}

impl Output<'_> {
    fn take<T>(&mut self, pipe: &mut Pipe<T>, read: usize) {
        if read == 0 {
            pipe.stream = None;
            return;
        }
        for byte in &pipe.buffer[..read] {
            match byte {
                b'\n' => self.tell(&mut pipe.begun),
                byte => {
                    pipe.begun.push(*byte);
                    if pipe.begun.len() >= LONGEST_LINE {
                        self.tell(&mut pipe.begun);
                    }
                }
            }
        }
    }

    /// A last line without an end.
    fn rest<T>(&mut self, pipe: &mut Pipe<T>) {
        if !pipe.begun.is_empty() {
            self.tell(&mut pipe.begun);
        }
    }

    fn tell(&mut self, begun: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(begun);
        // Progress that overwrites its line: what it came to.
        let text = text.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        (self.line)(text);
        if self.kept.len() == KEPT_LINES {
            self.kept.pop_front();
        }
        self.kept.push_back(text.to_owned());
        begun.clear();
    }
}
