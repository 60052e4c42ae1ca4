//! Tables, as `kubectl get` asks for them.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::present::metadata_only;
use super::store::text;
use super::time::{age, between};
use crate::sorted;

/// A column: its name, its OpenAPI type, and whether it is shown only with `-o wide`.
struct Column(&'static str, &'static str, bool, fn(&Value) -> Value);

/// Objects as a `Table`; `include` is the request's `includeObject`.
pub fn table(kind: &Kind, objects: &[Value], metadata: Value, include: &str, head: bool) -> Value {
    let columns = columns(kind);
    let definitions: Vec<Value> = columns
        .iter()
        .filter(|_| head)
        .map(|Column(name, kind, wide, _)| {
            let format = if *name == "Name" { "name" } else { "" };
            json!({"name": name, "type": kind, "format": format, "description": "", "priority": i32::from(*wide)})
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|Column(.., cell)| cell(object)).collect();
            match include {
                "None" => json!({"cells": cells, "object": null}),
                "Object" => json!({"cells": cells, "object": object}),
                _ => json!({"cells": cells, "object": metadata_only(object)}),
            }
        })
        .collect();
    let definitions = if head { definitions.into() } else { Value::Null };
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}

const NAME: Column = Column("Name", "string", false, |o| text(o, "/metadata/name").into());
const AGE: Column = Column("Age", "string", false, |o| age(text(o, "/metadata/creationTimestamp")).into());
/// The same for custom resources, whose column is a date.
const DATE: Column = Column("Age", "date", false, |o| age(text(o, "/metadata/creationTimestamp")).into());
const CONTAINERS: Column = Column("Containers", "string", true, |o| containers(o, "name"));
const IMAGES: Column = Column("Images", "string", true, |o| containers(o, "image"));
const SELECTOR: Column = Column("Selector", "string", true, |o| pairs(o.pointer("/spec/selector/matchLabels")));

fn columns(kind: &Kind) -> Vec<Column> {
    match (kind.group, kind.plural) {
        ("", "pods") => vec![
            NAME,
            Column("Ready", "string", false, pod_ready),
            Column("Status", "string", false, pod_status),
            Column("Restarts", "string", false, pod_restarts),
            AGE,
            Column("IP", "string", true, |o| or_none(text(o, "/status/podIP"))),
            Column("Node", "string", true, |o| or_none(text(o, "/spec/nodeName"))),
            Column("Nominated Node", "string", true, |_| "<none>".into()),
            Column("Readiness Gates", "string", true, |_| "<none>".into()),
        ],
        ("", "services") => vec![
            NAME,
            Column("Type", "string", false, |o| text(o, "/spec/type").into()),
            Column("Cluster-IP", "string", false, |o| or_none(text(o, "/spec/clusterIP"))),
            Column("External-IP", "string", false, external_address),
            Column("Port(s)", "string", false, service_ports),
            AGE,
            Column("Selector", "string", true, |o| pairs(o.pointer("/spec/selector"))),
        ],
        ("apps", "deployments") => vec![
            NAME,
            Column("Ready", "string", false, |o| {
                format!("{}/{}", count(o, "/status/readyReplicas"), count(o, "/spec/replicas")).into()
            }),
            Column("Up-to-date", "string", false, |o| count(o, "/status/updatedReplicas").into()),
            Column("Available", "string", false, |o| count(o, "/status/availableReplicas").into()),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        ("apps", "replicasets") => vec![
            NAME,
            Column("Desired", "integer", false, |o| count(o, "/spec/replicas").into()),
            Column("Current", "integer", false, |o| count(o, "/status/replicas").into()),
            Column("Ready", "integer", false, |o| count(o, "/status/readyReplicas").into()),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        ("batch", "jobs") => vec![
            NAME,
            Column("Status", "string", false, job_status),
            Column("Completions", "string", false, |o| {
                format!("{}/{}", count(o, "/status/succeeded"), count(o, "/spec/completions")).into()
            }),
            Column("Duration", "string", false, job_duration),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        ("", "namespaces") => vec![NAME, Column("Status", "string", false, |o| text(o, "/status/phase").into()), AGE],
        ("", "configmaps") => vec![NAME, Column("Data", "string", false, data), AGE],
        ("", "secrets") => {
            vec![NAME, Column("Type", "string", false, |o| text(o, "/type").into()), Column("Data", "string", false, data), AGE]
        }
        ("", "events") => vec![
            Column("Last Seen", "string", false, |o| age(text(o, "/lastTimestamp")).into()),
            Column("Type", "string", false, |o| text(o, "/type").into()),
            Column("Reason", "string", false, |o| text(o, "/reason").into()),
            Column("Object", "string", false, |o| {
                let kind = text(o, "/involvedObject/kind").to_lowercase();
                format!("{kind}/{}", text(o, "/involvedObject/name")).into()
            }),
            Column("Subobject", "string", true, |o| text(o, "/involvedObject/fieldPath").into()),
            Column("Source", "string", true, |o| text(o, "/source/component").into()),
            Column("Message", "string", false, |o| text(o, "/message").trim().into()),
            Column("First Seen", "string", true, |o| age(text(o, "/firstTimestamp")).into()),
            Column("Count", "string", true, |o| count(o, "/count").into()),
            Column("Name", "string", true, |o| text(o, "/metadata/name").into()),
        ],
        (_, "endpointslices") => vec![
            NAME,
            Column("AddressType", "string", false, |o| text(o, "/addressType").into()),
            Column("Ports", "string", false, slice_ports),
            Column("Endpoints", "string", false, slice_addresses),
            AGE,
        ],
        (_, "leases") => vec![NAME, Column("Holder", "string", false, |o| text(o, "/spec/holderIdentity").into()), AGE],
        (_, "validatingwebhookconfigurations") => {
            vec![NAME, Column("Webhooks", "integer", false, |o| items(o, "/webhooks").len().into()), AGE]
        }
        (_, "virtualservices") => vec![
            NAME,
            Column("Gateways", "string", false, |o| listed(o, "/spec/gateways")),
            Column("Hosts", "string", false, |o| listed(o, "/spec/hosts")),
            DATE,
        ],
        (_, "destinationrules") => vec![NAME, Column("Host", "string", false, |o| text(o, "/spec/host").into()), DATE],
        _ => vec![NAME, DATE],
    }
}

fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    match object.pointer(pointer) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

fn count(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn or_none(text: &str) -> Value {
    if text.is_empty() { "<none>" } else { text }.into()
}

/// A list as JSON text, as the columns of custom resources show it.
fn listed(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).map_or(Value::Null, |list| list.to_string().into())
}

fn data(object: &Value) -> Value {
    let of = |name: &str| object.get(name).and_then(Value::as_object).map_or(0, |m| m.len());
    (of("data") + of("binaryData")).into()
}

fn pairs(labels: Option<&Value>) -> Value {
    let Some(Value::Object(labels)) = labels else {
        return "<none>".into();
    };
    let mut pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or(""))).collect();
    sorted::by(&mut pairs, Ord::cmp);
    or_none(&pairs.join(","))
}

fn containers(object: &Value, member: &str) -> Value {
    let all: Vec<&str> =
        items(object, "/spec/template/spec/containers").iter().filter_map(|container| container.get(member)?.as_str()).collect();
    all.join(",").into()
}

fn pod_ready(pod: &Value) -> Value {
    let statuses = items(pod, "/status/containerStatuses");
    let ready = statuses.iter().filter(|s| s["ready"] == true).count();
    format!("{ready}/{}", items(pod, "/spec/containers").len()).into()
}

fn pod_status(pod: &Value) -> Value {
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return "Terminating".into();
    }
    items(pod, "/status/containerStatuses")
        .iter()
        .find_map(|status| status.pointer("/state/waiting/reason").or(status.pointer("/state/terminated/reason")).cloned())
        .unwrap_or_else(|| text(pod, "/status/phase").into())
}

fn job_status(job: &Value) -> Value {
    let ended = |kind: &str| items(job, "/status/conditions").iter().any(|c| c["type"] == kind && c["status"] == "True");
    match () {
        () if ended("Complete") => "Complete",
        () if ended("Failed") => "Failed",
        () => "Running",
    }
    .into()
}

fn job_duration(job: &Value) -> Value {
    let (start, end) = (text(job, "/status/startTime"), text(job, "/status/completionTime"));
    match (start.is_empty(), end.is_empty()) {
        (true, _) => "".into(),
        (false, true) => age(start).into(),
        (false, false) => between(start, end).into(),
    }
}

fn pod_restarts(pod: &Value) -> Value {
    let statuses = items(pod, "/status/containerStatuses");
    statuses.iter().map(|status| count(status, "/restartCount")).sum::<i64>().to_string().into()
}

fn service_ports(service: &Value) -> Value {
    let ports: Vec<String> = items(service, "/spec/ports")
        .iter()
        .map(|port| {
            let node = count(port, "/nodePort");
            let node = if node > 0 { format!(":{node}") } else { String::new() };
            format!("{}{node}/{}", count(port, "/port"), text(port, "/protocol"))
        })
        .collect();
    or_none(&ports.join(","))
}

fn external_address(service: &Value) -> Value {
    let addresses = items(service, "/status/loadBalancer/ingress").iter().map(|one| match text(one, "/ip") {
        "" => text(one, "/hostname"),
        address => address,
    });
    let addresses: Vec<&str> = addresses.collect();
    match (text(service, "/spec/type"), addresses.is_empty()) {
        ("LoadBalancer", true) => "<pending>".into(),
        (_, true) => "<none>".into(),
        (_, false) => addresses.join(",").into(),
    }
}

fn slice_ports(slice: &Value) -> Value {
    let ports: Vec<String> = items(slice, "/ports").iter().map(|port| count(port, "/port").to_string()).collect();
    if ports.is_empty() { "<unset>".into() } else { ports.join(",").into() }
}

fn slice_addresses(slice: &Value) -> Value {
    let all: Vec<&str> =
        items(slice, "/endpoints").iter().flat_map(|endpoint| items(endpoint, "/addresses")).filter_map(Value::as_str).collect();
    match all.len() {
        0 => "<unset>".into(),
        1..=3 => all.join(",").into(),
        more => format!("{} + {} more...", all.get(..3).unwrap_or(&[]).join(","), more - 3).into(),
    }
}
