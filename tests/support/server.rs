//! The two servers that keep the same contract.

use super::lab::{Lab, lab};
use super::rest::Rest;
use super::run::{Run, tidegate};
use super::sandbox::Sandbox;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A namespace of a test's own, on one of the servers.
pub struct Server {
    /// As the user with all rights.
    pub rest: Rest,
    /// The namespace.
    pub namespace: String,
    kubeconfig: PathBuf,
    viewer: Option<(PathBuf, Option<&'static str>)>,
    lab: Option<&'static Lab>,
    _sandbox: Option<Sandbox>,
    home: tempfile::TempDir,
}

/// Makes a test for each server out of each case.
macro_rules! on_both {
    ($($case:ident)*) => {$(
        mod $case {
            use crate::support::server::Server;
            #[test]
            fn sandbox() {
                super::$case(&Server::sandbox());
            }
            #[test]
            fn lab() {
                if let Some(server) = Server::lab() {
                    super::$case(&server);
                }
            }
        }
    )*};
}
pub(crate) use on_both;

impl Server {
    /// A sandbox.
    pub fn sandbox() -> Self {
        let sandbox = Sandbox::empty();
        let viewer = Some((sandbox.kubeconfig.clone(), Some("viewer")));
        let kubeconfig = sandbox.kubeconfig.clone();
        Self::new(kubeconfig, viewer, None, Some(sandbox))
    }

    /// The lab, where there is one.
    pub fn lab() -> Option<Self> {
        let lab = lab()?;
        Some(Self::new(lab.kubeconfig.clone(), lab.viewer.clone().map(|path| (path, None)), Some(lab), None))
    }

    fn new(
        kubeconfig: PathBuf,
        viewer: Option<(PathBuf, Option<&'static str>)>,
        lab: Option<&'static Lab>,
        sandbox: Option<Sandbox>,
    ) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let namespace = format!("tidegate-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let rest = Rest::connect(&kubeconfig, None);
        rest.post("/api/v1/namespaces", &json!({"metadata": {"name": namespace}})).ok();
        Self { rest, namespace, kubeconfig, viewer, lab, _sandbox: sandbox, home: super::directory() }
    }

    /// One more client with all rights.
    pub fn administrator(&self) -> Rest {
        Rest::connect(&self.kubeconfig, None)
    }

    /// As a user who may only read; not in a cluster that was given.
    pub fn viewer(&self) -> Option<Rest> {
        self.viewer.as_ref().map(|(kubeconfig, context)| Rest::connect(kubeconfig, *context))
    }

    /// As somebody whose token nobody knows.
    pub fn stranger(&self) -> Rest {
        let text = std::fs::read_to_string(&self.kubeconfig).expect("a kubeconfig");
        let token = regex::Regex::new(r"token: [^}\s]*").expect("a pattern");
        // Beside the original, whose paths are relative.
        let own = self.kubeconfig.with_file_name(format!("stranger-{}", self.namespace));
        std::fs::write(&own, token.replace_all(&text, "token: nobody-knows-it").as_bytes()).expect("written");
        Rest::connect(&own, None)
    }

    /// The path of the namespace's virtual services.
    pub fn services(&self) -> String {
        format!("/apis/networking.istio.io/v1/namespaces/{}/virtualservices", self.namespace)
    }

    /// The path of a virtual service.
    pub fn service(&self, name: &str) -> String {
        format!("{}/{name}", self.services())
    }

    /// Creates a virtual service `name` whose single http route has these subsets of `carts` and weights.
    pub fn split(&self, name: &str, destinations: &[(&str, Option<i64>)]) -> Value {
        let route: Vec<Value> = destinations
            .iter()
            .map(|(subset, weight)| {
                let mut to = json!({"destination": {"host": "carts", "subset": subset}});
                if let Some(weight) = weight {
                    to["weight"] = json!(weight);
                }
                to
            })
            .collect();
        self.create(name, &json!({"hosts": [name], "http": [{"route": route}]}))
    }

    /// Creates a virtual service.
    pub fn create(&self, name: &str, spec: &Value) -> Value {
        let object = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name}, "spec": spec,
        });
        self.rest.post(&self.services(), &object).ok()
    }

    /// Creates manifests, in the namespace.
    pub fn manifests(&self, text: &str) {
        self.rest.create(&text.replace("NAMESPACE", &self.namespace));
    }

    /// `tidegate` on this server, in the namespace.
    pub fn tidegate(&self, line: &str) -> Run {
        tidegate(line).with(&self.kubeconfig).arg("-n").arg(&self.namespace)
    }

    /// The same as a user who may only read.
    pub fn as_viewer(&self, line: &str) -> Run {
        let (kubeconfig, context) = self.viewer.as_ref().expect("a viewer");
        let run = tidegate(line).with(kubeconfig).arg("-n").arg(&self.namespace);
        context.iter().fold(run, |run, context| run.arg("--context").arg(*context))
    }

    /// kubectl on this server, in the namespace; `None` without a lab, whose kubectl it is.
    pub fn kubectl(&self, arguments: &[&str]) -> Option<String> {
        let kubectl = self.lab.or_else(lab)?.kubectl.clone();
        let mut command = Command::new(kubectl);
        command.args(["-n", &self.namespace]).args(arguments).env("KUBECONFIG", &self.kubeconfig).env("HOME", self.home.path());
        let output = command.output().expect("kubectl runs");
        Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    }

    /// `text` without what differs between the servers: the namespace's name, the context's.
    pub fn anonymous(&self, text: &str) -> String {
        let context = if self.lab.is_some() { "context lab" } else { "context sandbox" };
        text.replace(&self.namespace, "NAMESPACE").replace(context, "context CONTEXT")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let own = self.kubeconfig.with_file_name(format!("stranger-{}", self.namespace));
        let _ = std::fs::remove_file(own);
        if self.lab.is_some() {
            self.rest.delete(&format!("/api/v1/namespaces/{}", self.namespace));
        }
    }
}
