//! What projects say of the services that `status` shows: whose stage a namespace is, where the service is reached from
//! outside, and which delivery of it is under way.

use super::image::version;
use super::run::{Phase, Run, Status};
use crate::core::host;
use crate::core::status::ServiceStatus;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was read beside the routes; empty where there are no projects, or they may not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The project and the stage of a namespace.
    pub stages: BTreeMap<String, (String, String)>,
    /// The port of the ingress, where it is known and not that of HTTP.
    pub port: Option<u16>,
    /// The deliveries that are under way, or stuck.
    pub deliveries: Vec<Delivery>,
}

/// A delivery that is under way. Its JSON is part of the documented output of `status -o json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The run's id.
    pub run: String,
    /// Where it goes.
    #[serde(skip)]
    pub project: String,
    /// What is delivered.
    #[serde(skip)]
    pub service: String,
    /// Its image.
    pub image: String,
    /// `running`, `waiting` or `stuck`.
    pub status: &'static str,
    /// The stage that it is in.
    pub stage: String,
    /// What is due there.
    pub phase: &'static str,
    /// What it waits for, in words.
    pub waits_for: String,
    /// When it was sent, RFC 3339.
    pub started: String,
    /// Who sent it.
    pub by: String,
    /// Whether somebody drives it; absent where that may not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driven: Option<bool>,
    /// Who drives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The command that it goes on by; absent where it goes on by itself.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub go_on: Option<String>,
    /// The command that ends it.
    pub abort: String,
}

impl Standing {
    /// Tells a service what is known of it; says whether that is news.
    pub fn tell(&self, service: &mut ServiceStatus) -> bool {
        let place = self.stages.get(&service.namespace);
        let url = service.public.as_ref().filter(|_| place.is_some()).map(|host| match self.port {
            Some(port) => format!("http://{host}:{port}"),
            None => format!("http://{host}"),
        });
        let of = |delivery: &&Delivery| {
            place.is_some_and(|(project, _)| *project == delivery.project)
                && (service.name == delivery.service
                    || service.hosts.contains(&host::resolve(&delivery.service, &service.namespace)))
        };
        let delivery = self.deliveries.iter().find(of).cloned();
        let (project, stage) = place.cloned().unzip();
        let news = (&service.project, &service.stage, &service.url, &service.delivery) != (&project, &stage, &url, &delivery);
        (service.project, service.stage, service.url, service.delivery) = (project, stage, url, delivery);
        news
    }
}

/// What a run waits for, in words that follow "waits for".
pub fn waits_for(run: &Run) -> String {
    let stuck = run.stages.iter().find_map(|stage| stage.stuck.as_ref());
    if let (Status::Stuck, Some(why)) = (run.status, stuck) {
        return format!("somebody to try the way back again: {why}");
    }
    let Some(stage) = run.current().and_then(|index| run.stages.get(index)) else { return "nothing".into() };
    let before = stage.before.as_ref();
    let deployment = before.map_or("its deployment", |before| before.deployment.as_str());
    let side = |side: Option<&String>| side.map_or("the version", String::as_str).to_owned();
    let to = || side(before.and_then(|before| before.to.as_ref()));
    match stage.phase {
        Phase::Approval => "a person's approval".into(),
        Phase::Ahead | Phase::Look | Phase::Ended => "the stage to begin".into(),
        Phase::Deploy => format!("{deployment} to run {}", version(&run.image)),
        Phase::Smoke => format!("{deployment} to answer"),
        Phase::Share => format!("{} % of the traffic to move to {}", stage.plan.share.unwrap_or_default(), to()),
        Phase::Shift | Phase::Promote => format!("all traffic to move to {}", to()),
        Phase::Tests => "its tests".into(),
        Phase::Evaluate => format!("its gate, {}", stage.plan.gate.as_ref().map_or_else(|| "none".into(), ToString::to_string)),
        Phase::Reroute => format!("traffic to go back to {}", side(before.and_then(|before| before.serving.as_ref()))),
        Phase::Restore => {
            format!("{deployment} to go back to {}", before.map_or_else(|| "what it was".into(), |before| version(&before.image)))
        }
    }
}
