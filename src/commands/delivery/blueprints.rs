//! What a service is made of: from a manifest, a live deployment, a chart, an image, or keptn's templates.

use super::apply;
use super::chart::{self, Release};
use super::project::Project;
use crate::cli::OnboardService;
use crate::cluster::{Cluster, DEPLOYMENTS, SERVICES};
use crate::core::delivery::image::Image;
use crate::core::delivery::objects::Blueprint;
use crate::core::delivery::project;
use crate::core::delivery::template::{self, Names};
use crate::error::{Error, Result};
use serde::Deserialize as _;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The port of a service of which nothing else is known.
const PORT: u64 = 8080;

/// What was given on the command line, with the files read.
pub(super) struct Given {
    /// The service.
    pub service: String,
    image: Option<Image>,
    source: Source,
}

enum Source {
    /// Files and their texts, which may be keptn's templates, and keptn's values.
    Manifests {
        files: Vec<(String, String)>,
        values: Value,
    },
    /// keptn's values alone.
    Values(Value),
    Live(String),
    Chart(PathBuf),
    Image,
}

impl Given {
    /// Reads the files.
    pub fn read(arguments: &OnboardService) -> Result<Self> {
        let values = arguments.values.as_deref().map(values).transpose()?;
        let named = values.as_ref().and_then(|values| values.pointer("/service/name")).and_then(Value::as_str);
        let service = match (&arguments.name, named) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) => name.to_owned(),
            (None, None) => return Err(Error::usage("the values name no service: `service.name` is missing")),
        };
        project::named("service", &service)?;
        let image = arguments.image.as_deref().map(|image| Image::artifact(image, None)).transpose()?;
        let files = [&arguments.deployment, &arguments.service];
        let files: Vec<(String, String)> = files
            .into_iter()
            .flatten()
            .map(|path| apply::read(path).map(|text| (path.display().to_string(), text)))
            .collect::<Result<_>>()?;
        let source = match (&arguments.chart, &arguments.from) {
            (Some(chart), _) => Source::Chart(chart.clone()),
            (None, Some(from)) => Source::Live(deployment(from)?),
            (None, None) if !files.is_empty() => Source::Manifests { files, values: values.unwrap_or_default() },
            (None, None) => match values {
                Some(values) => Source::Values(values),
                None if image.is_some() => Source::Image,
                None => {
                    return Err(Error::usage(format!("what is `{service}` made of?"))
                        .hint("name one of `--deployment FILE`, `--from deployment/NAME`, `--chart DIR`, `--image IMAGE`"));
                }
            },
        };
        Ok(Self { service, image, source })
    }

    /// What the service is made of in a stage, which has this namespace.
    pub async fn blueprint(&self, cluster: &Cluster, project: &Project, stage: &str, namespace: &str) -> Result<Blueprint> {
        let service = self.service.as_str();
        let blueprint = match &self.source {
            Source::Manifests { files, values } => {
                let names = Names { service, project: &project.name, values };
                let mut all = Vec::new();
                for (file, text) in files {
                    all.extend(manifests(file, &template::fill(file, text, names)?)?);
                }
                let from: Vec<&str> = files.iter().map(|(file, _)| file.as_str()).collect();
                Blueprint::of(service, &from.join(" and "), &all)?
            }
            Source::Values(values) => of_values(service, values)?,
            Source::Live(name) => live(cluster, service, name).await?,
            Source::Chart(directory) => {
                let release = Release { service, project: &project.name, stage, namespace };
                let rendered = chart::render(directory, release, self.image.as_ref()).await?;
                Blueprint::of(service, &directory.display().to_string(), &manifests("the chart's output", &rendered)?)?
            }
            Source::Image => Blueprint::plain(service, None, PORT),
        };
        Ok(match &self.image {
            Some(image) => blueprint.with_image(image),
            None => blueprint,
        })
    }
}

fn values(path: &Path) -> Result<Value> {
    let text = apply::read(path)?;
    let values: Value = serde_yaml::from_str(&text)
        .map_err(|error| Error::usage(format!("{} is not YAML", path.display())).caused_by(error.to_string()))?;
    match values.is_object() {
        true => Ok(values),
        false => Err(Error::usage(format!("{} holds no values: it is not a map of keys", path.display()))),
    }
}

/// The documents of a file; those of lists each for itself.
fn manifests(file: &str, text: &str) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = Value::deserialize(document)
            .map_err(|error| Error::usage(format!("{file} is not YAML")).caused_by(error.to_string()))?;
        match value.get("items").and_then(Value::as_array) {
            Some(items) => all.extend(items.iter().cloned()),
            None if value.is_null() => {}
            None => all.push(value),
        }
    }
    Ok(all)
}

/// keptn's values alone: its own template said the rest.
fn of_values(service: &str, values: &Value) -> Result<Blueprint> {
    let number = |pointer: &str| values.pointer(pointer).and_then(Value::as_u64);
    let text = |pointer: &str| values.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let image = match (text("/image/repository"), text("/image/tag")) {
        (Some(repository), tag) => Some(Image::artifact(repository, tag)?),
        (None, _) => None,
    };
    let blueprint = Blueprint::plain(service, image.as_ref(), number("/service/internalPort").unwrap_or(PORT));
    let blueprint = match number("/service/externalPort") {
        Some(port) => blueprint.with_port(port),
        None => blueprint,
    };
    Ok(blueprint.with(number("/replicaCount"), values.get("resources")))
}

/// `deployment/carts`, and kubectl's other ways to write it.
fn deployment(from: &str) -> Result<String> {
    match from.split_once('/') {
        None => Ok(from.to_owned()),
        Some(("deployment" | "deployments" | "deploy" | "deployment.apps" | "deployments.apps", name)) => Ok(name.to_owned()),
        Some((kind, _)) => {
            Err(Error::usage(format!("`{kind}` is no deployment")).hint("name it: `--from deployment/carts -n NAMESPACE`"))
        }
    }
}

/// A deployment that runs in the namespace of the command line, with the service that selects its pods.
async fn live(cluster: &Cluster, service: &str, name: &str) -> Result<Blueprint> {
    let namespace = cluster.namespace.clone();
    let Some(deployment) = cluster.object(&DEPLOYMENTS, &namespace, name).await? else {
        return Err(
            Error::not_found(format!("there is no deployment `{name}` in {namespace}")).hint("`-n NAMESPACE` says where it is")
        );
    };
    let labels = deployment.pointer("/spec/template/metadata/labels").cloned().unwrap_or_default();
    let selects = |one: &Value| {
        let selector = one.pointer("/spec/selector").and_then(Value::as_object);
        selector.is_some_and(|all| !all.is_empty() && all.iter().all(|(key, value)| labels.get(key) == Some(value)))
    };
    let kinds = |kind: &str, mut object: Value| {
        // Lists leave out what is the same for all.
        object["kind"] = kind.into();
        object
    };
    let services = cluster.list(&SERVICES, Some(&namespace), "").await?.into_iter().filter(selects);
    let mut all: Vec<Value> = services.map(|one| kinds("Service", one)).collect();
    all.push(kinds("Deployment", deployment));
    Blueprint::of(service, &namespace, &all)
}
