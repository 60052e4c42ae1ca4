//! What is routed where: rows for `status`, one a destination, in words of the domain.

use super::check::{Endpoints, Ready, Rules};
use super::delivery::standing::Told;
use super::host;
use super::object::Object;
use super::release::{self, Phase};
use super::route::{Action, Stored};
use serde::Serialize;

/// A virtual service as `status` shows it. Its JSON is the documented output of `status -o json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The manifest that holds it, where it is not a cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its hosts, resolved; empty for a delegate.
    pub hosts: Vec<String>,
    /// What its project says of it. Most services of a cluster have none, so it takes no room in them.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub told: Option<Box<Told>>,
    /// Its name outside of the mesh.
    #[serde(skip)]
    pub public: Option<String>,
    /// Its routes that carry traffic to destinations, and those that do not, with the reason.
    pub routes: Vec<RouteStatus>,
    /// The release it records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseStatus>,
    /// Who changed its routes last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    /// The Git operators and controllers that also write it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_by: Vec<String>,
}

/// One route.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteStatus {
    /// `http[1]`.
    pub route: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which requests it takes; absent where all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// False where an earlier route takes everything.
    pub reachable: bool,
    /// Weights other than the last recorded change left.
    pub drifted: bool,
    /// Its destinations.
    pub destinations: Vec<DestinationStatus>,
    /// What it does where it has no destinations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationStatus {
    /// What it is called.
    pub name: String,
    /// Its host, resolved.
    pub host: String,
    /// Its subset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// The stored weight; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Its part of the requests that take this route, from 0 to 1.
    pub share: f64,
    /// `stable` or `candidate`, where the release says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// Ready endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<usize>,
    /// All endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<usize>,
}

/// A release in a few fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// Its id.
    pub id: String,
    /// `progressing`, `complete` or `undone`.
    pub phase: &'static str,
    /// When it began.
    pub since: String,
    /// Who began it.
    pub by: String,
}

/// The last change of the routes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// When.
    pub at: String,
    /// Who: the person of the record, or the field manager.
    pub by: String,
}

impl ServiceStatus {
    /// Whether a release is in progress.
    pub fn in_progress(&self) -> bool {
        self.release.as_ref().is_some_and(|release| release.phase == Phase::Progressing.name())
    }

    /// The namespaces of the services that it sends to.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        let destinations = self.routes.iter().flat_map(|route| &route.destinations);
        destinations.filter_map(|to| host::service_of(&to.host)).map(|(_, namespace)| namespace)
    }

    /// Counts the ready endpoints of each destination anew.
    pub fn count(&mut self, rules: &Rules, endpoints: &Endpoints) {
        for to in self.routes.iter_mut().flat_map(|route| &mut route.destinations) {
            let ready = match &to.subset {
                None => endpoints.ready(&to.host, &Default::default()),
                // Without any rule of the host nothing is known of its subsets.
                Some(_) if rules.subsets(&to.host).is_empty() => None,
                Some(name) => match rules.subset(&to.host, name) {
                    Some(subset) => endpoints.ready(&to.host, &subset.labels),
                    None => Some(Ready { ready: 0, total: 0 }),
                },
            };
            to.ready = ready.map(|ready| ready.ready);
            to.endpoints = ready.map(|ready| ready.total);
        }
    }
}

/// The status of one object.
pub fn of(object: &Object, rules: &Rules, endpoints: &Endpoints) -> ServiceStatus {
    let routes: Vec<RouteStatus> = object
        .routes
        .iter()
        .map(|route| {
            let action = match &route.action {
                Action::Forward(_) => None,
                Action::Delegate { name, namespace } => {
                    Some(format!("delegates to {}/{name}", namespace.as_deref().unwrap_or(&object.namespace)))
                }
                Action::Other(what) => Some((*what).to_owned()),
                Action::Broken(why) => Some(why.clone()),
            };
            let destinations = route.destinations().iter().zip(route.shares()).map(|(to, share)| {
                let host = host::resolve(&to.host, &object.namespace);
                DestinationStatus {
                    name: to.label.clone(),
                    subset: to.subset.clone(),
                    weight: (to.weight != Stored::Missing).then(|| to.weight.value()),
                    share,
                    role: object.release.as_ref().and_then(|release| release.role_of(&to.label)).map(release::Role::name),
                    ready: None,
                    endpoints: None,
                    host,
                }
            });
            RouteStatus {
                route: route.id.to_string(),
                name: route.name.clone(),
                only: route.condition.clone(),
                reachable: route.reachable,
                drifted: release::drifted(&object.history, route),
                destinations: destinations.collect(),
                action,
            }
        })
        .collect();
    let drifted = routes.iter().any(|route| route.drifted);
    let recorded = object.history.last().filter(|_| !drifted).map(|last| Changed { at: last.at.clone(), by: last.by.clone() });
    let written = object.writer.as_ref().map(|writer| Changed { at: writer.at.clone(), by: writer.manager.clone() });
    let mut status = ServiceStatus {
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        file: object.origin.as_ref().map(|origin| origin.file.clone()),
        hosts: object.hosts.clone(),
        told: None,
        public: object.public().map(str::to_owned),
        routes,
        release: object.release.as_ref().map(|release| ReleaseStatus {
            id: release.id.clone(),
            phase: release.phase.name(),
            since: release.since.clone(),
            by: release.by.clone(),
        }),
        changed: recorded.or(written),
        managed_by: object.owners.iter().map(|owner| owner.name.clone()).collect(),
    };
    status.count(rules, endpoints);
    status
}
