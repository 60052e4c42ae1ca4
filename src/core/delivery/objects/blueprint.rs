//! What a service is made of, before it has a place: a pod template and the ports of its service.

use super::needs;
use crate::core::delivery::image::Image;
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};

/// Ports whose protocol is known, and is not HTTP: MySQL, PostgreSQL, AMQP, Redis, Kafka, MongoDB.
const OTHER_PORTS: [u64; 6] = [3306, 5432, 5672, 6379, 9092, 27017];

/// What a service is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Blueprint {
    /// Its name.
    pub service: String,
    /// The `spec` of its deployments, but for what tells them apart.
    pub(super) spec: Map<String, Value>,
    /// The ports of its service.
    pub(super) ports: Vec<Value>,
    /// What its pods cannot start without: configuration, secrets, service accounts, claims.
    pub(super) needs: Vec<Value>,
    /// What of the manifests is not taken over, in words.
    pub notes: Vec<String>,
}

impl Blueprint {
    /// Takes the deployment and the service from manifests. `from` is what errors call them.
    ///
    /// # Errors
    /// `Usage` where no deployment is in them, or it is not clear which is meant.
    pub fn of(service: &str, from: &str, manifests: &[Value]) -> Result<Self> {
        let is_hook = |one: &&Value| !text(one, "/metadata/annotations/helm.sh~1hook").is_empty();
        let named = |kind: &str| -> Vec<&Value> {
            let all: Vec<&Value> = manifests.iter().filter(|one| text(one, "/kind") == kind && !is_hook(one)).collect();
            let own: Vec<&Value> = all.iter().copied().filter(|one| text(one, "/metadata/name") == service).collect();
            if own.is_empty() { all } else { own }
        };
        let deployment = match named("Deployment").as_slice() {
            [one] => *one,
            [] => {
                let kinds: Vec<&str> = manifests.iter().map(|one| text(one, "/kind")).filter(|kind| !kind.is_empty()).collect();
                let found = if kinds.is_empty() { "nothing".into() } else { kinds.join(", ") };
                return Err(Error::usage(format!("there is no Deployment in {from}; it has {found}")));
            }
            several => {
                let names: Vec<&str> = several.iter().map(|one| text(one, "/metadata/name")).collect();
                return Err(Error::usage(format!(
                    "none of the deployments in {from} is called `{service}`: {}",
                    names.join(", ")
                )));
            }
        };
        let mut blueprint = Self::empty(service);
        blueprint.take_deployment(from, deployment)?;
        let front = match named("Service").as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        match front {
            Some(one) => blueprint.take_service(one),
            None => blueprint.ports = blueprint.derived_ports(),
        }
        let mut missing = needs::of(blueprint.spec.get("template").unwrap_or(&Value::Null));
        let taken = |one: &Value| std::ptr::eq(one, deployment) || front.is_some_and(|front| std::ptr::eq(one, front));
        for other in manifests.iter().filter(|one| !text(one, "/kind").is_empty() && !taken(one)) {
            let (kind, name) = (text(other, "/kind"), text(other, "/metadata/name"));
            let need = (kind.to_owned(), name.to_owned());
            match is_hook(&other) {
                true => blueprint.notes.push(format!("{kind} {name} is a hook of helm's, and is not run")),
                false if missing.remove(&need) => blueprint.needs.push(other.clone()),
                false => blueprint.notes.push(format!("{kind} {name} is not made")),
            }
        }
        let missing = missing.into_iter().map(|(kind, name)| format!("the pods need {kind} {name}, which is not in {from}"));
        blueprint.notes.extend(missing);
        Ok(blueprint)
    }

    fn empty(service: &str) -> Self {
        let (spec, ports, needs, notes) = Default::default();
        Self { service: service.to_owned(), spec, ports, needs, notes }
    }

    /// A deployment of one container with a port and probes on `/health`.
    pub fn plain(service: &str, image: Option<&Image>, port: u64) -> Self {
        let probe = |delay: u64| json!({"httpGet": {"path": "/health", "port": port}, "initialDelaySeconds": delay, "periodSeconds": 10, "timeoutSeconds": 15});
        let mut container = json!({
            "name": service, "ports": [{"name": "http", "containerPort": port}],
            "readinessProbe": probe(0), "livenessProbe": probe(60),
        });
        if let Some(image) = image {
            container["image"] = image.to_string().into();
        }
        let spec = json!({
            "replicas": 1, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {"metadata": {"labels": {}}, "spec": {"containers": [container]}},
        });
        let mut blueprint = Self::empty(service);
        if let Value::Object(spec) = spec {
            blueprint.spec = spec;
        }
        blueprint.ports = blueprint.derived_ports();
        blueprint
    }

    /// With another port of its service.
    pub fn with_port(mut self, port: u64) -> Self {
        self.ports.iter_mut().for_each(|one| one["port"] = port.into());
        self
    }

    /// With so many replicas, and resources, where they are given.
    pub fn with(mut self, replicas: Option<u64>, resources: Option<&Value>) -> Self {
        if let Some(replicas) = replicas {
            self.spec.insert("replicas".into(), replicas.into());
        }
        if let Some(resources) = resources.filter(|resources| resources.is_object()) {
            let mut spec = std::mem::take(&mut self.spec);
            self.set_container(&mut spec, "resources", resources.clone());
            self.spec = spec;
        }
        self
    }

    /// With an image to begin with.
    pub fn with_image(mut self, image: &Image) -> Self {
        let mut spec = std::mem::take(&mut self.spec);
        self.set_container(&mut spec, "image", image.to_string().into());
        self.spec = spec;
        self
    }

    /// Whether it is known which image it begins with.
    pub fn has_image(&self) -> bool {
        self.image().is_some()
    }

    /// The image that it begins with.
    pub fn image(&self) -> Option<Image> {
        Image::parse(self.image_text()?).ok()
    }

    /// Whether its service speaks HTTP.
    pub fn is_http(&self) -> bool {
        self.ports.first().is_some_and(speaks_http)
    }

    /// Whether its pods keep data that two versions would share.
    pub fn keeps_data(&self) -> bool {
        let volumes = self.spec.get("template").and_then(|template| template.pointer("/spec/volumes")).and_then(Value::as_array);
        volumes.into_iter().flatten().any(|volume| volume.get("persistentVolumeClaim").is_some())
    }

    fn take_deployment(&mut self, from: &str, deployment: &Value) -> Result<()> {
        let name = text(deployment, "/metadata/name");
        let mut spec = deployment.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
        spec.retain(|key, value| !["selector", "paused"].contains(&key.as_str()) && !value.is_null());
        let template = spec.get_mut("template").and_then(Value::as_object_mut);
        let containers = template.as_ref().and_then(|template| template.get("spec")?.get("containers")?.as_array());
        if containers.is_none_or(Vec::is_empty) {
            return Err(Error::usage(format!("the Deployment `{name}` in {from} has no containers")));
        }
        if let Some(template) = template {
            let metadata = template.get("metadata").unwrap_or(&Value::Null);
            let map = |key: &str| metadata.get(key).filter(|value| value.is_object()).cloned();
            let mut own = json!({"labels": map("labels").unwrap_or_else(|| json!({}))});
            if let Some(annotations) = map("annotations") {
                own["annotations"] = annotations;
            }
            // kubectl leaves its mark there when it restarts a deployment.
            if let Some(annotations) = own.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.retain(|key, _| !key.starts_with("kubectl.kubernetes.io/"));
            }
            template.insert("metadata".into(), own);
        }
        self.spec = spec;
        // One that is left open is given by the first artifact; one that cannot be read is a slip.
        let image = self.image_text().unwrap_or_default();
        match image.trim_matches(':').is_empty() {
            true => Ok(()),
            false => Image::parse(image).map(|_| ()),
        }
    }

    fn image_text(&self) -> Option<&str> {
        let containers = self.spec.get("template")?.pointer("/spec/containers")?.as_array()?;
        containers.get(container(&self.service, containers)?)?.get("image")?.as_str()
    }

    fn take_service(&mut self, service: &Value) {
        let ports = service.pointer("/spec/ports").and_then(Value::as_array).cloned().unwrap_or_default();
        self.ports = ports;
        for port in self.ports.iter_mut().filter_map(Value::as_object_mut) {
            port.remove("nodePort");
        }
        let kind = text(service, "/spec/type");
        if !["", "ClusterIP"].contains(&kind) {
            self.notes.push(format!("the Service becomes a ClusterIP, not a {kind}: the ingress gateway leads to it"));
        }
    }

    /// The port of a service for the first port of the container.
    fn derived_ports(&self) -> Vec<Value> {
        let containers =
            self.spec.get("template").and_then(|template| template.pointer("/spec/containers")).and_then(Value::as_array);
        let ports = containers.and_then(|all| all.get(container(&self.service, all)?)?.get("ports")?.as_array());
        let Some(port) = ports.and_then(|ports| ports.first()?.get("containerPort")?.as_u64()) else { return Vec::new() };
        match OTHER_PORTS.contains(&port) {
            true => vec![json!({"name": format!("tcp-{port}"), "port": port, "targetPort": port})],
            false => vec![json!({"name": "http", "port": 80, "targetPort": port})],
        }
    }

    /// Sets a field of the container that is delivered.
    pub(super) fn set_container(&self, spec: &mut Map<String, Value>, key: &str, value: Value) {
        let containers = spec.get_mut("template").and_then(|template| template.pointer_mut("/spec/containers"));
        if let Some(containers) = containers.and_then(Value::as_array_mut)
            && let Some(one) = container(&self.service, containers).and_then(|at| containers.get_mut(at))
        {
            one[key] = value;
        }
    }
}

/// Whether a port of a service speaks HTTP, as Istio would tell by `appProtocol`, the port's name, or its number.
pub fn speaks_http(port: &Value) -> bool {
    let name = port.get("appProtocol").or_else(|| port.get("name")).and_then(Value::as_str).unwrap_or_default();
    let protocol = name.split('-').next().unwrap_or_default();
    let other = ["tcp", "udp", "tls", "https", "mongo", "mysql", "redis"].contains(&protocol);
    let number = |key: &str| port.get(key).and_then(Value::as_u64).is_some_and(|number| OTHER_PORTS.contains(&number));
    !other && (["http", "http2", "grpc"].contains(&protocol) || !number("port") && !number("targetPort"))
}

/// The container that is delivered: the one with the service's name, else the first.
pub fn container(service: &str, containers: &[Value]) -> Option<usize> {
    let named = containers.iter().position(|one| one.get("name").and_then(Value::as_str) == Some(service));
    named.or((!containers.is_empty()).then_some(0))
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
