//! The services that names mean among the objects that were read, wherever they are from.

use super::check::Facts;
use super::host::ServiceRef;
use super::object::Object;
use super::select::Service;
use crate::error::{Error, Result};
use crate::sorted;
use std::collections::BTreeMap;

/// Services with what was read beside them.
#[derive(Default)]
pub struct Found {
    /// The services.
    pub services: Vec<Service>,
    /// The rules and neighbours of their namespaces; empty without a pre-flight.
    pub facts: Facts,
    /// The namespaces that ask for care (label `tidegate/protected`), and those of which it cannot be said, with the reason.
    pub protected: BTreeMap<String, Result<bool>>,
    /// The delegates that are missing or may not be read, which the services then lack.
    pub unread: Vec<Error>,
}

impl Found {
    /// With everything that belongs to the services.
    ///
    /// # Errors
    /// The first reason why something is lacking.
    pub fn whole(mut self) -> Result<Self> {
        match self.unread.is_empty() {
            true => Ok(self),
            false => Err(self.unread.swap_remove(0)),
        }
    }
}

/// The objects that a name can mean: those of that name, else those that route for the host and carry weights. One is
/// certain; the others are for an error to list.
pub fn meant<'a>(wanted: &ServiceRef, list: impl Iterator<Item = &'a Object> + Clone) -> Vec<&'a Object> {
    // Names first: where thousands are named among thousands, hosts take their time.
    let named = |object: &&Object| object.name == wanted.name && object.is_meant(wanted);
    let mut fitting: Vec<&Object> = list.clone().filter(named).collect();
    if fitting.is_empty() {
        fitting = list.filter(|object| object.is_meant(wanted)).collect();
        // A delegate is reached through the object that delegates to it.
        let delegated = sorted::set(fitting.iter().flat_map(|object| object.delegates()));
        fitting.retain(|object| !delegated.contains(&(object.namespace.clone(), object.name.clone())));
    }
    if fitting.len() > 1 && fitting.iter().any(|object| weighted(object)) {
        fitting.retain(|object| weighted(object));
    }
    fitting
}

/// Whether any of its routes has several destinations.
pub fn weighted(object: &Object) -> bool {
    object.routes.iter().any(|route| route.destinations().len() > 1)
}
