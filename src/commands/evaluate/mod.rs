//! `evaluate`: may this version have the traffic?

mod history;
mod judge;
mod question;
mod replay;
mod report;
mod sides;
mod source;

use super::Context;
use crate::cli::{Evaluate, Inconclusive, Judge};
use crate::cluster::Cluster;
use crate::core::gate::evaluation::{Evaluation, Evidence};
use crate::core::gate::placeholders::Context as Placeholders;
use crate::core::gate::require::Sampled;
use crate::core::gate::sli::Sli;
use crate::core::gate::values::{self, Values};
use crate::core::gate::{self, Gate};
use crate::error::{Error, Result};
use crate::metrics::Access;
use crate::settings::Settings;
use history::History;
use question::{Question, Sources, Span};
use report::conclude;
use sides::Sides;
use std::io::Read as _;
use std::path::Path;
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
            let deadline = Instant::now() + settings.timeout;
            let patient = arguments.on_inconclusive == Inconclusive::Wait;
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
    if let Some(pair) = given.pairs.first() {
        return Err(Error::usage(format!("`{}` has values of both sides, and a gate file grades one", pair.metric))
            .hint("`--judge kayenta` compares them"));
    }
    let evidence = Evidence { window: question.window().ok(), answers: given.answers, previous: question.previous };
    Ok(question.gate.grade(evidence))
}

/// What the arguments ask for.
fn question(context: &Context, arguments: &Evaluate, settings: &Settings) -> Result<Question> {
    let gate = read(context, arguments)?;
    let sli = match &arguments.sli {
        Some(file) => Some(Sli::parse(&title(file), &text_of(file)?)?),
        None => None,
    };
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
        service: arguments.service.clone(),
        candidate: arguments.candidate.clone(),
        stable: arguments.stable.clone(),
        metrics: arguments.metrics,
        span,
        sources: Sources { prometheus: arguments.prometheus.clone(), access: access(arguments, settings)? },
    })
}

/// Reads the gate; what is doubtful in its file is a warning.
fn read(context: &Context, arguments: &Evaluate) -> Result<Gate> {
    let Some(file) = &arguments.gate else {
        let gate = Gate::require(arguments.require.iter().map(String::as_str));
        return gate.map_err(|error| error.hint("`tidegate help evaluate` has examples"));
    };
    let text = text_of(file)?;
    let name = title(file);
    let gate = Gate::parse(&name, &text)?;
    Gate::lint(&text).iter().for_each(|finding| context.ui.say(&format!("{}\n", finding.render(&name, &text))));
    Ok(gate)
}

/// What errors call a file.
fn title(file: &Path) -> String {
    if file == Path::new("-") { "standard input".into() } else { file.display().to_string() }
}

fn text_of(file: &Path) -> Result<String> {
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
