//! Validating webhooks: they are really called, over HTTPS, and what they say is passed on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::kinds::{NAMESPACES, WEBHOOKS};
use super::names;
use super::request::{Call, Target};
use super::select::Selector;
use super::server::Server;
use super::status::{Failure, json_error};
use super::store::text;
use super::trust;

/// The most that a webhook may answer.
const MOST_BYTES: usize = 3 * 1024 * 1024;

/// Asks all webhooks that want to know of a write. The first refusal counts; warnings are added to `warnings`.
pub async fn review(
    server: &Server,
    call: &Call,
    operation: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    if call.target.kind.plural == WEBHOOKS.plural {
        return Ok(());
    }
    for configuration in server.store.list(&WEBHOOKS, "") {
        let hooks = configuration.get("webhooks").and_then(Value::as_array);
        for hook in hooks.into_iter().flatten() {
            if concerns(server, hook, &call.target, operation, new.or(old)) {
                ask(hook, call, operation, old, new, warnings).await?;
            }
        }
    }
    Ok(())
}

/// Whether a webhook's rules and selectors match a write.
fn concerns(server: &Server, hook: &Value, target: &Target, operation: &str, object: Option<&Value>) -> bool {
    let resource = match target.sub.as_str() {
        "" => target.kind.plural.to_owned(),
        sub => format!("{}/{sub}", target.kind.plural),
    };
    let rules = hook.get("rules").and_then(Value::as_array);
    let ruled = rules.into_iter().flatten().any(|rule| {
        let lists = |member: &str, wanted: &str| {
            let values = rule.get(member).and_then(Value::as_array);
            values.into_iter().flatten().any(|value| value == "*" || value == wanted)
        };
        // `matchPolicy: Equivalent`: a rule for one version matches them all.
        let any_version =
            text(hook, "/matchPolicy") != "Exact" && target.kind.versions.iter().any(|version| lists("apiVersions", version));
        lists("operations", operation)
            && lists("apiGroups", target.kind.group)
            && (any_version || lists("apiVersions", target.version))
            && (lists("resources", &resource)
                || lists("resources", &format!("{}/*", target.kind.plural)) && !target.sub.is_empty())
    });
    let namespace = server.store.get(&NAMESPACES, "", &target.namespace);
    ruled && selected(hook.get("namespaceSelector"), namespace.as_deref()) && selected(hook.get("objectSelector"), object)
}

/// Whether the labels of an object satisfy a selector of a webhook.
fn selected(selector: Option<&Value>, object: Option<&Value>) -> bool {
    let (Some(selector), Some(object)) = (selector, object) else {
        return true;
    };
    let mut terms = Vec::new();
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    for (name, value) in labels.into_iter().flatten() {
        terms.push(format!("{name}={}", value.as_str().unwrap_or("")));
    }
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    for expression in expressions.into_iter().flatten() {
        let key = text(expression, "/key");
        let values = expression.get("values").and_then(Value::as_array);
        let values: Vec<&str> = values.into_iter().flatten().filter_map(Value::as_str).collect();
        let values = values.join(",");
        terms.push(match text(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    Selector::parse(&NAMESPACES, &terms.join(","), "").is_ok_and(|selector| selector.matches(&NAMESPACES, object))
}

async fn ask(
    hook: &Value,
    call: &Call,
    operation: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    let name = text(hook, "/name");
    let effects = text(hook, "/sideEffects");
    if call.dry_run() && !["None", "NoneOnDryRun"].contains(&effects) {
        return Err(Failure::bad_request(format!("admission webhook {name:?} does not support dry run")));
    }
    let seconds = hook.get("timeoutSeconds").and_then(Value::as_u64).unwrap_or(10);
    let url = text(hook, "/clientConfig/url");
    let url = match url.contains('?') {
        true => format!("{url}&timeout={seconds}s"),
        false => format!("{url}?timeout={seconds}s"),
    };
    let review = request(call, operation, old, new);
    let limit = Duration::from_secs(seconds);
    let answer = match tokio::time::timeout(limit, post(hook, &url, &review)).await {
        Ok(answer) => answer,
        Err(_) => Err(Trouble::Call(anyhow::anyhow!("context deadline exceeded"))),
    };
    let uid = text(&review, "/request/uid");
    let answer = answer.and_then(|answer| match text(&answer, "/response/uid") {
        _ if answer.get("response").is_none() => Err(Trouble::Answer("webhook response was absent".to_owned())),
        found if found != uid => Err(Trouble::Answer(format!("expected response.uid={uid:?}, got {found:?}"))),
        _ => Ok(answer),
    });
    let answer = match answer {
        Ok(answer) => answer,
        Err(_) if text(hook, "/failurePolicy") == "Ignore" => return Ok(()),
        Err(trouble) => {
            let why = match trouble {
                Trouble::Call(error) => format!("failed to call webhook: Post {url:?}: {error:#}"),
                Trouble::Refused(error) => format!("failed to call webhook: {error}"),
                Trouble::Answer(error) => format!("received invalid webhook response: {error}"),
            };
            return Err(Failure::internal(format!("failed calling webhook {name:?}: {why}")));
        }
    };
    let said = answer.pointer("/response/warnings").and_then(Value::as_array);
    warnings.extend(said.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    match answer.pointer("/response/allowed") {
        Some(Value::Bool(true)) => Ok(()),
        _ => Err(denial(name, answer.pointer("/response/status"))),
    }
}

/// A refusal in the webhook's words, with its code and reason where it gives any.
fn denial(name: &str, status: Option<&Value>) -> Failure {
    let of = |pointer: &str| status.map_or("", |status| text(status, pointer));
    let (message, reason) = (of("/message"), of("/reason"));
    let denied = format!("admission webhook {name:?} denied the request");
    let message = match (message, reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    let code = status
        .and_then(|status| status.get("code")?.as_u64())
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (400..600).contains(code));
    let mut failure = Failure::new(code.unwrap_or(400), "", message);
    failure.reason = reason.to_owned().into();
    failure.details = status.and_then(|status| status.get("details").cloned().map(Box::new));
    failure
}

/// The `AdmissionReview` that is sent.
fn request(call: &Call, operation: &str, old: Option<&Value>, new: Option<&Value>) -> Value {
    let target = &call.target;
    let kind = target.kind;
    let group_kind = json!({"group": kind.group, "version": target.version, "kind": kind.kind});
    let resource = json!({"group": kind.group, "version": target.version, "resource": kind.plural});
    let in_version = |object: Option<&Value>| {
        let mut object = object.cloned().unwrap_or(Value::Null);
        if let Some(members) = object.as_object_mut() {
            members.insert("apiVersion".into(), target.api_version().into());
        }
        object
    };
    let named = new.or(old).map_or("", |object| text(object, "/metadata/name"));
    let options = match call.verb {
        "create" => "CreateOptions",
        "update" | "patch" => "UpdateOptions",
        _ => "DeleteOptions",
    };
    let mut options = json!({"kind": options, "apiVersion": "meta.k8s.io/v1"});
    if call.dry_run() {
        options["dryRun"] = json!(["All"]);
    }
    if !call.query.get("fieldManager").is_empty() {
        options["fieldManager"] = call.manager.as_str().into();
    }
    let version = new.or(old).map_or("", |object| text(object, "/metadata/resourceVersion"));
    let mut request = json!({
        "uid": names::uid(version, named, 0),
        "kind": group_kind,
        "resource": resource,
        "requestKind": group_kind,
        "requestResource": resource,
        "name": named,
        "operation": operation,
        "userInfo": {"username": call.user.name, "groups": call.user.groups()},
        "object": in_version(new),
        "oldObject": in_version(old),
        "dryRun": call.dry_run(),
        "options": options,
    });
    if !target.namespace.is_empty() {
        request["namespace"] = target.namespace.as_str().into();
    }
    if !target.sub.is_empty() {
        request["subResource"] = target.sub.as_str().into();
        request["requestSubResource"] = target.sub.as_str().into();
    }
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
}

/// What can go wrong with a webhook.
enum Trouble {
    /// It cannot be reached.
    Call(anyhow::Error),
    /// It answers with an HTTP status of failure, or with something else than a review.
    Refused(String),
    /// Its review is none of this request.
    Answer(String),
}

/// Sends a review and reads the answer.
async fn post(hook: &Value, url: &str, review: &Value) -> Result<Value, Trouble> {
    let (status, body) = exchange(hook, url, review).await.map_err(Trouble::Call)?;
    if !status.is_success() {
        let said = String::from_utf8_lossy(&body).trim().to_owned();
        return Err(Trouble::Refused(format!("an error on the server ({said:?}) has prevented the request from succeeding")));
    }
    serde_json::from_slice(&body)
        .map_err(|error| Trouble::Refused(format!("couldn't get version/kind; json parse error: {}", json_error(&error))))
}

async fn exchange(hook: &Value, url: &str, review: &Value) -> anyhow::Result<(StatusCode, Bytes)> {
    let uri: Uri = url.parse()?;
    let host = uri.host().unwrap_or("").trim_matches(['[', ']']).to_owned();
    if uri.scheme_str() != Some("https") || host.is_empty() {
        anyhow::bail!("the webhook has no https URL: services in the cluster cannot be called here");
    }
    let port = uri.port_u16().unwrap_or(443);
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            anyhow::anyhow!("dial tcp {host}:{port}: connect: connection refused")
        }
        _ => anyhow::anyhow!("dial tcp {host}:{port}: {error}"),
    })?;
    stream.set_nodelay(true)?;
    let tls = TlsConnector::from(Arc::new(trust::client(text(hook, "/clientConfig/caBundle"))?));
    let stream = tls
        .connect(ServerName::try_from(host)?, stream)
        .await
        .map_err(|error| anyhow::anyhow!("tls: failed to verify certificate: {error}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::post(path)
        .header(header::HOST, uri.authority().map_or("", |a| a.as_str()))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, */*")
        .header(header::USER_AGENT, "kube-apiserver-admission")
        .body(Full::new(Bytes::from(review.to_string())))?;
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body =
            Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        anyhow::Ok((status, body))
    };
    tokio::select! {
        answer = exchange => answer,
        Err(error) = connection => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_without_a_code_is_a_bad_request_without_a_reason() {
        let failure = denial("validation.istio.io", Some(&json!({"message": "configuration is invalid: x"})));
        assert_eq!(failure.code, 400);
        assert_eq!(failure.reason, "");
        assert_eq!(failure.message, "admission webhook \"validation.istio.io\" denied the request: configuration is invalid: x");
    }

    #[test]
    fn selectors_of_webhooks_are_those_of_labels() {
        let object = json!({"metadata": {"labels": {"a": "1"}}});
        let yes = json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["x"]}]});
        let no = json!({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]});
        assert!(selected(Some(&yes), Some(&object)));
        assert!(selected(Some(&json!({})), Some(&object)));
        assert!(!selected(Some(&no), Some(&object)));
    }
}
