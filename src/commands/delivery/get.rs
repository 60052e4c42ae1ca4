//! `get projects`, `stages`, `services`, `artifacts`.

use super::create::{approval, deployment, test};
use super::gate;
use super::ingress;
use super::project::{Project, names};
use crate::cli::{Format, Get, List};
use crate::cluster::{Cluster, DEPLOYMENTS, DESTINATION_RULES, SERVICES, VIRTUAL_SERVICES};
use crate::commands::Context;
use crate::core::delivery::inventory::{Artifact, Namespace};
use crate::core::object::Object;
use crate::error::Result;
use crate::sorted;
use crate::ui::{columns, data};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

pub async fn run(context: &Context, command: Get) -> Result<()> {
    let list = match &command {
        Get::Projects(list) | Get::Stages(list) | Get::Services(list) | Get::Artifacts(list) => list,
        Get::Runs(arguments) => return super::control::runs(context, arguments).await,
    };
    let (_, cluster) = context.connect(None).await?;
    let names: Vec<String> = match &list.project {
        Some(name) => vec![name.clone()],
        None => names(&cluster).await?.into_iter().collect(),
    };
    let mut projects = Vec::new();
    for name in &names {
        match Project::find(&cluster, name).await {
            Ok(project) => projects.push(project),
            // One that is broken does not hide the others.
            Err(error) if list.project.is_none() => context.ui.warn(&error.message),
            Err(error) => return Err(error),
        }
    }
    let shown = match &command {
        Get::Projects(_) => self::projects(&cluster, &projects).await?,
        Get::Stages(_) => stages(&projects),
        Get::Services(_) => services(&reached(&cluster, placed(&cluster, &projects).await?).await?, list.output == Format::Wide),
        Get::Artifacts(_) | Get::Runs(_) => artifacts(&placed(&cluster, &projects).await?),
    };
    show(context, list, shown);
    Ok(())
}

/// What is listed: a table, of which the first column is the project, the names, and the same as data.
struct Shown {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    names: Vec<String>,
    data: Vec<Value>,
}

/// An artifact with its project and stage.
struct Placed {
    project: String,
    stage: String,
    artifact: Artifact,
    /// The key of the gate file that counts for it.
    gate: Option<String>,
}

fn show(context: &Context, list: &List, mut shown: Shown) {
    let ui = &context.ui;
    match list.output {
        Format::Json | Format::Yaml => ui.answer(&data(&shown.data, list.output == Format::Yaml)),
        Format::Name => shown.names.iter().for_each(|name| ui.answer(&format!("{name}\n"))),
        Format::Table | Format::Wide if shown.rows.is_empty() => ui.say("No resources found.\n"),
        Format::Table | Format::Wide => {
            if list.project.is_some() && shown.header.first() == Some(&"PROJECT") {
                shown.header.remove(0);
                shown.rows.iter_mut().for_each(|row| drop(row.remove(0)));
            }
            ui.answer(&columns(&shown.header, &shown.rows));
        }
    }
}

async fn projects(cluster: &Cluster, projects: &[Project]) -> Result<Shown> {
    let placed = placed(cluster, projects).await?;
    let services = |project: &Project| {
        let own = placed.iter().filter(|one| one.project == project.name).map(|one| one.artifact.service.as_str());
        sorted::set(own).into_iter().collect::<Vec<_>>().join(", ")
    };
    let stages = |project: &Project| project.stages.iter().map(|(stage, _)| stage.name.as_str()).collect::<Vec<_>>().join(", ");
    Ok(Shown {
        header: vec!["NAME", "STAGES", "SERVICES"],
        rows: projects.iter().map(|one| vec![one.name.clone(), stages(one), or_none(services(one))]).collect(),
        names: projects.iter().map(|one| format!("project/{}", one.name)).collect(),
        data: projects
            .iter()
            .map(|one| json!({"name": one.name, "stages": one.stages.iter().map(|(stage, namespace)| json!({"stage": stage, "namespace": namespace})).collect::<Vec<_>>(), "resources": one.resources.keys().collect::<Vec<_>>()}))
            .collect(),
    })
}

fn stages(projects: &[Project]) -> Shown {
    let all = || projects.iter().flat_map(|project| project.stages.iter().map(move |(stage, place)| (project, stage, place)));
    Shown {
        header: vec!["PROJECT", "STAGE", "NAMESPACE", "DEPLOYMENT", "TEST", "APPROVAL"],
        rows: all()
            .map(|(project, stage, namespace)| {
                let words = [deployment(stage.deployment), test(stage.test), approval(stage)];
                let mut row = vec![project.name.clone(), stage.name.clone(), namespace.clone()];
                row.extend(words.map(|word| or_none(if word == "none" { String::new() } else { word.to_owned() })));
                row
            })
            .collect(),
        names: all().map(|(_, stage, _)| format!("stage/{}", stage.name)).collect(),
        data: all()
            .map(|(project, stage, namespace)| {
                let mut one = serde_json::to_value(stage).unwrap_or_default();
                one["project"] = project.name.clone().into();
                one["namespace"] = namespace.clone().into();
                one
            })
            .collect(),
    }
}

fn services(placed: &[Placed], wide: bool) -> Shown {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut data: Vec<Value> = Vec::new();
    for one in placed {
        let (service, stage) = (&one.artifact.service, &one.stage);
        let url = one.artifact.url.clone();
        let key = [one.project.clone(), service.clone(), stage.clone()];
        if rows.iter().any(|row| row[..3] == key) {
            continue;
        }
        // What serves: the version with the greatest weight.
        let versions = placed
            .iter()
            .filter(|other| (&other.project, &other.stage, &other.artifact.service) == (&one.project, stage, service));
        let serving = versions.max_by_key(|other| other.artifact.weight).map_or(&one.artifact, |other| &other.artifact);
        let mut row = Vec::from(key);
        row.push(or_none(serving.image.clone().unwrap_or_default()));
        row.push(format!("{}/{}", serving.ready, serving.replicas));
        row.push(or_none(url.clone().unwrap_or_default()));
        if wide {
            row.push(or_none(one.gate.clone().unwrap_or_default()));
        }
        rows.push(row);
        data.push(json!({
            "project": one.project, "service": service, "stage": stage, "image": serving.image,
            "ready": serving.ready, "replicas": serving.replicas, "url": url, "gate": one.gate,
        }));
    }
    let mut names: Vec<String> = rows.iter().map(|row| format!("service/{}", row[1])).collect();
    names.dedup();
    let mut header = vec!["PROJECT", "SERVICE", "STAGE", "IMAGE", "READY", "URL"];
    header.extend(wide.then_some("GATE"));
    Shown { header, rows, names, data }
}

fn artifacts(placed: &[Placed]) -> Shown {
    let row = |one: &Placed| {
        let artifact = &one.artifact;
        vec![
            one.project.clone(),
            artifact.service.clone(),
            one.stage.clone(),
            or_none(artifact.version.clone().unwrap_or_default()),
            or_none(artifact.image.clone().unwrap_or_default()),
            artifact.weight.map_or_else(|| "<none>".into(), |weight| weight.to_string()),
            format!("{}/{}", artifact.ready, artifact.replicas),
        ]
    };
    Shown {
        header: vec!["PROJECT", "SERVICE", "STAGE", "VERSION", "IMAGE", "WEIGHT", "READY"],
        rows: placed.iter().map(row).collect(),
        names: placed.iter().filter_map(|one| one.artifact.image.clone()).collect(),
        data: placed
            .iter()
            .map(|one| {
                let mut data = serde_json::to_value(&one.artifact).unwrap_or_default();
                data["project"] = one.project.clone().into();
                data["stage"] = one.stage.clone().into();
                data
            })
            .collect(),
    }
}

/// All that is in the stages of the projects, a service's stages together and in their order.
async fn placed(cluster: &Cluster, projects: &[Project]) -> Result<Vec<Placed>> {
    let mut all = Vec::new();
    for project in projects {
        let read = try_join_all(project.stages.iter().map(|(_, namespace)| namespace_of(cluster, namespace))).await?;
        let mut own = Vec::new();
        for (place, ((stage, _), namespace)) in project.stages.iter().zip(read).enumerate() {
            let one = |artifact: Artifact| {
                let gate = gate::file(project, &stage.name, &artifact.service).map(|(key, _)| key.to_owned());
                (place, Placed { project: project.name.clone(), stage: stage.name.clone(), artifact, gate })
            };
            own.extend(namespace.artifacts().into_iter().map(one));
        }
        sorted::by(&mut own, |(a, one), (b, other)| (&one.artifact.service, a).cmp(&(&other.artifact.service, b)));
        all.extend(own.into_iter().map(|(_, placed)| placed));
    }
    Ok(all)
}

/// The addresses with the port of the ingress, where it is not that of HTTP.
async fn reached(cluster: &Cluster, mut all: Vec<Placed>) -> Result<Vec<Placed>> {
    if all.iter().any(|one| one.artifact.url.is_some()) {
        let gateways = json!({"metadata": {}, "spec": {"gateways": ["istio-ingressgateway"]}});
        if let Some(address) = ingress::address(cluster, &gateways).await?.filter(|address| address.port != 80) {
            all.iter_mut().filter_map(|one| one.artifact.url.as_mut()).for_each(|url| *url += &format!(":{}", address.port));
        }
    }
    Ok(all)
}

/// Reads what is in a stage.
pub(super) async fn namespace_of(cluster: &Cluster, namespace: &str) -> Result<Namespace> {
    let list = |kind| cluster.list(kind, Some(namespace), "");
    let (routes, rules) = (list(&VIRTUAL_SERVICES).await?, list(&DESTINATION_RULES).await?);
    let mut read = Namespace { services: list(&SERVICES).await?, deployments: list(&DEPLOYMENTS).await?, ..Namespace::default() };
    read.routes = routes.into_iter().map(Object::read).collect();
    rules.iter().for_each(|rule| read.rules.add(rule));
    Ok(read)
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".into() } else { text }
}
