//! A project: the namespaces of its stages, and the files that were added to it.
//!
//! All of it lives in the cluster: each namespace carries labels that say whose stage it is, and the namespace of the first
//! stage keeps a ConfigMap with the shipyard, the rest of this, and the files.

use super::shipyard::{self, Stage};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The label of a namespace or object with its project.
pub const PROJECT: &str = "tidegate/project";
/// The label of a namespace with its stage.
pub const STAGE: &str = "tidegate/stage";
/// The label of an object with its service.
pub const SERVICE: &str = "tidegate/service";
/// The annotation of a namespace with the place of its stage, from 0.
pub const ORDER: &str = "tidegate/order";
/// The label of what tidegate made, and its value.
pub const MANAGED: (&str, &str) = ("app.kubernetes.io/managed-by", "tidegate");
/// The ConfigMap in the namespace of the first stage.
pub const CONFIG_MAP: &str = "tidegate-project";
/// Its key with the shipyard, as it was given.
pub const SHIPYARD: &str = "shipyard.yaml";
/// Its key with a [`Record`].
pub const RECORD: &str = "project.json";
/// The namespaces of stages where nothing else is said.
pub const NAMESPACES: &str = "{project}-{stage}";

/// What a project was resolved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its name.
    pub name: String,
    /// The template of its namespaces.
    pub namespaces: String,
}

impl Record {
    /// The namespace of a stage.
    pub fn namespace(&self, stage: &str) -> String {
        self.namespaces.replace("{project}", &self.name).replace("{stage}", stage)
    }

    /// The stages, each with its namespace.
    ///
    /// # Errors
    /// `Usage` where a name cannot be one, or two stages would share a namespace.
    pub fn places(&self, stages: &[Stage]) -> Result<Vec<(Stage, String)>> {
        named("project", &self.name)?;
        let mut places: Vec<(Stage, String)> = Vec::new();
        for stage in stages {
            let namespace = self.namespace(&stage.name);
            if !shipyard::is_label(&namespace) {
                return Err(Error::usage(format!("`{namespace}` cannot name a namespace: {}", shipyard::LABEL)));
            }
            if let Some((other, _)) = places.iter().find(|(_, known)| *known == namespace) {
                let message = format!("the stages `{}` and `{}` would share the namespace `{namespace}`", other.name, stage.name);
                return Err(Error::usage(message).hint("a template has `{stage}` in it: `--namespaces '{project}-{stage}'`"));
            }
            places.push((stage.clone(), namespace));
        }
        Ok(places)
    }
}

/// Refuses a name that cannot be part of the names of objects.
///
/// # Errors
/// `Usage`.
pub fn named(what: &str, name: &str) -> Result<()> {
    match shipyard::is_label(name) {
        true => Ok(()),
        false => Err(Error::usage(format!("`{name}` cannot name a {what}: {}", shipyard::LABEL))),
    }
}

/// The key of a file: `staging.carts.slo.yaml`. Folders of its name are left out.
pub fn key(stage: Option<&str>, service: Option<&str>, name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    stage.into_iter().chain(service).chain([name]).collect::<Vec<_>>().join(".")
}

/// The most special file of one of `names`: for the stage's service, then the service, the stage, the project. Among files
/// that are equally special the first of `names` counts.
pub fn resource<'a>(
    resources: &'a BTreeMap<String, String>,
    stage: &str,
    service: &str,
    names: &[&str],
) -> Option<(&'a str, &'a str)> {
    let places = [(Some(stage), Some(service)), (None, Some(service)), (Some(stage), None), (None, None)];
    let keys = places.iter().flat_map(|(stage, service)| names.iter().map(|name| key(*stage, *service, name)));
    keys.into_iter().find_map(|key| resources.get_key_value(&key)).map(|(key, text)| (key.as_str(), text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_special_file_counts() {
        let files = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), String::new())).collect::<BTreeMap<_, _>>();
        let all = files(&["slo.yaml", "staging.slo.yaml", "carts.perfspec.json", "carts.slo.yaml", "staging.carts.slo.yaml"]);
        let find = |stage, service| resource(&all, stage, service, &["perfspec.json", "slo.yaml"]).map(|(key, _)| key);
        assert_eq!(find("staging", "carts"), Some("staging.carts.slo.yaml"));
        assert_eq!(find("production", "carts"), Some("carts.perfspec.json"));
        assert_eq!(find("staging", "orders"), Some("staging.slo.yaml"));
        assert_eq!(find("dev", "orders"), Some("slo.yaml"));
        assert_eq!(resource(&all, "dev", "orders", &["sli.yaml"]), None);
        assert_eq!(key(None, Some("carts"), "jmeter/load.jmx"), "carts.load.jmx");
    }

    #[test]
    fn each_stage_has_a_namespace_of_its_own() {
        let stage = |name: &str| {
            let text = format!("stages:\n- name: {name}\n");
            shipyard::Shipyard::parse("shipyard.yaml", &text).expect("a shipyard").stages.remove(0)
        };
        let stages = [stage("dev"), stage("production")];
        let record = |name: &str, template: &str| Record { name: name.into(), namespaces: template.into() };
        let places = record("sockshop", NAMESPACES).places(&stages).expect("namespaces");
        let names: Vec<&str> = places.iter().map(|(_, namespace)| namespace.as_str()).collect();
        assert_eq!(names, ["sockshop-dev", "sockshop-production"]);
        assert!(record("sockshop", "{project}").places(&stages).expect_err("one for two").message.contains("would share"));
        assert!(record("Sockshop", NAMESPACES).places(&stages).is_err());
        assert!(record(&"s".repeat(60), NAMESPACES).places(&stages).is_err(), "a name of 64 letters");
    }
}
