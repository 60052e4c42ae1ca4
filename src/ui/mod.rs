//! What people see: the answer on stdout, the conversation on stderr, colour, questions.

mod evaluation;
mod patch;
mod progress;
mod replay;
mod report;
mod standing;
mod status;
mod text;
mod time;

pub use evaluation::{evaluation, judgement, junit, markdown};
pub use patch::file_diff;
pub use progress::Progress;
pub use replay::replay;
pub use report::{Line, diff, labelled as weights_of, moves, plan, results};
pub use standing::standing;
pub use status::{Screen, columns, history, status, summary};
pub use text::{data, printable};
pub use time::age;

use crate::error::Error;
use anstream::{AutoStream, ColorChoice};
use std::cell::{Cell, RefCell};
use std::io::{BufRead as _, ErrorKind, IsTerminal as _, Write as _};

/// The streams of one run.
pub struct Ui {
    out: RefCell<AutoStream<std::io::Stdout>>,
    err: RefCell<AutoStream<std::io::Stderr>>,
    /// stdout is a terminal.
    pub out_is_terminal: bool,
    /// stderr is a terminal.
    pub err_is_terminal: bool,
    can_ask: bool,
    quiet: bool,
    closed: Cell<bool>,
    failed: Cell<bool>,
    /// What [`Ui::say_once`] said last.
    said: RefCell<String>,
}

/// Before any flag is known: coloured on a terminal, and without questions.
impl Default for Ui {
    fn default() -> Self {
        Self::new(ColorChoice::Auto, false, false)
    }
}

/// Whether nothing is coloured, before any flag is known.
pub fn is_plain() -> bool {
    [AutoStream::choice(&std::io::stdout()), AutoStream::choice(&std::io::stderr())] == [ColorChoice::Never; 2]
}

impl Ui {
    /// The process's own streams. `quiet` drops what [`Ui::say`] says; `ask` allows questions.
    pub fn new(color: ColorChoice, quiet: bool, ask: bool) -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let (out_is_terminal, err_is_terminal) = (out.is_terminal(), err.is_terminal());
        Self {
            out: RefCell::new(AutoStream::new(out, color)),
            err: RefCell::new(AutoStream::new(err, color)),
            out_is_terminal,
            err_is_terminal,
            can_ask: ask && std::io::stdin().is_terminal() && err_is_terminal,
            quiet,
            closed: Cell::new(false),
            failed: Cell::new(false),
            said: RefCell::default(),
        }
    }

    /// Part of the answer: to stdout, as it is.
    pub fn answer(&self, text: &str) {
        if self.closed.get() {
            return;
        }
        let mut out = self.out.borrow_mut();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.closed.set(true);
            // Whoever read the answer has read enough; anything else means that it was lost.
            self.failed.set(error.kind() != ErrorKind::BrokenPipe);
        }
    }

    /// Part of the conversation: to stderr, unless `--quiet`.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.to_stderr(text);
        }
    }

    /// As [`Ui::say`], but not what was said that way before: for what is done again and again in a long wait.
    pub fn say_once(&self, text: &str) {
        if self.said.replace(text.to_owned()) != text {
            self.say(text);
        }
    }

    /// A warning: to stderr, always.
    pub fn warn(&self, text: &str) {
        self.to_stderr(&format!("{YELLOW}warning:{YELLOW:#} {}\n", printable(text)));
    }

    /// What to do next: to stderr on a terminal, where somebody reads it.
    pub fn hint(&self, text: &str) {
        if self.err_is_terminal {
            self.say(&format!("{DIM}hint:{DIM:#} {}\n", printable(text)));
        }
    }

    /// An error with its causes and hints.
    pub fn error(&self, error: &Error) {
        let message = printable(&error.message);
        // kubectl's own words for what the server says need no prefix.
        let mut text = match message.starts_with("Error from server") {
            true => format!("{RED}{message}{RED:#}\n"),
            false => format!("{RED}error:{RED:#} {message}\n"),
        };
        for cause in &error.causes {
            text += &format!("caused by: {}\n", printable(cause));
        }
        for hint in &error.hints {
            text += &format!("{DIM}hint:{DIM:#} {}\n", printable(hint));
        }
        self.to_stderr(&text);
    }

    fn to_stderr(&self, text: &str) {
        // When stderr is gone there is nobody left to tell.
        let _ = self.err.borrow_mut().write_all(text.as_bytes());
    }

    /// Whether somebody is there to answer.
    pub fn can_ask(&self) -> bool {
        self.can_ask
    }

    /// A narrator's line between the commands of a demonstration: to stdout, dimmed.
    pub fn narrate(&self, text: &str) {
        self.answer(&format!("\n{DIM}{text}{DIM:#}\n"));
    }

    /// A command line of a demonstration, as it would be typed.
    pub fn prompt(&self, command: &str) {
        self.answer(&format!("$ {BOLD}{command}{BOLD:#}\n"));
    }

    /// Shows what a question is about: to stderr, always.
    pub fn show(&self, text: &str) {
        self.to_stderr(text);
    }

    /// Asks; no is the default. The answer is read on a thread of its own, so that Ctrl-C is heard meanwhile.
    pub async fn confirm(&self, question: &str) -> bool {
        self.to_stderr(&format!("{question} [y/N] "));
        let read = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
        });
        match read.await {
            Ok(Ok(answer)) => {
                if !answer.ends_with('\n') {
                    self.to_stderr("\n");
                }
                matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
            }
            _ => false,
        }
    }

    /// Shows on a terminal that something is going on, once it takes a while; ends when it is dropped.
    pub fn progress(&self, what: &str, wanted: bool) -> Option<Progress> {
        (wanted && self.err_is_terminal && !self.quiet).then(|| Progress::start(what))
    }

    /// Whether the reader of stdout has gone.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Ends when the reader of stdout has gone, as `head` goes after its lines; never where that cannot be told.
    pub async fn reader_gone(&self) {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd as _;
            let out = std::io::stdout().as_fd().try_clone_to_owned();
            // Only listened to: it stays as it is, for everybody who writes to it.
            let out = out.and_then(tokio::net::unix::pipe::Sender::from_owned_fd_unchecked);
            if let Ok(out) = out
                && out.ready(tokio::io::Interest::ERROR).await.is_ok()
            {
                return;
            }
        }
        std::future::pending().await
    }

    /// Whether some of the answer could not be written, for another reason than a reader who has gone.
    pub fn lost_output(&self) -> bool {
        self.failed.get()
    }
}

pub(crate) const BOLD: anstyle::Style = anstyle::Style::new().bold();
pub(crate) const DIM: anstyle::Style = anstyle::Style::new().dimmed();
pub(crate) const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
pub(crate) const GREEN: anstyle::Style = anstyle::AnsiColor::Green.on_default();
pub(crate) const YELLOW: anstyle::Style = anstyle::AnsiColor::Yellow.on_default();
