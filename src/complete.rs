//! Shell completion: flags and commands from the command line's definition, names from the cluster.
//!
//! The cluster gets one second, and silence is the answer to every failure: a completion must not disturb a prompt.

use crate::cli::{Deferred, History, Promote, Rollback, Shift, Status};
use crate::cluster::{Cluster, Options};
use crate::core::host::ServiceRef;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::CompleteEnv;
use std::ffi::OsString;
use std::time::Duration;

/// The variable through which a shell asks.
const VARIABLE: &str = "TIDEGATE_COMPLETE";

/// How long the cluster may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers and ends the process if a shell asks; must come first in `main`, before any thread.
pub fn answer_shell() {
    CompleteEnv::with_factory(|| command(&typed())).var(VARIABLE).complete();
}

/// The candidates for the last of `words` (without the program's name), one a line as kubectl wants them from
/// `kubectl_complete-tidegate`: value, tab, description; then a directive: no file names.
pub fn for_kubectl(words: Vec<OsString>) -> String {
    let mut line = vec![OsString::from("tidegate")];
    line.extend(words);
    let last = line.len() - 1;
    let candidates = clap_complete::engine::complete(&mut command(&line), line, last, None).unwrap_or_default();
    let mut text = String::new();
    for candidate in candidates {
        let help = candidate.get_help().map(|help| format!("\t{help}")).unwrap_or_default();
        text += &format!("{}{help}\n", candidate.get_value().to_string_lossy());
    }
    text + ":4\n"
}

/// The command line, with the names that only the cluster knows. Commands that are not among the words typed
/// have no flags, and where none is named nothing is handed down to them: the engine takes all that there is apart before
/// it answers.
fn command(words: &[OsString]) -> clap::Command {
    let named = |name: &str| words.iter().any(|word| word == name);
    let mut command = crate::command();
    if command.get_subcommands().all(|sub| !named(sub.get_name())) {
        command = command.mut_args(|flag| flag.global(false));
    }
    command = command.mut_subcommands(|sub| match sub.get_name() {
        name if !named(name) => sub.defer(|sub| sub),
        "shift" => sub.defer(|sub| with_services(Deferred::<Shift>::augmented(sub))),
        "promote" => sub.defer(|sub| with_destinations(with_services(Deferred::<Promote>::augmented(sub)))),
        "rollback" => sub.defer(|sub| with_destinations(with_services(Deferred::<Rollback>::augmented(sub)))),
        "status" => sub.defer(|sub| with_services(Deferred::<Status>::augmented(sub))),
        "history" => sub.defer(|sub| {
            let services = ArgValueCandidates::new(services);
            Deferred::<History>::augmented(sub).mut_arg("service", |arg| arg.add(services))
        }),
        "help" => sub.mut_arg("topic", |arg| arg.add(ArgValueCandidates::new(topics))),
        _ => sub,
    });
    command
        .mut_arg("namespace", |arg| arg.add(ArgValueCandidates::new(namespaces)))
        .mut_arg("context", |arg| arg.add(ArgValueCandidates::new(contexts)))
}

fn with_services(command: clap::Command) -> clap::Command {
    command.mut_arg("services", |arg| arg.add(ArgValueCandidates::new(services)))
}

fn with_destinations(command: clap::Command) -> clap::Command {
    command.mut_arg("to", |arg| arg.add(ArgValueCandidates::new(destinations)))
}

fn services() -> Vec<CompletionCandidate> {
    let found = ask(|cluster| async move { cluster.objects(Some(&cluster.namespace), None).await });
    let mut candidates = Vec::new();
    for object in found.unwrap_or_default() {
        let split = object.routes.iter().find(|route| route.destinations().len() > 1);
        let told = split.map(|route| crate::ui::weights_of(&route.weights()));
        candidates.push(CompletionCandidate::new(object.name).help(told.map(Into::into)));
    }
    candidates
}

fn destinations() -> Vec<CompletionCandidate> {
    let words = typed();
    let wanted = words.iter().filter_map(|word| word.to_str()).filter(|word| !word.starts_with('-')).nth(1);
    let Some(wanted) = wanted.and_then(|word| word.parse::<ServiceRef>().ok()) else { return Vec::new() };
    let found = ask(|cluster| async move { cluster.find(&wanted, false).await });
    let mut labels: Vec<String> = Vec::new();
    for service in found.map(|found| found.services).unwrap_or_default() {
        for (label, _) in service.routes().flat_map(|chosen| chosen.route.weights()) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    labels.into_iter().map(CompletionCandidate::new).collect()
}

fn namespaces() -> Vec<CompletionCandidate> {
    let names = ask(|cluster| async move { cluster.namespaces().await });
    names.unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

fn contexts() -> Vec<CompletionCandidate> {
    crate::cluster::contexts(&options()).into_iter().map(CompletionCandidate::new).collect()
}

fn topics() -> Vec<CompletionCandidate> {
    let commands = crate::command();
    let commands =
        commands.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| command.get_name().to_owned());
    let topics = crate::cli::TOPICS.iter().map(|topic| topic.name.to_owned());
    commands.chain(topics).map(CompletionCandidate::new).collect()
}

/// Asks the cluster that the words typed so far mean.
fn ask<T, F: Future<Output = crate::error::Result<T>>>(question: impl FnOnce(Cluster) -> F) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let asked = async { question(Cluster::connect(&options()).await?).await };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await }).ok()?.ok()
}

/// The connection flags among the words typed so far: a candidate must come from the namespace that is meant.
fn options() -> Options {
    let words = typed();
    let mut line = vec![OsString::from("tidegate")];
    line.extend(words);
    let parsed = crate::command().ignore_errors(true).try_get_matches_from(line).ok();
    let inner = parsed.as_ref().and_then(|matches| matches.subcommand()).map(|(_, inner)| inner);
    let value = |name: &str| {
        let of = |matches: &clap::ArgMatches| matches.try_get_one::<String>(name).ok().flatten().cloned();
        inner.and_then(of).or_else(|| parsed.as_ref().and_then(of))
    };
    let file = |matches: &clap::ArgMatches| matches.try_get_one::<std::path::PathBuf>("kubeconfig").ok().flatten().cloned();
    Options {
        namespace: value("namespace"),
        context: value("context"),
        cluster: value("cluster"),
        user: value("user"),
        kubeconfig: inner.and_then(file).or_else(|| parsed.as_ref().and_then(file)),
        request_timeout: PATIENCE,
        field_manager: "tidegate".into(),
        ..Options::default()
    }
}

/// The words behind `--` and the program's name, as the shell passes the command line (see `CompleteEnv`).
fn typed() -> Vec<OsString> {
    let mut words = std::env::args_os().skip_while(|word| word != "--").skip(1).peekable();
    if words.peek().is_some_and(|word| std::path::Path::new(word).file_name().is_some_and(|name| name == "tidegate")) {
        words.next();
    }
    words.collect()
}
