//! A gate over past windows: how often it would have failed, and which of its indicators is noise.
//!
//! An indicator is noise where its verdict changes from window to window: a limit that lies inside of what is usual is
//! crossed in both directions all the time, one that finds an incident is crossed twice. `flips` counts the crossings among
//! neighbouring windows that were measured.

use super::evaluation::{Evaluation, Status, Verdict, Window};
use serde::Serialize;

/// More than this share of an indicator's windows with a crossing, and it is called noise: an indicator that is right now
/// and then has long runs of the same verdict.
const NOISE: f64 = 0.1;

/// Fewer crossings than this are no pattern.
const FEW: usize = 4;

/// What a gate would have said.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// The windows, oldest first.
    pub windows: Vec<Past>,
    /// How often it would have passed, warned, failed, and not known.
    pub verdicts: Verdicts,
    /// The indicators, in the order of the gate.
    pub indicators: Vec<Record>,
}

/// One past window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Past {
    /// When.
    #[serde(flatten)]
    pub window: Window,
    /// What the gate would have said.
    pub verdict: Verdict,
    /// Its score.
    pub score: f64,
    /// Why.
    pub reason: String,
}

/// How often each verdict came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // the verdicts' names
pub struct Verdicts {
    pub pass: usize,
    pub warning: usize,
    pub fail: usize,
    pub inconclusive: usize,
}

/// What became of one indicator over all windows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its name.
    pub id: String,
    /// In how many windows it was beyond a hard limit.
    pub failed: usize,
    /// In how many it was beyond a warning limit.
    pub warned: usize,
    /// In how many it had no value, or could not be asked.
    pub unmeasured: usize,
    /// In how many windows that failed it was the only one beyond a hard limit.
    pub alone: usize,
    /// How often its verdict changed from one measured window to the next.
    pub flips: usize,
    /// Whether it looks like noise: it changes often.
    pub noise: bool,
    /// The smallest, the middle and the largest of its values, where it had any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<[f64; 3]>,
}

/// Sums up the evaluations of past windows, oldest first.
pub fn replay(evaluations: &[Evaluation]) -> Replay {
    let mut verdicts = Verdicts::default();
    for one in evaluations {
        *match one.verdict {
            Verdict::Pass => &mut verdicts.pass,
            Verdict::Warning => &mut verdicts.warning,
            Verdict::Fail => &mut verdicts.fail,
            Verdict::Inconclusive => &mut verdicts.inconclusive,
        } += 1;
    }
    let past = |one: &Evaluation| {
        Some(Past { window: one.basis.evidence.window?, verdict: one.verdict, score: one.score, reason: one.reason.clone() })
    };
    let names = evaluations.first().map(|one| one.indicators.iter().map(|indicator| indicator.id.clone()));
    let indicators = names.into_iter().flatten().enumerate().map(|(place, id)| record(place, id, evaluations)).collect();
    Replay { windows: evaluations.iter().filter_map(past).collect(), verdicts, indicators }
}

fn record(place: usize, id: String, evaluations: &[Evaluation]) -> Record {
    let mut record = Record { id, failed: 0, warned: 0, unmeasured: 0, alone: 0, flips: 0, noise: false, values: None };
    let mut numbers = Vec::new();
    let mut before: Option<bool> = None;
    let mut measured = 0_usize;
    for one in evaluations {
        let Some(indicator) = one.indicators.get(place) else { continue };
        let known: Vec<f64> = indicator.values.iter().filter_map(super::evaluation::Sample::number).collect();
        if known.is_empty() || matches!(indicator.status, Status::Error | Status::Inconclusive) {
            record.unmeasured += 1;
            continue;
        }
        numbers.extend(known);
        measured += 1;
        let good = match indicator.status {
            Status::Fail => false,
            Status::Warning => {
                record.warned += 1;
                false
            }
            _ => true,
        };
        if indicator.status == Status::Fail {
            record.failed += 1;
            let failing = one.indicators.iter().filter(|other| other.status == Status::Fail).count();
            record.alone += usize::from(failing == 1 && one.verdict == Verdict::Fail);
        }
        record.flips += usize::from(before.is_some_and(|before| before != good));
        before = Some(good);
    }
    numbers.sort_by(f64::total_cmp);
    record.values = match numbers.as_slice() {
        [] => None,
        all => Some([all[0], all[all.len() / 2], all[all.len() - 1]]),
    };
    #[allow(clippy::cast_precision_loss)] // counts of windows
    let share = record.flips as f64 / measured.max(2) as f64;
    record.noise = record.flips >= FEW && share > NOISE;
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::gate::Gate;
    use crate::core::gate::evaluation::{Answer, Evidence, Sample};

    const GATE: &str = r#"{"spec_version": "1.0", "objectives": {"pass": 90, "warning": 50}, "indicators": [
        {"id": "steady", "source": "Prometheus", "query": "a", "grading": {"type": "Threshold", "metricScore": 50, "thresholds": {"upperSevere": 10}}},
        {"id": "nervous", "source": "Prometheus", "query": "b", "grading": {"type": "Threshold", "metricScore": 50, "thresholds": {"upperSevere": 10}}}]}"#;

    fn evaluations(values: &[(Option<f64>, f64)]) -> Vec<Evaluation> {
        let gate = Gate::parse("g", GATE).expect("a gate");
        let one = |(at, (first, second)): (usize, &(Option<f64>, f64))| {
            let samples = first.map(|value| Sample::of("", value)).into_iter().collect();
            let answers = vec![Answer::new("steady", samples), Answer::new("nervous", vec![Sample::of("", *second)])];
            let start = 1_000 + i64::try_from(at).expect("few") * 600;
            let window = Window::new(start, start + 300).ok();
            gate.grade(Evidence { window, answers, ..Evidence::default() })
        };
        values.iter().enumerate().map(one).collect()
    }

    #[test]
    fn noise_is_what_changes_all_the_time() {
        let all: Vec<(Option<f64>, f64)> =
            (0..20).map(|at| (Some(if at >= 10 { 20.0 } else { 5.0 }), if at % 2 == 0 { 9.0 } else { 11.0 })).collect();
        let result = replay(&evaluations(&all));
        let [steady, nervous] = result.indicators.as_slice() else { panic!("two indicators") };
        assert_eq!((steady.failed, steady.flips, steady.noise), (10, 1, false));
        assert_eq!((nervous.failed, nervous.flips, nervous.noise), (10, 19, true));
        assert_eq!(nervous.values, Some([9.0, 11.0, 11.0]));
        assert_eq!(result.windows.len(), 20);
        let Verdicts { pass, warning, fail, inconclusive } = result.verdicts;
        assert_eq!((pass, warning, fail, inconclusive), (5, 10, 5, 0));
    }

    #[test]
    fn what_was_not_measured_is_no_flip() {
        let result = replay(&evaluations(&[(Some(1.0), 1.0), (None, 1.0), (Some(1.0), 1.0)]));
        assert_eq!((result.indicators[0].unmeasured, result.indicators[0].flips), (1, 0));
        assert_eq!(replay(&[]).indicators, []);
    }
}
