//! Whether the pods of a service refuse what comes without a certificate of the mesh.
//!
//! Istio's `PeerAuthentication` decides: one with a selector that fits the pod, else the namespace's, else the mesh's, which is
//! that of Istio's own namespace. A mode that is not set is inherited; the oldest of several counts; only one with a selector
//! says something about single ports (<https://istio.io/latest/docs/reference/config/security/peer_authentication/>).

use crate::sorted;
use serde_json::Value;
use std::collections::BTreeMap;

/// The namespace whose policy is that of the whole mesh, where Istio was not told another one.
pub const ROOT: &str = "istio-system";

/// Where a policy has its mode.
const MODE: &str = "/spec/mtls/mode";

/// The policy, as NAMESPACE/NAME, because of which the pods of `namespace` with these labels refuse plain text at their `port`;
/// none where they accept it. `policies` are those of both namespaces.
pub fn refused_by(policies: &[Value], namespace: &str, labels: &BTreeMap<String, String>, port: u16) -> Option<String> {
    let mut sorted: Vec<&Value> = policies.iter().collect();
    sorted::by_key(&mut sorted, |policy| (text(policy, "/metadata/creationTimestamp"), text(policy, "/metadata/name")));
    let of = |policy: &Value, place: &str| text(policy, "/metadata/namespace") == place;
    let selects = |policy: &Value| {
        let selector = policy.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
        selector
            .filter(|selector| !selector.is_empty())
            .map(|selector| selector.iter().all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str()))
    };
    let workload = sorted.iter().copied().find(|policy| of(policy, namespace) && selects(policy) == Some(true));
    let whole = |place: &str| sorted.iter().copied().find(|policy| of(policy, place) && selects(policy).is_none());
    let levels = [
        (workload, format!("/spec/portLevelMtls/{port}/mode")),
        (workload, MODE.to_owned()),
        (whole(namespace), MODE.to_owned()),
        (whole(ROOT), MODE.to_owned()),
    ];
    let (policy, mode) = levels.iter().find_map(|(policy, pointer)| {
        let mode = (*policy)?.pointer(pointer).and_then(Value::as_str).filter(|mode| *mode != "UNSET")?;
        Some(((*policy)?, mode))
    })?;
    let name = format!("{}/{}", text(policy, "/metadata/namespace"), text(policy, "/metadata/name"));
    (mode == "STRICT").then_some(name)
}

/// Whether pods of a namespace are part of the mesh, by the labels of the namespace and those of the pods.
pub fn is_meshed(namespace: &Value, labels: &BTreeMap<String, String>) -> bool {
    let own = |key: &str| labels.get(key).map(String::as_str);
    let whole = |key: &str| namespace.pointer("/metadata/labels").and_then(|all| all.get(key)).and_then(Value::as_str);
    match own("sidecar.istio.io/inject") {
        Some("false") => false,
        Some("true") => true,
        _ => {
            whole("istio-injection") == Some("enabled")
                || whole("istio-injection").is_none() && whole("istio.io/rev").is_some()
                || whole("istio.io/dataplane-mode") == Some("ambient")
        }
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(place: &str, name: &str, spec: &Value) -> Value {
        json!({"metadata": {"namespace": place, "name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec})
    }

    fn refused(policies: &[Value]) -> Option<String> {
        let labels = BTreeMap::from([("app".to_owned(), "carts".to_owned())]);
        refused_by(policies, "shop", &labels, 8080)
    }

    #[test]
    fn the_nearest_policy_counts() {
        let mode = |mode: &str| json!({"mtls": {"mode": mode}});
        let mesh = policy(ROOT, "default", &mode("STRICT"));
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(std::slice::from_ref(&mesh)), Some("istio-system/default".into()));
        assert_eq!(refused(&[policy("other", "default", &mode("STRICT"))]), None);
        let own = |spec: &Value| policy("shop", "own", spec);
        assert_eq!(refused(&[mesh.clone(), own(&mode("PERMISSIVE"))]), None);
        assert_eq!(refused(&[mesh.clone(), own(&mode("UNSET"))]), Some("istio-system/default".into()));
        assert_eq!(refused(&[mesh.clone(), own(&json!({}))]), Some("istio-system/default".into()));
        let selected = |app: &str, spec: Value| {
            let mut spec = spec;
            spec["selector"] = json!({"matchLabels": {"app": app}});
            policy("shop", "selected", &spec)
        };
        assert_eq!(refused(&[mesh.clone(), selected("carts", mode("DISABLE"))]), None);
        assert_eq!(refused(&[mesh.clone(), selected("orders", mode("DISABLE"))]), Some("istio-system/default".into()));
        assert_eq!(refused(&[own(&mode("PERMISSIVE")), selected("carts", mode("STRICT"))]), Some("shop/selected".into()));
        let port = |port: &str| json!({"mtls": {"mode": "STRICT"}, "portLevelMtls": {port: {"mode": "PERMISSIVE"}}});
        assert_eq!(refused(&[selected("carts", port("8080"))]), None);
        assert_eq!(refused(&[selected("carts", port("9090"))]), Some("shop/selected".into()));
        assert_eq!(refused(&[own(&port("8080"))]), Some("shop/own".into()), "ports need a selector");
        let elsewhere = json!({"selector": {"matchLabels": {"app": "carts"}}, "mtls": {"mode": "STRICT"}});
        assert_eq!(refused(&[policy(ROOT, "selected", &elsewhere)]), None, "a selector reaches no other namespace");
        let mut old = own(&mode("PERMISSIVE"));
        old["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
        old["metadata"]["name"] = json!("z");
        assert_eq!(refused(&[own(&mode("STRICT")), old]), None, "the oldest counts");
    }

    #[test]
    fn pods_are_in_the_mesh_where_they_get_a_proxy() {
        let namespace = |labels: Value| json!({"metadata": {"labels": labels}});
        let labels = |inject: &str| BTreeMap::from([("sidecar.istio.io/inject".to_owned(), inject.to_owned())]);
        let none = BTreeMap::new();
        assert!(is_meshed(&namespace(json!({"istio-injection": "enabled"})), &none));
        assert!(is_meshed(&namespace(json!({"istio.io/rev": "1-26"})), &none));
        assert!(is_meshed(&namespace(json!({"istio.io/dataplane-mode": "ambient"})), &none));
        assert!(is_meshed(&namespace(json!({})), &labels("true")));
        assert!(!is_meshed(&namespace(json!({"istio-injection": "disabled", "istio.io/rev": "x"})), &none));
        assert!(!is_meshed(&namespace(json!({"istio-injection": "enabled"})), &labels("false")));
        assert!(!is_meshed(&json!({}), &none));
    }
}
