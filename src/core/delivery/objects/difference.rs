//! Whether an object is still as it was made.

use serde_json::Value;

/// Where `live` is not what `made` says, as paths. What a delivery changes does not count (images, replicas, weights), nor
/// what the server or others added.
pub fn differences(made: &Value, live: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["/metadata/labels", "/spec", "/data"] {
        if let Some(made) = made.pointer(part) {
            compare(&part[1..].replace('/', "."), made, live.pointer(part).unwrap_or(&Value::Null), &mut found);
        }
    }
    found
}

fn compare(path: &str, made: &Value, live: &Value, found: &mut Vec<String>) {
    match (made, live) {
        (Value::Object(made), _) => {
            for (key, value) in made {
                let path = format!("{path}.{key}");
                if !delivered(&path, key) {
                    compare(&path, value, live.get(key).unwrap_or(&Value::Null), found);
                }
            }
        }
        (Value::Array(made), Value::Array(live)) if made.len() == live.len() => {
            for (at, (made, live)) in made.iter().zip(live).enumerate() {
                compare(&format!("{path}[{at}]"), made, live, found);
            }
        }
        (Value::Array(made), Value::Null) if made.is_empty() => {}
        _ if made == live || is_same_quantity(made, live) => {}
        _ => found.push(path.to_owned()),
    }
}

fn delivered(path: &str, key: &str) -> bool {
    match key {
        "image" => path.contains("containers["),
        "replicas" => path == "spec.replicas",
        "weight" => path.contains(".route["),
        _ => false,
    }
}

/// The server writes quantities anew: `1000m` becomes `1`, `1024Mi` becomes `1Gi`.
fn is_same_quantity(made: &Value, live: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::String(text) => quantity(text),
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    number(made).is_some_and(|made| number(live) == Some(made))
}

fn quantity(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_deliveries_and_servers_change_is_no_difference() {
        let made = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"image": "carts:1", "resources": {"limits": {"cpu": "1000m", "memory": "2048Mi"}}, "ports": [{"containerPort": 8080}]}]}}}});
        let live = json!({"metadata": {"labels": {"a": "b", "c": "d"}}, "spec": {"replicas": 3, "template": {"spec": {"containers": [
            {"image": "carts:2", "resources": {"limits": {"cpu": "1", "memory": "2Gi"}}, "ports": [{"containerPort": 8080, "protocol": "TCP"}]}]}}}});
        assert!(differences(&made, &live).is_empty(), "{:?}", differences(&made, &live));
        let other = json!({"metadata": {"labels": {}}, "spec": {"template": {"spec": {"containers": [
            {"resources": {"limits": {"cpu": "2", "memory": "2Gi"}}, "ports": [{"containerPort": 80}]}]}}}});
        assert_eq!(
            differences(&made, &other),
            [
                "metadata.labels.a",
                "spec.template.spec.containers[0].resources.limits.cpu",
                "spec.template.spec.containers[0].ports[0].containerPort",
            ]
        );
        let weights =
            |blue: u32, host: &str| json!({"spec": {"http": [{"route": [{"destination": {"host": host}, "weight": blue}]}]}});
        assert!(differences(&weights(0, "carts"), &weights(100, "carts")).is_empty());
        assert_eq!(differences(&weights(0, "carts"), &weights(0, "orders")), ["spec.http[0].route[0].destination.host"]);
    }
}
