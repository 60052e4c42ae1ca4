//! A project of its own in the lab, whose pods answer as their images say.

use crate::support::client::{Client, Load};
use crate::support::lab::lab;
use crate::support::run::Output;
use crate::support::server::Server;
use crate::support::*;

pub struct Project {
    server: Server,
    name: String,
    envoy: String,
}

impl Project {
    /// With carts 0.6.0 in each stage, tested so; `None` without a lab.
    pub fn open(shipyard: &str, tests: &str, flags: &str) -> Option<Self> {
        let envoy = lab()?.plane.as_ref()?.envoy.clone();
        let server = Server::lab()?;
        let name = format!("{}-shop", server.namespace);
        let project = Self { server, name, envoy };
        project.with(&format!("create project {} --shipyard shipyard.yaml", project.name), "shipyard.yaml", shipyard);
        let onboard = format!("onboard service carts --project {} --image shop/carts:0.6.0 --tests tests.yaml", project.name);
        project.with(&format!("{onboard} {flags}"), "tests.yaml", tests);
        for stage in shipyard.split("name: ").skip(1).filter_map(|rest| rest.split(',').next()) {
            eventually("the stage answers", || {
                let reply = Client::new(&project.envoy).get(&project.host(stage), "/health", "");
                (reply.status == 200).then_some(())
            });
        }
        Some(project)
    }

    /// Runs a command that needs a file.
    fn with(&self, line: &str, file: &str, text: &str) {
        let run = self.tidegate(line);
        std::fs::write(run.home().join(file), text).expect("a file");
        run.succeeds();
    }

    /// Keeps another file for carts.
    pub fn keeps(&self, file: &str, text: &str) {
        self.with(&format!("add-resource --project {} --service carts --resource {file}", self.name), file, text);
    }

    pub fn tidegate(&self, line: &str) -> Run {
        self.server.tidegate(line)
    }

    fn host(&self, stage: &str) -> String {
        format!("carts.{}", self.namespace(stage))
    }

    pub fn namespace(&self, stage: &str) -> String {
        format!("{}-{stage}", self.name)
    }

    /// Users of a stage.
    pub fn load(&self, stage: &str) -> Load {
        Load::new(&self.envoy, &self.host(stage), 100)
    }

    /// Sends a version of carts; `flags` say how it is judged.
    pub fn send(&self, tag: &str, flags: &str) -> Output {
        let line = format!("send new-artifact --project {} --service carts --image shop/carts:{tag} {flags}", self.name);
        let output = self.tidegate(&line).command().output().expect("the program starts");
        Output {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status.code(),
            raw: String::new(),
        }
    }

    /// The weights of two destinations: subsets, or services.
    pub fn weights(&self, stage: &str, names: [&str; 2]) -> [u64; 2] {
        let path = format!("/apis/networking.istio.io/v1/namespaces/{}/virtualservices/carts", self.namespace(stage));
        let object = self.server.rest.get(&path).ok();
        let routes = object["spec"]["http"].as_array().expect("routes");
        let list = routes.last().and_then(|route| route["route"].as_array()).expect("destinations");
        names.map(|name| {
            let host = format!("{name}.{}.svc.cluster.local", self.namespace(stage));
            let mut found = list.iter().filter(|to| to["destination"]["subset"] == name || to["destination"]["host"] == host);
            found.next().expect("a destination")["weight"].as_u64().unwrap_or(0)
        })
    }

    pub fn image(&self, stage: &str, deployment: &str) -> String {
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/{deployment}", self.namespace(stage));
        let object = self.server.rest.get(&path).ok();
        object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("an image").to_owned()
    }

    /// Makes the pods of a stage take nothing that comes without a certificate of the mesh.
    pub fn strict(&self, stage: &str) {
        let object = json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"name": "default"}, "spec": {"mtls": {"mode": "STRICT"}},
        });
        let path = format!("/apis/security.istio.io/v1/namespaces/{}/peerauthentications", self.namespace(stage));
        self.server.rest.post(&path, &object).ok();
    }

    /// What is left of the tests' Jobs in a stage.
    pub fn jobs(&self, stage: &str) -> usize {
        let list = self.server.rest.get(&format!("/apis/batch/v1/namespaces/{}/jobs", self.namespace(stage))).ok();
        list["items"].as_array().expect("a list").len()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let line = format!("delete project {} --yes", self.name);
        let _ = self.tidegate(&line).run();
    }
}
