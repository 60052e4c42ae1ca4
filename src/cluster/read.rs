//! Reading: the service that a name means, and what surrounds it.

use super::api::Reply;
use super::connect::Cluster;
use super::wording;
use crate::core::check::{self, Endpoints, Facts, Neighbours, Rules};
use crate::core::find::{self, Found};
use crate::core::host::{self, ServiceRef};
use crate::core::object::Object;
use crate::core::plan::Change;
use crate::core::select::Service;
use crate::core::suggest;
use crate::error::{Error, Result};
use crate::sorted;
use crate::web::encoded;
use futures_util::future::try_join_all;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A page of a list: large lists arrive in pieces, so that memory stays bounded.
const PAGE: usize = 500;

/// More names than this are not asked for one by one.
const MANY: usize = 8;

/// Only what names and labels need: the rest of a pod is large.
pub(super) const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

impl Cluster {
    /// Finds one service: by the object's name in one request, else by host among all of the namespace.
    ///
    /// # Errors
    /// `NotFound` where nothing fits, `Usage` where several do.
    pub async fn find(&self, wanted: &ServiceRef, preflight: bool) -> Result<Found> {
        self.find_partly(wanted, preflight).await?.whole()
    }

    /// As [`Cluster::find`], where what can be read of the service is enough.
    ///
    /// # Errors
    /// As [`Cluster::find`].
    pub async fn find_partly(&self, wanted: &ServiceRef, preflight: bool) -> Result<Found> {
        let namespace = wanted.namespace.as_deref().unwrap_or(&self.namespace);
        let path = format!("/namespaces/{namespace}/virtualservices/{}", wanted.name);
        let mut found = Found::default();
        let reply = match preflight {
            false => self.istio(&path).await?,
            true => {
                let beside = async {
                    tokio::join!(self.rules(Some(namespace), true), self.neighbours(namespace), self.protected(namespace))
                };
                let (reply, (rules, neighbours, protected)) = tokio::join!(self.istio(&path), beside);
                let reply = reply?;
                found.facts.rules = rules?;
                found.facts.neighbours.insert(namespace.to_owned(), neighbours?);
                found.protected.insert(namespace.to_owned(), protected);
                reply
            }
        };
        let service = self.resolve(wanted, namespace, reply, &mut found.unread).await?;
        found.services.push(service);
        Ok(found)
    }

    /// Finds several services, or where none is named all that carry weights and fit `selector`, with one list a namespace,
    /// where what can be read of them is enough.
    ///
    /// # Errors
    /// As [`Cluster::find`].
    pub async fn find_all(&self, wanted: &[ServiceRef], selector: Option<&str>, preflight: bool) -> Result<Found> {
        let namespace_of = |one: &ServiceRef| one.namespace.clone().unwrap_or_else(|| self.namespace.clone());
        let mut namespaces = sorted::set(wanted.iter().map(namespace_of));
        if wanted.is_empty() {
            namespaces.insert(self.namespace.clone());
        }
        let mut found = Found::default();
        for namespace in namespaces {
            let query = selector.map(self::selector);
            let beside = async {
                match preflight {
                    true => tokio::join!(self.rules(Some(&namespace), true), self.protected(&namespace)),
                    false => (Ok(Rules::default()), Ok(false)),
                }
            };
            let (list, (rules, protected)) = tokio::join!(self.objects(Some(&namespace), query.as_deref()), beside);
            let mut list = list?;
            if wanted.is_empty() {
                for object in list.iter_mut().filter(|object| find::weighted(object)) {
                    let raw = std::mem::take(&mut object.raw);
                    let objects = vec![Object { raw, ..object.clone() }];
                    let name = object.name.clone();
                    // A dot would separate a namespace.
                    let typed = if name.contains('.') { format!("vs/{name}") } else { name.clone() };
                    found.services.push(Service { name, typed, objects });
                }
            }
            for one in wanted.iter().filter(|one| namespace_of(one) == namespace) {
                let service = self.pick(one, &namespace, &list, &mut found.unread).await?;
                found.services.push(service);
            }
            found.facts.rules.merge(rules?);
            found.facts.neighbours.insert(namespace.clone(), Neighbours::of(list));
            found.protected.insert(namespace, protected);
        }
        // In the order in which they were named.
        let place = |service: &Service| wanted.iter().position(|one| one.text == service.name);
        sorted::by_key(&mut found.services, place);
        Ok(found)
    }

    async fn resolve(&self, wanted: &ServiceRef, namespace: &str, reply: Reply, unread: &mut Vec<Error>) -> Result<Service> {
        if reply.is_success() {
            return self.with_delegates(&wanted.text, Object::read(reply.body), unread).await;
        }
        if reply.status != 404 || wanted.object_only {
            return Err(wording::refusal(&reply, &wanted.text));
        }
        let list = self.objects(Some(namespace), None).await?;
        self.pick(wanted, namespace, &list, unread).await
    }

    /// The service among the objects of its namespace: by name, else by host.
    async fn pick(&self, wanted: &ServiceRef, namespace: &str, list: &[Object], unread: &mut Vec<Error>) -> Result<Service> {
        let serving = find::meant(wanted, list.iter());
        match serving.as_slice() {
            [one] => self.with_delegates(&wanted.text, (*one).clone(), unread).await,
            [] => Err(unknown(wanted, namespace, list)),
            several => Err(ambiguous(wanted, several)),
        }
    }

    async fn with_delegates(&self, name: &str, object: Object, unread: &mut Vec<Error>) -> Result<Service> {
        let delegates = object.delegates();
        let own = object.title();
        let own = own.as_str();
        let reads = delegates.iter().map(|(namespace, name)| async move {
            // It becomes a part of an address.
            if !host::is_name(namespace) || !host::is_name(name) {
                let target = format!("{namespace}/{name}");
                let message = format!("{own} delegates to `{}`, which names no virtual service", target.escape_debug());
                return Ok(Err(Error::not_found(message)));
            }
            let reply = self.istio(&format!("/namespaces/{namespace}/virtualservices/{name}")).await?;
            Ok::<_, Error>(match reply.status {
                200..300 => Ok(Object::read(reply.body)),
                404 => Err(Error::not_found(format!("{own} delegates to {namespace}/{name}, which does not exist"))),
                _ => Err(wording::refusal(&reply, &format!("the delegate {namespace}/{name}"))),
            })
        });
        let mut objects = vec![object];
        for read in try_join_all(reads).await? {
            match read {
                Ok(delegate) => objects.push(delegate),
                Err(error) => unread.push(error),
            }
        }
        Ok(Service { name: name.to_owned(), typed: name.to_owned(), objects })
    }

    /// Every virtual service of a namespace, or of all.
    pub async fn objects(&self, namespace: Option<&str>, query: Option<&str>) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        self.each_page(namespace, query, |page| objects.extend(page)).await?;
        Ok(objects)
    }

    /// Every virtual service, a page at a time; returns the version of the list, from which a watch can go on.
    pub async fn each_page(
        &self,
        namespace: Option<&str>,
        query: Option<&str>,
        mut take: impl FnMut(Vec<Object>),
    ) -> Result<String> {
        let path = format!("{}/virtualservices", scope(namespace));
        let mut next: Option<String> = None;
        let mut restarted = false;
        loop {
            let mut page = format!("{path}?limit={PAGE}");
            page += &query.map(|query| format!("&{query}")).unwrap_or_default();
            page += &next.as_ref().map(|token| format!("&continue={}", encoded(token))).unwrap_or_default();
            let mut reply = self.istio(&page).await?;
            if reply.status == 410 && next.is_some() && !restarted {
                // The list expired between two pages: the server offers to go on with what is there now.
                next = reply.body.pointer("/metadata/continue").and_then(Value::as_str).map(str::to_owned);
                restarted = true;
                continue;
            }
            if !reply.is_success() {
                return Err(wording::refusal(&reply, "virtualservices"));
            }
            if let Some(Value::Array(items)) = reply.body.get_mut("items").map(Value::take) {
                take(items.into_iter().map(Object::read).collect());
            }
            let meta = |key: &str| reply.body.pointer(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            match meta("/metadata/continue") {
                token if token.is_empty() => return Ok(meta("/metadata/resourceVersion")),
                token => next = Some(token),
            }
        }
    }

    /// The items of any list, each passed to `take`. `cached` reads what the server has at hand: a consistent list waits
    /// for its cache, and what surrounds a change need not be newer than that.
    pub(super) async fn items(
        &self,
        path: &str,
        query: &str,
        accept: Option<&str>,
        cached: bool,
        mut take: impl FnMut(Value),
    ) -> Result<()> {
        let mut next = String::new();
        loop {
            let mut full = format!("{path}?{}", if cached { "resourceVersion=0".to_owned() } else { format!("limit={PAGE}") });
            for part in [query, next.as_str()].into_iter().filter(|part| !part.is_empty()) {
                full += &format!("&{part}");
            }
            let mut body = self.get(&full, accept).await?;
            if let Some(Value::Array(items)) = body.get_mut("items").map(Value::take) {
                items.into_iter().for_each(&mut take);
            }
            match body.pointer("/metadata/continue").and_then(Value::as_str).filter(|token| !token.is_empty()) {
                Some(token) => next = format!("continue={}", encoded(token)),
                None => return Ok(()),
            }
        }
    }

    /// The destination rules of a namespace, or of all.
    pub async fn rules(&self, namespace: Option<&str>, cached: bool) -> Result<Rules> {
        let query = if cached { "resourceVersion=0".to_owned() } else { format!("limit={PAGE}") };
        let mut rules = Rules::default();
        let mut next = String::new();
        loop {
            let reply = self.istio(&format!("{}/destinationrules?{query}{next}", scope(namespace))).await?;
            if !reply.is_success() {
                return Err(wording::refusal(&reply, "destinationrules"));
            }
            reply.body.get("items").and_then(Value::as_array).into_iter().flatten().for_each(|rule| rules.add(rule));
            match reply.body.pointer("/metadata/continue").and_then(Value::as_str).filter(|token| !token.is_empty()) {
                Some(token) => next = format!("&continue={}", encoded(token)),
                None => return Ok(rules),
            }
        }
    }

    async fn neighbours(&self, namespace: &str) -> Result<Neighbours> {
        let mut reply = self.istio(&format!("/namespaces/{namespace}/virtualservices?resourceVersion=0")).await?;
        if !reply.is_success() {
            return Err(wording::refusal(&reply, "virtualservices"));
        }
        Ok(match reply.body.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Neighbours::of(items.into_iter().map(Object::read)),
            _ => Neighbours::default(),
        })
    }

    /// Whether a namespace asks for care: it has the label `tidegate/protected`, with another value than `false`. As all of the
    /// pre-flight it is read from the server's cache.
    pub async fn protected(&self, namespace: &str) -> Result<bool> {
        let body = self.get(&format!("/api/v1/namespaces/{namespace}?resourceVersion=0"), None).await?;
        let label = body.pointer("/metadata/labels/tidegate~1protected").and_then(Value::as_str);
        Ok(label.is_some_and(|value| value != "false"))
    }

    /// The second round of the pre-flight: destination rules of other namespaces, and the endpoints and pods behind the
    /// destinations that gain traffic.
    pub async fn complete(&self, planned: &[(Service, Vec<Change>)], facts: &mut Facts) -> Result<()> {
        let gaining: Vec<check::Gaining<'_>> =
            planned.iter().flat_map(|(service, changes)| check::gaining(service, changes)).collect();
        let mut services: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for to in &gaining {
            if let Some((name, namespace)) = host::service_of(&to.host) {
                services.entry(namespace.to_owned()).or_default().insert(name.to_owned());
            }
        }
        let away = services.keys().filter(|namespace| !facts.neighbours.contains_key(*namespace));
        for rules in try_join_all(away.map(|namespace| self.rules(Some(namespace), true))).await? {
            facts.rules.merge(rules);
        }
        let mut pods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for to in &gaining {
            let subset = to.subset.and_then(|subset| facts.rules.subset(&to.host, subset));
            if let (Some(subset), Some((_, namespace))) = (subset, host::service_of(&to.host)) {
                let labels: Vec<String> = subset.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                pods.entry(namespace.to_owned()).or_default().insert(labels.join(","));
            }
        }
        // A few are asked for by name; where there are many, one list of all is less work for everybody.
        let slices = services.iter().map(|(namespace, names)| async move {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let selector = format!("kubernetes.io/service-name in ({})", names.join(","));
            let query = if names.len() > MANY { String::new() } else { format!("labelSelector={}", encoded(&selector)) };
            let mut slices = Vec::new();
            let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
            self.items(&path, &query, None, true, |slice| slices.push(slice)).await?;
            Ok::<_, Error>(slices)
        });
        let selections = pods.iter().flat_map(|(namespace, selections)| {
            let all = selections.len() > MANY || selections.contains("");
            let some = if all { vec![""] } else { selections.iter().map(String::as_str).collect() };
            some.into_iter().map(move |labels| (namespace, labels))
        });
        let pods = selections.map(|(namespace, labels)| async move {
            let mut pods = Vec::new();
            let path = format!("/api/v1/namespaces/{namespace}/pods");
            let query = if labels.is_empty() { String::new() } else { format!("labelSelector={}", encoded(labels)) };
            self.items(&path, &query, Some(METADATA), true, |pod| pods.push(pod)).await?;
            Ok::<_, Error>(pods)
        });
        let (slices, pods) = tokio::try_join!(try_join_all(slices), try_join_all(pods))?;
        slices.iter().flatten().for_each(|slice| facts.endpoints.add_slice(slice));
        pods.iter().flatten().for_each(|pod| facts.endpoints.add_pod(pod));
        Ok(())
    }

    /// The endpoints and pods of a namespace, or of all.
    pub async fn endpoints(&self, namespace: Option<&str>) -> Result<Endpoints> {
        let scope = scope(namespace);
        // Both lists fill one value; what is not needed is dropped page by page.
        let endpoints = std::cell::RefCell::new(Endpoints::default());
        let slices = format!("/apis/discovery.k8s.io/v1{scope}/endpointslices");
        let pods = format!("/api/v1{scope}/pods");
        let (slices, pods) = tokio::join!(
            self.items(&slices, "", None, false, |slice| endpoints.borrow_mut().add_slice(&slice)),
            self.items(&pods, "", Some(METADATA), false, |pod| endpoints.borrow_mut().add_pod(&pod)),
        );
        // Whichever failed first: one failure is always told in the same words.
        slices.and(pods)?;
        Ok(endpoints.into_inner())
    }

    /// Reads one object again.
    pub async fn reread(&self, object: &Object) -> Result<Object> {
        let reply = self.istio(&format!("/namespaces/{}/virtualservices/{}", object.namespace, object.name)).await?;
        match reply.is_success() {
            true => Ok(Object::read(reply.body)),
            false => Err(wording::refusal(&reply, &object.title())),
        }
    }

    /// The server's version, as `kubectl version` shows it.
    pub async fn server_version(&self) -> Result<String> {
        let body = self.get("/version", None).await?;
        Ok(body.get("gitVersion").and_then(Value::as_str).unwrap_or("unknown").to_owned())
    }

    /// The names of all namespaces.
    pub async fn namespaces(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let path = "/api/v1/namespaces";
        self.items(path, "", Some(METADATA), true, |item| {
            names.extend(item.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned));
        })
        .await?;
        Ok(names)
    }
}

fn unknown(wanted: &ServiceRef, namespace: &str, list: &[Object]) -> Error {
    let names: Vec<&str> = list.iter().map(|object| object.name.as_str()).collect();
    let mut error = Error::not_found(format!("no virtual service for `{}` in namespace {namespace}", wanted.name));
    error = match suggest::nearest(&wanted.name, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => error.hint("the namespace has no virtual services; name another with `-n NAMESPACE`"),
        None => error,
    };
    if wanted.namespace.is_some() {
        error = error.hint(format!("an object of that whole name is `vs/{}`", wanted.text));
    }
    match names.len() {
        0 => error,
        1..=12 => error.hint(format!("there are: {}", names.join(", "))),
        many => error.hint(format!("`tidegate status -n {namespace}` shows the {many} that there are")),
    }
}

fn ambiguous(wanted: &ServiceRef, several: &[&Object]) -> Error {
    let mut by_age = several.to_vec();
    sorted::by_key(&mut by_age, |object| (&object.created, &object.name));
    let mut message = format!("{} virtual services route for `{}`:", several.len(), wanted.name);
    let in_mesh = by_age.iter().filter(|object| object.in_mesh()).count();
    let mut oldest = true;
    for object in &by_age {
        let note = match (object.in_mesh(), oldest) {
            (true, true) if in_mesh > 1 => " (the oldest: in the mesh only this one counts)",
            (true, _) => "",
            (false, _) => " (gateways only)",
        };
        oldest &= !object.in_mesh();
        message += &format!("\n  vs/{}{note}", object.name);
    }
    let namespace = wanted.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    Error::usage(message).hint(format!("name the object: `vs/{}{namespace}`", by_age[0].name))
}

fn scope(namespace: Option<&str>) -> String {
    namespace.map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default()
}

/// The query that asks for objects with these labels.
pub fn selector(labels: &str) -> String {
    format!("labelSelector={}", encoded(labels))
}
