//! Dynatrace: what gate files ask of it, the requests of its API that this comes to, and their answers turned into samples.
//!
//! A perfspec's questions are those of the Timeseries API (v1), which is gone: [`Timeseries`] asks them of the Metrics API
//! (v2), in v1's units. An `sli.yaml` has the forms of keptn's Dynatrace service: [`Indicator`].

mod answers;
mod indicator;
mod timeseries;

use super::evaluation::{Sample, Window};
pub use answers::{busiest, refusal, timeseries};
pub use indicator::Indicator;
use serde_json::Value;
pub use timeseries::{Smartscape, Timeseries, requests, tags};

/// A question to Dynatrace.
#[derive(Clone, Debug, PartialEq)]
pub enum Dynatrace {
    /// A time series, one value an entity for the whole window.
    Timeseries(Timeseries),
    /// The number of relations of entities.
    Smartscape(Smartscape),
    /// An indicator of an `sli.yaml`: one value.
    Indicator(Indicator),
}

/// A GET request of Dynatrace's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path below the URL of the environment.
    pub path: String,
    /// The fields of its query.
    pub fields: Vec<(String, String)>,
}

impl Request {
    /// A request for a window. Dynatrace counts in milliseconds.
    fn new(path: impl Into<String>, window: Window, names: [&str; 2]) -> Self {
        let times = [window.start, window.end].map(|time| time.saturating_mul(1000).to_string());
        let fields = names.into_iter().map(str::to_owned).zip(times).collect();
        Self { path: path.into(), fields }
    }

    /// With a further field, unless it says nothing.
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.fields.push((name.to_owned(), value));
        }
        self
    }
}

impl Dynatrace {
    /// The request for a window.
    ///
    /// # Errors
    /// Says what the API cannot be asked.
    pub fn request(&self, window: Window) -> Result<Request, String> {
        match self {
            Self::Timeseries(query) => query.request(window),
            Self::Smartscape(query) => Ok(query.request(window)),
            Self::Indicator(query) => Ok(query.request(window)),
        }
    }

    /// The samples of the answer, whose pages are given in order.
    ///
    /// # Errors
    /// Says what the answer says instead of data.
    pub fn samples(&self, pages: &[Value]) -> Result<Vec<Sample>, String> {
        match self {
            Self::Timeseries(_) => answers::metrics(pages),
            Self::Smartscape(query) => answers::entities(pages).map(|entities| query.samples(&entities)),
            Self::Indicator(query) => query.samples(pages),
        }
    }

    /// Whether the answer's further pages matter: of one value, the first page says all.
    pub fn is_paged(&self) -> bool {
        !matches!(self, Self::Indicator(_))
    }

    /// The same of one entity, where it is one that names none.
    pub fn of_entity(&self, entity: &str) -> Self {
        match self {
            Self::Timeseries(query) if query.is_open() => {
                Self::Timeseries(Timeseries { entities: Some(entity.into()), ..query.clone() })
            }
            other => other.clone(),
        }
    }

    /// So many seconds after the end of a window its data are complete, as keptn's service waits for them.
    pub fn delay(&self) -> i64 {
        match self {
            Self::Indicator(Indicator::Sessions { .. }) => 360,
            _ => 120,
        }
    }

    /// The request as it is sent, for people; the question where it cannot be.
    pub fn sent(&self, window: Window) -> String {
        let told = |request: Request| {
            let fields: Vec<String> = request.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}?{}", request.path, fields.join("&"))
        };
        self.request(window).map_or_else(|_| self.line(), told)
    }

    /// The question in one line, for people.
    pub fn line(&self) -> String {
        match self {
            Self::Timeseries(query) => {
                let percentile = query.percentile.as_ref().map_or_else(String::new, |percentile| format!(" {percentile}"));
                format!("{} {}{percentile}", query.id, query.aggregation)
            }
            Self::Smartscape(query) => format!("{} {} count", query.entity_type, query.relation),
            Self::Indicator(query) => query.line(),
        }
    }
}

/// A text as selectors quote it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('~', "~~").replace('"', "~\""))
}
