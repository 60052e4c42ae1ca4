//! Prometheus, by its URL or through the API server.

use crate::cluster::Cluster;
use crate::commands::Context;
use crate::commands::evaluate::question::Sources;
use crate::commands::evaluate::{body, seconds};
use crate::core::gate::evaluation::Sample;
use crate::core::gate::prometheus as answers;
use crate::core::gate::require;
use crate::error::{Error, Kind, Result};
use crate::metrics::{Answer, Ask, Direct, Prometheus, Transport};
use crate::settings::Settings;
use std::rc::Rc;

/// Reaches it.
///
/// # Errors
/// `Usage` for a URL that cannot be used, `NotFound` where the cluster has none.
pub async fn reach(
    context: &Context,
    sources: &Sources,
    cluster: Option<Rc<Cluster>>,
    settings: &Settings,
) -> Result<Prometheus<'static>> {
    let transport = match (&sources.prometheus, cluster) {
        (Some(url), _) => Transport::Direct(Box::new(Direct::new(url, &sources.access)?)),
        (None, Some(cluster)) => through(context, cluster).await?,
        (None, None) => return Err(Error::usage("no metrics source: name one with `--prometheus URL`")),
    };
    Ok(Prometheus { transport, patience: settings.connection.request_timeout.as_secs_f64().min(60.0) })
}

/// Its time in whole seconds: the clock that the samples were taken by.
///
/// # Errors
/// `Unreachable` where nobody answers, or something else.
pub async fn clock(prometheus: &Prometheus<'_>) -> Result<i64> {
    let answer = prometheus.clock().await?;
    let now = body(&answer.body).ok().filter(|_| (200..300).contains(&answer.status)).and_then(|body| require::latest(&body));
    #[allow(clippy::cast_possible_truncation)] // the source's time, in seconds
    now.map(|now| now.floor() as i64).ok_or_else(|| {
        let why = answers::refusal(answer.status, &answer.body);
        Error::new(Kind::Unreachable, format!("what answers is no Prometheus: {why}"))
    })
}

/// The series of a query at a time, in seconds since the epoch.
///
/// # Errors
/// `Unreachable` where nobody answers, `Failed` where the query is refused.
pub async fn instant(prometheus: &Prometheus<'_>, query: &str, time: i64) -> Result<Vec<Sample>> {
    let answer = prometheus.instant(query, seconds(time)).await?;
    let samples = match answer.status {
        200..300 => body(&answer.body).and_then(|body| answers::samples(&body)),
        status => Err(answers::refusal(status, &answer.body)),
    };
    samples.map_err(Error::failed)
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
            Ok(Answer { status, body })
        })
    })))
}
