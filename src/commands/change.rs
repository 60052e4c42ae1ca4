//! `shift`, `promote`, `rollback`: one path from arguments to report; they differ in their intent and in one word.

use super::Context;
use super::report::{plans, preview, ready, report, unchanged};
use super::store::Store;
use crate::cli::{self, DryRun, Format};
use crate::cluster::{self, Cluster};
use crate::core::check;
use crate::core::find::Found;
use crate::core::host::ServiceRef;
use crate::core::plan::{self, Author, Change, Intent};
use crate::core::release::Phase;
use crate::core::select::Service;
use crate::error::{Error, Kind, Result};
use crate::exec::{Planned, Run};
use crate::settings::Settings;
use crate::ui;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// So long git may take where nothing limits it.
const LONGEST: Duration = Duration::from_secs(3600);

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
    if named.selector.as_ref().is_some_and(|selector| selector.trim().is_empty()) {
        // kubectl takes it for everything; in a script it is a variable that nobody set.
        return Err(Error::usage("the selector is empty: `--all` means every service of the namespace"));
    }
    if write.route.is_some() && matches!(intent, Intent::Rollback | Intent::RollbackRevision(_)) {
        return Err(Error::usage("--route goes with --to: what was recorded is put back as a whole"));
    }
    // Each rule that clap holds would be paid for by every shift.
    if write.files.is_empty() && (write.commit || write.allow_dirty || write.values.is_some()) {
        return Err(
            Error::usage("--commit, --allow-dirty and --values are for manifests").hint("name them: `-f FILE`, or a directory")
        );
    }
    let ui = &context.ui;
    // Scripts read the answer; only a person needs to see that something is going on.
    let progress = ui.progress("asking the API server", write.output == Format::Table && write.files.is_empty());
    let started = Instant::now();
    let settings = Settings::resolve(&context.global.connection, write.timeout)?;
    let prepare = async {
        match write.files.is_empty() {
            true => in_cluster(context, (&named, &names), &write, &intent, &settings).await,
            false => {
                let deadline = (&settings, started + settings.limit().min(LONGEST));
                super::manifests::ready(context, (&named, &names), &write, &intent, deadline).await
            }
        }
    };
    let late = |_| {
        Error::new(
            Kind::Timeout,
            format!("not done within {} s (--timeout); nothing was written", settings.timeout.as_secs_f64()),
        )
    };
    let Ready { mut store, author, planned, found } = tokio::time::timeout(settings.limit(), prepare).await.map_err(late)??;
    drop(progress);
    if planned.is_empty() {
        let what = if matches!(intent, Intent::Promote(None) | Intent::Rollback) { "releases" } else { "resources" };
        ui.say(&format!("No {what} found in {}.\n", store.searched()));
        if matches!(write.output, Format::Json | Format::Yaml) {
            ui.answer(&ui::data(&[(); 0], write.output == Format::Yaml));
        }
        return unchanged(&write, true);
    }
    if write.diff {
        let filter = store.manifests().is_some_and(|manifests| manifests.is_filter() && write.dry_run == DryRun::None);
        let text = store.diff(&planned, !ui.out_is_terminal);
        // Beside an answer for machines it is a message.
        match write.output {
            Format::Table | Format::Wide if !filter => ui.answer(&text),
            _ => ui.say(&text),
        }
    }
    if write.dry_run == DryRun::Client {
        preview(context, &store, &planned, &found, &write, &intent);
        return unchanged(&write, !planned.iter().any(|(_, changes)| changes.iter().any(|change| change.patch.is_some())));
    }
    if write.dry_run == DryRun::None {
        consent(context, &store, &settings, &planned, &found, &write, &intent).await?;
    }
    let mut planned: Vec<Planned> =
        planned.into_iter().map(|(service, changes)| Planned { service, changes, outcomes: Vec::new() }).collect();
    // Time that a person took to answer is not the cluster's.
    let left = settings.limit().saturating_sub(started.elapsed()).max(settings.limit() / 2);
    let deadline = Instant::now() + left.min(settings.timeout);
    let driving = match &mut store {
        Store::Manifests(manifests) => {
            manifests.carry_out(context, &mut planned, &intent, &author).await;
            Ok(())
        }
        Store::Cluster(cluster) => {
            let say = |text: &str| ui.say(text);
            let (pick, rehearse, journal, say) = (write.route.as_ref(), !write.no_preflight, &context.journal, &say);
            let run = Run { cluster, intent: &intent, pick, author: &author, rehearse, journal, deadline, say };
            let dry_run = if write.dry_run == DryRun::Server { cluster::DryRun::Server } else { cluster::DryRun::No };
            let _progress = ui.progress("patching", write.output == Format::Table);
            tokio::time::timeout(left, run.drive(&mut planned, dry_run)).await
        }
    };
    if driving.is_err() {
        let late = Error::new(Kind::Timeout, format!("not done within {} s (--timeout)", settings.timeout.as_secs_f64()));
        return Err(super::standing(context, late));
    }
    report(context, &store, &planned, &write, &intent)?;
    match found.unread.into_iter().next() {
        Some(error) => Err(Error { message: format!("not all of the release may be back: {}", error.message), ..error }),
        None => Ok(()),
    }
}

/// What one command is to do, when all of it is known.
pub(super) struct Ready {
    pub store: Store,
    pub author: Author,
    pub planned: Plans,
    pub found: Found,
}

/// Reads and plans what is in a cluster.
async fn in_cluster(
    context: &Context,
    (named, names): (&cli::Services, &[ServiceRef]),
    write: &cli::Write,
    intent: &Intent,
    settings: &Settings,
) -> Result<Ready> {
    let cluster = Cluster::connect(&settings.connection).await?;
    // The way back asks for nothing but the object itself.
    let preflight = !write.no_preflight && intent.verb() != "rollback";
    let mut found = match names {
        [one] => cluster.find_partly(one, preflight).await?,
        several => cluster.find_all(several, named.selector.as_deref(), preflight).await?,
    };
    // A record says by itself what belongs to it: the way back waits for nobody's delegate.
    let recorded = |service: &Service| service.objects.iter().any(|object| object.release.is_some());
    if matches!(intent, Intent::Rollback) && found.services.iter().all(recorded) {
        found.unread.iter().for_each(|error| context.ui.warn(&error.message));
        // One that is gone serves nobody; one that may not be read may hold a part of the release.
        found.unread.retain(|error| error.kind != Kind::NotFound);
    } else {
        found = found.whole()?;
    }
    if names.is_empty() {
        only_released(&mut found, intent);
    }
    let place = context.place_flags();
    found.services.iter_mut().for_each(|service| service.typed += &place);
    let author = author(settings, cluster.user.clone(), write.reason.clone());
    let planned = plan_all(&mut found, intent, write, &author)?;
    check_all(context, &cluster, &planned, &mut found, write, preflight).await?;
    Ok(Ready { store: Store::Cluster(Box::new(cluster)), author, planned, found })
}

pub(super) fn author(settings: &Settings, user: Option<String>, reason: Option<String>) -> Author {
    let by = settings.by.clone().or(user).unwrap_or_else(|| "unknown".into());
    let now = jiff::Timestamp::now();
    let at = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
    Author { by, at, reason }
}

/// Where no service is named, only a release can say that one is meant: nobody wants every idle version promoted.
pub(super) fn only_released(found: &mut Found, intent: &Intent) {
    let phase = |service: &Service, wanted: fn(Phase) -> bool| {
        service.objects.iter().any(|object| object.release.as_ref().is_some_and(|release| wanted(release.phase)))
    };
    match intent {
        Intent::Promote(None) => found.services.retain(|service| phase(service, |phase| phase == Phase::Progressing)),
        Intent::Rollback => found.services.retain(|service| phase(service, |phase| phase != Phase::Undone)),
        _ => {}
    }
}

pub(super) type Plans = Vec<(Service, Vec<Change>)>;

pub(super) fn plan_all(found: &mut Found, intent: &Intent, write: &cli::Write, author: &Author) -> Result<Plans> {
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
    store: &Store,
    settings: &Settings,
    planned: &Plans,
    found: &Found,
    write: &cli::Write,
    intent: &Intent,
) -> Result<()> {
    let mut names = planned.iter().filter(|(_, changes)| changes.iter().any(|change| change.patch.is_some()));
    let (first, changing) = (names.next().map(|(service, _)| &service.name), names.count() + 1);
    // A checkout can be taken back at leisure.
    let Some(first) = first.filter(|_| !write.yes && store.manifests().is_none()) else {
        return Ok(());
    };
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
    context.ui.show(&ui::plan(
        &store.place(planned, if protected.is_some() { " (protected)" } else { "" }),
        plans(planned),
        &|service, object, label| ready(found, service, object, label),
    ));
    let verb = intent.verb();
    let verb = verb[..1].to_uppercase() + &verb[1..];
    let question = if changing == 1 { format!("{verb} {first}?") } else { format!("{verb} {changing} services?") };
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
