//! A Kubernetes API server and a Prometheus query API on loopback, inside the binary: a place to try things.
//!
//! It keeps a few kinds of object, answers in the API server's own words, and simulates as much of a cluster as
//! shifting traffic and delivering versions need: deployments roll out or fail to, pods become ready, services get
//! endpoints, jobs end, and the applications answer, through the API server's proxy and through an ingress gateway.

mod admission;
mod app;
mod auth;
mod base64;
mod controllers;
mod defaults;
mod deploy;
mod discovery;
mod fault;
mod image;
mod kinds;
mod managed;
mod mesh;
pub mod metrics;
mod names;
mod openapi;
mod patch;
mod present;
mod proxy;
mod request;
mod respond;
mod schema;
mod seed;
mod select;
mod server;
mod shape;
mod status;
mod store;
mod strategic;
mod table;
mod time;
mod tls;
pub mod traffic;
mod trust;
mod verbs;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use fault::Fault;

use controllers::Controllers;
use fault::Faults;
use mesh::Mesh;
use server::Server;
use store::Store;

/// How a sandbox is to be started.
#[derive(Debug)]
pub struct Options {
    /// The directory for all that the sandbox writes; made when it is missing, closed to other users.
    pub dir: PathBuf,
    /// The port of the API server, 0 for a free one.
    pub port: u16,
    /// The port of the Prometheus query API, 0 for a free one.
    pub metrics_port: u16,
    /// The port of the ingress gateway, 0 for a free one.
    pub ingress_port: u16,
    /// Simulated seconds per second.
    pub speed: f64,
    /// Faults of the API server.
    pub faults: Vec<Fault>,
    /// Whether the sandbox starts with the fixtures in it.
    pub seeded: bool,
    /// Whether requests are written to `requests.log`.
    pub request_log: bool,
}

/// A running sandbox; it stops when it is dropped.
pub struct Sandbox {
    kubeconfig: PathBuf,
    server: String,
    metrics: String,
    ingress: String,
    request_log: PathBuf,
    api: Arc<Server>,
    tasks: JoinSet<()>,
}

impl Sandbox {
    /// Starts a sandbox on the current tokio runtime. It listens when this returns, and what it was seeded with is ready.
    pub async fn start(options: Options) -> anyhow::Result<Sandbox> {
        tls::create_dir(&options.dir)?;
        let identity = tls::create()?;
        let (api, api_port) = listen(options.port).await?;
        let (metrics_api, metrics_port) = listen(options.metrics_port).await?;
        let (ingress, ingress_port) = listen(options.ingress_port).await?;
        let url = format!("https://127.0.0.1:{api_port}");
        let kubeconfig = tls::write_files(&options.dir, &identity, &url)?;
        let request_log = options.dir.join("requests.log");
        let log = match options.request_log {
            true => Some(Mutex::new(tls::create_private(&request_log)?)),
            false => None,
        };

        let store = Arc::new(Store::default());
        let mut tasks = JoinSet::new();
        let mesh = Arc::new(Mesh::new(store.clone(), options.speed));
        let server = Arc::new(Server {
            store: store.clone(),
            faults: Faults::new(options.faults),
            log,
            admin_token: identity.admin_token,
            mesh: mesh.clone(),
        });
        let mut controllers = Controllers::new(store, options.speed);
        seed::platform(&server, ingress_port).await?;
        if options.seeded {
            seed::examples(&server).await?;
        }
        controllers.settle();
        tasks.spawn(controllers.run());
        tasks.spawn(mesh.clone().flow());
        tasks.spawn(server::serve(api, identity.tls, server.clone()));
        let prometheus = mesh.clone();
        tasks.spawn(server::serve_plain(metrics_api, move |request| {
            let answer = prometheus.metrics(&request).map(|bytes| Full::new(bytes).boxed_unsync());
            std::future::ready(answer)
        }));
        tasks.spawn(server::serve_plain(ingress, move |request| {
            let mesh = mesh.clone();
            async move { mesh.arrive(&request).await }
        }));
        Ok(Sandbox {
            kubeconfig,
            server: url,
            metrics: format!("http://127.0.0.1:{metrics_port}"),
            ingress: format!("http://127.0.0.1:{ingress_port}"),
            request_log,
            api: server,
            tasks,
        })
    }

    /// The kubeconfig, whose contexts are `sandbox` (all rights) and `viewer` (reads only).
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The URL of the API server, `https://127.0.0.1:PORT`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The URL of the Prometheus query API, `http://127.0.0.1:PORT`.
    pub fn metrics(&self) -> &str {
        &self.metrics
    }

    /// The URL of the ingress gateway, `http://127.0.0.1:PORT`; it routes by the `Host` header.
    pub fn ingress(&self) -> &str {
        &self.ingress
    }

    /// The request log, one line a request: `METHOD PATH?QUERY STATUS`, written before the answer is sent; the status
    /// is `-` where there was no answer.
    pub fn request_log(&self) -> &Path {
        &self.request_log
    }

    /// Sets the image of a deployment's container, as `kubectl set image` does, and waits until it is rolled out.
    pub async fn set_image(&self, namespace: &str, deployment: &str, container: &str, image: &str) -> anyhow::Result<()> {
        deploy::set_image(&self.api, namespace, deployment, container, image).await
    }

    /// The labels and values of an instant query of the Prometheus side; empty where there are none.
    pub fn query(&self, promql: &str) -> Vec<(serde_json::Value, f64)> {
        deploy::query(&self.api, promql)
    }

    /// Stops the sandbox and waits until its listeners are closed.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn listen(port: u16) -> anyhow::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}
