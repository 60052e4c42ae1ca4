//! What happens in a delivery, as CloudEvents with keptn's types and fields.
//!
//! keptn changed both with version 0.8, so there are two [eras](Era); the envelope is CloudEvents 1.0 in both.
//!
//! | what happened | [`Era::Early`], keptn 0.2–0.7 | [`Era::Late`], keptn 0.8 and later |
//! |---|---|---|
//! | an artifact was sent | `sh.keptn.events.new-artifact` | |
//! | a stage began | `sh.keptn.event.configuration.change` | `sh.keptn.event.STAGE.delivery.triggered` |
//! | approval | | `sh.keptn.event.approval.triggered`, `.started`, `.finished` |
//! | deployed | `sh.keptn.events.deployment-finished` | `sh.keptn.event.deployment.…` |
//! | tested | `sh.keptn.events.tests-finished` | `sh.keptn.event.test.…` |
//! | evaluated | `sh.keptn.events.evaluation-done` | `sh.keptn.event.evaluation.…` |
//! | promoted | `sh.keptn.event.configuration.change`, `canary.action` `promote` | `sh.keptn.event.release.…` |
//! | went back | `sh.keptn.event.configuration.change`, `canary.action` `discard` | `sh.keptn.event.rollback.…` |
//! | a stage ended | | `sh.keptn.event.STAGE.delivery.finished` |
//!
//! An event's id is derived from its run, stage and type: whoever goes on with a run that another process began sends the same
//! ids, and points at the same triggers.

mod read;
mod record;
#[cfg(test)]
mod tests;

pub use read::{Artifact, artifact};
pub use record::{Record, about, record};

use super::shipyard::{Approval, Approver, Strategy, TestStrategy};
use crate::core::gate::evaluation::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Whose types and fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// keptn 0.2 to 0.7.
    Early,
    /// keptn 0.8 and later.
    #[default]
    Late,
}

/// keptn's version of the types and fields of [`Era::Late`].
const SPEC: &str = "0.2.4";

/// Who says it.
const SOURCE: &str = "tidegate";

/// What is delivered: the same in all events of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The run's id, keptn's context.
    pub context: String,
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
    /// The image without its tag.
    pub image: String,
    /// Its tag or digest.
    pub tag: String,
    /// What the sender says of it.
    pub labels: BTreeMap<String, String>,
}

/// The stage in which something happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// How a version comes into it.
    pub deployment: Strategy,
    /// How it is tested.
    pub test: TestStrategy,
    /// Who lets it in.
    pub approval: Approval,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The verdict; what could not be judged is no pass.
    pub verdict: Verdict,
    /// Why.
    pub message: String,
}

impl Ended {
    /// A pass.
    pub fn well(message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, message: message.into() }
    }

    /// A failure.
    pub fn badly(message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, message: message.into() }
    }
}

/// What happened. Times are RFC 3339.
#[derive(Clone, Debug, PartialEq)]
pub enum Happened {
    /// An artifact was sent; the stage is the first that it goes to.
    Sent,
    /// A stage began.
    Entered,
    /// A person is asked, after this verdict of the stage before.
    ApprovalAsked(Verdict),
    /// A person answered.
    ApprovalGiven(Ended),
    /// The image is being set.
    Deploying,
    /// The version runs, or does not.
    Deployed {
        /// Whether and why.
        ended: Ended,
        /// The deployments that have it.
        names: Vec<String>,
        /// Where the cluster reaches it.
        local: Vec<String>,
        /// Where users reach it.
        public: Vec<String>,
    },
    /// Tests begin.
    Testing,
    /// Tests ended.
    Tested {
        /// How.
        ended: Ended,
        /// When they began.
        start: String,
        /// When they ended.
        end: String,
    },
    /// A gate is asked.
    Evaluating {
        /// The window's beginning.
        start: String,
        /// The window's end.
        end: String,
    },
    /// It answered.
    Evaluated {
        /// What.
        ended: Ended,
        /// The result as the era's own service printed it: Pitometer's, or the `evaluation` of the Lighthouse.
        details: Value,
    },
    /// All traffic is given to the version.
    Promoting,
    /// It has it, or not.
    Promoted(Ended),
    /// What was there before gets its place again; why.
    GoingBack(String),
    /// It has it, or not.
    WentBack(Ended),
    /// The stage ended.
    Left(Ended),
    /// A person ended the run.
    Aborted(String),
}

/// The events of what happened in a stage at `time`, in the order in which they are to be sent.
pub fn events(era: Era, delivery: &Delivery, stage: &Stage, happened: &Happened, time: &str) -> Vec<Value> {
    let said = Said { delivery, stage, time };
    match era {
        Era::Early => said.early(happened).into_iter().collect(),
        Era::Late => said.late(happened),
    }
}

struct Said<'a> {
    delivery: &'a Delivery,
    stage: &'a Stage,
    time: &'a str,
}

impl Said<'_> {
    fn early(&self, happened: &Happened) -> Option<Value> {
        let Delivery { project, service, image, tag, labels, .. } = self.delivery;
        let mut data = match happened {
            Happened::Sent => json!({"project": project, "service": service, "image": image, "tag": tag}),
            Happened::Entered | Happened::Promoted(_) | Happened::WentBack(_) => {
                json!({"project": project, "service": service, "stage": self.stage.name})
            }
            _ => json!({
                "project": project, "stage": self.stage.name, "service": service,
                "teststrategy": tested(self.stage.test), "deploymentstrategy": deployed(self.stage.deployment),
                "image": image, "tag": tag,
            }),
        };
        if !labels.is_empty() {
            data["labels"] = json!(labels);
        }
        let kind = match happened {
            Happened::Sent => "sh.keptn.events.new-artifact",
            Happened::Entered => {
                data["valuesCanary"] = json!({"image": self.reference()});
                if self.stage.deployment != Strategy::Direct {
                    data["canary"] = json!({"action": "set", "value": 0});
                }
                "sh.keptn.event.configuration.change"
            }
            Happened::Promoted(ended) if good(ended) => {
                data["canary"] = json!({"action": "promote"});
                "sh.keptn.event.configuration.change"
            }
            Happened::WentBack(ended) if good(ended) => {
                data["canary"] = json!({"action": "discard"});
                "sh.keptn.event.configuration.change"
            }
            Happened::Deployed { ended, .. } if good(ended) => "sh.keptn.events.deployment-finished",
            Happened::Tested { ended, start, end } => {
                data["startedat"] = json!(start);
                data["start"] = json!(start);
                data["end"] = json!(end);
                data["result"] = json!(result(ended.verdict));
                "sh.keptn.events.tests-finished"
            }
            Happened::Evaluated { ended, details } => {
                data["evaluationpassed"] = json!(good(ended));
                data["evaluationdetails"] = details.clone();
                data["result"] = json!(result(ended.verdict));
                "sh.keptn.events.evaluation-done"
            }
            _ => return None,
        };
        // A stage's three changes of configuration are three events.
        let which = data.pointer("/canary/action").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(self.envelope(kind, &self.id(&format!("{kind} {which}")), None, data))
    }

    fn late(&self, happened: &Happened) -> Vec<Value> {
        let image = || json!({"values": {"image": self.reference()}});
        let strategy = deployed(self.stage.deployment);
        let sequence = format!("{}.delivery", self.stage.name);
        match happened {
            Happened::Sent => vec![],
            Happened::Entered => {
                vec![self.triggered(&sequence, json!({"configurationChange": image()}))]
            }
            Happened::ApprovalAsked(verdict) => {
                let Approval { pass, warning } = self.stage.approval;
                let own = json!({"approval": {"pass": approver(pass), "warning": approver(warning)}, "result": result(*verdict)});
                vec![self.triggered("approval", own), self.started("approval")]
            }
            Happened::ApprovalGiven(ended) => vec![self.finished("approval", ended, json!({}))],
            Happened::Deploying => {
                let own = json!({"configurationChange": image(), "deployment": {"deploymentstrategy": strategy}});
                vec![self.triggered("deployment", own), self.started("deployment")]
            }
            Happened::Deployed { ended, names, local, public } => {
                let own = json!({"deployment": {
                    "deploymentstrategy": strategy, "deploymentURIsLocal": local, "deploymentURIsPublic": public,
                    "deploymentNames": names, "gitCommit": "",
                }});
                vec![self.finished("deployment", ended, own)]
            }
            Happened::Testing => {
                let own = json!({"test": {"teststrategy": tested(self.stage.test)}});
                vec![self.triggered("test", own), self.started("test")]
            }
            Happened::Tested { ended, start, end } => {
                vec![self.finished("test", ended, json!({"test": {"start": start, "end": end}}))]
            }
            Happened::Evaluating { start, end } => {
                let own = json!({"evaluation": {"start": start, "end": end}});
                vec![self.triggered("evaluation", own), self.started("evaluation")]
            }
            Happened::Evaluated { ended, details } => {
                vec![self.finished("evaluation", ended, json!({"evaluation": details}))]
            }
            Happened::Promoting => {
                let own = json!({"release": {}, "deployment": {"deploymentstrategy": strategy}});
                vec![self.triggered("release", own), self.started("release")]
            }
            Happened::Promoted(ended) => vec![self.finished("release", ended, json!({"release": {"gitCommit": ""}}))],
            Happened::GoingBack(why) => {
                let own = json!({"rollback": {}, "message": why, "deployment": {"deploymentstrategy": strategy}});
                vec![self.triggered("rollback", own), self.started("rollback")]
            }
            Happened::WentBack(ended) => vec![self.finished("rollback", ended, json!({"rollback": {}}))],
            Happened::Left(ended) => vec![self.finished(&sequence, ended, json!({}))],
            Happened::Aborted(why) => {
                let mut event = self.finished(&sequence, &Ended::badly(why), json!({}));
                event["data"]["status"] = json!("aborted");
                vec![event]
            }
        }
    }

    fn triggered(&self, task: &str, own: Value) -> Value {
        let kind = format!("sh.keptn.event.{task}.triggered");
        self.envelope(&kind, &self.id(&kind), None, self.data(own))
    }

    fn started(&self, task: &str) -> Value {
        let kind = format!("sh.keptn.event.{task}.started");
        self.envelope(&kind, &self.id(&kind), Some(&self.trigger(task)), self.data(json!({})))
    }

    fn finished(&self, task: &str, ended: &Ended, own: Value) -> Value {
        let kind = format!("sh.keptn.event.{task}.finished");
        let mut data = self.data(own);
        data["status"] = json!(if ended.verdict == Verdict::Inconclusive { "errored" } else { "succeeded" });
        data["result"] = json!(result(ended.verdict));
        data["message"] = json!(ended.message);
        self.envelope(&kind, &self.id(&kind), Some(&self.trigger(task)), data)
    }

    /// What all events of the late era have, and `own`.
    fn data(&self, own: Value) -> Value {
        let Delivery { project, service, labels, .. } = self.delivery;
        let mut data = json!({"project": project, "stage": self.stage.name, "service": service, "labels": labels});
        if let (Some(data), Value::Object(own)) = (data.as_object_mut(), own) {
            data.extend(own);
        }
        data
    }

    fn envelope(&self, kind: &str, id: &str, trigger: Option<&str>, data: Value) -> Value {
        let mut event = Map::new();
        let mut put = |key: &str, value: &str| {
            event.insert(key.into(), value.into());
        };
        put("specversion", "1.0");
        put("id", id);
        put("source", SOURCE);
        put("type", kind);
        put("datacontenttype", "application/json");
        put("time", self.time);
        put("shkeptncontext", &self.delivery.context);
        if kind.starts_with("sh.keptn.event.") && !kind.ends_with(".change") {
            put("shkeptnspecversion", SPEC);
        }
        if let Some(trigger) = trigger {
            put("triggeredid", trigger);
        }
        event.insert("data".into(), data);
        Value::Object(event)
    }

    fn trigger(&self, task: &str) -> String {
        self.id(&format!("sh.keptn.event.{task}.triggered"))
    }

    /// A version 8 UUID (RFC 9562) of run, stage and type, by the 128-bit FNV-1a hash.
    fn id(&self, kind: &str) -> String {
        const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let text = format!("{} {} {kind}", self.delivery.context, self.stage.name);
        let hash = text.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
        let versioned = hash & !(0xf << 76) | (8 << 76);
        let variant = versioned & !(0b11 << 62) | (0b10 << 62);
        let hex = format!("{variant:032x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    }

    /// The image with its tag or digest.
    fn reference(&self) -> String {
        let Delivery { image, tag, .. } = self.delivery;
        match tag.as_str() {
            "" => image.clone(),
            digest if digest.contains(':') => format!("{image}@{digest}"),
            tag => format!("{image}:{tag}"),
        }
    }
}

fn good(ended: &Ended) -> bool {
    matches!(ended.verdict, Verdict::Pass | Verdict::Warning)
}

/// keptn knows no "not known": it is a fail.
fn result(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warning => "warning",
        Verdict::Fail | Verdict::Inconclusive => "fail",
    }
}

fn deployed(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Direct => "direct",
        Strategy::BlueGreen => "blue_green_service",
    }
}

fn tested(strategy: TestStrategy) -> &'static str {
    match strategy {
        TestStrategy::None => "",
        TestStrategy::Functional => "functional",
        TestStrategy::Performance => "performance",
    }
}

fn approver(approver: Approver) -> &'static str {
    match approver {
        Approver::Automatic => "automatic",
        Approver::Manual => "manual",
    }
}
