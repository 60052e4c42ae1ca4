use super::*;
use crate::core::gate::evaluation::{Answer, PreviousValue, Sample, Status, Verdict};
use crate::core::gate::vectors::{Dice, list, load, same};
use serde_json::{Value, json};

fn answers(values: &Value) -> Vec<Answer> {
    let one = |value: &Value| {
        let sample = Sample {
            key: String::new(),
            value: value["value"].clone(),
            success: value["success"].as_bool().unwrap_or(true),
            message: value["message"].as_str().unwrap_or_default().into(),
        };
        Answer::new(value["metric"].as_str().unwrap_or_default(), vec![sample])
    };
    values.as_array().map_or(&[][..], Vec::as_slice).iter().map(one).collect()
}

fn history(previous: &Value) -> Vec<Previous> {
    serde_json::from_value(previous.clone()).expect("earlier evaluations")
}

/// The indicators of a result in the flat form of the recorded cases.
fn flat(printed: &Value) -> Vec<Value> {
    let flatten = |indicator: &Value| {
        let mut indicator = indicator.clone();
        let value = indicator["value"].take();
        let Some(map) = indicator.as_object_mut() else { return indicator };
        map.remove("value");
        match value {
            Value::Object(mut value) => {
                value.remove("message");
                map.extend(value);
            }
            other => {
                map.insert("value".into(), other);
            }
        }
        Value::Object(map.clone())
    };
    list(&printed["evaluation"], "indicatorResults").iter().map(flatten).collect()
}

#[test]
fn recorded_cases() {
    let Some(file) = load("lighthouse.json") else { return };
    let cases: Vec<&Value> = list(&file, "vectors").iter().filter(|case| case.get("slo_yaml").is_some()).collect();
    for case in &cases {
        let name = case["name"].as_str().unwrap_or_default();
        let slo = Slo::parse("slo.yaml", case["slo_yaml"].as_str().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let previous = history(&case["previous"]);
        let expected = &case["expect_1_4_5"];
        let comparison = json!({"compare_with": slo.comparison.compare_with, "include_result_with_score": slo.comparison.include,
            "number_of_comparison_results": slo.comparison.number, "aggregate_function": slo.comparison.aggregate});
        assert!(same(&comparison, &case["parsed"]["comparison"]), "{name}: {comparison}");
        let weights: Vec<f64> = slo.objectives.iter().map(|objective| objective.weight).collect();
        assert!(same(&json!(weights), &json!(list(&case["parsed"], "weights"))), "{name}: {weights:?}");
        let evaluation = slo.grade(Evidence { window: None, answers: answers(&case["values"]), previous, ..Evidence::default() });
        let printed = keptn(&evaluation, Printed::default());
        assert_eq!(evaluation.error.as_deref(), expected.get("error").and_then(Value::as_str), "{name}");
        if evaluation.error.is_none() {
            assert_eq!(printed["result"], expected["result"], "{name}: {}", evaluation.reason);
            assert_eq!(printed["evaluation"]["result"], expected["evaluation_result"], "{name}");
            assert_eq!(printed["message"], expected["message"], "{name}");
        }
        assert!(same(&printed["evaluation"]["score"], &expected["score"]), "{name}: {}", evaluation.score);
        assert_eq!(Some(evaluation.max_score), expected["max_score"].as_f64(), "{name}");
        let indicators = flat(&printed);
        assert!(same(&json!(indicators), &expected["indicators"]), "{name}\n{}\n{}", json!(indicators), expected["indicators"]);
        let key = evaluation.indicators.iter().any(|one| one.key && one.status == Status::Fail);
        assert_eq!(Some(key), expected["key_sli_failed"].as_bool(), "{name}");
    }
    assert!(cases.len() >= 74, "{}", cases.len());
    let criteria = list(&file, "vectors").iter().filter(|case| case.get("criteria").is_some()).count();
    assert_eq!(cases.len() + criteria, list(&file, "vectors").len());
}

#[test]
fn earlier_evaluations_are_chosen_newest_first() {
    let named = |results: &[&str]| -> Vec<Previous> {
        let of = |(at, result): (usize, &&str)| Previous {
            id: format!("{at}{result}"),
            result: (*result).into(),
            ..Previous::default()
        };
        results.iter().enumerate().map(of).collect()
    };
    let history = named(&["fail", "pass", "warning", "pass", "pass"]);
    for (compare_with, include, number, ids) in [
        ("single_result", "all", 5, vec!["0fail"]),
        ("single_result", "pass", 5, vec!["1pass"]),
        ("several_results", "PASS_OR_WARN", 2, vec!["1pass", "2warning"]),
        ("several_results", "pass", 9, vec!["1pass", "3pass", "4pass"]),
        ("several_results", "all", -1, vec![]),
        ("", "all", 9, vec!["0fail", "1pass", "2warning"]),
    ] {
        let comparison =
            Comparison { compare_with: compare_with.into(), include: include.into(), number, ..Comparison::default() };
        let chosen: Vec<String> = comparison.choose(history.clone()).into_iter().map(|one| one.id).collect();
        assert_eq!(chosen, ids, "{compare_with} {include} {number}");
    }
}

const SMALL: &str = r#"
objectives:
- sli: p95
  displayName: Latency
  pass:
  - criteria: ["<=+10%", "<600"]
  warning:
  - criteria: ["<=800"]
  weight: 2
  key_sli: true
- sli: errors
  pass:
  - criteria: ["<=1"]
total_score: {pass: "90%", warning: "60%"}
"#;

fn graded(p95: Value, errors: Value, before: &[f64]) -> Evaluation {
    let slo = Slo::parse("slo.yaml", SMALL).expect("an SLO");
    let values = json!([{"metric": "p95", "value": p95}, {"metric": "errors", "value": errors}]);
    let value = |value: f64| PreviousValue {
        metric: "p95".into(),
        key: String::new(),
        value: Some(value),
        success: true,
        status: String::new(),
    };
    let previous =
        before.iter().map(|number| Previous { id: "before".into(), values: vec![value(*number)], ..Previous::default() });
    slo.grade(Evidence { window: None, answers: answers(&values), previous: previous.collect(), ..Evidence::default() })
}

#[test]
fn verdicts_say_why() {
    for (p95, errors, before, verdict, reason) in [
        (json!(500), json!(0), &[][..], Verdict::Pass, "100 % reaches 90"),
        (json!(500), json!(0), &[480.0][..], Verdict::Pass, "100 % reaches 90"),
        (
            json!(500),
            json!(0),
            &[400.0][..],
            Verdict::Warning,
            "66.67 % reaches the warning level 60, not 90: p95 (500 is not <=+10% (440))",
        ),
        (
            json!(500),
            json!(0),
            &[f64::INFINITY, 400.0][..],
            Verdict::Warning,
            "66.67 % reaches the warning level 60, not 90: p95 (500 is not <=+10% (440))",
        ),
        (json!(900), json!(0), &[][..], Verdict::Fail, "key indicator p95 failed: failed evaluation with score 0.000000"),
        (json!(500), json!(2), &[][..], Verdict::Warning, "66.67 % reaches the warning level 60, not 90: errors (2 is not <=1)"),
        (json!(700), json!(2), &[][..], Verdict::Fail, "33.33 % is below 60: p95 (700 is not <600); errors (2 is not <=1)"),
        (json!(null), json!(0), &[][..], Verdict::Fail, "key indicator p95 failed: query did not return valid values"),
        (json!("NaN"), json!(0), &[][..], Verdict::Fail, "key indicator p95 failed: query did not return valid values"),
        (json!("-Inf"), json!(0), &[][..], Verdict::Fail, "key indicator p95 failed: query did not return valid values"),
        (
            json!(500),
            json!(null),
            &[][..],
            Verdict::Warning,
            "66.67 % reaches the warning level 60, not 90: errors (query did not return valid values)",
        ),
    ] {
        let evaluation = graded(p95.clone(), errors.clone(), before);
        assert_eq!((evaluation.verdict, evaluation.reason.as_str()), (verdict, reason), "{p95} {errors} {before:?}");
    }
    assert_eq!(graded(json!(1), json!(1), &[2.0]).compared, ["before"]);
}

#[test]
fn what_has_not_the_form_is_refused_with_its_place() {
    for (text, says) in [
        ("objectives:\n- sli: a\n  passs: []\n", "slo.yaml:3:3: unknown key `passs`; did you mean `pass`?"),
        ("objectives:\n- sli: a\n  pass:\n  - critera: [\"<1\"]\n", "slo.yaml:4:5: unknown key `critera`"),
        ("objectives:\n- pass: []\n", "names its `sli`"),
        ("objectives: {}\n", "`objectives` is a list"),
        ("objectives:\n- sli: a\n  weight: 1.5\n", "`weight` is a whole number"),
        ("objectives:\n- sli: a\n  key_sli: maybe\n", "`key_sli` is true or false"),
        ("objectives:\n- sli: a\n  pass:\n  - criteria: \"<1\"\n", "`criteria` is a list"),
        ("objectives:\n- sli: a\n  pass:\n  - \"<1\"\n", "a criteria set is a map"),
        ("- a\n", "not a map"),
        ("", "the file is empty"),
        ("a: [\n", "this is not YAML"),
        ("objectives: []\nobjectives: []\n", "slo.yaml:"),
    ] {
        let error = Slo::parse("slo.yaml", text).expect_err(says);
        assert!(error.message.contains(says), "{says}: {}", error.message);
    }
}

#[test]
fn lint_finds_what_is_hardly_meant() {
    let total = "total_score: {pass: \"90%\", warning: \"75%\"}\n";
    let one = |rest: &str| format!("objectives:\n- sli: a\n{rest}{total}");
    let lint = |text: &str| Slo::lint(text, Options::default()).into_iter().map(|one| one.message).collect::<Vec<_>>();
    assert_eq!(lint(SMALL), Vec::<String>::new());
    for (text, says) in [
        (one("  pass: [{criteria: [\"<=1%\"]}]\n"), "it means `<=+1%`"),
        (one("  pass: [{criteria: [\"<-5\"]}]\n"), "a limit below zero cannot be written"),
        (one("  pass: [{criteria: [\"500\"]}]\n"), "`500`: invalid criteria string"),
        (one("  pass: [{criteria: []}]\n"), "always holds"),
        (one("  pass: [{criteria: [\"<10\"]}]\n  warning: [{criteria: [\"<5\"]}]\n"), "passes before"),
        (one("  pass: [{criteria: [\">10\"]}]\n  warning: [{criteria: [\">10\"]}]\n"), "passes before"),
        (one("  warning: [{criteria: [\"<5\"]}]\n"), "`warning` says nothing"),
        (one("  key_sli: true\n"), "a key SLI never fails"),
        (one("  weight: -1\n"), "a negative weight"),
        (one("- sli: a\n"), "`a` has two objectives"),
        (one(""), "nothing can fail this gate"),
        (one("").replace("90%", "x%"), "is a percentage"),
        (one("  pass: [{criteria: [\"<5\"]}]\n").replace("75%", "0%"), "always reached"),
        (one("").replace("75%", "95%"), "`warning` is not below"),
        (one("").replace("90%", "101%"), "never reached"),
        ("objectives: []\n".into(), "no objectives"),
        ("objectives: []\n".into(), "a `total_score`"),
        (format!("comparison: {{aggregate_function: max}}\n{}", one("")), "unknown function `max`"),
        (format!("comparison: {{compare_with: all}}\n{}", one("")), "three are compared with"),
    ] {
        let found = lint(&text);
        assert!(found.iter().any(|one| one.contains(says)), "{says}: {found:?}");
    }
    let fine = one("  pass: [{criteria: [\"<10\"]}]\n  warning: [{criteria: [\"<=10\"]}]\n");
    assert_eq!(lint(&fine), Vec::<String>::new());
}

/// A greater value never gets more under an upper limit, absolute or relative.
#[test]
fn grading_is_monotone() {
    let mut dice = Dice(5);
    for _ in 0..2_000 {
        let before: Vec<f64> = (0..dice.roll(4)).map(|_| dice.roll(900) as f64).collect();
        let (small, step) = (dice.roll(1200), dice.roll(500));
        let low = graded(json!(small), json!(0), &before);
        let high = graded(json!(small + step), json!(0), &before);
        assert!(low.score >= high.score, "{small} {step} {before:?}");
    }
}

/// The order of the answers and of the earlier values changes neither the score nor the verdict.
#[test]
fn the_order_does_not_matter() {
    let mut dice = Dice(9);
    let slo = Slo::parse("slo.yaml", SMALL).expect("an SLO");
    for _ in 0..500 {
        let values = json!([{"metric": "p95", "value": dice.roll(900)}, {"metric": "errors", "value": dice.roll(3)}, {"metric": "x", "value": 1}]);
        let before: Vec<f64> = (0..dice.roll(5)).map(|_| dice.roll(900) as f64).collect();
        let grade = |answers: Vec<Answer>, before: &[f64]| {
            let value = |value: &f64| PreviousValue {
                metric: "p95".into(),
                key: String::new(),
                value: Some(*value),
                success: true,
                status: String::new(),
            };
            let previous = before.iter().map(|number| Previous { values: vec![value(number)], ..Previous::default() }).collect();
            let evaluation = slo.grade(Evidence { window: None, answers, previous, ..Evidence::default() });
            (evaluation.score, evaluation.verdict)
        };
        let (mut answers, reversed) = (answers(&values), before.iter().rev().copied().collect::<Vec<_>>());
        let first = grade(answers.clone(), &before);
        answers.reverse();
        assert_eq!(grade(answers, &reversed), first);
    }
}

/// Arbitrary YAML is read or refused, and what is read is graded; nothing panics.
#[test]
fn arbitrary_files_do_no_harm() {
    let words = [
        "objectives:",
        "- sli: a",
        "  pass:",
        "  - criteria:",
        "    - \"<=+10%\"",
        "    - \"<1\"",
        "    - \"\u{2264}5\"",
        "  weight: 2",
        "  key_sli: true",
        "total_score:",
        "  pass: \"90%\"",
        "  warning: 75",
        "comparison:",
        "  aggregate_function: p90",
        "- ",
        "&a *a",
        "<<: *a",
        "{",
        "[",
        "\t",
        "\u{feff}",
        "--- ",
        ": ",
        "!!x y",
        "1e999",
        "~",
    ];
    let mut dice = Dice(13);
    for _ in 0..3_000 {
        let lines = dice.roll(14);
        let mut text: String =
            (0..lines).map(|_| format!("{}{}", dice.pick(&words), dice.pick(&["\n", "\n", "\r\n", " "]))).collect();
        if dice.roll(2) == 0 {
            text = format!("{}{text}", SMALL.lines().take(dice.roll(15) as usize).collect::<Vec<_>>().join("\n"));
        }
        Slo::lint(&text, Options::default());
        if let Ok(slo) = Slo::parse("slo.yaml", &text) {
            let values = json!([{"metric": "a", "value": dice.roll(9)}, {"metric": "p95", "value": "x"}]);
            keptn(
                &slo.grade(Evidence { window: None, answers: answers(&values), previous: vec![], ..Evidence::default() }),
                Printed::default(),
            );
        }
    }
}
