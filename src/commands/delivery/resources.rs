//! `add-resource`: files that a project keeps.

use super::apply::{self, rights};
use super::gate;
use super::project::Project;
use crate::cli::AddResource;
use crate::cluster::{CONFIG_MAPS, Cluster, DryRun, Patched};
use crate::commands::Context;
use crate::core::delivery::project::{self, CONFIG_MAP, RECORD, SHIPYARD};
use crate::core::delivery::tests;
use crate::core::gate::Gate;
use crate::core::gate::sli::Sli;
use crate::core::patch::Patch;
use crate::error::{Error, Kind, Result};
use std::path::Path;

pub async fn run(context: &Context, arguments: AddResource) -> Result<()> {
    let (stage, service) = (arguments.stage.as_deref(), arguments.service.as_deref());
    let own = arguments.resource.display().to_string();
    let name = arguments.resource_uri.unwrap_or_else(|| own.clone());
    let text = apply::read(&arguments.resource)?;
    checked(&own, &project::key(None, None, &name), &text)?;
    let (_, cluster) = context.connect(None).await?;
    let project = Project::find(&cluster, &arguments.project).await?;
    if let Some(stage) = stage {
        project.stage(stage)?;
    }
    if let Some(service) = service {
        project::named("service", service)?;
    }
    let key = project::key(stage, service, &name);
    rights(&cluster, &[("patch", &CONFIG_MAPS, project.home.clone())]).await?;
    for (key, done) in keep(&cluster, &project, &[(key, text)]).await? {
        context.ui.answer(&format!("resource/{key} {done}\n"));
    }
    let plain = project::key(None, None, &name);
    if !gate::reads(&plain) && plain != tests::FILE {
        context.ui.warn(&format!("{plain} is kept, and nothing here reads it: {}", readers(&plain)));
    }
    Ok(())
}

/// Which file does what somebody may have expected of this one.
fn readers(name: &str) -> &'static str {
    match name.ends_with(".jmx") {
        // keptn's jmeter-service ran what had the right name.
        true => "a `tests.yaml` says which program tests, JMeter or another (`tidegate help tests`)",
        false => "gates are read from perfspec.json or slo.yaml with sli.yaml, tests from tests.yaml",
    }
}

/// Refuses a gate file that could not be read when it is needed.
pub(super) fn checked(file: &str, name: &str, text: &str) -> Result<()> {
    match name {
        "perfspec.json" | "slo.yaml" | "analysistemplate.yaml" | "metrictemplate.yaml" => Gate::parse(file, text).map(|_| ()),
        "sli.yaml" => Sli::parse(file, text).map(|_| ()),
        _ => Ok(()),
    }
}

/// The name under which a gate file is kept: by what is in it.
pub(super) fn gate_name(path: &Path, text: &str) -> Result<&'static str> {
    Ok(match Gate::parse(&path.display().to_string(), text)? {
        Gate::Perfspec(_) => "perfspec.json",
        Gate::Slo(_) | Gate::Require(_) => "slo.yaml",
        Gate::Argo(_) => "analysistemplate.yaml",
        Gate::Flagger(_) => "metrictemplate.yaml",
        Gate::Kayenta(_) => {
            return Err(Error::usage(format!(
                "{} cannot be the gate of a stage: it compares two series of values",
                path.display()
            ))
            .hint("write its limits as `--require`, or as an slo.yaml"));
        }
    })
}

/// What comes of keeping files under their keys.
pub(super) fn compared(project: &Project, files: &[(String, String)]) -> Result<Vec<(String, &'static str)>> {
    let valid = |key: &str| key.len() <= 253 && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let mut done = Vec::new();
    for (key, text) in files {
        if !valid(key) || [SHIPYARD, RECORD].contains(&key.as_str()) {
            return Err(Error::usage(format!("`{key}` cannot name a resource"))
                .hint("use letters, digits, `.`, `-` and `_`; give it another name with `--resource-uri`"));
        }
        done.push((
            key.clone(),
            match project.resources.get(key) {
                Some(known) if known == text => "unchanged",
                Some(_) => "replaced",
                None => "added",
            },
        ));
    }
    Ok(done)
}

/// Keeps files under their keys; says of each what came of it.
pub(super) async fn keep(
    cluster: &Cluster,
    project: &Project,
    files: &[(String, String)],
) -> Result<Vec<(String, &'static str)>> {
    let done = compared(project, files)?;
    if done.iter().all(|(_, what)| *what == "unchanged") {
        return Ok(done);
    }
    let mut patch = Patch::default();
    for (key, text) in files {
        patch.set(["data", key], text.as_str().into());
    }
    match cluster.edit(&CONFIG_MAPS, &project.home, CONFIG_MAP, &patch, DryRun::No).await? {
        Patched::Done(_) => Ok(done),
        Patched::Refused(_) => {
            let message = format!("configmap {CONFIG_MAP} in {} does not take it: too large, or changed meanwhile", project.home);
            Err(Error::new(Kind::Conflict, message))
        }
        Patched::Unanswered(error) => Err(error),
    }
}
