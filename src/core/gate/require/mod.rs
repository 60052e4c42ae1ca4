//! `--require`: indicators of the mesh's own metrics that need no file and no query.
//!
//! | term | means |
//! |---|---|
//! | `success-rate>=99`, `error-rate<=1%` | of the requests, in per cent: 5xx and gRPC statuses other than 0 are errors |
//! | `p95<500ms`, `p99<=1s` | a latency percentile; judged as "at most 5 % are slower than 500 ms" |
//! | `rps>=1` | requests a second |
//! | `error-rate<=stable`, `error-rate<=stable+1%`, `error-rate<=stable*1.5` | the candidate against the stable side, over the same intervals |
//! | `p99<=stable*1.2`, `p99<=stable+50ms` | against the stable side's own percentile in the window |
//!
//! They are read from Istio's standard metrics, or from the cluster statistics of an Envoy whose clusters are named as Istio
//! names them; those know no gRPC status.
//!
//! Shares are judged as counts, always-valid ([`crate::core::judge`]): a term passes when it is proven, fails when the
//! contrary is, and is inconclusive until then.

mod grade;
mod measure;
mod parse;

pub use grade::grade;
pub use measure::{Sampled, Side, Target, answer, cadence, freshness, latest, query_buckets, query_requests, query_samples};
pub use parse::{Bound, Indicator, Term};

#[cfg(test)]
mod tests;
