//! Projects, their services, and what is delivered to them.

pub(super) mod control;
mod drive;
mod gate;
mod lease;
mod lock;
mod look;
pub(super) mod project;
mod rollout;
pub(super) mod send;
mod store;
mod tell;
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
