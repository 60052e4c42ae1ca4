//! `evaluate --judge kayenta`: the values of both sides, compared as Kayenta does.

use crate::cli::{Evaluate, FailOn, Report};
use crate::commands::Context;
use crate::core::gate::values::Pair;
use crate::core::judge::kayenta::{self, Analysis, Metric, ScoreClassification, Settings};
use crate::error::{Error, Kind, Result};
use crate::ui::{self, data};
use std::collections::BTreeMap;

/// Kayenta's scores for passing and for marginal, where its users set none.
const PASS: f64 = 95.0;
const MARGINAL: f64 = 75.0;

/// Judges metrics of one group and prints the judgement.
pub fn run(context: &Context, arguments: &Evaluate, pairs: Vec<Pair>) -> Result<()> {
    if pairs.is_empty() {
        return Err(Error::usage(
            "--judge kayenta needs values of both sides: `{\"metric\": {\"control\": […], \"experiment\": […]}}`",
        ));
    }
    let metric = |pair: Pair| Metric {
        name: pair.metric,
        groups: vec!["metrics".into()],
        analysis: Analysis::default(),
        control: pair.control,
        experiment: pair.experiment,
    };
    let metrics: Vec<Metric> = pairs.into_iter().map(metric).collect();
    let weights = BTreeMap::from([("metrics".to_owned(), 100.0)]);
    let judgement = kayenta::judge(&metrics, &weights, PASS, MARGINAL, &Settings::default());
    context.ui.answer(&match arguments.output {
        Report::Table | Report::Wide => ui::judgement(&judgement),
        Report::Json => data(&judgement, false),
        Report::Yaml => data(&judgement, true),
        _ => return Err(Error::usage("--judge kayenta prints -o table, json or yaml")),
    });
    let kind = match judgement.classification {
        _ if arguments.advisory => None,
        ScoreClassification::Pass => None,
        ScoreClassification::Marginal => (arguments.fail_on == FailOn::Warning).then_some(Kind::GateWarning),
        ScoreClassification::Fail => Some(Kind::GateFailed),
    };
    kind.map_or(Ok(()), |kind| Err(Error::new(kind, "")))
}
