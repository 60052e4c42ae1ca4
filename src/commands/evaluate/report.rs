//! How an evaluation is told.

use crate::cli::{Evaluate, FailOn, Inconclusive, Report};
use crate::commands::Context;
use crate::core::gate::evaluation::{Evaluation, Format, Status, Verdict};
use crate::core::gate::{perfspec, slo};
use crate::error::{Error, Kind, Result};
use crate::ui::{self, data};

/// The result as keptn's lighthouse service printed it.
pub fn keptn(result: &Evaluation) -> serde_json::Value {
    use base64::Engine as _;
    let time = |seconds: i64| jiff::Timestamp::from_second(seconds).map(|time| format!("{time:.3}")).unwrap_or_default();
    let (start, end) = result.basis.evidence.window.map(|window| (time(window.start), time(window.end))).unwrap_or_default();
    let file = base64::engine::general_purpose::STANDARD.encode(&result.basis.gate);
    slo::keptn(result, slo::Printed { start: &start, end: &end, slo_file_content: &file })
}

/// Prints the evaluation and turns its verdict into the exit code.
pub fn conclude(context: &Context, arguments: &Evaluate, result: &Evaluation) -> Result<()> {
    let wide = arguments.output == Report::Wide;
    context.ui.answer(&match arguments.output {
        Report::Table | Report::Wide => ui::evaluation(result, wide),
        Report::Json => data(result, false),
        Report::Yaml => data(result, true),
        Report::Junit => ui::junit(result),
        Report::Markdown => ui::markdown(result),
        Report::Pitometer => match result.format {
            Format::Perfspec => data(&perfspec::pitometer(result, None), false),
            _ => return Err(Error::usage("-o pitometer goes with a perfspec.json")),
        },
        Report::Keptn => match result.format {
            Format::Slo => data(&keptn(result), false),
            _ => return Err(Error::usage("-o keptn goes with an slo.yaml")),
        },
    });
    if arguments.advisory {
        return Ok(());
    }
    let unanswered = result.indicators.iter().any(|one| one.status == Status::Error);
    let open = if arguments.on_inconclusive == Inconclusive::Pass { None } else { Some(Kind::Inconclusive) };
    let kind = match result.verdict {
        Verdict::Pass => None,
        Verdict::Warning => (arguments.fail_on == FailOn::Warning).then_some(Kind::GateWarning),
        Verdict::Fail => Some(Kind::GateFailed),
        Verdict::Inconclusive if arguments.on_inconclusive == Inconclusive::Fail => Some(Kind::GateFailed),
        Verdict::Inconclusive if unanswered => Some(Kind::Inconclusive),
        Verdict::Inconclusive => open,
    };
    match kind {
        // The answer has said why.
        Some(kind) => Err(Error::new(kind, "")),
        None => Ok(()),
    }
}
