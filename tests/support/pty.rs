//! The program on a terminal: `script` of util-linux lends it one.

use super::filter::filtered;
use super::run::{Run, eventually, wait};
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A program that runs on a terminal.
pub struct Terminal {
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: Arc<Mutex<Vec<u8>>>,
    /// Its files and its home are needed until it ends.
    _run: Run,
}

impl Run {
    /// Starts it on a terminal, 200 columns wide.
    pub fn on_a_terminal(self) -> Terminal {
        let line = format!("stty cols 200 rows 50; exec {}", self.shell_line());
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
        self.prepare(&mut command);
        if command.get_envs().all(|(name, _)| name != "TERM") {
            command.env("TERM", "xterm");
        }
        command.env("SHELL", "/bin/sh");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("script runs");
        let mut stdout = child.stdout.take().expect("piped");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let written = screen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut buffer) {
                written.lock().expect("not poisoned").extend_from_slice(&buffer[..length]);
            }
        });
        Terminal { keyboard: child.stdin.take(), child, screen, _run: self }
    }
}

impl Terminal {
    /// Everything that it wrote so far.
    pub fn screen(&self) -> String {
        filtered(&String::from_utf8_lossy(&self.screen.lock().expect("not poisoned"))).replace("\r\n", "\n")
    }

    /// Waits until it has written `text`.
    #[track_caller]
    pub fn await_text(&self, text: &str) -> &Self {
        eventually(&format!("{text:?} on the screen"), || self.screen().contains(text).then_some(()));
        self
    }

    /// Presses keys; `\u{3}` is Ctrl-C.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        let keyboard = self.keyboard.as_mut().expect("not closed");
        keyboard.write_all(keys.as_bytes()).expect("it reads");
        keyboard.flush().expect("it reads");
        self
    }

    /// Waits until it ends: all that it wrote, and its status.
    pub fn end(mut self) -> (String, Option<i32>) {
        let status = wait(&mut self.child);
        self.keyboard = None;
        // `script` flushed before it ended; the thread may still be reading.
        let mut last = usize::MAX;
        eventually("the screen is read", || {
            let length = self.screen.lock().expect("not poisoned").len();
            (std::mem::replace(&mut last, length) == length).then_some(())
        });
        (self.screen(), status.code())
    }
}

/// A screen as it looks in the end: without colours, and without lines that were cleared.
pub fn plain(screen: &str) -> String {
    let sequence = regex::Regex::new("\u{1b}\\[[0-9;?]*[A-Za-z]").expect("a pattern");
    let clear = "\u{1b}[2K";
    let left = |line: &str| line.rsplit(clear).next().unwrap_or_default().to_owned();
    let lines: Vec<String> = screen.split('\n').map(left).collect();
    sequence.replace_all(&lines.join("\n"), "").replace('\r', "")
}
