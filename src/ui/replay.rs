//! What a gate would have said of the past, as people read it.

use super::evaluation::{plain, verdict_word};
use super::text::printable;
use crate::core::gate::evaluation::Verdict;
use crate::core::gate::replay::Replay;
use std::fmt::Write as _;

/// One line an indicator, then how often the gate would have failed; `wide`: each window that would not have passed.
pub fn replay(result: &Replay, wide: bool) -> String {
    let rows: Vec<Vec<String>> = result
        .indicators
        .iter()
        .map(|one| {
            let [least, middle, most] =
                one.values.map(|values| values.map(plain)).unwrap_or_else(|| ["<none>"; 3].map(str::to_owned));
            let mut row = vec![one.id.clone()];
            row.extend([one.failed, one.alone, one.warned, one.unmeasured, one.flips].map(|count| count.to_string()));
            row.extend([least, middle, most]);
            row.push(if one.noise { "noise: it crosses its limit all the time" } else { "" }.to_owned());
            row
        })
        .collect();
    let header = ["INDICATOR", "FAILED", "ALONE", "WARNED", "NO DATA", "CHANGES", "LEAST", "MEDIAN", "MOST", "REMARK"];
    let mut text = super::status::columns(&header, &rows);
    for past in result.windows.iter().filter(|past| wide && past.verdict != Verdict::Pass) {
        let reason = printable(&past.reason);
        let _ = writeln!(
            text,
            "{}  {}: {reason}",
            jiff::Timestamp::from_second(past.window.end).unwrap_or_default(),
            verdict_word(past.verdict)
        );
    }
    let count = result.windows.len();
    let said = result.verdicts;
    #[allow(clippy::cast_precision_loss)] // counts of windows
    let share = 100.0 * said.fail as f64 / count.max(1) as f64;
    let _ = writeln!(
        text,
        "of {count} windows the gate would have failed {} ({}%), warned in {}, passed {}, and not known {}",
        said.fail,
        plain(share),
        said.warning,
        said.pass,
        said.inconclusive
    );
    text
}
