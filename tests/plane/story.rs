//! The whole way from dev to production, decided by real requests.

use crate::support::client::{Client, Load};
use crate::support::lab::lab;
use crate::support::run::Output;
use crate::support::server::Server;
use crate::support::*;

const SHIPYARD: &str = "stages:
- {name: dev, deployment_strategy: direct, test_strategy: functional}
- {name: staging, deployment_strategy: blue_green_service, test_strategy: performance}
- {name: production, deployment_strategy: blue_green_service}
";

/// Little load of its own: the gate judges what the mesh's users see.
const TESTS: &str = "functional: {path: /health}
performance: {users: 2, loops: 3, think: 0s, requests: [{path: /}]}
";

struct Shop {
    server: Server,
    project: String,
    envoy: String,
}

impl Shop {
    fn open() -> Option<Self> {
        let envoy = lab()?.plane.as_ref()?.envoy.clone();
        let server = Server::lab()?;
        let project = format!("{}-shop", server.namespace);
        let shop = Self { server, project, envoy };
        let with = |line: &str, file: &str, text: &str| {
            let run = shop.tidegate(line);
            std::fs::write(run.home().join(file), text).expect("a file");
            run.succeeds();
        };
        with(&format!("create project {} --shipyard shipyard.yaml", shop.project), "shipyard.yaml", SHIPYARD);
        let onboard = format!("onboard service carts --project {} --image shop/carts:0.6.0 --tests tests.yaml", shop.project);
        with(&onboard, "tests.yaml", TESTS);
        for stage in ["dev", "staging", "production"] {
            eventually("the stage answers", || {
                let reply = Client::new(&shop.envoy).get(&shop.host(stage), "/health", "");
                (reply.status == 200).then_some(())
            });
        }
        Some(shop)
    }

    fn tidegate(&self, line: &str) -> Run {
        self.server.tidegate(line)
    }

    fn host(&self, stage: &str) -> String {
        format!("carts.{}-{stage}", self.project)
    }

    fn load(&self, stage: &str) -> Load {
        Load::new(&self.envoy, &self.host(stage), 100)
    }

    fn send(&self, tag: &str) -> Output {
        let terms = "--share 40 --settle 2s --evaluation-timeout 90s --require p95<500ms";
        let line = format!("send new-artifact --project {} --service carts --image shop/carts:{tag} {terms}", self.project);
        let output = self.tidegate(&line).command().output().expect("the program starts");
        Output {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status.code(),
            raw: String::new(),
        }
    }

    /// The weights of blue and green.
    fn weights(&self, stage: &str) -> [u64; 2] {
        let path = format!("/apis/networking.istio.io/v1/namespaces/{}-{stage}/virtualservices/carts", self.project);
        let object = self.server.rest.get(&path).ok();
        let routes = object["spec"]["http"].as_array().expect("routes");
        let list = routes.last().and_then(|route| route["route"].as_array()).expect("destinations");
        let of = |subset: &str| list.iter().find(|to| to["destination"]["subset"] == subset).and_then(|to| to["weight"].as_u64());
        ["blue", "green"].map(|subset| of(subset).unwrap_or(0))
    }

    fn image(&self, stage: &str, deployment: &str) -> String {
        let path = format!("/apis/apps/v1/namespaces/{}-{stage}/deployments/{deployment}", self.project);
        let object = self.server.rest.get(&path).ok();
        object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("an image").to_owned()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let line = format!("delete project {} --yes", self.project);
        let _ = self.tidegate(&line).run();
    }
}

#[test]
fn a_slow_version_stops_in_staging_and_a_fast_one_reaches_production() {
    let Some(shop) = Shop::open() else { return };
    assert_eq!((shop.weights("staging"), shop.weights("production")), ([0, 100], [0, 100]));
    let load = [shop.load("staging"), shop.load("production")];

    let slow = shop.send("0.6.1");
    assert_eq!(slow.status, Some(10), "{slow}");
    assert_eq!(shop.weights("staging"), [0, 100], "staging is back on the previous colour");
    assert_eq!(shop.image("staging", "carts-green"), "shop/carts:0.6.0");
    assert_eq!((shop.weights("production"), shop.image("production", "carts-blue")), ([0, 100], "shop/carts:0.6.0".into()));

    let fast = shop.send("0.6.2");
    assert_eq!(fast.status, Some(0), "{fast}");
    for stage in ["staging", "production"] {
        assert_eq!(shop.weights(stage), [100, 0], "{stage}");
        assert_eq!(shop.image(stage, "carts-blue"), "shop/carts:0.6.2", "{stage}");
        assert_eq!(shop.image(stage, "carts-green"), "shop/carts:0.6.0", "{stage}: the version before still runs");
    }

    let again = shop.send("0.6.1");
    assert_eq!(again.status, Some(10), "{again}");
    assert_eq!((shop.weights("staging"), shop.weights("production")), ([100, 0], [100, 0]));
    shop.tidegate("rollback carts").arg("-n").arg(format!("{}-production", shop.project)).succeeds();
    assert_eq!(shop.weights("production"), [0, 100]);
    drop(load);
}
