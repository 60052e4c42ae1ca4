//! Quality gates: gate files, what they ask, and what the answers come to. No sources: what was measured comes in as data.

pub mod dynatrace;
pub mod evaluation;
pub mod lint;
mod locate;
pub mod number;
pub mod perfspec;
pub mod prometheus;
pub mod require;

#[cfg(test)]
mod vectors;
