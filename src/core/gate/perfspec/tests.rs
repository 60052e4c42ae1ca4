use super::*;
use crate::core::gate::dynatrace::{self, Dynatrace};
use crate::core::gate::evaluation::{Answer, Previous, PreviousValue, Sample, Status, Verdict, Window};
use crate::core::gate::prometheus;
use crate::core::gate::vectors::{Dice, list, load, same};
use serde_json::json;

const WINDOW: Window = Window { start: 1_557_000_000, end: 1_557_000_180 };

fn spec(indicators: Value, objectives: Value) -> String {
    json!({"spec_version": "1.0", "indicators": indicators, "objectives": objectives}).to_string()
}

fn indicator(id: &str, score: f64, thresholds: Value) -> Value {
    json!({"id": id, "source": "Prometheus", "query": format!("q:{id}"),
        "grading": {"type": "Threshold", "thresholds": thresholds, "metricScore": score}})
}

fn measured(values: &[(&str, Value)]) -> Evidence {
    let answers = values.iter().map(|(id, value)| Answer::new(*id, vec![Sample::of("{}", value.clone())])).collect();
    Evidence { window: Some(WINDOW), answers, previous: vec![], ..Evidence::default() }
}

fn graded(thresholds: Value, value: Value) -> Evaluation {
    let text = spec(json!([indicator("a", 100.0, thresholds)]), json!({"pass": 90, "warning": 50}));
    Perfspec::parse("perfspec.json", &text).expect("a perfspec").grade(measured(&[("a", value)]))
}

/// What the sources of a recorded case answer.
fn answers(spec: &Perfspec, case: &Value) -> Result<Vec<Answer>> {
    let data = &case["source_data"];
    let stubs = data.get("stub");
    if let Some(stubs) = stubs {
        let of = |indicator: &Indicator| {
            let series = list(stubs, &indicator.query.to_string());
            let sample = |one: &Value| Sample::of(one["key"].as_str().unwrap_or_default(), one["value"].clone());
            Answer::new(&indicator.id, series.iter().map(sample).collect())
        };
        return Ok(spec.indicators.iter().map(of).collect());
    }
    let mut all = Vec::new();
    for (id, query) in spec.queries()? {
        let samples = match &query {
            Query::Prometheus(query) => match data["prometheus"].get(query) {
                None => Ok(vec![]),
                Some(answer) => match answer.get("http_status").and_then(Value::as_u64) {
                    Some(status) => Err(prometheus::refusal(status as u16, "")),
                    None => prometheus::samples(&answer["body"]),
                },
            },
            Query::Dynatrace(Dynatrace::Timeseries(query)) => {
                let percentile = query.percentile.clone().unwrap_or_default();
                let precise = format!("{}|{}{percentile}", query.id, query.aggregation);
                let data = &data["dynatrace_timeseries"];
                dynatrace::timeseries(data.get(&precise).unwrap_or(&data[&query.id]))
            }
            Query::Dynatrace(Dynatrace::Smartscape(query)) => {
                Ok(query.samples(list(&data["dynatrace_entities"], &query.entity_type)))
            }
            other => panic!("no perfspec asks {other:?}"),
        };
        all.push(samples.map_or_else(|error| Answer::refused(&id, error), |samples| Answer::new(&id, samples)));
    }
    Ok(all)
}

fn earlier(case: &Value) -> Vec<Previous> {
    let values = list(&case["compare_result"], "indicatorResults").iter().flat_map(|indicator| {
        list(indicator, "individualResults").iter().map(|one| PreviousValue {
            metric: indicator["id"].as_str().unwrap_or_default().into(),
            key: one["key"].as_str().unwrap_or_default().into(),
            value: one["value"].as_f64(),
            success: true,
            status: String::new(),
        })
    });
    vec![Previous { values: values.collect(), ..Previous::default() }]
}

/// Reads, asks and grades a recorded case.
fn run(case: &Value) -> Result<Evaluation> {
    let spec = Perfspec::parse("perfspec.json", &case["perfspec"].to_string())?;
    let time = |key: &str| case["options"][key].as_i64().unwrap_or_default();
    let window = Window::new(time("timeStart"), time("timeEnd"))?;
    Ok(spec.grade(Evidence {
        window: Some(window),
        answers: answers(&spec, case)?,
        previous: earlier(case),
        ..Evidence::default()
    }))
}

/// What holds instead where the original does something surprising: the total and the verdict, or that it is refused.
const INSTEAD: [(&str, Option<(f64, Verdict)>); 24] = [
    ("carts-prom-NaN", Some((0.0, Verdict::Fail))),
    ("carts-prom-+Inf", Some((0.0, Verdict::Fail))),
    ("carts-prom--Inf", Some((0.0, Verdict::Fail))),
    ("timeStart-zero-is-error", None),
    ("contradictory-two-warnings-quarter-score", Some((25.0, Verdict::Warning))),
    ("threshold-zero-is-ignored-lowerSevere", Some((0.0, Verdict::Fail))),
    ("threshold-zero-is-ignored-upperSevere", Some((0.0, Verdict::Fail))),
    ("threshold-zero-warning-but-severe-set", Some((50.0, Verdict::Fail))),
    ("threshold-key-with-trailing-space-ignored", None),
    ("threshold-as-string-vs-prom-string-compares-lexicographically", Some((0.0, Verdict::Fail))),
    ("metricScore-missing", None),
    ("metricScore-misspelled-metricsScore", None),
    ("metricScore-string", None),
    ("pks-carts-avg-100-p90-80-avg-broken-still-warning", Some((80.0, Verdict::Warning))),
    ("unknown-source-silently-dropped", None),
    ("source-name-is-case-sensitive", Some((100.0, Verdict::Pass))),
    ("duplicate-id-last-wins", None),
    ("integer-like-ids-reordered", Some((100.0, Verdict::Pass))),
    ("carts-dt-null-value-upper", Some((0.0, Verdict::Fail))),
    ("carts-dt-null-value-lower", Some((0.0, Verdict::Fail))),
    ("carts-dt-several-points-first-only", Some((100.0, Verdict::Pass))),
    ("v110-Perc-only-first-previous-series-is-matched", Some((0.0, Verdict::Fail))),
    ("v110-Perc-threshold-leaks-to-next-series", Some((100.0, Verdict::Pass))),
    ("prom-scalar-is-error", Some((100.0, Verdict::Pass))),
];

#[test]
fn recorded_cases() {
    let Some(file) = load("pitometer.json") else { return };
    let cases = list(&file, "vectors");
    let mut checked = 0;
    for case in cases {
        let name = case["name"].as_str().unwrap_or_default();
        let result = run(case);
        if case.get("quirk").is_some() {
            let (_, instead) = INSTEAD.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}: undecided"));
            let came = result.as_ref().ok().map(|evaluation| (evaluation.score, evaluation.verdict));
            assert_eq!(came, *instead, "{name}: {result:?}");
            checked += 1;
            continue;
        }
        let newer = case.get("expect_pitometer_1_1_0").filter(|_| name.starts_with("v110-"));
        let expected = newer.unwrap_or(&case["expect"]);
        checked += 1;
        if let Some(error) = expected.get("error") {
            let verdict = result.as_ref().map(|evaluation| evaluation.verdict);
            assert!(matches!(verdict, Err(_) | Ok(Verdict::Inconclusive)), "{name}: {error}, not {result:?}");
            continue;
        }
        let evaluation = result.unwrap_or_else(|error| panic!("{name}: {error}"));
        let printed = pitometer(&evaluation, case["options"]["context"].as_str());
        let recorded = &expected["run_result"];
        for key in ["totalScore", "objectives", "indicatorResults", "result"] {
            assert!(same(&printed[key], &recorded[key]), "{name}: {key}\n{printed}\n{recorded}");
        }
        assert!(newer.is_some() || same(&printed, recorded), "{name}\n{printed}\n{recorded}");
    }
    assert_eq!(checked, cases.len());
    assert!(checked >= 92, "{checked}");
}

#[test]
fn recorded_questions() {
    let Some(file) = load("pitometer.json") else { return };
    let mut asked = 0;
    for case in list(&file, "vectors") {
        let name = &case["name"];
        let Ok(spec) = Perfspec::parse("perfspec.json", &case["perfspec"].to_string()) else { continue };
        let Ok(queries) = spec.queries() else { continue };
        let (mut texts, mut bodies) = (Vec::new(), Vec::new());
        for (_, query) in &queries {
            match query {
                Query::Prometheus(query) => texts.push(json!(query)),
                Query::Dynatrace(Dynatrace::Timeseries(query)) => {
                    bodies.push(json!({"call": "timeseries", "id": query.id, "params": query.parameters(WINDOW)}));
                }
                Query::Dynatrace(Dynatrace::Smartscape(query)) => {
                    bodies.push(json!({"call": "services", "params": query.parameters(WINDOW)}))
                }
                other => panic!("no perfspec asks {other:?}"),
            }
        }
        let sent: Vec<Value> =
            list(&case["expect"], "prometheus_requests").iter().map(|one| one["params"]["query"].clone()).collect();
        let surprising = case.get("quirk").is_some() || sent.is_empty();
        assert!(surprising || sent == texts, "{name}: {texts:?}");
        let calls = list(&case["expect"], "dynatrace_calls");
        assert!(calls.is_empty() || same(&json!(calls), &json!(bodies)), "{name}: {bodies:?}");
        asked += sent.len() + calls.len();
    }
    assert!(asked >= 80, "{asked}");
}

#[test]
fn a_limit_that_is_reached_is_broken() {
    for (thresholds, value, score, breaches) in [
        (json!({"upperSevere": 0.8}), json!("0.8"), 0.0, vec!["upperSevere"]),
        (json!({"upperSevere": 0.8}), json!("0.79"), 100.0, vec![]),
        (json!({"upperSevere": 1000, "upperWarning": 800}), json!(800), 50.0, vec!["upperWarning"]),
        (json!({"lowerSevere": 10, "lowerWarning": 20}), json!(10), 0.0, vec!["lowerSevere"]),
        (json!({"lowerWarning": 40, "upperWarning": 30}), json!(35), 25.0, vec!["lowerWarning", "upperWarning"]),
        (json!({"lowerWarning": 40, "upperSevere": 30}), json!(35), 0.0, vec!["lowerWarning", "upperSevere"]),
        (json!({"lowerSevere": 0}), json!(0), 0.0, vec!["lowerSevere"]),
        (json!({"upperSevere": "9"}), json!("10"), 0.0, vec!["upperSevere"]),
        (json!({"upperSevere": 1}), json!("+Inf"), 0.0, vec!["upperSevere"]),
        (json!({"upperSevere": 1}), json!("-Inf"), 0.0, vec![NO_VALUES]),
        (json!({"lowerSevere": 99}), json!("+Inf"), 0.0, vec![NO_VALUES]),
        (json!({"upperSevere": 1}), json!("NaN"), 0.0, vec![NO_VALUES]),
        (json!({"upperSevere": 1}), json!(null), 0.0, vec![NO_VALUES]),
    ] {
        let evaluation = graded(thresholds.clone(), value.clone());
        let broken: Vec<&str> = evaluation.indicators[0].breaches.iter().map(|one| one.breach.as_str()).collect();
        assert_eq!((evaluation.score, broken), (score, breaches), "{thresholds} {value}");
    }
}

#[test]
fn the_least_of_the_series_counts_and_those_without_a_number_do_not() {
    let text = spec(json!([indicator("a", 100.0, json!({"upperSevere": 50, "upperWarning": 40}))]), json!({"pass": 90}));
    let spec = Perfspec::parse("perfspec.json", &text).expect("a perfspec");
    let grade = |values: &[&str]| {
        let samples = values.iter().map(|value| Sample::of(*value, *value)).collect();
        let evaluation = spec.grade(Evidence { answers: vec![Answer::new("a", samples)], ..Evidence::default() });
        (evaluation.score, evaluation.indicators[0].why.clone())
    };
    assert_eq!(grade(&["30", "42", "31"]), (50.0, "42 >= upperWarning 40".into()));
    assert_eq!(grade(&["42", "55"]), (0.0, "42 >= upperWarning 40, 55 >= upperSevere 50".into()));
    assert_eq!(grade(&["NaN", "5"]), (100.0, "within its limits, 1 of 2 series had no number".into()));
    assert_eq!(grade(&["NaN", "NaN"]), (0.0, "no number was measured".into()));
    assert_eq!(grade(&[]), (0.0, "no values".into()));
}

#[test]
fn relative_thresholds_need_the_earlier_value_of_the_same_series() {
    let text = spec(
        json!([indicator("a", 100.0, json!({"upperSeverePerc": 10, "lowerWarningPerc": 50, "upperSevere": 500}))]),
        json!({"pass": 90}),
    );
    let spec = Perfspec::parse("perfspec.json", &text).expect("a perfspec");
    let before = |key: &str, value: f64| {
        let value =
            PreviousValue { metric: "a".into(), key: key.into(), value: Some(value), success: true, status: String::new() };
        Previous { id: "before".into(), values: vec![value], ..Previous::default() }
    };
    for (previous, value, score) in [
        (vec![before("s", 100.0)], 109, 100.0),
        (vec![before("s", 100.0)], 110, 0.0),
        (vec![before("s", 100.0)], 50, 50.0),
        (vec![before("s", 100.0), before("s", 1.0)], 109, 100.0),
        (vec![before("t", 100.0)], 499, 100.0),
        (vec![], 500, 0.0),
        (vec![before("s", 0.0)], 0, 100.0),
        (vec![before("s", 0.0)], 1, 0.0),
    ] {
        let answers = vec![Answer::new("a", vec![Sample::of("s", value)])];
        let evaluation = spec.grade(Evidence { answers, previous: previous.clone(), window: None, ..Evidence::default() });
        assert_eq!(evaluation.score, score, "{previous:?} {value}");
    }
}

#[test]
fn other_keys_are_noted_where_they_do_no_harm() {
    let mut noted = indicator("a", 100.0, json!({"upperSevere": 1}));
    noted["description"] = json!("how fast it is");
    let text = spec(json!([noted]), json!({"pass": 90}));
    assert!(Perfspec::parse("perfspec.json", &text).is_ok());
    assert_eq!(Perfspec::lint(&text, Options::default()).len(), 1);
    noted["grading"]["thresholds"]["comment"] = json!("x");
    assert!(Perfspec::parse("perfspec.json", &spec(json!([noted]), json!({"pass": 90}))).is_err());
}

#[test]
fn a_source_that_does_not_answer_is_no_verdict() {
    let text = spec(
        json!([indicator("a", 50.0, json!({"upperSevere": 1})), indicator("b", 50.0, json!({"upperSevere": 1}))]),
        json!({"pass": 50}),
    );
    let mut evidence = measured(&[("a", json!(0))]);
    evidence.answers.push(Answer::refused("b", "HTTP status 503"));
    let evaluation = Perfspec::parse("perfspec.json", &text).expect("a perfspec").grade(evidence);
    assert_eq!(evaluation.verdict, Verdict::Inconclusive);
    assert_eq!(evaluation.reason, "not every indicator could be asked: b: HTTP status 503");
    assert_eq!((evaluation.indicators[0].status, evaluation.indicators[1].status), (Status::Pass, Status::Error));
    assert_eq!(pitometer(&evaluation, None), json!({"result": "failed", "error": "Error: b: HTTP status 503"}));
}

#[test]
fn queries_are_narrowed_before_they_are_asked() {
    let mut dynatrace = indicator("b", 50.0, json!({"upperSevere": 1}));
    dynatrace["source"] = json!("dynatrace");
    dynatrace["query"] = json!({"timeseriesId": "t", "aggregation": "p95", "tags": ["service:$SERVICE"]});
    let mut first = indicator("a", 50.0, json!({"upperSevere": 1}));
    first["query"] = json!("x[$DURATION]");
    let text = spec(json!([first, dynatrace]), json!({"pass": 50}));
    let context = Context { service: Some("carts".into()), seconds: Some(60.0), ..Context::default() };
    let spec = Perfspec::parse("perfspec.json", &text).and_then(|spec| spec.resolve(&context)).expect("a perfspec");
    let queries = spec.queries().expect("queries");
    let lines: Vec<String> = queries.iter().map(|(_, query)| query.line()).collect();
    assert_eq!(lines, ["x[60s]", "t percentile 95"]);
    let Query::Dynatrace(Dynatrace::Timeseries(query)) = &queries[1].1 else { panic!("{queries:?}") };
    assert_eq!((&query.tags, query.is_open()), (&Some(json!(["service:carts"])), false));
    assert!(Perfspec::parse("perfspec.json", &text).and_then(|spec| spec.resolve(&Context::default())).is_err());
}

#[test]
fn verdicts_say_why() {
    assert_eq!(graded(json!({"upperSevere": 1}), json!(0)).reason, "score 100 of 100 reaches 90");
    let warning = graded(json!({"upperWarning": 1}), json!(2));
    assert_eq!(warning.reason, "score 50 of 100 reaches the warning level 50, not 90: a (2 >= upperWarning 1)");
    assert_eq!(graded(json!({"upperSevere": 1}), json!(2)).reason, "score 0 of 100 is below 50: a (2 >= upperSevere 1)");
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let ok = indicator("a", 100.0, json!({"upperSevere": 1}));
    let with = |pointer: &str, value: Value| {
        let mut changed = json!([ok]);
        *changed.pointer_mut(pointer).expect("it is there") = value;
        spec(changed, json!({"pass": 90}))
    };
    for (text, says) in [
        (with("/0/grading/thresholds", json!({"lowerWarning ": 2})), "did you mean `lowerWarning`?"),
        (with("/0/grading/metricScore", json!("100")), "a `metricScore`"),
        (with("/0/grading/type", json!("Baseline")), "unknown grading `Baseline`"),
        (with("/0/grading/thresholds/upperSevere", json!("fast")), "`upperSevere` is a number, not \"fast\""),
        (with("/0/grading/thresholds/upperSevere", json!(true)), "is a number"),
        (with("/0/grading", json!(7)), "a `grading`"),
        (with("/0/id", json!("")), "a text `id`"),
        (with("/0/query", json!(null)), "has a `query`"),
        (with("/0", json!(null)), "an indicator is an object"),
        (spec(json!([ok, ok]), json!({"pass": 90})), "`a` is the id of two indicators"),
        (spec(json!({}), json!({"pass": 90})), "a list of `indicators`"),
        (json!({"indicators": []}).to_string(), "has `objectives`"),
        (spec(json!([ok]), json!({"pass": 90, "warn": 50})), "unknown key `warn`; known are pass, warning"),
        ("[]".into(), "is a JSON object"),
        ("{\n\"a\": }".into(), "perfspec.json:2:6: this is not JSON"),
    ] {
        let error = Perfspec::parse("perfspec.json", &text).expect_err(says);
        assert!(error.message.contains(says), "{says}: {}", error.message);
        assert!(error.message.starts_with("perfspec.json:"), "{}", error.message);
    }
}

#[test]
fn lint_finds_what_is_hardly_meant() {
    let lint = |indicators: Value, objectives: Value| {
        let found = Perfspec::lint(&spec(indicators, objectives), Options::default());
        found.into_iter().map(|one| one.message).collect::<Vec<_>>()
    };
    let fine = indicator("a", 100.0, json!({"upperSevere": 2, "upperWarning": 1}));
    assert_eq!(lint(json!([fine]), json!({"pass": 90, "warning": 50})), Vec::<String>::new());
    for (indicators, objectives, says) in [
        (json!([indicator("a", 100.0, json!({}))]), json!({"pass": 90}), "no thresholds"),
        (
            json!([indicator("a", 100.0, json!({"upperSevere": 1, "upperWarning": 1}))]),
            json!({"pass": 90}),
            "upperWarning is never",
        ),
        (
            json!([indicator("a", 100.0, json!({"lowerSevere": 5, "lowerWarning": 1}))]),
            json!({"pass": 90}),
            "lowerWarning is never",
        ),
        (
            json!([indicator("a", 100.0, json!({"lowerSevere": 5, "upperSevere": 1}))]),
            json!({"pass": 90}),
            "every value is broken",
        ),
        (json!([indicator("a", 50.0, json!({"upperSevere": 1}))]), json!({"pass": 90}), "`pass` 90 is never reached"),
        (json!([indicator("a", 50.0, json!({"upperSevere": 1}))]), json!({"pass": 50}), "sum to 50, not to 100"),
        (json!([indicator("a", 100.0, json!({"upperSevere": 1}))]), json!({"pass": 0}), "no value of any indicator can fail"),
        (json!([indicator("a", 100.0, json!({"upperSevere": 1}))]), json!({"pass": 50, "warning": 50}), "`warning` is not below"),
        (json!([indicator("a", 100.0, json!({"upperSevere": 1}))]), json!({"warning": 50}), "no `pass`"),
        (json!([indicator("a", 0.0, json!({"upperSevere": 1}))]), json!({"pass": 50}), "a score of 0"),
        (json!([indicator("a", -5.0, json!({"upperSevere": 1}))]), json!({"pass": 50}), "a negative score"),
        (json!([]), json!({"pass": 0}), "no indicators"),
        (
            json!([indicator("a", 100.0, json!({"upperSevere": 1})), indicator("b", 80.0, json!({"upperSevere": 1}))]),
            json!({"pass": 90, "warning": 75}),
            "`a` alone cannot fail",
        ),
        (
            json!([indicator("a", 100.0, json!({"upperSevere": 1, "upperWarning": 0.8}))]),
            json!({"pass": 90, "warning": 75}),
            "a warning of `a` fails the gate: half of its score leaves 50, and 75 is needed",
        ),
    ] {
        let found = lint(indicators, objectives);
        assert!(found.iter().any(|one| one.contains(says)), "{says}: {found:?}");
    }
    let datadog = json!([{"id": "a", "source": "Datadog", "query": "q", "grading":
        {"type": "Threshold", "thresholds": {"upperSevere": 1}, "metricScore": 100}}]);
    assert_eq!(lint(datadog, json!({"pass": 90})), ["unknown source `Datadog`; known are Prometheus, Dynatrace"]);
}

/// An upper limit never gives more points to a greater value, a lower one never to a smaller.
#[test]
fn grading_is_monotone() {
    let mut dice = Dice(7);
    for _ in 0..500 {
        let (severe, warning) = (dice.roll(100) as i64 - 50, dice.roll(100) as i64 - 50);
        let (small, step) = (dice.roll(200) as i64 - 100, dice.roll(60) as i64);
        let score = |thresholds: &Value, value: i64| graded(thresholds.clone(), json!(value)).score;
        let upper = json!({"upperSevere": severe, "upperWarning": warning});
        assert!(score(&upper, small) >= score(&upper, small + step), "{upper} {small} {step}");
        let lower = json!({"lowerSevere": severe, "lowerWarning": warning});
        assert!(score(&lower, small) <= score(&lower, small + step), "{lower} {small} {step}");
    }
}

/// With whole scores the order of indicators, answers and series changes neither the total nor the verdict.
#[test]
fn the_order_does_not_matter() {
    let mut dice = Dice(11);
    for _ in 0..300 {
        let count = 1 + dice.roll(6) as usize;
        let mut indicators: Vec<Value> = (0..count)
            .map(|at| {
                let thresholds =
                    json!({"upperSevere": dice.roll(20), "upperWarning": dice.roll(20), "lowerSevere": dice.roll(5)});
                indicator(&format!("i{at}"), dice.roll(60) as f64, thresholds)
            })
            .collect();
        let mut answers: Vec<Answer> = (0..count)
            .map(|at| {
                let series = (0..dice.roll(4)).map(|one| Sample::of(format!("s{one}"), dice.roll(25))).collect();
                Answer::new(format!("i{at}"), series)
            })
            .collect();
        let goals = json!({"pass": dice.roll(150), "warning": dice.roll(100)});
        let grade = |indicators: &[Value], answers: &[Answer]| {
            let spec = Perfspec::parse("perfspec.json", &spec(json!(indicators), goals.clone())).expect("a perfspec");
            let evaluation = spec.grade(Evidence { answers: answers.to_vec(), ..Evidence::default() });
            (evaluation.score, evaluation.verdict)
        };
        let before = grade(&indicators, &answers);
        for at in (1..count).rev() {
            indicators.swap(at, dice.roll(at as u64 + 1) as usize);
            answers.swap(at, dice.roll(at as u64 + 1) as usize);
        }
        answers.iter_mut().for_each(|answer| answer.samples.reverse());
        assert_eq!(grade(&indicators, &answers), before);
    }
}

/// Arbitrary JSON is read or refused, and what is read is graded; nothing panics.
#[test]
fn arbitrary_files_do_no_harm() {
    let words = [
        "indicators",
        "objectives",
        "grading",
        "thresholds",
        "metricScore",
        "upperSevere",
        "lowerSeverePerc",
        "id",
        "source",
        "query",
        "pass",
        "warning",
        "type",
        "Threshold",
        "Prometheus",
        "Dynatrace",
        "timeseriesId",
        "aggregation",
        "~/",
        "é",
        "",
    ];
    fn any(dice: &mut Dice, words: &[&str], depth: u64) -> Value {
        match dice.roll(if depth == 0 { 5 } else { 9 }) {
            0 => Value::Null,
            1 => json!(dice.roll(2) == 0),
            2 => json!(dice.roll(200) as f64 - 100.5),
            3 | 4 => json!(dice.pick(words)),
            5 | 6 => (0..dice.roll(4)).map(|_| any(dice, words, depth - 1)).collect(),
            _ => {
                let entries = dice.roll(6);
                Value::Object((0..entries).map(|_| ((*dice.pick(words)).to_owned(), any(dice, words, depth - 1))).collect())
            }
        }
    }
    let mut dice = Dice(3);
    let whole = spec(json!([indicator("a", 100.0, json!({"upperSevere": 1}))]), json!({"pass": 90}));
    for round in 0..2_000 {
        let mut text = match round % 3 {
            0 => any(&mut dice, &words, 4).to_string(),
            1 => spec(any(&mut dice, &words, 4), any(&mut dice, &words, 2)),
            _ => {
                let mut changed: Value = serde_json::from_str(&whole).expect("JSON");
                let pointer = *dice.pick(&[
                    "/indicators/0",
                    "/indicators/0/grading",
                    "/indicators/0/grading/thresholds",
                    "/objectives/pass",
                ]);
                *changed.pointer_mut(pointer).expect("it is there") = any(&mut dice, &words, 3);
                changed.to_string()
            }
        };
        if round % 5 == 0 {
            text.truncate((0..=text.len()).rev().filter(|at| text.is_char_boundary(*at)).nth(dice.roll(9) as usize).unwrap_or(0));
        }
        Perfspec::lint(&text, Options::default());
        if let Ok(spec) = Perfspec::parse("perfspec.json", &text) {
            let _ = spec.queries();
            pitometer(&spec.grade(Evidence::default()), None);
        }
    }
}

#[test]
fn an_indicator_that_may_be_empty_may_not_fail_to_be_measured() {
    let mut one = indicator("a", 100.0, json!({"upperSevere": 10}));
    one["grading"]["ignoreEmpty"] = true.into();
    let spec = Perfspec::parse("perfspec.json", &spec(json!([one]), json!({"pass": 90}))).expect("a perfspec");
    let verdict =
        |samples: Vec<Sample>| spec.grade(Evidence { answers: vec![Answer::new("a", samples)], ..Evidence::default() }).verdict;
    assert_eq!(verdict(vec![]), Verdict::Pass);
    assert_eq!(verdict(vec![Sample::failed("timeout")]), Verdict::Fail);
    assert_eq!(verdict(vec![Sample::of("a", 1), Sample::failed("timeout")]), Verdict::Fail);
}
