//! The API server's error answers: `Status` objects in its own words.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Value, json};

use super::kinds::Kind;

/// A request that failed: what becomes a `Status` object.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The HTTP status.
    pub code: u16,
    /// The machine-readable reason; empty where the API server leaves it out.
    pub reason: Cow<'static, str>,
    /// The text that kubectl prints.
    pub message: String,
    /// `details` of the status, where there are any.
    pub details: Option<Box<Value>>,
}

/// One cause of a 422.
#[derive(Clone)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldValueRequired`, …
    pub reason: &'static str,
    /// The field's path, such as `spec.http[0].route[0].weight`.
    pub field: String,
    /// What is wrong with it, without the path.
    pub message: String,
}

impl Cause {
    /// A value that is not allowed.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Cause { reason: "FieldValueInvalid", field: field.into(), message: format!("Invalid value: {}", message.into()) }
    }
}

impl Failure {
    /// A failure without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Failure { code, reason: reason.into(), message: message.into(), details: None }
    }

    fn about(mut self, kind: &Kind, name: &str) -> Self {
        self.details = Some(Box::new(details(name, kind.group, kind.plural)));
        self
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Failure::new(400, "BadRequest", message)
    }

    /// 401: the token is not known.
    pub fn unauthorized() -> Self {
        Failure::new(401, "Unauthorized", "Unauthorized")
    }

    /// 404 for an object.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Failure::new(404, "NotFound", format!("{} {name:?} not found", kind.qualified())).about(kind, name)
    }

    /// 404 for a path below a group of built-in kinds that leads nowhere.
    pub fn unknown_resource() -> Self {
        let message = "the server could not find the requested resource";
        let mut failure = Failure::new(404, "NotFound", message);
        failure.details = Some(Box::new(json!({})));
        failure
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        let mut failure =
            Failure::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
        failure.details = Some(Box::new(json!({})));
        failure
    }

    /// 409 on create.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.qualified());
        Failure::new(409, "AlreadyExists", message).about(kind, name)
    }

    /// 409 on a stale resource version.
    pub fn conflict(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Failure::conflict_because(kind, name, why)
    }

    /// 409 for another precondition of a write.
    pub fn conflict_because(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified());
        Failure::new(409, "Conflict", message).about(kind, name)
    }

    /// 409 for a precondition of a deletion, which names the kind in place of the resource.
    pub fn precondition(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", group_kind(kind.kind, kind.group));
        let mut failure = Failure::new(409, "Conflict", message);
        failure.details = Some(Box::new(details(name, kind.group, kind.kind)));
        failure
    }

    /// 410: the resource version is older than what the server remembers.
    pub fn expired(message: impl Into<String>) -> Self {
        Failure::new(410, "Expired", message)
    }

    /// 422 of a patch that does not apply: the API server does not say why.
    pub fn patch_failed() -> Self {
        let mut failure = Failure::new(422, "Invalid", "the server rejected our request due to an error in our request");
        failure.details = Some(Box::new(json!({})));
        failure
    }

    /// 422 with its causes.
    pub fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        Failure::invalid_as(kind.kind, kind.group, name, causes)
    }

    /// 422 about something of any kind and group, perhaps neither.
    pub fn invalid_as(kind: &str, group: &str, name: &str, causes: &[Cause]) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for cause in causes {
            let line = format!("{}: {}", cause.field, cause.message);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let text = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let who = group_kind(kind, group);
        let message = format!("{who} {name:?} is invalid: {text}");
        let mut failure = Failure::new(422, "Invalid", message);
        let mut details = details(name, group, kind);
        details["causes"] =
            causes.iter().map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field})).collect();
        failure.details = Some(Box::new(details));
        failure
    }

    /// No answer at all: the connection is closed.
    pub fn broken_connection() -> Self {
        Failure::new(0, "", "")
    }

    /// Whether there is to be no answer at all.
    pub fn breaks_connection(&self) -> bool {
        self.code == 0
    }

    /// 500.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        let mut failure = Failure::new(500, "InternalError", format!("Internal error occurred: {message}"));
        failure.details = Some(Box::new(json!({"causes": [{"message": message.to_string()}]})));
        failure
    }

    /// 403: `user` may not `verb` this.
    pub fn forbidden(user: &str, verb: &str, kind: &Kind, sub: &str, ns: &str, name: &str) -> Self {
        let object = match name {
            "" => kind.qualified(),
            name => format!("{} {name:?}", kind.qualified()),
        };
        let place = match ns {
            "" => "at the cluster scope".to_owned(),
            ns => format!("in the namespace {ns:?}"),
        };
        let resource = match sub {
            "" => kind.plural.to_owned(),
            sub => format!("{}/{sub}", kind.plural),
        };
        let message = format!(
            "{object} is forbidden: User {user:?} cannot {verb} resource {resource:?} in API group {:?} {place}",
            kind.group
        );
        Failure::new(403, "Forbidden", message).about(kind, name)
    }

    /// An answer as a gateway or a fault injects it: the usual reason and words of an HTTP status.
    pub fn of_code(code: u16) -> Self {
        let (reason, message) = match code {
            400 => ("BadRequest", "the server rejected our request for an unknown reason"),
            401 => ("Unauthorized", "Unauthorized"),
            403 => ("Forbidden", "forbidden: an injected fault"),
            404 => ("NotFound", "the server could not find the requested resource"),
            409 => (
                "Conflict",
                "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again",
            ),
            410 => ("Expired", "too old resource version"),
            422 => return Failure::patch_failed(),
            429 => ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
            503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504 => (
                "Timeout",
                "the server was unable to return a response in the time allotted, but may still be processing the request",
            ),
            _ => ("InternalError", "Internal error occurred: an injected fault"),
        };
        Failure::new(code, reason, message)
    }

    /// The HTTP status.
    pub fn http_status(&self) -> StatusCode {
        StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The `Status` object.
    pub fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": self.message,
        });
        if let Some(members) = status.as_object_mut() {
            if !self.reason.is_empty() {
                members.insert("reason".into(), self.reason.as_ref().into());
            }
            if let Some(details) = &self.details {
                members.insert("details".into(), Value::clone(details));
            }
            members.insert("code".into(), self.code.into());
        }
        status
    }
}

fn group_kind(kind: &str, group: &str) -> String {
    match group {
        "" => kind.to_owned(),
        group => format!("{kind}.{group}"),
    }
}

/// What a failure is about; empty parts are left out.
fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = serde_json::Map::new();
    for (part, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details.insert(part.into(), value.into());
        }
    }
    details.into()
}

/// What Go's decoder says about text that is no JSON, as far as that can be told from here.
pub fn json_error(error: &serde_json::Error) -> String {
    match error.is_eof() {
        true => "unexpected end of JSON input".to_owned(),
        false => error.to_string(),
    }
}
