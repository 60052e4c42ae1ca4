//! Git, asked by its own program: what is committed, what was, and a commit of what changed.

use super::{Edit, plainly};
use crate::error::{Error, Kind, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// What would point Git to another repository than the one that a file is in: a hook has it in its environment.
const ELSEWHERE: [&str; 6] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"];

/// So many earlier versions are looked at.
pub const MOST_COMMITS: usize = 50;

/// How long to wait for what should come at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The trailer of a commit that says which command made it.
const TRAILER: &str = "Tidegate";

/// A work tree.
#[derive(Debug)]
pub struct Git {
    top: PathBuf,
    deadline: Instant,
}

/// A commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its full name.
    pub id: String,
    /// The full names of those before it, several where it is a merge.
    pub parents: Vec<String>,
    /// Its short name.
    pub short: String,
    /// The command of ours that made it, where it says so.
    pub verb: String,
    /// The first line of its message.
    pub subject: String,
    /// The full name of the commit that it reverts, or nothing.
    pub reverts: String,
}

/// Whether a file is in a work tree, as far as can be told without Git.
fn is_within(path: &Path) -> bool {
    path.ancestors().skip(1).any(|directory| directory.join(".git").exists())
}

impl Git {
    /// The work tree that a file is in; none where it is in none.
    ///
    /// # Errors
    /// `Failed` where Git cannot be run or refuses.
    pub async fn of(path: &Path, deadline: Instant) -> Result<Option<Self>> {
        let Some(directory) = path.parent().filter(|_| is_within(path)) else { return Ok(None) };
        let git = Self { top: directory.to_owned(), deadline };
        let mut top = git.ask(&["rev-parse", "--show-toplevel"], &[]).await?.stdout;
        // A file inside of `.git` itself, or of a bare repository.
        if top.pop().is_none() {
            return Ok(None);
        }
        Ok(Some(Self { top: OsString::from_vec(top).into(), ..git }))
    }

    /// Whether both are the same work tree.
    pub fn is(&self, other: &Git) -> bool {
        self.top == other.top
    }

    /// Refuses a file of which something would be lost that is not committed, unless `dirty` allows that; to `commit` it,
    /// Git must know it.
    ///
    /// # Errors
    /// `Usage` for a file that is not as it is committed.
    pub async fn clean(&self, edit: &Edit, dirty: bool, commit: bool) -> Result<()> {
        let Some(path) = &edit.path else { return Ok(()) };
        let Some((known, why)) = self.uncommitted(path).await? else { return Ok(()) };
        match (known || !commit, dirty) {
            (true, true) => Ok(()),
            (true, false) => Err(Error::usage(format!("{} {why}", edit.name)).hint("commit it first, or give `--allow-dirty`")),
            (false, _) => Err(Error::usage(format!("{} {why}", edit.name)).hint("commit it first")),
        }
    }

    /// Whether Git knows a file of which something is not committed, and what is to be said of it; none for one that is as
    /// it is committed.
    ///
    /// # Errors
    /// `Failed` where Git refuses.
    pub async fn uncommitted(&self, path: &Path) -> Result<Option<(bool, &'static str)>> {
        let arguments = ["--literal-pathspecs", "status", "--porcelain=v1", "-z", "--ignored", "--untracked-files=all", "--"];
        let told = self.ask(&arguments, &[path.as_os_str()]).await?.stdout;
        Ok(match told.get(..2) {
            None => None,
            Some(b"??") => Some((false, "is not committed yet")),
            Some(b"!!") => Some((false, "is ignored by Git, so it is not committed")),
            Some(_) => Some((true, "has changes that are not committed")),
        })
    }

    /// The commits that changed the files, each before its parents.
    ///
    /// # Errors
    /// `Failed` where Git refuses.
    pub async fn log(&self, files: &[&Path]) -> Result<Vec<Commit>> {
        let (count, format) = (
            MOST_COMMITS.to_string(),
            format!("--format=%H%x1f%P%x1f%h%x1f%(trailers:key={TRAILER},valueonly,separator=%x20)%x1f%s%x1f%b"),
        );
        // With `--parents` they are those that changed the files, too.
        let order = ["--topo-order", "--parents", "--no-show-signature", "-z", "-n", &count, &format, "--"];
        let arguments = [&["--literal-pathspecs", "log"], order.as_slice()].concat();
        let files: Vec<&OsStr> = files.iter().map(|path| path.as_os_str()).collect();
        let ended = self.run(&arguments, &files, None).await?;
        let mut commits = Vec::new();
        // Before the first commit there is no log.
        for record in String::from_utf8_lossy(&ended.stdout).split('\0').filter(|record| !record.is_empty()) {
            let mut fields = record.splitn(6, '\u{1f}').map(|field| field.trim().to_owned());
            let mut next = || fields.next().unwrap_or_default();
            let (id, parents) = (next(), next().split_whitespace().map(str::to_owned).collect());
            let (short, verb, subject, body) = (next(), next(), next(), next());
            // As `git revert` writes it.
            let reverts = body.split("This reverts commit ").nth(1).unwrap_or_default();
            let reverts = reverts.chars().take_while(char::is_ascii_hexdigit).collect();
            commits.push(Commit { id, parents, short, verb, subject, reverts });
        }
        Ok(commits)
    }

    /// A file as a commit has it; none where the commit has no such file, or no text.
    ///
    /// # Errors
    /// `Failed` where Git cannot be run.
    pub async fn text(&self, commit: &str, path: &Path) -> Result<Option<String>> {
        let Ok(below) = path.strip_prefix(&self.top) else { return Ok(None) };
        let mut name = OsString::from(format!("{commit}:"));
        name.push(below);
        let ended = self.run(&["cat-file", "blob"], &[&name], None).await?;
        Ok(if ended.success { String::from_utf8(ended.stdout).ok() } else { None })
    }

    /// Whether the earlier commits were left behind when it was cloned.
    ///
    /// # Errors
    /// `Failed` where Git refuses.
    pub async fn is_shallow(&self) -> Result<bool> {
        Ok(self.ask(&["rev-parse", "--is-shallow-repository"], &[]).await?.stdout.starts_with(b"true"))
    }

    /// Commits exactly these files; gives the commit's short name.
    ///
    /// # Errors
    /// `Failed` where a hook or Git refuses, with what it said.
    pub async fn commit(&self, files: &[Edit], verb: &str, message: &str) -> Result<String> {
        let paths: Vec<&OsStr> = files.iter().filter_map(|edit| Some(edit.path.as_ref()?.as_os_str())).collect();
        let message = format!("{message}\n{TRAILER}: {verb}\n");
        let arguments = ["--literal-pathspecs", "commit", "--quiet", "--only", "--file=-", "--"];
        let before = self.head().await;
        let ended = self.run(&arguments, &paths, Some(message.as_bytes())).await;
        // A hook behind the commit can take all of the time and more; the commit stands, and must not be taken for refused.
        let made = Self { top: self.top.clone(), deadline: Instant::now() + PATIENCE }.head().await;
        let stands = before.is_some() && made.is_some() && made != before;
        match ended {
            Ok(ended) if !ended.success && !stands => Err(ended.refusal("git refused the commit")),
            Err(error) if !stands => Err(error),
            _ => Ok(made.unwrap_or_default()),
        }
    }

    /// The short name of the newest commit; none before the first.
    async fn head(&self) -> Option<String> {
        let name = self.ask(&["rev-parse", "--short", "HEAD"], &[]).await.ok()?.stdout;
        Some(String::from_utf8_lossy(&name).trim().to_owned())
    }

    /// The commit that gave a file the name that it has; none where it was always called so.
    ///
    /// # Errors
    /// `Failed` where Git refuses.
    pub async fn renamed(&self, path: &Path) -> Result<Option<String>> {
        let arguments = ["log", "--no-show-signature", "--follow", "--diff-filter=R", "-n1", "--format=%h", "--"];
        let told = self.ask(&arguments, &[path.as_os_str()]).await?.stdout;
        Ok(Some(String::from_utf8_lossy(&told).trim().to_owned()).filter(|name| !name.is_empty()))
    }

    /// What Git says, which must be willing to say it.
    async fn ask(&self, arguments: &[&str], paths: &[&OsStr]) -> Result<Ended> {
        let ended = self.run(arguments, paths, None).await?;
        if ended.success { Ok(ended) } else { Err(ended.refusal("git cannot say what is committed")) }
    }

    async fn run(&self, arguments: &[&str], paths: &[&OsStr], input: Option<&[u8]>) -> Result<Ended> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.top).args(arguments).args(paths);
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_PAGER", "cat");
        if input.is_none() {
            // Who only looks takes no lock that somebody else may want.
            command.env("GIT_OPTIONAL_LOCKS", "0");
        }
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
        let cannot = |error: std::io::Error| Error::failed("cannot run `git`").caused_by(plainly(&error));
        let mut child = command.spawn().map_err(cannot)?;
        let mut ending = Ending(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match tokio::time::timeout(left, ended(&mut child, input)).await {
            Ok(ended) => {
                ending.0 = None;
                ended.map_err(cannot)
            }
            Err(_) => {
                drop(ending);
                // Until it has ended it may still write.
                let _ = tokio::time::timeout(PATIENCE, child.wait()).await;
                Err(Error::new(Kind::Timeout, "`git` did not end in time (--timeout)"))
            }
        }
    }
}

/// Feeds a process and waits for its end. What it left running does not count, though it holds the output open.
async fn ended(child: &mut Child, input: Option<&[u8]>) -> std::io::Result<Ended> {
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // What it does not read it does not want; its answer says why.
        let _ = stdin.write_all(input).await;
    }
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let status = {
        let reading = async { tokio::join!(read(&mut out, &mut stdout), read(&mut err, &mut stderr)) };
        let mut reading = std::pin::pin!(reading);
        tokio::select! {
            _ = &mut reading => child.wait().await?,
            status = child.wait() => {
                let _ = tokio::time::timeout(PATIENCE, reading).await;
                status?
            }
        }
    };
    Ok(Ended { success: status.success(), stdout, stderr })
}

async fn read(stream: &mut Option<impl AsyncRead + Unpin>, bytes: &mut Vec<u8>) {
    if let Some(stream) = stream {
        // What was read before a failure is there to be told.
        let _ = stream.read_to_end(bytes).await;
    }
}

/// A process that is asked to end with this. It must be able to remove its locks.
struct Ending(Option<Pid>);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.map(|process| kill_process(process, Signal::TERM));
    }
}

/// What `git` left.
struct Ended {
    success: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Ended {
    fn refusal(&self, message: &str) -> Error {
        let told = String::from_utf8_lossy(if self.stderr.is_empty() { &self.stdout } else { &self.stderr });
        let told: Vec<&str> = told.trim().lines().collect();
        // A hook can say very much, and ends with what matters.
        let error = Error::failed(message);
        match told[told.len().saturating_sub(12)..].join("\n").replace('\t', "  ") {
            told if told.is_empty() => error,
            told => error.caused_by(told),
        }
    }
}
