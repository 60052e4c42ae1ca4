//! `status`: what is routed where, once or as it changes.

use super::Context;
use super::delivery::standing;
use crate::cli::{Format, Status};
use crate::cluster::{Cluster, Event};
use crate::core::check::{Endpoints, Rules};
use crate::core::delivery::standing::Standing;
use crate::core::host::ServiceRef;
use crate::core::object::Object;
use crate::core::status::{self, ServiceStatus};
use crate::error::{Error, Kind, Result};
use crate::files::Checkout;
use crate::settings::Settings;
use crate::sorted;
use crate::ui::{self, Screen, data};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The screen is drawn at most five times a second.
const REDRAW: Duration = Duration::from_millis(200);

/// Endpoints and deliveries are read again this often while watching.
const REFRESH: Duration = Duration::from_secs(10);

/// A watch that ends sooner than this ends too soon.
const SHORT: Duration = Duration::from_secs(10);

/// What a destination's state is judged by, and what projects say of the services.
#[derive(Default)]
struct Around {
    rules: Rules,
    endpoints: Endpoints,
    standing: Standing,
}

/// Objects by namespace and name: the order in which they are shown.
type Shown = BTreeMap<(String, String), ServiceStatus>;

pub async fn run(context: &Context, arguments: Status) -> Result<()> {
    let wanted = super::services(&arguments.services)?;
    if !arguments.files.is_empty() {
        return of_files(context, &arguments, &wanted);
    }
    let (_, cluster) = context.connect(None).await?;
    let _progress = context.ui.progress(&format!("asking {}", cluster.server), arguments.output == Format::Table);
    let mut namespaces: Vec<String> = wanted.iter().filter_map(|one| one.namespace.clone()).collect();
    if wanted.iter().any(|one| one.namespace.is_none()) || namespaces.is_empty() {
        namespaces.push(cluster.namespace.clone());
    }
    sorted::by(&mut namespaces, Ord::cmp);
    namespaces.dedup();
    if arguments.watch && namespaces.len() > 1 && !arguments.all_namespaces {
        return Err(Error::usage("--watch follows one namespace, or with -A all of them"));
    }
    let scopes: Vec<Option<&str>> =
        if arguments.all_namespaces { vec![None] } else { namespaces.iter().map(|name| Some(name.as_str())).collect() };
    let scope = scopes[0];
    // Deliveries are asked for beside the rest: they take no time of their own.
    let (shown, standing) =
        tokio::join!(routes(context, &cluster, &arguments, &wanted, &scopes), standing::read(context, &cluster, &scopes));
    let (mut shown, version, mut around) = shown?;
    match standing {
        Ok(standing) => around.standing = standing,
        Err(error) => context.ui.warn(&format!("deliveries are unknown: {}", error.message)),
    }
    for one in shown.values_mut() {
        around.standing.tell(one);
    }
    drop(_progress);
    if shown.is_empty() && !arguments.watch {
        context.ui.say(&match scope {
            Some(namespace) => format!("No resources found in {namespace} namespace.\n"),
            None => "No resources found.\n".into(),
        });
        if !matches!(arguments.output, Format::Json | Format::Yaml) {
            return Ok(());
        }
    }
    match arguments.watch {
        false => once(context, &arguments, &shown.values().collect::<Vec<_>>(), screen(context, &arguments)),
        true => follow(context, &arguments, &cluster, scope, shown, version, around).await?,
    }
    Ok(())
}

/// The routes, the version of their list where it was one, and what they were judged by.
async fn routes(
    context: &Context,
    cluster: &Cluster,
    arguments: &Status,
    wanted: &[ServiceRef],
    scopes: &[Option<&str>],
) -> Result<(Shown, String, Around)> {
    let mut around = Around::default();
    for scope in scopes {
        around.merge(self::around(context, cluster, *scope).await?);
    }
    let query = arguments.selector.as_ref().map(|selector| crate::cluster::selector(selector));
    let mut shown = Shown::new();
    let mut version = String::new();
    if wanted.is_empty() {
        let take = |page: Vec<Object>| page.iter().for_each(|object| put(&mut shown, object, &around));
        version = cluster.each_page(scopes[0], query.as_deref(), take).await?;
    } else if arguments.all_namespaces {
        let mut missing: Vec<&ServiceRef> = wanted.iter().collect();
        let take = |page: Vec<Object>| {
            for object in page.iter().filter(|object| wanted.iter().any(|one| object.is_meant(one))) {
                missing.retain(|one| !object.is_meant(one));
                put(&mut shown, object, &around);
            }
        };
        version = cluster.each_page(None, None, take).await?;
        if let Some(one) = missing.first() {
            return Err(Error::not_found(format!("no virtual service for `{}` in any namespace", one.text)));
        }
    } else {
        for one in wanted {
            let found = cluster.find_partly(one, false).await?;
            found.unread.iter().for_each(|error| context.ui.warn(&error.message));
            for object in found.services.iter().flat_map(|service| &service.objects) {
                put(&mut shown, object, &around);
            }
        }
    }
    // Destinations and delegates can lie in other namespaces than those that are shown.
    let more = elsewhere(scopes, &shown);
    if !more.is_empty() {
        for namespace in &more {
            around.merge(self::around(context, cluster, Some(namespace)).await?);
        }
        shown.values_mut().for_each(|one| one.count(&around.rules, &around.endpoints));
    }
    Ok((shown, version, around))
}

fn put(shown: &mut Shown, object: &Object, around: &Around) {
    let mut status = status::of(object, &around.rules, &around.endpoints);
    around.standing.tell(&mut status);
    shown.insert((object.namespace.clone(), object.name.clone()), status);
}

impl Around {
    fn merge(&mut self, other: Around) {
        self.rules.merge(other.rules);
        self.endpoints.merge(other.endpoints);
    }
}

/// The namespaces beside `scopes` that hold what is shown, or what it sends to.
fn elsewhere(scopes: &[Option<&str>], shown: &Shown) -> BTreeSet<String> {
    if scopes.contains(&None) {
        return BTreeSet::new();
    }
    let all = shown.iter().flat_map(|((own, _), one)| one.namespaces().chain([own.as_str()]));
    all.filter(|namespace| !scopes.contains(&Some(namespace))).map(str::to_owned).collect()
}

/// Rules and endpoints; where they may not be read, READY stays unknown and the rest is shown.
async fn around(context: &Context, cluster: &Cluster, scope: Option<&str>) -> Result<Around> {
    let (rules, endpoints) = tokio::join!(cluster.rules(scope, false), cluster.endpoints(scope));
    let forgive = |error: Error| match error.kind {
        Kind::Forbidden if !error.message.contains("logged in") => {
            context.ui.warn(&format!("READY is unknown: {}", error.message));
            Ok(())
        }
        _ => Err(error),
    };
    let rules = rules.or_else(|error| forgive(error).map(|()| Rules::default()))?;
    let endpoints = endpoints.or_else(|error| forgive(error).map(|()| Endpoints::default()))?;
    Ok(Around { rules, endpoints, standing: Standing::default() })
}

fn screen(context: &Context, arguments: &Status) -> Screen {
    Screen {
        namespaces: arguments.all_namespaces,
        wide: arguments.output == Format::Wide,
        terminal: context.ui.out_is_terminal,
        now: jiff::Timestamp::now(),
    }
}

fn once(context: &Context, arguments: &Status, services: &[&ServiceStatus], screen: Screen) {
    let ui = &context.ui;
    match arguments.output {
        Format::Json | Format::Yaml => ui.answer(&data(&services, arguments.output == Format::Yaml)),
        Format::Name => ui.answer(&names(services)),
        Format::Table | Format::Wide => {
            ui.answer(&(ui::status(services, screen) + &ui::standing(services, screen)));
            ui.say(&ui::summary(services, screen));
        }
    }
}

/// Shows what manifests say. Several for one service are shown all: nothing is written.
fn of_files(context: &Context, arguments: &Status, wanted: &[ServiceRef]) -> Result<()> {
    let settings = Settings::resolve(&context.global.connection, None)?;
    let namespace = settings.connection.namespace.as_deref();
    let checkout = Checkout::read(&arguments.files, arguments.values.as_deref(), namespace)?;
    let mut objects: Vec<&Object> = Vec::new();
    for one in wanted {
        for object in checkout.meant(one)? {
            let delegates = object.delegates();
            let of_it = |other: &&Object| delegates.iter().any(|(_, name)| other.name == *name);
            objects.push(object);
            objects.extend(checkout.of_namespace(one.namespace.as_deref()).filter(of_it));
        }
    }
    if wanted.is_empty() {
        objects.extend(checkout.of_namespace(None));
    }
    let names: Vec<String> = wanted.iter().map(|one| one.name.clone()).collect();
    checkout.unread(&names).for_each(|error| context.ui.warn(&format!("left out: {}", error.message)));
    let shown: Vec<ServiceStatus> =
        objects.iter().map(|object| status::of(object, &checkout.rules, &Endpoints::default())).collect();
    if shown.is_empty() {
        context.ui.say(&format!("No resources found in {}.\n", checkout.title()));
        if !matches!(arguments.output, Format::Json | Format::Yaml) {
            return Ok(());
        }
    }
    let namespaces = shown.iter().any(|one| one.namespace != shown[0].namespace);
    let screen = Screen { namespaces, ..screen(context, arguments) };
    once(context, arguments, &shown.iter().collect::<Vec<_>>(), screen);
    Ok(())
}

fn names(services: &[&ServiceStatus]) -> String {
    services.iter().map(|service| format!("virtualservice.networking.istio.io/{}\n", service.name)).collect()
}

/// Shows every change until the user has seen enough.
async fn follow(
    context: &Context,
    arguments: &Status,
    cluster: &Cluster,
    scope: Option<&str>,
    mut shown: Shown,
    mut version: String,
    mut around: Around,
) -> Result<()> {
    let ui = &context.ui;
    let table = matches!(arguments.output, Format::Table | Format::Wide);
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let live = table && ui.out_is_terminal && !dumb;
    let only: Vec<(String, String)> = if arguments.services.is_empty() { Vec::new() } else { shown.keys().cloned().collect() };
    if version.is_empty() {
        // The named objects were read one by one; a list says from which version on to watch.
        version = cluster.each_page(scope, Some("limit=1"), |_| ()).await?;
    }
    let mut drawn = 0;
    let mut dirty: Vec<(String, String)> = shown.keys().cloned().collect();
    let mut refresh = tokio::time::interval(REFRESH);
    refresh.tick().await;
    let mut watch = cluster.watch(scope, arguments.selector.as_deref(), &version).await?;
    // Nothing may be written for hours: who has read enough is not to wait for it.
    let mut gone = std::pin::pin!(ui.reader_gone());
    let mut began = Instant::now();
    let mut pause = REDRAW;
    loop {
        if !dirty.is_empty() {
            let changed: Vec<&ServiceStatus> = dirty.iter().filter_map(|key| shown.get(key)).collect();
            match arguments.output {
                _ if live => {
                    let screen = screen(context, arguments);
                    let all: Vec<&ServiceStatus> = shown.values().collect();
                    drawn =
                        ui.redraw(&(ui::status(&all, screen) + &ui::standing(&all, screen) + &ui::summary(&all, screen)), drawn);
                }
                Format::Json => {
                    changed.iter().for_each(|one| ui.answer(&(serde_json::to_string(one).unwrap_or_default() + "\n")))
                }
                Format::Yaml => changed.iter().for_each(|one| ui.answer(&format!("---\n{}", data(one, true)))),
                Format::Name => ui.answer(&names(&changed)),
                Format::Table | Format::Wide => {
                    let screen = screen(context, arguments);
                    ui.answer(&(ui::status(&changed, screen) + &ui::standing(&changed, screen)));
                }
            }
            dirty.clear();
            if ui.is_closed() {
                return Ok(());
            }
            if live {
                tokio::time::sleep(REDRAW).await;
            }
        }
        tokio::select! {
            event = watch.next() => {
                if matches!(event, Event::Ended | Event::Expired) {
                    pause = pause_after(began.elapsed(), pause);
                    tokio::time::sleep(pause).await;
                    began = Instant::now();
                }
                match event {
                Event::Changed(object) => {
                    let key = (object.namespace.clone(), object.name.clone());
                    if only.is_empty() || only.contains(&key) {
                        put(&mut shown, &object, &around);
                        dirty.push(key);
                    }
                }
                Event::Gone(namespace, name) => {
                    if shown.remove(&(namespace, name.clone())).is_some() {
                        ui.say(&format!("{name} was deleted\n"));
                        drawn = 0;
                        dirty.extend(shown.keys().next().cloned().filter(|_| live));
                    }
                }
                Event::Ended => watch = again(cluster, scope, arguments, &watch.version).await?,
                Event::Expired => {
                    let query = arguments.selector.as_ref().map(|selector| crate::cluster::selector(selector));
                    let mut fresh = Shown::new();
                    let version = cluster.each_page(scope, query.as_deref(), |page| page.iter().for_each(|object| put(&mut fresh, object, &around))).await?;
                    fresh.retain(|key, _| only.is_empty() || only.contains(key));
                    dirty = fresh.iter().filter(|(key, now)| shown.get(*key) != Some(*now)).map(|(key, _)| key.clone()).collect();
                    shown = fresh;
                    watch = cluster.watch(scope, arguments.selector.as_deref(), &version).await?;
                }
                }
            },
            () = &mut gone => return Ok(()),
            _ = refresh.tick() => {
                if live && let Ok(mut fresh) = self::around(context, cluster, scope).await {
                    for namespace in elsewhere(&[scope], &shown) {
                        // What cannot be read now is counted at the next turn.
                        fresh.merge(self::around(context, cluster, Some(&namespace)).await.unwrap_or_default());
                    }
                    around = Around { standing: around.standing, ..fresh };
                    shown.values_mut().for_each(|one| one.count(&around.rules, &around.endpoints));
                }
                if let Ok(standing) = standing::read(context, cluster, &[scope]).await {
                    around.standing = standing;
                }
                let told = shown.iter_mut().filter_map(|(key, one)| around.standing.tell(one).then(|| key.clone()));
                dirty.extend(told);
                dirty.extend(shown.keys().next().cloned().filter(|_| live));
            }
        }
    }
}

/// A watch ends from time to time, and when the server restarts: a few tries bridge that.
async fn again(cluster: &Cluster, scope: Option<&str>, arguments: &Status, version: &str) -> Result<crate::cluster::Watch> {
    let mut pause = REDRAW;
    loop {
        match cluster.watch(scope, arguments.selector.as_deref(), version).await {
            Ok(watch) => return Ok(watch),
            Err(error) if pause > Duration::from_secs(30) => return Err(error),
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause *= 2;
    }
}

/// How long to wait before the next watch. Something on the way may end each of them at once, and the server must not be
/// asked without end.
fn pause_after(lasted: Duration, last: Duration) -> Duration {
    if lasted < SHORT { (last * 2).min(REFRESH) } else { REDRAW }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_that_end_at_once_come_ever_more_slowly() {
        let mut pause = REDRAW;
        let mut all = Duration::ZERO;
        for _ in 0..10 {
            pause = pause_after(Duration::from_millis(1), pause);
            all += pause;
        }
        assert!(all > Duration::from_secs(40) && pause == REFRESH, "{all:?}");
        assert_eq!(pause_after(SHORT, pause), REDRAW);
    }
}
