//! The one node, and what fits on it.

use serde_json::Value;

use super::pods;
use crate::sandbox::store::{Object, text};

/// Its name.
pub const NAME: &str = "sandbox";

/// Millicores and bytes that it has.
const CPU: f64 = 64_000.0;
const MEMORY: f64 = 256.0 * 1024.0 * 1024.0 * 1024.0;

/// The node with what is left of it.
pub struct Node {
    cpu: f64,
    memory: f64,
}

impl Node {
    /// The node with these pods on it, as far as they are placed.
    pub fn with(pods: &[Object]) -> Self {
        let mut node = Self { cpu: CPU, memory: MEMORY };
        let placed = pods.iter().filter(|pod| !text(pod, "/spec/nodeName").is_empty() && !pods::ended(pod));
        for pod in placed {
            node.cpu -= requested(pod, "cpu") * 1000.0;
            node.memory -= requested(pod, "memory");
        }
        node
    }

    /// Takes up one more pod; else the scheduler's words for why not.
    pub fn take(&mut self, pod: &Value) -> Result<(), String> {
        let (cpu, memory) = (requested(pod, "cpu") * 1000.0, requested(pod, "memory"));
        let lacks = [("cpu", cpu > self.cpu), ("memory", memory > self.memory)];
        let lacks: Vec<String> =
            lacks.iter().filter(|(_, lacks)| *lacks).map(|(what, _)| format!("1 Insufficient {what}")).collect();
        if lacks.is_empty() {
            self.cpu -= cpu;
            self.memory -= memory;
            return Ok(());
        }
        Err(format!(
            "0/1 nodes are available: {}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            lacks.join(", ")
        ))
    }
}

/// Whether a pod asks for anything.
pub fn asks(pod: &Value) -> bool {
    requested(pod, "cpu") > 0.0 || requested(pod, "memory") > 0.0
}

/// What all containers of a pod ask for, in cores or bytes.
fn requested(pod: &Value, what: &str) -> f64 {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let requests = containers.into_iter().flatten().map(|container| {
        // A limit without a request is the request as well.
        let of = |part: &str| container.pointer(&format!("/resources/{part}/{what}"));
        match of("requests").or_else(|| of("limits")) {
            Some(Value::String(text)) => quantity(text),
            Some(number) => number.as_f64().unwrap_or(0.0),
            None => 0.0,
        }
    });
    requests.sum()
}

/// A quantity as Kubernetes writes it: `500m`, `2`, `2Gi`; 0 for anything else.
fn quantity(text: &str) -> f64 {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => 0.0,
    };
    number.parse::<f64>().unwrap_or(0.0) * factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(cpu: &str) -> Value {
        json!({"spec": {"containers": [{"resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}]}})
    }

    #[test]
    fn what_does_not_fit_is_refused_in_the_schedulers_words() {
        let mut placed = pod("63");
        placed["spec"]["nodeName"] = NAME.into();
        let mut node = Node::with(&[placed.into()]);
        assert_eq!(node.take(&pod("500m")), Ok(()));
        assert_eq!(node.take(&pod("500m")), Ok(()));
        let why = node.take(&pod("1m")).expect_err("no room");
        assert!(why.starts_with("0/1 nodes are available: 1 Insufficient cpu. "), "{why}");
    }

    #[test]
    fn quantities_are_read() {
        for (text, value) in [("2", 2.0), ("250m", 0.25), ("1.5Gi", 1_610_612_736.0), ("1k", 1000.0), ("x", 0.0)] {
            assert_eq!(quantity(text), value, "{text}");
        }
    }
}
