//! Objects of any kind: read, listed, created, replaced, patched, deleted. They stay the JSON that the server sent.
//!
//! Traffic is moved by [`Cluster::patch`] alone; this is for what surrounds it: deployments, services, a project's
//! namespaces, the records of runs.

use super::api::{DryRun, Patched, Reply, VERSIONS};
use super::connect::Cluster;
use super::wording;
use crate::core::patch::Patch;
use crate::error::{Error, Kind, Result};
use crate::web::encoded;
use http::Method;
use serde_json::Value;

/// A kind of object, and where the API server keeps it.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// `ConfigMap`
    pub kind: &'static str,
    /// `configmaps`
    pub plural: &'static str,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
}

const fn of(group: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource { group, kind, plural, namespaced: true }
}

/// Namespaces.
pub static NAMESPACES: Resource = Resource { namespaced: false, ..of("", "Namespace", "namespaces") };
/// Nodes.
pub static NODES: Resource = Resource { namespaced: false, ..of("", "Node", "nodes") };
/// Configuration maps.
pub static CONFIG_MAPS: Resource = of("", "ConfigMap", "configmaps");
/// Secrets.
pub static SECRETS: Resource = of("", "Secret", "secrets");
/// Service accounts.
pub static SERVICE_ACCOUNTS: Resource = of("", "ServiceAccount", "serviceaccounts");
/// Claims of storage.
pub static CLAIMS: Resource = of("", "PersistentVolumeClaim", "persistentvolumeclaims");
/// Services.
pub static SERVICES: Resource = of("", "Service", "services");
/// Pods.
pub static PODS: Resource = of("", "Pod", "pods");
/// Events.
pub static EVENTS: Resource = of("", "Event", "events");
/// Deployments.
pub static DEPLOYMENTS: Resource = of("apps", "Deployment", "deployments");
/// Replica sets.
pub static REPLICA_SETS: Resource = of("apps", "ReplicaSet", "replicasets");
/// Jobs.
pub static JOBS: Resource = of("batch", "Job", "jobs");
/// Leases.
pub static LEASES: Resource = of("coordination.k8s.io", "Lease", "leases");
/// Virtual services.
pub static VIRTUAL_SERVICES: Resource = of(ISTIO, "VirtualService", "virtualservices");
/// Destination rules.
pub static DESTINATION_RULES: Resource = of(ISTIO, "DestinationRule", "destinationrules");
/// Gateways.
pub static GATEWAYS: Resource = of(ISTIO, "Gateway", "gateways");

const ISTIO: &str = "networking.istio.io";

impl Resource {
    /// The kind of an object, by its `apiVersion` and `kind`, where it is one of those above.
    pub fn by_object(object: &Value) -> Option<&'static Resource> {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        let group = text("apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
        let all = [
            &NAMESPACES,
            &CONFIG_MAPS,
            &SECRETS,
            &SERVICE_ACCOUNTS,
            &CLAIMS,
            &SERVICES,
            &PODS,
            &EVENTS,
            &DEPLOYMENTS,
            &REPLICA_SETS,
            &JOBS,
            &LEASES,
            &VIRTUAL_SERVICES,
            &DESTINATION_RULES,
            &GATEWAYS,
        ];
        all.into_iter().find(|one| one.group == group && one.kind == text("kind"))
    }
}

/// How a creation ended.
#[derive(Debug)]
pub enum Created {
    /// It is there, as the server stored it.
    New(Value),
    /// One of that name was there before; nothing was written.
    Exists,
}

impl Cluster {
    /// Reads one object; an absent one is none.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn object(&self, kind: &Resource, namespace: &str, name: &str) -> Result<Option<Value>> {
        let path = format!("{}/{name}", self.place(kind, Some(namespace)));
        let reply = match kind.group {
            ISTIO => self.istio(&format!("/namespaces/{namespace}/{}/{name}", kind.plural)).await?,
            _ => self.request(Method::GET, &path, None, None).await?,
        };
        match reply.status {
            200..300 => Ok(Some(reply.body)),
            404 => Ok(None),
            _ => Err(wording::refusal(&reply, &path)),
        }
    }

    /// Lists the objects of a namespace, or of all, that fit a label selector (all where it is empty).
    ///
    /// # Errors
    /// As the API server says.
    pub async fn list(&self, kind: &Resource, namespace: Option<&str>, labels: &str) -> Result<Vec<Value>> {
        let query = if labels.is_empty() { String::new() } else { super::selector(labels) };
        self.query(kind, namespace, &query).await
    }

    /// The events about one object, the oldest first.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn events(&self, namespace: &str, kind: &str, name: &str) -> Result<Vec<Value>> {
        let fields = format!("involvedObject.kind={kind},involvedObject.name={name}");
        self.query(&EVENTS, Some(namespace), &format!("fieldSelector={}", encoded(&fields))).await
    }

    async fn query(&self, kind: &Resource, namespace: Option<&str>, query: &str) -> Result<Vec<Value>> {
        if kind.group == ISTIO {
            // Finds out which version the server has.
            self.istio(&format!("/{}?limit=1", kind.plural)).await?;
        }
        let mut objects = Vec::new();
        self.items(&self.place(kind, namespace), query, None, false, |item| objects.push(item)).await?;
        Ok(objects)
    }

    /// Creates an object; its `apiVersion`, `kind` and namespace are filled in.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn create(&self, kind: &Resource, namespace: &str, mut object: Value, dry_run: DryRun) -> Result<Created> {
        if kind.group == ISTIO {
            self.object(kind, namespace, "tidegate").await?;
        }
        let version = match kind.group {
            "" => "v1".to_owned(),
            ISTIO => format!("{ISTIO}/{}", VERSIONS[self.version.get()]),
            group => format!("{group}/v1"),
        };
        object["apiVersion"] = version.into();
        object["kind"] = kind.kind.into();
        if kind.namespaced {
            object["metadata"]["namespace"] = namespace.into();
        }
        let path = format!("{}{}", self.place(kind, Some(namespace)), self.writing(dry_run));
        let body = ("application/json", object.to_string().into_bytes());
        let reply = self.request(Method::POST, &path, None, Some(body)).await?;
        let exists = reply.body.get("reason").and_then(Value::as_str) == Some("AlreadyExists");
        match reply.status {
            200..300 => Ok(Created::New(reply.body)),
            // The first try was carried out and its answer lost: it is ours.
            409 if exists && reply.follows_loss() => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                Ok(self.object(kind, namespace, name).await?.map_or(Created::Exists, Created::New))
            }
            409 if exists => Ok(Created::Exists),
            _ => Err(refused(&reply, kind, namespace)),
        }
    }

    /// Replaces an object by a changed copy of what was read: refused where it was changed meanwhile.
    ///
    /// # Errors
    /// `Conflict` where somebody else changed it; else as the API server says.
    pub async fn replace(&self, kind: &Resource, object: &Value) -> Result<Value> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let path = format!("{}/{name}{}", self.place(kind, Some(namespace)), self.writing(DryRun::No));
        let body = ("application/json", object.to_string().into_bytes());
        let reply = self.request(Method::PUT, &path, None, Some(body)).await?;
        match reply.is_success() {
            true => Ok(reply.body),
            false => Err(refused(&reply, kind, namespace)),
        }
    }

    /// Patches any object, as [`Cluster::patch`] does virtual services.
    ///
    /// # Errors
    /// As the API server says; [`Patched::Refused`] where a guard may not hold.
    pub async fn edit(&self, kind: &Resource, namespace: &str, name: &str, patch: &Patch, dry_run: DryRun) -> Result<Patched> {
        let path = format!("{}/{name}{}", self.place(kind, Some(namespace)), self.writing(dry_run));
        let body = ("application/json-patch+json", patch.to_json().to_string().into_bytes());
        let reply = match self.request(Method::PATCH, &path, None, Some(body)).await {
            Ok(reply) => reply,
            Err(error) if error.kind == Kind::Unreachable => return Ok(Patched::Unanswered(error)),
            Err(error) => return Err(error),
        };
        match reply.status {
            200..300 => Ok(Patched::Done(reply.warnings)),
            409 | 422 => Ok(Patched::Refused(reply)),
            _ => Err(refused(&reply, kind, namespace)),
        }
    }

    /// Deletes an object, and what it owns with it. Whether it was there.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn delete(&self, kind: &Resource, namespace: &str, name: &str) -> Result<bool> {
        let path = format!("{}/{name}?propagationPolicy=Background", self.place(kind, Some(namespace)));
        let reply = self.request(Method::DELETE, &path, None, None).await?;
        match reply.status {
            200..300 => Ok(true),
            404 => Ok(false),
            _ => Err(refused(&reply, kind, namespace)),
        }
    }

    /// Whether the user may do `verb` (`create`, `patch`, …) with objects of a kind. Says so before anything is touched.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn may(&self, verb: &str, kind: &Resource, namespace: &str) -> Result<bool> {
        let review = serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": verb, "group": kind.group, "resource": kind.plural, "namespace": namespace}},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let body = ("application/json", review.to_string().into_bytes());
        let reply = self.request(Method::POST, path, None, Some(body)).await?;
        match reply.is_success() {
            true => Ok(reply.body.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(false)),
            false => Err(wording::refusal(&reply, "selfsubjectaccessreviews")),
        }
    }

    /// The path of a kind's objects.
    fn place(&self, kind: &Resource, namespace: Option<&str>) -> String {
        let root = match kind.group {
            "" => "/api/v1".to_owned(),
            ISTIO => format!("/apis/{ISTIO}/{}", VERSIONS[self.version.get()]),
            group => format!("/apis/{group}/v1"),
        };
        match namespace.filter(|_| kind.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", kind.plural),
            None => format!("{root}/{}", kind.plural),
        }
    }

    fn writing(&self, dry_run: DryRun) -> String {
        let dry = if dry_run == DryRun::Server { "&dryRun=All" } else { "" };
        format!("?fieldManager={}{dry}", self.field_manager)
    }
}

/// What the server says of something that it did not carry out.
fn refused(reply: &Reply, kind: &Resource, namespace: &str) -> Error {
    wording::refusal(reply, &format!("{} in {namespace}", kind.plural))
}
