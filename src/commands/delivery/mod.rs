//! Projects, their services, and what is delivered to them.

pub(super) mod project;
