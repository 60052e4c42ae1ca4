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

/// What a project says of a service. Its JSON is part of the documented output of `status -o json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// The project.
    pub project: String,
    /// The stage.
    pub stage: String,
    /// Where the service is reached from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The delivery of it that is under way, in whichever stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Box<Delivery>>,
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
    /// The command that it goes back by; absent where a way back has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort: Option<String>,
}

impl Standing {
    /// Tells a service what is known of it; says whether that is news.
    pub fn tell(&self, service: &mut ServiceStatus) -> bool {
        let told = self.stages.get(&service.namespace).map(|(project, stage)| {
            let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
            let of = |delivery: &&Delivery| {
                let host = || host::resolve(&delivery.service, &service.namespace);
                *project == delivery.project && (service.name == delivery.service || service.hosts.contains(&host()))
            };
            Box::new(Told {
                project: project.clone(),
                stage: stage.clone(),
                url: service.public.as_ref().map(|host| format!("http://{host}{port}")),
                delivery: self.deliveries.iter().find(of).cloned().map(Box::new),
            })
        });
        let news = service.told != told;
        service.told = told;
        news
    }
}

/// What a run waits for, in words that follow "waits for".
pub fn waits_for(run: &Run) -> String {
    let stuck = run.stages.iter().find_map(|stage| stage.stuck.as_ref());
    if let (Status::Stuck, Some(why)) = (run.status, stuck) {
        let version = version(&run.image);
        return format!("somebody to try the way back again (traffic may still be on {version}): {why}");
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn run(status: &str, stage: &Value) -> Run {
        let mut whole = json!({
            "stage": "staging", "namespace": "shop-staging", "phase": "look",
            "plan": {"place": "idle", "test": "performance", "approval": {"pass": "automatic", "warning": "automatic"},
                     "share": 10, "gate": {"require": ["p95<500ms", "success-rate>=99"]}},
            "before": {"deployment": "carts-green", "container": "carts", "image": "carts:1", "replicas": 1, "scale": 1,
                       "to": "green", "serving": "blue"},
        });
        for (key, value) in stage.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        let terms = json!({"rollout": 1, "evaluation": 1, "tests": 1, "settle": 1});
        let run = json!({
            "id": "3fc5050a-6f9e-4b32-97ff-3b6c292bc509", "project": "shop", "service": "carts", "image": "registry:5000/carts:2",
            "by": "alice", "started": "2026-01-02T03:04:05Z", "status": status, "terms": terms, "stages": [whole],
        });
        serde_json::from_value(run).expect("a run")
    }

    #[test]
    fn what_a_run_waits_for_is_said_of_each_phase() {
        let phases =
            ["approval", "look", "deploy", "smoke", "shift", "share", "tests", "evaluate", "promote", "reroute", "restore"];
        let told: Vec<String> = phases.iter().map(|phase| waits_for(&run("running", &json!({"phase": phase})))).collect();
        assert_eq!(
            told,
            [
                "a person's approval",
                "the stage to begin",
                "carts-green to run 2",
                "carts-green to answer",
                "all traffic to move to green",
                "10 % of the traffic to move to green",
                "its tests",
                "its gate, p95<500ms, success-rate>=99",
                "all traffic to move to green",
                "traffic to go back to blue",
                "carts-green to go back to 1",
            ]
        );
        assert_eq!(waits_for(&run("running", &json!({"phase": "deploy", "before": null}))), "its deployment to run 2");
        assert_eq!(
            waits_for(&run("stuck", &json!({"phase": "reroute", "stuck": "forbidden"}))),
            "somebody to try the way back again (traffic may still be on 2): forbidden"
        );
        assert_eq!(waits_for(&run("passed", &json!({"phase": "ended"}))), "nothing");
    }

    #[test]
    fn a_service_is_told_of_its_own_projects_deliveries_alone() {
        let service = |namespace: &str, name: &str| {
            let object = crate::core::object::Object::read(json!({
                "metadata": {"namespace": namespace, "name": name},
                "spec": {"hosts": ["carts", format!("carts.{namespace}.example.com")], "gateways": ["edge"]},
            }));
            crate::core::status::of(&object, &Default::default(), &Default::default())
        };
        let delivery = Delivery {
            run: "id".into(),
            project: "shop".into(),
            service: "carts".into(),
            image: "carts:2".into(),
            status: "running",
            stage: "dev".into(),
            phase: "deploy",
            waits_for: String::new(),
            started: String::new(),
            by: String::new(),
            driven: None,
            driver: None,
            go_on: None,
            abort: None,
        };
        let place = |namespace: &str, project: &str| (namespace.to_owned(), (project.to_owned(), "production".to_owned()));
        let standing = Standing {
            stages: BTreeMap::from([place("a", "shop"), place("b", "other")]),
            port: Some(31380),
            deliveries: vec![delivery],
        };
        let mut told = service("a", "carts");
        assert!(standing.tell(&mut told));
        let own = told.told.as_ref().expect("it is told");
        assert_eq!((own.url.as_deref(), own.delivery.is_some()), (Some("http://carts.a.example.com:31380"), true));
        assert!(!standing.tell(&mut told), "that is no news");
        // By its host, where the virtual service has another name.
        let mut named = service("a", "routes-of-carts");
        standing.tell(&mut named);
        assert!(named.told.is_some_and(|told| told.delivery.is_some()));
        let mut other = service("b", "carts");
        standing.tell(&mut other);
        assert!(other.told.is_some_and(|told| told.project == "other" && told.delivery.is_none()));
        let mut nobodys = service("c", "carts");
        assert!(!standing.tell(&mut nobodys));
        assert_eq!(nobodys.told, None);
    }
}
