//! Who we are, for the API server: a client certificate, and headers.

use super::plugin;
use crate::dial::tls::Identity;
use crate::error::{Error, Kind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use kube::config::{AuthInfo, AuthProviderConfig, ExecConfig};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::path::PathBuf;
use tokio::sync::Mutex;

/// A token that is valid for less than this is renewed.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// The user of a kubeconfig, ready to be named in requests.
pub(super) struct Credential {
    /// Whom the user acts as.
    impersonation: HeaderMap,
    authorization: Authorization,
}

/// Where the `Authorization` header comes from.
enum Authorization {
    /// There is none.
    Nowhere,
    /// It stays as it is.
    Fixed(HeaderValue),
    /// A file with a token, which others replace from time to time; the last one that could be read.
    File(PathBuf, Mutex<HeaderValue>),
    /// A plugin that gave a token for some time.
    Plugin(Box<ExecConfig>, Mutex<(HeaderValue, Timestamp)>),
}

impl Credential {
    /// Obtains what a user needs, from files and plugins as well.
    ///
    /// # Errors
    /// `Usage` for what cannot be read or used, `Forbidden` for a plugin that fails and a token that has expired.
    pub async fn obtain(user: AuthInfo) -> Result<(Self, Option<Identity>)> {
        let impersonation = impersonation(&user)?;
        let mut identity = identity(&user)?;
        let authorization = if let Some(name) = user.username.filter(|name| !name.is_empty()) {
            let password = user.password.as_ref().map(|password| password.expose_secret()).unwrap_or_default();
            Authorization::Fixed(secret("Basic", &BASE64.encode(format!("{name}:{password}")))?)
        } else if let Some(token) = user.token.filter(|token| !token.expose_secret().is_empty()) {
            Authorization::Fixed(bearer(&token)?)
        } else if let Some(file) = user.token_file.filter(|file| !file.is_empty()) {
            let token = std::fs::read_to_string(&file)
                .map_err(|error| Error::usage(format!("cannot read the token file {file}")).caused_by(error.to_string()))?;
            Authorization::File(file.into(), Mutex::new(bearer(&token.into())?))
        } else if let Some(provider) = user.auth_provider {
            Authorization::Fixed(bearer(&provided(&provider)?)?)
        } else if let Some(exec) = user.exec {
            let given = plugin::run(&exec).await?;
            identity = given.identity.or(identity);
            match (given.token, given.expires) {
                (None, _) => Authorization::Nowhere,
                (Some(token), None) => Authorization::Fixed(bearer(&token)?),
                (Some(token), Some(expires)) => Authorization::Plugin(Box::new(exec), Mutex::new((bearer(&token)?, expires))),
            }
        } else {
            Authorization::Nowhere
        };
        Ok((Self { impersonation, authorization }, identity))
    }

    /// Adds what says who we are to the headers of a request.
    ///
    /// # Errors
    /// `Forbidden` where a token has expired and the plugin gives no other.
    pub async fn sign(&self, headers: &mut HeaderMap) -> Result<()> {
        let value = match &self.authorization {
            Authorization::Nowhere => None,
            Authorization::Fixed(value) => Some(value.clone()),
            Authorization::File(file, last) => {
                let mut last = last.lock().await;
                // A file that is gone was meant to be read once: <https://github.com/kubernetes/kubernetes/issues/68164>.
                if let Some(read) = std::fs::read_to_string(file).ok().and_then(|token| bearer(&token.into()).ok()) {
                    *last = read;
                }
                Some(last.clone())
            }
            Authorization::Plugin(exec, last) => {
                let mut last = last.lock().await;
                if Timestamp::now() + MARGIN > last.1 {
                    let given = plugin::run(exec).await?;
                    let token = given.token.ok_or_else(|| plugin::refused(exec, "its answer has no token any more"))?;
                    *last = (bearer(&token)?, given.expires.unwrap_or(Timestamp::MAX));
                }
                Some(last.0.clone())
            }
        };
        headers.extend(value.map(|value| (http::header::AUTHORIZATION, value)));
        headers.extend(self.impersonation.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(())
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue> {
    secret("Bearer", token.expose_secret().trim())
}

fn secret(scheme: &str, credentials: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("{scheme} {credentials}"))
        .map_err(|_| Error::usage("the kubeconfig's token has letters that a header cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The token of the kubeconfig's `auth-provider`, of which kubectl knows one, `oidc`: kubectl renews its token and writes
/// it down.
fn provided(provider: &AuthProviderConfig) -> Result<SecretString> {
    let name = provider.name.as_str();
    let refused = |why: &str| Error::new(Kind::Forbidden, format!("the kubeconfig's auth provider `{name}` {why}"));
    match name {
        "oidc" => {
            let token = provider.config.get("id-token").filter(|token| !token.is_empty());
            let token = token.ok_or_else(|| refused("has no id-token").hint("log in with your provider's tool"))?;
            if expiry(token).is_some_and(|expiry| Timestamp::now() > expiry) {
                return Err(refused("has a token that has expired").hint("kubectl renews it: `kubectl get --raw /version`"));
            }
            Ok(token.clone().into())
        }
        "gcp" => Err(refused("no longer exists")
            .hint("install gke-gcloud-auth-plugin, then `gcloud container clusters get-credentials CLUSTER`")),
        "azure" => Err(refused("no longer exists").hint("install kubelogin, then `kubelogin convert-kubeconfig`")),
        _ => Err(refused("is not known")),
    }
}

/// When a JSON Web Token expires, if it says so.
fn expiry(token: &str) -> Option<Timestamp> {
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

fn impersonation(user: &AuthInfo) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        let wrong = || Error::usage(format!("nobody can be impersonated by a header `{name}: {}`", value.escape_debug()));
        let name: HeaderName = name.parse().map_err(|_| wrong())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
        Ok::<_, Error>(())
    };
    if let Some(name) = &user.impersonate {
        add("impersonate-user", name)?;
    }
    if let Some(uid) = &user.impersonate_uid {
        add("impersonate-uid", uid)?;
    }
    for group in user.impersonate_groups.iter().flatten() {
        add("impersonate-group", group)?;
    }
    for (key, values) in user.impersonate_user_extra.iter().flatten() {
        for value in values {
            add(&format!("impersonate-extra-{}", header_name(key)), value)?;
        }
    }
    Ok(headers)
}

/// A key as a part of a header's name: what may not stand there is percent-encoded.
fn header_name(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn identity(user: &AuthInfo) -> Result<Option<Identity>> {
    let data = user.client_key_data.as_ref().map(|data| data.expose_secret());
    let certificate = pem("client-certificate", user.client_certificate_data.as_deref(), user.client_certificate.as_deref())?;
    let key = pem("client-key", data, user.client_key.as_deref())?;
    let lacks = |what: &str| Error::usage(format!("the kubeconfig's user has no {what}"));
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(Identity { certificate, key })),
        (Some(_), None) => Err(lacks("`client-key` for its certificate")),
        (None, Some(_)) => Err(lacks("`client-certificate` for its key")),
        (None, None) => Ok(None),
    }
}

/// What a field of the kubeconfig holds: in base64 in `NAME-data`, else in the file that `NAME` names.
pub(super) fn pem(name: &str, data: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>> {
    let given = |value: &&str| !value.is_empty();
    if let Some(data) = data.filter(given) {
        let wrong = |_| Error::usage(format!("the kubeconfig's `{name}-data` is not base64"));
        return BASE64.decode(data).map(Some).map_err(wrong);
    }
    let Some(file) = file.filter(given) else { return Ok(None) };
    let unreadable = |error: std::io::Error| {
        Error::usage(format!("cannot read the kubeconfig's `{name}`: {file}")).caused_by(error.to_string())
    };
    std::fs::read(file).map(Some).map_err(unreadable)
}
