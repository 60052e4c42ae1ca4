//! Delivery: an artifact walks through the stages of a project's shipyard.
//!
//! Pure: what a shipyard says, what an image reference means, which objects a service has in a stage, where a run stands and
//! what it does next. The driver is `commands::delivery`.

pub mod events;
pub mod image;
pub mod ingress;
pub mod inventory;
pub mod mtls;
pub mod objects;
pub mod pod;
pub mod project;
pub mod rollout;
pub mod run;
pub mod seen;
pub mod shipyard;
pub mod standing;
pub mod template;
pub mod tests;
