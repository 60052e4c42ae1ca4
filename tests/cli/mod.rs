//! The commands, as a user runs them, against the sandbox.

mod bad_input;
mod confirm;
mod connect;
mod delivery;
mod demo;
mod dry_run;
mod earlier;
mod errors;
mod evaluate;
mod exit_codes;
mod group;
mod help;
mod history;
mod interrupt;
mod output;
mod preflight;
mod project;
mod promote;
mod rollback;
mod routes;
mod services;
mod settings;
mod shift;
mod status;
mod versions;
mod warnings;
