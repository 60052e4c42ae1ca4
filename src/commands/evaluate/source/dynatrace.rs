//! Dynatrace: where it is, by which token it is asked, and how long its data are waited for.

use crate::cluster::{Cluster, SECRETS};
use crate::commands::Context;
use crate::commands::evaluate::body;
use crate::commands::evaluate::question::Sources;
use crate::core::gate::dynatrace::{Dynatrace, busiest, refusal, requests, tags};
use crate::core::gate::evaluation::{Sample, Window};
use crate::core::gate::placeholders::Context as Placeholders;
use crate::core::gate::query::Query;
use crate::error::{Error, Kind, Result};
use crate::metrics::{Access, Answer, Ask, Direct, Transport};
use crate::settings::Settings;
use http::Method;
use serde_json::Value;
use std::time::{Duration, Instant};

/// So many seconds after the end of a window what is missing may still come.
const PATIENCE: i64 = 240;

/// The pause before missing data are asked for again.
const PAUSE: Duration = Duration::from_secs(3);

/// No answer has more pages.
const MOST_PAGES: usize = 50;

/// The Secret with the address and the token, and the namespace where keptn had it.
pub const SECRET: &str = "dynatrace";
const KEPTN: &str = "keptn";

/// Reaches it: by the address and token that were given, else by those that the cluster keeps.
///
/// # Errors
/// `Usage` where there is an address and no token, `NotFound` where nobody knows an address.
pub async fn reach(sources: &Sources, settings: &Settings) -> Result<Transport<'static>> {
    let (url, token) = match (&sources.dynatrace, &sources.dynatrace_token) {
        (Some(url), Some(token)) => (url.clone(), token.clone()),
        (Some(_), None) => {
            return Err(Error::usage("no API token for Dynatrace")
                .hint("put it into the environment as DT_API_TOKEN, or into a file: `--dynatrace-token-file FILE`"));
        }
        (None, given) => {
            let (url, kept) = kept(&Cluster::connect(&settings.connection).await?).await?;
            (url, given.clone().unwrap_or(kept))
        }
    };
    let access = Access {
        headers: vec![("Authorization".into(), format!("Api-Token {}", token.trim()))],
        timeout: settings.connection.request_timeout,
        ..Access::default()
    };
    let url = if url.contains("://") { url } else { format!("https://{url}") };
    Ok(Transport::Direct(Box::new(Direct::new(&url, &access)?)))
}

/// What the cluster's Secret says: that of the namespace, else keptn's.
async fn kept(cluster: &Cluster) -> Result<(String, String)> {
    let mut found = None;
    for namespace in [cluster.namespace.as_str(), KEPTN] {
        if found.is_none() {
            found = cluster.object(&SECRETS, namespace, SECRET).await?.map(|secret| (namespace, secret));
        }
    }
    let (namespace, secret) = found.ok_or_else(|| {
        Error::not_found(format!("no address of Dynatrace, and no Secret {KEPTN}/{SECRET} that has one"))
            .hint("name it: `--dynatrace https://ID.live.dynatrace.com`, or give values with `--values FILE`")
    })?;
    let text = |key: &str| {
        super::secret(&secret, key).ok_or_else(|| Error::not_found(format!("the Secret {namespace}/{SECRET} has no {key}")))
    };
    Ok((text("DT_TENANT")?, text("DT_API_TOKEN")?))
}

/// Whether it answers, and lets this token read metrics.
///
/// # Errors
/// `Unreachable`, `Forbidden`; `Failed` where something else answers.
pub async fn test(transport: &Transport<'_>) -> Result<()> {
    let fields = vec![("pageSize".to_owned(), "1".to_owned())];
    let answer = transport.send(&Ask { path: "/api/v2/metrics".into(), fields, ..Ask::default() }).await?;
    let page = read(&answer)?;
    match page.get("metrics").is_some_and(Value::is_array) {
        true => Ok(()),
        false => Err(Error::failed("what answers is no Dynatrace")),
    }
}

/// The document of an answer.
fn read(answer: &Answer) -> Result<Value> {
    let said = || refusal(answer.status, &answer.body);
    match answer.status {
        200..300 => body(&answer.body).map_err(Error::failed),
        401 | 403 => Err(Error::new(Kind::Forbidden, format!("Dynatrace refuses the API token: {}", said()))),
        // What is not known yet: a metric, an entity.
        400 | 404 => Err(Error::not_found(said())),
        _ => Err(Error::failed(said())),
    }
}

/// Waits until the data of a window are complete, as keptn's service did.
///
/// # Errors
/// `Inconclusive` at once where that is after the deadline.
pub async fn complete(context: &Context, queries: &[(String, Query)], window: Window, deadline: Instant) -> Result<()> {
    let delays = queries.iter().filter_map(|(_, query)| match query {
        Query::Dynatrace(query) => Some(query.delay()),
        _ => None,
    });
    let Some(delay) = delays.max() else { return Ok(()) };
    let missing = window.end.saturating_add(delay) - jiff::Timestamp::now().as_second();
    let Ok(wait @ 1..) = u64::try_from(missing) else { return Ok(()) };
    if Instant::now() + Duration::from_secs(wait) >= deadline {
        return Err(Error::new(
            Kind::Inconclusive,
            format!("Dynatrace's data are complete {delay} s after the end of a window: in {wait} s, which is after --timeout"),
        )
        .hint("wait for them with a longer `--timeout`, or name an earlier window: `--start TIME --end TIME`"));
    }
    context.ui.say(&format!("waiting {wait} s until Dynatrace's data are complete\n"));
    tokio::time::sleep(Duration::from_secs(wait)).await;
    Ok(())
}

/// The entity that keptn judged where a perfspec names none: the service's with the most requests in the window. None where
/// no query needs it, or nobody knows of which service.
///
/// # Errors
/// `NotFound` where no entity has the tags; as [`ask`].
pub async fn entity(
    transport: &Transport<'_>,
    queries: &[(String, Query)],
    known: &Placeholders,
    window: Window,
    deadline: Instant,
) -> Result<Option<String>> {
    let open = |query: &Query| matches!(query, Query::Dynatrace(Dynatrace::Timeseries(series)) if series.is_open());
    let (Some(project), Some(stage), Some(service)) = (&known.project, &known.stage, &known.service) else { return Ok(None) };
    if !queries.iter().any(|(_, query)| open(query)) {
        return Ok(None);
    }
    let tags = tags(project, stage, service);
    let samples = ask(transport, &requests(&tags), window, deadline).await?;
    let found = busiest(&samples).map(str::to_owned);
    found.map(Some).ok_or_else(|| {
        Error::not_found(format!("no service of Dynatrace with the tags {} had requests in the window", tags.join(", ")))
    })
}

/// The values of a query; those that are missing are waited for while they may come.
///
/// # Errors
/// `Unreachable` where nobody answers, `Forbidden` where the token is refused, `Failed` and `NotFound` where the query is.
pub async fn ask(transport: &Transport<'_>, query: &Dynatrace, window: Window, deadline: Instant) -> Result<Vec<Sample>> {
    loop {
        let result = once(transport, query, window).await;
        let missing = match &result {
            Ok(samples) => !samples.iter().any(|sample| sample.number().is_some()),
            Err(error) => error.kind == Kind::NotFound,
        };
        let late = jiff::Timestamp::now().as_second() > window.end.saturating_add(PATIENCE) || Instant::now() + PAUSE >= deadline;
        if !missing || late {
            return result;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn once(transport: &Transport<'_>, query: &Dynatrace, window: Window) -> Result<Vec<Sample>> {
    let request = query.request(window).map_err(Error::failed)?;
    let mut ask = Ask { method: Method::GET, path: request.path, fields: request.fields, body: None };
    let mut pages = Vec::new();
    loop {
        let page = read(&transport.send(&ask).await?)?;
        let next = page.get("nextPageKey").and_then(Value::as_str).map(str::to_owned);
        pages.push(page);
        match next.filter(|_| query.is_paged()) {
            Some(_) if pages.len() >= MOST_PAGES => return Err(Error::failed("the answer has too many pages")),
            Some(key) => ask.fields = vec![("nextPageKey".into(), key)],
            None => return query.samples(&pages).map_err(Error::failed),
        }
    }
}
