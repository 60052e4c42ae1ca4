//! A small Prometheus: a time-series store in memory, PromQL over it, and the HTTP query API.
//!
//! It behaves as Prometheus 2.42 does, within what gates and dashboards of traffic ask: ranges include both ends,
//! an instant selector looks back five minutes, `rate` extrapolates to the edges of its window. Subqueries, the `@`
//! modifier, native histograms and recording rules are left out and answered with an error, never with a guess.
mod http;
pub mod promql;
mod tsdb;

pub use http::{Response, handle};
pub(crate) use tsdb::named;
pub use tsdb::{Counter, Labels, Sample, Series, Tsdb};

#[cfg(test)]
mod tests;
