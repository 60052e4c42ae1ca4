//! What the terms of `--require` need of Prometheus.

use super::prometheus::Client;
use crate::commands::evaluate::seconds;
use crate::commands::evaluate::sides::Sides;
use crate::core::gate::evaluation::{Answer, Window};
use crate::core::gate::require::{self, Indicator, Sampled, Side, Term};
use crate::error::{Error, Kind, Result};

/// The length of an interval in seconds, as long as most scrape intervals: of the hour from which bursts are learned, and
/// of the window where nothing is known of its scrapes.
const STEP: i64 = 15;

/// Data older than this many seconds says nothing about now: a target that is gone would look healthy.
const STALE: f64 = 90.0;

/// The counts that the terms need: each counter is asked for once, whatever the number of terms.
///
/// # Errors
/// `Unreachable` where there is no answer, `Usage` where nobody knows the side to compare with.
pub async fn measure(
    prometheus: &Client,
    sides: &Sides,
    terms: &[Term],
    window: Window,
    step: Option<i64>,
) -> Result<Vec<Answer>> {
    let newest = match prometheus.instant(&require::freshness(&sides.candidate), window.end).await {
        Err(error) if error.kind != Kind::Failed => return Err(error),
        fresh => fresh.ok().as_ref().and_then(require::latest),
    };
    let age = newest.map(|newest| seconds(window.end) - newest);
    if age.is_none_or(|age| age > STALE) {
        let why = match age {
            None => format!("the source has no requests to {}", sides.candidate.service),
            Some(age) => format!("the newest data of {} is {age:.0} s old", sides.candidate.service),
        };
        return Ok(terms.iter().map(|term| Answer::refused(term.text.clone(), why.clone())).collect());
    }
    let compares = terms.iter().any(Term::compares);
    if compares && sides.stable.is_none() {
        return Err(Error::usage("`stable` is not known: no release says which side it is")
            .hint("name it with `--stable NAME --candidate NAME`"));
    }
    // Prometheus answers with 11,000 points at most.
    let step = step.unwrap_or(STEP).max((window.end - window.start) / 10_000 + 1);
    let candidate = sampled(prometheus, &sides.candidate, terms, window, step).await?;
    let (stable, history) = match &sides.stable {
        Some(side) => {
            let before = Window { start: window.start - 3600, end: window.start };
            let now = sampled(prometheus, side, terms, window, step).await?;
            (Some(now), Some(sampled(prometheus, side, terms, before, STEP).await?))
        }
        None => (None, None),
    };
    Ok(terms.iter().map(|term| require::answer(term, &sides.candidate, &candidate, stable.as_ref(), history.as_ref())).collect())
}

/// The length of an interval that has one scrape, at most [`STEP`]: what a longer one hides would be seen later. None while
/// there are no two scrapes.
///
/// # Errors
/// `Unreachable` where there is no answer.
pub async fn step(prometheus: &Client, sides: &Sides, time: i64) -> Result<Option<i64>> {
    let samples = match prometheus.instant(&require::query_samples(&sides.candidate), time).await {
        Err(error) if error.kind != Kind::Failed => return Err(error),
        answer => answer.ok(),
    };
    #[allow(clippy::cast_possible_truncation)] // at most STEP
    let step = |gap: f64| gap.round().clamp(1.0, seconds(STEP)) as i64;
    Ok(samples.as_ref().and_then(require::cadence).map(step))
}

/// What a side did in a window: one query for its requests, one more where latencies are asked for.
async fn sampled(prometheus: &Client, side: &Side, terms: &[Term], window: Window, step: i64) -> Result<Sampled> {
    let range = |query: String| async move {
        prometheus.range(&query, window, step).await.map_err(|error| match error.kind {
            Kind::Failed => Error::new(Kind::Unreachable, format!("the metrics source refused `{query}`: {}", error.message)),
            _ => error,
        })
    };
    let latencies = terms.iter().any(|term| matches!(term.indicator, Indicator::Latency(_)));
    let buckets = async {
        match latencies {
            true => range(require::query_buckets(side)).await.map(Some),
            false => Ok(None),
        }
    };
    let (requests, buckets) = tokio::try_join!(range(require::query_requests(side)), buckets)?;
    Sampled::read(&requests, buckets.as_ref())
        .map_err(|why| Error::new(Kind::Unreachable, format!("the metrics source answered oddly: {why}")))
}
