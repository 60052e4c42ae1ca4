//! watch: the changes of a collection as they come.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::read;
use crate::sandbox::present;
use crate::sandbox::request::{Call, Form};
use crate::sandbox::respond::{self, Body};
use crate::sandbox::select::Selector;
use crate::sandbox::server::Server;
use crate::sandbox::status::Failure;
use crate::sandbox::store::{Change, Store, TooOld, text};

/// How often a bookmark is sent when nothing else is.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long before its end a watch with a time limit sends its last bookmark.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);
/// The limit of a watch that names none.
const LONGEST: Duration = Duration::from_secs(3600);

/// Streams the changes of a collection.
pub fn watch(server: &Server, call: &Call) -> Result<Response<Body>, Failure> {
    let asked = call.query.get("resourceVersion");
    let newest = server.store.revision();
    let start = match asked {
        "" | "0" => None,
        asked => Some(asked.parse().map_err(|_| {
            let problem = read::not_a_revision(asked);
            Failure::new(500, "", format!("resourceVersion: {problem}"))
        })?),
    };
    let initial = start.is_none() || call.query.flag("sendInitialEvents");
    let seconds: Option<u64> = call.query.get("timeoutSeconds").parse().ok();
    let limit = seconds.filter(|s| *s > 0).map_or(LONGEST, Duration::from_secs);
    let now = Instant::now();
    let mut watcher = Watcher {
        store: server.store.clone(),
        selector: read::selector(call)?,
        revision: start.unwrap_or(newest),
        bookmark: None,
        end: now + limit,
        lines: VecDeque::new(),
        first: true,
        over: false,
        call: Call {
            method: call.method.clone(),
            verb: call.verb,
            target: call.target.clone(),
            query: call.query.clone(),
            user: call.user.clone(),
            form: call.form,
            content_type: String::new(),
            manager: String::new(),
            body: Bytes::new(),
        },
    };
    if call.query.flag("allowWatchBookmarks") {
        watcher.bookmark = Some(watcher.next_bookmark(now));
    }
    if initial {
        watcher.replay();
    }
    let changes = server.store.subscribe();
    Ok(respond::stream(stream::unfold((watcher, changes), |(mut watcher, mut changes)| async move {
        loop {
            if let Some(line) = watcher.lines.pop_front() {
                return Some((line, (watcher, changes)));
            }
            if watcher.over {
                return None;
            }
            changes.mark_unchanged();
            watcher.catch_up();
            if !watcher.lines.is_empty() {
                continue;
            }
            let bookmark = watcher.bookmark.unwrap_or(watcher.end + LONGEST);
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return None;
                    }
                }
                () = sleep_until(bookmark) => watcher.send_bookmark(false),
                () = sleep_until(watcher.end) => return None,
            }
        }
    })))
}

struct Watcher {
    store: Arc<Store>,
    call: Call,
    selector: Selector,
    /// All changes up to this revision have been seen.
    revision: u64,
    /// When the next bookmark is due; none when none are wanted.
    bookmark: Option<Instant>,
    end: Instant,
    lines: VecDeque<Bytes>,
    first: bool,
    over: bool,
}

impl Watcher {
    fn next_bookmark(&self, now: Instant) -> Instant {
        let last = self.end.checked_sub(BOOKMARK_BEFORE_END).unwrap_or(now);
        let next = now + BOOKMARK_EVERY;
        if last > now { next.min(last) } else { next }
    }

    fn selects(&self, object: &Value) -> bool {
        let name = &self.call.target.name;
        (name.is_empty() || text(object, "/metadata/name") == name) && self.selector.matches(self.call.target.kind, object)
    }

    fn send(&mut self, event: &str, object: Value) {
        let line = json!({"type": event, "object": object});
        self.lines.push_back(format!("{line}\n").into());
    }

    fn show(&mut self, event: &str, object: &Value) {
        let shown = present::watched(&self.call, object, self.first);
        self.first = false;
        self.send(event, shown);
    }

    /// Sends what is there now, as if it had just been added.
    fn replay(&mut self) {
        let target = &self.call.target;
        let Ok((objects, revision)) = self.store.list_at(target.kind, &target.namespace, None) else {
            return;
        };
        self.revision = revision;
        for (_, object) in objects {
            if self.selects(&object) {
                self.show("ADDED", &object);
            }
        }
        if self.call.query.flag("sendInitialEvents") && self.bookmark.is_some() {
            self.send_bookmark(true);
        }
    }

    /// Sends what has changed since.
    fn catch_up(&mut self) {
        let target = &self.call.target;
        match self.store.changes(target.kind, &target.namespace, self.revision) {
            Ok((changes, revision)) => {
                for change in changes {
                    self.send_change(&change);
                }
                self.revision = revision;
            }
            Err(TooOld { oldest }) => {
                let message = format!("too old resource version: {} ({oldest})", self.revision);
                self.send("ERROR", Failure::expired(message).to_value());
                self.over = true;
            }
        }
    }

    /// What a change is to this watch: an object that stops being selected is deleted for it.
    fn send_change(&mut self, change: &Change) {
        let before = change.before.as_ref().is_some_and(|object| self.selects(object));
        let after = !change.deleted && self.selects(&change.after);
        match (before, after) {
            (false, true) => self.show("ADDED", &change.after),
            (true, true) => self.show("MODIFIED", &change.after),
            (true, false) if change.deleted => self.show("DELETED", &change.after),
            (true, false) => {
                // As it was when it was last selected, at the revision of the change.
                let mut last = change.before.as_deref().cloned().unwrap_or(Value::Null);
                last["metadata"]["resourceVersion"] = change.revision.to_string().into();
                self.show("DELETED", &last);
            }
            (false, false) => {}
        }
    }

    fn send_bookmark(&mut self, initial_end: bool) {
        let kind = self.call.target.kind;
        let mut bookmark = json!({
            "kind": kind.kind, "apiVersion": self.call.target.api_version(),
            "metadata": {"resourceVersion": self.revision.to_string(), "creationTimestamp": null},
        });
        if kind.custom
            && let Some(metadata) = bookmark["metadata"].as_object_mut()
        {
            metadata.shift_remove("creationTimestamp");
        }
        if initial_end {
            bookmark["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        match self.call.form {
            Form::Plain => self.send("BOOKMARK", bookmark),
            _ => self.show("BOOKMARK", &bookmark),
        }
        self.bookmark = Some(self.next_bookmark(Instant::now()));
    }
}
