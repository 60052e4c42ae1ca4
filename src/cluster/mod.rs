//! The API server: the only place that names `kube`.
//!
//! kube finds and reads the kubeconfig, authenticates and builds the TLS configuration. The connection itself is ours
//! ([`connect`] says why), and so are the requests ([`api`]): objects stay the JSON that the server sent.

mod api;
mod connect;
mod credential;
mod kubeconfig;
mod narrow;
mod proxy;
mod read;
mod resources;
mod service;
mod watch;
mod wording;

pub use api::{DryRun, Patched, Reply, rejection};
pub use connect::{Cluster, Options};
pub use kubeconfig::contexts;
pub use read::{Found, selector};
pub use resources::{
    CONFIG_MAPS, Created, DEPLOYMENTS, DESTINATION_RULES, EVENTS, GATEWAYS, JOBS, LEASES, NAMESPACES, PODS, REPLICA_SETS,
    Resource, SECRETS, SERVICES, VIRTUAL_SERVICES,
};
pub use service::ServicePort;
pub use watch::{Event, Watch};
