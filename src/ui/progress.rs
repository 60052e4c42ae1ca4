//! A sign of life for waits that a person notices.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;
use tokio::task::JoinHandle;

/// What takes less than this shows nothing.
const DELAY: Duration = Duration::from_millis(250);

/// A spinner on stderr that appears after a moment, and vanishes when it is dropped.
pub struct Progress {
    task: JoinHandle<()>,
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn start(what: &str) -> Self {
        // Any change of a bar is drawn at once, so it has nowhere to be drawn until it is late enough.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        let shown = bar.clone();
        let task = tokio::spawn(async move {
            tokio::time::sleep(DELAY).await;
            shown.set_draw_target(ProgressDrawTarget::stderr());
            loop {
                shown.tick();
                tokio::time::sleep(Duration::from_millis(120)).await;
            }
        });
        Self { task, bar }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}
