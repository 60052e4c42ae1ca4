//! `evaluate`: may this version have the traffic?

mod judge;
mod question;
mod report;
mod sides;
mod source;

use super::Context;
use crate::cli::{Evaluate, Inconclusive, Judge};
use crate::cluster::Cluster;
use crate::core::gate::evaluation::{Evidence, Previous};
use crate::core::gate::lint::{Options, Severity};
use crate::core::gate::placeholders::Context as Placeholders;
use crate::core::gate::recognise::Kind;
use crate::core::gate::require::Sampled;
use crate::core::gate::sli::Sli;
use crate::core::gate::values::Pair;
use crate::core::gate::{self, Gate, values};
use crate::error::{Error, Result};
use crate::metrics::Access;
use crate::settings::Settings;
use question::{Question, Sources, Span};
use report::conclude;
use sides::Sides;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The window where none is given, as keptn's.
const TIMEFRAME: Duration = Duration::from_secs(300);

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
    let question = question(context, &arguments, &settings)?;
    if arguments.show_queries {
        return show(context, &question, &settings).await;
    }
    if let Some(given) = given {
        if matches!(question.gate, Gate::Require(_)) {
            return Err(Error::usage("--require is measured; --values goes with --gate or --judge"));
        }
        let mut answers = given.answers;
        if matches!(question.gate, Gate::Kayenta(_)) {
            if let Some(answer) = answers.first() {
                return Err(Error::usage(format!(
                    "`{}` has no values of both sides, which a canary configuration compares",
                    answer.id
                ))
                .hint("they are `{\"metric\": {\"control\": […], \"experiment\": […]}}`"));
            }
            answers = given.pairs.iter().map(Pair::answer).collect();
        } else if let Some(pair) = given.pairs.first() {
            return Err(Error::usage(format!("`{}` has values of both sides, and a gate file grades one", pair.metric))
                .hint("`--judge kayenta` compares them"));
        }
        let evidence =
            Evidence { window: question.window().ok(), answers, previous: question.previous, arguments: question.arguments };
        return conclude(context, &arguments, &question.gate.grade(evidence));
    }
    let deadline = Instant::now() + settings.timeout;
    let patient = arguments.on_inconclusive == Inconclusive::Wait;
    let result = question.ask(context, &settings, deadline, patient).await?;
    conclude(context, &arguments, &result)
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
        previous: previous(arguments, &gate)?,
        gate,
        sli,
        placeholders,
        arguments: arguments.arg.iter().map(label).collect::<Result<_>>()?,
        service: arguments.service.clone(),
        candidate: arguments.candidate.clone(),
        stable: arguments.stable.clone(),
        span,
        sources: Sources { prometheus: arguments.prometheus.clone(), access: access(arguments, settings)? },
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

/// The earlier evaluations that the gate compares with.
fn previous(arguments: &Evaluate, gate: &Gate) -> Result<Vec<Previous>> {
    let Some(file) = &arguments.compare_with else { return Ok(Vec::new()) };
    let history = values::previous(&title(file), &text_of(file)?)?;
    Ok(match gate {
        Gate::Slo(slo) => slo.comparison.choose(history),
        _ => history,
    })
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

/// What the URL of Prometheus needs beside it.
fn access(arguments: &Evaluate, settings: &Settings) -> Result<Access> {
    let header = |text: &String| pair(text, ':', "NAME: VALUE");
    Ok(Access {
        token: arguments.prometheus_token_file.as_deref().map(text_of).transpose()?,
        headers: arguments.prometheus_header.iter().map(header).collect::<Result<_>>()?,
        certificate_authority: arguments.prometheus_ca.clone(),
        timeout: settings.connection.request_timeout,
    })
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
