//! `configure`

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

pub const ABOUT: &str = "\
Say where metrics come from, once.

Examples:
  # A Prometheus, for everybody who works in this directory
  tidegate configure monitoring prometheus --prometheus http://localhost:9090";

const MONITORING: &str = "\
Store where metrics come from, after a look whether it answers; print what
Prometheus must scrape.

Examples:
  # In tidegate.yaml, for everybody who works in this directory
  tidegate configure monitoring prometheus --prometheus http://localhost:9090

  # In a Secret of the namespace, for everybody who works with it; the token is in
  # DT_API_TOKEN
  tidegate configure monitoring dynatrace --in-cluster --dynatrace abc.live.dynatrace.com

  # What to scrape of a service in its stages, as keptn's scripts wrote it
  tidegate configure monitoring prometheus --project shop --service carts -o yaml

  # The same, into a file for prometheus.yml's scrape_config_files
  tidegate configure monitoring prometheus --project shop --service carts --write carts.yml

A Prometheus that the cluster has at one of the usual places is found without
being stored.";

/// `configure`
#[derive(Debug, Subcommand)]
pub enum Configure {
    /// Say where metrics come from, and what to scrape
    #[command(long_about = MONITORING)]
    Monitoring(Box<Monitoring>),
}

/// `configure monitoring`
#[derive(Debug, Args)]
pub struct Monitoring {
    /// Source of metrics
    #[arg(value_name = "SOURCE", value_enum)]
    pub source: Source,
    /// Project whose service is scraped; its stages are the namespaces PROJECT-STAGE
    #[arg(long, value_name = "NAME", requires = "service")]
    pub project: Option<String>,
    /// Service that is scraped
    #[arg(long, value_name = "NAME", requires = "project")]
    pub service: Option<String>,
    /// Stage that is scraped, without a look into the cluster; can be repeated
    #[arg(long, value_name = "NAME", requires = "project", hide_short_help = true)]
    pub stage: Vec<String>,
    /// Path at which the service has its metrics
    #[arg(long, value_name = "PATH", default_value = "/prometheus", hide_short_help = true)]
    pub metrics_path: String,
    /// Store it in a Secret of the namespace, with the token or password
    #[arg(long)]
    pub in_cluster: bool,
    /// Write the scrape configuration to a file
    #[arg(long, value_name = "FILE", requires = "project")]
    pub write: Option<PathBuf>,
    /// Print the scrape configuration
    #[arg(short, long, value_name = "FORMAT", value_enum, requires = "project")]
    pub output: Option<Scrape>,
    /// Where metrics come from
    #[command(flatten)]
    pub sources: super::Sources,
}

/// Sources of metrics
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// Prometheus, or what speaks its query API
    Prometheus,
    /// Dynatrace
    Dynatrace,
}

/// How a scrape configuration is printed
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scrape {
    /// As Prometheus reads it
    Yaml,
}
