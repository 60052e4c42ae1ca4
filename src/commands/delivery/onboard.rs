//! `onboard service`: the objects of a service in each stage. What is there already is never changed.

use super::apply::{self, Right, behind, on_server, printed, rights, title};
use super::project::{Project, label};
use super::{blueprints, ingress, resources};
use crate::cli::{self, DeploymentStrategy, DryRun, OnboardService};
use crate::cluster::{CONFIG_MAPS, Cluster, Created, Resource};
use crate::commands::Context;
use crate::core::delivery::objects::{Blueprint, Layout, Place, differences};
use crate::core::delivery::project::{self, MANAGED, PROJECT};
use crate::core::delivery::shipyard::Strategy;
use crate::error::{Error, Kind, Result};
use crate::ui::columns;
use serde_json::{Value, json};
use std::net::IpAddr;

/// An object that is to be there, and what is there.
struct Wanted {
    stage: String,
    namespace: String,
    kind: &'static Resource,
    object: Value,
    there: There,
}

enum There {
    Nothing,
    Same,
    /// Made by an earlier run, and changed since.
    Differs(Vec<String>),
    /// Made by somebody else.
    Foreign,
}

pub async fn run(context: &Context, arguments: OnboardService) -> Result<()> {
    let ui = &context.ui;
    let given = blueprints::Given::read(&arguments)?;
    let service = given.service.clone();
    let files = files(&service, &arguments)?;
    let (_, cluster) = context.connect(None).await?;
    let project = Project::find(&cluster, &arguments.project).await?;
    let domain = match arguments.domain {
        Some(domain) => Some(host(domain)?),
        None => ingress_domain(&cluster, &project).await?,
    };
    let mut objects: Vec<(String, String, Value)> = Vec::new();
    let mut places = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    for (stage, namespace) in &project.stages {
        let blueprint = given.blueprint(&cluster, &project, &stage.name, namespace).await?;
        let single = unsplittable(&blueprint);
        let strategy = match (arguments.deployment_strategy, &single) {
            (Some(DeploymentStrategy::Direct), _) => Strategy::Direct,
            (Some(DeploymentStrategy::BlueGreen), Some(why)) => {
                let message = format!("the traffic of `{service}` cannot be split: {why}");
                return Err(Error::usage(message).hint("it stays single with `--deployment-strategy direct`"));
            }
            (Some(DeploymentStrategy::BlueGreen), None) => Strategy::BlueGreen,
            (None, Some(why)) if stage.deployment == Strategy::BlueGreen => {
                notes.push(format!("{service} stays single in {}: {why}", stage.name));
                Strategy::Direct
            }
            (None, _) => stage.deployment,
        };
        let layout = layout(strategy, arguments.layout);
        let place = Place { project: &project.name, stage: &stage.name, namespace, layout, domain: domain.as_deref() };
        objects.extend(blueprint.objects(&place).into_iter().map(|object| (stage.name.clone(), namespace.clone(), object)));
        let url = place.host(&service).filter(|_| blueprint.is_http()).map(|host| format!(", http://{host}")).unwrap_or_default();
        places.push(format!("{}: {}{url}\n", stage.name, described(layout)));
        let mut add = |note: String| {
            if !notes.contains(&note) {
                notes.push(note);
            }
        };
        blueprint.notes.iter().cloned().for_each(&mut add);
        if !blueprint.has_image() {
            add("no image is known: the deployments have no replicas until the first artifact comes".into());
        }
        if domain.is_none() && blueprint.is_http() {
            add("no address of an ingress gateway is known: the service is reached within the mesh alone; `--domain` names one"
                .into());
        }
    }
    notes.iter().for_each(|note| ui.warn(note));
    if printed(ui, arguments.apply.output, &objects.iter().map(|(.., object)| object.clone()).collect::<Vec<_>>()) {
        return Ok(());
    }
    let dry_run = arguments.apply.dry_run;
    let wanted = look(&cluster, &project.name, objects).await?;
    refuse_foreign(&wanted)?;
    let mut needed: Vec<Right> = Vec::new();
    for one in wanted.iter().filter(|one| matches!(one.there, There::Nothing)) {
        if needed.iter().all(|(_, kind, namespace)| (*kind, namespace) != (one.kind, &one.namespace)) {
            needed.push(("create", one.kind, one.namespace.clone()));
        }
    }
    if !files.is_empty() {
        needed.push(("patch", &CONFIG_MAPS, project.home.clone()));
    }
    rights(&cluster, &needed).await?;
    // Before the objects, so that nothing can be delivered without its gate.
    let kept = match dry_run {
        DryRun::None => resources::keep(&cluster, &project, &files).await?,
        _ => resources::compared(&project, &files)?,
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    let made = make(&cluster, &wanted, dry_run, &mut rows).await;
    rows.extend(
        kept.iter().map(|(key, done)| vec![String::new(), format!("resource/{key}"), format!("{done}{}", behind(dry_run))]),
    );
    ui.answer(&columns(&["STAGE", "OBJECT", "RESULT"], &rows));
    made?;
    if wanted.iter().any(|one| matches!(one.there, There::Differs(_))) {
        ui.warn("what differs was changed since it was made, and is left as it is; `-o yaml` prints what would be made");
    }
    let unchanged =
        !wanted.iter().any(|one| matches!(one.there, There::Nothing)) && kept.iter().all(|(_, done)| *done == "unchanged");
    let done = if unchanged { " (no change)" } else { behind(dry_run) };
    ui.answer(&format!("service/{service} onboarded{done}\n"));
    ui.say(&places.concat());
    if dry_run == DryRun::None {
        ui.hint(&format!(
            "`tidegate send new-artifact -p {} --service {service} --image IMAGE --tag TAG` delivers",
            project.name
        ));
    }
    Ok(())
}

fn layout(strategy: Strategy, wanted: cli::Layout) -> Layout {
    match (strategy, wanted) {
        (Strategy::Direct, _) => Layout::Direct,
        (Strategy::BlueGreen, cli::Layout::BlueGreen) => Layout::Colours,
        (Strategy::BlueGreen, cli::Layout::PrimaryCanary) => Layout::PrimaryCanary,
    }
}

fn described(layout: Layout) -> &'static str {
    match layout {
        Layout::Direct => "one deployment",
        Layout::Colours => "blue 0, green 100",
        Layout::PrimaryCanary => "canary 0, primary 100",
    }
}

/// Why two versions cannot stand side by side: they need weights, which HTTP has, and must not share what they write.
fn unsplittable(blueprint: &Blueprint) -> Option<&'static str> {
    match (blueprint.is_http(), blueprint.keeps_data()) {
        (false, _) => Some("it has no port that speaks HTTP"),
        (true, true) => Some("two versions would share the data in its volume"),
        (true, false) => None,
    }
}

/// The files that are kept for the service.
fn files(service: &str, arguments: &OnboardService) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    let mut add = |name: &str, text: String| files.push((project::key(None, Some(service), name), text));
    if let Some(path) = &arguments.gate {
        let text = apply::read(path)?;
        add(resources::gate_name(path, &text)?, text);
    }
    for (path, name) in [(&arguments.sli, "sli.yaml"), (&arguments.tests, "tests.yaml")] {
        if let Some(path) = path {
            let text = apply::read(path)?;
            resources::checked(&path.display().to_string(), name, &text)?;
            add(name, text);
        }
    }
    Ok(files)
}

/// A domain, without the scheme that a copied address has.
fn host(domain: String) -> Result<String> {
    let plain = domain.trim_start_matches("http://").trim_start_matches("https://").trim_end_matches(['/', '.']);
    let label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    match plain.contains('.') && plain.split('.').all(label) {
        true => Ok(plain.to_owned()),
        false => Err(Error::usage(format!("`{domain}` is no domain; write `example.com` or `203.0.113.10.nip.io`"))),
    }
}

/// The domain of the ingress gateway's own address: names below it lead to it without anybody's help.
async fn ingress_domain(cluster: &Cluster, project: &Project) -> Result<Option<String>> {
    let route = json!({"metadata": {"namespace": project.home}, "spec": {"gateways": [format!("{}-gateway", project.name)]}});
    let address = ingress::address(cluster, &route).await?.and_then(|address| address.host.parse::<IpAddr>().ok());
    Ok(address.map(|address| format!("{}.nip.io", address.to_string().replace(':', "-"))))
}

/// What of the objects is there.
async fn look(cluster: &Cluster, project: &str, objects: Vec<(String, String, Value)>) -> Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for (stage, namespace, object) in objects {
        let Some(kind) = Resource::by_object(&object) else { continue };
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let there = match cluster.object(kind, &namespace, name).await? {
            None => There::Nothing,
            Some(live) => {
                let own = label(&live, MANAGED.0) == Some(MANAGED.1) && label(&live, PROJECT) == Some(project);
                match differences(&object, &live) {
                    none if none.is_empty() && own => There::Same,
                    // A gateway is shared; another one that does the same will do.
                    some if kind.kind == "Gateway" && some.iter().all(|path| path.starts_with("metadata.")) => There::Same,
                    some if own => There::Differs(some),
                    _ => There::Foreign,
                }
            }
        };
        wanted.push(Wanted { stage, namespace, kind, object, there });
    }
    Ok(wanted)
}

fn refuse_foreign(wanted: &[Wanted]) -> Result<()> {
    let foreign: Vec<&Wanted> = wanted.iter().filter(|one| matches!(one.there, There::Foreign)).collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let count = if foreign.len() == 1 { "1 object is".to_owned() } else { format!("{} objects are", foreign.len()) };
    let error = Error::new(Kind::Conflict, format!("{count} there already, and not of tidegate's making; nothing was written"));
    let error = foreign.iter().fold(error, |error, one| error.caused_by(format!("{} in {}", title(&one.object), one.namespace)));
    Err(error
        .hint("a service that has its deployments and routes needs no onboarding: `tidegate get artifacts` shows what is found"))
}

/// Makes what is not there.
async fn make(cluster: &Cluster, wanted: &[Wanted], dry_run: DryRun, rows: &mut Vec<Vec<String>>) -> Result<()> {
    for one in wanted {
        let done = match &one.there {
            There::Nothing if dry_run == DryRun::Client => "created",
            There::Nothing => match cluster.create(one.kind, &one.namespace, one.object.clone(), on_server(dry_run)).await? {
                Created::New(_) => "created",
                Created::Exists => {
                    let message = format!("{} in {} was made by somebody else while this ran", title(&one.object), one.namespace);
                    return Err(Error::new(Kind::Conflict, message));
                }
            },
            There::Same | There::Foreign => "unchanged",
            There::Differs(paths) => {
                rows.push(vec![one.stage.clone(), title(&one.object), differing(paths)]);
                continue;
            }
        };
        let behind = if matches!(one.there, There::Nothing) { behind(dry_run) } else { "" };
        rows.push(vec![one.stage.clone(), title(&one.object), format!("{done}{behind}")]);
    }
    Ok(())
}

/// `differs in spec.hosts and 2 more`
fn differing(paths: &[String]) -> String {
    let first = paths.first().map_or("", String::as_str);
    match paths.len() {
        0 | 1 => format!("differs in {first}"),
        count => format!("differs in {first} and {} more", count - 1),
    }
}
