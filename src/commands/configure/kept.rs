//! Where metrics come from, in a Secret of the namespace: keptn's own form for Dynatrace, its like for Prometheus.

use crate::cli::MonitoringSource;
use crate::cluster::{Cluster, Created, DryRun, SECRETS};
use crate::commands::evaluate::{DYNATRACE_SECRET, PROMETHEUS_SECRET, Sources};
use crate::error::{Error, Kind, Result};
use base64::Engine as _;
use serde_json::{Map, Value, json};

/// Stores the source in its Secret, and gives its name. One of somebody else's is left alone.
///
/// # Errors
/// `Usage` for what stays on this machine, `Conflict` where the Secret is somebody else's; as the API server says.
pub async fn store(cluster: &Cluster, source: MonitoringSource, sources: &Sources) -> Result<String> {
    let (name, keys) = match source {
        MonitoringSource::Prometheus => {
            let access = &sources.access;
            if access.certificate_authority.is_some()
                || access.identity.is_some()
                || !access.headers.is_empty()
                || access.proxy.is_some()
            {
                return Err(Error::usage(
                    "a Secret keeps an address, and a token or a password: not certificates, headers or a proxy",
                )
                .hint("without `--in-cluster` they are stored in the settings file"));
            }
            let keys = vec![
                ("PROMETHEUS_URL", &sources.prometheus),
                ("PROMETHEUS_TOKEN", &access.token),
                ("PROMETHEUS_BASIC", &access.basic),
            ];
            (PROMETHEUS_SECRET, keys)
        }
        MonitoringSource::Dynatrace => {
            (DYNATRACE_SECRET, vec![("DT_TENANT", &sources.dynatrace), ("DT_API_TOKEN", &sources.dynatrace_token)])
        }
    };
    let coded = |text: &String| Value::from(base64::engine::general_purpose::STANDARD.encode(text.trim()));
    let data: Map<String, Value> =
        keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), coded(value.as_ref()?)))).collect();
    let namespace = &cluster.namespace;
    let secret = json!({
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "tidegate"}},
        "type": "Opaque", "data": data,
    });
    let place = format!("the Secret {namespace}/{name}");
    if let Created::New(_) = cluster.create(&SECRETS, namespace, secret, DryRun::No).await? {
        return Ok(place);
    }
    let mut secret = cluster
        .object(&SECRETS, namespace, name)
        .await?
        .ok_or_else(|| Error::new(Kind::Conflict, format!("{place} was there and is not")))?;
    if secret.pointer("/metadata/labels/app.kubernetes.io~1managed-by").and_then(Value::as_str) != Some("tidegate") {
        return Err(Error::new(Kind::Conflict, format!("{place} is somebody else's; nothing was written"))
            .hint(format!("`kubectl delete secret {name} -n {namespace}` makes room")));
    }
    secret["data"] = Value::Object(data);
    cluster.replace(&SECRETS, &secret).await?;
    Ok(place)
}
