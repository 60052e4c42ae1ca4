//! Where runs are kept: a ConfigMap for each, in the namespace of the project's first stage.
//!
//! Whoever drives a run is the only one who writes its state, guarded by a number that counts the writes: a driver that was
//! taken for dead finds that out before it does anything further. Others leave words beside the state: an abort, an approval.

use crate::cluster::{CONFIG_MAPS, Cluster, Created, DryRun, Patched};
use crate::core::delivery::project::{MANAGED, PROJECT, SERVICE};
use crate::core::delivery::run::{Run, Status};
use crate::core::patch::Patch;
use crate::error::{Error, Kind, Result};
use crate::sorted;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The label of a run's ConfigMap with the run's id.
const RUN: &str = "tidegate/run";
/// The label of a run's ConfigMap with how the run stands: what is under way is found without reading what has ended.
const STATUS: &str = "tidegate/status";
/// The key of a run's state.
const STATE: &str = "run.json";
/// The key of the number of writes.
const WRITES: &str = "writes";
/// The key of a word that ends the run.
const ABORT: &str = "abort";
/// So many runs of a service are kept.
const KEPT: usize = 20;

/// A run as it is kept.
#[derive(Debug)]
pub struct Kept {
    /// Its namespace.
    pub home: String,
    /// The name of its ConfigMap.
    pub name: String,
    /// Its state.
    pub run: Run,
    writes: Cell<u64>,
    /// The state of a write whose answer was lost: it may have been carried out.
    unknown: RefCell<Option<String>>,
}

/// What others left beside a run's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Who aborts it, and why.
    pub abort: Option<String>,
    /// Who approved a stage, by stage.
    pub approvals: BTreeMap<String, String>,
}

impl Kept {
    /// Keeps a new run.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn create(cluster: &Cluster, home: &str, run: Run) -> Result<Self> {
        let name = format!("tidegate-run-{}-{}", run.service, short(&run.id));
        let object = json!({
            "metadata": {"name": name, "labels": {
                PROJECT: run.project, SERVICE: run.service, RUN: run.id, STATUS: run.status.name(), MANAGED.0: MANAGED.1,
            }},
            "data": {STATE: text(&run), WRITES: "1"},
        });
        match cluster.create(&CONFIG_MAPS, home, object, DryRun::No).await? {
            Created::New(_) => Ok(Self { home: home.to_owned(), name, run, writes: Cell::new(1), unknown: RefCell::default() }),
            Created::Exists => Err(Error::new(Kind::Conflict, format!("configmap {name} in {home} is there already"))),
        }
    }

    /// Keeps the state as it is now.
    ///
    /// # Errors
    /// `Conflict` where somebody else drives the run meanwhile; as the API server says.
    pub async fn save(&self, cluster: &Cluster, run: &Run) -> Result<()> {
        loop {
            let (old, new) = (self.writes.get(), self.writes.get() + 1);
            let mut patch = Patch::default();
            patch.guard(["data", WRITES], json!(old.to_string()));
            patch.set(["data", WRITES], json!(new.to_string())).set(["data", STATE], json!(text(run)));
            patch.set(["metadata", "labels", STATUS], json!(run.status.name()));
            match cluster.edit(&CONFIG_MAPS, &self.home, &self.name, &patch, DryRun::No).await? {
                Patched::Done(_) => {}
                Patched::Unanswered(error) => {
                    self.unknown.replace(Some(text(run)));
                    return Err(error);
                }
                Patched::Refused(_) => {
                    let now = cluster.object(&CONFIG_MAPS, &self.home, &self.name).await?.unwrap_or_default();
                    let kept = now.pointer(&format!("/data/{STATE}")).and_then(Value::as_str).map(str::to_owned);
                    // A try may have been carried out and its answer lost: this one, or the one before.
                    if !patch.is_in(&now) {
                        let lost = self.unknown.take();
                        if lost.is_none() || lost != kept {
                            let message = format!("somebody else drives the run {} meanwhile", short(&run.id));
                            return Err(Error::new(Kind::Conflict, message)
                                .hint(format!("`tidegate get runs --project {}` says how it stands", run.project)));
                        }
                        self.writes.set(new);
                        continue;
                    }
                }
            }
            self.unknown.take();
            self.writes.set(new);
            return Ok(());
        }
    }

    /// What others left beside the state.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn listen(&self, cluster: &Cluster) -> Result<Words> {
        let map = cluster.object(&CONFIG_MAPS, &self.home, &self.name).await?;
        Ok(map.as_ref().map(Words::read).unwrap_or_default())
    }

    /// Leaves a word that ends the run.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn leave_abort(&self, cluster: &Cluster, who: &str) -> Result<()> {
        self.leave(cluster, ABORT, who).await
    }

    /// Leaves an approval of a stage.
    ///
    /// # Errors
    /// As the API server says.
    pub async fn leave_approval(&self, cluster: &Cluster, stage: &str, who: &str) -> Result<()> {
        self.leave(cluster, &approval(stage), who).await
    }

    async fn leave(&self, cluster: &Cluster, key: &str, who: &str) -> Result<()> {
        let mut patch = Patch::default();
        patch.set(["data", key], json!(who));
        match cluster.edit(&CONFIG_MAPS, &self.home, &self.name, &patch, DryRun::No).await? {
            Patched::Done(_) => Ok(()),
            Patched::Unanswered(error) => Err(error),
            Patched::Refused(reply) => {
                let said = reply.body.get("message").and_then(Value::as_str).unwrap_or("it was refused");
                Err(Error::failed(format!("configmap {} in {}: {said}", self.name, self.home)))
            }
        }
    }
}

impl Words {
    fn read(map: &Value) -> Self {
        let data = map.get("data").and_then(Value::as_object);
        let texts = data.into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?)));
        let mut words = Self::default();
        for (key, text) in texts {
            if key == ABORT {
                words.abort = Some(text.to_owned());
            } else if let Some(stage) = key.strip_prefix("approve.") {
                words.approvals.insert(stage.to_owned(), text.to_owned());
            }
        }
        words
    }
}

fn approval(stage: &str) -> String {
    format!("approve.{stage}")
}

/// The runs of a project, or of one of its services, the newest first.
///
/// # Errors
/// As the API server says.
pub async fn runs(cluster: &Cluster, home: &str, project: &str, service: Option<&str>) -> Result<Vec<Kept>> {
    let service = service.map(|service| format!(",{SERVICE}={service}")).unwrap_or_default();
    let maps = cluster.list(&CONFIG_MAPS, Some(home), &format!("{RUN},{PROJECT}={project}{service}")).await?;
    let mut runs: Vec<Kept> = maps.iter().filter_map(read).collect();
    sorted::by(&mut runs, |a, b| b.run.started.cmp(&a.run.started));
    Ok(runs)
}

/// The runs that are under way or stuck: in one namespace, or in all.
///
/// # Errors
/// As the API server says.
pub async fn open(cluster: &Cluster, home: Option<&str>) -> Result<Vec<Run>> {
    let open = [Status::Running, Status::Waiting, Status::Stuck].map(Status::name).join(",");
    let maps = cluster.list(&CONFIG_MAPS, home, &format!("{RUN},{STATUS} in ({open})")).await?;
    Ok(maps.iter().filter_map(|map| Some(read(map)?.run)).collect())
}

/// Lets go of the oldest runs that have ended.
///
/// # Errors
/// As the API server says.
pub async fn prune(cluster: &Cluster, runs: &[Kept]) -> Result<()> {
    for old in runs.iter().skip(KEPT).filter(|kept| kept.run.ended()) {
        cluster.delete(&CONFIG_MAPS, &old.home, &old.name).await?;
    }
    Ok(())
}

fn read(map: &Value) -> Option<Kept> {
    let data = |key: &str| map.get("data")?.get(key)?.as_str();
    Some(Kept {
        home: map.pointer("/metadata/namespace")?.as_str()?.to_owned(),
        name: map.pointer("/metadata/name")?.as_str()?.to_owned(),
        run: serde_json::from_str(data(STATE)?).ok()?,
        writes: Cell::new(data(WRITES)?.parse().ok()?),
        unknown: RefCell::default(),
    })
}

fn text(run: &Run) -> String {
    serde_json::to_string(run).unwrap_or_default()
}

/// The first eight letters of an id: what people call a run.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
