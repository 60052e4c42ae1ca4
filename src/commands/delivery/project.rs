//! A project, as the cluster keeps it.

use crate::cluster::{CONFIG_MAPS, Cluster, NAMESPACES};
use crate::core::delivery::project::{self, CONFIG_MAP, PROJECT, RECORD, Record, SHIPYARD};
use crate::core::delivery::shipyard::{Shipyard, Stage};
use crate::core::suggest;
use crate::error::{Error, Kind, Result};
use crate::sorted;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A project whose stages all have their namespaces.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// Its name.
    pub name: String,
    /// What it was resolved to.
    pub record: Record,
    /// Its stages as the shipyard says, each with its namespace.
    pub stages: Vec<(Stage, String)>,
    /// The namespace that keeps its files and runs: the first stage's.
    pub home: String,
    /// The files that were added to it, by [`project::key`].
    pub resources: BTreeMap<String, String>,
}

/// What there is of a project, complete or not.
pub(super) struct Found {
    /// The namespaces that carry its label, in the order of their stages.
    pub namespaces: Vec<Value>,
    /// The ConfigMap, and the namespace that has it.
    pub config: Option<(String, Value)>,
}

impl Project {
    /// Finds a project by the labels of its namespaces.
    ///
    /// # Errors
    /// `NotFound` where there is none of that name or a stage's namespace is gone; as the API server says.
    pub async fn find(cluster: &Cluster, name: &str) -> Result<Self> {
        let found = Found::read(cluster, name).await?;
        if found.namespaces.is_empty() {
            return Err(unknown(cluster, name).await);
        }
        let project = found.project(name)?;
        let there = sorted::set(found.namespaces.iter().map(|one| text(one, "/metadata/name")));
        match project.stages.iter().find(|(_, namespace)| !there.contains(namespace.as_str())) {
            None => Ok(project),
            Some((stage, namespace)) => {
                let message =
                    format!("the stage `{}` of `{name}` has no namespace: there is no {namespace} that is its", stage.name);
                Err(Error::not_found(message).hint(again(name)))
            }
        }
    }

    /// A stage with its namespace.
    ///
    /// # Errors
    /// `NotFound`, which names those that there are.
    pub fn stage(&self, name: &str) -> Result<(&Stage, &str)> {
        let found = self.stages.iter().find(|(stage, _)| stage.name == name);
        found.map(|(stage, namespace)| (stage, namespace.as_str())).ok_or_else(|| {
            let names: Vec<&str> = self.stages.iter().map(|(stage, _)| stage.name.as_str()).collect();
            let error = Error::not_found(format!("`{}` has no stage `{name}`; it has {}", self.name, names.join(", ")));
            match suggest::nearest(name, names) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    }

    /// The most special of its files for a service in a stage that has one of `names`: its key and its text.
    pub fn resource(&self, stage: &str, service: &str, names: &[&str]) -> Option<(&str, &str)> {
        project::resource(&self.resources, stage, service, names)
    }
}

impl Found {
    /// Reads what there is.
    pub async fn read(cluster: &Cluster, name: &str) -> Result<Self> {
        project::named("project", name)?;
        let mut namespaces = cluster.list(&NAMESPACES, None, &format!("{PROJECT}={name}")).await?;
        sorted::by_key(&mut namespaces, order);
        let mut config = None;
        for namespace in &namespaces {
            let namespace = text(namespace, "/metadata/name");
            config = cluster.object(&CONFIG_MAPS, namespace, CONFIG_MAP).await?.map(|map| (namespace.to_owned(), map));
            if config.is_some() {
                break;
            }
        }
        Ok(Self { namespaces, config })
    }

    /// The project that the ConfigMap describes; its namespaces may be gone.
    pub fn project(&self, name: &str) -> Result<Project> {
        let Some((home, map)) = &self.config else {
            let first = self.namespaces.first().map(|one| text(one, "/metadata/name")).unwrap_or_default();
            let message = format!("the project `{name}` is incomplete: no configmap {CONFIG_MAP} in {first}");
            return Err(Error::failed(message).hint(again(name)));
        };
        let broken = |why: String| Error::failed(format!("configmap {CONFIG_MAP} in {home} cannot be read")).caused_by(why);
        let mut resources: BTreeMap<String, String> = map
            .get("data")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned())))
            .collect();
        let given = resources.remove(SHIPYARD).unwrap_or_default();
        let shipyard = Shipyard::parse(SHIPYARD, &given).map_err(|error| broken(error.message).hint(again(name)))?;
        let record = resources.remove(RECORD).unwrap_or_default();
        let record: Record =
            serde_json::from_str(&record).map_err(|error| broken(format!("{RECORD}: {error}")).hint(again(name)))?;
        let stages = record.places(&shipyard.stages)?;
        Ok(Project { name: name.to_owned(), record, stages, home: home.clone(), resources })
    }
}

/// The names of all projects.
pub(super) async fn names(cluster: &Cluster) -> Result<BTreeSet<String>> {
    let namespaces = cluster.list(&NAMESPACES, None, PROJECT).await?;
    Ok(namespaces.iter().filter_map(|one| Some(label(one, PROJECT)?.to_owned())).collect())
}

async fn unknown(cluster: &Cluster, name: &str) -> Error {
    let error = Error::not_found(format!("there is no project `{name}`"));
    match names(cluster).await {
        Ok(names) if names.is_empty() => {
            error.hint(format!("make it: `tidegate create project {name} --shipyard shipyard.yaml`"))
        }
        Ok(names) => {
            let known = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            error.hint(format!("there is {known}; make another: `tidegate create project {name} --shipyard shipyard.yaml`"))
        }
        Err(other) if other.kind == Kind::Forbidden => error,
        Err(other) => error.caused_by(other.message),
    }
}

fn again(name: &str) -> String {
    format!("complete it: `tidegate create project {name} --shipyard shipyard.yaml`")
}

pub(super) fn order(namespace: &Value) -> (usize, String) {
    let place = namespace.pointer("/metadata/annotations").and_then(|all| all.get(project::ORDER)).and_then(Value::as_str);
    (place.and_then(|place| place.parse().ok()).unwrap_or(usize::MAX), text(namespace, "/metadata/name").to_owned())
}

pub(super) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
