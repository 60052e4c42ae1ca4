//! Projects, their services, and what is delivered to them.

#[allow(dead_code)] // for the engine
pub(super) mod ingress;
mod job;
pub(super) mod project;
#[allow(dead_code)] // for the engine
pub(super) mod tests;
