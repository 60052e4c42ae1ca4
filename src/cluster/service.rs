//! Services of the cluster, reached through the API server with the user's own rights: no port-forward, no ingress.

use super::connect::Cluster;
use super::read::{METADATA, encode};
use crate::error::{Error, Result};
use http::Method;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A service and its port, as the proxy path names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: u16,
}

/// Where Prometheus usually is, in the order in which it is looked for: keptn's, Istio's sample, the operator's, the
/// charts'.
const USUAL: [(&str, &str, u16); 6] = [
    ("monitoring", "prometheus-service", 8080),
    ("istio-system", "prometheus", 9090),
    ("monitoring", "prometheus-operated", 9090),
    ("monitoring", "prometheus-server", 80),
    ("prometheus", "prometheus-server", 80),
    ("monitoring", "prometheus", 9090),
];

impl Cluster {
    /// The Prometheus of the cluster, if it is at one of the usual places.
    ///
    /// # Errors
    /// `Unreachable` and `Forbidden` as the API server says; an absent service is none.
    pub async fn prometheus(&self) -> Result<Option<ServicePort>> {
        for (namespace, name, port) in USUAL {
            let reply = self.request(Method::GET, &format!("/api/v1/namespaces/{namespace}/services/{name}"), None, None).await?;
            if reply.is_success() {
                return Ok(Some(ServicePort { namespace: namespace.into(), name: name.into(), port }));
            }
        }
        Ok(None)
    }

    /// Sends a request to a service; gives status and body as the service answered.
    ///
    /// # Errors
    /// `Unreachable` where the API server does not answer.
    pub async fn through(&self, service: &ServicePort, path: &str, query: &str, form: Option<String>) -> Result<(u16, String)> {
        let ServicePort { namespace, name, port } = service;
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy{path}{query}");
        let reply = match form {
            Some(form) => {
                self.request(Method::POST, &path, None, Some(("application/x-www-form-urlencoded", form.into_bytes()))).await?
            }
            None => self.request(Method::GET, &path, None, None).await?,
        };
        let body = match reply.body {
            Value::String(text) => text,
            json => json.to_string(),
        };
        Ok((reply.status, body))
    }

    /// The deployments (or other owners) of the pods with these labels.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn workloads(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Result<Vec<String>> {
        let selector: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let query = format!("labelSelector={}", encode(&selector.join(",")));
        let mut names = BTreeSet::new();
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        self.items(&path, &query, Some(METADATA), true, |pod| {
            let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str);
            let Some(owner) = text("/metadata/ownerReferences/0/name") else { return };
            // A replica set is its deployment and a hash; Istio names the deployment.
            let hash = text("/metadata/labels/pod-template-hash").map(|hash| format!("-{hash}"));
            let name = hash.and_then(|hash| owner.strip_suffix(hash.as_str())).unwrap_or(owner);
            names.insert(name.to_owned());
        })
        .await?;
        match names.is_empty() {
            true => Err(Error::not_found(format!("no pod in namespace {namespace} has the labels {}", selector.join(",")))),
            false => Ok(names.into_iter().collect()),
        }
    }
}
