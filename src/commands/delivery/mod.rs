//! Projects, their services, and what is delivered to them.

mod apply;
mod blueprints;
mod create;
mod delete;
mod get;
mod onboard;
pub(super) mod project;
mod resources;

use super::Context;
use crate::cli::{AddResource, Create, Delete, Get, Onboard};
use crate::error::Result;

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
