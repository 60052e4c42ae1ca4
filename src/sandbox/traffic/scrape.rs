//! What Prometheus scrapes: the proxies of clients and pods, and the applications in the pods.
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::Snapshot;
use super::endpoints::{items, selects, text, workload};
use super::meter::{self, Client};
use crate::sandbox::image;
use crate::sandbox::metrics::Labels;

/// The targets, with the labels that a scrape adds.
#[derive(Debug, Default)]
pub struct Scrape {
    /// By name.
    pub targets: BTreeMap<String, Labels>,
    /// The names of a pod's application, one for each job, by the name of its proxy.
    pub apps: HashMap<String, Vec<String>>,
}

impl Scrape {
    /// All running pods are scraped; a pod's application once for each Service that selects it, as job
    /// `SERVICE-NAMESPACE`.
    pub fn of(cluster: &Snapshot<'_>) -> Self {
        let mut scrape = Self::default();
        for client in [Client::Mesh, Client::Gateway] {
            scrape.proxy(client.namespace(), client.workload(), client.workload());
        }
        for pod in cluster.pods.iter().filter(|pod| text(&pod["status"]["phase"]) == "Running") {
            let (namespace, name) = (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
            let address = Some(text(&pod["status"]["podIP"])).filter(|ip| !ip.is_empty());
            let address = address.unwrap_or(name);
            scrape.proxy(namespace, name, address);
            let own = |service: &&&Value| {
                text(&service["metadata"]["namespace"]) == namespace && selects(&service["spec"]["selector"], pod)
            };
            for service in cluster.services.iter().filter(own) {
                scrape.app(pod, text(&service["metadata"]["name"]), address);
            }
        }
        scrape
    }

    fn proxy(&mut self, namespace: &str, pod: &str, address: &str) {
        let labels =
            [("job", "kubernetes-pods"), ("namespace", namespace), ("pod", pod), ("instance", &format!("{address}:15020"))];
        self.targets.insert(meter::target(namespace, pod), owned(labels));
    }

    fn app(&mut self, pod: &Value, service: &str, address: &str) {
        let of = workload(pod);
        let label = |name: &str| Some(text(&pod["metadata"]["labels"][name])).filter(|value| !value.is_empty());
        let port = items(&pod["spec"]["containers"][0]["ports"]).first().and_then(|port| port["containerPort"].as_u64());
        let job = format!("{service}-{}", of.namespace);
        let labels = [
            ("job", job.as_str()),
            ("namespace", &of.namespace),
            ("pod", &of.pod),
            ("instance", &format!("{address}:{}", port.unwrap_or(8080))),
            ("deployment", label("deployment").unwrap_or(&of.name)),
            ("version", label("version").unwrap_or(image::tag(&of.image))),
        ];
        let proxy = meter::target(&of.namespace, &of.pod);
        let name = format!("{job} {proxy}");
        self.targets.insert(name.clone(), owned(labels));
        self.apps.entry(proxy).or_default().push(name);
    }
}

fn owned<const N: usize>(labels: [(&str, &str); N]) -> Labels {
    labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
