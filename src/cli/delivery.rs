//! Deliveries: `send new-artifact`, and what is said to one that is under way.
//!
//! keptn's own command lines are taken as they are: `send event new-artifact`, `send event approval.finished`, `trigger
//! delivery`.

use super::{Deferred, DryRun, Format, Metrics};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

pub const SEND: &str = "\
Send a new version through the stages of a project.

Examples:
  # To all stages, one after the other
  tidegate send new-artifact -p sockshop --service carts --image carts:0.6.2";

const NEW_ARTIFACT: &str = "\
Send a new version through the stages of a project: each deploys it, tests it,
grades it, and gives it the traffic, or goes back to what was there before.

Examples:
  # To all stages, one after the other; production is the last
  tidegate send new-artifact -p sockshop --service carts --image carts --tag 0.6.2

  # What would be done
  tidegate send new-artifact -p sockshop --service carts --image carts:0.6.2 --dry-run

  # Not further than staging
  tidegate send new-artifact -p sockshop --service carts --image carts:0.6.2 --until staging

  # Judged by the mesh's own metrics, at a fifth of the traffic
  tidegate send new-artifact -p sockshop --service carts --image carts:0.6.2 --require 'p95<500ms' --share 20

In a blue/green stage the version goes to the side without traffic. A stage
that does not pass is as it was before, and no later one is touched. A run
survives its process: `tidegate resume` goes on with it from anywhere.";

const EVENT: &str = "\
Send an event, as keptn's command line does.

Examples:
  # As `tidegate send new-artifact`
  tidegate send event new-artifact --project=sockshop --service=carts --image=carts --tag=0.6.2

  # As the event in a file asks: a new artifact, a configuration change, or a
  # stage's delivery.triggered
  tidegate send event --file=new-artifact.json

  # As `tidegate approve`
  tidegate send event approval.finished --project=sockshop --service=carts";

pub const TRIGGER: &str = "\
Trigger a delivery, as keptn's command line does.

Examples:
  # As `tidegate send new-artifact`
  tidegate trigger delivery --project=sockshop --service=carts --image=carts:0.6.2";

pub const APPROVE: &str = "\
Let the stage go on that waits for approval, and drive it where nobody does.

Examples:
  # The delivery that waits
  tidegate approve carts -p sockshop

  # Only say it; somebody else goes on
  tidegate approve carts -p sockshop --no-wait";

pub const RESUME: &str = "\
Go on with a delivery whose process is gone, from any machine.

Examples:
  # Where it stands
  tidegate resume carts -p sockshop

A delivery that somebody drives is left to them. Whether somebody does shows
within 15 seconds.";

pub const ABORT: &str = "\
End a delivery: the stage that it is in goes back to what was there before.

Examples:
  # Wherever it is driven
  tidegate abort carts -p sockshop --reason superseded";

pub const GET_RUNS: &str = "\
List deliveries, the newest first, or show one in full.

Examples:
  # Of a project; without it, of all
  tidegate get runs -p sockshop

  # One of them, with its evidence
  tidegate get runs -p sockshop --keptn-context 3fc5050a -o json";

/// `get runs`
#[derive(Debug, Args)]
pub struct Runs {
    /// Kind of event, as keptn names it; all of a run are shown
    #[arg(value_name = "TYPE", hide = true)]
    pub kind: Option<String>,
    /// Project; all of them where none is named
    #[arg(short, long, value_name = "NAME")]
    pub project: Option<String>,
    /// Only of this service
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// One run, by its id or the beginning of it
    #[arg(long, alias = "id", value_name = "ID")]
    pub keptn_context: Option<String>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// `send`
#[derive(Debug, Subcommand)]
pub enum Send {
    /// Send a new version through the stages of a project
    #[command(long_about = NEW_ARTIFACT)]
    NewArtifact(Box<Deferred<NewArtifact>>),
    /// Send an event, as keptn's command line does
    #[command(long_about = EVENT, arg_required_else_help = true)]
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Event(Box<Deferred<SendEvent>>),
}

/// `send event`
#[derive(Debug, Args)]
pub struct SendEvent {
    /// Event that asks for a delivery, as CloudEvents JSON; `-` is standard input
    #[arg(short, long = "filename", visible_alias = "file", value_name = "FILE", required = true)]
    pub file: Option<PathBuf>,
    /// How it is delivered
    #[command(flatten)]
    pub way: Way,
    /// What happens is always told
    #[arg(long, hide = true)]
    pub stream_websocket: bool,
    /// Which
    #[command(subcommand)]
    pub event: Option<Event>,
}

/// The events that `send event` knows by name
#[derive(Debug, Subcommand)]
pub enum Event {
    /// As `send new-artifact`
    #[command(long_about = NEW_ARTIFACT, alias = "new-artefact")]
    NewArtifact(Box<Deferred<NewArtifact>>),
    /// As `approve`
    #[command(name = "approval.finished", long_about = APPROVE)]
    ApprovalFinished(ApprovalFinished),
}

/// `trigger`
#[derive(Debug, Subcommand)]
pub enum Trigger {
    /// As `send new-artifact`
    #[command(long_about = NEW_ARTIFACT)]
    Delivery(Box<Deferred<NewArtifact>>),
}

/// `send new-artifact`
#[derive(Debug, Args)]
pub struct NewArtifact {
    /// Project
    #[arg(short, long, value_name = "NAME")]
    pub project: String,
    /// Service
    #[arg(long, value_name = "NAME")]
    pub service: String,
    /// Image, with or without its tag
    #[arg(long, value_name = "IMAGE")]
    pub image: String,
    /// Tag of the image
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// Stage to begin with; the first where none is named
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Label of the run, as `k=v`; can be repeated
    #[arg(long, alias = "labels", short_alias = 'l', value_name = "LABEL", hide_short_help = true)]
    pub label: Vec<String>,
    /// How it is delivered
    #[command(flatten)]
    pub way: Way,
}

/// How an artifact is delivered
#[derive(Debug, Args)]
pub struct Way {
    /// Stage to end with; the last where none is named
    #[arg(long, value_name = "STAGE")]
    pub until: Option<String>,
    /// Gate of every stage that has one, in place of the project's
    #[arg(long, value_name = "FILE", conflicts_with = "require")]
    pub gate: Option<PathBuf>,
    /// Queries of an slo.yaml's indicators
    #[arg(long, value_name = "FILE", requires = "gate", hide_short_help = true)]
    pub sli: Option<PathBuf>,
    /// Requirement in place of a gate file: `success-rate>=99`; can be repeated
    #[arg(long, value_name = "EXPR")]
    pub require: Vec<String>,
    /// Whose metrics --require reads: the mesh's, or those of an Envoy with Istio's cluster names
    #[arg(long, value_name = "WHOSE", value_enum, default_value_t = Metrics::Istio, hide_short_help = true)]
    pub metrics: Metrics,
    /// Deliver to stages that should have a gate and have none
    #[arg(long, hide_short_help = true)]
    pub allow_no_gate: bool,
    /// Percentage of the traffic that it gets before it is judged [default: 10 where the gate needs live traffic]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..100))]
    pub share: Option<u32>,
    /// All traffic to the version before it is tested, as keptn did
    #[arg(long, conflicts_with = "share", hide_short_help = true)]
    pub keptn_order: bool,
    /// Destination that gets the version, where several have no traffic
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub to: Option<String>,
    /// Container that gets the image, where several could
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub container: Option<String>,
    /// URL of Prometheus; looked for in the cluster where none is given
    #[arg(long, value_name = "URL", env = "TIDEGATE_PROMETHEUS", hide_env_values = true, hide_short_help = true)]
    pub prometheus: Option<String>,
    /// Do not ask, where a stage's namespace is protected
    #[arg(short, long)]
    pub yes: bool,
    /// Do not wait for approvals: exit with 13, and leave the rest to `approve`
    #[arg(long)]
    pub no_wait: bool,
    /// Wait until another delivery of the service has ended
    #[arg(long, conflicts_with = "supersede")]
    pub queue: bool,
    /// End another delivery of the service
    #[arg(long)]
    pub supersede: bool,
    /// Show what would be done, and touch nothing
    #[arg(long, value_name = "WHERE", value_enum, num_args = 0..=1, require_equals = true, default_value_t = DryRun::None, default_missing_value = "client")]
    pub dry_run: DryRun,
    /// How long a rollout may take [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = super::duration, hide_short_help = true)]
    pub rollout_timeout: Option<Duration>,
    /// How long tests may take [default: 30m]
    #[arg(long, value_name = "DURATION", value_parser = super::duration, hide_short_help = true)]
    pub tests_timeout: Option<Duration>,
    /// How long an evaluation may wait for data [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = super::duration, hide_short_help = true)]
    pub evaluation_timeout: Option<Duration>,
    /// How long to measure before the gate is asked [default: the shipyard's, or the time of the tests, or 1m]
    #[arg(long, value_name = "DURATION", value_parser = super::duration, hide_short_help = true)]
    pub timeframe: Option<Duration>,
    /// How long metrics take to arrive [default: 15s]
    #[arg(long, value_name = "DURATION", value_parser = super::duration, hide_short_help = true)]
    pub settle: Option<Duration>,
    /// How long to wait for a person, another delivery, or a server that does not answer [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = super::duration, hide_short_help = true)]
    pub timeout: Option<Duration>,
    /// Who is told of each step, as CloudEvents: `-`, a file, or a URL; can be repeated
    #[arg(long, value_name = "WHERE", hide_short_help = true)]
    pub events: Vec<String>,
    /// Whose words the events have: keptn's since 0.8 (late), or those before (early)
    #[arg(long, value_name = "ERA", value_enum, default_value_t = EventsEra::Late, hide_short_help = true)]
    pub events_era: EventsEra,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Sequence, as keptn names it; `delivery` is the only one
    #[arg(long, value_name = "NAME", value_parser = ["delivery"], hide = true)]
    pub sequence: Option<String>,
    /// Waiting is the default
    #[arg(short, long, hide = true)]
    pub watch: bool,
    /// What is said of a run needs no WebSocket
    #[arg(long, hide = true)]
    pub suppress_websocket: bool,
}

/// Whose words events have
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventsEra {
    /// keptn's before 0.8
    Early,
    /// keptn's since 0.8
    Late,
}

/// `approve`, `resume`, `abort`
#[derive(Debug, Args)]
pub struct OfRun {
    /// Service
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// Project
    #[arg(short, long, value_name = "NAME")]
    pub project: String,
    /// Stage that is approved; the one that waits where none is named
    #[arg(long, value_name = "STAGE", hide_short_help = true)]
    pub stage: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Take the run from whoever drives it
    #[arg(long, hide_short_help = true)]
    pub force: bool,
    /// Do not wait for approvals
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for a person, or for a server that does not answer [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = super::duration, hide_short_help = true)]
    pub timeout: Option<Duration>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// `send event approval.finished`
#[derive(Debug, Args)]
pub struct ApprovalFinished {
    /// Service
    #[arg(long, value_name = "NAME")]
    pub service: String,
    /// Project
    #[arg(short, long, value_name = "NAME")]
    pub project: String,
    /// Stage
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Only say it; somebody else goes on
    #[arg(long)]
    pub no_wait: bool,
}

impl From<ApprovalFinished> for OfRun {
    fn from(event: ApprovalFinished) -> Self {
        let ApprovalFinished { service, project, stage, no_wait } = event;
        let output = Format::Table;
        Self { service, project, stage, reason: None, force: false, no_wait, timeout: None, output }
    }
}
