//! `send new-artifact`: a version walks through the stages of its project.

use super::announce::Announcer;
use super::drive::{Driver, Way, stamp};
use super::lock::{self, Other};
use super::project::Project;
use super::store::{self, Kept, short};
use super::tell;
use super::{gate, look, reach, single};
use crate::cli::{DryRun, EventsEra, Metrics, NewArtifact, Way as Wanted};
use crate::cluster::{CONFIG_MAPS, Cluster, DEPLOYMENTS, LEASES, PODS, Resource, VIRTUAL_SERVICES};
use crate::commands::{Context, evaluate};
use crate::core::delivery::events::{self, Artifact};
use crate::core::delivery::image::{Image, version};
use crate::core::delivery::project::named;
use crate::core::delivery::run::{Gate, Phase, Place, Run, StagePlan, StageRun, Status, Terms};
use crate::core::delivery::shipyard::{Approver, Stage, Strategy, TestStrategy};
use crate::core::delivery::tests::{self, Suite};
use crate::core::gate::evaluation::Window;
use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use crate::ui;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::time::Duration;

/// How long to wait for a person, or for another delivery, where nothing else is said.
pub const TIMEOUT: Duration = Duration::from_secs(3600);

/// The share of the traffic that a version gets where its gate needs live traffic.
const SHARE: u32 = 10;

/// Sends the artifact that the flags name.
pub async fn new_artifact(context: &Context, arguments: NewArtifact) -> Result<()> {
    let NewArtifact { project, service, image, tag, stage, label, way } = arguments;
    let image = Image::artifact(&image, tag.as_deref())?;
    let artifact = Artifact { project, service, image, stage, labels: labels(&label)?, context: None };
    deliver(context, artifact, way).await
}

/// Sends the artifact that the event in a file names.
pub async fn event(context: &Context, file: &Path, way: Wanted) -> Result<()> {
    let (name, text) = match file == Path::new("-") {
        true => ("standard input".to_owned(), std::io::read_to_string(std::io::stdin())),
        false => (file.display().to_string(), std::fs::read_to_string(file)),
    };
    let text = text.map_err(|error| Error::usage(format!("cannot read {name}")).caused_by(error.to_string()))?;
    let event = serde_json::from_str(&text)
        .map_err(|error| Error::usage(format!("{name} is no event: not JSON")).caused_by(error.to_string()))?;
    let artifact = events::artifact(&event).map_err(|error| Error { message: format!("{name}: {}", error.message), ..error })?;
    deliver(context, artifact, way).await
}

/// Sends an artifact, and drives its run to the end.
async fn deliver(context: &Context, artifact: Artifact, arguments: Wanted) -> Result<()> {
    named("service", &artifact.service)?;
    let settings = Settings::resolve(&context.global.connection, arguments.timeout)?;
    let cluster = Cluster::connect(&settings.connection).await?;
    let timeout = arguments.timeout.unwrap_or(TIMEOUT);
    let way = Way { context, settings: &settings, cluster: &cluster, waits: !arguments.no_wait, timeout };
    let prepare = async {
        let project = Project::find(&cluster, &artifact.project).await?;
        let (project, single) = single::adapted(&cluster, project, &artifact.service).await?;
        if !single.is_empty() {
            context.ui.say(&format!(
                "{} has one deployment in {}: it gets the image there\n",
                artifact.service,
                single.join(", ")
            ));
        }
        let mut run = plan(&arguments, &project, &artifact, &settings, &cluster)?;
        if let Some(id) = own_context(&cluster, &project, &artifact).await? {
            run.id = id;
        }
        let looked = preflight(&way, &project, &run).await?;
        Ok::<_, Error>((project, Run { stages: looked, ..run }))
    };
    let (project, run) = unbroken(prepare).await?;
    if arguments.dry_run != DryRun::None {
        context.ui.answer(&preview(&run));
        return Ok(());
    }
    unbroken(consent(&way, &run, arguments.yes)).await?;
    let other = match (arguments.queue, arguments.supersede) {
        (true, _) => Other::Queue,
        (_, true) => Other::Supersede,
        _ => Other::Refuse,
    };
    let announcer = Announcer::open(context, &cluster, &run)?;
    let lease = unbroken(lock::new_run(&way, &project.home, &run, other)).await?;
    let kept = match Kept::create(&cluster, &project.home, run).await {
        Ok(kept) => kept,
        Err(error) => {
            lease.release(&cluster).await;
            return Err(error);
        }
    };
    let driver = Driver::new(&way, kept, lease, announcer);
    driver.teller.begin(&driver.run(), "");
    driver.announcer.sent(&driver.run()).await;
    let result = driver.drive().await;
    let run = driver.run();
    // What is left over is swept up by the next one.
    if let Ok(runs) = store::runs(&cluster, &project.home, &run.project, Some(&run.service)).await {
        let _ = store::prune(&cluster, &runs).await;
    }
    match result {
        Ok(()) => driver.teller.end(&run, arguments.output),
        Err(error) => {
            context.ui.answer(&tell::answer(&run, arguments.output));
            Err(error)
        }
    }
}

/// Work that Ctrl-C ends before anything was written.
async fn unbroken<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        result = work => result,
        () = crate::commands::interrupt() => Err(Error::new(Kind::Interrupted, "interrupted; nothing was written")),
    }
}

/// The run that the arguments ask for.
fn plan(arguments: &Wanted, project: &Project, artifact: &Artifact, settings: &Settings, cluster: &Cluster) -> Result<Run> {
    let place = |name: &Option<String>, default: usize| -> Result<usize> {
        let Some(name) = name else { return Ok(default) };
        project.stage(name)?;
        Ok(project.stages.iter().position(|(stage, _)| stage.name == *name).unwrap_or(default))
    };
    let first = place(&artifact.stage, 0)?;
    let last = place(&arguments.until, project.stages.len().saturating_sub(1))?;
    if last < first {
        let names = project.stages.iter().map(|(stage, _)| stage.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::usage(format!("--until comes before --stage: the stages are {names}")));
    }
    let given = given_gate(arguments)?;
    let stages = project.stages.iter().take(last + 1).skip(first).map(|(stage, namespace)| {
        let plan = stage_plan(arguments, project, (stage, &artifact.service), given.as_ref())?;
        Ok(StageRun::new(&stage.name, namespace, plan))
    });
    let seconds = |given: Option<Duration>, default: u64| given.map_or(default, |given| given.as_secs());
    let mut run = Run {
        id: uuid(),
        project: project.name.clone(),
        service: artifact.service.clone(),
        image: artifact.image.to_string(),
        labels: artifact.labels.clone(),
        by: settings.by.clone().or_else(|| cluster.user.clone()).unwrap_or_else(|| "unknown".into()),
        started: stamp(Timestamp::now()),
        ended: None,
        status: Status::Running,
        terms: Terms {
            rollout: seconds(arguments.rollout_timeout, 300),
            evaluation: seconds(arguments.evaluation_timeout, 600),
            tests: seconds(arguments.tests_timeout, 1800),
            settle: seconds(arguments.settle, 15),
            envoy: arguments.metrics == Metrics::Envoy,
            events: arguments.events.clone(),
            early_events: arguments.events_era == EventsEra::Early,
            container: arguments.container.clone(),
            to: arguments.to.clone(),
            prometheus: arguments.prometheus.clone(),
        },
        stages: stages.collect::<Result<_>>()?,
    };
    run.begin();
    Ok(run)
}

/// The context of the sender, where it can name a run and does not name one already: a file may be sent twice.
async fn own_context(cluster: &Cluster, project: &Project, artifact: &Artifact) -> Result<Option<String>> {
    let is_id = |id: &&String| {
        id.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && id.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit())
    };
    let Some(id) = artifact.context.as_ref().filter(is_id).map(|id| id.to_lowercase()) else { return Ok(None) };
    let runs = store::runs(cluster, &project.home, &project.name, Some(&artifact.service)).await?;
    Ok(Some(id).filter(|id| runs.iter().all(|kept| short(&kept.run.id) != short(id))))
}

/// What is to happen with a service in a stage.
fn stage_plan(
    arguments: &Wanted,
    project: &Project,
    (stage, service): (&Stage, &str),
    given: Option<&Gate>,
) -> Result<StagePlan> {
    let place = match (stage.deployment, arguments.keptn_order) {
        (Strategy::Direct, _) => Place::Direct,
        (Strategy::BlueGreen, false) => Place::Idle,
        (Strategy::BlueGreen, true) => Place::IdleAtOnce,
    };
    let gated = stage.is_gated();
    let found = given.cloned().or_else(|| gate::of_project(project, &stage.name, service));
    let gate = match found.filter(|_| gated) {
        None if gated && !arguments.allow_no_gate => {
            return Err(gate::missing(&project.name, &stage.name, service));
        }
        gate => gate,
    };
    // Terms of --require count the requests of users; so does a stage whose version nobody tests.
    let live = matches!(gate, Some(Gate::Require(_))) || gate.is_some() && stage.test == TestStrategy::None;
    Ok(StagePlan {
        place,
        test: stage.test,
        tests: project.resource(&stage.name, service, &[tests::FILE]).map(|(name, text)| (name.to_owned(), text.to_owned())),
        approval: stage.approval,
        share: arguments.share.or(live.then_some(SHARE)).filter(|_| place == Place::Idle),
        gate,
        timeframe: arguments.timeframe.map(|timeframe| timeframe.as_secs()).or(stage.timeframe),
    })
}

/// The gate of the arguments, for all stages that have one.
fn given_gate(arguments: &Wanted) -> Result<Option<Gate>> {
    let read = |file: &Path| {
        std::fs::read_to_string(file)
            .map_err(|error| Error::usage(format!("cannot read {}", file.display())).caused_by(error.to_string()))
    };
    if !arguments.require.is_empty() {
        return Ok(Some(Gate::Require(arguments.require.clone())));
    }
    let Some(file) = &arguments.gate else { return Ok(None) };
    let sli = arguments.sli.as_ref().map(|sli| Ok::<_, Error>((sli.display().to_string(), read(sli)?))).transpose()?;
    Ok(Some(Gate::File { name: file.display().to_string(), text: read(file)?, sli }))
}

fn labels(given: &[String]) -> Result<BTreeMap<String, String>> {
    let pair = |text: &str| match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(Error::usage(format!("`{}` is not k=v", text.escape_debug()))),
    };
    given.iter().flat_map(|list| list.split(',')).map(pair).collect()
}

/// Everything that can be found out before the first stage is touched: rights, services, colours, gates. The stages as
/// they stand.
async fn preflight(way: &Way<'_>, project: &Project, run: &Run) -> Result<Vec<StageRun>> {
    rights(way.cluster, &project.home, run).await?;
    let looks = run.stages.iter().map(|stage| async move {
        let before = look::look(way.cluster, run, stage).await?;
        Ok::<_, Error>(StageRun { before: Some(before), ..stage.clone() })
    });
    let namespaces = run.stages.iter().map(|stage| stage.namespace.as_str());
    let (stages, policies) = tokio::join!(try_join_all(looks), reach::policies(way.cluster, namespaces));
    let stages = stages?;
    let now = Timestamp::now().as_second();
    let (mut asked, mut sources) = (false, None);
    for stage in &stages {
        let suite = stage.plan.tests.as_ref().map(|(name, text)| Suite::parse(name, text)).transpose()?;
        reach::check(way.cluster, run, stage, &suite.unwrap_or_else(Suite::built_in), &policies).await?;
        if let Some(gate) = &stage.plan.gate {
            let question = gate::question(run, stage, gate, &[], way.settings)?;
            let queries = question.queries(Window::new(now - 60, now)?)?;
            asked |= matches!(gate, Gate::Require(_)) || queries.iter().any(|(_, query)| query.is_of_prometheus());
            sources = Some(question.sources);
        }
    }
    if let Some(sources) = sources.filter(|_| asked)
        && !evaluate::knows_prometheus(way.cluster, &sources).await?
    {
        return Err(Error::not_found("no Prometheus was found in the cluster at the usual places, and the gates need one")
            .hint("name it: `--prometheus URL`"));
    }
    Ok(stages)
}

/// Asks where a stage's namespace is protected, and insists on `--yes` where nobody can be asked. A stage that waits for
/// approval asks by itself.
async fn consent(way: &Way<'_>, run: &Run, yes: bool) -> Result<()> {
    let asks = run.stages.iter().filter(|stage| !yes && stage.plan.approval.pass != Approver::Manual);
    for StageRun { namespace, .. } in asks {
        let why = match way.cluster.protected(namespace).await {
            _ if way.settings.protected_namespaces.contains(namespace) => format!("namespace {namespace} is protected"),
            Ok(true) => format!("namespace {namespace} is protected"),
            Ok(false) => continue,
            Err(error) => format!("whether namespace {namespace} is protected cannot be read ({})", error.message),
        };
        let ui = &way.context.ui;
        if !ui.can_ask() {
            return Err(
                Error::usage(format!("{why}: --yes required when not running interactively")).hint("run it again with `--yes`")
            );
        }
        ui.show(&format!("{}{why}\n", preview(run)));
        let question = format!("Deliver {} {} to {}?", run.service, version(&run.image), run.project);
        return match ui.confirm(&question).await {
            true => Ok(()),
            false => Err(Error::failed("not confirmed; nothing was written")),
        };
    }
    Ok(())
}

/// Asks whether all that will be written may be.
async fn rights(cluster: &Cluster, home: &str, run: &Run) -> Result<()> {
    let mut wanted: Vec<(&str, &Resource, &str, &str)> = Vec::new();
    for verb in ["create", "patch"] {
        wanted.push((verb, &CONFIG_MAPS, home, "the project's first stage"));
        wanted.push((verb, &LEASES, home, "the project's first stage"));
    }
    for stage in &run.stages {
        wanted.push(("patch", &DEPLOYMENTS, &stage.namespace, &stage.stage));
        wanted.push(("list", &PODS, &stage.namespace, &stage.stage));
        if stage.plan.place != Place::Direct {
            wanted.push(("patch", &VIRTUAL_SERVICES, &stage.namespace, &stage.stage));
        }
    }
    let asks = wanted.iter().map(|(verb, kind, namespace, _)| cluster.may(verb, kind, namespace));
    let answers = try_join_all(asks).await?;
    let denied: Vec<String> = wanted
        .iter()
        .zip(answers)
        .filter(|(_, allowed)| !allowed)
        .map(|((verb, kind, namespace, stage), _)| format!("{verb} {} in {namespace} ({stage})", kind.plural))
        .collect();
    if denied.is_empty() {
        return Ok(());
    }
    let who = cluster.user.as_deref().map(|user| format!(" as {user}")).unwrap_or_default();
    let message = format!("you may not{who} do all that this run would: {}", denied.join(", "));
    Err(Error::new(Kind::Forbidden, message).hint("`tidegate help rbac` prints the role that is needed"))
}

/// What would be done, stage by stage.
fn preview(run: &Run) -> String {
    let rows: Vec<Vec<String>> = run
        .stages
        .iter()
        .map(|stage| {
            let before = stage.before.as_ref();
            let target = before.map_or_else(String::new, |before| {
                let side = before.to.as_ref().map(|to| format!(" ({to})")).unwrap_or_default();
                format!("{}{side} {} -> {}", before.deployment, version(&before.image), version(&run.image))
            });
            let share = stage.plan.share.unwrap_or_default();
            let steps: Vec<String> = stage
                .path(false)
                .into_iter()
                .filter(|phase| *phase != Phase::Look)
                .map(|phase| match phase {
                    Phase::Share => format!("{share} % of the traffic"),
                    Phase::Shift | Phase::Promote => "all traffic".into(),
                    phase => phase.name().to_owned(),
                })
                .collect();
            let gate = stage.plan.gate.as_ref().map_or_else(|| "<none>".into(), ToString::to_string);
            vec![stage.stage.clone(), stage.namespace.clone(), target, steps.join(", "), gate]
        })
        .collect();
    ui::columns(&["STAGE", "NAMESPACE", "DEPLOYMENT", "STEPS", "GATE"], &rows)
}

/// A random UUID (RFC 9562, version 4). The keys of the standard library's hashes are random; nothing here is secret.
fn uuid() -> String {
    let random = || std::hash::RandomState::new().build_hasher().finish();
    let (high, low) = (random(), random());
    let high = high & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
