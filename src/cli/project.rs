//! Projects and their services: `create`, `delete`, `get`, `onboard`, `add-resource`.
//!
//! keptn's own command lines of 0.4 and 0.5 are taken as they are. Where it has `-s` for something else than the server,
//! the server's letter gives way.

use super::{Deferred, DryRun, Format};
use clap::{Arg, Args, Subcommand, ValueEnum};
use std::path::PathBuf;

pub const CREATE: &str = "\
Make a project: a namespace for each stage of its shipyard.

Examples:
  # From a file that says the stages
  tidegate create project sockshop --shipyard shipyard.yaml";

const PROJECT: &str = "\
Make a project: a namespace for each stage of its shipyard.

Examples:
  # Namespaces sockshop-dev, sockshop-staging, sockshop-production
  tidegate create project sockshop --shipyard shipyard.yaml

  # Other names for them
  tidegate create project sockshop --shipyard shipyard.yaml --namespaces {stage}-{project}

  # What would be made
  tidegate create project sockshop --shipyard shipyard.yaml --dry-run

A second run changes what the shipyard says anew, and nothing else. Namespaces
that are there already become the project's; no namespace is ever deleted. See
`tidegate help delivery`.";

pub const DELETE: &str = "\
Delete a project.

Examples:
  # Says what would go, and asks
  tidegate delete project sockshop";

const DELETE_PROJECT: &str = "\
Delete a project: the namespaces that were made for it, with everything in them.

Examples:
  # Says what would go, and asks
  tidegate delete project sockshop

  # In a script
  tidegate delete project sockshop --yes

Namespaces that were there before the project stay, and only lose its labels.";

pub const GET: &str = "\
List projects, their stages, services and artifacts.

Examples:
  # All projects
  tidegate get projects

  # Which image serves where, and how much of it
  tidegate get artifacts -p sockshop";

const GET_PROJECTS: &str = "\
List the projects of the cluster.

Examples:
  # With their stages
  tidegate get projects";

const GET_STAGES: &str = "\
List stages, in the order in which an artifact walks through them.

Examples:
  # Of one project
  tidegate get stages -p sockshop";

const GET_SERVICES: &str = "\
List services, with the address under which each is reached.

Examples:
  # Of one project
  tidegate get services -p sockshop";

const GET_ARTIFACTS: &str = "\
List which image each version of each service has, and its weight.

Examples:
  # Of one project
  tidegate get artifacts -p sockshop

  # For scripts
  tidegate get artifacts -p sockshop -o json";

pub const ONBOARD: &str = "\
Give a service a place in each stage of a project.

Examples:
  # From a manifest with a Deployment, and a Service if it has one
  tidegate onboard service carts -p sockshop --deployment carts.yaml";

const ONBOARD_SERVICE: &str = "\
Give a service a place in each stage of a project: deployments, service,
destination rule, virtual service, gateway.

Examples:
  # From a manifest with a Deployment, and a Service if it has one
  tidegate onboard service carts -p sockshop --deployment carts.yaml

  # From what runs elsewhere, or from an image alone
  tidegate onboard service carts -p sockshop --from deployment/carts -n shop
  tidegate onboard service carts -p sockshop --image keptnexamples/carts:0.6.0

  # From a chart; needs helm
  tidegate onboard service carts -p sockshop --chart ./carts

  # A database stays single in every stage
  tidegate onboard service carts-db -p sockshop --deployment db.yaml --deployment-strategy direct

  # The objects for Git; nothing is written
  tidegate onboard service carts -p sockshop --image carts:0.6.0 -o yaml > carts.yaml

Only makes what is not there: objects of others are never changed, those of an
earlier run are left as they are. See `tidegate help delivery`.";

pub const ADD_RESOURCE: &str = "\
Add a file to a project, a stage, or a service: its gate, its tests.

Examples:
  # The gate of a service in every stage, and another one in production
  tidegate add-resource -p sockshop --service carts --resource perfspec.json
  tidegate add-resource -p sockshop --stage production --service carts --resource perfspec.json

The most special file of a name counts: a stage's for a service, then the
service's, the stage's, the project's.";

/// `create`
#[derive(Debug, Subcommand)]
pub enum Create {
    /// Make a project
    #[command(long_about = PROJECT)]
    Project(Box<Deferred<CreateProject>>),
}

/// `delete`
#[derive(Debug, Subcommand)]
pub enum Delete {
    /// Delete a project
    #[command(long_about = DELETE_PROJECT)]
    Project(DeleteProject),
}

/// `get`
#[derive(Debug, Subcommand)]
pub enum Get {
    /// List projects
    #[command(visible_alias = "project", long_about = GET_PROJECTS)]
    Projects(List),
    /// List stages
    #[command(visible_alias = "stage", long_about = GET_STAGES)]
    Stages(List),
    /// List services
    #[command(visible_alias = "service", long_about = GET_SERVICES)]
    Services(List),
    /// List artifacts
    #[command(visible_alias = "artifact", long_about = GET_ARTIFACTS)]
    Artifacts(List),
    /// List deliveries
    #[command(visible_alias = "run", aliases = ["event", "events"], long_about = super::delivery::GET_RUNS)]
    Runs(super::Runs),
}

/// `onboard`
#[derive(Debug, Subcommand)]
pub enum Onboard {
    /// Give a service a place in each stage
    #[command(long_about = ONBOARD_SERVICE)]
    Service(Box<Deferred<OnboardService>>),
}

/// How to write objects
#[derive(Debug, Args)]
pub struct Apply {
    /// Print what would be sent: client sends no write, server has it checked and not stored
    #[arg(long, value_name = "WHERE", value_enum, num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "client")]
    pub dry_run: DryRun,
    /// Output format; name, json and yaml print the objects and write nothing
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// `create project`
#[derive(Debug, Args)]
#[command(mut_args = without_s)]
pub struct CreateProject {
    /// Name of the project
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The shipyard, as keptn 0.4 took it
    #[arg(value_name = "FILE", conflicts_with = "shipyard", required_unless_present = "shipyard", hide = true)]
    pub file: Option<PathBuf>,
    /// File with the stages
    #[arg(long, short_alias = 's', value_name = "FILE")]
    pub shipyard: Option<PathBuf>,
    /// Names of the stages' namespaces [default: {project}-{stage}]
    #[arg(long, value_name = "TEMPLATE")]
    pub namespaces: Option<String>,
    /// How to write
    #[command(flatten)]
    pub apply: Apply,
    /// User of a Git repository; without meaning here
    #[arg(long, short_alias = 'u', value_name = "NAME", hide = true)]
    pub git_user: Option<String>,
    /// Token of a Git repository; without meaning here
    #[arg(long, short_alias = 't', value_name = "TEXT", hide = true)]
    pub git_token: Option<String>,
    /// Address of a Git repository; without meaning here
    #[arg(long, short_alias = 'r', value_name = "URL", hide = true)]
    pub git_remote_url: Option<String>,
}

/// `delete project`
#[derive(Debug, Args)]
pub struct DeleteProject {
    /// Name of the project
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Answer questions with yes
    #[arg(short, long)]
    pub yes: bool,
}

/// `get …`
#[derive(Debug, Args)]
pub struct List {
    /// Project, otherwise all
    #[arg(short, long, value_name = "NAME")]
    pub project: Option<String>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// `onboard service`
#[derive(Debug, Args)]
#[command(mut_args = without_s)]
pub struct OnboardService {
    /// Name of the service; the one in --values where none is given
    #[arg(value_name = "NAME", required_unless_present = "values")]
    pub name: Option<String>,
    /// Project
    #[arg(short, long, value_name = "NAME")]
    pub project: String,
    /// Manifest with a Deployment, and a Service if it has one
    #[arg(long, short_aliases = ['d', 'm'], alias = "manifest", value_name = "FILE")]
    pub deployment: Option<PathBuf>,
    /// Manifest with the Service, where it has a file of its own
    #[arg(long, short_alias = 's', value_name = "FILE", hide_short_help = true)]
    pub service: Option<PathBuf>,
    /// Directory of a chart, rendered by helm
    #[arg(long, value_name = "DIR", conflicts_with_all = ["deployment", "from", "values"])]
    pub chart: Option<PathBuf>,
    /// Deployment that runs already, as `deployment/carts` in the namespace
    #[arg(long, value_name = "OBJECT", conflicts_with_all = ["deployment", "values"])]
    pub from: Option<String>,
    /// Image to begin with; alone it gets a deployment with port 8080 and /health
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Values of keptn 0.4 for its templates
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub values: Option<PathBuf>,
    /// Strategy in all stages, instead of the shipyard's
    #[arg(long, value_name = "STRATEGY", value_enum)]
    pub deployment_strategy: Option<DeploymentStrategy>,
    /// How two versions stand side by side
    #[arg(long, value_name = "LAYOUT", value_enum, default_value_t = Layout::BlueGreen)]
    pub layout: Layout,
    /// Gate file that is kept for the service: a perfspec.json or an slo.yaml
    #[arg(long, value_name = "FILE")]
    pub gate: Option<PathBuf>,
    /// Queries of an slo.yaml's indicators
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub sli: Option<PathBuf>,
    /// File that says how the service is tested
    #[arg(long, value_name = "FILE")]
    pub tests: Option<PathBuf>,
    /// Domain of the ingress; the address of the ingress gateway where none is given
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// How to write
    #[command(flatten)]
    pub apply: Apply,
}

/// keptn's words for how a new version comes into a stage
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeploymentStrategy {
    /// One deployment, which gets the new image
    Direct,
    /// Two versions side by side
    #[value(name = "blue_green", alias = "blue_green_service")]
    BlueGreen,
}

/// How two versions stand side by side
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// Two colours behind one service, which are subsets
    BlueGreen,
    /// A primary and a canary, each with a service
    PrimaryCanary,
}

/// `add-resource`
#[derive(Debug, Args)]
#[command(mut_args = without_s)]
pub struct AddResource {
    /// Project
    #[arg(short, long, value_name = "NAME")]
    pub project: String,
    /// Stage, otherwise all
    #[arg(long, short_alias = 's', value_name = "NAME")]
    pub stage: Option<String>,
    /// Service, otherwise all
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// The file
    #[arg(long, short_alias = 'r', value_name = "FILE")]
    pub resource: PathBuf,
    /// Name to keep it under, otherwise its own
    #[arg(long, alias = "resourceUri", value_name = "NAME")]
    pub resource_uri: Option<String>,
    /// All stages, which is what no --stage means
    #[arg(long, hide = true, conflicts_with = "stage")]
    pub all_stages: bool,
}

/// Frees the letter of `--server` for what keptn means by it.
pub fn without_s(flag: Arg) -> Arg {
    if flag.get_id() == "server" { flag.short(None) } else { flag }
}
