//! The log of a pod: a few lines that its containers would write.

use http::{Response, StatusCode};
use serde_json::Value;

use crate::sandbox::image;
use crate::sandbox::request::Call;
use crate::sandbox::respond::{self, Body};
use crate::sandbox::status::Failure;
use crate::sandbox::store::text;

/// The log of a pod's container.
pub fn of(call: &Call, pod: &Value) -> Result<Response<Body>, Failure> {
    let name = text(pod, "/metadata/name");
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = containers.iter().map(|container| text(container, "/name")).collect();
    let at = match (call.query.get("container"), names.as_slice()) {
        ("", [_]) => Some(0),
        ("", many) => {
            return Err(Failure::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                many.join(" ")
            )));
        }
        (wanted, names) => names.iter().position(|name| *name == wanted),
    };
    let wanted = call.query.get("container");
    let found = at.and_then(|at| containers.get(at));
    let container = found.ok_or_else(|| Failure::bad_request(format!("container {wanted} is not valid for pod {name}")))?;
    let own = text(container, "/name");
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten();
    let status = statuses.clone().find(|status| status["name"] == own).unwrap_or(&Value::Null);
    let waiting = text(status, "/state/waiting/reason");
    if !waiting.is_empty() && waiting != "CrashLoopBackOff" {
        let why = match waiting {
            "ErrImagePull" => "image can't be pulled",
            "ImagePullBackOff" => "trying and failing to pull image",
            reason => reason,
        };
        return Err(Failure::bad_request(format!("container {own:?} in pod {name:?} is waiting to start: {why}")));
    }
    let version = image::tag(text(container, "/image"));
    let mut lines = vec![format!("{own} {version} is starting")];
    let ended = status.pointer("/state/terminated/exitCode").or(status.pointer("/lastState/terminated/exitCode"));
    lines.push(match ended.and_then(Value::as_u64) {
        Some(0) => format!("{own} {version} is done"),
        Some(code) => format!("{own} {version} cannot go on: exit status {code}"),
        None => format!("{own} {version} takes requests"),
    });
    let last = call.query.get("tailLines").parse().unwrap_or(lines.len());
    let shown = lines.get(lines.len().saturating_sub(last)..).unwrap_or_default();
    let shown: String = shown.iter().map(|line| format!("{line}\n")).collect();
    Ok(respond::text(StatusCode::OK, &shown))
}
