use super::*;
use crate::core::gate::evaluation::{Answer, Sample, Status, Verdict};
use crate::core::gate::vectors::Dice;

const CANARY: &str = include_str!("../../../../fixtures/gates/canary.yaml");

fn flagger(text: &str) -> Flagger {
    Flagger::parse(("canary.yaml", text), None).unwrap_or_else(|error| panic!("{error}"))
}

fn graded(text: &str, values: &[(&str, &[&str])]) -> Evaluation {
    let answer = |(id, values): &(&str, &[&str])| Answer::new(*id, values.iter().map(|value| Sample::of("{}", *value)).collect());
    flagger(text).grade(Evidence { answers: values.iter().map(answer).collect(), ..Evidence::default() })
}

#[test]
fn queries_are_filled_in() {
    let canary = flagger(CANARY);
    let queries = canary.queries(&BTreeMap::new()).expect("queries");
    let line = |place: usize| queries[place].1.line();
    assert!(
        line(0).contains(r#"destination_workload_namespace="sockshop",destination_workload=~"carts",response_code!~"5.*"}[1m]"#)
    );
    assert!(line(1).starts_with("histogram_quantile(0.99, "), "{}", line(1));
    assert!(line(2).contains(r#"response_code="404"}[2m])) / sum("#), "{}", line(2));
    let given = BTreeMap::from([("namespace".to_owned(), "other".to_owned())]);
    assert!(canary.queries(&given).expect("queries")[0].1.line().contains("namespace=\"other\""));
    let error = flagger(&CANARY.replace("  namespace: sockshop\nspec:\n  targetRef", "spec:\n  targetRef"));
    let error = error.queries(&BTreeMap::new()).expect_err("no namespace");
    assert_eq!(error.hints, ["give it: `--arg namespace=VALUE`"]);
    let (templates, alone) = CANARY.split_once("---\n").expect("two documents");
    assert!(
        flagger(alone).queries(&BTreeMap::new()).is_err_and(|error| error.message.contains("needs the template `not-found`"))
    );
    let both = Flagger::parse(("canary.yaml", alone), Some(("templates.yaml", templates))).expect("a canary");
    assert_eq!(both.queries(&BTreeMap::new()), canary.queries(&BTreeMap::new()));
}

#[test]
fn every_series_must_be_within_its_range() {
    let fine: [(&str, &[&str]); 3] =
        [("request-success-rate", &["99"]), ("request-duration", &["500"]), ("not-found", &["0", "5"])];
    let result = graded(CANARY, &fine);
    assert_eq!((result.verdict, result.score), (Verdict::Pass, 3.0));
    assert!(result.notes[0].contains("`address` says nothing here"), "{:?}", result.notes);
    for (metric, values, verdict, says) in [
        ("request-success-rate", &["98.9"][..], Verdict::Fail, "98.9 is below the least, 99"),
        ("request-duration", &["500.1"], Verdict::Fail, "500.1 is above the most, 500"),
        ("not-found", &["6", "1"], Verdict::Fail, "6 is above"),
        ("not-found", &["1", "NaN"], Verdict::Inconclusive, "1 of 2 series had no number"),
        ("not-found", &["NaN"], Verdict::Inconclusive, "had no number"),
        ("not-found", &["+Inf"], Verdict::Fail, "+Inf is above"),
        ("request-success-rate", &["+Inf"], Verdict::Inconclusive, "1 of 1 series had no number"),
        ("not-found", &[], Verdict::Inconclusive, "no values"),
    ] {
        let mut all = fine;
        for one in &mut all {
            if one.0 == metric {
                one.1 = values;
            }
        }
        let result = graded(CANARY, &all);
        assert_eq!(result.verdict, verdict, "{metric} {values:?}: {}", result.reason);
        assert!(result.reason.contains(says), "{}", result.reason);
        let json = serde_json::to_string(&result).expect("JSON");
        assert_eq!(crate::core::gate::regrade("evidence.json", &json), Ok(result));
    }
    let old = CANARY.replace("      thresholdRange:\n        min: 99\n", "      threshold: 99\n");
    assert_eq!(graded(&old, &[("request-success-rate", &["98"])]).indicators[0].status, Status::Fail);
}

#[test]
fn what_is_wrong_is_pointed_at() {
    let lint = |text: &str| -> Vec<String> {
        let found = Flagger::lint(text, None, Options::default());
        found.iter().map(|one| one.render("c.yaml", text).lines().next().unwrap_or_default().to_owned()).collect()
    };
    assert!(lint(CANARY).iter().all(|one| one.contains(": note: ")), "{:#?}", lint(CANARY));
    for (from, to, says) in [
        (
            "thresholdRange:\n        min",
            "tresholdRange:\n        min",
            "error: unknown key `tresholdRange`; did you mean `thresholdRange`?",
        ),
        ("        min: 99", "        mim: 99", "error: unknown key `mim`"),
        ("min: 99", "min: 0.99", "the success rate is in per cent"),
        ("min: 99", "min: x", "a limit is a number"),
        ("name: request-duration", "name: request-duratoin", "did you mean `request-duration`?"),
        ("name: request-duration", "name: request-success-rate", "the name of two metrics"),
        ("        max: 500", "        min: 600\n        max: 500", "`min` is above `max`"),
        ("interval: 1m\n    - name: request-duration", "interval: 20s\n    - name: request-duration", "a window of 20 s"),
        ("interval: 2m", "interval: 2", "`2` is not a length of time"),
        ("[{{ interval }}]))\n    /", "[{{ interval }}])\n    /", "c.yaml:13:139: error: this is not PromQL"),
        ("type: prometheus", "type: datadog", "note: `datadog` is not asked here"),
        (
            "      name: not-found\n        namespace",
            "      name: nothing\n        namespace",
            "note: the template `nothing` is not in this file",
        ),
    ] {
        assert!(CANARY.contains(from), "{from}");
        let told = lint(&CANARY.replacen(from, to, 1));
        assert!(told.iter().any(|one| one.contains(says)), "{says}\n{told:#?}");
    }
}

#[test]
fn the_order_says_nothing_and_a_worse_value_never_helps() {
    let mut dice = Dice(7);
    for _ in 0..300 {
        let names = ["request-success-rate", "request-duration", "not-found"];
        let values: Vec<String> = (0..3).map(|_| (dice.roll(1200) as f64 / 2.0).to_string()).collect();
        let of = |order: [usize; 3], values: &[String]| {
            let texts: Vec<[&str; 1]> = order.iter().map(|at| [values[*at].as_str()]).collect();
            let all: Vec<(&str, &[&str])> = order.iter().zip(&texts).map(|(at, text)| (names[*at], &text[..])).collect();
            graded(CANARY, &all).verdict
        };
        let verdict = of([0, 1, 2], &values);
        assert_eq!(of([2, 0, 1], &values), verdict);
        let worse = [values[0].clone(), format!("{}", values[1].parse::<f64>().expect("a number") + 100.0), values[2].clone()];
        assert!(verdict == Verdict::Pass || of([0, 1, 2], &worse) != Verdict::Pass, "{values:?}");
    }
}
