//! `-f`: the same verbs on manifests in a checkout. Read, planned and proven in memory, then written all or none.

mod message;
mod past;

use super::Context;
use super::change::{Plans, Ready, plan_all};
use super::store::Store;
use crate::cli::{self, DryRun, Format};
use crate::core::check;
use crate::core::host::ServiceRef;
use crate::core::plan::{Author, Change, Intent};
use crate::core::route::Action;
use crate::core::select::Service;
use crate::error::{Error, Kind, Result};
use crate::exec::{Outcome, Planned};
use crate::files::{self, Checkout, Edit, Git, STDIN, Written};
use crate::settings::Settings;
use crate::ui;
use std::path::Path;
use std::time::Instant;

/// The manifests of one command, and what is to become of them.
pub(super) struct Manifests {
    checkout: Checkout,
    edits: Vec<Edit>,
    /// Where the commit is to be made.
    commit: Option<Git>,
    /// Standard input is edited: the answer is its new text.
    filter: bool,
    /// Nothing but the change will tell the files from the commit.
    clean: bool,
    /// What there is to say of the commit that was made.
    made: Option<String>,
}

/// Refuses what means nothing without a cluster.
fn refuse(write: &cli::Write, named: &cli::Services, intent: &Intent) -> Result<()> {
    if write.dry_run == DryRun::Server {
        return Err(Error::usage("--dry-run=server asks a cluster, and -f asks none").hint("did you mean `--dry-run=client`?"));
    }
    if named.selector.is_some() {
        return Err(Error::usage("--selector asks a cluster, and -f asks none").hint("name the services, or `--all`"));
    }
    if matches!(intent, Intent::RollbackRevision(_)) {
        return Err(Error::usage("manifests have no revisions: their history is Git's")
            .hint("without `--to-revision` the newest version counts that sends everything to one destination"));
    }
    let machine = !matches!(write.output, Format::Table | Format::Wide) && write.dry_run == DryRun::None;
    match is_filter(write) {
        true if write.files.len() > 1 => Err(Error::usage("`-f -` edits what comes in, and goes with no other file")),
        true if write.commit => Err(Error::usage("what comes in by `-f -` cannot be committed")),
        true if machine => Err(Error::usage("with `-f -` the answer is the edited text").hint("`-o` goes with `--dry-run`")),
        _ => Ok(()),
    }
}

fn is_filter(write: &cli::Write) -> bool {
    write.files.iter().any(|file| file == Path::new(STDIN))
}

/// Reads and plans; nothing is written yet.
pub(super) async fn ready(
    context: &Context,
    (named, names): (&cli::Services, &[ServiceRef]),
    write: &cli::Write,
    intent: &Intent,
    (settings, deadline): (&Settings, Instant),
) -> Result<Ready> {
    refuse(write, named, intent)?;
    let checkout = Checkout::read(&write.files, write.values.as_deref(), settings.connection.namespace.as_deref())?;
    let mut found = checkout.find(names)?;
    let shown: Vec<String> = names.iter().map(|name| name.name.clone()).collect();
    checkout.unread(&shown).for_each(|error| context.ui.warn(&format!("left out: {}", error.message)));
    let place = context.namespace_flag() + checkout.flags();
    found.services.iter_mut().for_each(|service| service.typed += &place);
    if matches!(intent, Intent::Promote(None) | Intent::Rollback) {
        for service in &mut found.services {
            past::remember(context, &checkout, service, (intent, names.is_empty()), deadline).await?;
        }
    }
    if names.is_empty() {
        super::change::only_released(&mut found, intent);
    }
    let author = super::change::author(settings, None, write.reason.clone());
    let templated = found
        .services
        .iter()
        .flat_map(|service| service.routes())
        .any(|chosen| matches!(&chosen.route.action, Action::Broken(why) if why.contains("{{")));
    let mut planned = plan_all(&mut found, intent, write, &author).map_err(|error| match templated {
        // Whatever else there is to say, it follows from this.
        true => Error { hints: Vec::new(), ..error }
            .hint("a weight of a template is followed where it is a plain reference, `{{ .Values.NAME }}`, that the values have"),
        false => error,
    })?;
    let edits = checkout.edit(&mut planned)?;
    check_all(context, &checkout, &planned, write)?;
    let mut manifests = Manifests { filter: is_filter(write), checkout, edits, commit: None, clean: false, made: None };
    if write.dry_run == DryRun::None {
        manifests.look_at_git(write, &planned, deadline).await?;
    }
    if write.reason.is_some() && !write.commit {
        context.ui.warn("--reason goes into the message of a commit, and without --commit none is made");
    }
    Ok(Ready { store: Store::Manifests(Box::new(manifests)), author, planned, found })
}

/// What must hold of the destinations, as far as the files say it.
fn check_all(context: &Context, checkout: &Checkout, planned: &Plans, write: &cli::Write) -> Result<()> {
    for (service, changes) in planned {
        match check::subsets(service, changes, &checkout.rules) {
            Err(error) if write.force => context.ui.warn(&format!("forced: {}", error.message)),
            result => result?,
        }
        check::warnings(service, changes, &Default::default()).iter().for_each(|warning| context.ui.warn(warning));
    }
    Ok(())
}

impl Manifests {
    /// The files that change, as they are told.
    fn names(&self) -> Vec<String> {
        self.edits.iter().map(|edit| edit.name.clone()).collect()
    }

    /// What was searched, for people.
    pub fn title(&self) -> String {
        self.checkout.title()
    }

    /// Whether the answer is the edited text.
    pub fn is_filter(&self) -> bool {
        self.filter
    }

    /// The files that change, as diffs.
    pub fn diff(&self, plain: bool) -> String {
        self.edits.iter().map(|edit| ui::file_diff(&edit.name, &edit.before, &edit.after, plain)).collect()
    }

    /// What must hold of the work tree before anything is written.
    async fn look_at_git(&mut self, write: &cli::Write, planned: &Plans, deadline: Instant) -> Result<()> {
        if write.allow_dirty && !write.commit {
            return Ok(());
        }
        if write.commit && self.edits.is_empty() {
            // What is as wanted may stand there without a commit, and none would be made now.
            for path in planned.iter().flat_map(|(service, _)| &service.objects).flat_map(|one| self.checkout.paths(one)) {
                let Some(git) = Git::of(path, deadline).await? else { continue };
                if let Some((_, why)) = git.uncommitted(path).await? {
                    return Err(Error::usage(format!("the weights are as wanted, but {} {why}", files::near(path)))
                        .hint("commit it with `git commit`"));
                }
            }
        }
        for edit in &self.edits {
            let Some(path) = &edit.path else { continue };
            let git = Git::of(path, deadline).await.map_err(|error| match write.commit {
                true => error,
                false => error.hint(format!("with `--allow-dirty` it need not be known whether {} is committed", edit.name)),
            })?;
            let Some(git) = git else {
                if write.commit {
                    return Err(Error::usage(format!("{} is in no Git work tree: there is nothing to commit to", edit.name)));
                }
                continue;
            };
            git.clean(edit, write.allow_dirty, write.commit).await?;
            self.clean = !write.allow_dirty;
            if write.commit {
                if self.commit.as_ref().is_some_and(|other| !other.is(&git)) {
                    return Err(Error::usage(format!("{} is in another Git work tree than the files before it", edit.name))
                        .hint("leave out `--commit`, and commit in each"));
                }
                self.commit = Some(git);
            }
        }
        Ok(())
    }

    /// Writes the files and makes the commit. What could not be done is undone.
    pub async fn carry_out(&mut self, context: &Context, planned: &mut [Planned], intent: &Intent, author: &Author) {
        let mut written = files::write(&self.edits);
        let done = written.iter().all(|one| matches!(one, Written::Done)) && !written.is_empty();
        if let (Some(git), true) = (&self.commit, done) {
            context.journal.edited(self.names());
            let (verb, message) = message::of(planned, intent, author);
            match git.commit(&self.edits, &verb, &message).await {
                Ok(commit) => self.made = Some(format!("committed {commit}: {}\n", message.lines().next().unwrap_or_default())),
                Err(error) => {
                    let back = files::put_back(&self.edits);
                    let stuck = self.edits.iter().zip(&back).filter(|(_, one)| !matches!(one, Written::Undone));
                    let stuck: Vec<&str> = stuck.map(|(edit, _)| edit.name.as_str()).collect();
                    let stands = match (stuck.is_empty(), self.edits.len()) {
                        (true, 1) => format!("{} is as before", self.edits[0].name),
                        (true, _) => format!("{} are as before", self.names().join(", ")),
                        (false, _) => format!("{} could not be put back", stuck.join(", ")),
                    };
                    let message = format!("{}; {stands}", error.message);
                    // A hook that changes a file, and then refuses it, leaves the new weights in it.
                    let told = |back: Written| match back {
                        Written::Stuck(why) => Written::Stuck(
                            Error { message: message.clone(), kind: Kind::RollbackFailed, ..error.clone() }
                                .caused_by(why.message)
                                .hint("`git diff` shows what stands"),
                        ),
                        _ => Written::Refused(Error { message: message.clone(), ..error.clone() }),
                    };
                    written = back.into_iter().map(told).collect();
                }
            }
            context.journal.edited(Vec::new());
        }
        for one in planned {
            let Planned { service, changes, outcomes } = one;
            *outcomes = changes.iter().map(|change| self.outcome(service, change, &written)).collect();
        }
    }

    fn outcome(&self, service: &Service, change: &Change, written: &[Written]) -> Outcome {
        let origin = service.objects[change.object].origin.as_deref().filter(|_| change.patch.is_some());
        let Some(origin) = origin else { return Outcome::Unchanged };
        let own = self.edits.iter().zip(written).filter(|(edit, _)| edit.moves.contains(&origin.place)).map(|(_, one)| one);
        let mut outcome = Outcome::Unchanged;
        for one in own {
            outcome = match (one, outcome) {
                (_, told @ (Outcome::Refused(_) | Outcome::Stuck(_))) => told,
                (Written::Refused(error), _) => Outcome::Refused(error.clone()),
                (Written::Stuck(error), _) => Outcome::Stuck(error.clone()),
                (Written::Done, _) => Outcome::Changed(Vec::new()),
                (Written::Undone, _) => Outcome::Undone,
                (Written::Left, Outcome::Undone) => Outcome::Undone,
                (Written::Left, _) => Outcome::Left,
            };
        }
        outcome
    }

    /// The edited text, where standard input was edited.
    pub fn text(&self) -> Option<&str> {
        self.filter.then(|| self.edits.first().map_or_else(|| self.checkout.first(), |edit| edit.after.as_str()))
    }

    /// What there is to say of the commit that was made.
    pub fn made(&self) -> Option<&str> {
        self.made.as_deref()
    }

    /// The command that takes the change back, where nothing but the change would be lost.
    pub fn way_back(&self) -> Option<String> {
        let quoted = |edit: &Edit| Some(crate::core::shell::quoted(&files::near(edit.path.as_ref()?)).into_owned());
        let names: Vec<String> = self.edits.iter().filter_map(quoted).collect();
        let wanted = self.clean && self.commit.is_none() && !names.is_empty();
        wanted.then(|| format!("`git diff` shows it; `git restore {}` takes it back", names.join(" ")))
    }
}
