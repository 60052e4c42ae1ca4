//! Services with a selector get one endpoint slice with their pods, those for clients outside an address.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Controllers, by_owner, carries, labels, ready};
use crate::sandbox::kinds::{ENDPOINT_SLICES, PODS, SERVICES};
use crate::sandbox::names;
use crate::sandbox::store::{Expect, Object, text};

/// What a load balancer is reached by: all that the sandbox serves is on this machine.
const OUTSIDE: &str = "127.0.0.1";

/// Looks at all services.
pub fn reconcile(controllers: &mut Controllers) {
    let mut pods: HashMap<String, Vec<Object>> = HashMap::new();
    for pod in controllers.store.list(&PODS, "") {
        let namespace = text(&pod, "/metadata/namespace").to_owned();
        pods.entry(namespace).or_default().push(pod);
    }
    let slices = by_owner(&controllers.store, &ENDPOINT_SLICES);
    for service in controllers.store.list(&SERVICES, "") {
        let service = balance(controllers, service);
        let selector = labels(&service, "/spec/selector");
        if selector.is_empty() {
            continue;
        }
        let near = pods.get(text(&service, "/metadata/namespace"));
        let near: Vec<&Object> =
            near.into_iter().flatten().filter(|pod| carries(pod, &selector) && !text(pod, "/status/podIP").is_empty()).collect();
        let content = slice(&service, &near);
        let present = slices.get(text(&service, "/metadata/uid"));
        match present.and_then(|slices| slices.first()) {
            Some(old) => {
                let mut new = Value::clone(old);
                new["endpoints"] = content["endpoints"].clone();
                new["ports"] = content["ports"].clone();
                if new != **old {
                    let generation = new["metadata"]["generation"].as_u64().unwrap_or(1) + 1;
                    new["metadata"]["generation"] = generation.into();
                    controllers.store.write(&ENDPOINT_SLICES, Expect::Same(old), new).ok();
                }
            }
            None => {
                controllers.create(&ENDPOINT_SLICES, &service, content);
            }
        }
    }
}

/// Gives a load balancer its address, and takes it from a service that is none any more.
fn balance(controllers: &Controllers, service: Object) -> Object {
    let status = match text(&service, "/spec/type") {
        "LoadBalancer" => json!({"loadBalancer": {"ingress": [{"ip": OUTSIDE, "ipMode": "VIP"}]}}),
        _ => json!({"loadBalancer": {}}),
    };
    let before = service.get("status").and_then(|status| status.get("loadBalancer"));
    if before == status.get("loadBalancer") {
        return service;
    }
    let mut new = Value::clone(&service);
    new["status"] = status;
    // What was changed by others meanwhile is looked at again.
    controllers.store.write(&SERVICES, Expect::Same(&service), new).unwrap_or(service)
}

fn slice(service: &Value, pods: &[&Object]) -> Value {
    let name = text(service, "/metadata/name");
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|pod| {
            let ready = ready(pod);
            json!({
                "addresses": [text(pod, "/status/podIP")],
                "conditions": {"ready": ready, "serving": ready, "terminating": false},
                "nodeName": text(pod, "/spec/nodeName"),
                "targetRef": {
                    "kind": "Pod", "name": text(pod, "/metadata/name"),
                    "namespace": text(pod, "/metadata/namespace"), "uid": text(pod, "/metadata/uid"),
                },
            })
        })
        .collect();
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let ports: Vec<Value> = ports
        .into_iter()
        .flatten()
        .map(|port| {
            json!({
                "name": text(port, "/name"), "protocol": text(port, "/protocol"),
                "port": target_port(port, pods),
            })
        })
        .collect();
    let mut own = labels(service, "/metadata/labels");
    own.insert("kubernetes.io/service-name".into(), name.into());
    own.insert("endpointslice.kubernetes.io/managed-by".into(), "endpointslice-controller.k8s.io".into());
    json!({
        "metadata": {
            "name": format!("{name}-{}", names::suffix(name, 0)),
            "generateName": format!("{name}-"),
            "labels": own,
        },
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    })
}

/// The port of the pods behind a port of a service, looked up by name where it has one.
fn target_port(port: &Value, pods: &[&Object]) -> Value {
    let target = &port["targetPort"];
    let Some(name) = target.as_str() else {
        return target.clone();
    };
    let containers = pods.iter().filter_map(|pod| pod.pointer("/spec/containers")?.as_array()).flatten();
    containers
        .filter_map(|container| container.get("ports")?.as_array())
        .flatten()
        .find(|port| text(port, "/name") == name)
        .map_or(port["port"].clone(), |port| port["containerPort"].clone())
}
