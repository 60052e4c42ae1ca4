//! `evaluate`: may this version have the traffic?

pub mod given;
mod history;
mod judge;
pub(super) mod question;
mod replay;
pub(super) mod report;
mod sides;
mod source;

use super::Context;
use crate::cli::{Evaluate, Inconclusive, Judge};
use crate::cluster::Cluster;
use crate::core::gate::evaluation::{Evaluation, Evidence};
use crate::core::gate::placeholders::Context as Placeholders;
use crate::core::gate::recognise::Kind;
use crate::core::gate::require::Sampled;
use crate::core::gate::sli::Sli;
use crate::core::gate::values::{self, Pair, Values};
use crate::core::gate::{self, Gate};
use crate::core::lint::{Options, Severity};
use crate::error::{Error, Result};
use crate::settings::Settings;
pub use given::sources;
use history::History;
pub use question::Sources;
use question::{Question, Span};
use report::conclude;
use sides::Sides;
pub use source::{DYNATRACE_SECRET, PROMETHEUS_SECRET, knows_prometheus, reachable};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The window where none is given, as keptn's.
const TIMEFRAME: Duration = Duration::from_secs(300);

/// How long one try waits for its answers at most, where nothing limits a request.
const ONCE: Duration = Duration::from_secs(600);

/// Answers from evidence, from values or from a source.
pub async fn run(context: &Context, arguments: Evaluate) -> Result<()> {
    if let Some(file) = &arguments.from_evidence {
        return conclude(context, &arguments, &gate::regrade(&title(file), &text_of(file)?)?);
    }
    let given = match &arguments.values {
        Some(file) => Some(values::values(&title(file), &text_of(file)?)?),
        None => None,
    };
    if let (Some(Judge::Kayenta), Some(given)) = (arguments.judge, &given) {
        return judge::run(context, &arguments, given.pairs.clone());
    }
    let settings = Settings::resolve(&context.global.connection, arguments.timeout)?;
    let mut question = question(context, &arguments, &settings)?;
    if arguments.show_queries {
        return show(context, &question, &settings).await;
    }
    if let Some(length) = arguments.replay {
        return replay::run(context, &arguments, &question, &settings, length).await;
    }
    let history = History::of(
        arguments.compare_with.as_deref(),
        &[&arguments.project, &arguments.stage, &arguments.service].map(Option::as_ref),
    )?;
    let cluster = match &history {
        History::Cluster { .. } => Some(Cluster::connect(&settings.connection).await?),
        _ => None,
    };
    question.previous = history.read(cluster.as_ref()).await?;
    if let Gate::Slo(slo) = &question.gate {
        question.previous = slo.comparison.choose(std::mem::take(&mut question.previous));
    }
    let result = match given {
        Some(given) => graded(question, given)?,
        None => {
            // What is tried once still waits for its answers.
            let once = settings.timeout.is_zero();
            let limit = if once { settings.connection.request_timeout.min(ONCE) } else { settings.timeout };
            let deadline = Instant::now() + limit;
            let patient = arguments.on_inconclusive == Inconclusive::Wait && !once;
            question.ask(context, &settings, deadline, patient).await?
        }
    };
    if let Err(error) = history.keep(cluster.as_ref(), &result).await {
        // The verdict stands all the same.
        context.ui.say(&format!("warning: this evaluation is not kept for later ones: {}\n", error.message));
    }
    conclude(context, &arguments, &result)
}

/// Grades values that somebody else measured.
fn graded(question: Question, given: Values) -> Result<Evaluation> {
    if matches!(question.gate, Gate::Require(_)) {
        return Err(Error::usage("--require is measured; --values goes with --gate or --judge"));
    }
    let mut answers = given.answers;
    match (&question.gate, answers.first(), given.pairs.first()) {
        (Gate::Kayenta(_), Some(answer), _) => {
            let message = format!("`{}` has no values of both sides, which a canary configuration compares", answer.id);
            return Err(Error::usage(message).hint("they are `{\"metric\": {\"control\": […], \"experiment\": […]}}`"));
        }
        (Gate::Kayenta(_), None, _) => answers = given.pairs.iter().map(Pair::answer).collect(),
        (_, _, Some(pair)) => {
            return Err(Error::usage(format!("`{}` has values of both sides, and this gate file grades one", pair.metric))
                .hint("`--judge kayenta` compares them"));
        }
        (_, _, None) => {}
    }
    let (window, previous) = (question.window().ok(), question.previous);
    let evidence = Evidence { window, answers, previous, arguments: question.arguments };
    Ok(question.gate.grade(evidence))
}

/// What the arguments ask for.
fn question(context: &Context, arguments: &Evaluate, settings: &Settings) -> Result<Question> {
    let (gate, sli) = read(context, arguments)?;
    let label = |text: &String| pair(text, '=', "K=V");
    let placeholders = Placeholders {
        project: arguments.project.clone(),
        stage: arguments.stage.clone(),
        service: arguments.service.clone(),
        labels: arguments.label.iter().map(label).collect::<Result<_>>()?,
        ..Placeholders::default()
    };
    let time = |text: &String| match text.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(time.as_second()),
        Err(_) => Err(Error::usage(format!("`{}` is not a time: write 2026-01-31T12:00:00Z", text.escape_debug()))),
    };
    let span = Span {
        length: arguments.timeframe.unwrap_or(TIMEFRAME),
        start: arguments.start.as_ref().map(time).transpose()?,
        end: arguments.end.as_ref().map(time).transpose()?,
    };
    Ok(Question {
        previous: Vec::new(),
        gate,
        sli,
        placeholders,
        arguments: arguments.arg.iter().map(label).collect::<Result<_>>()?,
        service: arguments.service.clone(),
        candidate: arguments.candidate.clone(),
        stable: arguments.stable.clone(),
        metrics: arguments.metrics,
        span,
        sources: sources(&arguments.sources, settings)?,
    })
}

/// Reads the gate; what is doubtful in its file is a warning.
fn read(context: &Context, arguments: &Evaluate) -> Result<(Gate, Option<Sli>)> {
    let Some(file) = &arguments.gate else {
        let gate = Gate::require(arguments.require.iter().map(String::as_str));
        return Ok((gate.map_err(|error| error.hint("`tidegate help evaluate` has examples"))?, None));
    };
    let read = |file: &PathBuf| -> Result<_> { Ok((title(file), text_of(file)?)) };
    let (name, text) = read(file)?;
    let queries = arguments.sli.as_ref().map(read).transpose()?;
    let queries = queries.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
    let read = Gate::read((&name, &text), queries)?;
    let findings = Kind::likely(&text).lint(&text, queries.map(|(_, text)| text), Options::default());
    // Notes are told with the answer.
    findings
        .iter()
        .filter(|finding| finding.is(Severity::Warning))
        .for_each(|finding| context.ui.say(&format!("{}\n", finding.render(&name, &text))));
    Ok(read)
}

/// What errors call a file.
pub(super) fn title(file: &Path) -> String {
    if file == Path::new("-") { "standard input".into() } else { file.display().to_string() }
}

pub(super) fn text_of(file: &Path) -> Result<String> {
    let cannot = |error: std::io::Error| Error::usage(format!("cannot read {}", file.display())).caused_by(error.to_string());
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(cannot)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(cannot)
}

/// Two texts on both sides of a sign.
fn pair(text: &str, sign: char, form: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once(sign).ok_or_else(|| Error::usage(format!("`{}` is not {form}", text.escape_debug())))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[allow(clippy::cast_precision_loss)] // seconds since the epoch fit a double
fn seconds(time: i64) -> f64 {
    time as f64
}

fn body(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|_| "the answer is no JSON".into())
}

/// Prints what would be asked.
async fn show(context: &Context, question: &Question, settings: &Settings) -> Result<()> {
    let queries = match &question.gate {
        Gate::Require(terms) => {
            let sides = Sides::of(&Cluster::connect(&settings.connection).await?, question).await?;
            let mut queries = Vec::new();
            for term in terms {
                for side in [Some(&sides.candidate), sides.stable.as_ref().filter(|_| term.compares())].into_iter().flatten() {
                    queries.push((term.text.clone(), Sampled::query(term, side)));
                }
            }
            queries
        }
        _ => question.queries(question.window()?)?.into_iter().map(|(id, query)| (id, query.line())).collect(),
    };
    queries.iter().for_each(|(id, query)| context.ui.answer(&format!("{id}\t{query}\n")));
    Ok(())
}
