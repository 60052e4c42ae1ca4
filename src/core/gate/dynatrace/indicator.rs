//! The queries of an `sli.yaml` in the forms that keptn's Dynatrace services read.
//!
//! | form | asks |
//! |---|---|
//! | `metricSelector=…&entitySelector=…` | the Metrics API (v2); `builtin:service.response.time` in milliseconds |
//! | `SELECTOR?scope=tag(…),tag(…)` | the same of services, in the form of 2019 |
//! | `MV2;MicroSecond;…`, `MV2;Byte;…` | the same, in milliseconds and kilobytes |
//! | `SLO;ID` | a service-level objective: its `evaluatedPercentage` |
//! | `PV2;problemSelector=…`, `SECPV2;securityProblemSelector=…` | the number of problems, of security problems |
//! | `USQL;TILE;DIMENSION;SELECT …` | user sessions: the value of a row |
//!
//! Of all of them one value is expected.

use super::super::evaluation::{Sample, Window};
use super::super::number;
use super::{Request, answers};
use crate::core::gate::placeholders::Context;
use crate::error::Result as Refusable;
use serde_json::Value;

/// An indicator: one value.
#[derive(Clone, Debug, PartialEq)]
pub enum Indicator {
    /// A metric: the fields of its query, and what its value is divided by.
    Metric {
        /// `metricSelector`, `entitySelector`, `mzSelector`.
        fields: Vec<(String, String)>,
        /// 1000 for milliseconds out of microseconds, 1024 for kilobytes out of bytes.
        divisor: f64,
    },
    /// A service-level objective, by its id.
    Objective(String),
    /// The number of problems: the fields of the query.
    Problems(Vec<(String, String)>),
    /// The number of security problems.
    SecurityProblems(Vec<(String, String)>),
    /// A query for user sessions.
    Sessions {
        /// Whether the row has further columns than its name and its value: then the last one counts.
        table: bool,
        /// The row, by its first column; the only row where it is empty.
        row: String,
        /// `SELECT …`
        query: String,
    },
}

/// What a query that is meant for Dynatrace begins with or holds. None of it can be a query to Prometheus.
const SIGNS: [&str; 11] = [
    "metricSelector=",
    "entitySelector=",
    "mzSelector=",
    "MV2;",
    "SLO;",
    "PV2;",
    "SECPV2;",
    "USQL;",
    "builtin:service.",
    "calc:service.",
    "ext:",
];

impl Indicator {
    /// Whether a query says by itself that it is one to Dynatrace.
    pub fn is_meant(text: &str) -> bool {
        SIGNS.iter().any(|sign| text.starts_with(sign)) || text.contains("?scope=") || text.contains("&entitySelector=")
    }

    /// Reads one of the forms.
    ///
    /// # Errors
    /// Says what cannot be understood.
    pub fn read(text: &str) -> Result<Self, String> {
        match text.split_once(';').map(|(prefix, rest)| (prefix.to_ascii_uppercase(), rest)) {
            Some((prefix, rest)) if prefix == "MV2" => {
                let (unit, query) =
                    rest.split_once(';').ok_or("`MV2;` is followed by a unit: `MV2;MicroSecond;metricSelector=…`")?;
                let divisor = match unit.to_ascii_lowercase().as_str() {
                    "microsecond" => 1000.0,
                    "byte" => 1024.0,
                    _ => 1.0,
                };
                metric(query, Some(divisor))
            }
            Some((prefix, id)) if prefix == "SLO" => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
                let id = id.trim();
                match !id.is_empty() && id.chars().all(plain) {
                    true => Ok(Self::Objective(id.to_owned())),
                    false => Err(format!("`{}` is not the id of a service-level objective", id.escape_debug())),
                }
            }
            Some((prefix, query)) if prefix == "PV2" => fields(query, &["problemSelector", "entitySelector"]).map(Self::Problems),
            Some((prefix, query)) if prefix == "SECPV2" => {
                fields(query, &["securityProblemSelector"]).map(Self::SecurityProblems)
            }
            Some((prefix, rest)) if prefix == "USQL" => sessions(rest),
            _ => metric(text, None),
        }
    }

    /// Replaces the placeholders.
    ///
    /// # Errors
    /// `Usage` for a placeholder that stands for nothing.
    pub fn resolve(self, context: &Context) -> Refusable<Self> {
        let all = |fields: Vec<(String, String)>| {
            fields.into_iter().map(|(name, value)| Ok((name, context.resolve(&value)?))).collect::<Refusable<Vec<_>>>()
        };
        Ok(match self {
            Self::Metric { fields, divisor } => Self::Metric { fields: all(fields)?, divisor },
            Self::Objective(id) => Self::Objective(context.resolve(&id)?),
            Self::Problems(fields) => Self::Problems(all(fields)?),
            Self::SecurityProblems(fields) => Self::SecurityProblems(all(fields)?),
            Self::Sessions { table, row, query } => {
                Self::Sessions { table, row: context.resolve(&row)?, query: context.resolve(&query)? }
            }
        })
    }

    pub(super) fn request(&self, window: Window) -> Request {
        let times = ["from", "to"];
        let all = |request: Request, fields: &[(String, String)]| {
            fields.iter().fold(request, |request, (name, value)| request.with(name, value))
        };
        match self {
            Self::Metric { fields, .. } => {
                all(Request::new("/api/v2/metrics/query", window, times).with("resolution", "Inf"), fields)
            }
            // GTF: of the window that is asked for, not of the objective's own.
            Self::Objective(id) => Request::new(format!("/api/v2/slo/{id}"), window, times).with("timeFrame", "GTF"),
            Self::Problems(fields) => all(Request::new("/api/v2/problems", window, times), fields),
            Self::SecurityProblems(fields) => all(Request::new("/api/v2/securityProblems", window, times), fields),
            Self::Sessions { query, .. } => {
                Request::new("/api/v1/userSessionQueryLanguage/table", window, ["startTimestamp", "endTimestamp"])
                    .with("query", query)
            }
        }
    }

    pub(super) fn samples(&self, pages: &[Value]) -> Result<Vec<Sample>, String> {
        match self {
            Self::Metric { divisor, .. } => {
                let mut samples = answers::metrics(pages)?;
                if samples.len() > 1 {
                    let count = samples.len();
                    return Err(format!("expected 1 value, got {count}: add `:splitBy():avg` to the metric selector"));
                }
                for sample in &mut samples {
                    if let Some(value) = sample.number() {
                        sample.value = number::json(value / divisor);
                    }
                }
                Ok(samples)
            }
            Self::Objective(_) => match pages.first().and_then(|page| page.get("error")).and_then(Value::as_str) {
                None | Some("" | "NONE") => answers::number(pages, "evaluatedPercentage"),
                Some(error) => Err(format!("the objective could not be evaluated: {error}")),
            },
            Self::Problems(_) | Self::SecurityProblems(_) => answers::number(pages, "totalCount"),
            Self::Sessions { table, row, .. } => cell(pages, *table, row),
        }
    }

    pub(super) fn line(&self) -> String {
        let all = |fields: &[(String, String)]| {
            fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        match self {
            Self::Metric { fields, .. } => all(fields),
            Self::Objective(id) => format!("SLO;{id}"),
            Self::Problems(fields) => format!("PV2;{}", all(fields)),
            Self::SecurityProblems(fields) => format!("SECPV2;{}", all(fields)),
            Self::Sessions { query, .. } => query.clone(),
        }
    }
}

/// A metric in one of its forms. Without a unit of its own, the response time of services is in milliseconds, as keptn's
/// objectives are written.
fn metric(query: &str, divisor: Option<f64>) -> Result<Indicator, String> {
    let query = query.trim().trim_start_matches('?');
    let selector = query.split(['?', '&']).next().unwrap_or_default();
    let rest = query.get(selector.len() + 1..).unwrap_or_default();
    let bare = !["metricSelector", "entitySelector", "mzSelector", "resolution"]
        .iter()
        .any(|name| selector.starts_with(&format!("{name}=")));
    let full = if bare { format!("metricSelector={selector}&{rest}") } else { query.to_owned() };
    let mut fields =
        fields(full.trim_end_matches('&'), &["metricSelector", "entitySelector", "mzSelector", "scope", "resolution"])?;
    for (name, value) in &mut fields {
        if name == "scope" {
            *name = "entitySelector".to_owned();
            if !value.contains("type(") {
                *value = format!("type(SERVICE),{value}");
            }
        }
    }
    if fields.iter().any(|(name, value)| name == "resolution" && !value.eq_ignore_ascii_case("inf")) {
        return Err("one value is asked for: the resolution is `Inf`, or is left out".into());
    }
    fields.retain(|(name, _)| name != "resolution");
    let Some((_, selector)) = fields.iter().find(|(name, value)| name == "metricSelector" && !value.is_empty()) else {
        return Err("a query to Dynatrace has a `metricSelector`".into());
    };
    let usual = if selector.contains("builtin:service.response.time") { 1000.0 } else { 1.0 };
    let divisor = divisor.filter(|divisor| *divisor != 1.0).unwrap_or(usual);
    Ok(Indicator::Metric { fields, divisor })
}

/// The fields `name=value&…` of a query, percent-decoded; unlike in a form, `+` stays.
fn fields(query: &str, known: &[&str]) -> Result<Vec<(String, String)>, String> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for field in query.split('&').filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once('=').ok_or_else(|| format!("`{}` is not NAME=VALUE", field.escape_debug()))?;
        if !known.contains(&name) {
            return Err(format!("unknown parameter `{}`; known are {}", name.escape_debug(), known.join(", ")));
        }
        fields.push((name.to_owned(), decoded(value)));
    }
    Ok(fields)
}

/// The text behind percent-encoding; what is none stays as it stands.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// `TILE;DIMENSION;SELECT …`
fn sessions(text: &str) -> Result<Indicator, String> {
    let parts: Vec<&str> = text.splitn(3, ';').collect();
    let [tile, row, query] = parts.as_slice() else {
        return Err("a query for user sessions has the form `USQL;TILE;DIMENSION;SELECT …`".into());
    };
    let single = *tile == "SINGLE_VALUE";
    if !["SINGLE_VALUE", "PIE_CHART", "COLUMN_CHART", "TABLE"].contains(tile) || single != row.is_empty() {
        return Err(format!(
            "`{};{}` is not SINGLE_VALUE without a dimension, nor PIE_CHART, COLUMN_CHART or TABLE with one",
            tile.escape_debug(),
            row.escape_debug()
        ));
    }
    Ok(Indicator::Sessions { table: *tile == "TABLE", row: (*row).to_owned(), query: (*query).to_owned() })
}

/// The value of a row of `{"columnNames": […], "values": [[…]]}`.
fn cell(pages: &[Value], table: bool, row: &str) -> Result<Vec<Sample>, String> {
    let page = pages.first().unwrap_or(&Value::Null);
    let rows = page.get("values").and_then(Value::as_array).ok_or("the answer has no values")?;
    let cells = |row: &Value| row.as_array().cloned().unwrap_or_default();
    if row.is_empty() {
        return match rows.iter().map(cells).collect::<Vec<_>>().as_slice() {
            [] => Ok(Vec::new()),
            [only] if only.len() == 1 => Ok(vec![Sample::of("", only[0].clone())]),
            _ => Err("expected 1 value, got a table".into()),
        };
    }
    let found = rows.iter().map(cells).find(|cells| cells.first().and_then(Value::as_str) == Some(row));
    let value = found.and_then(|cells| if table { cells.last().cloned() } else { cells.get(1).cloned() });
    Ok(value.map(|value| Sample::of(row, value)).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const WINDOW: Window = Window { start: 1, end: 2 };

    fn asked(text: &str) -> Result<String, String> {
        let request = Indicator::read(text)?.request(WINDOW);
        let fields: Vec<String> = request.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(format!("{} {}", request.path, fields.join(" ")))
    }

    #[test]
    fn every_form_is_asked_for_its_window() {
        let metric = "/api/v2/metrics/query from=1000 to=2000 resolution=Inf";
        for (text, request) in [
            (
                r#"metricSelector=builtin:service.response.time:merge("dt.entity.service"):percentile(95)&entitySelector=tag(a%3Ab),type(SERVICE)"#,
                format!(r#"{metric} metricSelector=builtin:service.response.time:merge("dt.entity.service"):percentile(95) entitySelector=tag(a:b),type(SERVICE)"#),
            ),
            (
                "builtin:service.response.time:merge(0):avg?scope=tag(x:y),tag(z)",
                format!("{metric} metricSelector=builtin:service.response.time:merge(0):avg entitySelector=type(SERVICE),tag(x:y),tag(z)"),
            ),
            ("builtin:service.requestCount.total:splitBy():sum", format!("{metric} metricSelector=builtin:service.requestCount.total:splitBy():sum")),
            ("MV2;Byte;metricSelector=builtin:host.mem.used", format!("{metric} metricSelector=builtin:host.mem.used")),
            ("SLO;524ca177-849b", "/api/v2/slo/524ca177-849b from=1000 to=2000 timeFrame=GTF".into()),
            ("PV2;problemSelector=status(open)", "/api/v2/problems from=1000 to=2000 problemSelector=status(open)".into()),
            ("SECPV2;securityProblemSelector=status(open)", "/api/v2/securityProblems from=1000 to=2000 securityProblemSelector=status(open)".into()),
            (
                "USQL;COLUMN_CHART;iPad;SELECT device, AVG(duration) FROM usersession",
                "/api/v1/userSessionQueryLanguage/table startTimestamp=1000 endTimestamp=2000 query=SELECT device, AVG(duration) FROM usersession".into(),
            ),
        ] {
            assert!(Indicator::is_meant(text), "{text}");
            assert_eq!(asked(text), Ok(request));
        }
        for text in ["sum(rate(x{a='b?'}[1m]))", "job:rate5m:sum", "up"] {
            assert!(!Indicator::is_meant(text), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        for (text, says) in [
            ("entitySelector=type(SERVICE)", "has a `metricSelector`"),
            ("metricSelector=a&from=now-1h", "unknown parameter `from`"),
            ("metricSelector=a&resolution=1m", "the resolution is `Inf`"),
            ("SLO;../problems", "not the id"),
            ("USQL;SINGLE_VALUE;x;SELECT", "without a dimension"),
            ("USQL;SELECT", "has the form"),
            ("MV2;metricSelector=a", "followed by a unit"),
        ] {
            assert!(asked(text).is_err_and(|why| why.contains(says)), "{text}: {:?}", asked(text));
        }
    }

    fn value(text: &str, answer: &Value) -> Result<Option<f64>, String> {
        let samples = Indicator::read(text)?.samples(std::slice::from_ref(answer))?;
        Ok(samples.first().and_then(Sample::number))
    }

    #[test]
    fn values_are_in_the_unit_of_the_objectives() {
        let metric = |values: &[f64]| {
            let data: Vec<Value> = values.iter().map(|value| json!({"dimensions": [], "values": [value]})).collect();
            json!({"result": [{"metricId": "m", "data": data}]})
        };
        assert_eq!(value("metricSelector=builtin:service.response.time:avg", &metric(&[2500.0])), Ok(Some(2.5)));
        assert_eq!(value("MV2;MicroSecond;metricSelector=builtin:service.response.time:avg", &metric(&[2500.0])), Ok(Some(2.5)));
        assert_eq!(value("MV2;Byte;metricSelector=x", &metric(&[2048.0])), Ok(Some(2.0)));
        assert_eq!(value("metricSelector=x", &metric(&[2048.0])), Ok(Some(2048.0)));
        assert_eq!(value("metricSelector=x", &metric(&[])), Ok(None));
        assert!(value("metricSelector=x", &metric(&[1.0, 2.0])).is_err_and(|why| why.starts_with("expected 1 value, got 2")));
        assert_eq!(value("SLO;a", &json!({"evaluatedPercentage": 99.5, "error": "NONE"})), Ok(Some(99.5)));
        assert!(value("SLO;a", &json!({"evaluatedPercentage": -1, "error": "no data"})).is_err());
        assert_eq!(value("PV2;problemSelector=status(open)", &json!({"totalCount": 3})), Ok(Some(3.0)));
        let rows = json!({"columnNames": ["device", "n", "m"], "values": [["Pixel", 1, 2], ["iPad", 3, 4]]});
        assert_eq!(value("USQL;PIE_CHART;iPad;SELECT", &rows), Ok(Some(3.0)));
        assert_eq!(value("USQL;TABLE;iPad;SELECT", &rows), Ok(Some(4.0)));
        assert_eq!(value("USQL;TABLE;iPod;SELECT", &rows), Ok(None));
        assert_eq!(value("USQL;SINGLE_VALUE;;SELECT", &json!({"values": [[7]]})), Ok(Some(7.0)));
    }
}
