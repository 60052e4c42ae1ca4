//! Which kind of file a text is, by what it holds.

use super::argo::Argo;
use super::flagger::Flagger;
use super::kayenta::Kayenta;
use super::legacy;
use super::perfspec::Perfspec;
use super::sli::Sli;
use super::slo::Slo;
use crate::core::lint::{Finding, Findings, Options};
use crate::core::suggest;
use crate::core::yaml;
use serde::Serialize;
use serde_json::Value;

/// A kind of file that gates are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `perfspec.json`.
    Perfspec,
    /// `slo.yaml`.
    Slo,
    /// `sli.yaml`.
    Sli,
    /// `service-indicators.yaml`.
    ServiceIndicators,
    /// `service-objectives.yaml`.
    ServiceObjectives,
    /// Argo's `AnalysisTemplate` or `ClusterAnalysisTemplate`.
    AnalysisTemplate,
    /// flagger's `Canary`, with `MetricTemplate`s perhaps.
    Canary,
    /// flagger's `MetricTemplate`s alone.
    MetricTemplate,
    /// Kayenta's canary configuration.
    CanaryConfig,
}

impl Kind {
    /// The kind of `text`; `None` where it is none of them, or cannot be read.
    pub fn of(text: &str) -> Option<Self> {
        let kinds: Vec<Self> = documents(text).iter().filter_map(one).collect();
        // A canary may stand behind its templates.
        kinds.iter().find(|kind| **kind == Kind::Canary).or(kinds.first()).copied()
    }

    /// The kind that `text` is, or fails to be: what is neither YAML nor JSON still begins like one of them.
    pub fn likely(text: &str) -> Self {
        let json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
        Self::of(text).unwrap_or(if json { Self::Perfspec } else { Self::Slo })
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Perfspec => "perfspec.json",
            Kind::Slo => "slo.yaml",
            Kind::Sli => "sli.yaml",
            Kind::ServiceIndicators => "service-indicators.yaml",
            Kind::ServiceObjectives => "service-objectives.yaml",
            Kind::AnalysisTemplate => "AnalysisTemplate",
            Kind::Canary => "Canary",
            Kind::MetricTemplate => "MetricTemplate",
            Kind::CanaryConfig => "canary configuration",
        }
    }

    /// The kind that has its queries, where it has none of its own.
    pub fn queries(self) -> Option<Self> {
        match self {
            Kind::Slo => Some(Kind::Sli),
            Kind::ServiceObjectives => Some(Kind::ServiceIndicators),
            Kind::Canary => Some(Kind::MetricTemplate),
            _ => None,
        }
    }

    /// All that is wrong, or surely not meant, in a file of this kind. `queries` is the file that has its queries, where
    /// there is one: see [`Kind::queries`].
    pub fn lint(self, text: &str, queries: Option<&str>, options: Options) -> Vec<Finding> {
        match self {
            Kind::Perfspec => Perfspec::lint(text, options),
            Kind::Slo => {
                let mut findings = Slo::lint(text, options);
                findings.extend(queries.map(|queries| unmeasured(text, queries)).unwrap_or_default());
                findings
            }
            Kind::Sli => Sli::lint(text, options),
            Kind::ServiceIndicators => legacy::lint_indicators(text, options),
            Kind::ServiceObjectives => legacy::lint_objectives(text, queries),
            Kind::AnalysisTemplate => Argo::lint(text, options),
            Kind::Canary | Kind::MetricTemplate => Flagger::lint(text, queries, options),
            Kind::CanaryConfig => Kayenta::lint(text, options),
        }
    }
}

/// The objectives of an SLO file that no query of the SLI file measures.
fn unmeasured(slo: &str, sli: &str) -> Vec<Finding> {
    let (Ok(objectives), Ok(queries)) = (Slo::parse("", slo), Sli::parse("", sli)) else { return Vec::new() };
    let mut found = Findings::default();
    for (at, objective) in objectives.objectives.iter().enumerate() {
        if queries.names().all(|name| name != objective.sli) {
            let near = suggest::nearest(&objective.sli, queries.names());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            found.error(format!("/objectives/{at}/sli"), format!("no query measures `{}`{hint}", objective.sli));
        }
    }
    found.located(slo)
}

fn documents(text: &str) -> Vec<Value> {
    let text = text.trim_start_matches('\u{feff}');
    match serde_json::from_str(text) {
        Ok(json) => vec![json],
        Err(_) => yaml::documents(text, &mut Findings::default()).into_iter().map(|(_, value)| value).collect(),
    }
}

fn one(document: &Value) -> Option<Kind> {
    let root = document.as_object()?;
    match root.get("kind").and_then(Value::as_str).filter(|_| root.contains_key("apiVersion")) {
        Some("AnalysisTemplate" | "ClusterAnalysisTemplate") => return Some(Kind::AnalysisTemplate),
        Some("Canary") => return Some(Kind::Canary),
        Some("MetricTemplate") => return Some(Kind::MetricTemplate),
        Some(_) => return None,
        None => {}
    }
    if root.get("metrics").is_some_and(Value::is_array)
        && ["classifier", "judge", "configVersion", "applications"].iter().any(|key| root.contains_key(*key))
    {
        return Some(Kind::CanaryConfig);
    }
    let first = |key: &str| root.get(key).and_then(Value::as_array).map(|list| list.first().unwrap_or(&Value::Null));
    let has = |item: &Value, key: &str| item.get(key).is_some();
    match (root.get("indicators"), root.get("objectives")) {
        (Some(Value::Object(_)), _) => Some(Kind::Sli),
        (Some(_), Some(Value::Object(_))) | (None, Some(Value::Object(_))) => Some(Kind::Perfspec),
        (Some(_), _) => {
            let indicator = first("indicators")?;
            Some(if has(indicator, "metric") { Kind::ServiceIndicators } else { Kind::Perfspec })
        }
        (None, Some(_)) => {
            let objective = first("objectives").unwrap_or(&Value::Null);
            let legacy = !has(objective, "sli") && ["metric", "threshold", "score"].iter().any(|key| has(objective, key));
            Some(if legacy { Kind::ServiceObjectives } else { Kind::Slo })
        }
        (None, None) => ["total_score", "comparison"].iter().any(|key| root.contains_key(*key)).then_some(Kind::Slo),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_told_by_the_text() {
        for (text, kind) in [
            ("\u{feff} {\"indicators\": []}", Some(Kind::Perfspec)),
            ("{\"indicators\": [{\"id\": \"a\"}], \"objectives\": {}}", Some(Kind::Perfspec)),
            ("{\"objectives\": [{\"sli\": \"a\"}]}", Some(Kind::Slo)),
            ("objectives:\n- sli: a", Some(Kind::Slo)),
            ("total_score: {pass: 90%}", Some(Kind::Slo)),
            ("indicators: {a: q}", Some(Kind::Sli)),
            ("indicators:\n- metric: a\n  source: Prometheus", Some(Kind::ServiceIndicators)),
            ("pass: 90\nobjectives:\n- metric: a\n  threshold: 1\n  score: 1", Some(Kind::ServiceObjectives)),
            ("{", None),
            ("", None),
            ("a: [", None),
            ("kind: ConfigMap", None),
        ] {
            assert_eq!(Kind::of(text), kind, "{text}");
        }
        assert_eq!((Kind::likely("{"), Kind::likely("")), (Kind::Perfspec, Kind::Slo));
    }

    #[test]
    fn an_objective_without_a_query_is_found() {
        let slo = "objectives:\n- sli: p95\n  pass: [{criteria: [\"<1\"]}]\ntotal_score: {pass: 90%}\n";
        let lint = |sli: &str| Kind::Slo.lint(slo, Some(sli), Options::default());
        assert_eq!(lint("indicators: {p95: up}"), []);
        assert_eq!(lint("indicators: {p59: up, p9: up}")[0].message, "no query measures `p95`; did you mean `p9`?");
    }
}
