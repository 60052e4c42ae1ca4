//! Templates of keptn 0.2 to 0.4: manifests with `SERVICE_PLACEHOLDER_DEC` for the name of the service,
//! `SERVICE_PLACEHOLDER_C` for its name in the values, and plain references to values. What takes helm's language is left
//! to helm.

use crate::core::yaml;
use crate::error::{Error, Result};
use serde_json::Value;

/// What references stand for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The service.
    pub service: &'a str,
    /// The project, which is the name of keptn's chart.
    pub project: &'a str,
    /// The values of the service.
    pub values: &'a Value,
}

/// Fills in a template; a plain manifest stays as it is. `file` is what errors call it.
///
/// # Errors
/// `Usage`, with the line, for a reference that is no plain one.
pub fn fill(file: &str, text: &str, names: Names<'_>) -> Result<String> {
    let text = text.replace("SERVICE_PLACEHOLDER_DEC", names.service).replace("SERVICE_PLACEHOLDER_C", PLACEHOLDER);
    let mut filled = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        filled += before;
        let line = filled.matches('\n').count() + 1;
        let refused = |what: &str| {
            Error::usage(format!("{file}:{line}: `{what}` is no plain reference to a value")).hint(
                "render the chart with helm and give what comes out: `helm template . > carts.yaml`, `--deployment carts.yaml`",
            )
        };
        let (reference, behind) =
            after.split_once("}}").ok_or_else(|| refused(after.lines().next().unwrap_or_default().trim()))?;
        let reference = reference.trim_matches('-').trim();
        filled += &value(reference, names).ok_or_else(|| refused(reference))?;
        rest = behind;
    }
    Ok(filled + rest)
}

/// Stands for the values of the service.
const PLACEHOLDER: &str = "SERVICE_PLACEHOLDER_C";

fn value(reference: &str, names: Names<'_>) -> Option<String> {
    match reference {
        ".Chart.Name" => return Some(names.project.to_owned()),
        ".Chart.Version" => return Some("0.1.0".to_owned()),
        ".Release.Name" => return Some(format!("{}-{}", names.project, names.service)),
        ".Release.Service" => return Some("tidegate".to_owned()),
        _ => {}
    }
    // A tree is written in one line, which needs no indentation.
    let (path, tree) = match reference.strip_prefix("toYaml ") {
        Some(path) => (path.split('|').next().unwrap_or(path).trim(), true),
        None => (reference, false),
    };
    let path = path.strip_prefix(".Values.")?;
    let path = path.strip_prefix(PLACEHOLDER).map_or(path, |path| path.trim_start_matches('.'));
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if !path.split('.').all(plain) {
        return None;
    }
    let found = path.split('.').try_fold(names.values, |value, key| value.get(key)).unwrap_or(&Value::Null);
    match tree {
        true => Some(if found.is_null() { "{}".to_owned() } else { found.to_string() }),
        false => yaml::scalar(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_references_are_filled_in() {
        let values = json!({"service": {"name": "carts-db", "internalPort": 27017}, "image": {"tag": null}, "resources": {"limits": {"cpu": "1"}}});
        let fill = |text: &str| fill("d.yaml", text, Names { service: "carts-db", project: "sockshop", values: &values });
        let text = "name: SERVICE_PLACEHOLDER_DEC\napp: {{ .Chart.Name }}-selector-SERVICE_PLACEHOLDER_DEC\n\
                    port: {{ .Values.SERVICE_PLACEHOLDER_C.service.internalPort }}\nimage: \"{{.Values.SERVICE_PLACEHOLDER_C.image.tag}}\"\n\
                    resources: {{ toYaml .Values.resources | indent 12 }}\n";
        assert_eq!(
            fill(text).expect("filled in"),
            "name: carts-db\napp: sockshop-selector-carts-db\nport: 27017\nimage: \"\"\nresources: {\"limits\":{\"cpu\":\"1\"}}\n"
        );
        assert_eq!(fill("a: 1\n").expect("nothing to fill in"), "a: 1\n");
        for (text, why) in [
            ("\n{{ if .Values.x }}", "d.yaml:2: `if .Values.x` is no plain reference to a value"),
            ("{{ .Values.x | quote }}", "`.Values.x | quote`"),
            ("{{ .Values.", "`.Values.`"),
        ] {
            let message = fill(text).expect_err(text).message;
            assert!(message.contains(why), "{message}");
        }
    }
}
