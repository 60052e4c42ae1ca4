//! What happens in a delivery, as Kubernetes Events on the objects concerned: `kubectl describe` shows them.

use super::{Delivery, Ended, Happened, Stage, good};
use crate::core::gate::evaluation::Verdict;
use serde_json::{Value, json};

/// A longer note is refused by the API server.
const LONGEST: usize = 1024;

/// A note for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// On the `Deployment` that has the version, or on the `VirtualService`.
    pub kind: &'static str,
    /// In one word: `DeliveryPromoted`.
    pub reason: &'static str,
    /// It is bad news.
    pub warning: bool,
    /// In a sentence.
    pub message: String,
}

/// What is to be noted of what happened; none where it concerns no object.
pub fn record(delivery: &Delivery, stage: &Stage, happened: &Happened) -> Option<Record> {
    let either = |ended: &Ended, well: &'static str, badly: &'static str| match good(ended) {
        true => (well, false, ended.message.clone()),
        false => (badly, true, ended.message.clone()),
    };
    let (kind, (reason, warning, message)) = match happened {
        Happened::Deployed { ended, .. } => ("Deployment", either(ended, "DeliveryDeployed", "DeliveryNotDeployed")),
        Happened::Tested { ended, .. } => ("Deployment", either(ended, "DeliveryTested", "DeliveryTestsFailed")),
        Happened::Evaluated { ended, .. } => {
            let badly = if ended.verdict == Verdict::Inconclusive { "DeliveryNotJudged" } else { "DeliveryGateFailed" };
            ("Deployment", either(ended, "DeliveryGatePassed", badly))
        }
        Happened::Promoted(ended) => ("VirtualService", either(ended, "DeliveryPromoted", "DeliveryNotPromoted")),
        Happened::WentBack(ended) => ("VirtualService", ("DeliveryReRouted", true, ended.message.clone())),
        Happened::Aborted(why) => ("VirtualService", ("DeliveryAborted", true, why.clone())),
        _ => return None,
    };
    let Delivery { project, service, tag, context, .. } = delivery;
    let short = context.get(..8).unwrap_or(context);
    let message = format!("{project}/{} {service} {tag} (run {short}): {message}", stage.name);
    Some(Record { kind, reason, warning, message: message.chars().take(LONGEST).collect() })
}

/// The Event about `object` (as the API server gave it), noted at `time` (RFC 3339, whole seconds); `unique` parts its name
/// from those of others.
pub fn about(object: &Value, record: &Record, time: &str, unique: &str) -> Value {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let name = text("/metadata/name");
    json!({
        "metadata": {"name": format!("{name}.{unique}"), "labels": {"app.kubernetes.io/managed-by": "tidegate"}},
        "involvedObject": {
            "apiVersion": text("/apiVersion"), "kind": record.kind, "namespace": text("/metadata/namespace"),
            "name": name, "uid": text("/metadata/uid"), "resourceVersion": text("/metadata/resourceVersion"),
        },
        "reason": record.reason, "message": record.message, "type": if record.warning { "Warning" } else { "Normal" },
        "source": {"component": "tidegate"}, "reportingComponent": "tidegate", "reportingInstance": "",
        "firstTimestamp": time, "lastTimestamp": time, "count": 1,
    })
}
