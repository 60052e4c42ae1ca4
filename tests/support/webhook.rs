//! An admission webhook of the tests' own, which answers as istiod does.

use super::certificate::Certified;
use super::rest::Rest;
use super::run::eventually;
use super::stub::{Answer, Stub};
use base64::Engine as _;
use serde_json::{Value, json};

/// What the webhook says of an object.
pub enum Verdict {
    /// Nothing.
    Allow,
    /// It is allowed, but.
    Warn(&'static str),
    /// No, and why.
    Deny(&'static str),
    /// No answer.
    Hang,
}

/// A webhook with its certificate.
pub struct Webhook {
    certificate: String,
    stub: Option<Stub>,
    port: u16,
}

impl Webhook {
    /// Listens; `judge` is asked about the new object of every write that the API server passes on.
    pub fn new(judge: impl Fn(&Value) -> Verdict + Send + Sync + 'static) -> Self {
        let certificate = Certified::new("127.0.0.1");
        let tls = certificate.server(None);
        let stub = Stub::with_tls(tls, move |request| {
            let review: Value = serde_json::from_slice(&request.body).expect("an AdmissionReview");
            let uid = &review["request"]["uid"];
            let response = match judge(&review["request"]["object"]) {
                Verdict::Allow => json!({"uid": uid, "allowed": true}),
                Verdict::Warn(text) => json!({"uid": uid, "allowed": true, "warnings": [text]}),
                Verdict::Deny(text) => json!({"uid": uid, "allowed": false, "status": {"message": text}}),
                Verdict::Hang => return Answer::Hang,
            };
            let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
            Answer::json(200, &review)
        });
        Self { certificate: certificate.pem, port: stub.port, stub: Some(stub) }
    }

    /// Registers it for the virtual services of one namespace, and waits until `probe`, a dry run, is passed to it.
    pub fn register(&self, rest: &Rest, namespace: &str, probe: impl Fn()) -> Registered {
        let bundle = base64::engine::general_purpose::STANDARD.encode(&self.certificate);
        let name = format!("istio-validator-{namespace}");
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [{
                "name": "validation.istio.io",
                "clientConfig": {"url": format!("https://127.0.0.1:{}/validate", self.port), "caBundle": bundle},
                "rules": [{
                    "operations": ["CREATE", "UPDATE"], "apiGroups": ["networking.istio.io"],
                    "apiVersions": ["*"], "resources": ["virtualservices"], "scope": "*",
                }],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            }],
        });
        rest.post(CONFIGURATIONS, &configuration).ok();
        eventually("the webhook is asked", || {
            probe();
            (!self.stub.as_ref()?.requests().is_empty()).then_some(())
        });
        Registered(name)
    }

    /// Nobody listens any more.
    pub fn down(&mut self) {
        self.stub = None;
        eventually("the port is closed", || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err().then_some(()));
    }
}

/// A registration.
pub struct Registered(String);

impl Registered {
    /// Takes it back.
    pub fn remove(self, rest: &Rest) {
        rest.delete(&format!("{CONFIGURATIONS}/{}", self.0)).ok();
    }
}

const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
