//! Whether the values of a gate are of the version under test.
//!
//! A query of a gate file knows no versions: `rate(…{job='carts-staging'}[1m])` is answered by whoever is there, and while
//! the new pods have no series yet, by the old ones alone. Where the series name their workloads, at least one of them must
//! be the version's; where they do not, as after `sum(…)`, nothing can be told.

use crate::core::gate::evaluation::{Evaluation, Graded};
use serde_json::Value;

/// The labels of a series that name its workload, or its pod.
const WORKLOAD: [&str; 3] = ["deployment", "destination_workload", "workload"];
const POD: [&str; 4] = ["pod", "pod_name", "kubernetes_pod_name", "kubernetes_pod"];

/// The first indicator whose series name their workloads, and none of them `deployment`.
pub fn unseen<'a>(evaluation: &'a Evaluation, deployment: &str) -> Option<&'a Graded> {
    evaluation.indicators.iter().find(|indicator| {
        let series: Vec<Vec<String>> = indicator.values.iter().map(|sample| workloads(&sample.key)).collect();
        series.iter().any(|names| !names.is_empty()) && !series.iter().flatten().any(|name| name == deployment)
    })
}

/// The workloads that the labels of a series name.
fn workloads(labels: &str) -> Vec<String> {
    let labels: Value = serde_json::from_str(labels).unwrap_or_default();
    let text = |name: &&str| labels.get(*name).and_then(Value::as_str);
    let direct = WORKLOAD.iter().filter_map(text).map(str::to_owned);
    // A pod is its deployment, the hash of its template, and a few letters of its own.
    let pods = POD.iter().filter_map(text).filter_map(|pod| Some(pod.rsplitn(3, '-').nth(2)?.to_owned()));
    direct.chain(pods).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::gate::Gate;
    use crate::core::gate::evaluation::{Answer, Evidence, Sample};

    fn first_unseen(series: &[&str]) -> bool {
        let gate = r#"{"indicators": [{"id": "time", "source": "Prometheus", "query": "t",
            "grading": {"type": "Threshold", "thresholds": {"upperSevere": 1}, "metricScore": 100}}], "objectives": {"pass": 90}}"#;
        let gate = Gate::parse("perfspec.json", gate).expect("a gate");
        let samples = series.iter().map(|labels| Sample::of(*labels, 0.1)).collect();
        let evaluation = gate.grade(Evidence { answers: vec![Answer::new("time", samples)], ..Evidence::default() });
        unseen(&evaluation, "carts-blue").is_some()
    }

    #[test]
    fn values_of_others_alone_say_nothing_of_the_version() {
        let (blue, green) = (r#"{"pod": "carts-blue-5d7f8c9b4-x2x4z"}"#, r#"{"pod": "carts-green-6b7f8c9b4-aaaaa"}"#);
        assert!(first_unseen(&[green]));
        assert!(!first_unseen(&[green, blue]));
        assert!(first_unseen(&[r#"{"deployment": "carts-green"}"#]));
        assert!(!first_unseen(&[r#"{"destination_workload": "carts-blue"}"#]));
        // A longer name that begins alike is another deployment.
        assert!(first_unseen(&[r#"{"pod": "carts-blue-canary-5d7f8c9b4-x2x4z"}"#]));
        for nothing_told in [&["{}"][..], &[r#"{"job": "carts-staging", "instance": "10.0.0.7:80"}"#], &[""], &[]] {
            assert!(!first_unseen(nothing_told), "{nothing_told:?}");
        }
    }
}
