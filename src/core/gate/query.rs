//! What is asked of whom: what the indicators of every gate file come down to before anybody is asked.

pub use super::command::Command;
use super::dynatrace::{Dynatrace, Indicator};
use super::placeholders::Context;
pub use super::web::Web;
use crate::core::lint::{Findings, join};
use crate::error::Result;
use serde_json::{Map, Value};

/// A question to one of the sources.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// An instant query to Prometheus, at the end of the window.
    Prometheus(String),
    /// The same some seconds before the end of the window.
    PrometheusAgo(String, i64),
    /// The values of the window, one every `step` seconds, as one sample that is called `side`.
    PrometheusRange {
        /// The query.
        query: String,
        /// Seconds between two values.
        step: i64,
        /// Whose values they are.
        side: &'static str,
    },
    /// A question to Dynatrace.
    Dynatrace(Dynatrace),
    /// A document of an HTTP server, and the place of the value in it.
    Web(Web),
    /// A program that measures.
    Command(Command),
}

/// The sources of tidegate's own form.
const SOURCES: [&str; 4] = ["prometheus", "dynatrace", "web", "command"];

impl Query {
    /// Reads tidegate's own form, a map whose only key names the source: `{prometheus: TEXT}`,
    /// `{dynatrace: TEXT}`, `{web: {…}}`, `{command: […]}`. What is wrong with it is a finding at `at`.
    pub(super) fn read(at: &str, map: &Map<String, Value>, found: &mut Findings) -> Option<Self> {
        found.keys(at, map, &SOURCES);
        let mut sources = map.iter().filter(|(source, _)| SOURCES.contains(&source.as_str()));
        let (Some((source, query)), None) = (sources.next(), sources.next()) else {
            found.error(at, format!("an indicator has one source: {}", SOURCES.join(", ")));
            return None;
        };
        let at = join(at, source);
        match (source.as_str(), query.as_str()) {
            ("web", _) => Web::read(&at, query, found).map(Self::Web),
            ("command", _) => Command::read(&at, query, found).map(Self::Command),
            ("dynatrace", Some(text)) => match Indicator::read(text) {
                Ok(query) => Some(Self::Dynatrace(Dynatrace::Indicator(query))),
                Err(why) => {
                    found.error(at, why);
                    None
                }
            },
            (_, Some(text)) => Some(Self::Prometheus(text.to_owned())),
            _ => {
                found.error(at, "this query is a text");
                None
            }
        }
    }

    /// Replaces the placeholders. Those of a command stand in its environment: nothing is pasted into a script.
    ///
    /// # Errors
    /// `Usage` for a placeholder that stands for nothing.
    pub fn resolve(self, context: &Context) -> Result<Self> {
        let text = |text: String| context.resolve(&text);
        Ok(match self {
            Self::Prometheus(query) => Self::Prometheus(text(query)?),
            Self::PrometheusAgo(query, ago) => Self::PrometheusAgo(text(query)?, ago),
            Self::PrometheusRange { query, step, side } => Self::PrometheusRange { query: text(query)?, step, side },
            Self::Web(web) => Self::Web(Web {
                url: text(web.url)?,
                headers: web.headers.into_iter().map(|(name, value)| Ok((name, text(value)?))).collect::<Result<_>>()?,
                body: web.body.map(text).transpose()?,
                path: text(web.path)?,
                ..web
            }),
            Self::Dynatrace(Dynatrace::Indicator(query)) => Self::Dynatrace(Dynatrace::Indicator(query.resolve(context)?)),
            // A perfspec's are resolved before they are read.
            resolved @ (Self::Dynatrace(_) | Self::Command(_)) => resolved,
        })
    }

    /// Whether Prometheus is asked.
    pub fn is_of_prometheus(&self) -> bool {
        matches!(self, Self::Prometheus(_) | Self::PrometheusAgo(..) | Self::PrometheusRange { .. })
    }

    /// The query in one line, for people.
    pub fn line(&self) -> String {
        match self {
            Self::Prometheus(query) | Self::PrometheusAgo(query, _) | Self::PrometheusRange { query, .. } => query.clone(),
            Self::Dynatrace(query) => query.line(),
            Self::Web(web) => {
                let method = if web.method.is_empty() { "GET" } else { &web.method };
                format!("{method} {} {}", web.url, web.path).trim_end().to_owned()
            }
            Self::Command(command) => command.arguments.join(" "),
        }
    }
}
