use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const HOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// A webhook that refuses negative weights, as istiod does, and warns of everything else.
async fn hook() -> anyhow::Result<(u16, String)> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                let service = service_fn(judge);
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
            }
        }
    });
    Ok((port, certificate.pem()))
}

async fn judge(request: http::Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    let review: Value = serde_json::from_slice(&body)?;
    let weight = review.pointer("/request/object/spec/http/0/route/0/weight").and_then(Value::as_i64);
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true, "warnings": ["look out"]});
    if weight.is_some_and(|weight| weight < 0) {
        let message = format!("configuration is invalid: weight {} < 0", weight.unwrap_or(0));
        response = json!({"uid": review["request"]["uid"], "allowed": false, "status": {"message": message}});
    }
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Ok(Response::new(Full::new(answer.to_string().into())))
}

/// Base64, which a `caBundle` is written in: the API server's own encoding of a secret's text.
async fn base64(client: &Client, text: &str) -> anyhow::Result<Value> {
    let secret = json!({"metadata": {"name": "bundle"}, "stringData": {"text": text}});
    let path = "/api/v1/namespaces/sockshop-production/secrets";
    Ok(client.ask("POST", path, "application/json", &secret).await?.body["data"]["text"].clone())
}

async fn configure(client: &Client, port: u16, bundle: Value) -> anyhow::Result<()> {
    let configuration = json!({"metadata": {"name": "istio"}, "webhooks": [{
        "name": "validation.istio.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"url": format!("https://127.0.0.1:{port}/validate"), "caBundle": bundle},
        "rules": [{"operations": ["CREATE", "UPDATE"], "apiGroups": ["networking.istio.io"], "apiVersions": ["*"],
            "resources": ["*"]}],
    }]});
    assert_eq!(client.ask("POST", HOOKS, "application/json", &configuration).await?.status, 201);
    Ok(())
}

fn weight(weight: i64) -> Value {
    json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": weight}])
}

#[tokio::test]
async fn a_webhook_refuses_and_warns_in_its_own_words() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let (port, certificate) = hook().await?;
    configure(&client, port, base64(&client, &certificate).await?).await?;
    for path in [CARTS.to_owned(), format!("{CARTS}?dryRun=All")] {
        let refused = client.ask("PATCH", &path, JSON_PATCH, &weight(-1)).await?;
        let wanted = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "admission webhook \"validation.istio.io\" denied the request: configuration is invalid: weight -1 < 0",
            "code": 400,
        });
        assert_eq!((refused.status, refused.body), (400, wanted));
    }
    let allowed = client.ask("PATCH", CARTS, JSON_PATCH, &weight(80)).await?;
    let warning = allowed.headers.get("warning").map(|value| value.to_str().unwrap_or(""));
    assert_eq!((allowed.status, warning), (200, Some("299 - \"look out\"")));
    Ok(())
}

#[tokio::test]
async fn a_webhook_that_is_down_stops_every_write() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let (_, certificate) = hook().await?;
    let closed = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port();
    configure(&client, closed, base64(&client, &certificate).await?).await?;
    let before = client.get(CARTS).await?.body;
    let failed = client.ask("PATCH", CARTS, JSON_PATCH, &weight(80)).await?;
    let message = format!(
        "Internal error occurred: failed calling webhook \"validation.istio.io\": failed to call webhook: Post \"https://127.0.0.1:{closed}/validate?timeout=10s\": dial tcp 127.0.0.1:{closed}: connect: connection refused"
    );
    assert_eq!((failed.status, &failed.body["reason"]), (500, &json!("InternalError")));
    assert_eq!(failed.body["message"], message);
    assert_eq!(client.get(CARTS).await?.body, before);
    Ok(())
}
