//! Faults on request: `409@patch:2` answers the second PATCH with a conflict.

use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// One fault, as given on the command line: `WHAT[@VERB[:N]]`.
///
/// WHAT is an HTTP status, `latency=500ms`, `reset`, `lost`, `html` or `hang`; VERB an HTTP method or a verb of the API
/// (`list`, `watch`, `create`, `update`); N the one request of that verb that it hits, counted from 1. Only requests
/// for objects are counted, not discovery.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    effect: Effect,
    verb: Option<String>,
    nth: Option<usize>,
}

/// What a fault does to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Answers with this HTTP status and a `Status` object.
    Code(u16),
    /// Waits before the request is looked at.
    Latency(Duration),
    /// Closes the connection without an answer.
    Reset,
    /// Carries the request out and closes the connection without an answer.
    Lost,
    /// Answers 502 with a page of HTML, as a proxy in the way does.
    Html,
    /// Never answers.
    Hang,
}

const VERBS: [&str; 9] = ["get", "post", "put", "patch", "delete", "list", "watch", "create", "update"];

impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (what, place) = match text.split_once('@') {
            Some((what, place)) => (what, Some(place)),
            None => (text, None),
        };
        let effect = match what {
            "reset" => Effect::Reset,
            "lost" => Effect::Lost,
            "html" => Effect::Html,
            "hang" => Effect::Hang,
            what => match what.strip_prefix("latency=") {
                Some(time) => Effect::Latency(
                    duration(time)
                        .ok_or_else(|| anyhow::anyhow!("fault `{text}`: `{time}` is no duration such as 500ms or 2s"))?,
                ),
                None => match what.parse::<u16>() {
                    Ok(code) if (400..600).contains(&code) => Effect::Code(code),
                    _ => anyhow::bail!(
                        "unknown fault `{text}`: want an HTTP status from 400 to 599, latency=DURATION, reset, lost, html or hang, \
                         then perhaps @VERB or @VERB:N, as in 409@patch:2"
                    ),
                },
            },
        };
        let (verb, nth) = match place.map(|place| place.split_once(':').unwrap_or((place, ""))) {
            None => (None, None),
            Some((verb, _)) if !VERBS.contains(&verb) => {
                anyhow::bail!("fault `{text}`: unknown verb `{verb}`: want one of {}", VERBS.join(", "))
            }
            Some((verb, "")) => (Some(verb.to_owned()), None),
            Some((verb, nth)) => match nth.parse() {
                Ok(nth) if nth > 0 => (Some(verb.to_owned()), Some(nth)),
                _ => anyhow::bail!("fault `{text}`: `{nth}` is no number of a request, counted from 1"),
            },
        };
        Ok(Fault { effect, verb, nth })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The faults of a server, with the count of requests that each has seen.
pub struct Faults(Vec<(Fault, AtomicUsize)>);

impl Faults {
    /// Faults that have seen no request yet.
    pub fn new(faults: Vec<Fault>) -> Self {
        Faults(faults.into_iter().map(|f| (f, AtomicUsize::new(0))).collect())
    }

    /// Whether any of them breaks connections.
    pub fn reset_connections(&self) -> bool {
        self.0.iter().any(|(fault, _)| matches!(fault.effect, Effect::Reset | Effect::Lost))
    }

    /// Counts a request, by its HTTP method and its verb, and says what hits it.
    pub fn hit(&self, method: &str, verb: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (fault, seen) in &self.0 {
            let wanted = |v: &String| v.eq_ignore_ascii_case(method) || v == verb;
            if !fault.verb.as_ref().is_none_or(wanted) {
                continue;
            }
            let number = seen.fetch_add(1, Ordering::Relaxed) + 1;
            if fault.nth.is_none_or(|nth| nth == number) {
                effects.push(fault.effect.clone());
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(texts: &[&str]) -> Faults {
        Faults::new(texts.iter().filter_map(|text| text.parse().ok()).collect())
    }

    #[test]
    fn a_numbered_fault_hits_once() {
        let faults = faults(&["409@patch:2"]);
        let hits: Vec<usize> = ["get", "patch", "patch", "patch"].iter().map(|verb| faults.hit(verb, verb).len()).collect();
        assert_eq!(hits, [0, 0, 1, 0]);
    }

    #[test]
    fn a_fault_without_a_verb_hits_every_request() {
        let faults = faults(&["latency=500ms", "503@patch"]);
        assert_eq!(faults.hit("PATCH", "patch"), [Effect::Latency(Duration::from_millis(500)), Effect::Code(503)]);
        assert_eq!(faults.hit("GET", "list").len(), 1);
    }

    #[test]
    fn unknown_text_is_explained() {
        for (text, part) in [
            ("boom", "unknown fault `boom`"),
            ("200@get", "unknown fault `200@get`"),
            ("reset@fetch", "unknown verb `fetch`"),
            ("reset@get:0", "`0` is no number"),
            ("latency=fast", "`fast` is no duration"),
        ] {
            let error = text.parse::<Fault>().map_err(|e| e.to_string()).err();
            assert!(error.as_ref().is_some_and(|error| error.contains(part)), "{text}: {error:?}");
        }
    }
}
