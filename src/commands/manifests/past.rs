//! The release of a service, as the versions of its files in Git tell it.

use crate::commands::Context;
use crate::core::object::Object;
use crate::core::past::Past;
use crate::core::plan::Intent;
use crate::core::release::{Labelled, Phase, Release};
use crate::core::route::Route;
use crate::core::select::Service;
use crate::error::{Error, Result};
use crate::files::{self, Checkout, Commit, Git, MOST_COMMITS};
use std::path::Path;
use std::time::Instant;

/// Gives the objects of a service the release that the versions in Git tell of. Where `all` are meant, a service may have
/// none.
pub(super) async fn remember(
    context: &Context,
    checkout: &Checkout,
    service: &mut Service,
    (intent, all): (&Intent, bool),
    deadline: Instant,
) -> Result<()> {
    let hint = format!("name the destination that is to serve: `tidegate {} {} --to NAME`", intent.verb(), service.typed);
    let (releases, commit) = match known(checkout, service, deadline).await.map_err(|error| error.hint(hint.as_str()))? {
        Known::Releases(releases, commit) => (releases, commit),
        // What was never moved is promoted by its weights alone. Where versions are missing it may have been promoted
        // already, and would go back.
        Known::Nothing(_) | Known::Unversioned(_) if matches!(intent, Intent::Promote(_)) => return Ok(()),
        Known::Nothing(_) if all => return Ok(()),
        Known::Nothing(why) | Known::Unversioned(why) | Known::Part(why) => {
            return Err(Error::not_found(format!("no earlier state of `{}` is known: {why}", service.name)).hint(hint));
        }
    };
    if let (Intent::Rollback, Some(commit)) = (intent, commit) {
        context.ui.say(&format!("{}: back to {} ({})\n", service.name, commit.short, commit.subject));
    }
    for (object, release) in service.objects.iter_mut().zip(releases) {
        object.release = Some(release).filter(|release| release.phase == Phase::Undone || !release.before.is_empty());
    }
    Ok(())
}

/// What is known of a service's past.
enum Known {
    /// The releases of its objects, and the commit to which they lead back.
    Releases(Vec<Release>, Option<Commit>),
    /// There was no release, and why that is known.
    Nothing(String),
    /// There are no versions, and why.
    Unversioned(String),
    /// Some versions are missing, and why.
    Part(String),
}

async fn known(checkout: &Checkout, service: &Service, deadline: Instant) -> Result<Known> {
    let paths: Vec<&Path> = service.objects.iter().flat_map(|object| checkout.paths(object)).collect();
    let Some(first) = paths.first() else { return Ok(Known::Unversioned("what comes in has no history".into())) };
    let Some(git) = Git::of(first, deadline).await? else {
        return Ok(Known::Unversioned(format!("{} is in no Git work tree", files::near(first))));
    };
    let mut past = Past::new(service);
    let mut back = None;
    let commits = git.log(&paths).await?;
    let count = commits.len();
    let mut line: Vec<String> = commits.first().map(|newest| newest.id.clone()).into_iter().collect();
    for commit in commits.clone() {
        if !line.contains(&commit.id) {
            continue;
        }
        let then = checkout.then(&git, &commit.id, &service.objects).await?;
        let reverted = commits.iter().find(|one| one.id == commit.reverts);
        let mut from = Vec::new();
        for one in reverted.into_iter().chain((commit.parents.len() > 1).then_some(&commit)) {
            if from.is_empty() {
                from = came_from(checkout, &git, one, service, then.as_deref()).await?;
            }
        }
        line.extend(if from.is_empty() { commit.parents.clone() } else { from });
        let Some(then) = then else { continue };
        // The name in a template can have blanks.
        let words = commit.verb.strip_prefix("rollback").map(|names| format!("{names} "));
        let named = |words: String| service.objects.iter().any(|object| words.contains(&format!(" {} ", object.name)));
        let rolled_back = words.is_some_and(named);
        let releases = past.look(&then, &commit.short, rolled_back)?;
        let leads = past.leads();
        if let Some(releases) = releases {
            let undone = releases.iter().all(|release| release.phase == Phase::Undone);
            return Ok(Known::Releases(releases, back.or(Some(commit)).filter(|_| !undone)));
        }
        if leads && back.is_none() {
            back = Some(commit);
        }
    }
    let ended = past.end();
    let mut moved = None;
    for path in paths.iter().filter(|_| ended.is_none()) {
        moved = moved.or(git.renamed(path).await?.map(|commit| format!("{} has its name from {commit}", files::near(path))));
    }
    let none = || format!("in none of {count} commits everything goes to another destination");
    Ok(match ended {
        Some(releases) => Known::Releases(releases, back),
        None if git.is_shallow().await? => {
            Known::Part(format!("the clone has {count} of the file's commits (`git fetch --unshallow` gets all of them)"))
        }
        None if count >= MOST_COMMITS => Known::Part(none()),
        None => moved.map_or_else(|| Known::Nothing(none()), Known::Part),
    })
}

/// The parents of a commit that have the same weights as `now`: a merge has them from there, and so has a revert, from
/// before what it reverts.
async fn came_from(
    checkout: &Checkout,
    git: &Git,
    commit: &Commit,
    service: &Service,
    now: Option<&[Object]>,
) -> Result<Vec<String>> {
    let mut same = Vec::new();
    for parent in &commit.parents {
        let then = checkout.then(git, parent, &service.objects).await?;
        if then.as_deref().map(weights) == now.map(weights) {
            same.push(parent.clone());
        }
    }
    Ok(same)
}

fn weights(objects: &[Object]) -> Vec<Labelled> {
    objects.iter().flat_map(|object| &object.routes).map(Route::weights).collect()
}
