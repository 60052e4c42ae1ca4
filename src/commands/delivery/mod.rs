//! Projects, their services, and what is delivered to them.

mod announce;
mod apply;
mod blueprints;
mod chart;
pub(super) mod control;
mod create;
mod delete;
mod drive;
mod gate;
mod get;
mod ingress;
mod job;
mod lease;
mod lock;
mod look;
mod notify;
mod onboard;
pub(super) mod project;
mod reach;
mod resources;
mod rollout;
pub(super) mod send;
mod single;
pub(super) mod standing;
mod store;
mod target;
mod tell;
mod tests;
mod traffic;

use super::Context;
use crate::cli::{AddResource, Create, Delete, Event, Get, Onboard, Send};
use crate::error::{Error, Result};

pub(super) async fn create(context: &Context, command: Create) -> Result<()> {
    let Create::Project(arguments) = command;
    create::run(context, arguments.0).await
}

pub(super) async fn delete(context: &Context, command: Delete) -> Result<()> {
    let Delete::Project(arguments) = command;
    delete::run(context, arguments).await
}

pub(super) async fn get(context: &Context, command: Get) -> Result<()> {
    get::run(context, command).await
}

pub(super) async fn onboard(context: &Context, command: Onboard) -> Result<()> {
    let Onboard::Service(arguments) = command;
    onboard::run(context, arguments.0).await
}

pub(super) async fn add_resource(context: &Context, arguments: AddResource) -> Result<()> {
    resources::run(context, arguments).await
}

/// `send`
pub(super) async fn send(context: &Context, what: Send) -> Result<()> {
    match what {
        Send::NewArtifact(arguments) => send::new_artifact(context, arguments.0).await,
        Send::Event(arguments) => match (arguments.0.event, arguments.0.file) {
            (Some(Event::NewArtifact(arguments)), _) => send::new_artifact(context, arguments.0).await,
            (Some(Event::ApprovalFinished(event)), _) => control::approve(context, event.into()).await,
            (None, Some(file)) => send::event(context, &file, arguments.0.way).await,
            // clap insists on one of them.
            (None, None) => Err(Error::usage("which event? `--file FILE`")),
        },
    }
}
