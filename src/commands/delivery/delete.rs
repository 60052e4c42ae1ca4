//! `delete project`: the namespaces that were made for it.

use super::apply::{Right, rights};
use super::project::{Found, Project, label, text};
use crate::cli::DeleteProject;
use crate::cluster::{CONFIG_MAPS, Cluster, DEPLOYMENTS, NAMESPACES, Patched, SERVICES, VIRTUAL_SERVICES};
use crate::commands::Context;
use crate::core::delivery::project::{MANAGED, ORDER, PROJECT, STAGE};
use crate::core::patch::Patch;
use crate::error::{Error, Kind, Result};
use serde_json::Value;

pub async fn run(context: &Context, arguments: DeleteProject) -> Result<()> {
    let ui = &context.ui;
    let name = &arguments.name;
    let (_, cluster) = context.connect(None).await?;
    let found = Found::read(&cluster, name).await?;
    if found.namespaces.is_empty() {
        // Says what there is.
        return Project::find(&cluster, name).await.map(|_| ());
    }
    let (made, adopted): (Vec<&Value>, Vec<&Value>) =
        found.namespaces.iter().partition(|namespace| label(namespace, MANAGED.0) == Some(MANAGED.1));
    let mut needed: Vec<Right> = Vec::new();
    if !made.is_empty() {
        needed.push(("delete", &NAMESPACES, String::new()));
    }
    for namespace in &adopted {
        needed.push(("patch", &NAMESPACES, String::new()));
        needed.push(("delete", &CONFIG_MAPS, text(namespace, "/metadata/name").to_owned()));
    }
    rights(&cluster, &needed).await?;
    let mut shown = String::new();
    for namespace in &made {
        let namespace = text(namespace, "/metadata/name");
        shown += &format!("namespace/{namespace} goes, with {}\n", content(&cluster, namespace).await?);
    }
    for namespace in &adopted {
        let namespace = text(namespace, "/metadata/name");
        shown += &format!("namespace/{namespace} was there before: it stays, without the project's labels and records\n");
    }
    ui.show(&shown);
    if !arguments.yes {
        if !ui.can_ask() {
            return Err(Error::usage("--yes required when not running interactively").hint("run it again with `--yes`"));
        }
        if !ui.confirm(&format!("Delete project {name}?")).await {
            return Err(Error::failed("not confirmed; nothing was deleted"));
        }
    }
    // The first stage's goes last: it knows the others.
    for namespace in adopted.iter().rev() {
        let namespace_name = text(namespace, "/metadata/name");
        for record in cluster.list(&CONFIG_MAPS, Some(namespace_name), &format!("{PROJECT}={name}")).await? {
            cluster.delete(&CONFIG_MAPS, namespace_name, text(&record, "/metadata/name")).await?;
        }
        match cluster.edit(&NAMESPACES, "", namespace_name, &released(namespace), crate::cluster::DryRun::No).await? {
            Patched::Done(_) => ui.answer(&format!("namespace/{namespace_name} released\n")),
            Patched::Refused(_) => {
                let message = format!("namespace/{namespace_name} was changed while this ran");
                return Err(Error::new(Kind::Conflict, message).hint("run it again"));
            }
            Patched::Unanswered(error) => return Err(error),
        }
    }
    for namespace in made.iter().rev() {
        let namespace = text(namespace, "/metadata/name");
        if cluster.delete(&NAMESPACES, "", namespace).await? {
            ui.answer(&format!("namespace/{namespace} deleted\n"));
        }
    }
    ui.answer(&format!("project/{name} deleted\n"));
    Ok(())
}

/// `2 deployments, 1 service`
async fn content(cluster: &Cluster, namespace: &str) -> Result<String> {
    let mut words = Vec::new();
    for (kind, word) in [(&DEPLOYMENTS, "deployment"), (&SERVICES, "service"), (&VIRTUAL_SERVICES, "virtual service")] {
        match cluster.list(kind, Some(namespace), "").await?.len() {
            0 => {}
            1 => words.push(format!("1 {word}")),
            count => words.push(format!("{count} {word}s")),
        }
    }
    Ok(if words.is_empty() { "no service in it".into() } else { words.join(", ") })
}

/// Takes the project's marks from a namespace.
fn released(namespace: &Value) -> Patch {
    let mut patch = Patch::default();
    for (field, key) in [("labels", PROJECT), ("labels", STAGE), ("annotations", ORDER)] {
        let value = namespace.get("metadata").and_then(|metadata| metadata.get(field)).and_then(|all| all.get(key));
        if let Some(value) = value {
            patch.guard(["metadata", field, key], value.clone());
            patch.remove(["metadata", field, key]);
        }
    }
    patch
}
