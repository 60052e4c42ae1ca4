//! Who is told of what happens: a file, a stream, a URL. None of them can stop what they are told of.

use crate::error::{Error, Result};
use crate::web::{Access, Call, Site};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

/// How long a receiver may take for one event.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The pauses between tries; a receiver that was down at the last event gets one try only: a delivery does not wait for it.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// The receivers of CloudEvents.
#[derive(Default)]
pub struct Sinks {
    sinks: Vec<Sink>,
}

struct Sink {
    name: String,
    to: Receiver,
    /// The last event did not arrive; said once, until one arrives again.
    down: Cell<bool>,
}

enum Receiver {
    /// JSON lines to the answer's stream, which is another's to write.
    Out,
    /// JSON lines, appended.
    File(RefCell<File>),
    /// POST, in CloudEvents' structured mode.
    Site { site: Box<Site>, query: String },
}

impl Sinks {
    /// Opens the receivers: `-` for the stream, a URL, else a file.
    ///
    /// # Errors
    /// `Usage` for a file that cannot be written and for what is no URL.
    pub fn open(names: &[String]) -> Result<Self> {
        let one = |name: &String| Ok(Sink { name: name.clone(), to: Receiver::open(name)?, down: Cell::new(false) });
        Ok(Self { sinks: names.iter().map(one).collect::<Result<_>>()? })
    }

    /// Whether nobody is to be told.
    pub fn is_empty(&self) -> bool {
        self.sinks.is_empty()
    }

    /// Sends events to all, in their order; `out` writes the stream's lines. Gives what is to be warned of.
    pub async fn send(&self, events: &[Value], out: &dyn Fn(&str)) -> Vec<String> {
        let mut warnings = Vec::new();
        for sink in &self.sinks {
            for event in events {
                let result = sink.send(event, out).await;
                let was_down = sink.down.replace(result.is_err());
                if let (Err(why), false) = (result, was_down) {
                    warnings.push(format!("events do not reach {}: {why}; the delivery goes on", sink.title()));
                }
            }
        }
        warnings
    }
}

impl Receiver {
    fn open(name: &str) -> Result<Self> {
        if name == "-" {
            return Ok(Self::Out);
        }
        if name.starts_with("http://") || name.starts_with("https://") {
            let access = Access { timeout: TIMEOUT, ..Access::default() };
            let (base, query) = name.split_once('?').map_or((name, String::new()), |(base, query)| (base, format!("?{query}")));
            return Ok(Self::Site { site: Box::new(Site::new(base, &access, "a receiver of events")?), query });
        }
        let file = File::options().append(true).create(true).open(name);
        let file = file.map_err(|error| {
            Error::usage(format!("cannot write events to `{}`", name.escape_debug())).caused_by(error.to_string())
        })?;
        Ok(Self::File(RefCell::new(file)))
    }
}

impl Sink {
    /// Its name, without the credentials of a URL.
    fn title(&self) -> String {
        match &self.to {
            Receiver::Site { site, .. } => site.url(),
            _ => self.name.clone(),
        }
    }

    async fn send(&self, event: &Value, out: &dyn Fn(&str)) -> Result<(), String> {
        match &self.to {
            Receiver::Out => out(&format!("{event}\n")),
            Receiver::File(file) => {
                let line = format!("{event}\n");
                // One write: lines of several writers do not mix.
                file.borrow_mut().write_all(line.as_bytes()).map_err(|error| error.to_string())?;
            }
            Receiver::Site { site, query } => {
                let mut pauses = PAUSES.iter().filter(|_| !self.down.get());
                loop {
                    let result = post(site, query, event).await;
                    match (result, pauses.next()) {
                        (Err((_, true)), Some(pause)) => tokio::time::sleep(*pause).await,
                        (result, _) => return result.map_err(|(why, _)| why),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Sends one event; of a failure also whether it may pass.
async fn post(site: &Site, query: &str, event: &Value) -> Result<(), (String, bool)> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
    let body = Bytes::from(event.to_string());
    let call = Call { method: Method::POST, headers, body, ..Call::get(query, TIMEOUT) };
    match site.send(call).await {
        Ok(answer) if answer.status < 300 => Ok(()),
        Ok(answer) => Err((format!("HTTP {}", answer.status), matches!(answer.status, 429 | 500..=599))),
        Err(why) => Err((why, true)),
    }
}

#[cfg(test)]
mod tests;
