//! One file a command: arguments in, report out.

mod change;
mod configure;
mod delivery;
#[cfg(feature = "sandbox")]
mod demo;
mod evaluate;
mod help;
mod history;
mod lint;
mod manifests;
mod report;
#[cfg(feature = "sandbox")]
mod sandbox;
mod status;
mod store;
mod version;

use crate::cli::{Cli, Color, Command, Global, Shell, Trigger};
use crate::cluster::Cluster;
use crate::core::host::ServiceRef;
use crate::core::shell;
use crate::error::{Error, Kind, Result};
use crate::exec::{Journal, State};
use crate::settings::Settings;
use crate::ui::Ui;
use anstream::ColorChoice;
use std::cell::Cell;
use std::process::ExitCode;
use std::time::Duration;

/// What every command has.
struct Context {
    ui: Ui,
    global: Global,
    journal: Journal,
    /// The exit code of a command that ran another one.
    exit: Cell<Option<u8>>,
}

impl Context {
    /// Resolves the settings and connects.
    async fn connect(&self, timeout: Option<Duration>) -> Result<(Settings, Cluster)> {
        let settings = Settings::resolve(&self.global.connection, timeout)?;
        let cluster = Cluster::connect(&settings.connection).await?;
        Ok((settings, cluster))
    }

    /// The flags that say where, as the user gave them: printed commands must mean the same place.
    fn place_flags(&self) -> String {
        self.namespace_flag() + &self.cluster_flags()
    }

    /// The namespace among them.
    fn namespace_flag(&self) -> String {
        let namespace = self.global.connection.namespace.as_ref().map(|namespace| format!(" -n {}", shell::quoted(namespace)));
        namespace.unwrap_or_default()
    }

    /// Those of them that kubectl has under the same names, and that say which cluster.
    fn cluster_flags(&self) -> String {
        let connection = &self.global.connection;
        let file = connection.kubeconfig.as_ref().map(|path| path.to_string_lossy().into_owned());
        let flags = [
            ("--context", &connection.context),
            ("--kubeconfig", &file),
            ("--cluster", &connection.cluster),
            ("--user", &connection.user),
            ("--server", &connection.server),
            ("--as", &connection.impersonate),
        ];
        flags.iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", shell::quoted(value.as_deref()?)))).collect()
    }
}

/// Runs a command to its exit code.
pub fn run(cli: Cli) -> ExitCode {
    let color = match cli.global.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    let ui = Ui::new(color, cli.global.quiet, !cli.global.no_input);
    let context = Context { ui, global: cli.global, journal: Journal::default(), exit: Cell::new(None) };
    let writes = matches!(cli.command, Command::Shift(_) | Command::Promote(_) | Command::Rollback(_));
    let mut result = match cli.command {
        Command::Completion { shell } => {
            context.ui.answer(script(shell));
            Ok(())
        }
        Command::Complete { words } => {
            context.ui.answer(&crate::complete::for_kubectl(words));
            Ok(())
        }
        Command::Help { topic } => help::run(&context.ui, &topic),
        Command::Lint(arguments) => lint::run(&context, &arguments.0),
        Command::Version { client: true, output } => version::client(&context.ui, output),
        command => asynchronous(&context, command, writes),
    };
    if let Err(error) = &mut result {
        if !writes {
            error.message.truncate(error.message.trim_end_matches("; nothing was written").len());
        }
        // What was ended by hand and only read has nothing to explain.
        if error.kind == Kind::Interrupted && context.ui.err_is_terminal {
            // Not behind the terminal's own `^C`.
            context.ui.say("\n");
        }
        if !error.message.is_empty() {
            context.ui.error(error);
        }
        return ExitCode::from(error.kind.code());
    }
    if context.ui.lost_output() {
        let mut lost = Error::failed("the answer could not be written");
        if writes {
            lost = standing(&context, lost);
        }
        context.ui.error(&lost);
        return ExitCode::from(context.exit.get().unwrap_or(lost.kind.code()));
    }
    ExitCode::from(context.exit.get().unwrap_or(crate::exit::OK))
}

fn asynchronous(context: &Context, command: Command, writes: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed("the program cannot start").caused_by(error.to_string()))?;
    let listens = listens_itself(&command);
    let makes = matches!(
        command,
        Command::Create(_) | Command::Delete(_) | Command::Onboard(_) | Command::AddResource(_) | Command::Configure(_)
    );
    let result = runtime.block_on(async {
        if listens {
            return dispatch(context, command).await;
        }
        let ended = interrupt();
        tokio::select! {
            biased;
            result = dispatch(context, command) => result,
            () = ended => Err(match makes {
                true => Error::new(Kind::Interrupted, "interrupted; what was done stays, and the same command goes on"),
                false => interrupted(context, writes),
            }),
        }
    });
    // A question that nobody answered keeps a thread; the process does not wait for it.
    runtime.shutdown_background();
    result
}

async fn dispatch(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Shift(arguments) => change::shift(context, arguments.0).await,
        Command::Promote(arguments) => change::promote(context, arguments.0).await,
        Command::Rollback(arguments) => change::rollback(context, arguments.0).await,
        Command::Status(arguments) => status::run(context, arguments.0).await,
        Command::History(arguments) => history::run(context, arguments.0).await,
        Command::Evaluate(arguments) => evaluate::run(context, arguments.0).await,
        Command::Send(nested) => delivery::send(context, nested.0.command).await,
        Command::Trigger(nested) => match nested.0.command {
            Trigger::Delivery(arguments) => delivery::send::new_artifact(context, arguments.0).await,
        },
        Command::Approve(arguments) => delivery::control::approve(context, arguments.0).await,
        Command::Resume(arguments) => delivery::control::resume(context, arguments.0).await,
        Command::Abort(arguments) => delivery::control::abort(context, arguments.0).await,
        Command::Create(nested) => delivery::create(context, nested.0.command).await,
        Command::Delete(nested) => delivery::delete(context, nested.0.command).await,
        Command::Get(nested) => delivery::get(context, nested.0.command).await,
        Command::Onboard(nested) => delivery::onboard(context, nested.0.command).await,
        Command::AddResource(arguments) => delivery::add_resource(context, arguments.0).await,
        Command::Configure(nested) => configure::run(context, nested.0.command).await,
        Command::Version { output, .. } => version::with_server(context, output).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(nested) => sandbox::run(context, nested.0.command).await,
        #[cfg(feature = "sandbox")]
        Command::Demo { story } => demo::run(context, story).await,
        // These need no runtime and were answered before.
        Command::Completion { .. } | Command::Complete { .. } | Command::Help { .. } | Command::Lint(_) => Ok(()),
    }
}

/// Ends when the user presses Ctrl-C, the terminal goes away, or the process is asked to end. Listens from now on: until
/// then any of these ends the process without a word.
fn interrupt() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let mut signals = {
        use tokio::signal::unix::{SignalKind, signal};
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal)
    };
    async move {
        #[cfg(unix)]
        if let [Ok(pressed), Ok(asked), Ok(gone)] = &mut signals {
            tokio::select! {
                _ = pressed.recv() => {}
                _ = asked.recv() => {}
                _ = gone.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Whether a command does something of its own when it is interrupted.
fn listens_itself(command: &Command) -> bool {
    match command {
        #[cfg(feature = "sandbox")]
        Command::Sandbox(_) => true,
        // A run says what stands of it.
        Command::Send(_) | Command::Trigger(_) | Command::Approve(_) | Command::Resume(_) => true,
        _ => false,
    }
}

/// What stands, and the commands that look or undo; of a command that only reads there is nothing to say.
fn interrupted(context: &Context, writes: bool) -> Error {
    match writes {
        true => standing(context, Error::new(Kind::Interrupted, "interrupted")),
        false => Error::new(Kind::Interrupted, ""),
    }
}

/// Adds to `error` what was written until it happened.
fn standing(context: &Context, mut error: Error) -> Error {
    let touched = context.journal.touched();
    let edited = context.journal.files();
    if !edited.is_empty() {
        error.message += &format!(" while git was to commit {}", edited.join(", "));
        return error.hint("`git status` and `git log` say what came of it");
    }
    if touched.is_empty() {
        error.message += "; nothing was written";
        return error;
    }
    for (name, state) in &touched {
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let told = match state {
            State::Written => "was changed",
            _ => "may have been changed: the patch was sent and its answer not seen",
        };
        error.message += &format!("; {name} {told}");
        let place = format!("vs/{name} -n {namespace}{}", context.cluster_flags());
        error = error.hint(format!("look: `tidegate status {place}`; undo: `tidegate rollback {place}`"));
    }
    error
}

/// The services named, each once.
fn services(names: &[String]) -> Result<Vec<ServiceRef>> {
    let mut services: Vec<ServiceRef> = Vec::new();
    for name in names {
        let service: ServiceRef = name.parse()?;
        if !services.contains(&service) {
            services.push(service);
        }
    }
    Ok(services)
}

fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("../../completions/tidegate.bash"),
        Shell::Elvish => include_str!("../../completions/tidegate.elv"),
        Shell::Fish => include_str!("../../completions/tidegate.fish"),
        Shell::Powershell => include_str!("../../completions/tidegate.ps1"),
        Shell::Zsh => include_str!("../../completions/_tidegate"),
    }
}
