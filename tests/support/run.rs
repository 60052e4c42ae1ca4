//! Runs the real program and compares all that it says: stdout, stderr, exit status.

use super::filter::filtered;
use super::sandbox::Sandbox;
use expect_test::Expect;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A run that takes longer hangs.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

/// A run of `tidegate` in an environment of its own: no user's files, no variables but those that are set here.
#[must_use = "say what it shows, or run it"]
pub struct Run {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    stdin: String,
    home: tempfile::TempDir,
    place: Option<PathBuf>,
}

/// `tidegate` with the arguments in `line`, which are separated by blanks.
pub fn tidegate(line: &str) -> Run {
    Run {
        arguments: line.split_whitespace().map(str::to_owned).collect(),
        environment: Vec::new(),
        stdin: String::new(),
        home: super::directory(),
        place: None,
    }
}

impl Run {
    /// One more argument, which may hold blanks.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_str().expect("UTF-8").into()));
        self
    }

    /// Against a sandbox.
    pub fn on(self, sandbox: &Sandbox) -> Self {
        self.with(&sandbox.kubeconfig)
    }

    /// With a kubeconfig.
    pub fn with(self, kubeconfig: impl AsRef<Path>) -> Self {
        self.env("KUBECONFIG", kubeconfig)
    }

    /// With something to read.
    pub fn stdin(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdin);
        self
    }

    /// Its home, which is its working directory too, to put files into.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// In another working directory.
    pub fn within(mut self, place: &Path) -> Self {
        self.place = Some(place.to_owned());
        self
    }

    /// The command, for runs that need another way of starting it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(&self.arguments);
        self.prepare(&mut command);
        command
    }

    /// Sets environment and directory of `command`.
    pub fn prepare(&self, command: &mut Command) {
        command.env_clear().env("HOME", self.home.path()).env("USER", "alice").env("TZ", "UTC");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.place.as_deref().unwrap_or(self.home.path()));
    }

    /// The arguments as a shell reads them.
    pub fn shell_line(&self) -> String {
        let quoted = |text: &String| format!("'{}'", text.replace('\'', r"'\''"));
        let words: Vec<String> = std::iter::once(&PROGRAM.to_owned()).chain(&self.arguments).map(quoted).collect();
        words.join(" ")
    }

    /// Runs it to its end.
    pub fn run(self) -> Output {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        // A program that ends without reading is right to do so.
        let _ = child.stdin.take().expect("piped").write_all(self.stdin.as_bytes());
        finish(child)
    }

    /// Runs it and compares stdout, stderr and status, as [`Output`] writes them.
    #[track_caller]
    pub fn shows(self, expected: Expect) {
        expected.assert_eq(&self.run().to_string());
    }

    /// Runs it for its effect: it must succeed.
    #[track_caller]
    pub fn succeeds(self) -> Output {
        let output = self.run();
        assert_eq!(output.status, Some(0), "{output}");
        output
    }
}

/// What a run left, with times, ports and the like replaced by words.
#[derive(Debug)]
pub struct Output {
    /// The answer.
    pub stdout: String,
    /// The answer as it was.
    pub raw: String,
    /// The conversation.
    pub stderr: String,
    /// The exit status; `None` after a signal.
    pub status: Option<i32>,
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.stdout)?;
        if !self.stderr.is_empty() {
            write!(f, "------- stderr -------\n{}", self.stderr)?;
        }
        match self.status {
            Some(0) => Ok(()),
            Some(code) => writeln!(f, "[exit status: {code}]"),
            None => writeln!(f, "[killed]"),
        }
    }
}

/// Reads `child` to its end; one that does not end is killed, and fails the test.
pub fn finish(mut child: Child) -> Output {
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);
    let status = wait(&mut child);
    let text = |reader: Option<std::thread::JoinHandle<Vec<u8>>>| {
        let bytes = reader.map(|reader| reader.join().expect("reads")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let raw = text(stdout);
    Output { stdout: filtered(&raw), raw, stderr: filtered(&text(stderr)), status: status.code() }
}

fn drain(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

/// Waits for a process; one that does not end is killed, and fails the test.
pub fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("the program did not end within {DEADLINE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What Ctrl-C does to a program in the foreground.
pub fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

/// Asks until `answer` comes, or fails after the deadline.
#[track_caller]
pub fn eventually<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = answer() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
