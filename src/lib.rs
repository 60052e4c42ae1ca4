//! Moves a service's traffic to a new version, and back.
//!
//! ```text
//! argv ─► cli ─► settings ─► Intent ─► cluster reads ─► core::plan ─► exec writes ─► ui ─► exit code
//! ```
//!
//! Every command that writes is an [`core::plan::Intent`]: a pure planner turns it and what was read into guarded patches,
//! and [`exec`] is the only place that sends them. The edges (`cluster`, `ui`, `sandbox`) do not know each other; a test
//! holds these arrows.

pub mod cli;
pub mod cluster;
mod commands;
pub mod complete;
pub mod core;
pub mod error;
pub mod exec;
pub mod exit;
pub mod metrics;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod settings;
pub mod ui;

use clap::{CommandFactory as _, FromArgMatches as _};
use std::ffi::OsString;
use std::process::ExitCode;

/// The whole command line, for help, completion and man pages.
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the program with `arguments`, its own name first.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let mut command = command();
    if is_kubectl_plugin(arguments.first()) {
        command = command.bin_name("kubectl tidegate");
    }
    let parsed = command.try_get_matches_from_mut(arguments).and_then(|matches| cli::Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => commands::run(cli),
        Err(error) => {
            // Help and version go to stdout, wrong usage to stderr; a reader that has gone is no failure.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
        }
    }
}

/// kubectl runs a plugin as `kubectl-tidegate`.
fn is_kubectl_plugin(program: Option<&OsString>) -> bool {
    let name = program.and_then(|program| std::path::Path::new(program).file_name());
    name.is_some_and(|name| name.to_string_lossy().starts_with("kubectl-"))
}
