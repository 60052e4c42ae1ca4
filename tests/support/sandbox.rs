//! A sandbox in this process, one for each test that wants one.

use super::rest::Rest;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use tidegate::sandbox::{self, Options};
use tokio::sync::oneshot;

/// A running sandbox, with a client of the tests' own beside it.
pub struct Sandbox {
    /// Its kubeconfig, with the contexts `sandbox` and `viewer`.
    pub kubeconfig: PathBuf,
    /// As the user with all rights.
    pub rest: Rest,
    log: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

impl Sandbox {
    /// With the example services.
    pub fn new() -> Self {
        Self::start(true, &[])
    }

    /// With the example services, and time that runs so many times as fast.
    pub fn fast(speed: f64) -> Self {
        Self::begin(true, &[], speed)
    }

    /// With nothing in it but one namespace, `shop`.
    pub fn empty() -> Self {
        let sandbox = Self::start(false, &[]);
        sandbox.rest.post("/api/v1/namespaces", &serde_json::json!({"metadata": {"name": "shop"}})).ok();
        sandbox
    }

    /// With the example services, and something that goes wrong.
    pub fn with_faults(faults: &[&str]) -> Self {
        Self::start(true, faults)
    }

    fn start(seeded: bool, faults: &[&str]) -> Self {
        Self::begin(seeded, faults, 1.0)
    }

    fn begin(seeded: bool, faults: &[&str], speed: f64) -> Self {
        let directory = super::directory();
        let options = Options {
            dir: directory.path().to_owned(),
            port: 0,
            metrics_port: 0,
            ingress_port: 0,
            speed,
            faults: faults.iter().map(|text| text.parse().expect("a fault")).collect(),
            seeded,
            request_log: true,
        };
        let (started, wait) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let sandbox = sandbox::Sandbox::start(options).await.expect("the sandbox starts");
                let places = (sandbox.kubeconfig().to_owned(), sandbox.request_log().to_owned());
                started.send(places).expect("the test waits");
                // An error means that the test is over, too.
                let _ = stopped.await;
                sandbox.stop().await;
            });
        });
        let (kubeconfig, log) = wait.recv().expect("the sandbox starts");
        let rest = Rest::connect(&kubeconfig, None);
        Self { kubeconfig, rest, log, stop: Some(stop), thread: Some(thread), _directory: directory }
    }

    /// The requests so far, one a line: `METHOD PATH?QUERY STATUS`.
    pub fn requests(&self) -> String {
        std::fs::read_to_string(&self.log).expect("a request log")
    }

    /// The requests that `action` causes.
    pub fn requests_of(&self, action: impl FnOnce()) -> String {
        let before = self.requests().len();
        action();
        self.requests()[before..].to_owned()
    }

    /// A virtual service.
    pub fn service(&self, namespace: &str, name: &str) -> Value {
        self.rest.get(&path(namespace, name)).ok()
    }

    /// The weights of a virtual service's route, in its order.
    pub fn weights(&self, namespace: &str, name: &str, route: usize) -> Vec<Value> {
        let object = self.service(namespace, name);
        let list = object.pointer(&format!("/spec/http/{route}/route")).and_then(Value::as_array).expect("a route");
        list.iter().map(|to| to.get("weight").cloned().unwrap_or(Value::Null)).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The path of a virtual service.
pub fn path(namespace: &str, name: &str) -> String {
    format!("/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/{name}")
}

/// Creates a virtual service in the namespace `shop`.
pub fn virtual_service(sandbox: &Sandbox, name: &str, spec: Value) {
    let object = serde_json::json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name}, "spec": spec,
    });
    sandbox.rest.post(path("shop", "").trim_end_matches('/'), &object).ok();
}

/// Creates a virtual service with one http route, in the namespace `shop`.
pub fn route(sandbox: &Sandbox, name: &str, destinations: Value) {
    virtual_service(sandbox, name, serde_json::json!({"hosts": [name], "http": [{"route": destinations}]}));
}

/// Creates a virtual service with one http route between subsets of a host of the same name, in the namespace `shop`.
pub fn split(sandbox: &Sandbox, name: &str, weights: &[(&str, Value)]) {
    let destinations = weights.iter().map(|(subset, weight)| {
        let mut to = serde_json::json!({"destination": {"host": name, "subset": subset}});
        if !weight.is_null() {
            to["weight"] = weight.clone();
        }
        to
    });
    route(sandbox, name, destinations.collect());
}
