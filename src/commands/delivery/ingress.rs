//! Where the ingress is: read from the cluster, so that nobody has to configure it.

use crate::cluster::{Cluster, GATEWAYS, NODES, SERVICES};
use crate::core::delivery::ingress::{self, Address};
use crate::error::{Kind, Result};
use serde_json::{Value, json};

/// Where Istio's own gateway is.
const USUAL: &str = "istio-system";

/// The address of the gateway that serves a virtual service; none where it has no gateway, or nobody knows an address.
///
/// # Errors
/// As the API server says; what the user may not read is not known.
pub async fn address(cluster: &Cluster, virtual_service: &Value) -> Result<Option<Address>> {
    let namespace = virtual_service.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or(&cluster.namespace);
    let names = virtual_service.pointer("/spec/gateways").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for name in names.iter().filter_map(Value::as_str).filter(|name| *name != "mesh") {
        let (namespace, name) = match (name.split_once('/'), name.split_once('.')) {
            (Some((".", name)), _) => (namespace, name),
            (Some(both), _) => both,
            // keptn's and Istio's older way: `public-gateway.istio-system`, or all of the DNS name.
            (None, Some((name, rest))) => (rest.split('.').next().unwrap_or(namespace), name),
            (None, None) => (namespace, name),
        };
        let gateway = known(cluster.object(&GATEWAYS, namespace, name).await)?.flatten();
        let selector = gateway.and_then(|gateway| gateway.pointer("/spec/selector").cloned());
        if let Some(found) = of(cluster, &selector.unwrap_or_else(|| json!({"istio": "ingressgateway"}))).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The port of Istio's own gateway, with one request: enough for names that hold the address.
///
/// # Errors
/// As [`address`].
pub async fn port(cluster: &Cluster) -> Result<Option<u16>> {
    let services = known(cluster.list(&SERVICES, Some(USUAL), "istio=ingressgateway").await)?.unwrap_or_default();
    Ok(ingress::service(&services, &json!({"istio": "ingressgateway"})).and_then(ingress::port))
}

/// The address of the gateway whose pods have these labels.
async fn of(cluster: &Cluster, selector: &Value) -> Result<Option<Address>> {
    let pairs = selector.as_object().into_iter().flatten();
    let labels: Vec<String> = pairs.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    for (namespace, labels) in [(Some(USUAL), labels.join(",")), (None, labels.join(",")), (None, String::new())] {
        let services = known(cluster.list(&SERVICES, namespace, &labels).await)?.unwrap_or_default();
        let Some(service) = ingress::service(&services, selector) else { continue };
        if let Some(found) = ingress::address(service, &[]) {
            return Ok(Some(found));
        }
        let nodes = known(cluster.list(&NODES, None, "").await)?.unwrap_or_default();
        return Ok(ingress::address(service, &nodes));
    }
    Ok(None)
}

/// What may not be read is not known, and no failure: an address is a convenience.
pub fn known<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind, Kind::Forbidden | Kind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
