//! Where metrics come from, as flags, environment and settings files say it.

use super::question::Sources;
use super::{pair, text_of};
use crate::cli;
use crate::error::{Error, Result};
use crate::metrics::Access;
use crate::settings::Settings;

/// Where the numbers come from. What goes with an address is taken from where the address is: a token of a settings file is
/// not sent to a server that a flag names.
///
/// # Errors
/// `Usage` for a file that cannot be read, and for what is no header.
pub fn sources(flags: &cli::Sources, settings: &Settings) -> Result<Sources> {
    let file = &settings.sources;
    let unnamed = cli::Sources::default();
    let at = if flags.prometheus.is_some() { &unnamed } else { file };
    let header = |text: &String| pair(text, ':', "NAME: VALUE");
    let identity = match (
        flags.prometheus_cert.as_ref().or(at.prometheus_cert.as_ref()),
        flags.prometheus_key.as_ref().or(at.prometheus_key.as_ref()),
    ) {
        (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
        (None, None) => None,
        _ => return Err(Error::usage("a client certificate needs its key, and a key its certificate")),
    };
    let token = flags.prometheus_token_file.as_ref().or(at.prometheus_token_file.as_ref());
    let basic = flags.prometheus_basic_file.as_ref().or(at.prometheus_basic_file.as_ref());
    let access = Access {
        token: token.map(|file| text_of(file)).transpose()?.or_else(|| variable("TIDEGATE_PROMETHEUS_TOKEN")),
        basic: basic.map(|file| text_of(file)).transpose()?.or_else(|| variable("TIDEGATE_PROMETHEUS_BASIC")),
        headers: flags.prometheus_header.iter().map(header).collect::<Result<_>>()?,
        certificate_authority: flags.prometheus_ca.clone().or_else(|| at.prometheus_ca.clone()),
        identity,
        proxy: flags.prometheus_proxy.clone().or_else(|| at.prometheus_proxy.clone()),
        timeout: settings.connection.request_timeout,
    };
    let at = if flags.dynatrace.is_some() { &unnamed } else { file };
    let token = match flags.dynatrace_token_file.as_ref().or(at.dynatrace_token_file.as_ref()) {
        Some(file) => Some(text_of(file)?),
        None => variable("DT_API_TOKEN"),
    };
    Ok(Sources {
        prometheus: flags.prometheus.clone().or_else(|| file.prometheus.clone()),
        access,
        dynatrace: flags.dynatrace.clone().or_else(|| file.dynatrace.clone()),
        dynatrace_token: token,
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
