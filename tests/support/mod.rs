//! What the tests are written with: runs of the program, servers to run it against, and requests of the tests' own.

pub mod certificate;
pub mod client;
pub mod filter;
pub mod lab;
pub mod prometheus;
pub mod pty;
pub mod rest;
pub mod run;
pub mod sandbox;
pub mod server;
pub mod stub;
pub mod webhook;

pub use expect_test::expect;
pub use run::{Run, eventually, interrupt, tidegate};
pub use sandbox::{Sandbox, route, split, virtual_service};
pub use serde_json::json;

/// A directory that goes with the test.
pub fn directory() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("tidegate-test-").tempdir().expect("a temporary directory")
}
