//! Everything that is seen from outside: the program run as a user runs it, and the repository around it.

mod ci;
mod forbidden;
mod fuzz;
mod layers;
mod manifests;
mod repository;

#[cfg(feature = "sandbox")]
mod cli;
#[cfg(feature = "sandbox")]
mod contract;
#[cfg(feature = "sandbox")]
mod generated;
#[cfg(feature = "sandbox")]
mod plane;
#[cfg(feature = "sandbox")]
mod readme;
#[cfg(feature = "sandbox")]
mod support;
