//! `evaluate`

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// `evaluate`
#[derive(Debug, Args)]
pub struct Evaluate {
    /// Service whose candidate is judged, for --require
    #[arg(value_name = "SERVICE")]
    pub service: Option<String>,
    /// Gate file; `tidegate help gates` lists the formats
    #[arg(long, value_name = "FILE", conflicts_with = "require")]
    pub gate: Option<PathBuf>,
    /// Queries of the gate file's indicators, where it has none of its own
    #[arg(long, value_name = "FILE", requires = "gate", hide_short_help = true)]
    pub sli: Option<PathBuf>,
    /// Requirement: `success-rate>=99`, `p95<500ms`, `error-rate<=stable+1%`; can be repeated
    #[arg(long, value_name = "EXPR", required_unless_present_any = ["gate", "from_evidence", "judge"])]
    pub require: Vec<String>,
    /// Destination that is judged; the candidate of the release where none is named
    #[arg(long, value_name = "NAME", requires = "require", hide_short_help = true)]
    pub candidate: Option<String>,
    /// Destination to compare with; the stable side of the release where none is named
    #[arg(long, value_name = "NAME", requires = "require", hide_short_help = true)]
    pub stable: Option<String>,
    /// Whose metrics --require reads: the mesh's, or those of an Envoy with Istio's cluster names
    #[arg(long, value_name = "WHOSE", value_enum, default_value_t = Metrics::Istio, requires = "require", hide_short_help = true)]
    pub metrics: Metrics,
    /// Measured values, in place of a source; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
    /// Judge of values of both sides
    #[arg(long, value_name = "JUDGE", value_enum, requires = "values", conflicts_with_all = ["gate", "require"], hide_short_help = true)]
    pub judge: Option<Judge>,
    /// Earlier evaluations to compare with: a file (newest first), a directory, or `history` for the cluster's; the last two keep this one, too
    #[arg(long, value_name = "WHERE", requires = "gate", hide_short_help = true)]
    pub compare_with: Option<PathBuf>,
    /// Grade again what an earlier `-o json` was graded by
    #[arg(long, value_name = "FILE", conflicts_with_all = ["gate", "require", "service"], hide_short_help = true)]
    pub from_evidence: Option<PathBuf>,
    /// How far back to look
    #[arg(long, value_name = "DURATION", value_parser = super::duration, conflicts_with = "start")]
    pub timeframe: Option<Duration>,
    /// Beginning of the window, RFC 3339
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub start: Option<String>,
    /// End of the window, RFC 3339; now where none is given
    #[arg(long, value_name = "TIME", requires = "start", hide_short_help = true)]
    pub end: Option<String>,
    /// Grade every past window of this span instead, and say how often the gate would have failed
    #[arg(long, value_name = "DURATION", value_parser = super::duration, conflicts_with_all = ["start", "values", "from_evidence", "show_queries"], hide_short_help = true)]
    pub replay: Option<Duration>,
    /// From one window of --replay to the next
    #[arg(long, value_name = "DURATION", value_parser = super::duration, requires = "replay", hide_short_help = true)]
    pub step: Option<Duration>,
    /// Project, for placeholders
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub project: Option<String>,
    /// Stage, for placeholders
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub stage: Option<String>,
    /// Label for placeholders, as `k=v`; can be repeated
    #[arg(long, value_name = "LABEL", hide_short_help = true)]
    pub label: Vec<String>,
    /// Argument of the gate file, as `k=v`; can be repeated
    #[arg(long, value_name = "ARGUMENT", requires = "gate", hide_short_help = true)]
    pub arg: Vec<String>,
    /// Verdict that fails: with `warning`, a warning exits with 11
    #[arg(long, value_name = "VERDICT", value_enum, default_value_t = FailOn::Fail, hide_short_help = true)]
    pub fail_on: FailOn,
    /// What to do while too little is known: wait until the timeout, or take it for fail or pass
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Inconclusive::Wait, hide_short_help = true)]
    pub on_inconclusive: Inconclusive,
    /// Say the verdict, and exit with 0 whatever it is
    #[arg(long, hide_short_help = true)]
    pub advisory: bool,
    /// Print the queries, and ask nothing
    #[arg(long, hide_short_help = true)]
    pub show_queries: bool,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Report::Table)]
    pub output: Report,
    /// Give up after this long; 0 asks once
    #[arg(long, value_name = "DURATION", env = "TIDEGATE_TIMEOUT", hide_env_values = true, value_parser = super::duration, hide_short_help = true)]
    pub timeout: Option<Duration>,
    /// Where metrics come from
    #[command(flatten)]
    pub sources: super::Sources,
}

/// Judges of values of both sides
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Judge {
    /// Kayenta's: the test of Mann and Whitney
    Kayenta,
}

/// Metrics of a mesh
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Metrics {
    /// Istio's standard metrics: `istio_requests_total` and its like
    Istio,
    /// Envoy's cluster statistics: `envoy_cluster_upstream_rq` and its like
    Envoy,
}

/// Verdicts that fail a command
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A warning does, too
    Warning,
    /// Only a failure
    Fail,
}

/// What to do while too little is known
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Inconclusive {
    /// Look again until the timeout
    Wait,
    /// Take it for a failure
    Fail,
    /// Take it for a pass
    Pass,
}

/// Output formats of an evaluation
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Report {
    /// For people
    Table,
    /// For people, with the queries
    Wide,
    /// JSON, with all that is needed to grade again
    Json,
    /// YAML
    Yaml,
    /// JUnit's XML
    Junit,
    /// Markdown
    Markdown,
    /// The result of Pitometer
    Pitometer,
    /// The result of keptn's lighthouse service
    Keptn,
}
