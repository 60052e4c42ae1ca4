//! `shift`, `promote`, `rollback`: one path from arguments to report; they differ in their intent and in one word.

use super::Context;
use crate::cli::{self, DryRun, Format};
use crate::cluster::{self, Cluster, Found};
use crate::core::check;
use crate::core::host;
use crate::core::object::Object;
use crate::core::plan::{self, Author, Change, Intent};
use crate::core::release::Phase;
use crate::core::select::Service;
use crate::error::{Error, Kind, Result};
use crate::exec::{Outcome, Planned, Run};
use crate::settings::Settings;
use crate::ui::{self, Line, data};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

pub async fn shift(context: &Context, arguments: cli::Shift) -> Result<()> {
    run(context, arguments.services, arguments.write, Intent::Shift(arguments.weights)).await
}

pub async fn promote(context: &Context, arguments: cli::Promote) -> Result<()> {
    run(context, arguments.services, arguments.write, Intent::Promote(arguments.to)).await
}

pub async fn rollback(context: &Context, arguments: cli::Rollback) -> Result<()> {
    let intent = match (arguments.to_revision, arguments.to) {
        (Some(number), _) => Intent::RollbackRevision(number),
        (None, Some(to)) => Intent::RollbackTo(to),
        (None, None) => Intent::Rollback,
    };
    run(context, arguments.services, arguments.write, intent).await
}

async fn run(context: &Context, named: cli::Services, write: cli::Write, intent: Intent) -> Result<()> {
    let names = super::services(&named.services)?;
    if write.route.is_some() && matches!(intent, Intent::Rollback | Intent::RollbackRevision(_)) {
        return Err(Error::usage("--route goes with --to: what was recorded is put back as a whole"));
    }
    let ui = &context.ui;
    // Scripts read the answer; only a person needs to see that something is going on.
    let progress = ui.progress("asking the API server", write.output == Format::Table);
    let started = Instant::now();
    let settings = Settings::resolve(&context.global.connection, write.timeout)?;
    let prepare = async {
        let cluster = Cluster::connect(&settings.connection).await?;
        // The way back asks for nothing but the object itself.
        let preflight = !write.no_preflight && intent.verb() != "rollback";
        let mut found = match names.as_slice() {
            [one] => cluster.find(one, preflight).await?,
            several => cluster.find_all(several, named.selector.as_deref(), preflight).await?,
        };
        if names.is_empty() {
            only_released(&mut found, &intent);
        }
        let place = context.place_flags();
        found.services.iter_mut().for_each(|service| service.typed += &place);
        let author = author(&settings, &cluster, write.reason.clone());
        let planned = plan_all(&mut found, &intent, &write, &author)?;
        check_all(context, &cluster, &planned, &mut found, &write, preflight).await?;
        Ok::<_, Error>((cluster, author, planned, found))
    };
    let late = |_| {
        Error::new(
            Kind::Timeout,
            format!("not done within {} s (--timeout); nothing was written", settings.timeout.as_secs_f64()),
        )
    };
    let (cluster, author, planned, found) = tokio::time::timeout(settings.timeout, prepare).await.map_err(late)??;
    drop(progress);
    if planned.is_empty() {
        let what = if matches!(intent, Intent::Promote(None) | Intent::Rollback) { "releases" } else { "resources" };
        ui.say(&format!("No {what} found in {} namespace.\n", cluster.namespace));
        return Ok(());
    }
    if write.diff {
        for (service, changes) in &planned {
            changes.iter().for_each(|change| ui.answer(&ui::diff(service, change)));
        }
    }
    if write.dry_run == DryRun::Client {
        preview(context, &cluster, &planned, &found, &write, &intent);
        return unchanged(&write, !planned.iter().any(|(_, changes)| changes.iter().any(|change| change.patch.is_some())));
    }
    if write.dry_run == DryRun::None {
        consent(context, &cluster, &settings, &planned, &found, &write, &intent).await?;
    }
    let mut planned: Vec<Planned> =
        planned.into_iter().map(|(service, changes)| Planned { service, changes, outcomes: Vec::new() }).collect();
    // Time that a person took to answer is not the cluster's.
    let left = settings.timeout.saturating_sub(started.elapsed()).max(settings.timeout / 2);
    let deadline = Instant::now() + left;
    let say = |text: &str| ui.say(text);
    let run = Run {
        cluster: &cluster,
        intent: &intent,
        pick: write.route.as_ref(),
        author: &author,
        journal: &context.journal,
        deadline,
        say: &say,
    };
    let dry_run = if write.dry_run == DryRun::Server { cluster::DryRun::Server } else { cluster::DryRun::No };
    let driving = {
        let _progress = ui.progress("patching", write.output == Format::Table);
        tokio::time::timeout(left, run.drive(&mut planned, dry_run)).await
    };
    if driving.is_err() {
        let late = Error::new(Kind::Timeout, format!("not done within {} s (--timeout)", settings.timeout.as_secs_f64()));
        return Err(super::standing(context, late));
    }
    report(context, &planned, &write, &intent)
}

fn author(settings: &Settings, cluster: &Cluster, reason: Option<String>) -> Author {
    let by = settings.by.clone().or_else(|| cluster.user.clone()).unwrap_or_else(|| "unknown".into());
    let now = jiff::Timestamp::now();
    let at = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
    Author { by, at, reason }
}

/// Where no service is named, only a release can say that one is meant: nobody wants every idle version promoted.
fn only_released(found: &mut Found, intent: &Intent) {
    let phase = |service: &Service, wanted: fn(Phase) -> bool| {
        service.objects.iter().any(|object| object.release.as_ref().is_some_and(|release| wanted(release.phase)))
    };
    match intent {
        Intent::Promote(None) => found.services.retain(|service| phase(service, |phase| phase == Phase::Progressing)),
        Intent::Rollback => found.services.retain(|service| phase(service, |phase| phase != Phase::Undone)),
        _ => {}
    }
}

type Plans = Vec<(Service, Vec<Change>)>;

fn plan_all(found: &mut Found, intent: &Intent, write: &cli::Write, author: &Author) -> Result<Plans> {
    let mut planned = Plans::new();
    let mut seen: BTreeMap<(String, String), String> = BTreeMap::new();
    for service in std::mem::take(&mut found.services) {
        let changes = plan::plan(&service, intent, write.route.as_ref(), author)?;
        for change in &changes {
            let object = &service.objects[change.object];
            let key = (object.namespace.clone(), object.name.clone());
            if let Some(other) = seen.insert(key, service.name.clone()) {
                return Err(Error::usage(format!("`{other}` and `{}` are the same: {}", service.name, object.title())));
            }
        }
        planned.push((service, changes));
    }
    Ok(planned)
}

/// What must hold before traffic moves; what would make it move in vain is a warning.
async fn check_all(
    context: &Context,
    cluster: &Cluster,
    planned: &Plans,
    found: &mut Found,
    write: &cli::Write,
    preflight: bool,
) -> Result<()> {
    // A destination that is added must exist, whatever was left out: its name could be a slip of the finger.
    let adds = planned.iter().flat_map(|(_, changes)| changes).flat_map(|change| &change.moves).any(|one| one.added.is_some());
    if preflight {
        // The weights of a delegate may stand in another namespace than the service.
        for object in planned.iter().flat_map(|(service, _)| &service.objects) {
            if !found.protected.contains_key(&object.namespace) {
                let protected = cluster.protected(&object.namespace).await;
                found.protected.insert(object.namespace.clone(), protected);
            }
        }
    }
    let checks = preflight || adds && !write.force;
    if checks {
        if !preflight {
            let namespaces: BTreeSet<&String> =
                planned.iter().flat_map(|(service, _)| &service.objects).map(|object| &object.namespace).collect();
            for namespace in namespaces {
                found.facts.rules.merge(cluster.rules(Some(namespace), true).await?);
            }
        }
        cluster.complete(planned, &mut found.facts).await?;
        for (service, changes) in planned {
            match check::destinations(service, changes, &found.facts) {
                Err(error) if write.force => context.ui.warn(&format!("forced: {}", error.message)),
                result => result?,
            }
        }
    }
    for (service, changes) in planned {
        check::warnings(service, changes, &found.facts).iter().for_each(|warning| context.ui.warn(warning));
    }
    Ok(())
}

/// Asks where it is wise to ask, and insists on `--yes` where nobody can be asked.
async fn consent(
    context: &Context,
    cluster: &Cluster,
    settings: &Settings,
    planned: &Plans,
    found: &Found,
    write: &cli::Write,
    intent: &Intent,
) -> Result<()> {
    let changing = planned.iter().filter(|(_, changes)| changes.iter().any(|change| change.patch.is_some())).count();
    if write.yes || changing == 0 {
        return Ok(());
    }
    let protected = protected(settings, planned, found);
    let asks = protected.is_some() || context.ui.can_ask() && (changing > 1 || matches!(intent, Intent::Promote(_)));
    if !asks {
        return Ok(());
    }
    if !context.ui.can_ask() {
        let why = protected.unwrap_or_default();
        return Err(
            Error::usage(format!("{why}: --yes required when not running interactively")).hint("run it again with `--yes`")
        );
    }
    context.ui.show(&ui::plan(&place(cluster, planned, protected.as_deref()), plans(planned), &|service, object, label| {
        ready(found, service, object, label)
    }));
    let verb = intent.verb();
    let verb = verb[..1].to_uppercase() + &verb[1..];
    let question = if changing == 1 { format!("{verb} {}?", planned[0].0.name) } else { format!("{verb} {changing} services?") };
    match context.ui.confirm(&question).await {
        true => Ok(()),
        false => Err(Error::failed("not confirmed; nothing was written")),
    }
}

/// Why the change needs care: the first of the namespaces that is protected, or of which it cannot be said.
fn protected(settings: &Settings, planned: &Plans, found: &Found) -> Option<String> {
    let namespaces: BTreeSet<&String> =
        planned.iter().flat_map(|(service, _)| &service.objects).map(|object| &object.namespace).collect();
    namespaces.into_iter().find_map(|namespace| match found.protected.get(namespace) {
        _ if settings.protected_namespaces.contains(namespace) => Some(format!("namespace {namespace} is protected")),
        Some(Ok(true)) => Some(format!("namespace {namespace} is protected")),
        Some(Err(error)) => Some(format!("whether namespace {namespace} is protected cannot be read ({})", error.message)),
        _ => None,
    })
}

fn place(cluster: &Cluster, planned: &Plans, protected: Option<&str>) -> String {
    let namespaces: BTreeSet<&String> =
        planned.iter().flat_map(|(service, _)| &service.objects).map(|object| &object.namespace).collect();
    let namespaces: Vec<&str> = namespaces.into_iter().map(String::as_str).collect();
    let care = if protected.is_some() { " (protected)" } else { "" };
    format!("context {}, namespace {}{care}", cluster.context, namespaces.join(", "))
}

fn plans(planned: &Plans) -> impl Iterator<Item = (&Service, &[Change])> {
    planned.iter().map(|(service, changes)| (service, changes.as_slice()))
}

/// `2 of 2 pods ready`, where it was read.
fn ready(found: &Found, service: &Service, object: usize, label: &str) -> Option<String> {
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
fn preview(context: &Context, cluster: &Cluster, planned: &Plans, found: &Found, write: &cli::Write, intent: &Intent) {
    let changes: Vec<(&Service, &Change)> =
        planned.iter().flat_map(|(service, changes)| changes.iter().map(move |change| (service, change))).collect();
    let document = |change: &Change| change.patch.as_ref().map_or_else(|| json!([]), crate::core::patch::Patch::to_json);
    match write.output {
        Format::Json | Format::Yaml => {
            let yaml = write.output == Format::Yaml;
            let text = match changes.as_slice() {
                [(_, one)] => data(&document(one), yaml),
                several => {
                    let all: Vec<Value> = several
                        .iter()
                        .map(|(service, change)| {
                            let object = &service.objects[change.object];
                            json!({"object": object.title(), "namespace": object.namespace, "patch": document(change)})
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
            context.ui.answer(&ui::plan(&place(cluster, planned, None), plans(planned), &|service, object, label| {
                ready(found, service, object, label)
            }));
            let titles = titles(changes.iter().map(|(service, change)| &service.objects[change.object]));
            let words: Vec<String> = changes.iter().map(|(_, change)| word(intent, change, " (dry run)")).collect();
            let lines: Vec<Line<'_>> = changes
                .iter()
                .zip(titles.iter().zip(&words))
                .map(|((_, change), (title, word))| Line { title, word, rest: ui::moves(&change.moves), good: None })
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

/// One object in `-o json`.
#[derive(Serialize)]
struct Reported {
    object: String,
    namespace: String,
    name: String,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    routes: Vec<Value>,
}

fn report(context: &Context, planned: &[Planned], write: &cli::Write, intent: &Intent) -> Result<()> {
    let all: Vec<(&Service, &Change, &Outcome)> = planned
        .iter()
        .flat_map(|one| one.changes.iter().zip(&one.outcomes).map(|(change, outcome)| (&one.service, change, outcome)))
        .collect();
    for (service, _, outcome) in &all {
        if let Outcome::Changed(warnings) = outcome {
            warnings.iter().for_each(|warning| context.ui.warn(&format!("{}: {warning}", service.name)));
        }
    }
    let failure = failure(&all, intent);
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
            context.ui.answer(&told(&all, intent, suffix));
        }
        Format::Table | Format::Wide => {}
    }
    if let Some(error) = failure {
        return Err(error);
    }
    if write.dry_run == DryRun::None {
        way_back(context, &all);
    }
    unchanged(write, all.iter().all(|(_, _, outcome)| matches!(outcome, Outcome::Unchanged)))
}

fn told(all: &[(&Service, &Change, &Outcome)], intent: &Intent, suffix: &str) -> String {
    let titles = titles(all.iter().map(|(service, change, _)| &service.objects[change.object]));
    let words: Vec<String> = all.iter().map(|(_, change, _)| word(intent, change, suffix)).collect();
    let mut lines = Vec::new();
    let mut later = Vec::new();
    for ((_, change, outcome), (title, word)) in all.iter().zip(titles.iter().zip(&words)) {
        let moves = ui::moves(&change.moves);
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
    Reported { object: object.title(), namespace: object.namespace.clone(), name: object.name.clone(), result, error, routes }
}

/// What failed as a whole: the refusal of one object, or of one among several.
fn failure(all: &[(&Service, &Change, &Outcome)], intent: &Intent) -> Option<Error> {
    let refusals: Vec<(&Service, &Change, &Error)> = all
        .iter()
        .filter_map(|(service, change, outcome)| match outcome {
            Outcome::Refused(error) | Outcome::Unknown(error) => Some((*service, *change, error)),
            _ => None,
        })
        .collect();
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
                (true, _) => "all of them stand as they did before",
                (false, true) => "what stands is not known of all of them",
                (false, false) => "not all could be put back",
            };
            let mut error = Error::new(first.kind, format!("{} of {count} objects refused the change; {stands}", refusals.len()));
            error.hints.clone_from(&first.hints);
            error
        }
    };
    if !stuck.is_empty() && all.len() > 1 {
        error.kind = Kind::RollbackFailed;
        error.hints = stuck.iter().map(|typed| format!("`tidegate status {typed}`; then `tidegate rollback {typed}`")).collect();
    }
    if intent.verb() == "rollback" && error.kind != Kind::Conflict {
        let now = change.moves.iter().map(|one| ui::weights_of(&one.before)).collect::<Vec<_>>().join("; ");
        let are = if unknown { "were" } else { "are still" };
        error.message = format!("rollback failed: {}; weights {are} {now}", error.message);
        error.kind = Kind::RollbackFailed;
        if let Some(patch) = &change.patch {
            let object = &service.objects[change.object];
            let document = patch.to_json().to_string().replace('\'', r"'\''");
            error = error.hint(format!(
                "kubectl patch virtualservice {} -n {} --type=json -p '{document}'",
                object.name, object.namespace
            ));
        }
    }
    Some(error)
}

/// The command that undoes, with what it would bring back.
fn way_back(context: &Context, all: &[(&Service, &Change, &Outcome)]) {
    let changed: Vec<_> =
        all.iter().filter(|(_, change, outcome)| matches!(outcome, Outcome::Changed(_)) && change.changes()).collect();
    let names: BTreeSet<&str> = changed.iter().map(|(service, _, _)| service.name.as_str()).collect();
    let Some((_, change, _)) = changed.first() else { return };
    let flag = context.place_flags();
    match (changed.len(), &change.way_back) {
        (_, None) => {}
        (1, Some(before)) => {
            let weights: Vec<String> = before.iter().map(|(_, weights)| ui::weights_of(weights)).collect();
            let name = names.iter().next().copied().unwrap_or_default();
            context.ui.hint(&format!("`tidegate rollback {name}{flag}` puts {} back", weights.join("; ")));
        }
        (_, Some(_)) => {
            let names: Vec<&str> = names.into_iter().collect();
            context.ui.hint(&format!("`tidegate rollback {}{flag}` puts all of them back", names.join(" ")));
        }
    }
}

fn unchanged(write: &cli::Write, nothing: bool) -> Result<()> {
    match nothing && write.error_unchanged {
        true => Err(Error::new(Kind::Unchanged, "nothing to change (--error-unchanged)")),
        false => Ok(()),
    }
}
