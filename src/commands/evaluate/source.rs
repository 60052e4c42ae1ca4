//! Asks a metrics source what a gate needs.

use super::question::Question;
use super::sides::Sides;
use super::{body, seconds};
use crate::cluster::Cluster;
use crate::commands::Context;
use crate::core::gate::Gate;
use crate::core::gate::evaluation::{Answer, Window};
use crate::core::gate::prometheus as answers;
use crate::core::gate::require::{self, Indicator, Sampled, Side, Term};
use crate::error::{Error, Kind, Result};
use crate::metrics::{Ask, Direct, Prometheus, Transport};
use crate::settings::Settings;
use futures_util::StreamExt as _;
use std::rc::Rc;

/// The length of an interval in seconds, as long as most scrape intervals.
const STEP: i64 = 15;

/// Data older than this many seconds says nothing about now: a target that is gone would look healthy.
const STALE: f64 = 90.0;

/// So many queries are asked at once.
const CONCURRENCY: usize = 8;

/// Where the numbers come from, and for `--require` whose they are.
pub struct Source {
    prometheus: Prometheus<'static>,
    sides: Option<Sides>,
    /// Where the first look's window began. Later looks add to its evidence: a window that moved along would be a new test
    /// at every look, and many tests fail a good version in the end.
    begun: Option<i64>,
}

impl Source {
    /// Reaches the source.
    ///
    /// # Errors
    /// `NotFound` where the cluster has none, or no such service.
    pub async fn find(context: &Context, question: &Question, settings: &Settings) -> Result<Self> {
        let required = matches!(question.gate, Gate::Require(_));
        let cluster = match required || question.sources.prometheus.is_none() {
            true => Some(Rc::new(Cluster::connect(&settings.connection).await?)),
            false => None,
        };
        let sides = match &cluster {
            Some(cluster) if required => Some(Sides::of(cluster, question).await?),
            _ => None,
        };
        let transport = match (&question.sources.prometheus, cluster) {
            (Some(url), _) => Transport::Direct(Box::new(Direct::new(url, &question.sources.access)?)),
            (None, Some(cluster)) => through(context, cluster).await?,
            (None, None) => return Err(Error::usage("no metrics source: name one with `--prometheus URL`")),
        };
        Ok(Self {
            prometheus: Prometheus { transport, patience: settings.connection.request_timeout.as_secs_f64().min(60.0) },
            sides,
            begun: None,
        })
    }

    /// What the gate asks for, and of which window.
    ///
    /// # Errors
    /// `Unreachable` where there is no answer.
    pub async fn measure(&mut self, question: &Question) -> Result<(Window, Vec<Answer>)> {
        let mut window = match question.span.end {
            Some(end) => question.span.window(end)?,
            None => question.span.window(self.clock().await?)?,
        };
        if matches!(question.gate, Gate::Require(_)) {
            window.start = *self.begun.get_or_insert(window.start);
        }
        Ok((window, self.at(question, window).await?))
    }

    /// What the gate asks for, of one window.
    ///
    /// # Errors
    /// `Unreachable` where there is no answer.
    pub async fn at(&self, question: &Question, window: Window) -> Result<Vec<Answer>> {
        match &question.gate {
            Gate::Require(terms) => self.terms(terms, window).await,
            _ => self.instant(question.queries(window)?, window).await,
        }
    }

    /// The source's time in whole seconds: windows must not depend on two clocks that agree.
    pub async fn clock(&self) -> Result<i64> {
        let answer = self.prometheus.clock().await?;
        let now = body(&answer.body).ok().filter(|_| (200..300).contains(&answer.status)).and_then(|body| require::latest(&body));
        #[allow(clippy::cast_possible_truncation)] // the source's time, in seconds
        now.map(|now| now.floor() as i64).ok_or_else(|| {
            let why = answers::refusal(answer.status, &answer.body);
            Error::new(Kind::Unreachable, format!("what answers is no Prometheus: {why}"))
        })
    }

    /// One value a query, at the end of the window.
    async fn instant(&self, queries: Vec<(String, String)>, window: Window) -> Result<Vec<Answer>> {
        let asking = queries.into_iter().enumerate().map(|(place, (id, query))| async move {
            let answer = self.prometheus.instant(&query, seconds(window.end)).await.map(|answer| {
                let samples = match answer.status {
                    200..300 => body(&answer.body).and_then(|body| answers::samples(&body)),
                    status => Err(answers::refusal(status, &answer.body)),
                };
                match samples {
                    Ok(samples) => Answer { query: Some(query.clone()), ..Answer::new(id.clone(), samples) },
                    Err(why) => Answer { query: Some(query.clone()), ..Answer::refused(id.clone(), why) },
                }
            });
            (place, answer)
        });
        let mut answers: Vec<(usize, Result<Answer>)> =
            futures_util::stream::iter(asking).buffer_unordered(CONCURRENCY).collect().await;
        answers.sort_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// The counts that the terms need: each counter is asked for once, whatever the number of terms.
    async fn terms(&self, terms: &[Term], window: Window) -> Result<Vec<Answer>> {
        let Some(sides) = &self.sides else { return Err(Error::usage("--require needs the name of a service")) };
        let fresh = self.prometheus.instant(&require::freshness(&sides.candidate), seconds(window.end)).await?;
        let newest = body(&fresh.body).ok().and_then(|body| require::latest(&body));
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
        let candidate = sampled(&self.prometheus, &sides.candidate, terms, window, STEP).await?;
        let (stable, history) = match &sides.stable {
            Some(side) => {
                let before = Window { start: window.start - 3600, end: window.start };
                let now = sampled(&self.prometheus, side, terms, window, STEP).await?;
                (Some(now), Some(sampled(&self.prometheus, side, terms, before, STEP).await?))
            }
            None => (None, None),
        };
        Ok(terms
            .iter()
            .map(|term| require::answer(term, &sides.candidate, &candidate, stable.as_ref(), history.as_ref()))
            .collect())
    }
}

/// What a side did in a window: one query for its requests, one more where latencies are asked for.
async fn sampled(prometheus: &Prometheus<'_>, side: &Side, terms: &[Term], window: Window, step: i64) -> Result<Sampled> {
    let range = |query: String| async move {
        let answer = prometheus.range(&query, seconds(window.start), seconds(window.end), seconds(step)).await?;
        let refused = |why: String| Error::new(Kind::Unreachable, format!("the metrics source refused `{query}`: {why}"));
        match answer.status {
            200..300 => body(&answer.body).map_err(refused),
            status => Err(refused(answers::refusal(status, &answer.body))),
        }
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

/// The cluster's own Prometheus, through the API server.
async fn through(context: &Context, cluster: Rc<Cluster>) -> Result<Transport<'static>> {
    let Some(place) = cluster.prometheus().await? else {
        return Err(
            Error::not_found("no Prometheus was found in the cluster at the usual places").hint("name it: `--prometheus URL`")
        );
    };
    context.ui.say(&format!("asking {}/{} through the API server\n", place.namespace, place.name));
    Ok(Transport::Through(Box::new(move |ask: Ask| {
        let (cluster, place) = (cluster.clone(), place.clone());
        Box::pin(async move {
            let form = crate::metrics::form(&ask.fields);
            let (query, body) = if ask.method == http::Method::POST { (String::new(), Some(form)) } else { (form, None) };
            let (status, body) = cluster.through(&place, &ask.path, &query, body).await?;
            Ok(crate::metrics::Answer { status, body })
        })
    })))
}
