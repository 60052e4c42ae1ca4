//! Prometheus, by its URL or through the API server.

use crate::cluster::{Cluster, SECRETS};
use crate::commands::Context;
use crate::commands::evaluate::question::Sources;
use crate::commands::evaluate::{body, seconds};
use crate::core::gate::evaluation::{Sample, Window};
use crate::core::gate::prometheus as answers;
use crate::core::gate::require;
use crate::error::{Error, Kind, Result};
use crate::metrics::{Access, Answer, Ask, Direct, Prometheus, Transport};
use crate::settings::Settings;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The Secret in which `configure monitoring` keeps an address, with a token or a password.
pub const SECRET: &str = "tidegate-prometheus";

/// A Prometheus that was reached.
pub struct Client {
    api: Prometheus<'static>,
    /// What it warned of, and whether that was told.
    warnings: RefCell<BTreeMap<String, bool>>,
}

impl Client {
    /// Reaches it.
    ///
    /// # Errors
    /// `Usage` for a URL that cannot be used, `NotFound` where the cluster has none.
    pub async fn reach(context: &Context, sources: &Sources, cluster: Option<Rc<Cluster>>, settings: &Settings) -> Result<Self> {
        let transport = match (&sources.prometheus, cluster) {
            (Some(url), _) => Transport::Direct(Box::new(Direct::new(url, &sources.access)?)),
            (None, Some(cluster)) => match kept(&cluster, &sources.access).await? {
                Some(direct) => Transport::Direct(Box::new(direct)),
                None => through(context, cluster).await?,
            },
            (None, None) => return Err(Error::usage("no metrics source: name one with `--prometheus URL`")),
        };
        let patience = settings.connection.request_timeout.as_secs_f64().min(60.0);
        Ok(Self { api: Prometheus { transport, patience }, warnings: RefCell::default() })
    }

    /// Its time in whole seconds: the clock that the samples were taken by.
    ///
    /// # Errors
    /// `Unreachable` where nobody answers, or something else.
    pub async fn clock(&self) -> Result<i64> {
        let answer = self.read(self.api.clock().await?);
        let now = answer.as_ref().ok().and_then(require::latest);
        #[allow(clippy::cast_possible_truncation)] // the source's time, in seconds
        now.map(|now| now.floor() as i64).ok_or_else(|| match answer {
            Err(error) if error.kind == Kind::Forbidden => error,
            Err(error) => Error::new(Kind::Unreachable, format!("what answers is no Prometheus: {}", error.message)),
            Ok(_) => Error::new(Kind::Unreachable, "what answers is no Prometheus: it does not know the time"),
        })
    }

    /// The series of a query at a time, in seconds since the epoch.
    ///
    /// # Errors
    /// `Unreachable` where nobody answers, `Forbidden` where it lets nobody in, `Failed` where it refuses the query.
    pub async fn samples(&self, query: &str, time: i64) -> Result<Vec<Sample>> {
        answers::samples(&self.instant(query, time).await?).map_err(Error::failed)
    }

    /// The answer to a query at a time, in seconds since the epoch.
    ///
    /// # Errors
    /// As [`Client::samples`].
    pub async fn instant(&self, query: &str, time: i64) -> Result<Value> {
        self.read(self.api.instant(query, seconds(time)).await?)
    }

    /// The answer to a query over a window, with a value every `step` seconds.
    ///
    /// # Errors
    /// As [`Client::samples`].
    pub async fn range(&self, query: &str, window: Window, step: i64) -> Result<Value> {
        self.read(self.api.range(query, seconds(window.start), seconds(window.end), seconds(step)).await?)
    }

    fn read(&self, answer: Answer) -> Result<Value> {
        let body = match answer.status {
            200..300 => body(&answer.body).map_err(Error::failed)?,
            status @ (401 | 403) => {
                let why = answers::refusal(status, &answer.body);
                return Err(Error::new(Kind::Forbidden, format!("the metrics source lets nobody in: {why}")));
            }
            status => return Err(Error::failed(answers::refusal(status, &answer.body))),
        };
        for warning in answers::warnings(&body) {
            self.warnings.borrow_mut().entry(warning).or_default();
        }
        Ok(body)
    }

    /// Tells what it warned of, each thing once.
    pub fn tell(&self, context: &Context) {
        for (warning, told) in self.warnings.borrow_mut().iter_mut().filter(|(_, told)| !**told) {
            context.ui.say(&format!("warning: the metrics source says: {warning}\n"));
            *told = true;
        }
    }
}

/// Whether it is known where it is: named, kept in the namespace's Secret, or to be found in the cluster.
///
/// # Errors
/// As the API server says.
pub async fn known(cluster: &Cluster, sources: &Sources) -> Result<bool> {
    Ok(sources.prometheus.is_some() || kept(cluster, &sources.access).await?.is_some() || cluster.prometheus().await?.is_some())
}

/// The one that the namespace's Secret names. Who may not read Secrets has none.
async fn kept(cluster: &Cluster, access: &Access) -> Result<Option<Direct>> {
    let secret = match cluster.object(&SECRETS, &cluster.namespace, SECRET).await {
        Err(error) if error.kind == Kind::Forbidden => None,
        other => other?,
    };
    let Some(secret) = secret else { return Ok(None) };
    let Some(url) = super::secret(&secret, "PROMETHEUS_URL") else { return Ok(None) };
    let (token, basic) = (super::secret(&secret, "PROMETHEUS_TOKEN"), super::secret(&secret, "PROMETHEUS_BASIC"));
    Direct::new(&url, &Access { token, basic, ..access.clone() }).map(Some)
}

/// The cluster's own Prometheus, through the API server.
async fn through(context: &Context, cluster: Rc<Cluster>) -> Result<Transport<'static>> {
    let Some(place) = cluster.prometheus().await? else {
        return Err(
            Error::not_found("no Prometheus was found in the cluster at the usual places").hint("name it: `--prometheus URL`")
        );
    };
    context.ui.say_once(&format!("asking {}/{} through the API server\n", place.namespace, place.name));
    Ok(Transport::Through(Box::new(move |ask: Ask| {
        let (cluster, place) = (cluster.clone(), place.clone());
        Box::pin(async move {
            let form = crate::metrics::form(&ask.fields);
            let (query, body) = if ask.method == http::Method::POST { (String::new(), Some(form)) } else { (form, None) };
            let (status, body) = cluster.through(&place, &ask.path, &query, body).await?;
            Ok(Answer { status, body, retry_after: None })
        })
    })))
}
