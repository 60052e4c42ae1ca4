//! From a destination to ready pods: host, Service, subset, labels.
use std::collections::BTreeMap;

use serde_json::Value;

use super::Snapshot;
use super::plan::{Answer, age};
use crate::sandbox::image::Behaviour;
use crate::sorted;

/// A Service as it is named in metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// `carts.shop.svc.cluster.local`
    pub host: String,
    /// `carts`
    pub name: String,
    /// `shop`
    pub namespace: String,
}

/// A pod as it is named in metrics, and how it behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The pod.
    pub pod: String,
    /// Its namespace.
    pub namespace: String,
    /// The Deployment, StatefulSet or DaemonSet.
    pub name: String,
    /// The label `app`.
    pub app: String,
    /// The label `version`.
    pub version: String,
    /// Istio's canonical service.
    pub canonical_service: String,
    /// Istio's canonical revision.
    pub canonical_revision: String,
    /// The image of the first container.
    pub image: String,
    /// What that does.
    pub behaviour: Behaviour,
}

/// Looks up destinations in a cluster.
pub struct Endpoints<'a> {
    services: BTreeMap<String, &'a Value>,
    destination_rules: Vec<&'a Value>,
    pods: &'a [&'a Value],
}

impl<'a> Endpoints<'a> {
    pub fn new(cluster: &'a Snapshot<'_>) -> Self {
        let host = |s: &Value| full_host(text(&s["metadata"]["name"]), text(&s["metadata"]["namespace"]));
        let mut destination_rules: Vec<&Value> = cluster.destination_rules.clone();
        sorted::by_key(&mut destination_rules, |rule| age(rule));
        Self { services: sorted::map(cluster.services.iter().map(|s| (host(s), *s))), destination_rules, pods: &cluster.pods }
    }

    /// Whether a full host is a Service.
    pub fn has(&self, host: &str) -> bool {
        self.services.contains_key(host)
    }

    /// Who answers what is sent to a destination of a route in this namespace.
    pub fn answer(&self, destination: &Value, namespace: &str) -> Answer {
        let host = full_host(text(&destination["host"]), namespace);
        let no_cluster = Answer::Proxy { code: 503, flags: "NC", service: None };
        let Some(service) = self.services.get(&host) else { return no_cluster };
        let any = Value::Null;
        let labels = match text(&destination["subset"]) {
            "" => &any,
            subset => match self.subset(&host, subset) {
                Some(labels) => labels,
                None => return no_cluster,
            },
        };
        let (name, namespace) = (text(&service["metadata"]["name"]), text(&service["metadata"]["namespace"]));
        let selector = &service["spec"]["selector"];
        let selected = |pod: &&&Value| {
            text(&pod["metadata"]["namespace"]) == namespace && selects(selector, pod) && has_labels(pod, labels) && is_ready(pod)
        };
        let pods: Vec<Workload> = self.pods.iter().filter(selected).map(|pod| workload(pod)).collect();
        let service = Service { host, name: name.to_owned(), namespace: namespace.to_owned() };
        if pods.is_empty() {
            return Answer::Proxy { code: 503, flags: "UH", service: Some(service) };
        }
        Answer::Pods(service, pods)
    }

    /// The labels of a subset; all DestinationRules of a host count, the first that names it wins.
    fn subset(&self, host: &str, subset: &str) -> Option<&'a Value> {
        let of_host = |rule: &&&Value| {
            let pattern = full_host(text(&rule["spec"]["host"]), text(&rule["metadata"]["namespace"]));
            pattern == host || pattern.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix))
        };
        let mut subsets = self.destination_rules.iter().filter(of_host).flat_map(|r| items(&r["spec"]["subsets"]));
        subsets.find(|s| text(&s["name"]) == subset).map(|s| &s["labels"])
    }
}

/// Completes a name without a dot, as Istio does; anything else stands as it is.
pub fn full_host(host: &str, namespace: &str) -> String {
    if host.contains('.') || host == "*" {
        return host.to_owned();
    }
    format!("{host}.{namespace}.svc.cluster.local")
}

/// The elements of a list, none where there is no list.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A string, empty where there is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether a Service with this selector takes a pod in; one without a selector takes none.
pub fn selects(selector: &Value, pod: &Value) -> bool {
    selector.as_object().is_some_and(|s| !s.is_empty()) && has_labels(pod, selector)
}

fn has_labels(pod: &Value, wanted: &Value) -> bool {
    let labels = &pod["metadata"]["labels"];
    wanted.as_object().into_iter().flatten().all(|(name, value)| labels.get(name) == Some(value))
}

fn is_ready(pod: &Value) -> bool {
    let ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
    pod["metadata"]["deletionTimestamp"].is_null() && items(&pod["status"]["conditions"]).iter().any(ready)
}

/// What Istio's metrics say of a pod.
pub fn workload(pod: &Value) -> Workload {
    let meta = &pod["metadata"];
    let name = workload_name(meta);
    let label = |names: &[&str], otherwise: &str| {
        let found = names.iter().map(|n| text(&meta["labels"][*n])).find(|value| !value.is_empty());
        found.unwrap_or(otherwise).to_owned()
    };
    let app = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
    let version = ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"];
    let image = text(&pod["spec"]["containers"][0]["image"]);
    Workload {
        pod: text(&meta["name"]).to_owned(),
        namespace: text(&meta["namespace"]).to_owned(),
        app: label(&["app"], "unknown"),
        version: label(&["version"], "unknown"),
        canonical_service: label(&app, &name),
        canonical_revision: label(&version, "latest"),
        name,
        image: image.to_owned(),
        behaviour: Behaviour::of_image(image),
    }
}

/// A ReplicaSet is named after its Deployment and the hash of the template, its pods after it.
fn workload_name(meta: &Value) -> String {
    let hash = text(&meta["labels"]["pod-template-hash"]);
    let without_hash = |name: &str| match name.rsplit_once('-') {
        Some((deployment, last)) if hash.is_empty() || last == hash => deployment.to_owned(),
        _ => name.to_owned(),
    };
    match items(&meta["ownerReferences"]).first() {
        Some(owner) if owner["kind"] == "ReplicaSet" => without_hash(text(&owner["name"])),
        Some(owner) => text(&owner["name"]).to_owned(),
        None => match text(&meta["name"]).rsplit_once('-') {
            Some((replica_set, _)) if !hash.is_empty() => without_hash(replica_set),
            _ => text(&meta["name"]).to_owned(),
        },
    }
}
