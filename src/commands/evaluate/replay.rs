//! `evaluate --replay 14d --step 10m`: the gate over past windows.

use super::question::Question;
use super::source::Source;
use crate::cli::{Evaluate, Report};
use crate::commands::Context;
use crate::core::gate::Gate;
use crate::core::gate::evaluation::{Evidence, Previous, Window};
use crate::core::gate::replay::replay;
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::ui::{self, data};
use futures_util::StreamExt as _;
use std::time::{Duration, Instant};

/// From one window to the next, where nothing else is said.
const STEP: Duration = Duration::from_secs(600);

/// More windows than this are a mistake, or too much for any server.
const MOST: i64 = 5_000;

/// So many windows are asked for at once, each with some queries of its own.
const CONCURRENCY: usize = 4;

/// A replay is long work: it has more time than one evaluation.
const TIMEOUT: Duration = Duration::from_secs(1_800);

/// Grades each past window of `length` and prints what the gate would have said.
pub async fn run(
    context: &Context,
    arguments: &Evaluate,
    question: &Question,
    settings: &Settings,
    length: Duration,
) -> Result<()> {
    let wide = match arguments.output {
        Report::Table => false,
        Report::Wide => true,
        Report::Json | Report::Yaml => false,
        _ => return Err(Error::usage("--replay prints -o table, wide, json or yaml")),
    };
    let source = Source::find(context, question, settings).await?;
    let windows = windows(question, source.clock().await?, length, arguments.step.unwrap_or(STEP))?;
    context.ui.say(&format!("grading {} windows\n", windows.len()));
    let source = &source;
    let deadline = Instant::now() + arguments.timeout.filter(|limit| !limit.is_zero()).unwrap_or(TIMEOUT);
    let ask = async |window: Window| source.at(context, question, window, deadline).await.map(|answers| (window, answers));
    let mut answers = futures_util::stream::iter(windows.iter().map(|window| ask(*window))).buffered(CONCURRENCY);
    let mut evaluations = Vec::with_capacity(windows.len());
    let mut history: Vec<Previous> = Vec::new();
    while let Some(next) = answers.next().await {
        let (window, answers) = next?;
        let previous = match &question.gate {
            Gate::Slo(slo) => slo.comparison.choose(history.clone()),
            _ => history.first().cloned().into_iter().collect(),
        };
        let evaluation =
            question.gate.grade(Evidence { window: Some(window), answers, previous, arguments: question.arguments.clone() });
        history.insert(0, Previous::of(window.end.to_string(), &evaluation));
        // No gate compares with more.
        history.truncate(100);
        evaluations.push(evaluation);
    }
    let result = replay(&evaluations);
    context.ui.answer(&match arguments.output {
        Report::Json => data(&result, false),
        Report::Yaml => data(&result, true),
        _ => ui::replay(&result, wide),
    });
    Ok(())
}

/// The windows, oldest first; the newest ends now.
fn windows(question: &Question, now: i64, length: Duration, step: Duration) -> Result<Vec<Window>> {
    let whole = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    let (length, step) = (whole(length), whole(step));
    let window = whole(question.span.length);
    if step < 1 || length < step {
        return Err(Error::usage("--replay is a span of at least one --step, and --step at least a second"));
    }
    if length / step > MOST {
        return Err(Error::usage(format!("{} windows are too many: at most {MOST}", length / step))
            .hint("take a longer --step or a shorter --replay"));
    }
    let mut windows = Vec::new();
    for back in (0..length / step).rev() {
        let end = now - back * step;
        windows.push(Window::new(end - window, end)?);
    }
    Ok(windows)
}
