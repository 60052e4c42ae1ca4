//! `approve`, `resume`, `abort`: what is said to a run from elsewhere; `get runs`: what there is.

use super::announce::Announcer;
use super::drive::{Driver, Way};
use super::lease::{self, Lease};
use super::lock;
use super::project::{self, Project};
use super::send::TIMEOUT;
use super::store::{self, Kept, short};
use super::tell::{self, Teller};
use crate::cli::{Format, OfRun, Runs};
use crate::cluster::Cluster;
use crate::commands::Context;
use crate::core::delivery::image::version;
use crate::core::delivery::run::{Run, Status};
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::sorted;
use crate::ui::data;

/// Lets a stage that waits go on; goes on with the run where nobody drives it.
pub async fn approve(context: &Context, arguments: OfRun) -> Result<()> {
    let (settings, cluster) = connect(context, &arguments).await?;
    let (home, kept) = find(&cluster, &arguments, |run| run.status == Status::Waiting, "waits for approval").await?;
    let run = &kept.run;
    let stage = run.current().and_then(|index| run.stages.get(index)).map(|stage| stage.stage.clone()).unwrap_or_default();
    if let Some(wanted) = arguments.stage.as_ref().filter(|wanted| **wanted != stage) {
        let message = format!("{} {} waits for approval of stage {stage}, not of {wanted}", run.service, version(&run.image));
        return Err(Error::usage(message));
    }
    let by = by(&settings, &cluster);
    kept.leave_approval(&cluster, &stage, &by).await?;
    let told = format!("{} {} approved for {stage} by {by}", run.service, version(&run.image));
    let held = lease::holder(&cluster, &home, &run.service).await?;
    match held {
        Some(held) => context.ui.answer(&format!("{told}; {} goes on\n", held.name)),
        None if arguments.no_wait => {
            let resume = Teller::new(context, run).commands(run).resume;
            context.ui.answer(&format!("{told}\n"));
            context.ui.say(&format!("nobody drives the run: `{resume}` goes on\n"));
        }
        None => {
            context.ui.say(&format!("{told}\n"));
            return go_on(context, &settings, &cluster, (&home, kept), false, &arguments).await;
        }
    }
    Ok(())
}

/// Goes on with a run that nobody drives any more.
pub async fn resume(context: &Context, arguments: OfRun) -> Result<()> {
    let (settings, cluster) = connect(context, &arguments).await?;
    let wanted = |run: &Run| !run.ended() || run.status == Status::Stuck;
    let (home, kept) = find(&cluster, &arguments, wanted, "is in progress").await?;
    if !arguments.force
        && let Some(held) = lease::alive(&cluster, &home, &kept.run.service).await?
    {
        return Err(lease::locked(&kept.run.service, &held).hint("`--force` takes the run from it"));
    }
    go_on(context, &settings, &cluster, (&home, kept), true, &arguments).await
}

/// Ends a run: what was touched of its stage goes back.
pub async fn abort(context: &Context, arguments: OfRun) -> Result<()> {
    let (settings, cluster) = connect(context, &arguments).await?;
    let (home, kept) = find(&cluster, &arguments, |run| !run.ended(), "is in progress").await?;
    let way = way(context, &settings, &cluster, &arguments);
    let reason = arguments.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let by = by(&settings, &cluster);
    let why = format!("{by}{reason}");
    let held = lease::holder(&cluster, &home, &kept.run.service).await?.is_some();
    let run = lock::end(&way, &home, kept, (&by, &why), held).await?;
    context.ui.answer(&tell::answer(&run, arguments.output));
    match run.status {
        Status::Aborted => Ok(()),
        _ => Teller::new(context, &run).verdict(&run),
    }
}

/// Shows the runs of a project or of all, or of one service, or one of them in full.
pub async fn runs(context: &Context, arguments: &Runs) -> Result<()> {
    let (_, cluster) = context.connect(None).await?;
    let projects = match &arguments.project {
        Some(name) => vec![name.clone()],
        None => project::names(&cluster).await?.into_iter().collect(),
    };
    let mut kept = Vec::new();
    for name in &projects {
        let home = match Project::find(&cluster, name).await {
            Ok(project) => project.home,
            // One that is broken does not hide the others.
            Err(error) if arguments.project.is_none() => {
                context.ui.warn(&error.message);
                continue;
            }
            Err(error) => return Err(error),
        };
        kept.extend(store::runs(&cluster, &home, name, arguments.service.as_deref()).await?);
    }
    sorted::by(&mut kept, |a, b| b.run.started.cmp(&a.run.started));
    kept.retain(|kept| arguments.keptn_context.as_ref().is_none_or(|id| kept.run.id == *id || short(&kept.run.id) == id));
    let runs: Vec<&Run> = kept.iter().map(|kept| &kept.run).collect();
    match (&arguments.keptn_context, runs.as_slice(), arguments.output) {
        (Some(id), [], _) => {
            let place = arguments.project.as_ref().map_or_else(String::new, |name| format!(" in project {name}"));
            return Err(
                Error::not_found(format!("there is no run {}{place}", id.escape_debug())).hint("`tidegate get runs` lists them")
            );
        }
        (Some(_), [one], output) => context.ui.answer(&tell::answer(one, output)),
        (_, [], Format::Table | Format::Wide) => context.ui.say(&match &arguments.project {
            Some(name) => format!("No runs found in project {name}.\n"),
            None => "No runs found.\n".into(),
        }),
        (_, runs, Format::Table | Format::Wide) => {
            let mut driven = Vec::new();
            for one in kept.iter().filter(|one| !one.run.ended()) {
                let held = lease::holder(&cluster, &one.home, &one.run.service).await?;
                driven.extend(held.filter(|held| held.drives(&one.run)));
            }
            let drivers: Vec<&str> = driven.iter().map(|held| held.name.as_str()).collect();
            let project = arguments.project.is_none();
            context.ui.answer(&tell::runs(runs, &drivers, project, context.ui.out_is_terminal));
        }
        (_, runs, Format::Name) => runs.iter().for_each(|run| context.ui.answer(&format!("{}\n", run.id))),
        (_, runs, output) => context.ui.answer(&data(&tell::list(runs), output == Format::Yaml)),
    }
    Ok(())
}

async fn connect(context: &Context, arguments: &OfRun) -> Result<(Settings, Cluster)> {
    let settings = Settings::resolve(&context.global.connection, arguments.timeout)?;
    let cluster = Cluster::connect(&settings.connection).await?;
    Ok((settings, cluster))
}

fn way<'a>(context: &'a Context, settings: &'a Settings, cluster: &'a Cluster, arguments: &OfRun) -> Way<'a> {
    Way { context, settings, cluster, waits: !arguments.no_wait, timeout: arguments.timeout.unwrap_or(TIMEOUT) }
}

fn by(settings: &Settings, cluster: &Cluster) -> String {
    settings.by.clone().or_else(|| cluster.user.clone()).unwrap_or_else(|| "unknown".into())
}

/// The newest run of a service that is as wanted.
async fn find(cluster: &Cluster, arguments: &OfRun, wanted: impl Fn(&Run) -> bool, what: &str) -> Result<(String, Kept)> {
    let project = Project::find(cluster, &arguments.project).await?;
    let runs = store::runs(cluster, &project.home, &project.name, Some(&arguments.service)).await?;
    let found = runs.into_iter().find(|kept| wanted(&kept.run));
    let kept = found.ok_or_else(|| {
        Error::not_found(format!("no delivery of `{}` in {} {what}", arguments.service, project.name))
            .hint(format!("`tidegate get runs --project {}` lists them", project.name))
    })?;
    Ok((project.home, kept))
}

/// Drives a run on from where it stands; `over` says that whoever holds its lease is gone, or to be ignored.
async fn go_on(
    context: &Context,
    settings: &Settings,
    cluster: &Cluster,
    (home, kept): (&str, Kept),
    over: bool,
    arguments: &OfRun,
) -> Result<()> {
    let by = by(settings, cluster);
    let lease = Lease::take(cluster, home, &kept.run.service, &lock::who(&by, &kept.run), over).await?;
    // Whoever held it may have written a last time meanwhile.
    let runs = store::runs(cluster, home, &kept.run.project, Some(&kept.run.service)).await?;
    let mut kept = runs.into_iter().find(|one| one.run.id == kept.run.id).unwrap_or(kept);
    kept.run.retry();
    let way = way(context, settings, cluster, arguments);
    let announcer = Announcer::open(context, cluster, &kept.run)?;
    let driver = Driver::new(&way, kept, lease, announcer);
    driver.teller.begin(&driver.run(), " goes on");
    let result = driver.drive().await;
    let run = driver.run();
    match result {
        Ok(()) => driver.teller.end(&run, arguments.output),
        Err(error) => {
            context.ui.answer(&tell::answer(&run, arguments.output));
            Err(error)
        }
    }
}
