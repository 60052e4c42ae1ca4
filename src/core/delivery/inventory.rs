//! Which version of which service is where: read from what is there, whoever made it.

use super::objects::{NO_IMAGE, container};
use crate::core::check::Rules;
use crate::core::host;
use crate::core::object::Object;
use crate::core::route::Protocol;
use crate::sorted;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One version of a service in a namespace.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// The service.
    pub service: String,
    /// What its route calls this version: a subset or a host; none where nothing routes between versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The deployment that runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// The image of its pods; none before the first delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its weight as stored; none where nothing routes between versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// How many of its pods are ready.
    pub ready: u64,
    /// How many there should be.
    pub replicas: u64,
    /// Where it is reached from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What was read of a namespace.
#[derive(Debug, Default)]
pub struct Namespace {
    /// Its virtual services.
    pub routes: Vec<Object>,
    /// Its destination rules.
    pub rules: Rules,
    /// Its services.
    pub services: Vec<Value>,
    /// Its deployments.
    pub deployments: Vec<Value>,
}

impl Namespace {
    /// All versions of all services. A service is a virtual service; what no virtual service leads to is a service of its
    /// own, with the name of its deployment.
    pub fn artifacts(&self) -> Vec<Artifact> {
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let mut artifacts = Vec::new();
        for object in &self.routes {
            let mut seen = BTreeSet::new();
            let routes =
                object.routes.iter().filter(|route| route.id.protocol != Protocol::Tls || route.destinations().len() > 1);
            for to in routes.flat_map(|route| route.destinations()) {
                if !seen.insert((&to.host, &to.subset)) {
                    continue;
                }
                let deployment = self.deployment(&host::resolve(&to.host, &object.namespace), to.subset.as_deref());
                used.extend(deployment.map(name));
                let several = object.routes.iter().any(|route| route.destinations().len() > 1);
                artifacts.push(Artifact {
                    version: several.then(|| to.label.clone()),
                    weight: several.then(|| to.weight.value()),
                    url: object.public().map(|host| format!("http://{host}")),
                    ..artifact(&object.name, deployment)
                });
            }
        }
        let alone = self.deployments.iter().filter(|deployment| !used.contains(name(deployment)));
        artifacts.extend(alone.map(|deployment| artifact(name(deployment), Some(deployment))));
        sorted::by(&mut artifacts, |a, b| (&a.service, &a.version).cmp(&(&b.service, &b.version)));
        artifacts
    }

    /// The deployment behind a destination: its pods carry the labels of the subset, and those that the service selects.
    pub fn deployment(&self, resolved: &str, subset: Option<&str>) -> Option<&Value> {
        let mut wanted: BTreeMap<String, String> = match subset {
            Some(subset) => self.rules.subset(resolved, subset)?.labels.clone(),
            None => BTreeMap::new(),
        };
        if let Some((service, _)) = host::service_of(resolved) {
            let service = self.services.iter().find(|one| name(one) == service);
            let selector = service.and_then(|one| one.pointer("/spec/selector")).and_then(Value::as_object);
            let pairs = selector.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            wanted.extend(pairs);
        }
        let fits = |deployment: &&Value| {
            let labels = deployment.pointer("/spec/template/metadata/labels");
            wanted.iter().all(|(key, value)| labels.and_then(|all| all.get(key)).and_then(Value::as_str) == Some(value))
        };
        if wanted.is_empty() { None } else { self.deployments.iter().find(fits) }
    }
}

fn artifact(service: &str, deployment: Option<&Value>) -> Artifact {
    let number = |pointer: &str| deployment.and_then(|one| one.pointer(pointer)).and_then(Value::as_u64);
    Artifact {
        service: service.to_owned(),
        version: None,
        deployment: deployment.map(|one| name(one).to_owned()),
        image: deployment.and_then(|one| image(one, service)).filter(|image| *image != NO_IMAGE).map(str::to_owned),
        weight: None,
        ready: number("/status/readyReplicas").unwrap_or(0),
        replicas: number("/spec/replicas").unwrap_or(if deployment.is_some() { 1 } else { 0 }),
        url: None,
    }
}

/// The image of the container that a delivery changes.
fn image<'a>(deployment: &'a Value, service: &str) -> Option<&'a str> {
    let containers = deployment.pointer("/spec/template/spec/containers")?.as_array()?;
    containers.get(container(service, containers)?)?.get("image")?.as_str()
}

fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(name: &str, labels: &Value, image: &str) -> Value {
        json!({
            "metadata": {"name": name},
            "spec": {"replicas": 2, "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                {"name": "proxy", "image": "proxy:1"}, {"name": "carts", "image": image}]}}},
            "status": {"readyReplicas": 1},
        })
    }

    #[test]
    fn versions_are_found_by_labels_whoever_made_them() {
        let mut namespace = Namespace::default();
        namespace.rules.add(&json!({"metadata": {"namespace": "shop"}, "spec": {"host": "carts", "subsets": [
            {"name": "blue", "labels": {"colour": "b"}}, {"name": "green", "labels": {"colour": "g"}}]}}));
        namespace.services = vec![json!({"metadata": {"name": "carts"}, "spec": {"selector": {"app": "carts"}}})];
        namespace.deployments = vec![
            deployment("one", &json!({"app": "carts", "colour": "g"}), "carts:2"),
            deployment("two", &json!({"app": "carts", "colour": "b"}), "carts:1"),
            deployment("carts-db", &json!({"app": "db"}), "mongo:4"),
        ];
        namespace.routes = vec![Object::read(json!({
            "metadata": {"name": "carts", "namespace": "shop"},
            "spec": {"hosts": ["carts", "carts.shop.example.com"], "gateways": ["outside", "mesh"], "http": [{"route": [
                {"destination": {"host": "carts", "subset": "blue"}, "weight": 100},
                {"destination": {"host": "carts", "subset": "green"}}]}]},
        }))];
        let told: Vec<String> = namespace
            .artifacts()
            .iter()
            .map(|one| {
                format!("{} {:?} {:?} {:?} {:?} {:?}", one.service, one.version, one.deployment, one.image, one.weight, one.url)
            })
            .collect();
        assert_eq!(
            told,
            [
                r#"carts Some("blue") Some("two") Some("carts:1") Some(100) Some("http://carts.shop.example.com")"#,
                r#"carts Some("green") Some("one") Some("carts:2") Some(0) Some("http://carts.shop.example.com")"#,
                r#"carts-db None Some("carts-db") Some("proxy:1") None None"#,
            ]
        );
    }
}
