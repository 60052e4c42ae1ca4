//! Pods as a test sees them.

use super::objects::speaks_http;
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

/// The service in front of a deployment's pods, and its port: of those that select them the one of the given name, else the
/// first; HTTP's port before others. Where none does: that name, and the port that the pods have.
pub fn front(services: &[Value], deployment: &Value, name: &str) -> (String, u16) {
    let labels = deployment.pointer("/spec/template/metadata/labels");
    let selects = |service: &&Value| {
        let selector = service.pointer("/spec/selector").and_then(Value::as_object);
        selector.is_some_and(|map| {
            !map.is_empty() && map.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        })
    };
    let title = |service: &Value| service.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let fitting = services.iter().filter(selects).min_by_key(|service| (title(service) != name, title(service)));
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    match fitting {
        Some(service) => {
            let ports = service.pointer("/spec/ports").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let http = |port: &&Value| {
                let named = port.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with("http"));
                number(port, "port") == Some(80) || named
            };
            let port = ports.iter().find(http).or(ports.first()).and_then(|port| number(port, "port"));
            (title(service), port.unwrap_or(80))
        }
        None => {
            let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array);
            let mut ports = containers.into_iter().flatten().filter_map(|one| one.pointer("/ports/0"));
            (name.to_owned(), ports.find_map(|port| number(port, "containerPort")).unwrap_or(80))
        }
    }
}

/// Whether that port of that service speaks something else than HTTP.
pub fn is_foreign(services: &[Value], (name, port): (&str, u16)) -> bool {
    let front = services.iter().find(|one| one.pointer("/metadata/name").and_then(Value::as_str) == Some(name));
    let ports = front.and_then(|one| one.pointer("/spec/ports")?.as_array()).into_iter().flatten();
    ports.filter(|one| one.get("port").and_then(Value::as_u64) == Some(port.into())).any(|port| !speaks_http(port))
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

    #[test]
    fn the_service_in_front() {
        let deployment = json!({"spec": {"template": {
            "metadata": {"labels": {"app": "carts", "deployment": "carts-green"}},
            "spec": {"containers": [{}, {"ports": [{"containerPort": 8080}]}]},
        }}});
        let service = |name: &str, selector: Value, ports: Value| json!({"metadata": {"name": name}, "spec": {"selector": selector, "ports": ports}});
        let ports = json!([{"name": "metrics", "port": 9090}, {"name": "carts", "port": 80}]);
        let services = [
            service("all", json!({}), ports.clone()),
            service("blue", json!({"deployment": "carts-blue"}), ports.clone()),
            service("aaa", json!({"app": "carts"}), json!([{"port": 7070}])),
            service("carts", json!({"app": "carts"}), ports),
        ];
        assert_eq!(front(&services, &deployment, "carts"), ("carts".into(), 80));
        assert_eq!(front(&services, &deployment, "other"), ("aaa".into(), 7070));
        assert_eq!(front(&services[..2], &deployment, "carts"), ("carts".into(), 8080));
    }
}
