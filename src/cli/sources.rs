//! Flags that say where metrics come from.

use clap::Args;
use std::path::PathBuf;

/// Where metrics come from
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Metrics sources")]
pub struct Sources {
    /// URL of Prometheus; looked for in the cluster where none is given
    #[arg(long, value_name = "URL", env = "TIDEGATE_PROMETHEUS", hide_env_values = true)]
    pub prometheus: Option<String>,
    /// File with a bearer token for Prometheus
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub prometheus_token_file: Option<PathBuf>,
    /// File with `user:password` for Prometheus
    #[arg(long, value_name = "FILE", hide_short_help = true, conflicts_with = "prometheus_token_file")]
    pub prometheus_basic_file: Option<PathBuf>,
    /// File with the certificate authority of Prometheus
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub prometheus_ca: Option<PathBuf>,
    /// File with a client certificate for Prometheus
    #[arg(long, value_name = "FILE", hide_short_help = true, requires = "prometheus_key")]
    pub prometheus_cert: Option<PathBuf>,
    /// File with the key of the client certificate
    #[arg(long, value_name = "FILE", hide_short_help = true, requires = "prometheus_cert")]
    pub prometheus_key: Option<PathBuf>,
    /// URL of a proxy to Prometheus, instead of HTTP_PROXY and HTTPS_PROXY
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub prometheus_proxy: Option<String>,
    /// Header for Prometheus, as `X-Scope-OrgID: team`; can be repeated
    #[arg(long, value_name = "HEADER", hide_short_help = true)]
    pub prometheus_header: Vec<String>,
    /// URL of Dynatrace, as `https://ID.live.dynatrace.com`; its token is in DT_API_TOKEN, a file, or keptn's Secret
    #[arg(long, value_name = "URL", env = "TIDEGATE_DYNATRACE", hide_env_values = true, hide_short_help = true)]
    pub dynatrace: Option<String>,
    /// File with the API token for Dynatrace
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub dynatrace_token_file: Option<PathBuf>,
}
