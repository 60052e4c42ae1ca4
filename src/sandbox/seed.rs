//! What a sandbox holds at its start.

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::auth::User;
use super::kinds;
use super::request::{Call, Form, Query, Target};
use super::server::Server;
use super::store::text;
use super::verbs;

/// The book's five services, istio-katas' sentences, keptn's sock shop.
const FIXTURES: [(&str, &str); 3] = [
    ("hands-on.yaml", include_str!("../../fixtures/hands-on.yaml")),
    ("sentence.yaml", include_str!("../../fixtures/sentence.yaml")),
    ("sockshop.yaml", include_str!("../../fixtures/sockshop.yaml")),
];

/// Where Istio's ingress gateway and keptn's Prometheus are installed.
const PLATFORM: &str = include_str!("../../fixtures/platform.yaml");

/// Creates what every sandbox has: the services by which its ingress gateway, at this port, and its Prometheus are found.
pub async fn platform(server: &Server, ingress_port: u16) -> anyhow::Result<()> {
    for document in serde_yaml::Deserializer::from_str(PLATFORM) {
        let mut object = Value::deserialize(document).context("cannot read platform.yaml")?;
        if text(&object, "/metadata/name") == "istio-ingressgateway" {
            object["spec"]["ports"][0]["port"] = ingress_port.into();
        }
        create(server, &object).await.context("cannot create an object of platform.yaml")?;
    }
    Ok(())
}

/// Creates the objects of all examples, as a client would.
pub async fn examples(server: &Server) -> anyhow::Result<()> {
    for (file, content) in FIXTURES {
        for document in serde_yaml::Deserializer::from_str(content) {
            let object = Value::deserialize(document).with_context(|| format!("cannot read {file}"))?;
            create(server, &object).await.with_context(|| format!("cannot create an object of {file}"))?;
        }
    }
    Ok(())
}

async fn create(server: &Server, object: &Value) -> anyhow::Result<()> {
    let (api_version, name) = (text(object, "/apiVersion"), text(object, "/kind"));
    let kind = kinds::by_object(api_version, name).with_context(|| format!("no kind {name:?} in {api_version:?}"))?;
    let version = api_version.rsplit('/').next().unwrap_or(api_version);
    let call = Call {
        method: Method::POST,
        verb: "create",
        target: Target {
            kind,
            version: kind.versions.iter().copied().find(|served| *served == version).unwrap_or(kind.stored_version()),
            namespace: text(object, "/metadata/namespace").to_owned(),
            name: String::new(),
            sub: String::new(),
        },
        query: Query::parse("fieldValidation=Strict"),
        user: User::admin(),
        form: Form::Plain,
        content_type: "application/json".into(),
        manager: "kubectl-create".into(),
        body: Bytes::from(object.to_string()),
    };
    let mut warnings = Vec::new();
    match verbs::run(server, &call, &mut warnings).await {
        Ok(_) => Ok(()),
        Err(failure) => anyhow::bail!(failure.message),
    }
}
