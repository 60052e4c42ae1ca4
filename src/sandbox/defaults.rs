//! What the API server fills in where a built-in object leaves something out.

use serde_json::{Map, Value, json};

use super::base64::base64;
use super::kinds::Kind;
use super::names;
use super::store::text;

/// Fills in the defaults of an object's kind; what is set stays.
pub fn apply(kind: &Kind, object: &mut Value) {
    let namespace = text(object, "/metadata/namespace").to_owned();
    let name = text(object, "/metadata/name").to_owned();
    match (kind.group, kind.plural) {
        ("", "namespaces") => {
            let labels = json!({"metadata": {"labels": {"kubernetes.io/metadata.name": name}}});
            fill(object, &labels);
            fill(object, &json!({"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}));
        }
        ("", "services") => service(object, &namespace, &name),
        ("", "secrets") => secret(object),
        (_, "validatingwebhookconfigurations") => each(object.get_mut("webhooks"), |hook| {
            fill(
                hook,
                &json!({"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10,
                    "namespaceSelector": {}, "objectSelector": {}}),
            );
            each(hook.get_mut("rules"), |rule| fill(rule, &json!({"scope": "*"})));
        }),
        ("", "events") => {
            fill(object, &json!({"eventTime": null, "reportingComponent": "", "reportingInstance": "", "source": {}}));
        }
        ("", "pods") => {
            if let Some(spec) = object.get_mut("spec") {
                pod_spec(spec);
            }
        }
        ("apps", "deployments") => {
            fill(object, &json!({"status": {}}));
            fill(
                object,
                &json!({"spec": {
                    "replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                    "strategy": {"type": "RollingUpdate"},
                }}),
            );
            if text(object, "/spec/strategy/type") == "RollingUpdate" {
                let rolling = json!({"maxUnavailable": "25%", "maxSurge": "25%"});
                fill(object, &json!({"spec": {"strategy": {"rollingUpdate": rolling}}}));
            }
            if let Some(spec) = object.pointer_mut("/spec/template/spec") {
                pod_spec(spec);
            }
        }
        ("batch", "jobs") => job(object, &name),
        ("apps", "replicasets") => {
            fill(object, &json!({"spec": {"replicas": 1}}));
            if let Some(spec) = object.pointer_mut("/spec/template/spec") {
                pod_spec(spec);
            }
        }
        _ => {}
    }
}

/// Sets the members that are missing, in objects within objects too.
fn fill(object: &mut Value, defaults: &Value) {
    let Some(defaults) = defaults.as_object() else {
        return;
    };
    if object.is_null() {
        *object = Value::Object(Map::new());
    }
    let Some(members) = object.as_object_mut() else {
        return;
    };
    for (name, default) in defaults {
        let member = members.entry(name.clone()).or_insert(Value::Null);
        match default {
            Value::Object(inner) if inner.is_empty() && member.is_null() => *member = default.clone(),
            Value::Object(_) => fill(member, default),
            _ if member.is_null() => *member = default.clone(),
            _ => {}
        }
    }
}

fn each(value: Option<&mut Value>, change: impl FnMut(&mut Value)) {
    if let Some(Value::Array(items)) = value {
        items.iter_mut().for_each(change);
    }
}

fn service(object: &mut Value, namespace: &str, name: &str) {
    fill(
        object,
        &json!({"spec": {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}}),
    );
    if text(object, "/spec/type") != "ExternalName" {
        let address = names::cluster_ip(namespace, name);
        fill(object, &json!({"spec": {"clusterIP": address}}));
        let address = text(object, "/spec/clusterIP").to_owned();
        fill(object, &json!({"spec": {"clusterIPs": [address]}}));
    }
    let kind = text(object, "/spec/type").to_owned();
    let outside = kind == "LoadBalancer" || kind == "NodePort";
    if outside {
        fill(object, &json!({"spec": {"externalTrafficPolicy": "Cluster"}}));
    }
    if kind == "LoadBalancer" {
        fill(object, &json!({"spec": {"allocateLoadBalancerNodePorts": true}}));
    }
    each(object.pointer_mut("/spec/ports"), |port| {
        let number = port.get("port").cloned().unwrap_or(Value::Null);
        if outside {
            let node = names::node_port(namespace, name, number.as_u64().unwrap_or(0));
            fill(port, &json!({"nodePort": node}));
        }
        fill(port, &json!({"protocol": "TCP", "targetPort": number}));
    });
    fill(object, &json!({"status": {"loadBalancer": {}}}));
}

fn job(object: &mut Value, name: &str) {
    let uid = text(object, "/metadata/uid").to_owned();
    let own = json!({
        "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name,
        "controller-uid": uid, "job-name": name,
    });
    fill(
        object,
        &json!({
            "status": {},
            "spec": {
                "parallelism": 1, "completions": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": false,
                "podReplacementPolicy": "TerminatingOrFailed", "manualSelector": false,
                "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}},
                "template": {"metadata": {"labels": own}},
            },
        }),
    );
    if let Some(spec) = object.pointer_mut("/spec/template/spec") {
        pod_spec(spec);
    }
    // A job without labels takes those of its pods.
    let template = object.pointer("/spec/template/metadata/labels").cloned().unwrap_or_default();
    if object.pointer("/metadata/labels").is_none() {
        object["metadata"]["labels"] = template;
    }
}

/// A secret's plain text is written, its encoded form is read.
fn secret(object: &mut Value) {
    fill(object, &json!({"type": "Opaque"}));
    let Some(Value::Object(plain)) = object.as_object_mut().and_then(|members| members.shift_remove("stringData")) else {
        return;
    };
    for (name, text) in plain {
        let encoded = base64(text.as_str().unwrap_or("").as_bytes());
        fill(object, &json!({"data": {}}));
        object["data"][name.as_str()] = encoded.into();
    }
}

fn pod_spec(spec: &mut Value) {
    fill(
        spec,
        &json!({"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "securityContext": {}, "schedulerName": "default-scheduler"}),
    );
    each(spec.get_mut("containers"), |container| {
        let image = text(container, "/image");
        let pull = if image.ends_with(":latest") || !image.contains(':') { "Always" } else { "IfNotPresent" };
        fill(
            container,
            &json!({"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "imagePullPolicy": pull, "resources": {}}),
        );
        each(container.get_mut("ports"), |port| {
            fill(port, &json!({"protocol": "TCP"}));
        });
    });
}

#[cfg(test)]
mod tests {
    use super::super::kinds::{DEPLOYMENTS, SECRETS};
    use super::*;

    #[test]
    fn what_is_set_stays() {
        let mut object = json!({"spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "a", "image": "x:1"}]}}}});
        apply(&DEPLOYMENTS, &mut object);
        assert_eq!(object["spec"]["replicas"], 3);
        assert_eq!(object["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
        let container = &object["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    }

    #[test]
    fn a_secret_is_encoded() {
        for (plain, encoded) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj"), ("hello", "aGVsbG8=")] {
            let mut object = json!({"stringData": {"k": plain}});
            apply(&SECRETS, &mut object);
            assert_eq!(object["data"]["k"], encoded);
            assert_eq!(object.get("stringData"), None);
        }
    }
}
