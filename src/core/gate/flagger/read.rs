//! Reads canaries and metric templates, and says what in them cannot be meant.

use super::{BUILT_IN, Flagger, Metric, Source, Template};
use crate::core::gate::number;
use crate::core::lint::{Findings, join};
use crate::core::suggest;
use crate::core::yaml;
use serde_json::{Map, Value};

/// Reads `text`. What is missing or wrong is among the findings, as errors; the rest is read all the same.
pub(super) fn read(text: &str) -> (Flagger, Findings) {
    let mut found = Findings::default();
    let mut flagger =
        Flagger { metrics: Vec::new(), templates: Vec::new(), known: [].into(), notes: Vec::new(), text: text.to_owned() };
    let mut canaries = 0;
    for (at, document) in yaml::documents(text, &mut found) {
        let Some(root) = document.as_object() else {
            found.error(at, "the file is not a map of keys");
            continue;
        };
        let spec = root.get("spec").and_then(Value::as_object);
        match (root.get("kind").and_then(Value::as_str), spec) {
            (Some("Canary" | "MetricTemplate"), None) => found.error(join(&at, "spec"), "`spec` is missing"),
            (Some("MetricTemplate"), Some(spec)) => {
                let template = template(&at, &document, spec, &mut found);
                flagger.templates.push(template);
            }
            (Some("Canary"), Some(spec)) => {
                canaries += 1;
                match canaries {
                    1 => canary(&at, &document, spec, &mut flagger, &mut found),
                    _ => found.error(at, "the file has two canaries: which of them is the gate is not known"),
                }
            }
            _ => found.note(at, "this document is neither a canary nor a metric template: it is left out"),
        }
    }
    flagger.notes = found.notes();
    (flagger, found)
}

fn text_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(yaml::scalar).filter(|text| !text.is_empty())
}

fn template(at: &str, document: &Value, spec: &Map<String, Value>, found: &mut Findings) -> Template {
    let at = join(at, "spec");
    found.keys(&at, spec, &["provider", "query"]);
    if let Some(provider) = spec.get("provider").and_then(Value::as_object) {
        let known = ["type", "address", "secretRef", "insecureSkipVerify", "headers", "region", "serviceAccountRef"];
        found.keys_or_notes(&join(&at, "provider"), provider, &known);
        for key in known.iter().filter(|key| **key != "type" && provider.contains_key(**key)) {
            found.note(
                format!("{at}/provider/{key}"),
                format!("`{key}` says nothing here: `--prometheus URL` and its flags say whom to ask"),
            );
        }
    }
    let provider = text_at(document, "/spec/provider/type").unwrap_or_else(|| "prometheus".into());
    if provider != "prometheus" {
        found.note(
            format!("{at}/provider/type"),
            format!("`{provider}` is not asked here: give the metric's values with `--values`"),
        );
    }
    let query = text_at(document, "/spec/query").unwrap_or_default();
    if query.trim().is_empty() {
        found.error(join(&at, "query"), "a metric template has a `query`");
    }
    let name = text_at(document, "/metadata/name").unwrap_or_default();
    Template { name, namespace: text_at(document, "/metadata/namespace"), provider, query, pointer: join(&at, "query") }
}

fn canary(at: &str, document: &Value, spec: &Map<String, Value>, flagger: &mut Flagger, found: &mut Findings) {
    for (name, pointer) in [
        ("name", "/metadata/name"),
        ("namespace", "/metadata/namespace"),
        ("target", "/spec/targetRef/name"),
        ("service", "/spec/service/name"),
        ("ingress", "/spec/ingressRef/name"),
        ("route", "/spec/routeRef/name"),
    ] {
        flagger.known.extend(text_at(document, pointer).map(|text| (name.to_owned(), text)));
    }
    if let (None, Some(target)) = (flagger.known.get("service"), flagger.known.get("target")) {
        flagger.known.insert("service".into(), target.clone());
    }
    let old = spec.contains_key("canaryAnalysis") && !spec.contains_key("analysis");
    let key = if old { "canaryAnalysis" } else { "analysis" };
    let at = join(&join(at, "spec"), key);
    let Some(analysis) = spec.get(key).and_then(Value::as_object) else {
        found.error(at, "a canary has an `analysis` with `metrics`");
        return;
    };
    let passed = [
        "interval",
        "iterations",
        "threshold",
        "maxWeight",
        "stepWeight",
        "stepWeights",
        "stepWeightPromotion",
        "mirror",
        "mirrorWeight",
        "match",
        "sessionAffinity",
        "primaryReadyThreshold",
        "canaryReadyThreshold",
    ];
    let known: Vec<&str> = passed.iter().copied().chain(["metrics", "webhooks", "alerts"]).collect();
    found.keys_or_notes(&at, analysis, &known);
    if analysis.contains_key("threshold") {
        found.note(join(&at, "threshold"), "one check decides here: so many failed checks are not waited for");
    }
    for key in ["webhooks", "alerts"].iter().filter(|key| analysis.contains_key(**key)) {
        found.note(join(&at, key), format!("`{key}` are not called here"));
    }
    let at = join(&at, "metrics");
    for (place, item) in analysis.get("metrics").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = join(&at, place);
        let Some(map) = item.as_object() else {
            found.error(at, "a metric is a map with `name` and `thresholdRange`");
            continue;
        };
        let metric = metric(&at, item, map, found);
        if flagger.metrics.iter().any(|other| other.name == metric.name) {
            found.error(join(&at, "name"), format!("`{}` is the name of two metrics", metric.name));
        }
        flagger.metrics.push(metric);
    }
    if flagger.metrics.is_empty() {
        found.warning(&at, "no metrics: nothing can fail this gate");
    }
    let mesh = text_at(document, "/spec/provider").filter(|mesh| !mesh.starts_with("istio"));
    if let Some((mesh, metric)) = mesh.zip(flagger.metrics.iter().find(|metric| metric.source == Source::BuiltIn)) {
        found.error(&metric.pointer, format!("`{}` is asked of Istio's metrics here, not of {mesh}'s", metric.name));
    }
}

fn metric(at: &str, item: &Value, map: &Map<String, Value>, found: &mut Findings) -> Metric {
    found.keys(at, map, &["name", "interval", "threshold", "thresholdRange", "query", "templateRef", "templateVariables"]);
    let name = text_at(item, "/name").unwrap_or_default();
    if name.is_empty() {
        found.error(join(at, "name"), "a metric has a `name`");
    }
    let built_in = BUILT_IN.iter().any(|(known, _)| *known == name);
    let source = match (text_at(item, "/templateRef/name"), text_at(item, "/query")) {
        (Some(template), _) => Source::Template(template, text_at(item, "/templateRef/namespace")),
        (None, Some(query)) => Source::Query(query),
        (None, None) => {
            if !built_in && !name.is_empty() {
                let near = suggest::nearest(&name, BUILT_IN.iter().map(|(known, _)| *known));
                let hint = near.map_or_else(|| "give it a `templateRef`".to_owned(), |near| format!("did you mean `{near}`?"));
                found.error(join(at, "name"), format!("nobody knows how to measure `{name}`; {hint}"));
            }
            Source::BuiltIn
        }
    };
    let mut limit = |pointer: &str| {
        let written = item.pointer(pointer).filter(|written| !written.is_null())?;
        let value = number::measured(written);
        if value.is_none() {
            found.error(format!("{at}{pointer}"), format!("a limit is a number, not {written}"));
        }
        value
    };
    let (mut min, mut max) = (limit("/thresholdRange/min"), limit("/thresholdRange/max"));
    let threshold = limit("/threshold");
    if let Some(range) = map.get("thresholdRange").and_then(Value::as_object) {
        found.keys(&join(at, "thresholdRange"), range, &["min", "max"]);
    }
    match (threshold, min.or(max)) {
        (Some(_), Some(_)) => found.note(join(at, "threshold"), "`threshold` says nothing beside `thresholdRange`"),
        (Some(_), None) if name == "request-success-rate" && built_in => min = threshold,
        (Some(_), None) => max = threshold,
        (None, None) => found.error(
            join(at, "thresholdRange"),
            "a metric has a `thresholdRange` with `min` or `max`: without one flagger fails values above 0",
        ),
        (None, Some(_)) => {}
    }
    let variables = item.pointer("/templateVariables").and_then(Value::as_object).into_iter().flatten();
    Metric {
        name,
        source,
        interval: text_at(item, "/interval").unwrap_or_else(|| "1m".into()),
        variables: variables.filter_map(|(name, value)| Some((name.clone(), yaml::scalar(value)?))).collect(),
        min,
        max,
        pointer: at.to_owned(),
    }
}

/// What can be graded, but is hardly meant. The first `own` templates are those of the file.
pub(super) fn doubts(flagger: &Flagger, own: usize, found: &mut Findings) {
    for template in flagger.templates.iter().take(own).filter(|template| template.provider == "prometheus") {
        found.promql(&template.pointer, &template.query);
    }
    let scrape = found.options.scrape_interval;
    for metric in &flagger.metrics {
        let at = |key: &str| join(&metric.pointer, key);
        match &metric.source {
            Source::Query(query) => found.promql(&at("query"), query),
            Source::Template(name, _) if flagger.template(metric).is_none() => {
                found.note(at("templateRef"), format!("the template `{name}` is not in this file: name its file with `--sli`"));
            }
            _ => {}
        }
        let asks_interval = match &metric.source {
            Source::BuiltIn => true,
            Source::Query(_) => false,
            Source::Template(..) => flagger.template(metric).is_some_and(|template| template.query.contains("interval")),
        };
        match crate::core::gate::argo::length(&metric.interval) {
            None => found.error(at("interval"), format!("`{}` is not a length of time", metric.interval.escape_debug())),
            Some(seconds) if seconds < 2.0 * scrape && asks_interval => {
                let (seconds, scrape) = (number::text(seconds), number::text(scrape));
                found.warning(
                    at("interval"),
                    format!(
                        "a window of {seconds} s has room for fewer than two scrapes, one every {scrape} s: no rate can be told"
                    ),
                );
            }
            Some(_) => {}
        }
        if metric.min.zip(metric.max).is_some_and(|(min, max)| min > max) {
            found.warning(at("thresholdRange"), "`min` is above `max`: no value holds");
        }
        if metric.name == "request-success-rate" && metric.source == Source::BuiltIn {
            if metric.min.is_some_and(|min| min > 0.0 && min <= 1.0) {
                found.warning(at("thresholdRange"), "the success rate is in per cent: a `min` of 1 or less hardly ever fails");
            }
            if metric.min.is_none() {
                found.warning(at("thresholdRange"), "without a `min` no success rate is too low");
            }
        }
    }
}
