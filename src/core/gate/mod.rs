//! Quality gates: gate files, what they ask, and what the answers come to. No sources: what was measured comes in as data.

pub mod criteria;
pub mod dynatrace;
pub mod evaluation;
pub mod lint;
mod locate;
pub mod number;
pub mod perfspec;
pub mod prometheus;
pub mod require;
pub mod slo;
mod yaml;

#[cfg(test)]
mod vectors;
