//! The lab: a real control plane and data plane, started once for all tests of this process (`tests/lab/README.md`).

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// What a test needs to know of it.
pub struct Lab {
    /// As the user with all rights.
    pub kubeconfig: PathBuf,
    /// As a user who may only read; not in a cluster that was given.
    pub viewer: Option<PathBuf>,
    /// A kubectl of the server's version; beside it are the lab's other programs.
    pub kubectl: PathBuf,
    /// What serves requests; not in a cluster that was given.
    pub plane: Option<Plane>,
    /// The process ends, and all its parts with it, when its input does.
    _process: Option<Child>,
}

/// URLs of the lab's data plane.
pub struct Plane {
    /// Envoy, which takes the mesh's requests.
    pub envoy: String,
    /// Prometheus.
    pub prometheus: String,
    /// The list of the pods' servers.
    pub backends: String,
}

static LAB: OnceLock<Option<Lab>> = OnceLock::new();

/// The lab, where its parts are built or a cluster is given.
///
/// `TIDEGATE_LAB_KUBECONFIG` names a cluster to use instead. `TIDEGATE_LAB=required` makes a missing lab a failure.
pub fn lab() -> Option<&'static Lab> {
    LAB.get_or_init(start).as_ref()
}

fn start() -> Option<Lab> {
    if let Some(given) = std::env::var_os("TIDEGATE_LAB_KUBECONFIG") {
        let kubeconfig = given.into();
        return Some(Lab { kubeconfig, viewer: None, kubectl: "kubectl".into(), plane: None, _process: None });
    }
    let up = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/up");
    let mut process = Command::new(up)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tests/lab/up can be run");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
    if line.is_empty() {
        let mut said = String::new();
        process.stderr.take().expect("piped").read_to_string(&mut said).expect("readable");
        let status = process.wait().expect("it ended");
        let required = std::env::var("TIDEGATE_LAB").is_ok_and(|value| value == "required");
        assert!(status.code() == Some(3) && !required, "the lab does not start ({status}):\n{said}");
        // Straight to stderr: the test framework would swallow what the macros print.
        let why = "what is tested on a real API server and a real Envoy is skipped; `tests/lab/build` gets its parts";
        writeln!(std::io::stderr(), "{why}").expect("stderr");
        return None;
    }
    // Nobody reads on: a full pipe must not stop it.
    let mut said = process.stderr.take().expect("piped");
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    let told: Value = serde_json::from_str(&line).expect("one line of JSON");
    let text = |key: &str| told[key].as_str().expect("a text").to_owned();
    let path = |key: &str| PathBuf::from(text(key));
    Some(Lab {
        kubeconfig: path("kubeconfig"),
        viewer: Some(path("viewer_kubeconfig")),
        kubectl: path("kubectl"),
        plane: Some(Plane { envoy: text("envoy"), prometheus: text("prometheus"), backends: text("backends") }),
        _process: Some(process),
    })
}
