//! Finds the version under test: its pods, the service in front of them, the ingress.

use super::ingress;
use crate::cluster::{Cluster, DEPLOYMENTS, SERVICES};
use crate::core::delivery::image::Image;
use crate::core::delivery::ingress::public_host;
use crate::core::delivery::pod;
use crate::core::delivery::tests::Target;
use crate::core::host::ServiceRef;
use crate::error::{Error, Kind, Result};
use serde_json::Value;

/// What a stage knows of the version that is in it.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// The project.
    pub project: &'a str,
    /// The stage.
    pub stage: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The service.
    pub service: &'a str,
    /// The deployment that has the version.
    pub deployment: &'a str,
    /// The image.
    pub image: &'a Image,
    /// Whether another version has the traffic.
    pub idle: bool,
}

/// Finds a version. The ingress is looked for only where `outside` is asked for: it costs a few requests.
///
/// # Errors
/// `NotFound` where the deployment is gone; as the API server says.
pub async fn find(cluster: &Cluster, version: Version<'_>, outside: bool) -> Result<Target> {
    let Version { project, stage, namespace, service, deployment, image, .. } = version;
    let (found, services) =
        tokio::join!(cluster.object(&DEPLOYMENTS, namespace, deployment), cluster.list(&SERVICES, Some(namespace), ""));
    let found = found?.ok_or_else(|| Error::not_found(format!("there is no deployment {deployment} in {namespace}")))?;
    let services = services?;
    let front = pod::front(&services, &found, service);
    let foreign = pod::is_foreign(&services, (&front.0, front.1));
    let (ingress, public_host) = match outside {
        true => self::outside(cluster, namespace, service).await?,
        false => (None, None),
    };
    let labels = found.pointer("/spec/selector/matchLabels").and_then(Value::as_object).into_iter().flatten();
    Ok(Target {
        project: project.into(),
        stage: stage.into(),
        namespace: namespace.into(),
        service: service.into(),
        image: image.repository.clone(),
        tag: image.tag.clone(),
        host: front.0,
        port: front.1,
        foreign,
        pods: labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        ingress,
        public_host,
    })
}

/// The ingress of a service, and the name by which users know it there: the virtual service's own, else one that holds the
/// ingress's address.
async fn outside(
    cluster: &Cluster,
    namespace: &str,
    service: &str,
) -> Result<(Option<crate::core::delivery::ingress::Address>, Option<String>)> {
    let wanted: ServiceRef = format!("{service}.{namespace}").parse()?;
    let found = match cluster.find(&wanted, false).await {
        Ok(found) => found,
        // A direct stage may have none.
        Err(error) if error.kind == Kind::NotFound => return Ok((None, None)),
        Err(error) => return Err(error),
    };
    for object in found.services.iter().flat_map(|service| &service.objects) {
        if let Some(address) = ingress::address(cluster, &object.raw).await? {
            let host = public_host(&object.raw).or_else(|| address.wildcard(service, namespace, "nip.io"));
            return Ok((Some(address), host));
        }
    }
    Ok((None, None))
}
