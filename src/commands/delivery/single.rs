//! Services that were onboarded with one deployment in stages whose shipyard has two: databases, mostly.

use super::gate;
use super::project::{Project, label, text};
use crate::cluster::{Cluster, DEPLOYMENTS, SERVICES};
use crate::core::delivery::objects::speaks_http;
use crate::core::delivery::project::{MANAGED, SERVICE};
use crate::core::delivery::shipyard::{Strategy, TestStrategy};
use crate::core::delivery::tests;
use crate::error::Result;
use futures_util::future::try_join_all;
use serde_json::Value;

/// The project as it is for this service: where it is single a stage is direct, and judged as if it had two; but where it
/// speaks no HTTP and nobody says how else it is tested, it is neither tested nor judged. The names of the stages that differ
/// come with it.
///
/// # Errors
/// As the API server says.
pub async fn adapted(cluster: &Cluster, mut project: Project, service: &str) -> Result<(Project, Vec<String>)> {
    let looks = project.stages.iter().map(|(stage, namespace)| async move {
        match stage.deployment {
            Strategy::Direct => Ok(None),
            Strategy::BlueGreen => look(cluster, namespace, service).await,
        }
    });
    let found = try_join_all(looks).await?;
    let mut named = Vec::new();
    for (at, single) in found.into_iter().enumerate() {
        let Some(http) = single else { continue };
        let tested = http || project.resource(&project.stages[at].0.name, service, &[tests::FILE]).is_some();
        let Some((stage, _)) = project.stages.get_mut(at) else { continue };
        stage.deployment = Strategy::Direct;
        if !tested {
            (stage.test, stage.timeframe) = (TestStrategy::None, None);
        } else if !stage.is_gated() {
            stage.timeframe = Some(gate::WINDOW);
        }
        named.push(stage.name.clone());
    }
    Ok((project, named))
}

/// Whether the service has one deployment in a namespace, made when it was onboarded, and if so whether it speaks HTTP.
async fn look(cluster: &Cluster, namespace: &str, service: &str) -> Result<Option<bool>> {
    let own = cluster.list(&DEPLOYMENTS, Some(namespace), &format!("{SERVICE}={service}")).await?;
    let [only] = own.as_slice() else { return Ok(None) };
    if text(only, "/metadata/name") != service || label(only, MANAGED.0) != Some(MANAGED.1) {
        return Ok(None);
    }
    let front = cluster.object(&SERVICES, namespace, service).await?;
    let port = front.as_ref().and_then(|front| front.pointer("/spec/ports/0"));
    Ok(Some(port.is_none_or(|port: &Value| speaks_http(port))))
}
