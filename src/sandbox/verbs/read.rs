//! get and list.

use http::{Response, StatusCode};
use serde_json::Value;

use super::{logs, scale};
use crate::sandbox::present;
use crate::sandbox::request::Call;
use crate::sandbox::respond::Body;
use crate::sandbox::select::Selector;
use crate::sandbox::server::Server;
use crate::sandbox::status::{Cause, Failure};
use crate::sandbox::store::Object;

/// One object.
pub fn get(server: &Server, call: &Call) -> Result<Response<Body>, Failure> {
    let object = find(server, call)?;
    Ok(match call.target.sub.as_str() {
        "scale" => present::object(call, StatusCode::OK, &scale::of(&object)),
        "log" => return logs::of(call, &object),
        _ => present::object(call, StatusCode::OK, &object),
    })
}

/// The object that a call names.
pub fn find(server: &Server, call: &Call) -> Result<Object, Failure> {
    let target = &call.target;
    server.store.get(target.kind, &target.namespace, &target.name).ok_or_else(|| Failure::not_found(target.kind, &target.name))
}

/// The selector of a list or a watch.
pub fn selector(call: &Call) -> Result<Selector, Failure> {
    Selector::parse(call.target.kind, call.query.get("labelSelector"), call.query.get("fieldSelector"))
}

/// A collection, perhaps in chunks: each chunk shows the revision of the first.
pub fn list(server: &Server, call: &Call) -> Result<Response<Body>, Failure> {
    let kind = call.target.kind;
    let selector = selector(call)?;
    let asked = call.query.get("resourceVersion");
    let matching = call.query.get("resourceVersionMatch");
    let token = call.query.get("continue");
    let limit: usize = match call.query.get("limit") {
        "" => 0,
        limit => {
            limit.parse().map_err(|_| Failure::bad_request(format!("strconv.ParseInt: parsing {limit:?}: invalid syntax")))?
        }
    };
    if !token.is_empty() && !asked.is_empty() && asked != "0" {
        return Err(Failure::bad_request("specifying resource version is not allowed when using continue"));
    }
    if !matching.is_empty() && asked.is_empty() {
        let cause = Cause {
            reason: "FieldValueForbidden",
            field: "resourceVersionMatch".into(),
            message: "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided".into(),
        };
        return Err(Failure::invalid_as("ListOptions", "meta.k8s.io", "", &[cause]));
    }
    let newest = server.store.revision();
    let (at, after) = match token {
        "" => (exact_revision(asked, matching, newest)?, None),
        token => {
            let (revision, key) =
                Token::decode(token).ok_or_else(|| Failure::bad_request("invalid continue token: continue key is not valid"))?;
            (Some(revision), Some(key))
        }
    };
    let (objects, revision) = server
        .store
        .list_at(kind, &call.target.namespace, at)
        .map_err(|_| Failure::expired(if token.is_empty() { OLD_LIST } else { OLD_TOKEN }))?;
    let mut shown: Vec<(String, Object)> = objects
        .into_iter()
        .filter(|(key, object)| after.as_ref().is_none_or(|after| key > after) && selector.matches(kind, object))
        .collect();
    // A list from the cache (resource version 0) has no chunks.
    let mut next = String::new();
    let mut remaining = 0;
    if limit > 0 && shown.len() > limit && asked != "0" {
        remaining = shown.len() - limit;
        shown.truncate(limit);
        if let Some((key, _)) = shown.last() {
            next = Token::encode(revision, key);
        }
    }
    let filtered = !(call.query.get("labelSelector").is_empty() && call.query.get("fieldSelector").is_empty());
    let objects: Vec<Value> = shown.iter().map(|(_, o)| Value::clone(o)).collect();
    Ok(present::list(call, objects, revision, &next, if filtered { 0 } else { remaining }))
}

const OLD_LIST: &str = "The resourceVersion for the provided list is too old.";
const OLD_TOKEN: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// The past revision to show, if one is asked for.
fn exact_revision(asked: &str, matching: &str, newest: u64) -> Result<Option<u64>, Failure> {
    if asked.is_empty() || asked == "0" {
        return Ok(None);
    }
    let revision: u64 = asked.parse().map_err(|_| {
        let problem = not_a_revision(asked);
        Failure::bad_request(format!("invalid resource version: resourceVersion: {problem}"))
    })?;
    if revision > newest {
        return Err(too_large(revision, newest));
    }
    Ok((matching == "Exact").then_some(revision))
}

/// What the API server says of a resource version that is no number.
pub fn not_a_revision(text: &str) -> String {
    format!("Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
}

/// The answer to a resource version of the future.
fn too_large(revision: u64, newest: u64) -> Failure {
    let mut failure = Failure::new(504, "Timeout", format!("Timeout: Too large resource version: {revision}, current: {newest}"));
    failure.details = Some(Box::new(serde_json::json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    })));
    failure
}

/// What a continue token holds: the revision of the list and the last key shown, in hexadecimal.
struct Token;

impl Token {
    fn encode(revision: u64, key: &str) -> String {
        let plain = format!("{revision} {key}");
        plain.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn decode(token: &str) -> Option<(u64, String)> {
        let bytes: Option<Vec<u8>> =
            (0..token.len()).step_by(2).map(|at| u8::from_str_radix(token.get(at..at + 2)?, 16).ok()).collect();
        let plain = String::from_utf8(bytes?).ok()?;
        let (revision, key) = plain.split_once(' ')?;
        Some((revision.parse().ok()?, key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_way_there_and_back() {
        let token = Token::encode(1007, "shop/carts");
        assert_eq!(Token::decode(&token), Some((1007, "shop/carts".to_owned())));
        for bad in ["", "zz", "3", "3130"] {
            assert_eq!(Token::decode(bad), None, "{bad}");
        }
    }
}
