//! The objects that a service has in a stage.
//!
//! Two layouts for stages whose traffic is split. In keptn 0.2 to 0.4 two colours are subsets of one service; from 0.5 on
//! a primary and a canary each have a service of their own. A direct stage has one deployment.

mod blueprint;
mod difference;
mod needs;

pub use blueprint::{Blueprint, container, speaks_http};
pub use difference::differences;

use super::project::{MANAGED, PROJECT, SERVICE};
use crate::core::host;
use serde_json::{Value, json};

/// The API version in which Istio's objects are written: every version of Istio serves it from 1.22 on, and what is sent is
/// adjusted to what the server has.
const ISTIO: &str = "networking.istio.io/v1";

/// The image of a deployment that waits for its first one; it has no replicas, so nobody asks for it.
pub const NO_IMAGE: &str = "tidegate.invalid/none:none";

/// How the versions of a service stand side by side in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One version.
    Direct,
    /// Two colours, subsets of one service.
    Colours,
    /// A primary and a canary, each with a service.
    PrimaryCanary,
}

/// Where a service is placed.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The project.
    pub project: &'a str,
    /// The stage.
    pub stage: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// How its versions stand side by side.
    pub layout: Layout,
    /// The domain below which the ingress serves it, where there is one.
    pub domain: Option<&'a str>,
}

impl Place<'_> {
    /// The address of a service from outside.
    pub fn host(&self, service: &str) -> Option<String> {
        self.domain.map(|domain| format!("{service}.{}.{domain}", self.namespace))
    }
}

impl Blueprint {
    /// The objects of a stage, in the order in which they are made: what is routed to comes before the route.
    pub fn objects(&self, place: &Place<'_>) -> Vec<Value> {
        let name = self.service.as_str();
        let selector = format!("{}-selector-{name}", place.project);
        let of = |deployment: &str| json!({"app": selector, "deployment": deployment});
        let host = |service: &str| host::resolve(service, place.namespace);
        let mut objects: Vec<Value> = self.needs.iter().map(|need| self.placed(place, need)).collect();
        let mut route: Vec<Value> = Vec::new();
        match place.layout {
            Layout::Direct => {
                objects.push(self.deployment(place, name, &of(name)));
                objects.extend(self.service(place, name, &json!({"app": selector})));
                route.push(json!({"destination": {"host": host(name)}}));
            }
            Layout::Colours => {
                let colours = ["blue", "green"].map(|colour| (colour, format!("{name}-{colour}")));
                objects.extend(colours.iter().map(|(_, deployment)| self.deployment(place, deployment, &of(deployment))));
                objects.extend(self.service(place, name, &json!({"app": selector})));
                let subsets =
                    colours.iter().map(|(colour, deployment)| json!({"name": colour, "labels": {"deployment": deployment}}));
                let spec = json!({"host": host(name), "subsets": subsets.collect::<Vec<_>>()});
                let rule = format!("{}-{name}-{}-destination", place.project, place.stage);
                objects.push(self.object(place, ISTIO, "DestinationRule", &rule, &spec));
                // The first new version goes to blue, as with keptn.
                let weights = [("blue", 0), ("green", 100)];
                route
                    .extend(weights.map(
                        |(subset, weight)| json!({"destination": {"host": host(name), "subset": subset}, "weight": weight}),
                    ));
            }
            Layout::PrimaryCanary => {
                let (primary, canary) = (format!("{name}-primary"), format!("{name}-canary"));
                objects.push(self.deployment(place, &primary, &json!({"app": primary})));
                objects.push(self.deployment(place, name, &json!({"app": name})));
                // Whoever is outside the mesh gets what has been judged, where keptn sent them to the canary.
                for (service, app) in [(name, primary.as_str()), (&canary, name), (&primary, &primary)] {
                    objects.extend(self.service(place, service, &json!({"app": app})));
                }
                for service in [&canary, &primary] {
                    objects.push(self.object(place, ISTIO, "DestinationRule", service, &json!({"host": host(service)})));
                }
                route.extend(
                    [(&canary, 0), (&primary, 100)]
                        .map(|(to, weight)| json!({"destination": {"host": host(to)}, "weight": weight})),
                );
            }
        }
        if self.is_http() {
            objects.extend(self.gateway(place));
            objects.push(self.virtual_service(place, &route));
        }
        objects
    }

    fn deployment(&self, place: &Place<'_>, name: &str, own: &Value) -> Value {
        let mut spec = self.spec.clone();
        if !self.has_image() {
            spec.insert("replicas".into(), 0.into());
            self.set_container(&mut spec, "image", NO_IMAGE.into());
        }
        spec.insert("selector".into(), json!({"matchLabels": own}));
        let own = own.as_object().into_iter().flatten();
        if let Some(labels) = spec.get_mut("template").and_then(|template| template.pointer_mut("/metadata/labels")) {
            own.clone().for_each(|(key, value)| labels[key] = value.clone());
        }
        let mut object = self.object(place, "apps/v1", "Deployment", name, &Value::Object(spec));
        own.for_each(|(key, value)| object["metadata"]["labels"][key] = value.clone());
        object
    }

    fn service(&self, place: &Place<'_>, name: &str, selector: &Value) -> Option<Value> {
        let spec = json!({"selector": selector, "ports": self.ports});
        (!self.ports.is_empty()).then(|| self.object(place, "v1", "Service", name, &spec))
    }

    fn gateway(&self, place: &Place<'_>) -> Option<Value> {
        place.domain?;
        let spec = json!({
            "selector": {"istio": "ingressgateway"},
            "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
        });
        let mut gateway = self.object(place, ISTIO, "Gateway", &format!("{}-gateway", place.project), &spec);
        // It is the stage's: other services use it, too.
        if let Some(labels) = gateway.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove(SERVICE);
        }
        Some(gateway)
    }

    fn virtual_service(&self, place: &Place<'_>, route: &[Value]) -> Value {
        let mut hosts = vec![self.service.clone()];
        let mut spec = json!({"http": [{"route": route}]});
        if let Some(host) = place.host(&self.service) {
            hosts.insert(0, host);
            spec["gateways"] = json!([format!("{}-gateway", place.project), "mesh"]);
        }
        spec["hosts"] = json!(hosts);
        self.object(place, ISTIO, "VirtualService", &self.service, &spec)
    }

    fn object(&self, place: &Place<'_>, version: &str, kind: &str, name: &str, spec: &Value) -> Value {
        self.placed(place, &json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}))
    }

    /// A manifest in the namespace of a stage, with the marks of what is made.
    fn placed(&self, place: &Place<'_>, manifest: &Value) -> Value {
        let mut object = manifest.clone();
        object["metadata"] = json!({
            "name": manifest.pointer("/metadata/name"), "namespace": place.namespace,
            "labels": {PROJECT: place.project, SERVICE: self.service, MANAGED.0: MANAGED.1},
        });
        object
    }
}

#[cfg(test)]
mod tests;
