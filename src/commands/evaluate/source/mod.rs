//! Asks the sources what a gate needs: each query of the one that it names, all side by side.

mod dynatrace;
mod external;
mod prometheus;
mod terms;

use super::question::{LOOK, Question, Sources};
use super::sides::Sides;
use crate::cli::MonitoringSource;
use crate::cluster::Cluster;
use crate::commands::Context;
use crate::core::gate::Gate;
use crate::core::gate::dynatrace::Dynatrace;
use crate::core::gate::evaluation::{Answer, Sample, Window};
use crate::core::gate::prometheus as answers;
use crate::core::gate::query::Query;
use crate::error::{Error, Kind, Result};
use crate::metrics::Transport;
use crate::settings::Settings;
pub use dynatrace::SECRET as DYNATRACE_SECRET;
use futures_util::StreamExt as _;
use prometheus::Client;
pub use prometheus::{SECRET as PROMETHEUS_SECRET, known as knows_prometheus};
use serde_json::Value;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// So many queries are asked at once.
const CONCURRENCY: usize = 8;

/// Where the numbers come from, and for `--require` whose they are.
pub struct Source {
    prometheus: Option<Client>,
    dynatrace: Option<Transport<'static>>,
    sides: Option<Sides>,
    /// Where the first look's window began. Later looks add to its evidence: a window that moved along would be a new test
    /// at every look, and many tests fail a good version in the end.
    begun: Option<i64>,
    /// The length of an interval in seconds, once it is known.
    step: Cell<Option<i64>>,
}

impl Source {
    /// Reaches the sources that the gate's queries name.
    ///
    /// # Errors
    /// `Usage` where files lack something, `NotFound` where the cluster has no source, or no such service.
    pub async fn find(context: &Context, question: &Question, settings: &Settings) -> Result<Self> {
        let queries = question.queries(question.window()?)?;
        let required = matches!(question.gate, Gate::Require(_));
        let asked = required || queries.iter().any(|(_, query)| query.is_of_prometheus());
        let cluster = match required || asked && question.sources.prometheus.is_none() {
            true => Some(Rc::new(Cluster::connect(&settings.connection).await?)),
            false => None,
        };
        let sides = match &cluster {
            Some(cluster) if required => Some(Sides::of(cluster, question).await?),
            _ => None,
        };
        let prometheus = match asked {
            true => Some(Client::reach(context, &question.sources, cluster, settings).await?),
            false => None,
        };
        let dynatrace = match queries.iter().any(|(_, query)| matches!(query, Query::Dynatrace(_))) {
            true => Some(dynatrace::reach(&question.sources, settings).await?),
            false => None,
        };
        Ok(Self { prometheus, dynatrace, sides, begun: None, step: Cell::new(None) })
    }

    /// What the gate asks for, and of which window.
    ///
    /// # Errors
    /// `Unreachable` and `Timeout` where nobody answers.
    pub async fn measure(&mut self, context: &Context, question: &Question, deadline: Instant) -> Result<(Window, Vec<Answer>)> {
        let now = match question.span.end {
            Some(end) => end,
            None => within(deadline, self.clock()).await?,
        };
        let mut window = question.span.window(now)?;
        if matches!(question.gate, Gate::Require(_)) {
            window.start = *self.begun.get_or_insert(window.start);
        }
        Ok((window, self.at(context, question, window, deadline).await?))
    }

    /// What the gate asks for, of one window.
    ///
    /// # Errors
    /// As [`Source::measure`].
    pub async fn at(&self, context: &Context, question: &Question, window: Window, deadline: Instant) -> Result<Vec<Answer>> {
        let answers = match (&question.gate, &self.sides, &self.prometheus) {
            (Gate::Require(terms), Some(sides), Some(prometheus)) => {
                let measure = async {
                    let step = match self.step.get() {
                        None => terms::step(prometheus, sides, window.end).await?,
                        known => known,
                    };
                    // Once it is known it stays: the same requests are not to be divided anew with each look.
                    self.step.set(step);
                    terms::measure(prometheus, sides, terms, window, step).await
                };
                within(deadline, measure).await
            }
            (Gate::Require(_), ..) => Err(Error::usage("--require needs the name of a service")),
            _ => {
                let queries = question.queries(window)?;
                dynatrace::complete(context, &queries, window, deadline).await?;
                self.answers(queries, question, window, deadline).await
            }
        };
        if let Some(prometheus) = &self.prometheus {
            prometheus.tell(context);
        }
        answers
    }

    /// How long to wait for something new: the time of a scrape, at most [`LOOK`].
    pub fn pause(&self) -> Duration {
        self.step.get().and_then(|step| u64::try_from(step).ok()).map_or(LOOK, |step| LOOK.min(Duration::from_secs(step)))
    }

    /// The time in whole seconds, by Prometheus' clock where it is asked: windows must not depend on two clocks that agree.
    ///
    /// # Errors
    /// `Unreachable` where it does not answer.
    pub async fn clock(&self) -> Result<i64> {
        match &self.prometheus {
            Some(prometheus) => prometheus.clock().await,
            None => Ok(jiff::Timestamp::now().as_second()),
        }
    }

    /// The answers to a gate file's queries, in its order.
    ///
    /// # Errors
    /// `Usage` and `Forbidden` as soon as a query cannot be asked; the first failure where no source answers at all.
    async fn answers(
        &self,
        queries: Vec<(String, Query)>,
        question: &Question,
        window: Window,
        deadline: Instant,
    ) -> Result<Vec<Answer>> {
        let entity = match &self.dynatrace {
            Some(transport) => {
                within(deadline, dynatrace::entity(transport, &queries, &question.placeholders, window, deadline)).await
            }
            None => Ok(None),
        };
        let look = Look { question, window, deadline, entity };
        let look = &look;
        let asking = queries.into_iter().map(|(id, query)| async move {
            let samples = within(deadline, self.ask(&query, look)).await;
            (id, look.sent(&query), samples)
        });
        let all: Vec<(String, String, Result<Vec<Sample>>)> =
            futures_util::stream::iter(asking).buffered(CONCURRENCY).collect().await;
        let away = |error: &Error| matches!(error.kind, Kind::Unreachable | Kind::Timeout);
        let failures = || all.iter().filter_map(|(.., samples)| samples.as_ref().err());
        let nobody = failures().filter(|error| away(error)).count() == all.len();
        if let Some(error) = failures().find(|error| nobody || matches!(error.kind, Kind::Usage | Kind::Forbidden)) {
            return Err(error.clone());
        }
        let answer = |(id, line, samples): (String, String, Result<Vec<Sample>>)| {
            let answer = match samples {
                Ok(samples) => Answer::new(id, samples),
                Err(error) => Answer::refused(id, error.message),
            };
            Answer { query: Some(line), ..answer }
        };
        Ok(all.into_iter().map(answer).collect())
    }

    /// What one query answers. A refusal is an error, too.
    async fn ask(&self, query: &Query, look: &Look<'_>) -> Result<Vec<Sample>> {
        let Look { question, window, deadline, entity } = look;
        match (query, &self.prometheus, &self.dynatrace) {
            (Query::Prometheus(query), Some(prometheus), _) => prometheus.samples(query, window.end).await,
            (Query::PrometheusAgo(query, ago), Some(prometheus), _) => {
                prometheus.samples(query, window.end.saturating_sub(*ago)).await
            }
            (Query::PrometheusRange { query, step, side }, Some(prometheus), _) => {
                let values = answers::range(&prometheus.range(query, *window, *step).await?).map_err(Error::failed)?;
                Ok(vec![Sample::of(*side, values)])
            }
            (Query::Prometheus(_) | Query::PrometheusAgo(..) | Query::PrometheusRange { .. }, None, _) => {
                Err(Error::usage("no metrics source: name one with `--prometheus URL`"))
            }
            (Query::Dynatrace(query), _, Some(transport)) => match (query, entity) {
                (Dynatrace::Timeseries(series), Err(error)) if series.is_open() => Err(error.clone()),
                (_, Ok(Some(entity))) => dynatrace::ask(transport, &query.of_entity(entity), *window, *deadline).await,
                _ => dynatrace::ask(transport, query, *window, *deadline).await,
            },
            (Query::Dynatrace(_), _, None) => Err(Error::usage("no Dynatrace: name it with `--dynatrace URL`")),
            (Query::Web(web), ..) => external::web(web, question.sources.access.timeout).await,
            (Query::Command(command), ..) => external::command(command, &question.placeholders, *window).await,
        }
    }
}

/// What all queries of a look share.
struct Look<'a> {
    question: &'a Question,
    window: Window,
    deadline: Instant,
    /// The entity of Dynatrace that is judged where a query names none.
    entity: Result<Option<String>>,
}

impl Look<'_> {
    /// The query as it is sent.
    fn sent(&self, query: &Query) -> String {
        match (query, &self.entity) {
            (Query::Dynatrace(query), Ok(Some(entity))) => query.of_entity(entity).sent(self.window),
            (Query::Dynatrace(query), _) => query.sent(self.window),
            _ => query.line(),
        }
    }
}

/// What comes of `asking`, if it comes before the deadline.
async fn within<T>(deadline: Instant, asking: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(Error::new(Kind::Timeout, "the metrics source did not answer within --timeout"));
    tokio::time::timeout_at(deadline.into(), asking).await.unwrap_or_else(late)
}

/// Whether a source answers.
///
/// # Errors
/// `Unreachable` and `Forbidden`; `NotFound` where nobody knows an address.
pub async fn reachable(context: &Context, sources: &Sources, settings: &Settings, which: MonitoringSource) -> Result<()> {
    match which {
        MonitoringSource::Dynatrace => dynatrace::test(&dynatrace::reach(sources, settings).await?).await,
        MonitoringSource::Prometheus => {
            let cluster = match sources.prometheus {
                Some(_) => None,
                None => Some(Rc::new(Cluster::connect(&settings.connection).await?)),
            };
            Client::reach(context, sources, cluster, settings).await?.clock().await.map(|_| ())
        }
    }
}

/// A text of a Secret.
fn secret(secret: &Value, key: &str) -> Option<String> {
    use base64::Engine as _;
    let coded = secret.pointer(&format!("/data/{key}")).and_then(Value::as_str)?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(coded).ok()?;
    String::from_utf8(bytes).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
