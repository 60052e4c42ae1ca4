//! A virtual service as it was read: identity, hosts, routes, and what tidegate and others wrote on it.

use super::host::{self, ServiceRef};
use super::owner::{self, Owner};
use super::release::{self, Release, Revision};
use super::route::{self, Action, Protocol, Route};
use serde_json::Value;

/// A virtual service.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its `metadata.uid`.
    pub uid: String,
    /// When it was created, RFC 3339: among several for one host the oldest counts in the mesh.
    pub created: String,
    /// `spec.hosts`, resolved; empty in a delegate.
    pub hosts: Vec<String>,
    /// `spec.gateways`; empty means the mesh.
    pub gateways: Vec<String>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// The release that it records.
    pub release: Option<Release>,
    /// The changes that it records, oldest first.
    pub history: Vec<Revision>,
    /// Who wrote its routes last.
    pub writer: Option<Writer>,
    /// Who would put it back.
    pub owners: Vec<Owner>,
    /// The object as the API server or a manifest gave it.
    pub raw: Value,
    /// Where it stands, if it is of a manifest.
    pub origin: Option<Box<Origin>>,
}

/// Where in which manifest an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file that holds what changes, as it is told.
    pub file: String,
    /// The line on which the object begins, from 1.
    pub line: usize,
    /// The file's place among those that were read, and the object's among its virtual services.
    pub place: (usize, usize),
}

/// Who wrote last, from `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The field manager.
    pub manager: String,
    /// When, RFC 3339.
    pub at: String,
}

impl Object {
    /// Reads an object of the API server.
    pub fn read(raw: Value) -> Self {
        let text = |pointer: &str| raw.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |pointer: &str| -> Vec<String> {
            let items = raw.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let namespace = text("/metadata/namespace");
        Self {
            name: text("/metadata/name"),
            uid: text("/metadata/uid"),
            created: text("/metadata/creationTimestamp"),
            hosts: list("/spec/hosts").iter().map(|name| host::resolve(name, &namespace)).collect(),
            gateways: list("/spec/gateways"),
            routes: route::read(raw.get("spec").unwrap_or(&Value::Null)),
            release: annotation(&raw, release::RELEASE).and_then(Release::parse),
            history: annotation(&raw, release::HISTORY).map(release::parse_history).unwrap_or_default(),
            writer: writer(&raw),
            owners: owner::of(&raw),
            namespace,
            raw,
            origin: None,
        }
    }

    /// `virtualservice.networking.istio.io/NAME`, as kubectl names it.
    pub fn title(&self) -> String {
        format!("virtualservice.networking.istio.io/{}", self.name)
    }

    /// Whether sidecars use it: it names no gateway, or `mesh` among them.
    pub fn in_mesh(&self) -> bool {
        self.gateways.is_empty() || self.gateways.iter().any(|gateway| gateway == "mesh")
    }

    /// Its name outside of the mesh: its first host that is a name of the internet, where a gateway serves it.
    pub fn public(&self) -> Option<&str> {
        let outside = self.gateways.iter().any(|gateway| gateway != "mesh");
        let named = |host: &&String| host.contains('.') && !host.contains('*') && host::service_of(host).is_none();
        self.hosts.iter().find(named).filter(|_| outside).map(String::as_str)
    }

    /// The delegates that its routes name, with their namespace.
    pub fn delegates(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for route in &self.routes {
            if let Action::Delegate { name, namespace } = &route.action {
                let target = (namespace.clone().unwrap_or_else(|| self.namespace.clone()), name.clone());
                let itself = target == (self.namespace.clone(), self.name.clone());
                if !itself && !found.contains(&target) {
                    found.push(target);
                }
            }
        }
        found
    }

    /// Whether it routes for the service behind `host` (resolved): by its own hosts or by a destination's.
    pub fn serves(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own == host)
            || self.routes.iter().flat_map(Route::destinations).any(|to| host::resolve(&to.host, &self.namespace) == host)
    }

    /// Whether a user who looks in all namespaces means it: by its name, or by the service that it routes for.
    pub fn is_meant(&self, service: &ServiceRef) -> bool {
        // A manifest need not say its namespace.
        let here = self.namespace.is_empty() || service.namespace.as_ref().is_none_or(|namespace| *namespace == self.namespace);
        let routes = || self.serves(&host::resolve(&service.name, &self.namespace)) || self.serves(&service.text);
        here && (self.name == service.name || !service.object_only && routes())
    }

    /// An annotation's text.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        annotation(&self.raw, key)
    }
}

fn annotation<'a>(raw: &'a Value, key: &str) -> Option<&'a str> {
    raw.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// Each list of routes belongs as a whole to who wrote it last.
fn writer(raw: &Value) -> Option<Writer> {
    let entries = raw.pointer("/metadata/managedFields")?.as_array()?;
    entries
        .iter()
        .filter(|entry| {
            let spec = entry.pointer("/fieldsV1/f:spec");
            spec.is_some_and(|spec| Protocol::ALL.iter().any(|list| spec.get(format!("f:{}", list.key())).is_some()))
        })
        .filter_map(|entry| {
            let at = entry.get("time").and_then(Value::as_str)?.to_owned();
            Some(Writer { manager: entry.get("manager").and_then(Value::as_str)?.to_owned(), at })
        })
        // RFC 3339 in UTC sorts as text.
        .max_by(|a, b| a.at.cmp(&b.at))
}
