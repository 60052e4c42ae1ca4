//! Certificates that vouch for themselves.

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

/// A certificate and its key.
pub struct Certified {
    /// The certificate, in PEM.
    pub pem: String,
    /// Its key, in PEM.
    pub key_pem: String,
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Certified {
    /// For a host, or anyone else of that name.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).expect("a name").self_signed(&key).expect("a certificate");
        Self { pem: certificate.pem(), key_pem: key.serialize_pem(), certificate: certificate.der().clone(), key }
    }

    /// A server's configuration; the server takes only the client named, if one is.
    pub fn server(&self, client: Option<&Certified>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().expect("protocol versions");
        let builder = match client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let mut roots = RootCertStore::empty();
                roots.add(client.certificate.clone()).expect("a certificate");
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().expect("a verifier");
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        builder.with_single_cert(vec![self.certificate.clone()], key).expect("a usable certificate")
    }
}
