//! Where numbers come from: Prometheus and what speaks its query API, any HTTP server, programs.
//!
//! What was answered is handed on as it came; what it means is decided in [`crate::core::gate`].

mod command;
mod http;
mod prometheus;

pub use crate::web::{Access, form};
pub use command::{Ended, run};
pub use http::{Answer, Ask, Direct, Transport};
pub use prometheus::Prometheus;
