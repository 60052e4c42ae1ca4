//! `configure monitoring`: where metrics come from, stored once it answers; and what Prometheus must scrape.

mod file;
mod kept;
mod scrape;

use super::Context;
use super::evaluate::{self, Sources};
use crate::cli::{Configure, Monitoring, MonitoringSource};
use crate::cluster::{Cluster, NAMESPACES, SERVICES};
use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use serde_json::Value;
use std::path::Path;

/// Tests, stores, prints.
pub async fn run(context: &Context, command: Configure) -> Result<()> {
    let Configure::Monitoring(arguments) = command;
    let settings = Settings::resolve(&context.global.connection, None)?;
    let sources = evaluate::sources(&arguments.sources, &settings)?;
    let jobs = match (&arguments.project, &arguments.service, arguments.source) {
        (Some(project), Some(service), MonitoringSource::Prometheus) => {
            Some(scrape::document(&jobs(&arguments, project, service, &settings).await?))
        }
        _ => None,
    };
    // Printing the jobs alone asks no source.
    let printed = arguments.output.is_some() || arguments.write.is_some();
    let named = match arguments.source {
        MonitoringSource::Prometheus => sources.prometheus.is_some(),
        MonitoringSource::Dynatrace => sources.dynatrace.is_some(),
    };
    if named || !printed {
        let test = evaluate::reachable(context, &sources, &settings, arguments.source);
        tokio::time::timeout(settings.limit(), test)
            .await
            .map_err(|_| Error::new(Kind::Timeout, "the metrics source did not answer within --timeout; nothing was stored"))??;
        store(context, &arguments, &sources, &settings).await?;
    }
    let Some(jobs) = jobs else { return Ok(()) };
    if let Some(path) = &arguments.write {
        scrape::write(path, &jobs)?;
        context.ui.say(&format!("{} is written: name it in `scrape_config_files` of prometheus.yml\n", path.display()));
    }
    if arguments.output.is_some() {
        context.ui.answer(&jobs);
    } else if arguments.write.is_none() {
        context.ui.hint("`-o yaml` prints what Prometheus must scrape, `--write FILE` keeps it");
    }
    Ok(())
}

/// Stores what was tested, where the arguments say.
async fn store(context: &Context, arguments: &Monitoring, sources: &Sources, settings: &Settings) -> Result<()> {
    let (word, url) = match arguments.source {
        MonitoringSource::Prometheus => ("Prometheus", &sources.prometheus),
        MonitoringSource::Dynatrace => ("Dynatrace", &sources.dynatrace),
    };
    let Some(url) = url else {
        context.ui.answer(&format!("{word} answers, and is found in the cluster: nothing needs to be stored\n"));
        return Ok(());
    };
    let place = match arguments.in_cluster {
        true => kept::store(&Cluster::connect(&settings.connection).await?, arguments.source, sources).await?,
        false => {
            let keys = file::keys(arguments.source, &arguments.sources, url)?;
            file::store(Path::new(crate::settings::PROJECT_FILE), &keys)?
        }
    };
    context.ui.answer(&format!("{word} answers; stored in {place}\n"));
    if !arguments.in_cluster
        && arguments.source == MonitoringSource::Dynatrace
        && arguments.sources.dynatrace_token_file.is_none()
    {
        context.ui.say("its token is not stored: DT_API_TOKEN holds it, as now\n");
    }
    Ok(())
}

/// The jobs of a service: one for each of its Kubernetes services in each stage, or one a stage where the stages are named.
async fn jobs(arguments: &Monitoring, project: &str, service: &str, settings: &Settings) -> Result<Vec<scrape::Job>> {
    let job = |stage: &str, suffix: &str| scrape::Job {
        name: format!("{service}-{project}-{stage}{suffix}"),
        target: format!("{service}{suffix}.{project}-{stage}.svc.cluster.local:80"),
        path: arguments.metrics_path.clone(),
    };
    if !arguments.stage.is_empty() {
        return Ok(arguments.stage.iter().map(|stage| job(stage, "")).collect());
    }
    let cluster = Cluster::connect(&settings.connection).await?;
    let namespaces = cluster.list(&NAMESPACES, None, "").await?;
    let name = |object: &Value| object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut jobs = Vec::new();
    for namespace in namespaces.iter().map(name) {
        let Some(stage) = namespace.strip_prefix(&format!("{project}-")) else { continue };
        let services: Vec<String> = cluster.list(&SERVICES, Some(&namespace), "").await?.iter().map(name).collect();
        let there = |suffix: &&str| services.contains(&format!("{service}{suffix}"));
        // The versions by themselves where they have services of their own: together they would be mixed.
        let sides: Vec<&str> = ["-primary", "-canary"].into_iter().filter(there).collect();
        let whole = Some("").filter(there).filter(|_| sides.is_empty());
        jobs.extend(sides.into_iter().chain(whole).map(|suffix| job(stage, suffix)));
    }
    match jobs.is_empty() {
        true => Err(Error::not_found(format!("no namespace {project}-STAGE has a service `{service}`"))
            .hint("name the stages: `--stage NAME`")),
        false => Ok(jobs),
    }
}
