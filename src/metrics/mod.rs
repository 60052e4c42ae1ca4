//! Where numbers come from: Prometheus and what speaks its query API, any HTTP server, programs.
//!
//! What was answered is handed on as it came; what it means is decided in [`crate::core::gate`].

mod command;
mod http;
mod prometheus;

pub use command::{Ended, run};
pub use http::{Access, Answer, Ask, Direct, Transport, form};
pub use prometheus::Prometheus;
