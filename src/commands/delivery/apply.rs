//! What the commands share that make objects: may it be done, what is printed.

use crate::cli::{self, Format};
use crate::cluster::{self, Cluster, Resource};
use crate::error::{Error, Kind, Result};
use crate::ui::{Ui, data};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

/// Something to be done with a kind of object in a namespace.
pub(super) type Right = (&'static str, &'static Resource, String);

/// Asks whether all of this may be done, before any of it is.
///
/// # Errors
/// `Forbidden`, with all that may not be done.
pub(super) async fn rights(cluster: &Cluster, wanted: &[Right]) -> Result<()> {
    let asked = wanted.iter().map(|(verb, kind, namespace)| cluster.may(verb, kind, namespace));
    let allowed = try_join_all(asked).await?;
    let missing = wanted.iter().zip(allowed).filter(|(_, allowed)| !allowed).map(|(right, _)| right);
    // By place, then by verb.
    let mut places: Grouped<'_, (&str, Vec<&str>)> = Vec::new();
    for (verb, kind, namespace) in missing {
        let place = if kind.namespaced { namespace.as_str() } else { "the cluster" };
        let verbs = entry(&mut places, place);
        let kinds = entry(verbs, verb);
        if !kinds.contains(&kind.plural) {
            kinds.push(kind.plural);
        }
    }
    if places.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = places.iter().map(|(place, _)| *place).collect();
    let error = Error::new(Kind::Forbidden, format!("not enough rights in {}; nothing was written", names.join(", ")));
    let error = places.iter().fold(error, |error, (place, verbs)| {
        let verbs: Vec<String> = verbs.iter().map(|(verb, kinds)| format!("{verb} {}", kinds.join(", "))).collect();
        error.caused_by(format!("{place}: may not {}", verbs.join("; ")))
    });
    Err(error.hint("`tidegate help rbac` prints the rights that are needed"))
}

/// Lists by a key, in the order in which the keys came.
type Grouped<'a, T> = Vec<(&'a str, Vec<T>)>;

/// The list behind a key, made where there is none.
fn entry<'a, 'k, T>(all: &'a mut Grouped<'k, T>, key: &'k str) -> &'a mut Vec<T> {
    let place = all.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
        all.push((key, Vec::new()));
        all.len() - 1
    });
    &mut all[place].1
}

/// Prints objects instead of making them, where the output format asks for that.
pub(super) fn printed(ui: &Ui, format: Format, objects: &[Value]) -> bool {
    match format {
        Format::Table | Format::Wide => return false,
        Format::Name => objects.iter().for_each(|object| ui.answer(&format!("{}\n", title(object)))),
        Format::Json => ui.answer(&data(&json!({"apiVersion": "v1", "kind": "List", "items": objects}), false)),
        Format::Yaml => {
            let documents: Vec<String> = objects.iter().map(|object| data(object, true)).collect();
            ui.answer(&documents.join("---\n"));
        }
    }
    true
}

/// `deployment.apps/carts`, as kubectl names an object.
pub(super) fn title(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = text("/kind").to_lowercase();
    match text("/apiVersion").split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", text("/metadata/name")),
        None => format!("{kind}/{}", text("/metadata/name")),
    }
}

/// What is said behind the lines of a dry run, in kubectl's words.
pub(super) fn behind(dry_run: cli::DryRun) -> &'static str {
    match dry_run {
        cli::DryRun::None => "",
        cli::DryRun::Client => " (dry run)",
        cli::DryRun::Server => " (server dry run)",
    }
}

/// How the server is told.
pub(super) fn on_server(dry_run: cli::DryRun) -> cluster::DryRun {
    match dry_run {
        cli::DryRun::Server => cluster::DryRun::Server,
        _ => cluster::DryRun::No,
    }
}

/// Reads a file that must be a text.
///
/// # Errors
/// `Usage` where it cannot be read.
pub(super) fn read(path: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::usage(format!("cannot read {}", path.display())).caused_by(plain(&error)))
}

/// The cause of a failure without the number that helps nobody.
pub(super) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
