//! Moves a service's traffic to a new version, and back.
#[cfg(feature = "sandbox")]
pub mod sandbox;
