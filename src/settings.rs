//! What holds for a run: flag, then environment, then the project's file, then the user's file, then the default.
//!
//! clap puts the environment behind each flag; the files come in here. Their keys are the flags' names.

use crate::cli::{Connection, Sources, duration};
use crate::cluster::Options;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one request may take where nothing else is said.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a command that writes may take where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The project's file, in the working directory.
pub const PROJECT_FILE: &str = "tidegate.yaml";

/// A settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct File {
    namespace: Option<String>,
    context: Option<String>,
    kubeconfig: Option<PathBuf>,
    timeout: Option<String>,
    request_timeout: Option<String>,
    field_manager: Option<String>,
    protected_namespaces: Vec<String>,
    prometheus: Option<String>,
    prometheus_token_file: Option<PathBuf>,
    prometheus_basic_file: Option<PathBuf>,
    prometheus_ca: Option<PathBuf>,
    prometheus_cert: Option<PathBuf>,
    prometheus_key: Option<PathBuf>,
    prometheus_proxy: Option<String>,
    dynatrace: Option<String>,
    dynatrace_token_file: Option<PathBuf>,
}

impl File {
    /// Where metrics come from.
    fn sources(&self) -> Sources {
        Sources {
            prometheus: self.prometheus.clone(),
            prometheus_token_file: self.prometheus_token_file.clone(),
            prometheus_basic_file: self.prometheus_basic_file.clone(),
            prometheus_ca: self.prometheus_ca.clone(),
            prometheus_cert: self.prometheus_cert.clone(),
            prometheus_key: self.prometheus_key.clone(),
            prometheus_proxy: self.prometheus_proxy.clone(),
            dynatrace: self.dynatrace.clone(),
            dynatrace_token_file: self.dynatrace_token_file.clone(),
            prometheus_header: Vec::new(),
        }
    }
}

/// The settings of a run.
#[derive(Debug)]
pub struct Settings {
    /// Where and as whom to connect.
    pub connection: Options,
    /// How long to keep trying; zero tries once.
    pub timeout: Duration,
    /// Namespaces where changes need `--yes` or an answer, beside those that have the label.
    pub protected_namespaces: Vec<String>,
    /// Where metrics come from, where no flag says it. What goes with an address comes from the same file.
    pub sources: Sources,
    /// Who changes something; the kubeconfig's user where nobody is known.
    pub by: Option<String>,
}

impl Settings {
    /// How long a command may take as a whole. What is tried once takes as long as its requests may.
    pub fn limit(&self) -> Duration {
        if self.timeout.is_zero() { Duration::MAX } else { self.timeout }
    }

    /// Resolves the settings; `timeout` is the command's own flag.
    ///
    /// # Errors
    /// `Usage` for a file that cannot be read, a key that is not known or a value that does not fit.
    pub fn resolve(flags: &Connection, timeout: Option<Duration>) -> Result<Self> {
        let project = read(Path::new(PROJECT_FILE))?;
        let user = match user_file() {
            Some(path) => read(&path)?,
            None => File::default(),
        };
        let field_manager =
            first([&flags.field_manager, &project.field_manager, &user.field_manager]).unwrap_or_else(|| "tidegate".into());
        if field_manager.is_empty() || field_manager.len() > 128 || !field_manager.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::usage("a field manager has 1 to 128 letters, digits and signs, without blanks"));
        }
        let connection = Options {
            kubeconfig: first([&flags.kubeconfig, &project.kubeconfig, &user.kubeconfig]),
            context: first([&flags.context, &project.context, &user.context]),
            cluster: flags.cluster.clone(),
            user: flags.user.clone(),
            namespace: first([&flags.namespace, &project.namespace, &user.namespace]),
            server: flags.server.clone(),
            token: flags.token.clone(),
            username: flags.username.clone(),
            password: flags.password.clone(),
            certificate_authority: flags.certificate_authority.clone(),
            client_certificate: flags.client_certificate.clone(),
            client_key: flags.client_key.clone(),
            insecure: flags.insecure_skip_tls_verify,
            tls_server_name: flags.tls_server_name.clone(),
            impersonate: flags.impersonate.clone(),
            impersonate_groups: flags.impersonate_groups.clone(),
            impersonate_uid: flags.impersonate_uid.clone(),
            // As with kubectl, 0 is no limit.
            request_timeout: match span(
                flags.request_timeout,
                [&project.request_timeout, &user.request_timeout],
                REQUEST_TIMEOUT,
            )? {
                Duration::ZERO => Duration::MAX,
                limit => limit,
            },
            field_manager,
        };
        if let Some(namespace) = &connection.namespace {
            let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if namespace.is_empty() || namespace.len() > 63 || !namespace.bytes().all(valid) {
                return Err(Error::usage(format!("`{}` is not the name of a namespace", namespace.escape_debug())));
            }
        }
        let (here, mine) = (project.sources(), user.sources());
        let (prometheus, dynatrace) = match (here.prometheus.is_some(), here.dynatrace.is_some()) {
            (true, true) => (&here, &here),
            (true, false) => (&here, &mine),
            (false, true) => (&mine, &here),
            (false, false) => (&mine, &mine),
        };
        let sources = Sources {
            dynatrace: dynatrace.dynatrace.clone(),
            dynatrace_token_file: dynatrace.dynatrace_token_file.clone(),
            ..prometheus.clone()
        };
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Ok(Self {
            connection,
            timeout: span(timeout, [&project.timeout, &user.timeout], TIMEOUT)?,
            sources,
            protected_namespaces: project.protected_namespaces.into_iter().chain(user.protected_namespaces).collect(),
            by: variable("TIDEGATE_BY").or_else(|| variable("USER")).or_else(|| variable("LOGNAME")),
        })
    }
}

fn first<T: Clone, const N: usize>(sources: [&Option<T>; N]) -> Option<T> {
    sources.into_iter().find_map(Clone::clone)
}

fn span(flag: Option<Duration>, files: [&Option<String>; 2], default: Duration) -> Result<Duration> {
    match (flag, first(files)) {
        (Some(span), _) => Ok(span),
        (None, Some(text)) => duration(&text).map_err(Error::usage),
        (None, None) => Ok(default),
    }
}

fn user_file() -> Option<PathBuf> {
    let configured = std::env::var_os("XDG_CONFIG_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = configured.or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
    Some(directory.join("tidegate/config.yaml"))
}

fn read(path: &Path) -> Result<File> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => return Err(Error::usage(format!("cannot read {}", path.display())).caused_by(error.to_string())),
    };
    if text.trim().is_empty() {
        return Ok(File::default());
    }
    serde_yaml::from_str(&text)
        .map_err(|error| Error::usage(format!("{} cannot be used", path.display())).caused_by(error.to_string()))
}
