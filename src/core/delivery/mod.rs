//! Delivery: an artifact walks through the stages of a project's shipyard.
//!
//! Pure: what a shipyard says, what an image reference means, which objects a service has in a stage, where a run stands and
//! what it does next. The driver is `commands::delivery`.

pub mod shipyard;
