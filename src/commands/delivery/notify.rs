//! Tells of a run: CloudEvents to whoever `--events` names, Kubernetes Events on the objects concerned.

use crate::cluster::{Cluster, DryRun, EVENTS, Resource};
use crate::commands::Context;
use crate::commands::evaluate::report;
use crate::core::delivery::events::{self, Delivery, Era, Happened, Stage};
use crate::core::gate::evaluation::{Evaluation, Format};
use crate::core::gate::perfspec;
use crate::error::Result;
use crate::notify::Sinks;
use jiff::Timestamp;
use serde_json::Value;
use std::cell::Cell;

/// Who is told of a run, and in whose words.
pub struct Messenger {
    sinks: Sinks,
    era: Era,
    delivery: Delivery,
    /// That notes cannot be written was said.
    mute: Cell<bool>,
}

impl Messenger {
    /// Opens the receivers: `-` for stdout, URLs, files.
    ///
    /// # Errors
    /// `Usage` for a receiver that cannot be opened: said before anything is touched.
    pub fn open(receivers: &[String], era: Era, delivery: Delivery) -> Result<Self> {
        Ok(Self { sinks: Sinks::open(receivers)?, era, delivery, mute: Cell::new(false) })
    }

    /// Tells what happened in a stage. What does not arrive is warned of and stops nothing.
    pub async fn tell(&self, context: &Context, stage: &Stage, happened: &Happened) {
        if self.sinks.is_empty() {
            return;
        }
        let time = format!("{:.3}", Timestamp::now());
        let events = events::events(self.era, &self.delivery, stage, happened, &time);
        let warnings = self.sinks.send(&events, &|line| context.ui.answer(line)).await;
        warnings.iter().for_each(|warning| context.ui.warn(warning));
    }

    /// Notes on an object what happened to it, for `kubectl describe`: the deployment that has the version or the virtual
    /// service, by `names`. One request each to read and to write; who may not is told once.
    pub async fn note(&self, context: &Context, cluster: &Cluster, at: Noted<'_>, stage: &Stage, happened: &Happened) {
        let Some(record) = events::record(&self.delivery, stage, happened) else { return };
        let (kind, name) = match record.kind {
            "Deployment" => (&crate::cluster::DEPLOYMENTS, at.deployment),
            _ => (&crate::cluster::VIRTUAL_SERVICES, at.virtual_service),
        };
        let Some(name) = name else { return };
        if let (Err(error), false) = (self.write(cluster, kind, at.namespace, name, &record).await, self.mute.get()) {
            self.mute.set(true);
            context.ui.warn(&format!("no events are written in {}: {}; the delivery goes on", at.namespace, error.message));
        }
    }

    async fn write(
        &self,
        cluster: &Cluster,
        kind: &Resource,
        namespace: &str,
        name: &str,
        record: &events::Record,
    ) -> Result<()> {
        let Some(object) = cluster.object(kind, namespace, name).await? else { return Ok(()) };
        let now = Timestamp::now();
        let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
        let event = events::about(&object, record, &seconds, &format!("{:x}", now.as_nanosecond()));
        cluster.create(&EVENTS, namespace, event, DryRun::No).await.map(|_| ())
    }

    /// A gate's answer as the era's own service printed it.
    pub fn details(&self, result: &Evaluation) -> Value {
        match (self.era, result.format) {
            (Era::Early, Format::Perfspec) => perfspec::pitometer(result, None),
            _ => report::keptn(result)["evaluation"].take(),
        }
    }
}

/// The objects that are noted on, where they are known.
#[derive(Clone, Copy, Debug)]
pub struct Noted<'a> {
    /// The stage's namespace.
    pub namespace: &'a str,
    /// The deployment that has the version.
    pub deployment: Option<&'a str>,
    /// The virtual service that routes to it.
    pub virtual_service: Option<&'a str>,
}
