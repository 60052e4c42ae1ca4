//! `demo`: a story told by the real commands on a sandbox of its own.
//!
//! Every line that a command prints is printed by that command, run as a user runs it. Only the lines that begin with
//! `#` are the narrator's.

mod delivery;
mod traffic;

use super::Context;
use super::sandbox::{self, Temporary};
use crate::cli::{SandboxPlace, Story as Told};
use crate::error::{Error, Result};
use crate::sandbox::Sandbox;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// On a terminal somebody reads along.
const PAUSE: Duration = Duration::from_millis(1000);

pub async fn run(context: &Context, story: Told) -> Result<()> {
    let (speed, empty) = match story {
        Told::Delivery => (delivery::SPEED, true),
        Told::Traffic => (traffic::SPEED, false),
    };
    let place = SandboxPlace { dir: None, port: 0, metrics_port: 0, ingress_port: 0, speed, fault: Vec::new(), empty };
    let directory = sandbox::tempfile()?;
    let stage = Stage { context, sandbox: sandbox::start(&place, &directory.0).await?, directory };
    match story {
        Told::Delivery => delivery::tell(&stage).await?,
        Told::Traffic => traffic::tell(&stage).await?,
    }
    stage.sandbox.stop().await;
    Ok(())
}

/// Where a story is played.
struct Stage<'a> {
    context: &'a Context,
    sandbox: Sandbox,
    directory: Temporary,
}

impl Stage<'_> {
    /// A line of the narrator.
    async fn say(&self, text: &str) {
        if self.context.ui.out_is_terminal {
            tokio::time::sleep(PAUSE).await;
        }
        self.context.ui.narrate(&format!("# {text}"));
    }

    /// Writes a file for the commands to read.
    fn file(&self, name: &str, text: &str) -> Result<()> {
        let path: &Path = self.directory.0.as_ref();
        let wrote = std::fs::write(path.join(name), text);
        wrote.map_err(|error| Error::failed(format!("cannot write {name}")).caused_by(error.to_string()))
    }

    /// Runs a command of ours as a user would, on the sandbox and with nobody else's settings.
    async fn run(&self, arguments: &str) -> Result<()> {
        self.ends(arguments, 0).await
    }

    /// The same where the command is to end with this status.
    async fn ends(&self, arguments: &str, status: i32) -> Result<()> {
        self.context.ui.prompt(&format!("tidegate {arguments}"));
        let cannot =
            |error: std::io::Error| Error::failed(format!("cannot run `tidegate {arguments}`")).caused_by(error.to_string());
        let program = std::env::current_exe().map_err(cannot)?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDEGATE_")) {
            command.env_remove(name);
        }
        command.args(arguments.split_whitespace()).current_dir(&self.directory.0);
        command.env("KUBECONFIG", self.sandbox.kubeconfig()).env("XDG_CONFIG_HOME", &self.directory.0);
        let ended = command.kill_on_drop(true).status().await.map_err(cannot)?;
        match ended.code() == Some(status) {
            true => Ok(()),
            false => Err(Error::failed(format!("`tidegate {arguments}` ended with {ended}"))),
        }
    }
}
