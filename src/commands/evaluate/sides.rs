//! Whose numbers a release is judged by.

use super::question::Question;
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
        let candidate = match named(&question.candidate, Role::Candidate) {
            Some(label) => side(cluster, service, &label).await?,
            None => {
                let route = service.routes().find(|chosen| !chosen.route.destinations().is_empty());
                let chosen = route.ok_or_else(|| Error::not_found(format!("`{name}` has no destinations")))?;
                let host = host::resolve(&chosen.route.destinations()[0].host, &service.objects[chosen.object].namespace);
                Side { service: host, target: Target::Service }
            }
        };
        let stable = match named(&question.stable, Role::Stable)
            .filter(|_| candidate.target != Target::Service || question.stable.is_some())
        {
            Some(label) => Some(side(cluster, service, &label).await?),
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
async fn side(cluster: &Cluster, service: &Service, label: &str) -> Result<Side> {
    let found = service.routes().find_map(|chosen| Some((chosen, chosen.route.find(label).ok()?)));
    let (chosen, place) =
        found.ok_or_else(|| Error::not_found(format!("`{}` has no destination `{}`", service.name, label.escape_debug())))?;
    let to = &chosen.route.destinations()[place];
    let host = host::resolve(&to.host, &service.objects[chosen.object].namespace);
    let Some(subset) = &to.subset else { return Ok(Side { service: host, target: Target::Service }) };
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
