//! From classified metrics to one score from 0 to 100.

use super::classify::Classification;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the score needs to know of a metric. Muted metrics are left out by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Graded<'a> {
    /// Its groups; it counts in each.
    pub groups: &'a [String],
    /// What became of it.
    pub classification: Classification,
    /// Whether that is critical.
    pub critical: bool,
    /// Why.
    pub reason: Option<&'a str>,
}

/// A group's part in the score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupScore {
    /// Its name.
    pub name: String,
    /// The share of its metrics that passed, from 0 to 100; 0 without data.
    pub score: f64,
    /// Whether none of its metrics could be judged. It counts as 100 then.
    pub no_data: bool,
    /// Its weight in the sum, in per cent.
    pub weight: f64,
}

/// The score of all metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// From 0 to 100, two decimals.
    pub score: f64,
    /// Why it is not the weighted sum of the groups, where it is not.
    pub reason: Option<String>,
    /// The groups, by name.
    pub groups: Vec<GroupScore>,
}

/// What the score means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScoreClassification {
    /// At least the threshold for passing.
    Pass,
    /// At least the marginal one.
    Marginal,
    /// Less.
    Fail,
}

impl Score {
    /// Scores metrics by groups. Groups without a weight share what the others leave of 100.
    pub fn of(metrics: &[Graded<'_>], weights: &BTreeMap<String, f64>) -> Self {
        let groups = group_scores(metrics, weights);
        let part = |group: &GroupScore| if group.no_data { 100.0 } else { group.score } * group.weight / 100.0;
        let sum = groups.iter().fold(0.0, |sum, group| sum + part(group));
        let critical = metrics.iter().find(|metric| metric.critical && metric.classification != Classification::Pass);
        let silent = metrics.iter().filter(|metric| metric.classification == Classification::Nodata).count();
        let reason = match critical {
            Some(metric) => Some(format!("Canary Failed: {}", metric.reason.unwrap_or("a critical metric failed"))),
            None if 2 * silent >= metrics.len() && silent > 0 => Some("50% or more metrics returned NODATA".to_owned()),
            None => None,
        };
        let score = if reason.is_some() { 0.0 } else { (sum * 100.0).round() / 100.0 };
        Score { score, reason, groups }
    }

    /// What it means.
    pub fn classify(&self, pass: f64, marginal: f64) -> ScoreClassification {
        match self.score {
            score if score >= pass => ScoreClassification::Pass,
            score if score >= marginal => ScoreClassification::Marginal,
            _ => ScoreClassification::Fail,
        }
    }
}

fn group_scores(metrics: &[Graded<'_>], weights: &BTreeMap<String, f64>) -> Vec<GroupScore> {
    let mut counted: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for metric in metrics {
        for group in metric.groups {
            let (passed, total) = counted.entry(group).or_default();
            *passed += u32::from(metric.classification == Classification::Pass);
            *total += u32::from(!matches!(metric.classification, Classification::Nodata | Classification::Error));
        }
    }
    let unweighted = counted.keys().filter(|group| !weights.contains_key(**group)).count();
    let left = (100.0 - weights.values().sum::<f64>()) / unweighted.max(1) as f64;
    counted
        .into_iter()
        .map(|(name, (passed, total))| GroupScore {
            name: name.to_owned(),
            score: if total > 0 { f64::from(passed) / f64::from(total) * 100.0 } else { 0.0 },
            no_data: total == 0,
            weight: weights.get(name).copied().unwrap_or(left),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(metrics: &[(&str, Classification, bool)], weights: &[(&str, f64)]) -> Score {
        let groups: Vec<Vec<String>> = metrics.iter().map(|(group, ..)| vec![(*group).to_owned()]).collect();
        let graded: Vec<Graded<'_>> = metrics
            .iter()
            .zip(&groups)
            .map(|(&(_, classification, critical), groups)| Graded { groups, classification, critical, reason: Some("m") })
            .collect();
        Score::of(&graded, &weights.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect())
    }

    #[test]
    fn what_was_not_measured_does_not_count() {
        use Classification::{Error, High, Low, Nodata, NodataFailMetric, Pass};
        assert_eq!(score(&[("a", Pass, false), ("a", Pass, false), ("a", Nodata, false)], &[]).score, 100.0);
        assert_eq!(score(&[("a", Pass, false), ("a", NodataFailMetric, false)], &[]).score, 50.0);
        assert_eq!(score(&[("a", Low, false), ("b", Error, false)], &[]).score, 50.0);
        let silent = score(&[("a", Pass, false), ("a", Nodata, false)], &[]);
        assert_eq!((silent.score, silent.reason.as_deref()), (0.0, Some("50% or more metrics returned NODATA")));
        let critical = score(&[("a", Pass, false), ("a", Nodata, true), ("b", High, false)], &[]);
        assert_eq!((critical.score, critical.reason.as_deref()), (0.0, Some("Canary Failed: m")));
        assert_eq!(score(&[], &[]).score, 0.0);
    }

    #[test]
    fn groups_without_weight_share_the_rest() {
        use Classification::{High, Pass};
        let scored = score(&[("a", Pass, false), ("b", High, false), ("c", Pass, false)], &[("a", 40.0)]);
        assert_eq!(scored.score, 70.0);
        assert_eq!(scored.groups.iter().map(|group| group.weight).collect::<Vec<_>>(), [40.0, 30.0, 30.0]);
        assert_eq!(scored.classify(70.0, 50.0), ScoreClassification::Pass);
        assert_eq!(scored.classify(70.1, 70.0), ScoreClassification::Marginal);
        assert_eq!(scored.classify(90.0, 80.0), ScoreClassification::Fail);
    }
}
