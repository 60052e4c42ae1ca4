//! Reads analysis templates, and says what in them cannot be meant.

use super::{Argo, Metric, Provider};
use crate::core::gate::expression::Expression;
use crate::core::gate::query::Web;
use crate::core::lint::{Findings, Severity, join};
use crate::core::yaml;
use serde_json::{Map, Value};
use std::time::Duration;

/// Reads `text`. What is missing or wrong is among the findings, as errors; the rest is read all the same.
pub(super) fn read(text: &str) -> (Argo, Findings) {
    let mut found = Findings::default();
    let mut argo = Argo { metrics: Vec::new(), arguments: Vec::new(), notes: Vec::new(), text: text.to_owned() };
    let mut names = Vec::new();
    let mut wanted = Vec::new();
    for (at, document) in yaml::documents(text, &mut found) {
        let Some(root) = document.as_object() else {
            found.error(at, "the file is not a map of keys");
            continue;
        };
        if !["AnalysisTemplate", "ClusterAnalysisTemplate"].iter().any(|kind| root.get("kind") == Some(&Value::from(*kind))) {
            found.note(at, "this document is no analysis template: it is left out");
            continue;
        }
        found.keys_or_notes(&at, root, &["apiVersion", "kind", "metadata", "spec", "status"]);
        names.extend(document.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned));
        let Some(spec) = root.get("spec").and_then(Value::as_object) else {
            found.error(join(&at, "spec"), "a template has a `spec` with `metrics`");
            continue;
        };
        template(&join(&at, "spec"), spec, &mut argo, &mut wanted, &mut found);
    }
    for (at, name) in wanted {
        if !names.contains(&name) {
            found.error(at, format!("the template `{name}` is not in this file: its metrics would be missing"));
        }
    }
    for (place, metric) in argo.metrics.iter().enumerate() {
        if argo.metrics.iter().take(place).any(|other| other.name == metric.name) {
            found.error(join(&metric.pointer, "name"), format!("`{}` is the name of two metrics", metric.name));
        }
    }
    argo.notes = found.notes();
    (argo, found)
}

fn template(at: &str, spec: &Map<String, Value>, argo: &mut Argo, wanted: &mut Vec<(String, String)>, found: &mut Findings) {
    found.keys(at, spec, &["args", "metrics", "dryRun", "measurementRetention", "templates"]);
    for (at, argument) in maps(at, spec, "args", found) {
        found.keys(&at, argument, &["name", "value", "valueFrom"]);
        let name = argument.get("name").and_then(yaml::scalar).unwrap_or_default();
        if argument.contains_key("valueFrom") {
            found.note(
                join(&at, "valueFrom"),
                format!("the cluster is not asked for this value: give it with `--arg {name}=VALUE`"),
            );
        }
        argo.arguments.push((name, argument.get("value").and_then(yaml::scalar)));
    }
    for (at, reference) in maps(at, spec, "templates", found) {
        wanted.extend(reference.get("templateName").and_then(Value::as_str).map(|name| (at, name.to_owned())));
    }
    if spec.contains_key("measurementRetention") {
        found.note(join(at, "measurementRetention"), "`measurementRetention` says nothing here: all measurements are kept");
    }
    let mut dry = Vec::new();
    for (at, entry) in maps(at, spec, "dryRun", found) {
        found.keys(&at, entry, &["metricName"]);
        match entry.get("metricName").and_then(Value::as_str) {
            Some(name) => dry.push((join(&at, "metricName"), name.to_owned())),
            None => found.error(at, "`metricName` is missing"),
        }
    }
    let first = argo.metrics.len();
    for (at, map) in maps(at, spec, "metrics", found) {
        argo.metrics.push(metric(&at, map, found));
    }
    for (at, name) in dry {
        let every = [".*", "*"].contains(&name.as_str());
        let mut any = false;
        for metric in argo.metrics.iter_mut().skip(first).filter(|metric| every || metric.name == name) {
            (metric.dry_run, any) = (true, true);
        }
        if !any {
            // A pattern that is not understood must not let a metric fail that was only to be shown, nor the reverse.
            found.error(at, format!("no metric is called `{name}`; a name or `.*` is read here"));
        }
    }
}

fn metric(at: &str, map: &Map<String, Value>, found: &mut Findings) -> Metric {
    let known = [
        "name",
        "interval",
        "initialDelay",
        "count",
        "successCondition",
        "failureCondition",
        "failureLimit",
        "inconclusiveLimit",
        "consecutiveErrorLimit",
        "consecutiveSuccessLimit",
        "provider",
    ];
    found.keys(at, map, &known);
    let text = |key: &str| map.get(key).and_then(yaml::scalar).filter(|text| !text.is_empty());
    let name = text("name").unwrap_or_default();
    if name.is_empty() {
        found.error(join(at, "name"), "a metric has a `name`");
    }
    for (key, whole) in [
        ("count", true),
        ("failureLimit", true),
        ("inconclusiveLimit", true),
        ("consecutiveErrorLimit", true),
        ("consecutiveSuccessLimit", true),
        ("interval", false),
        ("initialDelay", false),
    ] {
        let wrong = |text: &String| match whole {
            true => text.parse::<i64>().is_err(),
            false => super::length(text).is_none(),
        };
        if text(key).is_some_and(|text| !text.contains("{{") && wrong(&text)) {
            let wanted = if whole { "a whole number" } else { "a length of time like `5m`" };
            found.error(join(at, key), format!("`{key}` is {wanted}"));
        }
    }
    // What an argument says is not known yet: then the grader looks.
    let limit = |key: &str| text(key).map_or(0, |text| text.parse().unwrap_or(1));
    let limits = ["failureLimit", "inconclusiveLimit", "consecutiveErrorLimit", "consecutiveSuccessLimit"];
    if let Err((key, why)) = super::grade::check_limits(limits.map(limit)) {
        found.error(join(at, key), why);
    }
    if map.contains_key("initialDelay") {
        found.note(join(at, "initialDelay"), "`initialDelay` says nothing here: the window says when is looked");
    }
    if map.contains_key("interval") && !map.contains_key("count") {
        found.note(
            join(at, "interval"),
            "without `count` Argo measures until it is stopped; here as often as the window has room for",
        );
    }
    if map.contains_key("consecutiveErrorLimit") {
        found.note(
            join(at, "consecutiveErrorLimit"),
            "nothing is tried again: a measurement without a value keeps the metric from passing",
        );
    }
    let condition = |key: &str, found: &mut Findings| {
        let text = text(key)?;
        let filled = filler(&text);
        // An argument may be an operator as well as a number.
        if let Err(problem) = Expression::parse(&filled)
            && (filled == text || !problem.message.starts_with("1 stands where"))
        {
            found.inside(Severity::Error, &join(at, key), problem.at, format!("this is no condition: {}", problem.message));
        }
        Some(text)
    };
    Metric {
        success: condition("successCondition", found),
        failure: condition("failureCondition", found),
        provider: provider(&join(at, "provider"), map.get("provider"), found),
        name,
        count: text("count"),
        interval: text("interval"),
        failure_limit: text("failureLimit"),
        inconclusive_limit: text("inconclusiveLimit"),
        error_limit: text("consecutiveErrorLimit"),
        success_limit: text("consecutiveSuccessLimit"),
        dry_run: false,
        pointer: at.to_owned(),
    }
}

/// A condition with a number in place of each argument, of the same length, so that what is wrong stands where it stood.
fn filler(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (inside, after))) =
        rest.split_once("{{").and_then(|(before, from)| Some((before, from.split_once("}}")?)))
    {
        whole += before;
        whole += "1";
        whole.extend(std::iter::repeat_n(' ', inside.chars().count() + 3));
        rest = after;
    }
    whole + rest
}

fn provider(at: &str, value: Option<&Value>, found: &mut Findings) -> Provider {
    let Some(map) = value.and_then(Value::as_object) else {
        found.error(at, "a metric has a `provider`");
        return Provider::Other;
    };
    if let Some(prometheus) = map.get("prometheus") {
        return self::prometheus(&join(at, "prometheus"), prometheus, found);
    }
    if let Some(web) = map.get("web") {
        return self::web(&join(at, "web"), web, found);
    }
    let name = map.keys().next().map_or("", String::as_str);
    found.note(at, format!("`{name}` is not asked here: give the metric's values with `--values`"));
    Provider::Other
}

fn prometheus(at: &str, value: &Value, found: &mut Findings) -> Provider {
    let empty = Map::new();
    let map = value.as_object().unwrap_or(&empty);
    found.keys(at, map, &["address", "query", "authentication", "timeout", "insecure", "headers", "rangeQuery"]);
    for key in ["address", "authentication", "insecure", "headers"].iter().filter(|key| map.contains_key(**key)) {
        found.note(join(at, key), format!("`{key}` says nothing here: `--prometheus URL` and its flags say whom to ask"));
    }
    if map.contains_key("timeout") {
        found.note(join(at, "timeout"), "`timeout` says nothing here: `--request-timeout` does");
    }
    if map.contains_key("rangeQuery") {
        found.warning(join(at, "rangeQuery"), "a range query is not asked here: give the metric's values with `--values`, or write it with `min_over_time(…[5m:1m])`");
        return Provider::Other;
    }
    match map.get("query").and_then(Value::as_str).filter(|query| !query.trim().is_empty()) {
        Some(query) => Provider::Prometheus(query.to_owned()),
        None => {
            found.error(join(at, "query"), "`query` is missing");
            Provider::Other
        }
    }
}

fn web(at: &str, value: &Value, found: &mut Findings) -> Provider {
    let empty = Map::new();
    let map = value.as_object().unwrap_or(&empty);
    let known = ["url", "method", "headers", "body", "jsonBody", "timeoutSeconds", "jsonPath", "insecure", "authentication"];
    found.keys(at, map, &known);
    for key in ["insecure", "authentication"].iter().filter(|key| map.contains_key(**key)) {
        found.note(
            join(at, key),
            format!("`{key}` says nothing here: write a header; `${{VAR}}` in it is a variable of the environment"),
        );
    }
    let text = |key: &str| map.get(key).and_then(yaml::scalar);
    let Some(url) = text("url").filter(|url| !url.is_empty()) else {
        found.error(join(at, "url"), "`url` is missing");
        return Provider::Other;
    };
    let headers = maps(at, map, "headers", found)
        .into_iter()
        .filter_map(|(_, header)| Some((header.get("key").and_then(yaml::scalar)?, header.get("value").and_then(yaml::scalar)?)));
    let headers: Vec<(String, String)> = headers.collect();
    let body = map.get("jsonBody").map(Value::to_string).or_else(|| text("body"));
    let timeout = map.get("timeoutSeconds").and_then(Value::as_u64).filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let web = Web {
        url,
        method: text("method").unwrap_or_default(),
        headers,
        body,
        path: text("jsonPath").unwrap_or_default(),
        timeout,
    };
    if !web.path.contains("{{args")
        && let Err(why) = web.samples(&Value::Null)
    {
        found.error(join(at, "jsonPath"), why);
    }
    Provider::Web(Box::new(web))
}

/// The maps of a list, with their pointers.
fn maps<'a>(at: &str, map: &'a Map<String, Value>, key: &str, found: &mut Findings) -> Vec<(String, &'a Map<String, Value>)> {
    let at = join(at, key);
    let list = match map.get(key) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(_) => {
            found.error(at, format!("`{key}` is a list"));
            return Vec::new();
        }
    };
    let mut maps = Vec::new();
    for (place, item) in list.iter().enumerate() {
        match item.as_object() {
            Some(map) => maps.push((join(&at, place), map)),
            None => found.error(join(&at, place), "this is not a map"),
        }
    }
    maps
}

/// What can be graded, but is hardly meant.
pub(super) fn doubts(argo: &Argo, found: &mut Findings) {
    if argo.metrics.is_empty() {
        found.error("", "no metrics: nothing is measured");
        return;
    }
    for metric in &argo.metrics {
        let at = |key: &str| join(&metric.pointer, key);
        if let Provider::Prometheus(query) = &metric.provider {
            super::check(&format!("{}/provider/prometheus/query", metric.pointer), query, found);
        }
        if metric.success.is_none() && metric.failure.is_none() {
            found.warning(&metric.pointer, "no condition: Argo calls every result a success; here it is only shown");
        }
        for (key, text) in [("successCondition", &metric.success), ("failureCondition", &metric.failure)] {
            let Some(text) = text else { continue };
            let Ok(condition) = Expression::parse(&filler(text)) else { continue };
            if !condition.looks_at_the_result() {
                found.warning(at(key), "this condition says nothing about `result`: it always comes out the same");
            }
            if key == "failureCondition" && metric.success.is_none() && !condition.minds_nan() {
                found.note(
                    at(key),
                    "NaN is a success for Argo here, as the condition does not hold; it is not measured for tidegate",
                );
            }
            shares(&at(key), &metric.provider, &condition, key == "successCondition", found);
        }
        let limits = [&metric.failure_limit, &metric.count].map(|text| text.as_ref().and_then(|text| text.parse::<i64>().ok()));
        match limits {
            [Some(limit), count]
                if limit >= 0 && limit >= count.unwrap_or(1) && (count.is_some() || metric.interval.is_none()) =>
            {
                let count = count.unwrap_or(1);
                found.warning(
                    at("failureLimit"),
                    format!("{limit} failures are allowed, of {count} measured: nothing can fail this metric"),
                );
            }
            _ => {}
        }
    }
    let counted = |metric: &&Metric| !metric.dry_run && (metric.success.is_some() || metric.failure.is_some());
    if !argo.metrics.iter().any(|metric| counted(&metric)) {
        found.warning("", "every metric is only shown: nothing can fail this gate");
    }
}

/// A share of successes that must be below something, as a sample of the documentation has it for a rate of errors.
fn shares(at: &str, provider: &Provider, condition: &Expression, success: bool, found: &mut Findings) {
    let (Provider::Prometheus(query), Some((sign, limit))) = (provider, condition.limit()) else { return };
    let errors = query.contains("code=~\"5") || query.contains("code=~'5") || query.contains("status=~\"5");
    let upper = sign.starts_with('<') == success;
    if errors && upper && (0.5..1.0).contains(&limit) {
        found.warning(at, format!("up to {} % errors are allowed: is the limit one for successes?", limit * 100.0));
    }
}
