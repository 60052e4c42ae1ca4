//! Moves a service's traffic to a new version, and back.
pub mod cluster;
pub mod core;
pub mod error;
pub mod exit;
#[cfg(feature = "sandbox")]
pub mod sandbox;
