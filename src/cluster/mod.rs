//! The API server: the only place that names `kube`.
//!
//! kube knows what a kubeconfig may hold. Who we are ([`credential`]) and the connection ([`connect`] says why) are ours, and
//! so are the requests ([`api`]): objects stay the JSON that the server sent.

mod api;
mod connect;
mod credential;
mod kubeconfig;
mod narrow;
mod plugin;
mod read;
mod relay;
mod resources;
mod security;
mod service;
mod watch;
mod wording;

pub use api::{DryRun, Patched, Reply, rejection};
pub use connect::{Cluster, Options};
pub use kubeconfig::contexts;
pub use read::selector;
pub use relay::Place;
pub use resources::{
    CONFIG_MAPS, Created, DEPLOYMENTS, DESTINATION_RULES, EVENTS, GATEWAYS, JOBS, LEASES, NAMESPACES, NODES, PODS, REPLICA_SETS,
    Resource, SECRETS, SERVICES, VIRTUAL_SERVICES,
};
pub use service::ServicePort;
pub use watch::{Event, Watch};
