//! Istio's security API.

use super::connect::Cluster;
use http::Method;
use serde_json::Value;

/// The versions of the API, newest first.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

impl Cluster {
    /// The `PeerAuthentication`s of a namespace; none where the cluster has no such kind or does not tell.
    pub async fn peer_authentications(&self, namespace: &str) -> Vec<Value> {
        for version in VERSIONS {
            let path = format!("/apis/security.istio.io/{version}/namespaces/{namespace}/peerauthentications");
            let Ok(reply) = self.request(Method::GET, &path, None, None).await else { return Vec::new() };
            match reply.status {
                // An older Istio, or none.
                404 => {}
                200..300 => return reply.body.get("items").and_then(Value::as_array).cloned().unwrap_or_default(),
                _ => return Vec::new(),
            }
        }
        Vec::new()
    }
}
