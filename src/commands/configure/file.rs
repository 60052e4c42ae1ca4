//! The project's settings file, changed line by line: comments and order stay.

use crate::cli::{self, MonitoringSource};
use crate::error::{Error, Result};
use serde_yaml::Value;
use std::path::Path;

/// A key and what it is set to; nothing takes it out.
pub type Key = (&'static str, Option<String>);

/// The keys of a source. Those that are not given are taken out: a token belongs to its address.
///
/// # Errors
/// `Usage` for a secret in an address, which a file of the project would show.
pub fn keys(source: MonitoringSource, flags: &cli::Sources, url: &str) -> Result<Vec<Key>> {
    for (address, help) in [
        (Some(url), "put it into a file: `--prometheus-basic-file FILE`, or into the Secret: `--in-cluster`"),
        (flags.prometheus_proxy.as_deref(), "leave it to HTTP_PROXY or HTTPS_PROXY"),
    ] {
        if address.is_some_and(|address| address.contains('@')) {
            return Err(Error::usage("an address with a password is not stored in a file of the project").hint(help));
        }
    }
    if !flags.prometheus_header.is_empty() {
        return Err(Error::usage("headers are not stored: they may be secret")
            .hint("give them with `--prometheus-header` where they are needed"));
    }
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    Ok(match source {
        MonitoringSource::Prometheus => vec![
            ("prometheus", Some(url.to_owned())),
            ("prometheus-token-file", path(&flags.prometheus_token_file)),
            ("prometheus-basic-file", path(&flags.prometheus_basic_file)),
            ("prometheus-ca", path(&flags.prometheus_ca)),
            ("prometheus-cert", path(&flags.prometheus_cert)),
            ("prometheus-key", path(&flags.prometheus_key)),
            ("prometheus-proxy", flags.prometheus_proxy.clone()),
        ],
        MonitoringSource::Dynatrace => {
            vec![("dynatrace", Some(url.to_owned())), ("dynatrace-token-file", path(&flags.dynatrace_token_file))]
        }
    })
}

/// Sets the keys of a settings file; gives its name.
///
/// # Errors
/// `Usage` where it cannot be read or written, or holds them in a form that only a person should change.
pub fn store(file: &Path, keys: &[Key]) -> Result<String> {
    let name = file.display().to_string();
    let cannot = |error: std::io::Error| Error::usage(format!("cannot write {name}")).caused_by(error.to_string());
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(cannot(error)),
    };
    let changed = with(&text, keys).ok_or_else(|| {
        let lines: Vec<String> = keys.iter().filter_map(|(key, value)| Some(format!("{key}: {}", value.as_ref()?))).collect();
        Error::usage(format!("{name} is written in a way that only a person should change"))
            .hint(format!("put into it: `{}`", lines.join("`, `")))
    })?;
    // Renamed when it is whole.
    let fresh = file.with_extension("yaml.new");
    std::fs::write(&fresh, changed).and_then(|()| std::fs::rename(&fresh, file)).map_err(cannot)?;
    Ok(name)
}

/// `text` with the keys set, if its meaning is then what it was, and they.
fn with(text: &str, keys: &[Key]) -> Option<String> {
    let read = |text: &str| match serde_yaml::from_str::<Value>(text).ok()? {
        Value::Null => Some(serde_yaml::Mapping::new()),
        Value::Mapping(map) => Some(map),
        _ => None,
    };
    let mut expected = read(text)?;
    let ours = |line: &str| keys.iter().any(|(key, _)| line.split_once(':').is_some_and(|(name, _)| name.trim_end() == *key));
    let mut changed: String = text.lines().filter(|line| !ours(line)).map(|line| format!("{line}\n")).collect();
    for (key, value) in keys {
        expected.remove(*key);
        if let Some(value) = value {
            expected.insert(Value::from(*key), Value::from(value.as_str()));
            let written = serde_yaml::to_string(value).ok()?;
            changed += &format!("{key}: {}\n", written.trim_end());
        }
    }
    (read(&changed)? == expected).then_some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_keys_change() {
        let keys = [("prometheus", Some("http://a:9090".to_owned())), ("prometheus-token-file", None)];
        let text = "# ours\nnamespace: shop # here\nprometheus: http://old\nprometheus-token-file: t\ntimeout: 2m\n";
        assert_eq!(
            with(text, &keys).as_deref(),
            Some("# ours\nnamespace: shop # here\ntimeout: 2m\nprometheus: http://a:9090\n")
        );
        assert_eq!(with("", &keys).as_deref(), Some("prometheus: http://a:9090\n"));
        for odd in ["{namespace: shop, prometheus: x}", "- a", "prometheus: |\n  http://old\nnamespace: a\n", "a: [\n"] {
            assert_eq!(with(odd, &keys), None, "{odd}");
        }
    }
}
