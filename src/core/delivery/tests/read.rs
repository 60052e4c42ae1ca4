//! Reads a `tests.yaml`.
//!
//! ```yaml
//! through: pods            # or service, ingress; or url: https://…
//! timeout: 10s             # of one request
//! functional:
//!   path: /health
//!   checks: [/carts/1/items]
//! performance:
//!   users: 10
//!   loops: 500             # or duration: 2m
//!   think: 250ms
//!   allowedErrors: 10%
//!   requests:
//!   - {method: POST, path: /carts/1/items, headers: {Content-Type: application/json}, body: '{}'}
//! ```
//!
//! In the place of a section's requests, or of both sections, `command: [jmeter, -n, …]` or `command: "k6 run load.js"` names a
//! program, `job: {image, command, env, keep}` a Job; `functional: none` switches a test off.

use super::{Job, Load, Request, Suite, TestPlan, Through, Work};
use crate::core::duration;
use crate::core::lint::{self, Findings, join};
use crate::core::yaml;
use crate::error::{Error, Result};
use crate::sorted;
use serde_json::{Map, Value};
use std::time::Duration;

const ROOT: [&str; 7] = ["through", "url", "timeout", "functional", "performance", "command", "job"];
const FUNCTIONAL: [&str; 4] = ["path", "checks", "command", "job"];
const PERFORMANCE: [&str; 9] = ["path", "users", "loops", "duration", "think", "allowedErrors", "requests", "command", "job"];

/// More users would be a test of this machine.
const MOST_USERS: u64 = 10_000;

pub(super) fn parse(file: &str, text: &str) -> Result<Suite> {
    let (suite, found) = read(file, text);
    match lint::refuse(file, text, &found.located(text)) {
        Some(error) => Err(error),
        None => suite.ok_or_else(|| Error::usage(format!("{file} cannot be read"))),
    }
}

/// Reads `text`. What has not the form of a suite is among the findings.
pub(super) fn read(file: &str, text: &str) -> (Option<Suite>, Findings) {
    let mut found = Findings::default();
    let Some(root) = yaml::read(text, &mut found) else { return (None, found) };
    found.keys("", &root, &ROOT);
    let Suite { mut functional, mut performance } = Suite::built_in();
    let through = through(&root, &mut found);
    let timeout = span("", &root, "timeout", &mut found).filter(|timeout| !timeout.is_zero());
    let work = work("", &root, &mut found);
    for (plan, known) in [(&mut functional, &FUNCTIONAL[..]), (&mut performance, &PERFORMANCE[..])] {
        plan.origin = file.to_owned();
        plan.through = through.clone();
        plan.timeout = timeout.unwrap_or(plan.timeout);
        plan.work = work.clone().unwrap_or(Work::Probe);
        section(plan, known, &root, &mut found);
    }
    (Some(Suite { functional, performance }), found)
}

fn through(root: &Map<String, Value>, found: &mut Findings) -> Through {
    if let Some(url) = text("", root, "url", found) {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            found.error("/url", "a `url` begins with http:// or https://");
        }
        if root.contains_key("through") {
            found.error("/through", "`url` says how the version is reached; drop `through`");
        }
        return Through::Url(url);
    }
    match text("", root, "through", found).as_deref() {
        None | Some("pods") => Through::Pods,
        Some("service") => Through::Service,
        Some("ingress") => Through::Ingress,
        Some(_) => {
            found.error("/through", "`through` is pods, service or ingress");
            Through::Pods
        }
    }
}

fn section(plan: &mut TestPlan, known: &[&str], root: &Map<String, Value>, found: &mut Findings) {
    let at = join("", &plan.name);
    let map = match root.get(&plan.name) {
        None => return,
        Some(Value::Object(map)) => map,
        Some(Value::String(word)) if word == "none" => {
            plan.work = Work::Nothing;
            return;
        }
        Some(_) => {
            found.error(at, format!("`{}` is a map, or `none` to switch the test off", plan.name));
            return;
        }
    };
    found.keys(&at, map, known);
    if let Some(path) = path(&at, map, found) {
        plan.health = path;
    }
    if let Some(work) = work(&at, map, found) {
        plan.work = work;
    } else if map.contains_key("checks") || map.contains_key("requests") {
        plan.work = Work::Probe;
    }
    let list = if plan.load.is_some() { "requests" } else { "checks" };
    let requests = requests(&join(&at, list), map.get(list), found);
    match (requests, &mut plan.load) {
        (Some(requests), load) => {
            if load.is_some() && requests.is_empty() {
                found.error(join(&at, list), "a load needs at least one request");
            }
            plan.requests = requests;
        }
        (None, Some(_)) => plan.requests = vec![Request::get(&plan.health)],
        (None, None) => {}
    }
    if let Some(load) = &mut plan.load {
        self::load(&at, map, load, found);
    }
}

fn load(at: &str, map: &Map<String, Value>, load: &mut Load, found: &mut Findings) {
    if let Some(users) = count(at, map, "users", found) {
        if users > MOST_USERS {
            found
                .error(join(at, "users"), format!("more than {MOST_USERS} users would be a test of the machine that plays them"));
        }
        load.users = usize::try_from(users.min(MOST_USERS)).unwrap_or(1);
    }
    load.duration = span(at, map, "duration", found).filter(|duration| !duration.is_zero());
    match count(at, map, "loops", found) {
        Some(loops) => load.loops = Some(loops),
        // A duration alone says when it ends.
        None if load.duration.is_some() => load.loops = None,
        None => {}
    }
    if let Some(think) = span(at, map, "think", found) {
        load.think = think;
    }
    match map.get("allowedErrors") {
        None | Some(Value::Null) => {}
        Some(value) => match share(value) {
            Some(share) => load.allowed = share,
            None => found.error(join(at, "allowedErrors"), "`allowedErrors` is a share of the requests: write `10%` or `0%`"),
        },
    }
}

/// `10%`. A bare number could be a share, a percentage or a count: only 0 is clear.
fn share(value: &Value) -> Option<f64> {
    if value.as_f64() == Some(0.0) {
        return Some(0.0);
    }
    let percent: f64 = value.as_str()?.strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

fn work(at: &str, map: &Map<String, Value>, found: &mut Findings) -> Option<Work> {
    let command = map.get("command").filter(|value| !value.is_null());
    let job = map.get("job").filter(|value| !value.is_null());
    if command.is_some() && job.is_some() {
        found.error(join(at, "job"), "either a `command` or a `job`");
    }
    match (command, job) {
        (Some(command), _) => Some(Work::Command(words(&join(at, "command"), command, found))),
        (None, Some(Value::Object(job))) => Some(Work::Job(self::job(&join(at, "job"), job, found))),
        (None, Some(_)) => {
            found.error(join(at, "job"), "a `job` is a map with `image` and `command`");
            None
        }
        (None, None) => None,
    }
}

fn job(at: &str, map: &Map<String, Value>, found: &mut Findings) -> Job {
    found.keys(at, map, &["image", "command", "env", "keep"]);
    let image = text(at, map, "image", found).unwrap_or_default();
    if image.is_empty() {
        found.error(at, "a job has an `image`");
    }
    let command = map.get("command").filter(|value| !value.is_null());
    let command = command.map(|command| words(&join(at, "command"), command, found)).unwrap_or_default();
    let keep = match map.get("keep") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(keep)) => *keep,
        Some(_) => {
            found.error(join(at, "keep"), "`keep` is true or false");
            false
        }
    };
    Job { image, command, env: sorted::map(pairs(&join(at, "env"), map.get("env"), found)), keep }
}

/// A list of words, or a line for the shell.
fn words(at: &str, value: &Value, found: &mut Findings) -> Vec<String> {
    let words: Option<Vec<String>> = match value {
        Value::String(line) if !line.trim().is_empty() => Some(vec!["sh".into(), "-c".into(), line.clone()]),
        Value::Array(list) if !list.is_empty() => list.iter().map(yaml::scalar).collect(),
        _ => None,
    };
    words.unwrap_or_else(|| {
        found.error(at, "a `command` is a list of words like [jmeter, -n], or a line for the shell");
        Vec::new()
    })
}

fn requests(at: &str, value: Option<&Value>, found: &mut Findings) -> Option<Vec<Request>> {
    let list = match value? {
        Value::Null => return None,
        Value::Array(list) => list,
        _ => {
            found.error(at, "this is a list of paths, or of maps with method, path, headers, body");
            return None;
        }
    };
    let mut requests = Vec::new();
    for (place, item) in list.iter().enumerate() {
        let at = join(at, place);
        match item {
            Value::String(path) if path.starts_with('/') => requests.push(Request::get(path)),
            Value::Object(map) => requests.extend(request(&at, map, found)),
            _ => found.error(at, "a request is a path that begins with `/`, or a map with method, path, headers, body"),
        }
    }
    Some(requests)
}

fn request(at: &str, map: &Map<String, Value>, found: &mut Findings) -> Option<Request> {
    found.keys(at, map, &["method", "path", "headers", "body"]);
    let method = text(at, map, "method", found).unwrap_or_else(|| "GET".into());
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        found.error(join(at, "method"), "a method is written in capitals, like GET or POST");
    }
    let body = match map.get("body") {
        None | Some(Value::Null) => String::new(),
        // A map is the JSON that it looks like.
        Some(json @ (Value::Object(_) | Value::Array(_))) => json.to_string(),
        Some(value) => yaml::scalar(value).unwrap_or_default(),
    };
    let headers = pairs(&join(at, "headers"), map.get("headers"), found);
    let Some(path) = path(at, map, found) else {
        found.error(at, "a request has a `path`");
        return None;
    };
    Some(Request { method, path, headers, body })
}

fn path(at: &str, map: &Map<String, Value>, found: &mut Findings) -> Option<String> {
    let path = text(at, map, "path", found)?;
    if !path.starts_with('/') || path.contains(char::is_whitespace) {
        found.error(join(at, "path"), "a `path` begins with `/` and has no blanks");
    }
    Some(path)
}

fn pairs(at: &str, value: Option<&Value>, found: &mut Findings) -> Vec<(String, String)> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(map)) => {
            let mut pairs = Vec::new();
            for (key, value) in map {
                match yaml::scalar(value) {
                    Some(text) => pairs.push((key.clone(), text)),
                    None => found.error(join(at, key), "this is a text"),
                }
            }
            pairs
        }
        Some(_) => {
            found.error(at, "this is a map of names and texts");
            Vec::new()
        }
    }
}

fn text(at: &str, map: &Map<String, Value>, key: &str, found: &mut Findings) -> Option<String> {
    match map.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        _ => {
            found.error(join(at, key), format!("`{key}` is a text"));
            None
        }
    }
}

fn span(at: &str, map: &Map<String, Value>, key: &str, found: &mut Findings) -> Option<Duration> {
    let text = match map.get(key)? {
        Value::Null => return None,
        value => yaml::scalar(value).unwrap_or_default(),
    };
    duration::parse(&text).map_err(|why| found.error(join(at, key), why)).ok()
}

fn count(at: &str, map: &Map<String, Value>, key: &str, found: &mut Findings) -> Option<u64> {
    match map.get(key)? {
        Value::Null => None,
        value => {
            let count = value.as_u64().filter(|count| *count > 0);
            if count.is_none() {
                found.error(join(at, key), format!("`{key}` is a whole number from 1"));
            }
            count
        }
    }
}
