//! The commands of the sandbox, left out with it.

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use std::path::PathBuf;

pub const ABOUT: &str = "\
Run a cluster to try things in: a Kubernetes API server with example services,
an ingress gateway and a Prometheus query API, on the loopback of this machine.

Examples:
  # A shell in which tidegate and kubectl see the sandbox
  tidegate sandbox run -- bash

  # In the background, until it is stopped
  tidegate sandbox up --detach
  tidegate sandbox down";

const UP: &str = "\
Start a sandbox.

Examples:
  # In the foreground, until Ctrl-C
  tidegate sandbox up

  # In the background, with a place of its own
  tidegate sandbox up --detach --dir /tmp/sandbox

  # The second patch is refused as a conflict, each answer takes half a second
  tidegate sandbox up --fault 409@patch:2 --fault latency=500ms";

const DOWN: &str = "\
Stop the sandbox that was left running.

Examples:
  # The one of `tidegate sandbox up --detach`
  tidegate sandbox down";

const RUN: &str = "\
Run a command with KUBECONFIG set to a sandbox of its own, which ends with it;
INGRESS_URL and PROMETHEUS_URL are set as well.

Examples:
  # One command
  tidegate sandbox run -- tidegate status -A

  # A shell
  tidegate sandbox run -- bash";

pub const DEMO: &str = "\
Show a delivery from start to end in a sandbox of its own: a project with three
stages, a slow version that stops in staging, a fast one that reaches production.

Examples:
  # Takes less than a minute, touches nothing of yours
  tidegate demo

  # The weights alone: a shift, what the clients see, the way back, a promotion
  tidegate demo traffic";

/// A story of `demo`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Story {
    /// `send new-artifact` through dev, staging and production
    Delivery,
    /// `shift`, `rollback` and `promote` by hand
    Traffic,
}

/// `sandbox`
#[derive(Debug, Subcommand)]
pub enum Sandbox {
    /// Start it
    #[command(long_about = UP)]
    Up {
        /// Where and how
        #[command(flatten)]
        place: SandboxPlace,
        /// Return when it is ready, and leave it running
        #[arg(long)]
        detach: bool,
    },
    /// Stop the one that was left running
    #[command(long_about = DOWN)]
    Down {
        /// Directory it was started with
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Run a command with KUBECONFIG set to a sandbox of its own
    #[command(long_about = RUN)]
    Run {
        /// Where and how
        #[command(flatten)]
        place: SandboxPlace,
        /// The command and its arguments
        #[arg(value_name = "CMD", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<std::ffi::OsString>,
    },
}

/// Where a sandbox runs, and how
#[derive(Debug, Args)]
pub struct SandboxPlace {
    /// Directory for its kubeconfig, certificates and log; the only place it writes to
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Port of the API server; a free one where none is given
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Port of the Prometheus query API; a free one where none is given
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub metrics_port: u16,
    /// Port of the ingress gateway; a free one where none is given
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub ingress_port: u16,
    /// Simulated seconds in a second: rollouts, traffic, answers and the windows of gates are so much faster; leave it at 1
    /// for `send`, whose gates look back by the real clock
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub speed: f64,
    /// Something to go wrong: `409@patch:2`, `latency=500ms`, `reset@get:1`
    #[arg(long, value_name = "FAULT", action = ArgAction::Append)]
    pub fault: Vec<String>,
    /// Begin without the example services
    #[arg(long)]
    pub empty: bool,
}
