//! Whose numbers a release is judged by.

use super::question::Question;
use crate::cli::Metrics;
use crate::cluster::Cluster;
use crate::core::gate::require::{Side, Target};
use crate::core::host;
use crate::core::release::Role;
use crate::core::select::Service;
use crate::error::{Error, Result};

/// The sides of a release, as the metrics tell them apart.
pub struct Sides {
    /// The one that is judged.
    pub candidate: Side,
    /// The one to compare with.
    pub stable: Option<Side>,
}

impl Sides {
    /// The candidate and the stable side of a service's release, or the whole service where there is none.
    ///
    /// # Errors
    /// `NotFound` where there is no such service or destination.
    pub async fn of(cluster: &Cluster, question: &Question) -> Result<Self> {
        let Some(name) = &question.service else { return Err(Error::usage("--require needs the name of a service")) };
        let found = cluster.find(&name.parse()?, false).await?;
        let service = found.services.first().ok_or_else(|| Error::not_found(format!("no virtual service for `{name}`")))?;
        let named = |given: &Option<String>, role: Role| given.clone().or_else(|| released(service, role));
        let one = |label: String| async move { side(cluster, service, &label, question.metrics).await };
        let label = named(&question.candidate, Role::Candidate);
        // Without a release it is the whole service that is judged, and nothing is beside it.
        let released = label.is_some();
        let candidate = match label {
            Some(label) => one(label).await?,
            None => {
                let route = service.routes().find(|chosen| !chosen.route.destinations().is_empty());
                let chosen = route.ok_or_else(|| Error::not_found(format!("`{name}` has no destinations")))?;
                let host = host::resolve(&chosen.route.destinations()[0].host, &service.objects[chosen.object].namespace);
                Side { service: host, target: whole(question.metrics) }
            }
        };
        let stable = match named(&question.stable, Role::Stable).filter(|_| released || question.stable.is_some()) {
            Some(label) => Some(one(label).await?),
            None => None,
        };
        Ok(Self { candidate, stable })
    }
}

/// The destination that has a role in the release in progress.
fn released(service: &Service, role: Role) -> Option<String> {
    let mut labels = service.objects.iter().flat_map(|object| {
        let release = object.release.as_ref();
        object
            .routes
            .iter()
            .flat_map(|route| route.weights())
            .filter(move |(label, _)| release.and_then(|release| release.role_of(label)) == Some(role))
    });
    labels.next().map(|(label, _)| label)
}

/// How the metrics know a destination: by its own service, by the version of its subset, or by its deployments.
async fn side(cluster: &Cluster, service: &Service, label: &str, metrics: Metrics) -> Result<Side> {
    let found = service.routes().find_map(|chosen| Some((chosen, chosen.route.find(label).ok()?)));
    let (chosen, place) =
        found.ok_or_else(|| Error::not_found(format!("`{}` has no destination `{}`", service.name, label.escape_debug())))?;
    let to = &chosen.route.destinations()[place];
    let host = host::resolve(&to.host, &service.objects[chosen.object].namespace);
    let Some(subset) = &to.subset else { return Ok(Side { service: host, target: whole(metrics) }) };
    if metrics == Metrics::Envoy {
        return Ok(Side { service: host, target: Target::Cluster(subset.clone()) });
    }
    let namespace = host::service_of(&host).map_or(cluster.namespace.clone(), |(_, namespace)| namespace.to_owned());
    let rules = cluster.rules(Some(&namespace), true).await?;
    let labels = rules.subset(&host, subset).map(|subset| subset.labels.clone());
    let labels = labels.ok_or_else(|| Error::not_found(format!("{host} has no subset `{subset}`")))?;
    let target = match labels.get("version").filter(|_| labels.len() == 1) {
        Some(version) => Target::Version(version.clone()),
        None => Target::Workloads(cluster.workloads(&namespace, &labels).await?),
    };
    Ok(Side { service: host, target })
}

/// All requests to a service.
fn whole(metrics: Metrics) -> Target {
    match metrics {
        Metrics::Istio => Target::Service,
        Metrics::Envoy => Target::Cluster(String::new()),
    }
}
