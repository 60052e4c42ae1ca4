//! What is asked of the metrics, whoever asks it.

use super::source::Source;
use crate::cli::Metrics;
use crate::commands::Context;
use crate::core::gate::Gate;
use crate::core::gate::evaluation::{Evaluation, Evidence, Previous, Verdict, Window};
use crate::core::gate::placeholders::Context as Placeholders;
use crate::core::gate::query::Query;
use crate::core::gate::sli::Sli;
use crate::error::{Error, Kind, Result};
use crate::metrics::Access;
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The pause between two looks while too little is known, where scrapes are not more frequent; and between two words of it.
pub const LOOK: Duration = Duration::from_secs(5);

/// A gate, and all that its queries need.
#[derive(Clone, Debug)]
pub struct Question {
    /// The gate.
    pub gate: Gate,
    /// The queries of an SLO's indicators.
    pub sli: Option<Sli>,
    /// What placeholders stand for. The length of the window is added when it is known.
    pub placeholders: Placeholders,
    /// The arguments of a gate file that has some.
    pub arguments: BTreeMap<String, String>,
    /// Whose release the terms of `--require` judge.
    pub service: Option<String>,
    /// The destination that is judged, where the release does not say it.
    pub candidate: Option<String>,
    /// The destination to compare with, where the release does not say it.
    pub stable: Option<String>,
    /// Whose metrics the terms of `--require` are read from.
    pub metrics: Metrics,
    /// When.
    pub span: Span,
    /// Earlier evaluations, newest first.
    pub previous: Vec<Previous>,
    /// Where the numbers come from.
    pub sources: Sources,
}

/// A window of time: from `start` to `end`, in seconds since the epoch, or the last `length` before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its length where it has no start.
    pub length: Duration,
    /// Its start.
    pub start: Option<i64>,
    /// Its end; now where there is none.
    pub end: Option<i64>,
}

impl Span {
    /// The window, `now` in seconds since the epoch.
    ///
    /// # Errors
    /// `Usage` where it ends before it begins.
    pub fn window(&self, now: i64) -> Result<Window> {
        let end = self.end.unwrap_or(now);
        let length = i64::try_from(self.length.as_secs()).unwrap_or(i64::MAX);
        Window::new(self.start.unwrap_or(end.saturating_sub(length)), end)
    }
}

/// Where numbers come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The URL of Prometheus; looked for in the cluster where there is none.
    pub prometheus: Option<String>,
    /// What its URL needs beside it.
    pub access: Access,
    /// The address of Dynatrace; looked for in the cluster where there is none.
    pub dynatrace: Option<String>,
    /// The API token for it.
    pub dynatrace_token: Option<String>,
}

impl Sources {
    /// Whether Dynatrace is the only one that is named.
    pub fn only_dynatrace(&self) -> bool {
        self.dynatrace.is_some() && self.prometheus.is_none()
    }
}

impl Question {
    /// The window of a look now, by this machine's clock.
    pub fn window(&self) -> Result<Window> {
        self.span.window(jiff::Timestamp::now().as_second())
    }

    /// The queries of a gate file, with their placeholders filled in: before anybody is asked, this says what the files lack.
    ///
    /// # Errors
    /// `Usage` for an indicator without a query and a placeholder that stands for nothing.
    pub fn queries(&self, window: Window) -> Result<Vec<(String, Query)>> {
        let placeholders = Placeholders { seconds: Some(super::seconds(window.end - window.start)), ..self.placeholders.clone() };
        match &self.gate {
            Gate::Perfspec(spec) => spec.clone().resolve(&placeholders)?.queries(),
            Gate::Slo(slo) => {
                let sli = self.sli.as_ref().ok_or_else(|| {
                    Error::usage("an slo.yaml has no queries of its own")
                        .hint("name the file that has them with `--sli sli.yaml`, or give values with `--values FILE`")
                })?;
                sli.queries(slo, &placeholders, self.sources.only_dynatrace())
            }
            Gate::Argo(argo) => argo.queries(&self.arguments, super::seconds(window.end - window.start)),
            Gate::Flagger(flagger) => flagger.queries(&self.arguments),
            Gate::Kayenta(kayenta) => kayenta.queries(&self.arguments),
            Gate::Require(_) => Ok(Vec::new()),
        }
    }

    /// Measures and grades; where `patient`, again and again until enough is known or the deadline is near.
    ///
    /// # Errors
    /// `Usage` where files lack something, `Unreachable` and `Timeout` where a source does not answer.
    pub async fn ask(&self, context: &Context, settings: &Settings, deadline: Instant, patient: bool) -> Result<Evaluation> {
        let mut source = Source::find(context, self, settings).await?;
        let mut said = None;
        let mut last = None;
        loop {
            let (window, answers) = match (source.measure(context, self, deadline).await, last.take()) {
                // A look that the deadline cut short takes nothing from the one before.
                (Err(error), Some(result)) if error.kind == Kind::Timeout => return Ok(result),
                (measured, _) => measured?,
            };
            let evidence =
                Evidence { window: Some(window), answers, previous: self.previous.clone(), arguments: self.arguments.clone() };
            let result = self.gate.grade(evidence);
            let open = result.verdict == Verdict::Inconclusive && patient && self.span.end.is_none();
            let pause = source.pause();
            if !open || Instant::now() + pause >= deadline {
                return Ok(result);
            }
            if said.is_none_or(|said: Instant| said.elapsed() >= LOOK) {
                context.ui.say(&format!("inconclusive: {}\n", result.reason));
                said = Some(Instant::now());
            }
            last = Some(result);
            tokio::time::sleep(pause).await;
        }
    }
}
