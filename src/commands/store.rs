//! Where the objects of a change are: in a cluster, or in manifests. The rest of a change is the same for both.

use super::manifests::Manifests;
use crate::cluster::Cluster;
use crate::core::plan::Change;
use crate::core::select::Service;
use crate::sorted;
use crate::ui;

/// Where objects are read and written.
pub(super) enum Store {
    /// The API server's.
    Cluster(Box<Cluster>),
    /// Files.
    Manifests(Box<Manifests>),
}

impl Store {
    /// Where the objects of a plan are, for people.
    pub fn place(&self, planned: &super::change::Plans, care: &str) -> String {
        let objects = || planned.iter().flat_map(|(service, _)| &service.objects);
        let namespaces = sorted::set(objects().map(|object| object.namespace.as_str()).filter(|one| !one.is_empty()));
        let namespaces: Vec<&str> = namespaces.into_iter().collect();
        match self {
            Store::Cluster(cluster) => format!("context {}, namespace {}{care}", cluster.context, namespaces.join(", ")),
            Store::Manifests(_) => {
                let files = sorted::set(objects().filter_map(|object| Some(object.origin.as_deref()?.file.as_str())));
                let mut place = files.into_iter().collect::<Vec<_>>().join(", ");
                if !namespaces.is_empty() {
                    place += &format!(", namespace {}", namespaces.join(", "));
                }
                place
            }
        }
    }

    /// What was searched in vain.
    pub fn searched(&self) -> String {
        match self {
            Store::Cluster(cluster) => format!("{} namespace", cluster.namespace),
            Store::Manifests(manifests) => manifests.title(),
        }
    }

    /// The change as a diff: of each route's weights, or of the files.
    pub fn diff(&self, planned: &super::change::Plans, plain: bool) -> String {
        match self {
            Store::Cluster(_) => {
                let diff = |(service, changes): &(Service, Vec<Change>)| -> String {
                    changes.iter().map(|change| ui::diff(service, change)).collect()
                };
                planned.iter().map(diff).collect()
            }
            Store::Manifests(manifests) => manifests.diff(plain),
        }
    }

    /// The manifests, where there are some.
    pub fn manifests(&self) -> Option<&Manifests> {
        match self {
            Store::Cluster(_) => None,
            Store::Manifests(manifests) => Some(manifests),
        }
    }
}
