//! Projects, their services, and what is delivered to them.

#[allow(dead_code)] // for the engine
pub(super) mod ingress;
mod job;
#[allow(dead_code)] // for the engine
pub(super) mod notify;
pub(super) mod project;
#[allow(dead_code)] // for the engine
pub(super) mod target;
#[allow(dead_code)] // for the engine
pub(super) mod tests;
