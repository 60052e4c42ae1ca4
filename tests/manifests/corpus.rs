//! Manifests of public repositories, where the machine has them, with an oracle that knows the bytes of every weight.

use crate::repository::within;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tidegate::core::manifest::Manifest;
use tidegate::core::object::Object;
use tidegate::core::patch::Patch;
use tidegate::core::route::{Action, Route, Stored};

/// A weight that no file has.
const MARK: u32 = 77_777;

/// Another one.
const OTHER: u32 = 88_888;

pub fn folder() -> Option<PathBuf> {
    let path = within("../shared/corpus");
    let found = path.join("INDEX.tsv").exists();
    if !found {
        say(&format!("skipped: {} is not here", path.display()));
    }
    found.then_some(path)
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The rows of a table, by the names of its head.
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).expect("a table");
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().expect("a head").split('\t').collect();
    let row = |line: &str| head.iter().zip(line.split('\t')).map(|(key, cell)| ((*key).to_owned(), cell.to_owned())).collect();
    lines.map(row).collect()
}

/// A destination's place: list, route, destination, host.
type Place = (String, usize, usize, String);

fn places(object: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    for list in ["http", "tls", "tcp"] {
        for (route, one) in object["spec"][list].as_array().into_iter().flatten().enumerate() {
            for (index, to) in one["route"].as_array().into_iter().flatten().enumerate() {
                let host = to["destination"]["host"].as_str().unwrap_or_default();
                found.push((list.to_owned(), route, index, host.to_owned()));
            }
        }
    }
    found
}

/// The virtual services of a text as another reader sees them, and everything without their weights.
fn meaning(text: &str) -> (Vec<Value>, Vec<Value>) {
    let (mut services, mut rest) = (Vec::new(), Vec::new());
    for document in serde_yaml::Deserializer::from_str(text.trim_start_matches('\u{feff}')) {
        let mut value = serde_yaml::Value::deserialize(document).expect("YAML");
        value.apply_merge().expect("merges");
        let mut value: Value = serde_json::to_value(value).expect("JSON");
        take(&mut value, &mut services);
        rest.push(value);
    }
    (services, rest)
}

fn take(value: &mut Value, services: &mut Vec<Value>) {
    let ours = |key: &str, part: &str| value.get(key).and_then(Value::as_str).is_some_and(|text| text.starts_with(part));
    if ours("kind", "VirtualService") && (ours("apiVersion", "networking.istio.io/") || ours("apiVersion", "config.istio.io/")) {
        services.push(value.clone());
        for (list, route, index, _) in places(value) {
            if let Some(entry) = value["spec"][&list][route]["route"][index].as_object_mut() {
                entry.remove("weight");
            }
        }
    } else if let Some(items) = value.get_mut("items").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(|item| take(item, services));
    }
}

/// The text with the added weights taken away.
fn without_added(text: &str) -> String {
    let mut text = text.replace(&format!(", weight: {MARK}"), "").replace(&format!(", \"weight\": {MARK}"), "");
    for end in ["\r\n", "\n"] {
        while let Some(at) = text.find(&format!("weight: {MARK}")) {
            let Some(begin) = text[..at].trim_end_matches(' ').strip_suffix(end).map(str::len) else { break };
            text.replace_range(begin..at + format!("weight: {MARK}").len(), "");
        }
    }
    text
}

#[test]
fn plain_manifests_change_in_the_bytes_that_the_oracle_names() {
    let Some(folder) = folder() else { return };
    let mut oracle: BTreeMap<String, Vec<BTreeMap<String, String>>> = BTreeMap::new();
    for row in table(&folder.join("WEIGHTS.tsv")) {
        if row["kind"] == "VirtualService" && row["file"].starts_with("plain/") {
            oracle.entry(row["file"].clone()).or_default().push(row);
        }
    }
    let route = |row: &BTreeMap<String, String>| format!("{} {} {} {}", row["doc"], row["name"], row["proto"], row["route_idx"]);
    let promised: usize = oracle.values().map(|rows| rows.iter().map(route).collect::<BTreeSet<_>>().len()).sum();
    let (mut files, mut routes, mut added, mut refused, mut broken) = (0, 0, 0, 0, 0);
    let mut wrong = Vec::new();
    for row in table(&folder.join("INDEX.tsv")) {
        let file = &row["file"];
        if !file.starts_with("plain/") {
            continue;
        }
        let text = std::fs::read_to_string(folder.join(file)).expect("a file of the corpus");
        let odd: BTreeSet<&str> = row["odd"].split(' ').collect();
        let manifest = match Manifest::read(&text, None) {
            Ok(_) if odd.contains("parse-error") => {
                wrong.push(format!("{file}: is no YAML, but was read"));
                continue;
            }
            Ok(manifest) => manifest,
            Err(error) => {
                broken += usize::from(odd.contains("parse-error") || odd.contains("duplicate-keys"));
                refused += 1;
                if !odd.contains("parse-error") && !odd.contains("duplicate-keys") {
                    wrong.push(format!("{file}: {error}"));
                }
                continue;
            }
        };
        let Some(rows) = oracle.get(file) else { continue };
        let named = |row: &BTreeMap<String, String>| {
            let number = |key: &str| row[key].parse::<usize>().expect("a number");
            (row["proto"].clone(), number("route_idx"), number("dest_idx"), row["host"].clone())
        };
        let seen: Vec<Place> = manifest.virtual_services().iter().flat_map(|held| places(&held.value)).collect();
        if seen != rows.iter().map(named).collect::<Vec<_>>() {
            wrong.push(format!("{file}: other destinations"));
            continue;
        }
        // Each weight its own number, those that are missing the mark.
        let mut spliced = text.clone();
        let mut numbers = Vec::new();
        for (index, row) in rows.iter().enumerate().rev() {
            let number = if row["style"] == "missing" { MARK } else { 100_000 + u32::try_from(index).expect("few") };
            if row["style"] != "missing" {
                let at = |key: &str| row[key].parse::<usize>().expect("an offset");
                let old = text[at("byte_start")..at("byte_end")].to_owned();
                spliced.replace_range(
                    at("byte_start")..at("byte_end"),
                    &old.replace(old.trim_matches(['"', '\'']), &number.to_string()),
                );
            }
            numbers.insert(0, number);
        }
        let mut left = numbers.iter();
        let mut patches = Vec::new();
        for held in manifest.virtual_services() {
            let mut patch = Patch::default();
            for ((list, route, index, _), number) in places(&held.value).iter().zip(left.by_ref()) {
                patch.set(["spec", list, &route.to_string(), "route", &index.to_string(), "weight"], json!(number));
            }
            patches.push(patch);
        }
        let edits: Vec<(usize, &Patch)> = patches.iter().enumerate().collect();
        let after = match manifest.edited(&edits) {
            Ok(after) => after.text,
            Err(error) => {
                wrong.push(format!("{file}: {error} {:?}", error.causes));
                continue;
            }
        };
        let missing = numbers.iter().filter(|number| **number == MARK).count();
        if after.matches(&MARK.to_string()).count() != missing || without_added(&after) != spliced {
            wrong.push(format!("{file}: other bytes"));
            continue;
        }
        // JSON's pairs of escapes are beyond the other reader; no file has them.
        let ((services, rest), (_, rest_before)) = (meaning(&after), meaning(&text));
        let weights = services.iter().flat_map(|object| {
            places(object)
                .into_iter()
                .map(|(list, route, index, _)| object["spec"][&list][route]["route"][index]["weight"].clone())
        });
        if rest != rest_before || !weights.eq(numbers.iter().map(|number| json!(number))) {
            wrong.push(format!("{file}: another meaning"));
            continue;
        }
        files += 1;
        routes += rows.iter().map(route).collect::<BTreeSet<_>>().len();
        added += missing;
    }
    say(&format!(
        "plain: {files} of {} files, {routes} of {promised} routes edited, {added} weights added; {refused} refused, {broken} rightly",
        oracle.len()
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((files, routes), (oracle.len(), promised));
}

/// Values that give a number to every plain reference in a text.
fn values(text: &str) -> String {
    let mut root = json!({});
    for part in text.split("{{").skip(1) {
        let action = part.split("}}").next().unwrap_or_default().trim_matches(['-', ' ']);
        let Some(path) = action.trim_start_matches('$').strip_prefix(".Values.") else { continue };
        if !path.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '.') {
            continue;
        }
        let mut at = &mut root;
        for segment in path.split('.') {
            if !at.is_object() {
                *at = json!({});
            }
            at = &mut at[segment];
        }
        if at.is_null() {
            *at = json!(50);
        }
    }
    serde_yaml::to_string(&root).expect("YAML")
}

#[test]
fn templates_change_in_nothing_but_weights() {
    let Some(folder) = folder() else { return };
    let mut files: Vec<_> = std::fs::read_dir(folder.join("helm")).expect("a folder").flatten().map(|one| one.path()).collect();
    files.sort();
    let (mut read, mut held, mut routes, mut done) = (0, 0, 0, 0);
    let mut reasons: Vec<String> = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path).expect("a file of the corpus");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let values = values(&text);
        let manifest = match Manifest::read(&text, Some(&values)) {
            Ok(manifest) => manifest,
            Err(error) => {
                reasons.push(format!("UNREAD {name}: {error}"));
                continue;
            }
        };
        read += 1;
        for (index, one) in manifest.virtual_services().iter().enumerate() {
            held += 1;
            for route in Object::read(one.value.clone()).routes {
                let Route { id, action: Action::Forward(to), .. } = &route else {
                    if let Action::Broken(why) = &route.action {
                        routes += 1;
                        reasons.push(format!("BROKEN {name}: {}: {why}", route.id));
                    }
                    continue;
                };
                routes += 1;
                let mut patch = Patch::default();
                for (place, one) in to.iter().enumerate() {
                    let path = ["spec", id.protocol.key(), &id.index.to_string(), "route", &place.to_string(), "weight"];
                    patch.set(path, json!(if one.weight == Stored::Missing { MARK } else { OTHER }));
                }
                match manifest.edited(&[(index, &patch)]) {
                    Ok(after) => {
                        done += 1;
                        assert_eq!(weightless(&after.text), weightless(&text), "{name}");
                        let values_after = after.values.unwrap_or_else(|| values.clone());
                        assert_eq!(values_after.replace(&OTHER.to_string(), "50"), values, "{name}");
                    }
                    Err(error) => reasons.push(format!("REFUSED {name}: {id}: {error}")),
                }
            }
        }
    }
    for reason in reasons.iter().filter(|_| std::env::var_os("TIDEGATE_REASONS").is_some()) {
        say(reason);
    }
    say(&format!("templates: {read} of {} files read, {held} virtual services, {done} of {routes} routes edited", files.len()));
    assert!(done > 0);
}

/// A text without the numbers of weights, and without lines that hold nothing else.
fn weightless(text: &str) -> String {
    let mut result = String::new();
    for line in without_added(text).split_inclusive('\n') {
        let mut parts = line.split("weight:");
        result.push_str(parts.next().unwrap_or_default());
        for part in parts {
            result.push_str("weight:");
            result.push_str(part.trim_start_matches([' ', '"', '\'']).trim_start_matches(|digit: char| digit.is_ascii_digit()));
        }
    }
    result
}
