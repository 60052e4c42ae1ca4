//! Where numbers come from: Prometheus and what speaks its query API, Dynatrace.
//!
//! What was answered is handed on as it came; what it means is decided in [`crate::core::gate`].

mod http;
mod prometheus;

pub use http::{Access, Answer, Ask, Direct, Transport, form};
pub use prometheus::Prometheus;
