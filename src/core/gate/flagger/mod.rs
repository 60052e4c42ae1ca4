//! flagger's `Canary` with the metrics of its analysis, and its `MetricTemplate`s, of flagger 1.44.
//!
//! Each metric is asked once, over its own `interval`, and held against its `thresholdRange`.
//!
//! | original | here |
//! |---|---|
//! | `analysis.threshold` failed checks, one each `analysis.interval`, roll back | one check decides |
//! | of several series the last one counts | each of them must hold |
//! | no series or NaN is a failed check | inconclusive: nothing was measured; so is an infinity that breaks no limit |
//! | without `thresholdRange` and `threshold` values above 0 fail | an error |
//! | `request-duration` is cut to whole milliseconds | it is not |
//! | an unknown metric without a query fails every check | an error |
//! | webhooks and alerts | not called |
//! | providers other than Prometheus | their values can be given; they are not asked |

mod grade;
mod read;

use super::File;
use super::evaluation::{Evaluation, Evidence};
use super::query::Query;
use crate::core::lint::{self, Finding, Options};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// The metrics of a canary's analysis.
#[derive(Clone, Debug, PartialEq)]
pub struct Flagger {
    /// The metrics; their names differ.
    pub metrics: Vec<Metric>,
    /// What queries are made from, by name and namespace.
    pub templates: Vec<Template>,
    /// What `{{ name }}`, `{{ namespace }}` … stand for.
    pub known: BTreeMap<String, String>,
    /// What has another meaning here.
    pub notes: Vec<String>,
    text: String,
}

/// A metric and its limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// What is asked.
    pub source: Source,
    /// The window of its query, as `{{ interval }}`.
    pub interval: String,
    /// What `{{ variables.x }}` stands for.
    pub variables: Vec<(String, String)>,
    /// The least that is allowed.
    pub min: Option<f64>,
    /// The most that is allowed.
    pub max: Option<f64>,
    pointer: String,
}

/// Where a metric's query is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Source {
    /// In flagger itself: one of [`BUILT_IN`].
    #[default]
    BuiltIn,
    /// In the metric.
    Query(String),
    /// In a template: its name and namespace.
    Template(String, Option<String>),
}

/// A `MetricTemplate`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Its namespace, where the file says it.
    pub namespace: Option<String>,
    /// The provider's type.
    pub provider: String,
    /// The query.
    pub query: String,
    pointer: String,
}

/// flagger's own metrics for Istio: the share of requests without a 5xx in per cent, and the 99th percentile of their
/// durations in milliseconds.
pub const BUILT_IN: [(&str, &str); 2] = [
    (
        "request-success-rate",
        "sum(rate(istio_requests_total{reporter=\"destination\",destination_workload_namespace=\"{{ namespace }}\",destination_workload=~\"{{ target }}\",response_code!~\"5.*\"}[{{ interval }}])) / sum(rate(istio_requests_total{reporter=\"destination\",destination_workload_namespace=\"{{ namespace }}\",destination_workload=~\"{{ target }}\"}[{{ interval }}])) * 100",
    ),
    (
        "request-duration",
        "histogram_quantile(0.99, sum(rate(istio_request_duration_milliseconds_bucket{reporter=\"destination\",destination_workload_namespace=\"{{ namespace }}\",destination_workload=~\"{{ target }}\"}[{{ interval }}])) by (le))",
    ),
];

impl Flagger {
    /// Reads a canary, with the templates of its file and of `templates`.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret.
    pub fn parse(file: File<'_>, templates: Option<File<'_>>) -> Result<Self> {
        let (mut flagger, findings) = read::read(file.1);
        if let Some(error) = lint::refuse(file.0, file.1, &findings.located(file.1)) {
            return Err(error);
        }
        if let Some((name, text)) = templates {
            let (more, findings) = read::read(text);
            if let Some(error) = lint::refuse(name, text, &findings.located(text)) {
                return Err(error);
            }
            flagger.templates.extend(more.templates);
        }
        Ok(flagger)
    }

    /// All that is wrong, surely not meant, or means something else here, in a file of canaries and templates. `templates` is
    /// the text of another file of templates.
    pub fn lint(text: &str, templates: Option<&str>, options: Options) -> Vec<Finding> {
        let (mut flagger, mut found) = read::read(text);
        found.options = options;
        let own = flagger.templates.len();
        flagger.templates.extend(templates.map(|text| read::read(text).0.templates).unwrap_or_default());
        read::doubts(&flagger, own, &mut found);
        found.located(text)
    }

    /// What to ask, by metric.
    ///
    /// # Errors
    /// `Usage` for a metric without a query, a provider that is not asked, and what `{{ … }}` stands for nothing.
    pub fn queries(&self, given: &BTreeMap<String, String>) -> Result<Vec<(String, Query)>> {
        self.metrics.iter().map(|metric| Ok((metric.name.clone(), Query::Prometheus(self.query(metric, given)?)))).collect()
    }

    fn query(&self, metric: &Metric, given: &BTreeMap<String, String>) -> Result<String> {
        let written = match &metric.source {
            Source::Query(query) => return Ok(query.clone()),
            Source::BuiltIn => BUILT_IN.iter().find(|(name, _)| *name == metric.name).map(|(_, query)| *query),
            Source::Template(name, _) => {
                let template = self.template(metric).ok_or_else(|| {
                    Error::usage(format!("the metric `{}` needs the template `{name}`, which is not here", metric.name))
                        .hint("name the file that has it: `--sli templates.yaml`")
                })?;
                if template.provider != "prometheus" {
                    return Err(Error::usage(format!(
                        "the metric `{}` asks `{}`, which is not asked here",
                        metric.name, template.provider
                    ))
                    .hint("give its values with `--values FILE`"));
                }
                Some(template.query.as_str())
            }
        };
        let written = written.ok_or_else(|| Error::usage(format!("the metric `{}` has no query", metric.name)))?;
        let mut whole = String::with_capacity(written.len());
        let mut rest = written;
        while let Some((before, (name, after))) =
            rest.split_once("{{").and_then(|(before, from)| Some((before, from.split_once("}}")?)))
        {
            whole += before;
            whole += &self.value(metric, name.trim(), given)?;
            rest = after;
        }
        // Line breaks say nothing in a query, and would tear the table.
        Ok((whole + rest).split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// What a name in a query stands for.
    fn value(&self, metric: &Metric, name: &str, given: &BTreeMap<String, String>) -> Result<String> {
        let variable = name.strip_prefix("variables.");
        let of_metric = || match variable {
            Some(variable) => metric.variables.iter().find(|(known, _)| known == variable).map(|(_, value)| value.clone()),
            None if name == "interval" => Some(metric.interval.clone()),
            None => None,
        };
        let given = || given.get(variable.unwrap_or(name)).cloned();
        given().or_else(of_metric).or_else(|| self.known.get(name).cloned()).ok_or_else(|| {
            let name = name.escape_debug();
            Error::usage(format!("nothing is known for `{{{{ {name} }}}}` in the metric `{}`", metric.name))
                .hint(format!("give it: `--arg {}=VALUE`", variable.unwrap_or(&name.to_string())))
        })
    }

    fn template(&self, metric: &Metric) -> Option<&Template> {
        let Source::Template(name, namespace) = &metric.source else { return None };
        // Without a namespace it is that of the canary.
        let namespace = namespace.as_ref().or_else(|| self.known.get("namespace"));
        let fits = |template: &&Template| match (namespace, &template.namespace) {
            (Some(wanted), Some(here)) => wanted == here,
            _ => true,
        };
        self.templates.iter().filter(|template| template.name == *name).find(fits)
    }

    /// Grades what was measured.
    pub fn grade(&self, evidence: Evidence) -> Evaluation {
        grade::grade(self, evidence)
    }
}

#[cfg(test)]
mod tests;
