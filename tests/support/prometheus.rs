//! Prometheus: what it answers, and one of a test's own.

use super::client::Client;
use super::lab::Lab;
use super::run::eventually;
use serde_json::Value;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The series that an instant query gives, at a time or now.
#[track_caller]
pub fn query(url: &str, query: &str, time: Option<i64>) -> Vec<Value> {
    let mut fields = vec![("query".to_owned(), query.to_owned())];
    fields.extend(time.map(|time| ("time".to_owned(), time.to_string())));
    let path = format!("/api/v1/query?{}", tidegate::metrics::form(&fields));
    let reply = Client::new(url).get("prometheus", &path, "Connection: close\r\n");
    reply.json()["data"]["result"].as_array().unwrap_or_else(|| panic!("a vector: {reply:?}")).clone()
}

/// A Prometheus of a test's own, which ends with the test.
pub struct Prometheus {
    /// Its URL.
    pub url: String,
    shell: Child,
}

impl Prometheus {
    /// Puts past data, in OpenMetrics' format, into the directory.
    pub fn import(lab: &Lab, directory: &Path, metrics: &str) {
        std::fs::write(directory.join("metrics"), metrics).expect("a file");
        let output = Command::new(lab.kubectl.with_file_name("promtool"))
            .args(["tsdb", "create-blocks-from", "--quiet", "openmetrics", "metrics", "data"])
            .current_dir(directory)
            .output()
            .expect("promtool runs");
        assert!(output.status.success(), "{output:?}");
    }

    /// With the data in the directory, and `configuration`.
    pub fn start(lab: &Lab, directory: &Path, configuration: &str) -> Self {
        std::fs::write(directory.join("prometheus.yml"), configuration).expect("a file");
        // Somebody else may take the port before Prometheus does: it ends then, and another one is tried.
        eventually("Prometheus starts", || {
            let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
            // The shell kills it when its own input ends, and that ends with the test, however it ends.
            let shell = Command::new("sh")
                .args(["-c", r#"exec 3<&0; "$@" & own=$!; (read -r _ <&3; kill -KILL $own) & wait $own"#, "sh"])
                .arg(lab.kubectl.with_file_name("prometheus"))
                .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"])
                // A limit that a test can reach.
                .arg("--query.max-samples=50000")
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .current_dir(directory)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("a shell");
            let mut made = Self { url: format!("http://127.0.0.1:{port}"), shell };
            eventually("Prometheus is ready or gone", || {
                let gone = made.shell.try_wait().expect("a child").is_some();
                let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
                let ready = !gone && listens() && Client::new(&made.url).get("prometheus", "/-/ready", "").status == 200;
                (gone || ready).then_some(ready)
            })
            .then_some(made)
        })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
