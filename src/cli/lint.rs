//! `lint`

use super::Format;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// `lint`
#[derive(Debug, Args)]
pub struct Lint {
    /// Gate files, or directories to search for them; `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Fail on warnings, too
    #[arg(long)]
    pub strict: bool,
    /// How often the metrics source looks at its targets
    #[arg(long, value_name = "DURATION", value_parser = super::duration, default_value = "15s")]
    pub scrape_interval: Duration,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
}
