//! A few lines of HTTP server, for answers that no honest API server gives, and below the webhook.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What to answer.
pub enum Answer {
    /// Status, further header lines, body.
    With(u16, &'static str, String),
    /// Nothing, ever.
    Hang,
}

impl Answer {
    /// A JSON document.
    pub fn json(status: u16, body: &Value) -> Self {
        Answer::With(status, "Content-Type: application/json\r\n", body.to_string())
    }
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server on a port of its own; ends with the test.
pub struct Stub {
    /// Its port.
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
    directory: tempfile::TempDir,
}

impl Stub {
    /// Plain HTTP.
    pub fn new(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(handler))
    }

    /// HTTPS.
    pub fn with_tls(tls: ServerConfig, handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(Some(Arc::new(tls)), Arc::new(handler))
    }

    fn start(tls: Option<Arc<ServerConfig>>, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (requests, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, ended) = (requests.clone(), over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (tls, handler, log) = (tls.clone(), handler.clone(), log.clone());
                // A client that breaks off ends its own thread only.
                std::thread::spawn(move || serve(stream.ok()?, tls, &*handler, &log).ok());
            }
        });
        Self { port, requests, over, directory: super::directory() }
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// The requests so far, one a line: method, path and query.
    pub fn log(&self) -> String {
        self.requests().iter().map(|request| format!("{} {}\n", request.method, request.target)).collect()
    }

    /// Its URL (plain HTTP).
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A kubeconfig that points here (plain HTTP).
    pub fn kubeconfig(&self) -> PathBuf {
        let path = self.directory.path().join("kubeconfig");
        std::fs::write(&path, kubeconfig(&self.url(), "token: t")).expect("written");
        path
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener, so that it sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A kubeconfig with one context, `stub` (namespace `shop`), for `server` and a user with these lines.
pub fn kubeconfig(server: &str, user: &str) -> String {
    let user = user.lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: stub\n\
         clusters:\n- name: stub\n  cluster: {{server: '{server}'}}\n\
         contexts:\n- name: stub\n  context: {{cluster: stub, user: bob, namespace: shop}}\n\
         users:\n- name: bob\n  user:\n{user}"
    )
}

fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, handler: &Handler, log: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    match tls {
        None => exchange(stream, handler, log),
        Some(tls) => {
            let connection = ServerConnection::new(tls).map_err(std::io::Error::other)?;
            exchange(StreamOwned::new(connection, stream), handler, log)
        }
    }
}

/// One request and its answer; then the connection closes.
fn exchange(stream: impl Read + Write, handler: &Handler, log: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = Request { method, target, headers, body };
    log.lock().expect("not poisoned").push(request.clone());
    match handler(&request) {
        Answer::With(status, headers, body) => {
            let length = body.len();
            let stream = reader.get_mut();
            write!(stream, "HTTP/1.1 {status} OK\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}")?;
            stream.flush()
        }
        Answer::Hang => {
            // Until the client goes.
            let _ = reader.read(&mut [0; 1]);
            Ok(())
        }
    }
}

/// A failure in the API server's form.
pub fn status(code: u16, reason: &str, message: &str) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
        "code": code,
    });
    Answer::json(code, &body)
}

/// The smallest mesh: `carts` with two subsets in `shop`, all of it ready, of which a patch changes nothing. Istio's API is
/// served in one version.
pub fn mesh(request: &Request, version: &str) -> Answer {
    let path = request.target.split('?').next().unwrap_or_default();
    let istio = format!("/apis/networking.istio.io/{version}/namespaces/shop/");
    let endpoint = |pod: &str| json!({"conditions": {"ready": true}, "targetRef": {"kind": "Pod", "name": pod}});
    let pod =
        |color: &str| json!({"metadata": {"namespace": "shop", "name": format!("carts-{color}"), "labels": {"version": color}}});
    let body = match path.strip_prefix(istio.as_str()).unwrap_or(path) {
        "virtualservices/carts" => carts(version),
        "virtualservices" => {
            json!({"kind": "VirtualServiceList", "metadata": {"resourceVersion": "1"}, "items": [carts(version)]})
        }
        "destinationrules" => json!({"items": [{
            "metadata": {"namespace": "shop", "name": "carts"},
            "spec": {"host": "carts", "subsets": [
                {"name": "blue", "labels": {"version": "blue"}}, {"name": "green", "labels": {"version": "green"}},
            ]},
        }]}),
        "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices" => json!({"items": [{
            "metadata": {"namespace": "shop", "name": "carts-1", "labels": {"kubernetes.io/service-name": "carts"}},
            "endpoints": [endpoint("carts-blue"), endpoint("carts-green")],
        }]}),
        "/api/v1/namespaces/shop/pods" => json!({"items": [pod("blue"), pod("green")]}),
        "/api/v1/namespaces/shop" => json!({"kind": "Namespace", "metadata": {"name": "shop"}}),
        _ => return Answer::With(404, "Content-Type: text/plain\r\n", "404 page not found\n".to_owned()),
    };
    Answer::json(200, &body)
}

fn carts(version: &str) -> Value {
    json!({
        "apiVersion": format!("networking.istio.io/{version}"), "kind": "VirtualService",
        "metadata": {
            "namespace": "shop", "name": "carts", "uid": "u1", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"hosts": ["carts"], "http": [{"route": [
            {"destination": {"host": "carts", "subset": "blue"}, "weight": 100},
            {"destination": {"host": "carts", "subset": "green"}, "weight": 0},
        ]}]},
    })
}
