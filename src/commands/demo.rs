//! `demo`: a release from start to end, told by the real commands on a sandbox of its own.
//!
//! Every line that a command prints is printed by that command, run as a user runs it. Only the lines that begin with
//! `#` are the narrator's.

use super::Context;
use super::sandbox::{self, Temporary};
use crate::cli::SandboxPlace;
use crate::error::{Error, Result};
use crate::sandbox::Sandbox;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Simulated seconds in a second: a minute of traffic passes in three.
const SPEED: f64 = 20.0;

/// So many requests to the new version are waited for before its numbers are told.
const ENOUGH: f64 = 400.0;

/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// On a terminal somebody reads along.
const PAUSE: Duration = Duration::from_millis(1500);

/// The story's service.
const NAMESPACE: &str = "sockshop-production";

pub async fn run(context: &Context) -> Result<()> {
    let place =
        SandboxPlace { dir: None, port: 0, metrics_port: 0, ingress_port: 0, speed: SPEED, fault: Vec::new(), empty: false };
    let directory = sandbox::tempfile()?;
    let story = Story { context, sandbox: sandbox::start(&place, &directory.0).await?, directory };
    story.tell().await?;
    story.sandbox.stop().await;
    Ok(())
}

struct Story<'a> {
    context: &'a Context,
    sandbox: Sandbox,
    directory: Temporary,
}

impl Story<'_> {
    async fn tell(&self) -> Result<()> {
        self.say("A cluster on this machine, with traffic. carts has two colours; blue serves.").await;
        self.run("status").await?;

        self.deploy("carts:0.6.3-err5").await?;
        self.say("carts 0.6.3 is deployed as green, without traffic. A fifth of it, please:").await;
        self.run("shift carts --weights 80/20").await?;
        self.run("status carts").await?;
        self.observe().await?;

        self.say("Green answers one request in twenty with an error. Back, as it was:").await;
        self.run("rollback carts").await?;

        self.deploy("carts:0.6.4").await?;
        self.say("carts 0.6.4 mends it. Again, by name this time:").await;
        self.run("shift carts --weights blue=80,green=20").await?;
        self.observe().await?;

        self.say("No errors. Green may have everything:").await;
        self.run("promote carts --yes").await?;
        self.run("status carts").await?;
        self.run("history carts").await?;

        self.say(
            "`tidegate rollback carts` would still put blue back. Try it yourself:\n\
             #   tidegate sandbox run -- bash    a shell with such a cluster; kubectl works in it, too\n\
             #   tidegate status -A              and then your own, from your own shell",
        )
        .await;
        Ok(())
    }

    /// A line of the narrator.
    async fn say(&self, text: &str) {
        if self.context.ui.out_is_terminal {
            tokio::time::sleep(PAUSE).await;
        }
        self.context.ui.narrate(&format!("# {text}"));
    }

    /// Runs a command of ours as a user would, on the sandbox and with nobody else's settings.
    async fn run(&self, arguments: &str) -> Result<()> {
        self.context.ui.prompt(&format!("tidegate {arguments}"));
        let cannot =
            |error: std::io::Error| Error::failed(format!("cannot run `tidegate {arguments}`")).caused_by(error.to_string());
        let program = std::env::current_exe().map_err(cannot)?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDEGATE_")) {
            command.env_remove(name);
        }
        command.args(arguments.split(' ')).current_dir(&self.directory.0);
        command.env("KUBECONFIG", self.sandbox.kubeconfig()).env("XDG_CONFIG_HOME", &self.directory.0);
        let status = command.kill_on_drop(true).status().await.map_err(cannot)?;
        match status.success() {
            true => Ok(()),
            false => Err(Error::failed(format!("`tidegate {arguments}` ended with {status}"))),
        }
    }

    async fn deploy(&self, image: &str) -> Result<()> {
        Ok(self.sandbox.set_image(NAMESPACE, "carts-green", "carts", &format!("docker.io/keptnexamples/{image}")).await?)
    }

    /// Waits until the new version has had enough requests since the last command, and tells how both sides answered.
    async fn observe(&self) -> Result<()> {
        let begun = Instant::now();
        let before = (self.count("carts-blue", ".*"), self.count("carts-green", ".*"));
        let errors_before = (self.count("carts-blue", "5.."), self.count("carts-green", "5.."));
        loop {
            let blue = self.count("carts-blue", ".*") - before.0;
            let green = self.count("carts-green", ".*") - before.1;
            if green >= ENOUGH {
                let failed = |count: f64, of: f64| format!("{:.1}% of {of:.0} failed", 100.0 * count / of);
                let share = |part: f64| format!("{:.1}%", 100.0 * part / (blue + green));
                self.say(&format!(
                    "What the clients see: blue {} ({}), green {} ({})",
                    share(blue),
                    failed(self.count("carts-blue", "5..") - errors_before.0, blue),
                    share(green),
                    failed(self.count("carts-green", "5..") - errors_before.1, green),
                ))
                .await;
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::failed(format!("only {green:.0} requests reached green within {} s", PATIENCE.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many requests a deployment has answered with such a code, as Istio's metrics count them.
    fn count(&self, workload: &str, code: &str) -> f64 {
        let promql = format!(
            r#"sum(istio_requests_total{{reporter="source",destination_workload="{workload}",destination_workload_namespace="{NAMESPACE}",response_code=~"{code}"}})"#
        );
        self.sandbox.query(&promql).first().map_or(0.0, |(_, value)| *value)
    }
}
