//! Projects, their services, and what is delivered to them.

pub(super) mod control;
mod drive;
mod gate;
#[allow(dead_code)] // for the engine
pub(super) mod ingress;
mod job;
mod lease;
mod lock;
mod look;
#[allow(dead_code)] // for the engine
pub(super) mod notify;
pub(super) mod project;
mod rollout;
pub(super) mod send;
mod store;
#[allow(dead_code)] // for the engine
pub(super) mod target;
mod tell;
#[allow(dead_code)] // for the engine
pub(super) mod tests;
mod traffic;

use super::Context;
use crate::cli::{Event, Send};
use crate::error::Result;

/// `send`
pub async fn send(context: &Context, what: Send) -> Result<()> {
    match what {
        Send::NewArtifact(arguments) | Send::Event { event: Event::NewArtifact(arguments) } => {
            send::new_artifact(context, arguments.0).await
        }
        Send::Event { event: Event::ApprovalFinished(event) } => control::approve(context, event.into()).await,
    }
}
