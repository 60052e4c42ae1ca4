//! Exec credential plugins (`client.authentication.k8s.io`).
//!
//! A cloud's plugin takes 0.3 to 2 seconds: it runs once, and again only when what it gave has expired.

use crate::dial::tls::Identity;
use crate::error::{Error, Kind, Result};
use jiff::Timestamp;
use kube::config::ExecConfig;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long a plugin may take: long enough for a person to log in where the plugin asks.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a plugin gives: a token, a client certificate, or both.
pub(super) struct Given {
    pub token: Option<SecretString>,
    pub identity: Option<Identity>,
    /// Until when both are valid, where it says so.
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Credential {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<String>,
}

/// Runs a plugin.
///
/// # Errors
/// `Forbidden` where it gives nothing.
pub(super) async fn run(exec: &ExecConfig) -> Result<Given> {
    let status = ask(exec).await?;
    let identity = match (status.client_certificate_data, status.client_key_data) {
        (Some(certificate), Some(key)) => Some(Identity { certificate: certificate.into(), key: key.into() }),
        _ => None,
    };
    if status.token.is_none() && identity.is_none() {
        return Err(refused(exec, "its answer has neither a token nor a certificate"));
    }
    let expires = status.expiration_timestamp.map(|text| text.parse()).transpose();
    let expires = expires.map_err(|_| refused(exec, "its answer has an expirationTimestamp that is none"))?;
    Ok(Given { token: status.token.map(Into::into), identity, expires })
}

async fn ask(exec: &ExecConfig) -> Result<Status> {
    let command = exec.command.as_deref().unwrap_or_default();
    let version = exec.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1");
    let mut spec = json!({ "interactive": false });
    if exec.provide_cluster_info
        && let Some(cluster) = &exec.cluster
    {
        spec["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let info = json!({ "apiVersion": version, "kind": "ExecCredential", "spec": spec });
    let mut child = Command::new(command);
    child.args(exec.args.iter().flatten()).env("KUBERNETES_EXEC_INFO", info.to_string());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            child.env(name, value);
        }
    }
    // What the plugin has to say to the user it says on stderr.
    child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    let running = child.spawn().map_err(|error| match (error.kind(), &exec.install_hint) {
        (std::io::ErrorKind::NotFound, Some(hint)) => refused(exec, "no such program").hint(hint.trim()),
        _ => refused(exec, &error.to_string()),
    })?;
    let output = tokio::time::timeout(DEADLINE, running.wait_with_output())
        .await
        .map_err(|_| refused(exec, "no answer within 60 s"))?
        .map_err(|error| refused(exec, &error.to_string()))?;
    if !output.status.success() {
        return Err(refused(exec, &format!("it ended with {}", output.status)));
    }
    let answer: Credential =
        serde_json::from_slice(&output.stdout).map_err(|_| refused(exec, "its answer is not an ExecCredential"))?;
    answer.status.ok_or_else(|| refused(exec, "its answer has no status"))
}

/// A plugin that is of no use, and why.
pub(super) fn refused(exec: &ExecConfig, why: &str) -> Error {
    let command = exec.command.as_deref().unwrap_or("(unnamed)");
    Error::new(Kind::Forbidden, format!("the credential plugin `{command}` of the kubeconfig failed: {why}"))
}
