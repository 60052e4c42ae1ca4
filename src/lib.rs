//! Moves a service's traffic to a new version, and back.
//!
//! ```text
//! argv ─► cli ─► settings ─► Intent ─► cluster reads ─► core::plan ─► exec writes ─► ui ─► exit code
//! ```
//!
//! Every command that writes is an [`core::plan::Intent`]: a pure planner turns it and what was read into guarded patches,
//! and [`exec`] is the only place that sends them. The edges (`cluster`, `files`, `metrics`, `probe`, `notify`, `ui`,
//! `sandbox`) do not know each other; what several of them need is below them: how connections are opened (`dial`), HTTP by URL (`web`), order
//! (`sorted`). A test holds these arrows.

pub mod cli;
pub mod cluster;
mod commands;
pub mod complete;
pub mod core;
mod dial;
pub mod error;
pub mod exec;
pub mod exit;
pub mod files;
pub mod metrics;
pub mod notify;
pub mod probe;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod settings;
mod sorted;
pub mod ui;
pub mod web;

use clap::builder::Styles;
use clap::{Args as _, CommandFactory as _, FromArgMatches as _};
use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

/// The whole command line, for help, completion and man pages.
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the program with `arguments`, its own name first.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let mut definition = command();
    if is_kubectl_plugin(arguments.first()) {
        definition = definition.bin_name("kubectl tidegate");
    }
    let named = arguments.iter().skip(1).find(|word| definition.find_subcommand(word).is_some());
    if named.is_none() {
        // Nothing will inherit the global flags, of which clap would make a copy for each subcommand.
        definition = definition.mut_args(|flag| flag.global(false));
    }
    if ui::is_plain() {
        // What would only be taken out again is a tenth of the help.
        definition = definition.styles(Styles::plain());
    }
    // Taking the definition apart would be a tenth of the start; the end of the process does it at once.
    let mut definition = ManuallyDrop::new(definition);
    if let Some(cli) = named.and_then(|name| parse_alone(definition.find_subcommand(name)?, &arguments)) {
        return commands::run(cli);
    }
    let parsed = definition.try_get_matches_from_mut(&arguments).and_then(|matches| cli::Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => commands::run(cli),
        Err(error) => {
            if error.use_stderr()
                && let Some(told) = cli::explained(&arguments)
            {
                ui::Ui::default().error(&told);
                return ExitCode::from(told.kind.code());
            }
            // Help and version go to stdout, wrong usage to stderr; a reader that has gone is no failure.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
        }
    }
}

/// Parses as if there were no other subcommand, in half the time. What this cannot parse is for the whole definition to
/// explain.
fn parse_alone(subcommand: &clap::Command, arguments: &[OsString]) -> Option<cli::Cli> {
    let root =
        clap::Command::new("tidegate").args_override_self(true).disable_help_subcommand(true).subcommand(subcommand.clone());
    let mut alone = ManuallyDrop::new(cli::Global::augment_args(root));
    cli::Cli::from_arg_matches(&alone.try_get_matches_from_mut(arguments).ok()?).ok()
}

/// kubectl runs a plugin as `kubectl-tidegate`.
fn is_kubectl_plugin(program: Option<&OsString>) -> bool {
    let name = program.and_then(|program| std::path::Path::new(program).file_name());
    name.is_some_and(|name| name.to_string_lossy().starts_with("kubectl-"))
}
