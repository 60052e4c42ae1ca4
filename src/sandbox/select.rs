//! Label and field selectors.

use serde_json::Value;

use super::kinds::Kind;
use super::status::Failure;
use super::store::text;

/// What a list or a watch shows.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
    Exists,
    Missing,
}

impl Selector {
    /// Reads both selectors of a request; a field that the kind cannot be selected by is a 400.
    pub fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Selector, Failure> {
        let mut selector = Selector { labels: parse_labels(labels)?, fields: Vec::new() };
        for term in fields.split(',').filter(|term| !term.trim().is_empty()) {
            let (field, equal, value) = if let Some((f, v)) = term.split_once("!=") {
                (f, false, v)
            } else if let Some((f, v)) = term.split_once("==").or_else(|| term.split_once('=')) {
                (f, true, v)
            } else {
                return Err(Failure::bad_request(format!("invalid selector: '{fields}'; can't understand '{term}'")));
            };
            if field_pointer(kind, field).is_none() {
                return Err(Failure::bad_request(unsupported(kind, field)));
            }
            selector.fields.push((field.to_owned(), equal, value.to_owned()));
        }
        Ok(selector)
    }

    /// Whether an object is selected.
    pub fn matches(&self, kind: &Kind, object: &Value) -> bool {
        self.labels.iter().all(|requirement| {
            let label =
                object.pointer("/metadata/labels").and_then(|labels| labels.get(&requirement.key)).and_then(Value::as_str);
            match (&requirement.test, label) {
                (Test::In(values), Some(label)) => values.iter().any(|v| v == label),
                (Test::NotIn(values), Some(label)) => values.iter().all(|v| v != label),
                // A label that is no number is neither.
                (Test::Greater(bound), Some(label)) => label.parse().is_ok_and(|number: i64| number > *bound),
                (Test::Less(bound), Some(label)) => label.parse().is_ok_and(|number: i64| number < *bound),
                (Test::Exists, label) => label.is_some(),
                (Test::Missing, label) => label.is_none(),
                (Test::In(_) | Test::Greater(_) | Test::Less(_), None) => false,
                (Test::NotIn(_), None) => true,
            }
        }) && self
            .fields
            .iter()
            .all(|(field, equal, value)| field_pointer(kind, field).is_some_and(|p| (text(object, p) == value) == *equal))
    }
}

fn unsupported(kind: &Kind, field: &str) -> String {
    let core = ["pods", "services", "events", "secrets", "namespaces", "replicasets"];
    if kind.custom || core.contains(&kind.plural) {
        return format!("field label not supported: {field}");
    }
    format!("{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
}

/// Where the value of a selectable field stands.
fn field_pointer(kind: &Kind, field: &str) -> Option<&'static str> {
    Some(match (kind.plural, field) {
        (_, "metadata.name") => "/metadata/name",
        (_, "metadata.namespace") => "/metadata/namespace",
        ("pods", "status.phase") | ("namespaces", "status.phase") => "/status/phase",
        ("pods", "status.podIP") => "/status/podIP",
        ("pods", "spec.nodeName") => "/spec/nodeName",
        ("secrets", "type") => "/type",
        ("services", "spec.type") => "/spec/type",
        ("services", "spec.clusterIP") => "/spec/clusterIP",
        ("events", "involvedObject.kind") => "/involvedObject/kind",
        ("events", "involvedObject.namespace") => "/involvedObject/namespace",
        ("events", "involvedObject.name") => "/involvedObject/name",
        ("events", "involvedObject.uid") => "/involvedObject/uid",
        ("events", "involvedObject.apiVersion") => "/involvedObject/apiVersion",
        ("events", "involvedObject.fieldPath") => "/involvedObject/fieldPath",
        ("events", "involvedObject.resourceVersion") => "/involvedObject/resourceVersion",
        ("events", "reason") => "/reason",
        ("events", "type") => "/type",
        ("replicasets", "status.replicas") => "/status/replicas",
        _ => return None,
    })
}

fn parse_labels(selector: &str) -> Result<Vec<Requirement>, Failure> {
    let mut requirements = Vec::new();
    for term in split_terms(selector) {
        let term = term.trim();
        if term.is_empty() {
            continue;
        }
        requirements.push(parse_term(term).ok_or_else(|| Failure::bad_request(complaint(term)))?);
    }
    Ok(requirements)
}

/// What the API server says about a term that it cannot read.
fn complaint(term: &str) -> String {
    if compared(term).is_some_and(|(_, _, value)| value.trim_start().starts_with('=')) {
        return "unable to parse requirement: found '=', expected: identifier".to_owned();
    }
    let words: Vec<&str> = term.split_whitespace().collect();
    match words.as_slice() {
        [_, "in" | "notin", word, ..] => {
            format!("unable to parse requirement: found '{word}' expected: '('")
        }
        [_, word, ..] => format!("unable to parse requirement: found '{word}', expected: in, notin, =, ==, !=, gt, lt"),
        _ if term.matches('=').count() > 1 => "found '=', expected: ',' or 'end of string'".into(),
        _ => format!("unable to parse requirement: found '{term}', expected: !, identifier, or 'end of string'"),
    }
}

/// Splits at the commas outside of parentheses.
fn split_terms(selector: &str) -> Vec<&str> {
    let mut depth = 0usize;
    selector
        .split(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .collect()
}

/// The key, the operator and the value of a term that compares.
fn compared(term: &str) -> Option<(&str, &str, &str)> {
    let operator = |rest: &str| ["!=", "==", "=", ">", "<"].into_iter().find(|operator| rest.starts_with(operator));
    let (start, operator) = term.char_indices().find_map(|(start, _)| Some((start, operator(term.get(start..)?)?)))?;
    Some((term.get(..start)?, operator, term.get(start + operator.len()..)?))
}

fn parse_term(term: &str) -> Option<Requirement> {
    let words: Vec<&str> = term.splitn(3, char::is_whitespace).collect();
    let listed = |rest: &str| -> Option<Vec<String>> {
        let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|v| v.trim().to_owned()).collect())
    };
    // `a in (x, y)` and `a in(x,y)`
    for (word, negated) in [("notin", true), ("in", false)] {
        let Some(&key) = words.first().filter(|_| words.len() > 1) else {
            break;
        };
        let rest = term.get(key.len()..)?.trim_start();
        if let Some(values) = rest.strip_prefix(word).and_then(listed) {
            let test = if negated { Test::NotIn(values) } else { Test::In(values) };
            return requirement(key, test);
        }
    }
    if let Some((key, operator, value)) = compared(term) {
        let test = match operator {
            "!=" => Test::NotIn(vec![label_value(value)?]),
            ">" => Test::Greater(value.trim().parse().ok()?),
            "<" => Test::Less(value.trim().parse().ok()?),
            _ => Test::In(vec![label_value(value)?]),
        };
        return requirement(key, test);
    }
    if let Some(key) = term.strip_prefix('!') {
        return requirement(key, Test::Missing);
    }
    requirement(term, Test::Exists)
}

fn requirement(key: &str, test: Test) -> Option<Requirement> {
    let key = key.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then(|| Requirement { key: key.to_owned(), test })
}

fn label_value(value: &str) -> Option<String> {
    let value = value.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    value.chars().all(plain).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::kinds::{EVENTS, PODS, VIRTUAL_SERVICES};
    use super::*;
    use serde_json::json;

    fn selected(labels: &str, object: &Value) -> bool {
        Selector::parse(&PODS, labels, "").is_ok_and(|s| s.matches(&PODS, object))
    }

    #[test]
    fn labels_select_by_value_set_and_presence() {
        let pod = json!({"metadata": {"labels": {"app": "carts", "version": "v2"}}});
        for yes in [
            "",
            "app=carts",
            "app==carts,version!=v1",
            "app in (x, carts),version notin (v1)",
            "app",
            "!tier",
            "tier!=db",
            "tier notin (db)",
        ] {
            assert!(selected(yes, &pod), "{yes}");
        }
        for no in ["app=x", "app!=carts", "app in (x)", "!app", "tier", "tier=db"] {
            assert!(!selected(no, &pod), "{no}");
        }
    }

    #[test]
    fn labels_that_are_numbers_compare() {
        let pod = json!({"metadata": {"labels": {"place": "10", "app": "carts"}}});
        for (selector, expected) in [
            ("place>9", true),
            ("place > 9,place<11", true),
            ("place>10", false),
            ("place<9", false),
            ("app>1", false),
            ("tier<1", false),
        ] {
            assert_eq!(selected(selector, &pod), expected, "{selector}");
        }
    }

    #[test]
    fn malformed_selectors_are_bad_requests() {
        for bad in ["a=b=c", "a===b", "a in x", "=x", "a>b"] {
            let code = Selector::parse(&PODS, bad, "").map(|_| 0).map_err(|f| f.code);
            assert_eq!(code, Err(400), "{bad}");
        }
    }

    #[test]
    fn fields_are_those_of_the_kind() {
        let event = json!({"involvedObject": {"name": "carts"}});
        let selector = Selector::parse(&EVENTS, "", "involvedObject.name=carts");
        assert!(selector.is_ok_and(|s| s.matches(&EVENTS, &event)));
        let refused = Selector::parse(&VIRTUAL_SERVICES, "", "spec.x=1").map(|_| ());
        assert_eq!(refused.map_err(|f| f.message), Err("field label not supported: spec.x".to_owned()));
    }
}
