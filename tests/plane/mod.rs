//! The lab's data plane: what is written is what is served, and what was served is what a gate sees.

mod delivery;
mod gates;
mod probed;
mod project;
mod served;
mod sources;
mod story;

use crate::support::client::{Client, Reply};
use crate::support::lab::{Plane, lab};
use crate::support::server::Server;
use crate::support::*;
use serde_json::Value;

/// `carts` in a namespace of its own: two deployments behind one service, one subset each, all of the traffic on blue.
pub struct Shop {
    pub server: Server,
    pub plane: &'static Plane,
    /// The name by which requests ask for it.
    pub host: String,
}

impl Shop {
    /// With these images; `None` without a lab.
    pub fn open(blue: &str, green: &str) -> Option<Self> {
        let plane = lab()?.plane.as_ref()?;
        let server = Server::lab()?;
        let host = format!("carts.{}", server.namespace);
        server.manifests(SERVICE);
        server.manifests(&DEPLOYMENT.replace("COLOR", "blue").replace("IMAGE", blue));
        server.manifests(&DEPLOYMENT.replace("COLOR", "green").replace("IMAGE", green));
        let shop = Self { server, plane, host };
        let mut client = shop.client();
        eventually("both sides answer", || {
            let mut answers = |headers| client.get(&shop.host, "/health", headers).status == 200;
            (answers("") && answers(TESTER)).then_some(())
        });
        Some(shop)
    }

    /// `tidegate` in its namespace.
    pub fn tidegate(&self, line: &str) -> Run {
        self.server.tidegate(line)
    }

    /// A connection to Envoy.
    pub fn client(&self) -> Client {
        Client::new(&self.plane.envoy)
    }

    /// Waits until Envoy serves the virtual service as it stands.
    pub fn served(&self) {
        let object = self.server.rest.get(&self.server.service("carts")).ok();
        let version = object["metadata"]["resourceVersion"].as_str().expect("a version");
        let mut client = self.client();
        eventually("what is written is served", || {
            let reply = client.get(&self.host, "/health", "");
            (reply.headers.get("x-lab-resource-version")? == version).then_some(())
        });
    }

    /// The servers of its pods.
    pub fn backends(&self) -> Vec<Value> {
        let all = Client::new(&self.plane.backends).get("plane", "/", "").json();
        let own = all.as_array().expect("a list").iter().filter(|one| one["namespace"] == self.server.namespace.as_str());
        own.cloned().collect()
    }

    /// How many requests the pods of a version have had.
    pub fn requests(&self, version: &str) -> u64 {
        let own = self.backends();
        own.iter().filter(|one| one["version"] == version).map(|one| one["requests"].as_u64().expect("a count")).sum()
    }
}

/// What a tester's request has.
const TESTER: &str = "x-group: test\r\n";

/// The version that answered.
fn version(reply: &Reply) -> String {
    reply.json()["version"].as_str().expect("a version").to_owned()
}

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: carts, namespace: NAMESPACE}
spec:
  selector: {app: carts}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: carts, namespace: NAMESPACE}
spec:
  host: carts
  subsets:
  - {name: blue, labels: {version: blue}}
  - {name: green, labels: {version: green}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: carts, namespace: NAMESPACE}
spec:
  hosts: [carts]
  http:
  - name: testers
    match: [{headers: {x-group: {exact: test}}}]
    route: [{destination: {host: carts, subset: green}}]
  - name: everybody
    route:
    - {destination: {host: carts, subset: blue}, weight: 100}
    - {destination: {host: carts, subset: green}, weight: 0}
";

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: carts-COLOR, namespace: NAMESPACE}
spec:
  replicas: 1
  selector: {matchLabels: {app: carts, version: COLOR}}
  template:
    metadata: {labels: {app: carts, version: COLOR}}
    spec:
      containers:
      - {name: carts, image: IMAGE, ports: [{containerPort: 8080}]}
";
