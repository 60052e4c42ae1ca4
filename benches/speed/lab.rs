//! The lab with what is measured in it.

use crate::measure;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use tempfile::TempDir;

/// So many services are shifted in one call.
pub const SERVICES: usize = 1000;

/// So many namespaces have that many virtual services each.
const NAMESPACES: usize = 10;

/// Connections of the bare client where it has several.
pub const CONNECTIONS: usize = 8;

/// `tests/lab/up`, running, and files about it. It ends when its input does.
pub struct Lab {
    up: Child,
    input: Option<ChildStdin>,
    facts: Value,
    files: TempDir,
}

impl Lab {
    /// Starts it; `None` where its parts are not built, which it has then said.
    pub fn start() -> Result<Option<Self>, String> {
        let up = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/up");
        let mut up = Command::new(up);
        // Envoy and what configures it would take a fifth of the machine while a thousand services move.
        let mut up = up
            .arg("--control")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the lab: {error}"))?;
        let input = up.stdin.take();
        let mut line = String::new();
        if let Some(output) = up.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        if line.is_empty() {
            return match up.wait().map(|status| status.code()) {
                Ok(Some(3)) => Ok(None),
                status => Err(format!("the lab did not start: {status:?}")),
            };
        }
        let facts = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let files = tempfile::tempdir().map_err(|error| error.to_string())?;
        let lab = Self { up, input, facts, files };
        // As they would be installed: what a linker wrote lies in the system's cache in small pieces, which costs each
        // start up to a millisecond.
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        for (program, name) in [(Path::new(env!("CARGO_BIN_EXE_tidegate")), "tidegate"), (&this, "bench")] {
            std::fs::copy(program, lab.file(name)).map_err(|error| error.to_string())?;
        }
        lab.write("target", &lab.target(lab.address())?)?;
        Ok(Some(lab))
    }

    fn fact(&self, key: &str) -> &str {
        self.facts.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The server's `host:port`.
    pub fn address(&self) -> &str {
        self.fact("server").trim_start_matches("https://")
    }

    /// A file of ours; where it is written is where it is read.
    pub fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Writes such a file.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.file(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// The lab's kubeconfig, as text.
    pub fn kubeconfig(&self) -> Result<String, String> {
        std::fs::read_to_string(self.fact("kubeconfig")).map_err(|error| error.to_string())
    }

    /// What the bare client needs to know, with the server at `address`.
    pub fn target(&self, address: &str) -> Result<String, String> {
        let kubeconfig = self.kubeconfig()?;
        let token = kubeconfig.split_once("token: ").and_then(|(_, rest)| rest.split('}').next()).ok_or("no token")?;
        let certificates = Path::new(self.fact("dir")).join("apiserver/apiserver.crt");
        let certificates = std::fs::read_to_string(certificates).map_err(|error| error.to_string())?;
        Ok(format!("{address}\n{token}\n{certificates}"))
    }

    fn of(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("HOME", self.files.path()).env("KUBECONFIG", self.fact("kubeconfig"));
        alone(&mut command);
        command
    }

    /// kubectl, with its cache among our files.
    pub fn kubectl(&self, arguments: &[&str]) -> Command {
        self.of(self.fact("kubectl"), arguments)
    }

    /// tidegate, as `cargo bench` built it.
    pub fn tidegate(&self, arguments: &[&str]) -> Command {
        self.of(self.file("tidegate"), arguments)
    }

    /// The bare client, sending the requests of the file `requests` to `target`.
    pub fn floor(&self, target: &str, requests: &str, connections: usize) -> Command {
        let mut command = Command::new(self.file("bench"));
        command.arg(crate::floor::WORD).arg(self.file(target)).arg(self.file(requests)).arg(connections.to_string());
        alone(&mut command);
        command
    }

    /// Creates one service with two versions that are ready, and the many.
    pub fn fill(&self, many: bool) -> Result<(), String> {
        self.apply(&one())?;
        for version in ["old", "new"] {
            read(&mut self.kubectl(&["rollout", "status", "-n=bench", "--timeout=60s", &format!("deployment/carts-{version}")]))?;
        }
        if many {
            self.apply(&namespaces())?;
            let lines: Vec<String> =
                (0..NAMESPACES).flat_map(|place| (0..SERVICES).map(move |name| service(place, name))).collect();
            self.write("many", &lines.concat())?;
            measure::run(&self.floor("target", "many", CONNECTIONS))?;
        }
        Ok(())
    }

    fn apply(&self, objects: &[Value]) -> Result<(), String> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let mut kubectl = self.kubectl(&["apply", "--server-side", "-f", "-"]);
        let mut running = kubectl.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().map_err(|error| error.to_string())?;
        if let Some(mut input) = running.stdin.take() {
            input.write_all(list.to_string().as_bytes()).map_err(|error| error.to_string())?;
        }
        match running.wait() {
            Ok(status) if status.success() => Ok(()),
            status => Err(format!("kubectl apply: {status:?}")),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.input.take());
        // Nobody could do more about a lab that does not end.
        let _ = self.up.wait();
    }
}

/// Takes away where cargo has the system look for libraries: it would look there at every start.
pub fn alone(command: &mut Command) {
    command.env_remove("LD_LIBRARY_PATH");
}

/// Runs a command to its end and returns what it printed.
pub fn read(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// The service `carts` in the namespace `bench`.
fn one() -> Vec<Value> {
    let deployment = |version: &str| {
        let labels = json!({"app": "carts", "version": version});
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "bench", "name": format!("carts-{version}")},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "carts", "image": "carts:1"}]}},
            },
        })
    };
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bench"}}),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "bench", "name": "carts"},
            "spec": {"selector": {"app": "carts"}, "ports": [{"name": "http", "port": 80}]},
        }),
        deployment("old"),
        deployment("new"),
        rule("bench", "carts"),
        virtual_service("bench", "carts"),
    ]
}

/// The namespaces `many-0` and so on; the first has a pod of each version.
fn namespaces() -> Vec<Value> {
    let namespace = |place| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("many-{place}")}});
    let pod = |version: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "many-0", "name": version, "labels": {"version": version}},
            "spec": {"containers": [{"name": "service", "image": "service:1"}]},
        })
    };
    (0..NAMESPACES).map(namespace).chain([pod("old"), pod("new")]).collect()
}

/// The requests that create one of the many; those of the first namespace are complete enough to be shifted.
fn service(place: usize, number: usize) -> String {
    let (namespace, name) = (format!("many-{place}"), format!("service-{number:04}"));
    let create = |api: &str, what: &str, object: Value| format!("POST\t/apis/{api}/namespaces/{namespace}/{what}\t{object}\n");
    let istio = "networking.istio.io/v1";
    let mut lines = create(istio, "virtualservices", virtual_service(&namespace, &name));
    if place == 0 {
        let endpoint =
            |version: &str, address: &str| json!({"addresses": [address], "targetRef": {"kind": "Pod", "name": version}});
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
            "endpoints": [endpoint("old", "10.0.0.1"), endpoint("new", "10.0.0.2")],
        });
        lines += &create(istio, "destinationrules", rule(&namespace, &name));
        lines += &create("discovery.k8s.io/v1", "endpointslices", slice);
    }
    lines
}

fn rule(namespace: &str, name: &str) -> Value {
    let subset = |version: &str| json!({"name": version, "labels": {"version": version}});
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"namespace": namespace, "name": name},
        "spec": {"host": name, "subsets": [subset("old"), subset("new")]},
    })
}

fn virtual_service(namespace: &str, name: &str) -> Value {
    let to = |version: &str, weight: u32| json!({"destination": {"host": name, "subset": version}, "weight": weight});
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"namespace": namespace, "name": name},
        "spec": {"hosts": [name], "http": [{"name": "main", "route": [to("old", 100), to("new", 0)]}]},
    })
}
