//! The sandbox keeps the contract of a real API server: every case runs on both. Where they differ, the sandbox is wrong.

mod access;
mod admission;
mod commands;
mod conflict;
mod delivery;
mod dry_run;
mod list;
mod mesh;
mod patch;
mod project;
mod read;
mod relay;
mod runs;
mod table;
mod watch;

use crate::support::filter::filtered;
use crate::support::rest::Reply;
use crate::support::server::Server;

/// The body of an answer, readable, without what differs from server to server.
fn told(server: &Server, reply: &Reply) -> String {
    let body = serde_json::to_string_pretty(&reply.body).expect("JSON");
    format!("{} {}\n", reply.status, filtered(&server.anonymous(&body)))
}

/// Status, reason and message of a failure, likewise.
fn failure(server: &Server, reply: &Reply) -> String {
    filtered(&server.anonymous(&reply.failure())) + "\n"
}
