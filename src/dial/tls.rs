//! TLS: whom a client trusts, and who it is itself.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::sync::Arc;

/// Whose certificates are accepted.
#[derive(Debug)]
pub enum Trust {
    /// Those of the authorities that the system trusts. Reading them costs several times what a connection does.
    System,
    /// Those of these authorities: certificates in PEM.
    Authorities(Vec<u8>),
    /// All, for any name.
    Anybody,
    /// None: for connections without TLS.
    Nobody,
}

/// A certificate with its chain, and its key, both in PEM.
#[derive(Debug)]
pub struct Identity {
    /// The certificate, then those that lead to the authority.
    pub certificate: Vec<u8>,
    /// Its key, in any of PKCS #1, PKCS #8 and SEC 1.
    pub key: Vec<u8>,
}

/// A client's configuration.
///
/// # Errors
/// What is wrong with the certificates or the key, as a part of a sentence.
pub fn client(trust: &Trust, identity: Option<&Identity>) -> Result<ClientConfig, String> {
    let provider = Arc::new(provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = match trust {
        Trust::System => builder.with_platform_verifier().map_err(|error| format!("the system's certificates: {error}"))?,
        Trust::Authorities(pem) => builder.with_root_certificates(authorities(pem)?),
        Trust::Anybody => builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider))),
        Trust::Nobody => builder.with_root_certificates(RootCertStore::empty()),
    };
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(&identity.certificate).map_err(|why| format!("the client certificate: {why}"))?;
    let key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(|error| format!("the client key: {error}"))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| format!("the client certificate and its key: {error}"))
}

/// rustls' own, with AES-128 before AES-256 as Go's clients and servers have it: its keys come of SHA-256, which takes half
/// of the work.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    let suites = &mut provider.cipher_suites;
    if let Some(at) = suites.iter().position(|one| one.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256) {
        suites.swap(0, at);
    }
    provider
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = certificates(pem).map_err(|why| format!("the certificate authority: {why}"))?;
    for certificate in found {
        roots.add(certificate).map_err(|error| format!("the certificate authority: {error}"))?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in it".into()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

/// Believes whatever it is shown.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
