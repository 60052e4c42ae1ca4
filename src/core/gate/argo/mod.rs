//! Argo's `AnalysisTemplate` and `ClusterAnalysisTemplate`, of argo-rollouts 1.9: metrics with conditions on their result.
//!
//! Argo measures each metric `count` times, one `interval` after the other, from now on. Here the same measurements are taken
//! at once: at the window's end and at the `count - 1` intervals before it. The limits are Argo's.
//!
//! | original | here |
//! |---|---|
//! | an `interval` without a `count` measures until the run is ended | as often as the window has room for |
//! | `initialDelay` waits | nothing is waited for: say the window |
//! | a web page is asked again and again | once: it cannot be asked about the past |
//! | a measurement that fails is tried again every 10 s, up to `consecutiveErrorLimit` times | it is an error at once; with one that has no value the metric does not pass |
//! | NaN: failed with a `successCondition`, successful with a `failureCondition` alone | not measured, unless the condition asks `isNaN`; nor is what 0 / 0 comes to |
//! | an infinity satisfies `>= 0.95` | not measured, unless the condition asks `isInf` |
//! | a vector without series satisfies `sum(result) < 1` | an error, unless the condition asks for its `len` or a `default` |
//! | `all` and `none` of an empty list are true | an error |
//! | a missing field is unequal to everything but `nil` | an error |
//! | a limit excuses failures of fewer measurements than `count` | only where there are more measurements than it allows to fail |
//! | a metric without conditions is successful | only shown; with no other metric nothing passes |
//! | a metric with `dryRun` | only shown, with what would have become of it |
//! | a vector where the condition wants a number is an error | the same; a value that was given may be either |
//! | other providers (`job`, `datadog` …), range queries | their values can be given; they are not asked |

mod grade;
mod read;

use super::evaluation::{Evaluation, Evidence};
use super::promql;
use super::query::{Query, Web};
use crate::core::lint::{self, Finding, Findings, Options};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// The metrics of the templates of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Argo {
    /// The metrics; their names differ.
    pub metrics: Vec<Metric>,
    /// The arguments, and their values where the file has them.
    pub arguments: Vec<(String, Option<String>)>,
    /// What has another meaning here.
    pub notes: Vec<String>,
    text: String,
}

/// A metric and how it is judged. The texts hold `{{args.name}}` as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// What is asked.
    pub provider: Provider,
    /// When a measurement is successful.
    pub success: Option<String>,
    /// When it has failed.
    pub failure: Option<String>,
    /// How many measurements; see [`Argo::queries`] for none.
    pub count: Option<String>,
    /// How far apart they are.
    pub interval: Option<String>,
    /// More failures than this fail the metric; with -1 none do.
    pub failure_limit: Option<String>,
    /// More inconclusive ones than this make it inconclusive.
    pub inconclusive_limit: Option<String>,
    /// More errors than this one behind the other are an error.
    pub error_limit: Option<String>,
    /// So many successes one behind the other are enough, and needed.
    pub success_limit: Option<String>,
    /// Whether it is only shown.
    pub dry_run: bool,
    pointer: String,
}

/// Who is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Provider {
    /// Prometheus, an instant query.
    Prometheus(String),
    /// An HTTP server.
    Web(Box<Web>),
    /// Somebody whom tidegate does not ask: why not.
    #[default]
    Other,
}

/// More measurements than this are not asked for at once.
const MOST: usize = 100;

impl Argo {
    /// Reads the templates of a file. `file` is what errors call it.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let (argo, findings) = read::read(text);
        let findings = findings.located(text);
        match lint::refuse(file, text, &findings) {
            Some(error) => Err(error),
            None => Ok(argo),
        }
    }

    /// All that is wrong, surely not meant, or means something else here.
    pub fn lint(text: &str, options: Options) -> Vec<Finding> {
        let (argo, mut found) = read::read(text);
        found.options = options;
        read::doubts(&argo, &mut found);
        found.located(text)
    }

    /// What to ask, by metric: one query a measurement, the oldest first. `seconds` is the length of the window.
    ///
    /// # Errors
    /// `Usage` for an argument without a value, and for a provider that is not asked.
    pub fn queries(&self, given: &BTreeMap<String, String>, seconds: f64) -> Result<Vec<(String, Query)>> {
        let mut queries = Vec::new();
        for metric in &self.metrics {
            let filled = |text: &str| self.filled(text, given);
            match &metric.provider {
                Provider::Prometheus(query) => {
                    let query = filled(query)?;
                    let (count, interval) = self.plan(metric, given, seconds)?;
                    for ago in (0..count).rev() {
                        let one = match ago as i64 * interval {
                            0 => Query::Prometheus(query.clone()),
                            ago => Query::PrometheusAgo(query.clone(), ago),
                        };
                        queries.push((metric.name.clone(), one));
                    }
                }
                Provider::Web(web) => {
                    let headers = web.headers.iter().map(|(name, value)| Ok((name.clone(), filled(value)?)));
                    let web = Web {
                        url: filled(&web.url)?,
                        headers: headers.collect::<Result<_>>()?,
                        body: web.body.as_deref().map(filled).transpose()?,
                        path: filled(&web.path)?,
                        ..(**web).clone()
                    };
                    queries.push((metric.name.clone(), Query::Web(web)));
                }
                Provider::Other => {
                    return Err(Error::usage(format!("the metric `{}` asks a provider that is not asked here", metric.name))
                        .hint("give its values with `--values FILE`"));
                }
            }
        }
        Ok(queries)
    }

    /// How many measurements are taken, and how many seconds they are apart.
    fn plan(&self, metric: &Metric, given: &BTreeMap<String, String>, seconds: f64) -> Result<(usize, i64)> {
        let number = |text: &Option<String>| text.as_deref().map(|text| self.number(text, given)).transpose();
        let interval = match &metric.interval {
            None => None,
            Some(text) => {
                let text = self.filled(text, given)?;
                Some(length(&text).ok_or_else(|| Error::usage(format!("`{}` is not a length of time", text.escape_debug())))?)
            }
        };
        let count = match (number(&metric.count)?.filter(|count| *count > 0), interval) {
            (Some(count), _) => usize::try_from(count).unwrap_or(MOST),
            (None, Some(interval)) => (seconds / interval) as usize + 1,
            (None, None) => 1,
        };
        Ok((count.min(MOST), interval.unwrap_or(0.0) as i64))
    }

    /// A whole number, or an argument that is one.
    fn number(&self, text: &str, given: &BTreeMap<String, String>) -> Result<i64> {
        let text = self.filled(text, given)?;
        text.trim().parse().map_err(|_| Error::usage(format!("`{}` is not a whole number", text.escape_debug())))
    }

    /// A text with its arguments filled in.
    ///
    /// # Errors
    /// `Usage` for one without a value.
    fn filled(&self, text: &str, given: &BTreeMap<String, String>) -> Result<String> {
        let mut whole = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, (name, after))) =
            rest.split_once("{{").and_then(|(before, from)| Some((before, from.split_once("}}")?)))
        {
            let name = name.trim();
            let name = name.strip_prefix("args.").unwrap_or(name);
            let known = || self.arguments.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone());
            let value = given.get(name).cloned().or_else(known).ok_or_else(|| {
                Error::usage(format!("nothing is known for the argument `{}`", name.escape_debug()))
                    .hint(format!("give it: `--arg {name}=VALUE`"))
            })?;
            whole += before;
            whole += &value;
            rest = after;
        }
        Ok(whole + rest)
    }

    /// Grades what was measured.
    pub fn grade(&self, evidence: Evidence) -> Evaluation {
        grade::grade(self, evidence)
    }
}

/// A length of time in seconds, as Kubernetes writes it: `1m30s`, `500ms`, `1.5h`.
pub(super) fn length(text: &str) -> Option<f64> {
    let text = text.trim();
    let whole = || {
        let (mut rest, mut total) = (text, 0.0);
        while !rest.is_empty() {
            let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
            let (count, behind) = rest.split_at(digits);
            let (unit, behind) = behind.split_at(behind.find(|letter: char| letter.is_ascii_digit()).unwrap_or(behind.len()));
            let seconds = match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                _ => return None,
            };
            total += count.parse::<f64>().ok()? * seconds;
            rest = behind;
        }
        Some(total)
    };
    whole().filter(|seconds| *seconds > 0.0)
}

/// What is wrong with the PromQL of a metric, however its arguments are filled in.
fn check(pointer: &str, query: &str, found: &mut Findings) {
    found.promql(pointer, query);
    if promql::check(query).error.is_none() && query.contains("irate(") {
        found.note(pointer, "`irate` looks at the last two scrapes alone: of a window of minutes it judges some seconds");
    }
}

#[cfg(test)]
mod tests;
