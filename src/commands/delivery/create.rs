//! `create project`: a namespace for each stage, and what the first of them keeps.

use super::apply::{self, Right, behind, on_server, printed, rights};
use super::project::{Found, Project, label, text};
use crate::cli::{CreateProject, DryRun};
use crate::cluster::{
    CONFIG_MAPS, Cluster, Created, DEPLOYMENTS, DESTINATION_RULES, GATEWAYS, NAMESPACES, Patched, SERVICES, VIRTUAL_SERVICES,
};
use crate::commands::Context;
use crate::core::delivery::project::{CONFIG_MAP, MANAGED, ORDER, PROJECT, RECORD, Record, SHIPYARD, STAGE};
use crate::core::delivery::shipyard::{Approver, Shipyard, Stage, Strategy, TestStrategy};
use crate::core::patch::Patch;
use crate::error::{Error, Kind, Result};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// The label that has Istio add its proxy to the pods of a namespace.
const INJECTION: (&str, &str) = ("istio-injection", "enabled");

/// What is to be done with a namespace or the ConfigMap.
enum Step {
    Nothing,
    Create(Value),
    Change { name: String, patch: Patch, adopts: bool },
}

pub async fn run(context: &Context, arguments: CreateProject) -> Result<()> {
    let ui = &context.ui;
    let git = [
        ("--git-user", arguments.git_user.is_some()),
        ("--git-token", arguments.git_token.is_some()),
        ("--git-remote-url", arguments.git_remote_url.is_some()),
    ];
    let git: Vec<&str> = git.iter().filter(|(_, given)| *given).map(|(flag, _)| *flag).collect();
    if !git.is_empty() {
        ui.warn(&format!("no meaning here: {}; a project needs no Git repository", git.join(", ")));
    }
    let path = arguments.shipyard.or(arguments.file).unwrap_or_else(|| PathBuf::from(SHIPYARD));
    let given = apply::read(&path)?;
    let file = path.display().to_string();
    let shipyard = Shipyard::parse(&file, &given)?;
    for note in Shipyard::lint(&given) {
        let place = note.position.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
        ui.warn(&format!("{file}{place}: {}", note.message));
    }
    let (_, cluster) = context.connect(None).await?;
    let found = Found::read(&cluster, &arguments.name).await?;
    let before = found.config.as_ref().map(|_| found.project(&arguments.name)).transpose()?;
    let record = record(&arguments.name, arguments.namespaces, before.as_ref())?;
    let places = record.places(&shipyard.stages)?;
    let Some((first, home)) = places.first() else { return Err(Error::usage(format!("{file}: there is no stage"))) };
    if let Some((config, _)) = found.config.as_ref().filter(|(config, _)| config != home) {
        let message = format!("`{}` cannot be the first stage: {config} keeps the project's files and runs", first.name);
        return Err(Error::usage(message).hint(format!("to begin anew: `tidegate delete project {}`", record.name)));
    }
    let mut namespaces = Vec::new();
    for (order, (stage, namespace)) in places.iter().enumerate() {
        let there = cluster.object(&NAMESPACES, "", namespace).await?;
        let step = namespace_step(&record.name, order, stage, namespace, there.as_ref())?;
        namespaces.push((namespace.as_str(), step));
    }
    let data = json!({ SHIPYARD: given, RECORD: serde_json::to_string(&record).unwrap_or_default() });
    let config = config_step(&record.name, home, &data, found.config.as_ref().map(|(_, map)| map));
    if printed(ui, arguments.apply.output, &documents(&record.name, &places, home, &data)) {
        return Ok(());
    }
    let steps = namespaces.iter().map(|(_, step)| step).chain([&config]);
    let unchanged = steps.clone().all(|step| matches!(step, Step::Nothing));
    let dry_run = arguments.apply.dry_run;
    if !unchanged {
        rights(&cluster, &needed(&places, home, steps)).await?;
    }
    if let Some(before) = &before {
        changes(&before.stages, &places).iter().for_each(|line| ui.answer(line));
    }
    for (namespace, step) in &namespaces {
        let done = perform(&cluster, &NAMESPACES, "", step, dry_run).await?;
        if let Some(done) = done {
            ui.answer(&format!("namespace/{namespace} {done}{}\n", behind(dry_run)));
        }
    }
    // What would be made in a namespace that a dry run does not make cannot be checked.
    let checked = dry_run != DryRun::Server || !matches!(namespaces.first(), Some((_, Step::Create(_))));
    perform(&cluster, &CONFIG_MAPS, home, &config, if checked { dry_run } else { DryRun::Client }).await?;
    for gone in
        found.namespaces.iter().map(|one| text(one, "/metadata/name")).filter(|name| places.iter().all(|(_, own)| own != name))
    {
        ui.warn(&format!("{gone} belongs to no stage any more; it stays with all that is in it"));
    }
    let names: Vec<&str> = places.iter().map(|(stage, _)| stage.name.as_str()).collect();
    let done = match (&before, unchanged) {
        (_, true) => " (no change)",
        (Some(_), false) => " updated",
        (None, false) => " created",
    };
    ui.answer(&format!("project/{}{done}{}: {}\n", record.name, behind(dry_run), names.join(", ")));
    if before.is_none() && dry_run == DryRun::None {
        ui.hint(&format!("`tidegate onboard service NAME -p {} --deployment FILE` gives a service its place", record.name));
    }
    Ok(())
}

/// The template that was given, or that the project has.
fn record(name: &str, template: Option<String>, before: Option<&Project>) -> Result<Record> {
    let known = before.map(|project| project.record.namespaces.clone());
    match (known, template) {
        (Some(known), Some(template)) if known != template => {
            let message = format!("the namespaces of `{name}` are named {known}; that does not change");
            Err(Error::usage(message).hint(format!("to begin anew: `tidegate delete project {name}`")))
        }
        (known, template) => {
            let default = || crate::core::delivery::project::NAMESPACES.to_owned();
            Ok(Record { name: name.to_owned(), namespaces: known.or(template).unwrap_or_else(default) })
        }
    }
}

/// Keys of labels or annotations, with their values.
type Marks = Vec<(&'static str, String)>;

/// The labels and annotations of a stage's namespace.
fn marks(project: &str, order: usize, stage: &Stage) -> (Marks, Marks) {
    let mut labels = vec![(PROJECT, project.to_owned()), (STAGE, stage.name.clone())];
    if stage.deployment == Strategy::BlueGreen {
        labels.push((INJECTION.0, INJECTION.1.to_owned()));
    }
    (labels, vec![(ORDER, order.to_string())])
}

fn namespace_step(project: &str, order: usize, stage: &Stage, name: &str, there: Option<&Value>) -> Result<Step> {
    let (labels, annotations) = marks(project, order, stage);
    let Some(there) = there else { return Ok(Step::Create(namespace(project, order, stage, name))) };
    let owner = label(there, PROJECT);
    if let Some(other) = owner.filter(|owner| *owner != project) {
        let message = format!("the namespace {name} belongs to the project `{other}`; nothing was written");
        return Err(Error::new(Kind::Conflict, message));
    }
    let mut patch = Patch::default();
    patch.guard(["metadata", "uid"], there.pointer("/metadata/uid").cloned().unwrap_or(Value::Null));
    let mut changed = false;
    // Whoever chose a revision of Istio, or none, knows why.
    let chosen = label(there, INJECTION.0).is_some() || label(there, "istio.io/rev").is_some();
    let labels = labels.into_iter().filter(|(key, _)| *key != INJECTION.0 || !chosen);
    let all = labels.map(|mark| ("labels", mark)).chain(annotations.into_iter().map(|mark| ("annotations", mark)));
    let mut made = Vec::new();
    for (field, (key, value)) in all {
        let known = there.get("metadata").and_then(|metadata| metadata.get(field));
        if known.and_then(|all| all.get(key)).and_then(Value::as_str) == Some(value.as_str()) {
            continue;
        }
        if known.is_none_or(Value::is_null) && !made.contains(&field) {
            patch.set(["metadata", field], json!({}));
            made.push(field);
        }
        patch.set(["metadata", field, key], value.into());
        changed = true;
    }
    let name = name.to_owned();
    Ok(if changed { Step::Change { name, patch, adopts: owner.is_none() } } else { Step::Nothing })
}

fn namespace(project: &str, order: usize, stage: &Stage, name: &str) -> Value {
    let (labels, annotations) = marks(project, order, stage);
    let map =
        |marks: &[(&str, String)]| marks.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect::<Map<_, _>>();
    let mut labels = map(&labels);
    labels.insert(MANAGED.0.to_owned(), MANAGED.1.into());
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels, "annotations": map(&annotations)}})
}

fn config(project: &str, home: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "namespace": home, "labels": {PROJECT: project, MANAGED.0: MANAGED.1}},
        "data": data,
    })
}

fn config_step(project: &str, home: &str, data: &Value, there: Option<&Value>) -> Step {
    let Some(there) = there else { return Step::Create(config(project, home, data)) };
    let mut patch = Patch::default();
    patch.guard(["metadata", "resourceVersion"], there.pointer("/metadata/resourceVersion").cloned().unwrap_or(Value::Null));
    let mut changed = false;
    for (key, value) in data.as_object().into_iter().flatten() {
        if there.get("data").and_then(|data| data.get(key)) != Some(value) {
            patch.set(["data", key], value.clone());
            changed = true;
        }
    }
    if changed { Step::Change { name: CONFIG_MAP.into(), patch, adopts: false } } else { Step::Nothing }
}

fn documents(project: &str, places: &[(Stage, String)], home: &str, data: &Value) -> Vec<Value> {
    let namespaces = places.iter().enumerate().map(|(order, (stage, name))| namespace(project, order, stage, name));
    namespaces.chain([config(project, home, data)]).collect()
}

/// What the steps need, and what a delivery will need in every stage: that production is out of reach is better found now.
fn needed<'a>(places: &[(Stage, String)], home: &str, steps: impl Iterator<Item = &'a Step>) -> Vec<Right> {
    let mut rights: Vec<Right> = Vec::new();
    for step in steps {
        let verb = match step {
            Step::Nothing => continue,
            Step::Create(object) if text(object, "/kind") == "ConfigMap" => continue,
            Step::Create(_) => "create",
            Step::Change { name, .. } if name == CONFIG_MAP => continue,
            Step::Change { .. } => "patch",
        };
        if rights.iter().all(|(known, ..)| *known != verb) {
            rights.push((verb, &NAMESPACES, String::new()));
        }
    }
    rights.extend(["create", "patch"].map(|verb| (verb, &CONFIG_MAPS, home.to_owned())));
    for (stage, namespace) in places {
        rights.extend([&DEPLOYMENTS, &SERVICES, &VIRTUAL_SERVICES, &GATEWAYS].map(|kind| ("create", kind, namespace.clone())));
        if stage.deployment == Strategy::BlueGreen {
            rights.push(("create", &DESTINATION_RULES, namespace.clone()));
        }
        rights.extend([&DEPLOYMENTS, &VIRTUAL_SERVICES].map(|kind| ("patch", kind, namespace.clone())));
    }
    rights
}

async fn perform(
    cluster: &Cluster,
    kind: &'static crate::cluster::Resource,
    namespace: &str,
    step: &Step,
    dry_run: DryRun,
) -> Result<Option<&'static str>> {
    let changed = |what: &str| {
        let message = format!("{what} was changed while this ran");
        Error::new(Kind::Conflict, message).hint("run it again: what is done already is left alone")
    };
    match step {
        Step::Nothing => Ok(None),
        _ if dry_run == DryRun::Client => Ok(Some(step.done())),
        Step::Create(object) => match cluster.create(kind, namespace, object.clone(), on_server(dry_run)).await? {
            Created::New(_) => Ok(Some(step.done())),
            Created::Exists => Err(changed(&apply::title(object))),
        },
        Step::Change { name, patch, .. } => match cluster.edit(kind, namespace, name, patch, on_server(dry_run)).await? {
            Patched::Done(_) => Ok(Some(step.done())),
            Patched::Refused(_) => Err(changed(&format!("{}/{name}", kind.kind.to_lowercase()))),
            Patched::Unanswered(error) => Err(error),
        },
    }
}

impl Step {
    fn done(&self) -> &'static str {
        match self {
            Step::Nothing => "unchanged",
            Step::Create(_) => "created",
            Step::Change { adopts: true, .. } => "adopted",
            Step::Change { adopts: false, .. } => "updated",
        }
    }
}

/// What another shipyard changes, one line a stage: `-` as it was, `+` as it is to be.
fn changes(before: &[(Stage, String)], after: &[(Stage, String)]) -> Vec<String> {
    let lines = |sign: char, these: &[(Stage, String)], those: &[(Stage, String)]| {
        let new = these.iter().filter(|(stage, _)| those.iter().all(|(other, _)| other != stage));
        new.map(|(stage, _)| format!("{sign} {}: {}\n", stage.name, described(stage))).collect::<Vec<_>>()
    };
    let mut all = lines('-', before, after);
    all.extend(lines('+', after, before));
    if all.is_empty() && before.iter().map(|(stage, _)| &stage.name).ne(after.iter().map(|(stage, _)| &stage.name)) {
        let order = |sign, these: &[(Stage, String)]| {
            let names: Vec<&str> = these.iter().map(|(stage, _)| stage.name.as_str()).collect();
            format!("{sign} {}\n", names.join(" -> "))
        };
        all = vec![order('-', before), order('+', after)];
    }
    all
}

/// A stage in the words of a shipyard: `blue_green, performance, manual approval`.
pub(super) fn described(stage: &Stage) -> String {
    let mut words = vec![deployment(stage.deployment), test(stage.test)];
    let approval = approval(stage);
    if approval != "automatic" {
        words.push(approval);
    }
    words.retain(|word| *word != "none");
    words.join(", ")
}

pub(super) fn deployment(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Direct => "direct",
        Strategy::BlueGreen => "blue_green",
    }
}

pub(super) fn test(strategy: TestStrategy) -> &'static str {
    match strategy {
        TestStrategy::None => "none",
        TestStrategy::Functional => "functional",
        TestStrategy::Performance => "performance",
    }
}

pub(super) fn approval(stage: &Stage) -> &'static str {
    match (stage.approval.pass, stage.approval.warning) {
        (Approver::Automatic, Approver::Automatic) => "automatic",
        (Approver::Manual, Approver::Manual) => "manual",
        (Approver::Manual, Approver::Automatic) => "manual after a pass",
        (Approver::Automatic, Approver::Manual) => "manual after a warning",
    }
}
