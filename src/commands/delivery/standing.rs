//! What `status` and `history` say of deliveries: a few lists, however many services there are.

use super::ingress::{self, known};
use super::lease;
use super::project::{label, order, text};
use super::store;
use super::tell::{self, Teller};
use crate::cluster::{Cluster, NAMESPACES};
use crate::commands::Context;
use crate::core::delivery::project::{PROJECT, STAGE};
use crate::core::delivery::run::{Run, Status};
use crate::core::delivery::standing::{Delivery, Standing, waits_for};
use crate::error::Result;
use crate::sorted;
use std::collections::BTreeMap;

/// The namespaces of projects.
#[derive(Debug, Default)]
struct Places {
    /// The project and the stage of each.
    stages: BTreeMap<String, (String, String)>,
    /// The first of each project, which keeps its runs.
    homes: BTreeMap<String, String>,
}

impl Places {
    /// Reads them with one request; who may not knows of none.
    async fn read(cluster: &Cluster) -> Result<Self> {
        let mut namespaces = known(cluster.list(&NAMESPACES, None, PROJECT).await)?.unwrap_or_default();
        sorted::by_key(&mut namespaces, order);
        let mut places = Self::default();
        for namespace in &namespaces {
            let Some(project) = label(namespace, PROJECT) else { continue };
            let (name, stage) = (text(namespace, "/metadata/name"), label(namespace, STAGE).unwrap_or_default());
            places.homes.entry(project.to_owned()).or_insert_with(|| name.to_owned());
            places.stages.insert(name.to_owned(), (project.to_owned(), stage.to_owned()));
        }
        Ok(places)
    }
}

/// What projects say of the services in `scopes` (`None`: all namespaces). One request where no project is concerned, four
/// otherwise: three of them side by side. What may not be read is left out.
///
/// # Errors
/// As the API server says, but for what may not be read.
pub async fn read(context: &Context, cluster: &Cluster, scopes: &[Option<&str>]) -> Result<Standing> {
    let Places { stages, homes } = Places::read(cluster).await?;
    let within = |namespace: &str| scopes.iter().any(|scope| scope.is_none_or(|scope| scope == namespace));
    let concerned = stages.iter().filter(|(namespace, _)| within(namespace)).map(|(_, (project, _))| project.as_str());
    let concerned = sorted::set(concerned);
    let mut places = concerned.iter().filter_map(|project| homes.get(*project));
    let Some(first) = places.next() else { return Ok(Standing::default()) };
    let home = Some(first.as_str()).filter(|_| places.next().is_none());
    let (runs, holders, port) = tokio::join!(store::open(cluster, home), lease::holders(cluster, home), ingress::port(cluster));
    let (mut runs, holders) = (known(runs)?.unwrap_or_default(), known(holders)?);
    sorted::by(&mut runs, |a, b| b.started.cmp(&a.started));
    let deliveries = runs.iter().filter(|run| concerned.contains(run.project.as_str())).map(|run| {
        let driver = holders.as_ref().map(|all| all.iter().find(|held| held.drives(run)).map(|held| held.name.clone()));
        delivery(context, run, driver)
    });
    Ok(Standing { deliveries: deliveries.collect(), port: port?.filter(|port| *port != 80), stages })
}

/// A run as `status` shows it; who drives it, if anybody does and that is known.
fn delivery(context: &Context, run: &Run, driver: Option<Option<String>>) -> Delivery {
    let commands = Teller::new(context, run).commands(run);
    let at = run.current().or_else(|| run.stages.iter().position(|stage| stage.stuck.is_some()));
    let stage = at.and_then(|index| run.stages.get(index));
    let driven = driver.as_ref().map(Option::is_some);
    Delivery {
        run: run.id.clone(),
        project: run.project.clone(),
        service: run.service.clone(),
        image: run.image.clone(),
        status: run.status.name(),
        stage: stage.map(|stage| stage.stage.clone()).unwrap_or_default(),
        phase: stage.map_or("ended", |stage| stage.phase.name()),
        waits_for: waits_for(run),
        started: run.started.clone(),
        by: run.by.clone(),
        driven,
        driver: driver.flatten(),
        go_on: match (run.status, driven) {
            (Status::Waiting, _) => Some(commands.approve),
            (_, Some(true)) => None,
            _ => Some(commands.resume),
        },
        abort: (run.status != Status::Stuck).then_some(commands.abort),
    }
}

/// The deliveries of a service, stage by stage, the newest last; empty where its namespace is no project's.
///
/// # Errors
/// As the API server says, but for what may not be read.
pub async fn history(context: &Context, cluster: &Cluster, namespace: &str, service: &str) -> Result<String> {
    let places = Places::read(cluster).await?;
    let Some((project, _)) = places.stages.get(namespace) else { return Ok(String::new()) };
    let Some(home) = places.homes.get(project) else { return Ok(String::new()) };
    let runs = known(store::runs(cluster, home, project, Some(service)).await)?.unwrap_or_default();
    let runs: Vec<&Run> = runs.iter().rev().map(|kept| &kept.run).collect();
    Ok(if runs.is_empty() { String::new() } else { tell::stages(&runs, context.ui.out_is_terminal) })
}
