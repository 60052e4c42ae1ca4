//! What can be done with objects.

mod check;
pub mod delete;
mod logs;
pub mod patch;
pub mod read;
pub mod scale;
pub mod watch;
pub mod write;

use http::Response;
use serde_json::Value;

use super::request::Call;
use super::respond::Body;
use super::server::Server;
use super::status::{Failure, json_error};

/// Does what a call asks for; texts for `Warning` headers are added to `warnings`.
pub async fn run(server: &Server, call: &Call, warnings: &mut Vec<String>) -> Result<Response<Body>, Failure> {
    match call.verb {
        "get" => read::get(server, call),
        "list" => read::list(server, call),
        "watch" => watch::watch(server, call),
        "create" => write::create(server, call, warnings).await,
        "update" => write::update(server, call, warnings).await,
        "patch" => patch::patch(server, call, warnings).await,
        "delete" => delete::delete(server, call, warnings).await,
        "deletecollection" => delete::delete_collection(server, call, warnings).await,
        _ => Err(Failure::method_not_allowed()),
    }
}

/// Reads the object in a body.
fn decode(call: &Call) -> Result<Value, Failure> {
    let unrecognised = |why: String| {
        let body = String::from_utf8_lossy(&call.body);
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {why} ({body})",
            call.target.kind.kind
        ))
    };
    let value: Value = match call.content_type.as_str() {
        "" | "application/json" => serde_json::from_slice(&call.body).map_err(|e| unrecognised(json_error(&e)))?,
        "application/yaml" => serde_yaml::from_slice(&call.body).map_err(|e| unrecognised(e.to_string()))?,
        _ => {
            return Err(Failure::new(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml",
            ));
        }
    };
    match value.is_object() {
        true => Ok(value),
        false => Err(unrecognised("it is no object".into())),
    }
}
