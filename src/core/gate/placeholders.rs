//! Placeholders in queries: `ENV_PLACEHOLDER`, `$ENVIRONMENT`, `$SERVICE`, `$DURATION`, `$LABEL.x`, filters.
//!
//! | placeholder | becomes |
//! |---|---|
//! | `ENV_PLACEHOLDER` | the stage (carts, April 2019) |
//! | `$ENVIRONMENT` | `{project}-{stage}` (keptn 0.4), the stage alone (keptn 0.5); see [`Environment`] |
//! | `$DURATION_MINUTES` | the window in whole minutes, rounded up: `3` in `[$DURATION_MINUTESm]` (keptn 0.4) |
//! | `$DURATION`, `$DURATIONm`, `$DURATIONs`, `$DURATION_SECONDS` | the window in whole seconds, rounded up, with its unit: `180s` (keptn 0.5 and later) |
//! | `$PROJECT`, `$STAGE`, `$SERVICE`, `$DEPLOYMENT`, `$CONTEXT`, `$EVENT`, `$SOURCE`, `$TESTSTRATEGY` | what is known of the run |
//! | `$LABEL.x` | the label `x` of the run |
//! | `$key`, `$KEY` | the SLO's filter `key`, without quotes around it |
//!
//! keptn 0.4 left `$DURATION` as it stood, and 0.5 made `180s_MINUTESm` of `$DURATION_MINUTESm`; here both mean what they
//! say. Without a window the originals' defaults hold: 3 minutes, 10 seconds.

use crate::error::{Error, Result};
use serde_json::Value;

/// What `$ENVIRONMENT` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// `{project}-{stage}`, the namespace: keptn 0.2.2 to 0.4.
    Namespace,
    /// The stage: keptn 0.5 and later.
    #[default]
    Stage,
}

/// What placeholders stand for. What is not known is not replaced, and so refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// The project.
    pub project: Option<String>,
    /// The stage.
    pub stage: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// The deployment: `canary`, `primary`, `direct`.
    pub deployment: Option<String>,
    /// The run's name, its event, the event's source, the test strategy: by the placeholder's name (`CONTEXT` …).
    pub others: Vec<(String, String)>,
    /// The labels of the run.
    pub labels: Vec<(String, String)>,
    /// The filters of the SLO.
    pub filters: Vec<(String, String)>,
    /// The length of the window in seconds.
    pub seconds: Option<f64>,
    /// What `$ENVIRONMENT` means.
    pub environment: Environment,
}

impl Context {
    /// Replaces the placeholders of `query`.
    ///
    /// # Errors
    /// `Usage` for a placeholder that stands for nothing.
    pub fn resolve(&self, query: &str) -> Result<String> {
        let known = self.known();
        let mut text = String::with_capacity(query.len());
        let mut rest = query;
        while let Some(at) = rest.find(['$', 'E']) {
            let (before, from) = rest.split_at(at);
            text.push_str(before);
            // The longest name counts: `$DURATION_MINUTES` before `$DURATION`.
            let named = known.iter().filter(|(name, _)| from.starts_with(name.as_str()));
            if let Some((name, value)) = named.max_by_key(|(name, _)| name.len()) {
                text.push_str(value);
                rest = from.get(name.len()..).unwrap_or_default();
                continue;
            }
            let unknown = unresolved(from);
            if !unknown.is_empty() {
                return Err(
                    Error::usage(format!("nothing is known for the placeholder `{unknown}` in `{query}`")).hint(help(unknown))
                );
            }
            let (first, after) = from.split_at(1);
            text.push_str(first);
            rest = after;
        }
        text.push_str(rest);
        Ok(text)
    }

    /// Replaces the placeholders in all texts of a query that is a tree.
    ///
    /// # Errors
    /// As [`Context::resolve`].
    pub fn resolve_all(&self, query: &Value) -> Result<Value> {
        Ok(match query {
            Value::String(text) => Value::String(self.resolve(text)?),
            Value::Array(list) => Value::Array(list.iter().map(|item| self.resolve_all(item)).collect::<Result<_>>()?),
            Value::Object(map) => {
                let entries = map.iter().map(|(key, value)| Ok((key.clone(), self.resolve_all(value)?)));
                Value::Object(entries.collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }

    /// All names that stand for something, and what for.
    fn known(&self) -> Vec<(String, String)> {
        let mut known: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: Option<String>| known.extend(value.map(|value| (name.to_owned(), value)));
        let (project, stage) = (self.project.clone(), self.stage.clone());
        let environment = match self.environment {
            Environment::Stage => stage.clone(),
            Environment::Namespace => project.as_ref().zip(stage.as_ref()).map(|(project, stage)| format!("{project}-{stage}")),
        };
        let minutes = self.seconds.map_or(3.0, |seconds| (seconds / 60.0).ceil());
        let seconds = self.seconds.map_or(10.0, f64::ceil);
        add("ENV_PLACEHOLDER", stage.clone());
        add("$ENVIRONMENT", environment);
        add("$DURATION_MINUTES", Some(format!("{minutes}")));
        for name in ["$DURATION", "$DURATIONm", "$DURATIONs", "$DURATION_SECONDS"] {
            add(name, Some(format!("{seconds}s")));
        }
        add("$PROJECT", project);
        add("$STAGE", stage);
        add("$SERVICE", self.service.clone());
        add("$DEPLOYMENT", self.deployment.clone());
        for (name, value) in &self.others {
            add(&format!("${name}"), Some(value.clone()));
        }
        for (name, value) in &self.labels {
            add(&format!("$LABEL.{name}"), Some(value.clone()));
        }
        for (name, value) in &self.filters {
            let value = value.trim_matches(['\'', '"']).to_owned();
            for name in [name.clone(), name.to_uppercase()] {
                add(&format!("${name}"), Some(value.clone()));
            }
        }
        known
    }
}

/// The placeholder that `text` begins with; empty where it is none: a `$` that ends a pattern, `$1`, `${1}`.
fn unresolved(text: &str) -> &str {
    if let Some(name) = text.strip_prefix('$') {
        let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let end = name.find(|c| !part_of_name(c)).unwrap_or(name.len());
        let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        return if named { text.get(..=end).unwrap_or_default().trim_end_matches('.') } else { "" };
    }
    if text.starts_with("ENV_PLACEHOLDER") { "ENV_PLACEHOLDER" } else { "" }
}

fn help(placeholder: &str) -> String {
    match placeholder {
        "$PROJECT" => "give it: `--project NAME`".into(),
        "$STAGE" | "ENV_PLACEHOLDER" => "give it: `--stage NAME`".into(),
        "$ENVIRONMENT" => "give it: `--project NAME --stage NAME`".into(),
        "$SERVICE" => "give it: name the service".into(),
        label if label.starts_with("$LABEL.") => format!("give it: `--label {}=VALUE`", label.trim_start_matches("$LABEL.")),
        _ => "a `$` that is meant as such stands before no letter".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::gate::vectors::{list, load};
    use serde_json::json;

    fn carts(seconds: Option<f64>, environment: Environment) -> Context {
        let text = |text: &str| Some(text.to_owned());
        Context {
            project: text("sockshop"),
            stage: text("staging"),
            service: text("carts"),
            labels: vec![("build".into(), "17".into())],
            filters: vec![("handler".into(), "'ItemsController'".into()), ("id".into(), "\"7\"".into())],
            seconds,
            environment,
            ..Context::default()
        }
    }

    #[test]
    fn each_generation() {
        let (old, new) = (carts(Some(150.5), Environment::Namespace), carts(Some(150.5), Environment::Stage));
        for (context, query, resolved) in [
            (&old, "x{ns='$ENVIRONMENT'}[$DURATION_MINUTESm]", "x{ns='sockshop-staging'}[3m]"),
            (&new, "x{ns='$ENVIRONMENT'}[$DURATION]", "x{ns='staging'}[151s]"),
            (&new, "x[$DURATIONm] or x[$DURATIONs] or x[$DURATION_SECONDS]", "x[151s] or x[151s] or x[151s]"),
            (&new, "job='carts-ENV_PLACEHOLDER'", "job='carts-staging'"),
            (&new, "$SERVICE-$PROJECT-$STAGE-$LABEL.build", "carts-sockshop-staging-17"),
            (&new, "h='$handler' H='$HANDLER' id=$id", "h='ItemsController' H='ItemsController' id=7"),
            (
                &new,
                "status=~'2..$' label_replace(x, 'a', '$1', 'b', '(.*)') ${1} E",
                "status=~'2..$' label_replace(x, 'a', '$1', 'b', '(.*)') ${1} E",
            ),
        ] {
            assert_eq!(context.resolve(query).map_err(|error| error.message), Ok(resolved.to_owned()));
        }
        let query = json!({"timeseriesId": "t", "tags": ["service:$SERVICE"], "n": 1});
        assert_eq!(new.resolve_all(&query), Ok(json!({"timeseriesId": "t", "tags": ["service:carts"], "n": 1})));
        assert_eq!(carts(None, Environment::Stage).resolve("[$DURATION] [$DURATION_MINUTESm]"), Ok("[10s] [3m]".into()));
    }

    #[test]
    fn what_stands_for_nothing_is_an_error() {
        for (query, says) in [
            ("x{a='$DEPLOYMENT'}", "`$DEPLOYMENT`"),
            ("x{a='$LABEL.team'}", "`$LABEL.team`"),
            ("$enviroment.", "`$enviroment`"),
            ("é$", "fine"),
        ] {
            let result = carts(None, Environment::Stage).resolve(query);
            assert!(result.as_ref().err().map_or(says == "fine", |error| error.message.contains(says)), "{result:?}");
        }
        let error = Context::default().resolve("job='ENV_PLACEHOLDER'").expect_err("no stage");
        assert_eq!(error.hints, ["give it: `--stage NAME`"]);
    }

    /// The queries that keptn's own services sent. Where they left or broke a placeholder, this does not.
    #[test]
    fn recorded_queries() {
        let Some(file) = load("pitometer.json") else { return };
        let mut checked = 0;
        for case in list(&file, "service_vectors") {
            let name = &case["name"];
            let text = case["input"]["files"]["perfspec.json"].as_str().unwrap_or_default();
            let Ok(spec) = serde_json::from_str::<Value>(text) else { continue };
            let Some(query) = spec.pointer("/indicators/0/query").and_then(Value::as_str) else { continue };
            let seconds = match name.as_str() {
                Some("duration-rounds-up") => Some(150.5),
                Some("duration-without-startedat") => None,
                _ => Some(180.0),
            };
            for (service, environment) in [("svc040", Environment::Namespace), ("svc050", Environment::Stage)] {
                let sent = list(&case[service], "http").iter().find_map(|request| request["params"]["query"].as_str());
                let Some(sent) = sent else { continue };
                let resolved = carts(seconds, environment).resolve(query).expect("known placeholders");
                let whole = !sent.contains("$DURATION") && !sent.contains("s_MINUTESm");
                assert_eq!(resolved == sent, whole, "{name} {service}: {resolved}");
                checked += 1;
            }
        }
        assert!(checked >= 10, "{checked}");
    }
}
