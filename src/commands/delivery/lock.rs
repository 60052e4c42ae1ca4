//! One delivery of a service at a time: refused, queued behind the other, or in its place.

use super::announce::Announcer;
use super::drive::{Driver, Way, stamp};
use super::lease::{self, Holder, Lease};
use super::store::{self, Kept, short};
use crate::core::delivery::image::version;
use crate::core::delivery::run::Run;
use crate::error::{Error, Kind, Result};
use std::time::{Duration, Instant};

/// The pause between two looks at the other delivery.
const LOOK: Duration = Duration::from_secs(1);

/// What to do about another delivery of the same service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// Refuse.
    Refuse,
    /// Wait until it has ended.
    Queue,
    /// End it.
    Supersede,
}

/// Who drives, as the lease says it.
pub fn who(by: &str, run: &Run) -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
    let host = host.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|host| host.trim().to_owned()));
    let host = host.map(|host| format!("@{host}")).unwrap_or_default();
    format!("{by}{host} (run {}, process {})", short(&run.id), std::process::id())
}

/// The lease for a new run, once no other delivery of the service is under way.
///
/// # Errors
/// `Conflict` where there is another, `Timeout` where it does not end in time.
pub async fn new_run(way: &Way<'_>, home: &str, run: &Run, other: Other) -> Result<Lease> {
    let deadline = Instant::now() + way.timeout;
    let mut said = false;
    loop {
        // In this order: who lets the lease go has kept how the run ended.
        let held = lease::holder(way.cluster, home, &run.service).await?;
        let unfinished = unfinished(way, home, run).await?;
        let who = who(&run.by, run);
        let refusal = match (&held, &unfinished) {
            (None, None) => match Lease::take(way.cluster, home, &run.service, &who, false).await {
                Ok(lease) => return Ok(lease),
                Err(error) if error.kind == Kind::Conflict => error,
                Err(error) => return Err(error),
            },
            (Some(held), other) => refusal(run, held, other.as_ref()),
            (None, Some(other)) => undriven(way, other),
        };
        if other == Other::Refuse {
            // Who has gone without a word holds nobody up for long.
            if held.is_some() && unfinished.is_none() && lease::alive(way.cluster, home, &run.service).await?.is_none() {
                return Lease::take(way.cluster, home, &run.service, &who, true).await;
            }
            return Err(refusal);
        }
        if let (Other::Supersede, Some(before)) = (other, unfinished) {
            supersede(way, home, run, before, held.is_some()).await?;
            continue;
        }
        if Instant::now() + LOOK >= deadline {
            return Err(Error::new(Kind::Timeout, format!("still waiting: {}", refusal.message)));
        }
        if !said {
            way.context.ui.say(&format!("waiting: {}\n", refusal.message.trim_end_matches("; nothing was written")));
            said = true;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The newest run of the same service that has not ended.
async fn unfinished(way: &Way<'_>, home: &str, run: &Run) -> Result<Option<Kept>> {
    let runs = store::runs(way.cluster, home, &run.project, Some(&run.service)).await?;
    Ok(runs.into_iter().find(|kept| !kept.run.ended()))
}

fn refusal(run: &Run, held: &Holder, other: Option<&Kept>) -> Error {
    let mut error = lease::locked(&run.service, held);
    if let Some(other) = other {
        error.message = format!("{} is being delivered: {}", name(&other.run), error.message);
    }
    hinted(error)
}

fn undriven(way: &Way<'_>, other: &Kept) -> Error {
    let commands = super::tell::Teller::new(way.context, &other.run).commands(&other.run);
    let age = crate::ui::age(&other.run.started, jiff::Timestamp::now());
    let message = format!(
        "the delivery of {} (run {}, by {}, {age} ago) has not ended, and nobody drives it; nothing was written",
        name(&other.run),
        short(&other.run.id),
        other.run.by
    );
    hinted(
        Error::new(Kind::Conflict, message).hint(format!("go on with it: `{}`; or back: `{}`", commands.resume, commands.abort)),
    )
}

fn hinted(error: Error) -> Error {
    error.hint("`--queue` waits until it has ended; `--supersede` ends it")
}

fn name(run: &Run) -> String {
    format!("{} {}", run.service, version(&run.image))
}

/// Ends a run: by a word to whoever drives it, or here.
async fn supersede(way: &Way<'_>, home: &str, run: &Run, other: Kept, held: bool) -> Result<()> {
    let why = format!("{}: superseded by {}", run.by, version(&run.image));
    way.context.ui.say(&format!("ending the delivery of {} (run {})\n", name(&other.run), short(&other.run.id)));
    end(way, home, other, (&run.by, &why), held).await.map(drop)
}

/// Ends a run, and says how it stands then: whoever drives it does it, or, where nobody does, this process.
///
/// # Errors
/// `Timeout` where it does not end in time.
pub async fn end(way: &Way<'_>, home: &str, kept: Kept, (by, why): (&str, &str), held: bool) -> Result<Run> {
    kept.leave_abort(way.cluster, why).await?;
    let deadline = Instant::now() + way.timeout;
    let mut held = held;
    loop {
        let now = again(way, home, &kept.run).await?;
        if now.run.ended() {
            return Ok(now.run);
        }
        let gone = held && lease::alive(way.cluster, home, &kept.run.service).await?.is_none();
        if gone || !held {
            match end_here(way, home, &kept.run, (by, why), gone).await {
                // Somebody else came first: the word that was left reaches them.
                Err(error) if error.kind == Kind::Conflict => {}
                result => return result,
            }
        }
        held = true;
        if Instant::now() + LOOK >= deadline {
            return Err(Error::new(Kind::Timeout, format!("the run {} did not end in time", short(&kept.run.id))));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Ends a run that nobody drives; whoever did is `gone`.
async fn end_here(way: &Way<'_>, home: &str, run: &Run, (by, why): (&str, &str), gone: bool) -> Result<Run> {
    let lease = Lease::take(way.cluster, home, &run.service, &who(by, run), gone).await?;
    // Whoever let the lease go may have ended it.
    let mut now = again(way, home, run).await?;
    if now.run.ended() {
        lease.release(way.cluster).await;
        return Ok(now.run);
    }
    now.run.abort(&format!("aborted by {why}"), &stamp(jiff::Timestamp::now()));
    now.save(way.cluster, &now.run).await?;
    let announcer = Announcer::open(way.context, way.cluster, &now.run)?;
    let driver = Driver::new(way, now, lease, announcer);
    driver.drive().await?;
    Ok(driver.run())
}

/// A run as it is kept now.
async fn again(way: &Way<'_>, home: &str, run: &Run) -> Result<Kept> {
    let runs = store::runs(way.cluster, home, &run.project, Some(&run.service)).await?;
    let found = runs.into_iter().find(|one| one.run.id == run.id);
    found.ok_or_else(|| Error::not_found(format!("the run {} is gone", short(&run.id))))
}
