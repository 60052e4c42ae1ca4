//! The command line: clap's types, and the texts of the help. No logic, no I/O.

mod configure;
mod connection;
mod delivery;
mod evaluate;
mod help;
mod keptn;
mod lint;
mod project;
#[cfg(feature = "sandbox")]
mod sandbox;
mod sources;

pub use configure::{Configure, Monitoring, Scrape, Source as MonitoringSource};
pub use connection::Connection;
pub use delivery::{ApprovalFinished, Event, EventsEra, NewArtifact, OfRun, Runs, Send, Trigger, Way};
pub use evaluate::{Evaluate, FailOn, Inconclusive, Judge, Metrics, Report};
pub use help::{TOPICS, Topic};
pub use keptn::explained;
pub use lint::Lint;
pub use project::{
    AddResource, Apply, Create, CreateProject, Delete, DeleteProject, DeploymentStrategy, Get, Layout, List, Onboard,
    OnboardService,
};
#[cfg(feature = "sandbox")]
pub use sandbox::{Sandbox, SandboxPlace, Story};
pub use sources::Sources;

pub use crate::core::duration::parse as duration;
use crate::core::select::RoutePick;
use crate::core::weight::Weights;
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Moves a service's traffic to a new version, and back
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, propagate_version = true, args_override_self = true)]
#[command(disable_help_subcommand = true, max_term_width = 100, long_about = help::ROOT, after_help = help::MORE)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// What holds for every command
    #[command(flatten)]
    pub global: Global,
}

/// The flags that every command takes
#[derive(Debug, Args)]
pub struct Global {
    /// Whom to connect to
    #[command(flatten)]
    pub connection: Connection,
    /// Colour: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, help_heading = "Output", hide_short_help = true)]
    pub color: Color,
    /// Print results and errors, no messages
    #[arg(short, long, global = true, help_heading = "Output", hide_short_help = true)]
    pub quiet: bool,
    /// Never ask; fail where a question would be asked
    #[arg(long, global = true, help_heading = "Output", hide_short_help = true)]
    pub no_input: bool,
    /// All messages, which is the default
    #[arg(short, long, global = true, hide = true)]
    pub verbose: bool,
}

/// When to colour
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set the weights of a service's routes
    #[command(long_about = help::SHIFT)]
    Shift(Box<Deferred<Shift>>),
    /// Give the candidate everything
    #[command(long_about = help::PROMOTE)]
    Promote(Box<Deferred<Promote>>),
    /// Put traffic back as it was before the release began
    #[command(long_about = help::ROLLBACK)]
    Rollback(Box<Deferred<Rollback>>),
    /// Show what is routed where
    #[command(long_about = help::STATUS)]
    Status(Box<Deferred<Status>>),
    /// Show the recorded changes of a service
    #[command(long_about = help::HISTORY)]
    History(Box<Deferred<History>>),
    /// Grade a version by its metrics
    #[command(long_about = help::EVALUATE)]
    Evaluate(Box<Deferred<Evaluate>>),
    /// Check gate files
    #[command(long_about = help::LINT)]
    Lint(Box<Deferred<Lint>>),
    /// Send a new version through the stages of a project
    #[command(long_about = delivery::SEND, subcommand_required = true, arg_required_else_help = true)]
    Send(Box<Deferred<Nested<Send>>>),
    /// Trigger a delivery, as keptn's command line does
    #[command(long_about = delivery::TRIGGER, hide = true, subcommand_required = true, arg_required_else_help = true)]
    Trigger(Box<Deferred<Nested<Trigger>>>),
    /// Let a delivery go on that waits for approval
    #[command(long_about = delivery::APPROVE)]
    Approve(Box<Deferred<OfRun>>),
    /// Go on with a delivery whose process is gone
    #[command(long_about = delivery::RESUME)]
    Resume(Box<Deferred<OfRun>>),
    /// End a delivery, and go back in the stage that it is in
    #[command(long_about = delivery::ABORT)]
    Abort(Box<Deferred<OfRun>>),
    /// Make a project
    #[command(long_about = project::CREATE, subcommand_required = true, arg_required_else_help = true)]
    Create(Box<Deferred<Nested<Create>>>),
    /// Delete a project
    #[command(long_about = project::DELETE, subcommand_required = true, arg_required_else_help = true)]
    Delete(Box<Deferred<Nested<Delete>>>),
    /// List projects, stages, services and artifacts
    #[command(long_about = project::GET, subcommand_required = true, arg_required_else_help = true)]
    Get(Box<Deferred<Nested<Get>>>),
    /// Give a service a place in each stage of a project
    #[command(long_about = project::ONBOARD, subcommand_required = true, arg_required_else_help = true)]
    Onboard(Box<Deferred<Nested<Onboard>>>),
    /// Add a file to a project
    #[command(long_about = project::ADD_RESOURCE)]
    AddResource(Box<Deferred<AddResource>>),
    /// Say where metrics come from
    #[command(long_about = configure::ABOUT, subcommand_required = true, arg_required_else_help = true)]
    Configure(Box<Deferred<Nested<Configure>>>),
    /// Run a cluster to try things in, on this machine
    #[cfg(feature = "sandbox")]
    #[command(long_about = sandbox::ABOUT, subcommand_required = true, arg_required_else_help = true)]
    Sandbox(Box<Deferred<Nested<Sandbox>>>),
    /// Show a delivery from start to end in a sandbox of its own
    #[cfg(feature = "sandbox")]
    #[command(long_about = sandbox::DEMO)]
    Demo {
        /// What to show
        #[arg(value_name = "STORY", value_enum, default_value_t = Story::Delivery)]
        story: Story,
    },
    /// Print the shell completion script
    #[command(long_about = help::COMPLETION)]
    Completion {
        /// The shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
    /// Print the version
    #[command(long_about = help::VERSION)]
    Version {
        /// Print only this program's version, and ask no server
        #[arg(long)]
        client: bool,
        /// Output format
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
        output: Format,
    },
    /// Print help on a command or a topic
    #[command(long_about = help::HELP)]
    Help {
        /// A command, or a topic: delivery, exit-codes, environment, formats, gates, gitops, rbac, sources, tests, weights
        #[arg(value_name = "TOPIC")]
        topic: Vec<String>,
    },
    /// Complete the words of a kubectl command line
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The words behind the plugin's name
        #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<std::ffi::OsString>,
    },
}

/// The flags of a command, made only when the command is the one that was named: every start would pay for them
#[derive(Debug)]
pub struct Deferred<T>(pub T);

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.defer(Self::augmented)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl<T: Args> Deferred<T> {
    /// With the flags, and what the command says about itself: the type's own words would come after it.
    pub fn augmented(command: clap::Command) -> clap::Command {
        let about = command.get_about().cloned().unwrap_or_default();
        let long = command.get_long_about().cloned().unwrap_or_default();
        T::augment_args(command).about(about).long_about(long)
    }
}

/// The commands below a command
#[derive(Debug, Args)]
pub struct Nested<T: Subcommand> {
    /// Which one
    #[command(subcommand)]
    pub command: T,
}

/// Which services
#[derive(Debug, Args)]
pub struct Services {
    /// Services: `carts`, `vs/carts`, `carts.NAMESPACE`
    #[arg(value_name = "SERVICE", required_unless_present_any = ["selector", "all"])]
    pub services: Vec<String>,
    /// All services whose virtual service has these labels
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with_all = ["services", "all"])]
    pub selector: Option<String>,
    /// All services of the namespace
    #[arg(long, conflicts_with = "services")]
    pub all: bool,
}

/// How to write
#[derive(Debug, Args)]
pub struct Write {
    /// Route: its name, its index as `1` or `http[1]`, or `all`
    #[arg(long, value_name = "ROUTE")]
    pub route: Option<RoutePick>,
    /// Print what would be sent: client sends no write, server has it checked and not stored
    #[arg(long, value_name = "WHERE", value_enum, num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "client")]
    pub dry_run: DryRun,
    /// Print the change of each route as a diff
    #[arg(long)]
    pub diff: bool,
    /// Answer questions with yes
    #[arg(short, long)]
    pub yes: bool,
    /// Shift even where the subset is missing or no pod is ready
    #[arg(long)]
    pub force: bool,
    /// Leave out the checks before the change: the reads that they need, and the dry run of each of several services
    #[arg(long)]
    pub no_preflight: bool,
    /// Exit with 3 where there is nothing to change
    #[arg(long)]
    pub error_unchanged: bool,
    /// Why, kept in the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Edit manifests instead of a cluster: a file, a directory, or `-` for standard input
    #[arg(short, long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The values of the templates among them [default: values.yaml of their chart]
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
    /// Commit exactly what was edited
    #[arg(long)]
    pub commit: bool,
    /// Edit files that have changes that are not committed
    #[arg(long)]
    pub allow_dirty: bool,
    /// Give up after this long; 0 tries once [default: 60s]
    #[arg(long, value_name = "DURATION", env = "TIDEGATE_TIMEOUT", hide_env_values = true, value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// `shift`
#[derive(Debug, Args)]
pub struct Shift {
    /// Which services
    #[command(flatten)]
    pub services: Services,
    /// Weights, in the order of the route as `80/20` or by name as `old=80,new=20`
    #[arg(long, value_name = "W/W", allow_hyphen_values = true)]
    pub weights: Weights,
    /// How to write
    #[command(flatten)]
    pub write: Write,
}

/// `promote`
#[derive(Debug, Args)]
pub struct Promote {
    /// Which services
    #[command(flatten)]
    pub services: Services,
    /// Destination that gets everything
    #[arg(long, value_name = "NAME")]
    pub to: Option<String>,
    /// How to write
    #[command(flatten)]
    pub write: Write,
}

/// `rollback`
#[derive(Debug, Args)]
pub struct Rollback {
    /// Which services
    #[command(flatten)]
    pub services: Services,
    /// Revision of `history` to go back to
    #[arg(long, value_name = "N", conflicts_with = "to")]
    pub to_revision: Option<u32>,
    /// Destination that gets everything
    #[arg(long, value_name = "NAME")]
    pub to: Option<String>,
    /// How to write
    #[command(flatten)]
    pub write: Write,
}

/// `status`
#[derive(Debug, Args)]
pub struct Status {
    /// Services; all of the namespace where none is named
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Only virtual services with these labels
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "services")]
    pub selector: Option<String>,
    /// Go on and show changes
    #[arg(short, long)]
    pub watch: bool,
    /// Show manifests instead of a cluster: a file, a directory, or `-` for standard input
    #[arg(short, long = "filename", value_name = "FILE", conflicts_with_all = ["all_namespaces", "selector", "watch"])]
    pub files: Vec<PathBuf>,
    /// The values of the templates among them [default: values.yaml of their chart]
    #[arg(long, value_name = "FILE", requires = "files")]
    pub values: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// `history`
#[derive(Debug, Args)]
pub struct History {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// Output formats
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For people, with more columns
    Wide,
    /// The names of the objects
    Name,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// Where a dry run ends
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Not a dry run
    None,
    /// Nothing that writes is sent
    Client,
    /// The server checks it and stores nothing
    Server,
}

/// Shells with completion
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// elvish
    Elvish,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
    /// zsh
    Zsh,
}
