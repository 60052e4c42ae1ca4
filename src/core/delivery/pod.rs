//! Pods as a test sees them.

use serde_json::Value;

/// Whether a pod takes requests: it is ready and nobody deletes it.
pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let text = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ready = conditions.iter().any(|one| text(one, "type") == "Ready" && text(one, "status") == "True");
    ready && pod.pointer("/metadata/deletionTimestamp").is_none()
}

/// The port on which a pod gets what its service gets on `port`: the service's `targetPort`, by number or by the name that
/// the pod gives it; the same where the service does not say.
pub fn port(service: &Value, pod: &Value, port: u16) -> u16 {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let own = ports.iter().find(|one| one.get("port").and_then(Value::as_u64) == Some(u64::from(port)));
    let number = |value: &Value| value.as_u64().and_then(|number| u16::try_from(number).ok());
    let found = match own.and_then(|own| own.get("targetPort")) {
        Some(Value::String(name)) => {
            let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
            let mut ports = containers.filter_map(|one| one.get("ports").and_then(Value::as_array)).flatten();
            let named = ports.find(|one| one.get("name").and_then(Value::as_str) == Some(name));
            named.and_then(|one| one.get("containerPort")).and_then(number)
        }
        Some(target) => number(target),
        None => None,
    };
    found.unwrap_or(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_that_goes_is_not_ready() {
        let pod = |metadata: Value, ready: &str| {
            is_ready(&json!({"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}))
        };
        assert!(pod(json!({}), "True"));
        assert!(!pod(json!({}), "False"));
        assert!(!pod(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}), "True"));
        assert!(!is_ready(&json!({})));
    }

    #[test]
    fn the_port_behind_the_services_port() {
        let pod = json!({"spec": {"containers": [{"name": "proxy"}, {"ports": [{"name": "web", "containerPort": 8081}]}]}});
        let service = |port: Value| json!({"spec": {"ports": [{"port": 443}, port]}});
        assert_eq!(port(&service(json!({"port": 80, "targetPort": 8080})), &pod, 80), 8080);
        assert_eq!(port(&service(json!({"port": 80, "targetPort": "web"})), &pod, 80), 8081);
        assert_eq!(port(&service(json!({"port": 80})), &pod, 80), 80);
        assert_eq!(port(&Value::Null, &pod, 8080), 8080, "no service");
    }
}
