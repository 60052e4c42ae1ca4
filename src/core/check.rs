//! What must hold before traffic is moved to a destination, and what would make the change have no effect.
//!
//! The numbers IST… are those of Istio's own analysers (`pkg/config/analysis/msg/messages.yaml`).

use super::host;
use super::object::Object;
use super::plan::{Change, Move};
use super::route::{Destination, Route};
use super::select::Service;
use super::suggest;
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What was read of the surroundings.
#[derive(Debug, Default)]
pub struct Facts {
    /// Destination rules of the namespaces concerned.
    pub rules: Rules,
    /// The virtual services of the namespaces concerned, by namespace.
    pub neighbours: BTreeMap<String, Neighbours>,
    /// Ready endpoints.
    pub endpoints: Endpoints,
}

/// The virtual services of a namespace, by the resolved hosts that they route for: among thousands each is to be found
/// without a look at the others.
#[derive(Debug, Default)]
pub struct Neighbours {
    objects: Vec<Object>,
    /// Those of the mesh, by their own hosts.
    in_mesh: BTreeMap<String, Vec<usize>>,
    /// Those of gateways alone, by the hosts that they send to without naming a subset.
    plain: BTreeMap<String, Vec<usize>>,
}

impl Neighbours {
    /// Of these objects; what the API server gave of them is let go, one after the other.
    pub fn of(objects: impl IntoIterator<Item = Object>) -> Self {
        let mut all = Self::default();
        for (place, object) in objects.into_iter().enumerate() {
            let object = Object { raw: Value::Null, ..object };
            if object.in_mesh() {
                for host in &object.hosts {
                    all.in_mesh.entry(host.clone()).or_default().push(place);
                }
            } else {
                for to in object.routes.iter().flat_map(Route::destinations).filter(|to| to.subset.is_none()) {
                    all.plain.entry(host::resolve(&to.host, &object.namespace)).or_default().push(place);
                }
            }
            all.objects.push(object);
        }
        all
    }

    /// The first of those that `by` has for one of `hosts`, and that fits.
    fn first(&self, by: &BTreeMap<String, Vec<usize>>, hosts: &[String], fits: impl Fn(&Object) -> bool) -> Option<&Object> {
        let places = hosts.iter().filter_map(|host| by.get(host)).flatten();
        self.objects.get(*places.filter(|place| fits(&self.objects[**place])).min()?)
    }
}

/// A subset of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Subset {
    /// Its name.
    pub name: String,
    /// The labels of its pods.
    pub labels: BTreeMap<String, String>,
}

/// The subsets that destination rules define, by host.
#[derive(Debug, Default)]
pub struct Rules {
    by_host: BTreeMap<String, Vec<Subset>>,
}

impl Rules {
    /// Adds a destination rule. Rules for one host are merged as Istio merges them: subsets are put together, the first of
    /// a name counts.
    pub fn add(&mut self, rule: &Value) {
        let text = |pointer: &str| rule.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let host = host::resolve(text("/spec/host"), text("/metadata/namespace"));
        let merged = self.by_host.entry(host).or_default();
        for subset in rule.pointer("/spec/subsets").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = subset.get("name").and_then(Value::as_str) else { continue };
            if merged.iter().all(|known| known.name != name) {
                merged.push(Subset { name: name.to_owned(), labels: labels(subset.get("labels")) });
            }
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: Rules) {
        for (host, subsets) in other.by_host {
            let merged = self.by_host.entry(host).or_default();
            for subset in subsets {
                if merged.iter().all(|known| known.name != subset.name) {
                    merged.push(subset);
                }
            }
        }
    }

    /// The subsets of a resolved host; those of a wildcard only where no rule names the host itself.
    pub fn subsets(&self, host: &str) -> &[Subset] {
        let covers = |pattern: &str| pattern.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix));
        let wildcard = || self.by_host.iter().filter(|(pattern, _)| covers(pattern)).max_by_key(|(pattern, _)| pattern.len());
        let found = self.by_host.get(host).or_else(|| wildcard().map(|(_, subsets)| subsets));
        found.map_or(&[], Vec::as_slice)
    }

    /// One subset of a resolved host.
    pub fn subset(&self, host: &str, name: &str) -> Option<&Subset> {
        self.subsets(host).iter().find(|subset| subset.name == name)
    }
}

fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The endpoints of services and the labels of the pods behind them.
#[derive(Debug, Default)]
pub struct Endpoints {
    /// (namespace, service) to its endpoints: pod name (empty where it is none) and readiness.
    services: BTreeMap<(String, String), BTreeMap<String, bool>>,
    /// (namespace, pod) to its labels.
    pods: BTreeMap<(String, String), BTreeMap<String, String>>,
}

/// How many endpoints of a destination are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Ready.
    pub ready: usize,
    /// All.
    pub total: usize,
}

impl Endpoints {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: Endpoints) {
        self.services.extend(other.services);
        self.pods.extend(other.pods);
    }

    /// Adds an EndpointSlice.
    pub fn add_slice(&mut self, slice: &Value) {
        let text = |pointer: &str| slice.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = (text("/metadata/namespace"), text("/metadata/labels/kubernetes.io~1service-name"));
        let pods = self.services.entry(key).or_default();
        for (place, endpoint) in slice.get("endpoints").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let pod = endpoint.pointer("/targetRef/name").and_then(Value::as_str);
            let name = pod.map_or_else(|| format!("#{}-{place}", text("/metadata/name")), str::to_owned);
            // Kubernetes: an unknown condition is to be taken for ready.
            let ready = endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true);
            // Dual-stack services have a slice for each family: one pod counts once.
            *pods.entry(name).or_insert(false) |= ready;
        }
    }

    /// Adds a pod (or its metadata).
    pub fn add_pod(&mut self, pod: &Value) {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.pods.insert((text("/metadata/namespace"), text("/metadata/name")), labels(pod.pointer("/metadata/labels")));
    }

    /// The endpoints of a resolved host whose pods have `labels`; `None` for a host that is no service of the cluster,
    /// or whose service has no endpoint slices.
    pub fn ready(&self, host: &str, labels: &BTreeMap<String, String>) -> Option<Ready> {
        let (service, namespace) = host::service_of(host)?;
        let pods = self.services.get(&(namespace.to_owned(), service.to_owned()))?;
        let selected = |pod: &&String| {
            let own = self.pods.get(&(namespace.to_owned(), (*pod).clone()));
            labels.is_empty() || own.is_some_and(|own| labels.iter().all(|(key, value)| own.get(key) == Some(value)))
        };
        let count = |only_ready: bool| pods.iter().filter(|(pod, ready)| selected(pod) && (**ready || !only_ready)).count();
        Some(Ready { ready: count(true), total: count(false) })
    }
}

/// A destination that is to get more traffic than it has.
pub struct Gaining<'a> {
    /// The object it is in.
    pub object: &'a Object,
    /// What it is called.
    pub label: &'a str,
    /// Its host, resolved.
    pub host: String,
    /// Its subset.
    pub subset: Option<&'a str>,
    /// Whether the change adds it to the route.
    pub added: bool,
}

/// The destinations to which a change moves traffic.
pub fn gaining<'a>(service: &'a Service, changes: &'a [Change]) -> Vec<Gaining<'a>> {
    let mut found = Vec::new();
    for change in changes {
        let object = &service.objects[change.object];
        for one in &change.moves {
            let Some(route) = object.routes.iter().find(|route| route.id == one.route) else { continue };
            let gaining = one.gaining();
            for (place, (label, _)) in one.after.iter().enumerate() {
                let added = one.added.as_deref() == Some(label);
                if !gaining.contains(&place) && !added {
                    continue;
                }
                let Some(to) = route.destinations().get(place).or_else(|| route.destinations().first()) else { continue };
                let subset = if added { Some(label.as_str()) } else { to.subset.as_deref() };
                found.push(Gaining { object, label, host: host::resolve(&to.host, &object.namespace), subset, added });
            }
        }
    }
    found
}

/// Refuses a change that would send requests where nobody answers.
///
/// # Errors
/// `NotFound` for a subset that no destination rule has, `Failed` for one without a ready endpoint.
pub fn destinations(service: &Service, changes: &[Change], facts: &Facts) -> Result<()> {
    let mut seen = BTreeSet::new();
    for to in gaining(service, changes) {
        if !seen.insert((to.host.clone(), to.subset)) {
            continue;
        }
        let known = subset_of(&to, &facts.rules)?;
        let labels = known.map(|subset| subset.labels).unwrap_or_default();
        if host::service_of(&to.host).is_none() {
            continue;
        }
        let force = "`--force` shifts all the same: these requests would be answered 503";
        match facts.endpoints.ready(&to.host, &labels) {
            Some(Ready { ready: 0, total }) => {
                let what = if total == 0 { "no pod".to_owned() } else { format!("no ready pod (0 of {total})") };
                return Err(Error::failed(format!("{} of `{}` has {what}", to.label, service.name)).hint(force));
            }
            Some(_) => {}
            None => {
                return Err(Error::failed(format!(
                    "{} of `{}`: the service {} has no endpoints",
                    to.label, service.name, to.host
                ))
                .hint(force));
            }
        }
    }
    Ok(())
}

/// Refuses a subset that is missing where others of its host are known: of manifests, which need not hold the rules.
///
/// # Errors
/// `NotFound` for a subset that no destination rule of the host has.
pub fn subsets(service: &Service, changes: &[Change], rules: &Rules) -> Result<()> {
    let mut known = gaining(service, changes).into_iter().filter(|to| !rules.subsets(&to.host).is_empty());
    known.try_for_each(|to| subset_of(&to, rules).map(drop))
}

/// The subset that a destination names.
fn subset_of(to: &Gaining<'_>, rules: &Rules) -> Result<Option<Subset>> {
    let Some(name) = to.subset else { return Ok(None) };
    let known = rules.subsets(&to.host);
    if let Some(subset) = rules.subset(&to.host, name) {
        return Ok(Some(subset.clone()));
    }
    let names: Vec<&str> = known.iter().map(|subset| subset.name.as_str()).collect();
    let message = match names.is_empty() {
        true => format!("no destination rule of {} has subsets, so `{name}` does not exist", to.host),
        false => format!("{} has no subset `{name}`; its destination rules have {}", to.host, names.join(", ")),
    };
    let error = Error::not_found(message);
    Err(match suggest::nearest(name, names) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if to.added => error,
        None => error.hint("`--force` shifts all the same: these requests would be answered 503"),
    })
}

/// What would make the change temporary or without effect: warnings, each one line.
pub fn warnings(service: &Service, changes: &[Change], facts: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    for change in changes.iter().filter(|change| change.changes()) {
        let object = &service.objects[change.object];
        for owner in &object.owners {
            lines.push(format!(
                "{} is managed by {}: it puts the weights back {} (`tidegate help {}`)",
                object.name, owner.name, owner.undoes, owner.topic
            ));
        }
        for one in change.moves.iter().filter(|one| one.changes()) {
            lines.extend(unreachable(object, one));
        }
        let Some(neighbours) = facts.neighbours.get(&object.namespace) else { continue };
        if let Some(older) = shadowing(object, neighbours) {
            lines.push(format!(
                "in the mesh this has no effect: {} is older and routes for the same host; only the oldest counts (IST0109)",
                older.title()
            ));
        }
        if let Some(other) = bypassing(object, change, neighbours) {
            lines.push(format!(
                "requests through gateway {} do not see these weights: {} routes them to the same host without a subset (IST0140)",
                other.gateways.join(", "),
                other.title()
            ));
        }
    }
    lines
}

fn unreachable(object: &Object, one: &Move) -> Option<String> {
    let route = object.routes.iter().find(|route| route.id == one.route)?;
    (!route.reachable)
        .then(|| format!("{} of {} never gets a request: a route before it takes them all (IST0130)", route.id, object.title()))
}

/// The older virtual service of the mesh that routes for one of the object's hosts.
fn shadowing<'a>(object: &Object, neighbours: &'a Neighbours) -> Option<&'a Object> {
    let older = |other: &Object| (&other.created, &other.name) < (&object.created, &object.name);
    object.in_mesh().then(|| neighbours.first(&neighbours.in_mesh, &object.hosts, older))?
}

/// A virtual service of a gateway that sends to a host of the change, but to no subset of it.
fn bypassing<'a>(object: &Object, change: &Change, neighbours: &'a Neighbours) -> Option<&'a Object> {
    let to_subset = |to: &&Destination| to.subset.is_some();
    let changed = object.routes.iter().filter(|route| change.moves.iter().any(|one| one.route == route.id));
    let hosts: Vec<String> =
        changed.flat_map(Route::destinations).filter(to_subset).map(|to| host::resolve(&to.host, &object.namespace)).collect();
    object.in_mesh().then(|| neighbours.first(&neighbours.plain, &hosts, |other| other.name != object.name))?
}

#[cfg(test)]
mod tests;
