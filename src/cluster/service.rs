//! Services of the cluster, reached through the API server with the user's own rights: no port-forward, no ingress.

use super::connect::Cluster;
use super::read::METADATA;
use super::resources::SERVICES;
use crate::error::{Error, Kind, Result};
use crate::sorted;
use crate::web::encoded;
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

/// The labels of Prometheus' service: as Kubernetes recommends them, and those of the older chart.
const LABELS: [&str; 2] = ["app.kubernetes.io/name=prometheus", "app=prometheus,component=server"];

/// A service with the port of its web server: by its name, else by Prometheus' number.
fn web_port(service: &Value) -> Option<ServicePort> {
    let text = |pointer: &str| service.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let ports = service.pointer("/spec/ports")?.as_array()?;
    let named = |port: &&Value| matches!(port.get("name").and_then(Value::as_str), Some("http" | "web" | "http-web"));
    let usual = |port: &&Value| port.get("port").and_then(Value::as_u64) == Some(9090);
    let port =
        ports.iter().find(named).or_else(|| ports.iter().find(usual)).or(if ports.len() == 1 { ports.first() } else { None })?;
    let number = u16::try_from(port.get("port")?.as_u64()?).ok()?;
    Some(ServicePort { namespace: text("/metadata/namespace")?, name: text("/metadata/name")?, port: number })
}

impl Cluster {
    /// The Prometheus of the cluster, if it is at one of the usual places, or has the usual labels.
    ///
    /// # Errors
    /// `Usage` where several namespaces have one; `Unreachable` and `Forbidden` as the API server says. An absent service is
    /// none.
    pub async fn prometheus(&self) -> Result<Option<ServicePort>> {
        for (namespace, name, port) in USUAL {
            let reply = self.request(Method::GET, &format!("/api/v1/namespaces/{namespace}/services/{name}"), None, None).await?;
            if reply.is_success() {
                return Ok(Some(ServicePort { namespace: namespace.into(), name: name.into(), port }));
            }
        }
        for labels in LABELS {
            let services = match self.list(&SERVICES, None, labels).await {
                // Who may not look everywhere has the usual places, and the flag.
                Err(error) if error.kind == Kind::Forbidden => return Ok(None),
                services => services?,
            };
            let mut found: Vec<ServicePort> = services.iter().filter_map(web_port).collect();
            sorted::by(&mut found, |a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
            let Some(first) = found.first().cloned() else { continue };
            if found.iter().any(|one| one.namespace != first.namespace) {
                let places: Vec<String> = found.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect();
                return Err(Error::usage(format!("the cluster has several Prometheus: {}", places.join(", ")))
                    .hint("name the one that is meant: `--prometheus URL`"));
            }
            return Ok(Some(first));
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
        let query = format!("labelSelector={}", encoded(&selector.join(",")));
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
