//! The server's certificates, the users' tokens, and the kubeconfig that holds them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::base64::base64;

/// What a start of the sandbox makes anew.
pub struct Identity {
    /// For the listener.
    pub tls: Arc<rustls::ServerConfig>,
    /// The certificate authority's certificate.
    pub ca_pem: String,
    /// The token of the user with all rights.
    pub admin_token: String,
}

/// Makes a certificate authority, a certificate of the server signed by it, and a token.
pub fn create() -> anyhow::Result<Identity> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut secret = [0u8; 16];
    provider.secure_random.fill(&mut secret).map_err(|_| anyhow::anyhow!("the system gave no random bytes"))?;

    let mut ca = valid_for_a_while(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "tidegate sandbox");
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate()?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let mut server = valid_for_a_while(names)?;
    server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    server.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;

    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { tls: Arc::new(tls), ca_pem, admin_token: secret.iter().map(|byte| format!("{byte:02x}")).collect() })
}

/// Parameters of a certificate that is valid now, and not for longer than the strictest of clients allows.
fn valid_for_a_while(names: Vec<String>) -> anyhow::Result<CertificateParams> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let at = |date: Date| rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs());
    let mut parameters = CertificateParams::new(names)?;
    parameters.not_before = at(today.yesterday()?);
    parameters.not_after = at(today.checked_add(800.days())?);
    Ok(parameters)
}

/// Writes `ca.crt` and `kubeconfig`; the kubeconfig's path comes back.
pub fn write_files(dir: &Path, identity: &Identity, server: &str) -> anyhow::Result<PathBuf> {
    write_private(&dir.join("ca.crt"), &identity.ca_pem)?;
    // With all of it inside, a copy of the kubeconfig works as well.
    let ca = base64(identity.ca_pem.as_bytes());
    let kubeconfig = dir.join("kubeconfig");
    let token = &identity.admin_token;
    write_private(
        &kubeconfig,
        &format!(
            "apiVersion: v1
kind: Config
clusters:
- name: sandbox
  cluster:
    certificate-authority-data: {ca}
    server: {server}
contexts:
- name: sandbox
  context:
    cluster: sandbox
    namespace: sockshop-production
    user: sandbox
- name: viewer
  context:
    cluster: sandbox
    namespace: sockshop-production
    user: viewer
current-context: sandbox
users:
- name: sandbox
  user:
    token: {token}
- name: viewer
  user:
    token: viewer
"
        ),
    )?;
    Ok(kubeconfig)
}

/// Makes the directory that the sandbox writes into, for its user alone.
pub fn create_dir(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("cannot close {} to others", dir.display()))?;
    }
    Ok(())
}

/// Opens a file that only its user may read, empty.
pub fn create_private(path: &Path) -> anyhow::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).with_context(|| format!("cannot write {}", path.display()))
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    create_private(path)?.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}
