//! What went wrong, in kubectl's words where the API server speaks.

use super::api::Reply;
use crate::error::{Error, Kind};
use http::Method;
use serde_json::Value;

/// An answer that is not a success.
pub(super) fn refusal(reply: &Reply, asked: &str) -> Error {
    let text = |pointer: &str| reply.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (reason, message) = (text("/reason"), text("/message"));
    let kind = kind(reply.status, message);
    if reply.status == 401 {
        return Error::new(kind, "You must be logged in to the server (Unauthorized)")
            .hint("check the user of the context: `kubectl config view --minify`");
    }
    let error = if message.is_empty() {
        let plain = reply.body.as_str().unwrap_or_default();
        let first = plain.lines().find(|line| !line.trim().is_empty()).unwrap_or("no explanation").trim();
        let first: String = first.chars().take(120).collect();
        let why = format!("{asked}: HTTP {}: {}", reply.status, first.escape_debug());
        // Something that is no API server, such as a login page, answered.
        if reply.is_success() || reply.body.is_string() && plain.trim_start().starts_with('<') {
            return Error::new(Kind::Unreachable, format!("what answers is not a Kubernetes API server ({why})"))
                .hint("check the server of the context: `kubectl config view --minify`");
        }
        Error::new(kind, format!("Error from server: {why}"))
    } else if reason.is_empty() {
        Error::new(kind, format!("Error from server: {message}"))
    } else {
        Error::new(kind, format!("Error from server ({reason}): {message}"))
    };
    match reply.status {
        403 => error.hint("`tidegate help rbac` prints the role that is needed"),
        _ => error,
    }
}

fn kind(status: u16, message: &str) -> Kind {
    match status {
        401 | 403 => Kind::Forbidden,
        404 | 410 => Kind::NotFound,
        409 => Kind::Conflict,
        429 | 502..=504 => Kind::Unreachable,
        500 if message.contains("failed calling webhook") => Kind::Unreachable,
        _ => Kind::Failed,
    }
}

/// Whether the API server could not reach an admission webhook: nothing was written, and trying again may help.
pub(super) fn webhook_down(reply: &Reply) -> bool {
    let message = reply.body.get("message").and_then(Value::as_str).unwrap_or_default();
    reply.status == 500 && message.contains("failed calling webhook")
}

/// Nobody answers.
pub(super) fn unreachable(server: &str, why: &str, tries: usize) -> Error {
    let told = |what: String| Error::new(Kind::Unreachable, format!("{what}{}; nothing was written", times(tries)));
    if why == "connection refused" {
        return told(format!("the connection to the server {server} was refused"))
            .hint("is it the right host and port? `kubectl config view --minify` shows them");
    }
    let error = told(format!("cannot reach the API server {server}: {why}"));
    if why.contains("peer certificate") {
        error.hint("the kubeconfig's `certificate-authority-data`, or `--certificate-authority FILE`, says whom to trust")
    } else if is_about_certificates(why) {
        error.hint("the kubeconfig's `client-certificate` and `client-key`, or the flags of that name, say who you are")
    } else {
        error
    }
}

/// Whether a certificate is the reason why there is no answer: trying again does not mend it.
pub(super) fn is_about_certificates(why: &str) -> bool {
    why.to_ascii_lowercase().contains("certificate")
}

/// Nobody answered a request that writes and was sent.
pub(super) fn unanswered(server: &str, method: &Method, why: &str, tries: usize) -> Error {
    let what = if *method == Method::PATCH { "patch" } else { "request" };
    Error::new(Kind::Unreachable, format!("the API server {server} did not answer the {what}: {why}{}", times(tries)))
}

fn times(tries: usize) -> String {
    if tries > 1 { format!(" (tried {tries} times)") } else { String::new() }
}

/// The innermost cause, which is the one that says something: `connection refused`.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    // HTTP/2's words for a connection that is closed in the middle of an exchange.
    if text.starts_with("stream error received") {
        return "it broke off".into();
    }
    // `Connection refused (os error 111)`: the number helps nobody.
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
