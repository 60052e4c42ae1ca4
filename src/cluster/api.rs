//! Requests, their answers, and how often they are tried again.

use super::connect::Cluster;
use super::wording;
use crate::core::object::Object;
use crate::core::patch::Patch;
use crate::error::{Error, Kind, Result};
use crate::web::encoded;
use http::Method;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::Value;
use std::time::Duration;

/// The versions of Istio's networking API, newest first. Istio 1.22 was the first to serve v1; all store the same object.
pub(super) const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha3"];

/// The pauses between tries. A request that fails for the third time fails.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1200)];

/// A longer `Retry-After` than this is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// An answer of the API server.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body: JSON, or a string where it is none; null for a patch that was carried out.
    pub body: Value,
    /// The `Warning` headers' texts.
    pub warnings: Vec<String>,
    retry_after: Option<Duration>,
    /// An earlier try was sent and got no answer: it may have been carried out.
    after_loss: bool,
}

impl Reply {
    /// Whether it is a 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether an earlier try of the same request got no answer, and may have been carried out.
    pub fn follows_loss(&self) -> bool {
        self.after_loss
    }
}

/// Whether a patch is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// It is.
    No,
    /// The server does everything but store it.
    Server,
}

/// How a patch ended.
#[derive(Debug)]
pub enum Patched {
    /// Done, with the server's warnings.
    Done(Vec<String>),
    /// Refused as a whole, which may mean that a guard did not hold: the server does not say (422), or says only that
    /// somebody else wrote (409). The reply explains it where nothing else does.
    Refused(Reply),
    /// Sent, and no answer came: it may have been carried out or not.
    Unanswered(Error),
}

impl Cluster {
    /// Sends one request, up to three times where the server did not get to it or said that it is busy.
    ///
    /// Patches are safe to repeat: when the first try was carried out though its answer was lost, the guards of the second
    /// do not hold.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        accept: Option<&str>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Reply> {
        let mut tries = 0;
        let mut lost = false;
        loop {
            tries += 1;
            let pause = PAUSES.get(tries - 1).copied();
            let failure = match self.attempt(&method, path, accept, body.clone()).await? {
                Ok(reply) => {
                    let busy = matches!(reply.status, 429 | 503);
                    match pause.filter(|_| busy) {
                        Some(pause) => {
                            tokio::time::sleep(reply.retry_after.unwrap_or(pause).min(LONGEST_PAUSE)).await;
                            continue;
                        }
                        // A login page answers 200, too.
                        None if reply.is_success() && reply.body.is_string() => return Err(wording::refusal(&reply, path)),
                        None => return Ok(Reply { after_loss: lost, ..reply }),
                    }
                }
                Err(failure) => failure,
            };
            lost = true;
            match pause.filter(|_| !failure.final_) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure.into_error(&self.server, &method, tries)),
            }
        }
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        accept: Option<&str>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Result<Reply, Failure>> {
        let request = self.begin(method, path).await?;
        let mut request = request.header(http::header::ACCEPT, accept.unwrap_or("application/json"));
        if let Some((content_type, _)) = &body {
            request = request.header(http::header::CONTENT_TYPE, *content_type);
        }
        let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let request = match request.body(Full::from(body)) {
            Ok(request) => request,
            Err(error) => return Ok(Err(Failure::last(error.to_string()))),
        };
        let exchange = async {
            let response = self.send(request).await.map_err(|error| Failure::lost(&error))?;
            read(response, method == Method::PATCH).await.map_err(|error| Failure::lost(&error))
        };
        let late = || Failure::last(format!("no answer within {} s (--request-timeout)", self.request_timeout.as_secs_f64()));
        Ok(tokio::time::timeout(self.request_timeout, exchange).await.unwrap_or_else(|_| Err(late())))
    }

    /// Reads a path that must exist.
    pub(super) async fn get(&self, path: &str, accept: Option<&str>) -> Result<Value> {
        let reply = self.request(Method::GET, path, accept, None).await?;
        match reply.is_success() {
            true => Ok(reply.body),
            false => Err(wording::refusal(&reply, path.split('?').next().unwrap_or(path))),
        }
    }

    /// Reads a path of Istio's networking API, in the newest version that the server has.
    pub(super) async fn istio(&self, path: &str) -> Result<Reply> {
        loop {
            let version = self.version.get();
            let reply =
                self.request(Method::GET, &format!("/apis/networking.istio.io/{}{path}", VERSIONS[version]), None, None).await?;
            // An unknown version is a page that does not exist; an unknown object is a Status.
            if reply.status != 404 || reply.body.get("kind").is_some() {
                return Ok(reply);
            }
            if version + 1 == VERSIONS.len() {
                self.version.set(0);
                return Err(Error::not_found(
                    "the cluster has no virtual services: Istio's resource definitions are not installed",
                ));
            }
            // Side by side requests may have found out already.
            self.version.set(self.version.get().max(version + 1));
        }
    }

    /// Patches a virtual service.
    ///
    /// # Errors
    /// Everything but a refusal that the guards may explain.
    pub async fn patch(&self, object: &Object, patch: &Patch, dry_run: DryRun) -> Result<Patched> {
        let body = serde_json::to_vec(patch).unwrap_or_default();
        let dry = if dry_run == DryRun::Server { "&dryRun=All" } else { "" };
        let path = format!(
            "/apis/networking.istio.io/{}/namespaces/{}/virtualservices/{}?fieldManager={}{dry}",
            VERSIONS[self.version.get()],
            object.namespace,
            object.name,
            encoded(&self.field_manager)
        );
        let reply = match self.request(Method::PATCH, &path, None, Some(("application/json-patch+json", body))).await {
            Ok(reply) => reply,
            Err(error) if error.kind == Kind::Unreachable => return Ok(Patched::Unanswered(error)),
            Err(error) => return Err(error),
        };
        match reply.status {
            200..300 => Ok(Patched::Done(reply.warnings)),
            409 | 422 => Ok(Patched::Refused(reply)),
            504 => {
                let said = reply.body.get("message").and_then(Value::as_str).unwrap_or("HTTP 504");
                Ok(Patched::Unanswered(wording::unanswered(&self.server, &Method::PATCH, said, 1)))
            }
            // The refusal is the later try's; or something on the way, or behind the server, failed in the middle.
            _ if reply.after_loss || reply.status >= 500 && !wording::webhook_down(&reply) => {
                Ok(Patched::Unanswered(rejection(&reply, object)))
            }
            _ => Err(rejection(&reply, object)),
        }
    }
}

/// Reads an answer to its end. Where `known`, the object in a success is not taken apart: as it was patched it is what the
/// plan said, and nobody reads it. What has no uid is no object, whoever says that all is well.
pub(super) async fn read(response: http::Response<Incoming>, known: bool) -> Result<Reply, hyper::Error> {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let warnings = head.headers.get_all("warning").iter().map(|value| warning_text(&text(value))).collect();
    let retry_after =
        head.headers.get(http::header::RETRY_AFTER).and_then(|value| text(value).parse().ok()).map(Duration::from_secs);
    let object = || bytes.starts_with(b"{") && bytes.windows(5).any(|window| window == b"\"uid\"");
    let body = match known && head.status.is_success() {
        true if object() => Value::Null,
        true => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        false => serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
    };
    Ok(Reply { status: head.status.as_u16(), body, warnings, retry_after, after_loss: false })
}

/// What the server says of a patch that it did not carry out.
pub fn rejection(reply: &Reply, object: &Object) -> Error {
    let message = reply.body.get("message").and_then(Value::as_str).unwrap_or_default();
    if let Some((webhook, said)) =
        message.split_once(" denied the request: ").filter(|(head, _)| head.starts_with("admission webhook"))
    {
        let webhook = webhook.trim_start_matches("admission webhook ").trim_matches('"');
        let said = said.trim_start_matches("configuration is invalid: ");
        return Error::failed(format!("the admission webhook {webhook} refused {}: {said}", object.title()));
    }
    if wording::webhook_down(reply) {
        let webhook = message.split('"').nth(1).unwrap_or("validation.istio.io");
        return Error::new(
            Kind::Unreachable,
            format!("the API server cannot reach the admission webhook {webhook} (is istiod down?); nothing was written"),
        )
        .caused_by(message.to_owned());
    }
    wording::refusal(reply, &object.title())
}

/// A request that got no answer.
struct Failure {
    why: String,
    final_: bool,
}

impl Failure {
    fn lost(error: &(dyn std::error::Error + 'static)) -> Self {
        let why = wording::innermost(error);
        Self { final_: wording::is_about_certificates(&why), why }
    }

    fn last(why: String) -> Self {
        Self { why, final_: true }
    }

    fn into_error(self, server: &str, method: &Method, tries: usize) -> Error {
        match *method {
            Method::GET => wording::unreachable(server, &self.why, tries),
            // It may have been carried out.
            _ => wording::unanswered(server, method, &self.why, tries),
        }
    }
}

/// The text of a `Warning` header: `299 - "unknown field \"spec.x\""`.
fn warning_text(header: &str) -> String {
    let quoted = header.split_once('"').map_or(header, |(_, rest)| rest);
    quoted.strip_suffix('"').unwrap_or(quoted).replace("\\\"", "\"")
}
