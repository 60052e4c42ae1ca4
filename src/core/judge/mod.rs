//! Verdicts with statistics.
#![doc = include_str!("statistics.md")]

mod comparison;
mod counts;
mod dispersion;
mod evidence;
mod interval;
pub mod kayenta;

mod latency;
mod limit;
#[cfg(test)]
mod simulation;
mod verdict;

pub use comparison::{Allowed, Comparison};
pub use counts::{Counts, increase};
pub use dispersion::Dispersion;
pub use interval::Interval;
pub use latency::Slower;
pub use limit::Limit;
pub use verdict::{Decision, Missing, Side, Verdict};
