//! How a change is told: what a dry run would do, what came of it, and the command that undoes it.

use super::Context;
use super::change::Plans;
use super::manifests::Manifests;
use super::store::Store;
use crate::cli::{self, DryRun, Format};
use crate::core::find::Found;
use crate::core::host;
use crate::core::object::Object;
use crate::core::plan::{self, Change, Intent};
use crate::core::select::Service;
use crate::core::shell;
use crate::error::{Error, Kind, Result};
use crate::exec::{Outcome, Planned};
use crate::ui::{self, Line, data};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn plans(planned: &Plans) -> impl Iterator<Item = (&Service, &[Change])> {
    planned.iter().map(|(service, changes)| (service, changes.as_slice()))
}

/// `2 of 2 pods ready`, where it was read.
pub(super) fn ready(found: &Found, service: &Service, object: usize, label: &str) -> Option<String> {
    let object = &service.objects[object];
    let to = object.routes.iter().flat_map(|route| route.destinations()).find(|to| to.label == label)?;
    let host = host::resolve(&to.host, &object.namespace);
    let labels = match &to.subset {
        Some(subset) => found.facts.rules.subset(&host, subset)?.labels.clone(),
        None => BTreeMap::new(),
    };
    let ready = found.facts.endpoints.ready(&host, &labels)?;
    Some(format!("{} of {} pods ready", ready.ready, ready.total))
}

/// What a client dry run prints: the patch for machines, the plan for people.
pub(super) fn preview(context: &Context, store: &Store, planned: &Plans, found: &Found, write: &cli::Write, intent: &Intent) {
    let changes: Vec<(&Service, &Change)> =
        planned.iter().flat_map(|(service, changes)| changes.iter().map(move |change| (service, change))).collect();
    let document = |change: &Change| change.patch.as_ref().map_or_else(|| json!([]), crate::core::patch::Patch::to_json);
    match write.output {
        Format::Json | Format::Yaml => {
            let yaml = write.output == Format::Yaml;
            let text = match changes.as_slice() {
                [(_, one)] if store.manifests().is_none() => data(&document(one), yaml),
                several => {
                    let all: Vec<Value> = several
                        .iter()
                        .map(|(service, change)| {
                            let object = &service.objects[change.object];
                            let mut told = json!({"object": object.title(), "namespace": object.namespace});
                            if let Some(origin) = &object.origin {
                                told["file"] = json!(origin.file);
                            }
                            told["patch"] = document(change);
                            told
                        })
                        .collect();
                    data(&all, yaml)
                }
            };
            context.ui.answer(&text);
        }
        Format::Name => changes
            .iter()
            .for_each(|(service, change)| context.ui.answer(&format!("{}\n", service.objects[change.object].title()))),
        Format::Table | Format::Wide => {
            context.ui.answer(&ui::plan(&store.place(planned, ""), plans(planned), &|service, object, label| {
                ready(found, service, object, label)
            }));
            let titles = titles(changes.iter().map(|(service, change)| &service.objects[change.object]));
            let words: Vec<String> = changes.iter().map(|(_, change)| word(intent, change, " (dry run)")).collect();
            let lines: Vec<Line<'_>> = changes
                .iter()
                .zip(titles.iter().zip(&words))
                .map(|((service, change), (title, word))| Line { title, word, rest: moved(service, change), good: None })
                .collect();
            context.ui.answer(&ui::results(&lines));
        }
    }
}

/// `shifted`, `shifted (no change)`, with the suffix of a dry run.
fn word(intent: &Intent, change: &Change, suffix: &str) -> String {
    let unmoved = if change.changes() { "" } else { " (no change)" };
    format!("{}{unmoved}{suffix}", intent.done())
}

/// What moves, and the file that says so.
fn moved(service: &Service, change: &Change) -> String {
    let moves = ui::moves(&change.moves);
    match &service.objects[change.object].origin {
        Some(origin) => format!("{moves}  ({})", origin.file),
        None => moves,
    }
}

/// One object in `-o json`.
#[derive(Serialize)]
struct Reported {
    object: String,
    namespace: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    routes: Vec<Value>,
}

pub(super) fn report(context: &Context, store: &Store, planned: &[Planned], write: &cli::Write, intent: &Intent) -> Result<()> {
    let all: Vec<(&Service, &Change, &Outcome)> = planned
        .iter()
        .flat_map(|one| one.changes.iter().zip(&one.outcomes).map(|(change, outcome)| (&one.service, change, outcome)))
        .collect();
    for (service, _, outcome) in &all {
        if let Outcome::Changed(warnings) = outcome {
            warnings.iter().for_each(|warning| context.ui.warn(&format!("{}: {warning}", service.name)));
        }
    }
    let failure = failure(&all, intent, &context.cluster_flags());
    match write.output {
        Format::Json | Format::Yaml => {
            let reported: Vec<Reported> =
                all.iter().map(|(service, change, outcome)| reported(service, change, outcome)).collect();
            context.ui.answer(&data(&reported, write.output == Format::Yaml));
        }
        Format::Name => {
            for (service, change, outcome) in &all {
                if matches!(outcome, Outcome::Changed(_) | Outcome::Unchanged) {
                    context.ui.answer(&format!("{}\n", service.objects[change.object].title()));
                }
            }
        }
        // A single refusal is told by its error alone.
        Format::Table | Format::Wide if all.len() > 1 || failure.is_none() => {
            let suffix = if write.dry_run == DryRun::Server { " (server dry run)" } else { "" };
            let text = told(&all, intent, suffix);
            match store.manifests().is_some_and(Manifests::is_filter) {
                true => context.ui.say(&text),
                false => context.ui.answer(&text),
            }
        }
        Format::Table | Format::Wide => {}
    }
    if let Some(error) = failure {
        return Err(error);
    }
    match store {
        Store::Cluster(_) if write.dry_run == DryRun::None => way_back(context, &all),
        Store::Cluster(_) => {}
        Store::Manifests(manifests) => {
            manifests.text().into_iter().for_each(|text| context.ui.answer(text));
            manifests.made().into_iter().for_each(|text| context.ui.say(text));
            manifests.way_back().into_iter().for_each(|hint| context.ui.hint(&hint));
        }
    }
    unchanged(write, all.iter().all(|(_, _, outcome)| matches!(outcome, Outcome::Unchanged)))
}

fn told(all: &[(&Service, &Change, &Outcome)], intent: &Intent, suffix: &str) -> String {
    let titles = titles(all.iter().map(|(service, change, _)| &service.objects[change.object]));
    let words: Vec<String> = all.iter().map(|(_, change, _)| word(intent, change, suffix)).collect();
    let mut lines = Vec::new();
    let mut later = Vec::new();
    for ((service, change, outcome), (title, word)) in all.iter().zip(titles.iter().zip(&words)) {
        let moves = moved(service, change);
        let line = |word, rest, good| Line { title, word, rest, good };
        match outcome {
            Outcome::Changed(_) | Outcome::Unchanged => lines.push(line(word.as_str(), moves, Some(true))),
            Outcome::Unknown(error) => lines.push(line("unknown", error.message.clone(), Some(false))),
            Outcome::Refused(error) => lines.push(line("refused", error.message.clone(), Some(false))),
            Outcome::Left => lines.push(line("left alone", String::new(), None)),
            Outcome::Undone => {
                lines.push(line(word.as_str(), moves, None));
                later.push(line("undone", ui::moves(&reversed(change)), Some(true)));
            }
            Outcome::Stuck(error) => {
                lines.push(line(word.as_str(), moves, None));
                later.push(line("not undone", error.message.clone(), Some(false)));
            }
        }
    }
    lines.extend(later);
    ui::results(&lines)
}

/// The names of objects, with their namespaces where there are several of them.
fn titles<'a>(objects: impl Iterator<Item = &'a Object> + Clone) -> Vec<String> {
    let namespaces: BTreeSet<&String> = objects.clone().map(|object| &object.namespace).collect();
    let title = |object: &Object| match namespaces.len() {
        1 => object.title(),
        _ if object.namespace.is_empty() => object.title(),
        _ => format!("{} in {}", object.title(), object.namespace),
    };
    objects.map(title).collect()
}

fn reversed(change: &Change) -> Vec<plan::Move> {
    change.moves.iter().map(|one| plan::Move { before: one.after.clone(), after: one.before.clone(), ..one.clone() }).collect()
}

fn reported(service: &Service, change: &Change, outcome: &Outcome) -> Reported {
    let object = &service.objects[change.object];
    let (result, error) = match outcome {
        Outcome::Unchanged => ("unchanged", None),
        Outcome::Changed(_) => ("changed", None),
        Outcome::Refused(error) => ("refused", Some(error.message.clone())),
        Outcome::Unknown(error) => ("unknown", Some(error.message.clone())),
        Outcome::Undone => ("undone", None),
        Outcome::Stuck(error) => ("stuck", Some(error.message.clone())),
        Outcome::Left => ("left", None),
    };
    let route = |one: &plan::Move| {
        let destinations: Vec<Value> = one
            .before
            .iter()
            .zip(&one.after)
            .map(|((name, before), (_, after))| json!({"name": name, "before": before, "after": after}))
            .collect();
        match &one.name {
            Some(name) => json!({"route": one.route.to_string(), "name": name, "destinations": destinations}),
            None => json!({"route": one.route.to_string(), "destinations": destinations}),
        }
    };
    let routes = change.moves.iter().map(route).collect();
    let file = object.origin.as_ref().map(|origin| origin.file.clone());
    Reported {
        object: object.title(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        file,
        result,
        error,
        routes,
    }
}

/// What failed as a whole: the refusal of one object, or of one among several.
fn failure(all: &[(&Service, &Change, &Outcome)], intent: &Intent, cluster: &str) -> Option<Error> {
    let mut refusals: Vec<(&Service, &Change, &Error)> = all
        .iter()
        .filter_map(|(service, change, outcome)| match outcome {
            Outcome::Refused(error) | Outcome::Unknown(error) => Some((*service, *change, error)),
            _ => None,
        })
        .collect();
    // A commit can be refused after all was written.
    let written = refusals.is_empty();
    if written {
        refusals.extend(all.iter().filter_map(|(service, change, outcome)| match outcome {
            Outcome::Stuck(error) => Some((*service, *change, error)),
            _ => None,
        }));
    }
    let (service, change, first) = *refusals.first()?;
    let stuck: Vec<&str> = all
        .iter()
        .filter(|(_, _, outcome)| matches!(outcome, Outcome::Stuck(_) | Outcome::Unknown(_)))
        .map(|(service, _, _)| service.typed.as_str())
        .collect();
    let unknown = all.iter().any(|(_, _, outcome)| matches!(outcome, Outcome::Unknown(_)));
    let mut error = match all.len() {
        1 => (*first).clone(),
        count => {
            let stands = match (stuck.is_empty(), unknown) {
                // What somebody else changed meanwhile stands as they left it.
                (true, _) if first.kind == Kind::Conflict => "nothing of the change is left on any of them",
                (true, _) => "all of them stand as they did before",
                (false, true) => "what stands is not known of all of them",
                (false, false) => "not all could be put back",
            };
            let mut error = Error::new(first.kind, format!("{} of {count} objects refused the change; {stands}", refusals.len()));
            error.hints.clone_from(&first.hints);
            if service.objects[change.object].origin.is_some() {
                error.causes.clone_from(&first.causes);
            }
            error
        }
    };
    if !stuck.is_empty() && all.len() > 1 {
        error.kind = Kind::RollbackFailed;
        error.hints = stuck.iter().map(|typed| format!("`tidegate status {typed}`; then `tidegate rollback {typed}`")).collect();
    }
    if intent.verb() == "rollback" && error.kind != Kind::Conflict && !written {
        let now = change.moves.iter().map(|one| ui::weights_of(&one.before)).collect::<Vec<_>>().join("; ");
        let are = if unknown { "were" } else { "are still" };
        error.message = format!("rollback failed: {}; weights {are} {now}", error.message);
        error.kind = Kind::RollbackFailed;
        let object = &service.objects[change.object];
        if let (Some(patch), None) = (&change.patch, &object.origin) {
            let document = patch.to_json().to_string();
            error = error.hint(format!(
                "kubectl patch virtualservice {} -n {}{cluster} --type=json -p {}",
                object.name,
                object.namespace,
                shell::quoted(&document)
            ));
        }
    }
    Some(error)
}

/// The command that undoes, with what it would bring back.
fn way_back(context: &Context, all: &[(&Service, &Change, &Outcome)]) {
    let changed: Vec<_> =
        all.iter().filter(|(_, change, outcome)| matches!(outcome, Outcome::Changed(_)) && change.changes()).collect();
    let flag = context.place_flags();
    let name = |service: &'_ Service| service.typed.strip_suffix(&flag).unwrap_or(&service.name).to_owned();
    let names: BTreeSet<String> = changed.iter().map(|(service, _, _)| name(service)).collect();
    let Some((_, change, _)) = changed.iter().find(|(_, change, _)| change.way_back.is_some()) else { return };
    match (changed.len(), &change.way_back) {
        (_, None) => {}
        (1, Some(before)) => {
            let weights: Vec<String> = before.iter().map(|(_, weights)| ui::weights_of(weights)).collect();
            let name = names.into_iter().next().unwrap_or_default();
            context.ui.hint(&format!("`tidegate rollback {name}{flag}` puts {} back", weights.join("; ")));
        }
        (_, Some(_)) => {
            let names: Vec<String> = names.into_iter().collect();
            context.ui.hint(&format!("`tidegate rollback {}{flag}` puts all of them back", names.join(" ")));
        }
    }
}

pub(super) fn unchanged(write: &cli::Write, nothing: bool) -> Result<()> {
    match nothing && write.error_unchanged {
        true => Err(Error::new(Kind::Unchanged, "nothing to change (--error-unchanged)")),
        false => Ok(()),
    }
}
