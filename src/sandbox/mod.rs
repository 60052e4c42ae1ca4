//! A Kubernetes API server and a Prometheus query API on loopback, inside the binary.
pub mod metrics;
pub mod traffic;
