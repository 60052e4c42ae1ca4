//! What tidegate knows: weights, routes, releases, patches, plans and what must hold before traffic moves.
//!
//! Pure: no I/O, no clock, no printing. What was read comes in as [`serde_json::Value`], time as an argument.

pub mod check;
pub mod conflict;
pub mod delivery;
mod draft;
pub mod duration;
pub mod find;
pub mod gate;
pub mod host;
pub mod judge;
pub mod lint;
mod locate;
pub mod manifest;
pub mod object;
pub mod owner;
pub mod past;
pub mod patch;
mod placed;
pub mod plan;
pub mod release;
pub mod route;
pub mod select;
pub mod shell;
pub mod status;
pub mod suggest;
pub mod weight;
mod yaml;
