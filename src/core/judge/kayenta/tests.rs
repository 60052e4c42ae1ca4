//! Kayenta's own cases, and what its users complain of.

use super::*;
use serde_json::Value;
use std::path::Path;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// The same number, NaN (`null`, or the word) included.
fn close(found: f64, expected: &Value, tolerance: f64) -> bool {
    let expected = number(expected);
    (found.is_nan() && expected.is_nan()) || (found - expected).abs() <= tolerance
}

fn check(holds: bool, what: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

fn analysis(case: &Value) -> Analysis {
    let word = |key: &str| case[key].as_str().unwrap_or_default();
    let pair = |key: &str| (number(&case[key][0]), number(&case[key][1]));
    let measure = if word("effectSizeMeasure") == "cles" { Measure::Cles } else { Measure::MeanRatio };
    let ((allowed_decrease, allowed_increase), (critical_decrease, critical_increase)) =
        (pair("effectSizeThresholds"), pair("criticalThresholds"));
    Analysis {
        direction: match word("direction") {
            "increase" => Direction::Increase,
            "decrease" => Direction::Decrease,
            _ => Direction::Either,
        },
        nan_strategy: if word("nanStrategy") == "replace" { NanStrategy::Replace } else { NanStrategy::Remove },
        critical: case["critical"] == true,
        must_have_data: case["mustHaveData"] == true,
        allowed_increase,
        allowed_decrease,
        critical_increase,
        critical_decrease,
        ..Analysis::of(measure)
    }
}

fn settings(case: &Value) -> Settings {
    Settings { tolerance: number(&case["tolerance"]), confidence: number(&case["confLevel"]), ..Settings::default() }
}

fn classifier(case: &Value) -> Result<(), String> {
    let (control, experiment) = (numbers(&case["control"]), numbers(&case["experiment"]));
    let judged = match case["classifier"].as_str() {
        Some("MannWhitneyClassifier") => classify("m", &control, &experiment, &analysis(case), &settings(case)),
        Some("MeanInequalityClassifier") => classify_by_means("m", &control, &experiment, &analysis(case)),
        other => return Err(format!("the classifier {other:?} is not known")),
    };
    let expect = &case["expect"];
    let classification = format!("{:?}", judged.classification);
    check(expect["classification"] == classification, format!("classified as {classification}"))?;
    if let Some(critical) = expect.get("critical") {
        check(*critical == judged.critical, format!("critical: {}", judged.critical))?;
    }
    if let Some(deviation) = expect.get("deviation") {
        check(close(judged.deviation, deviation, 1e-4), format!("deviation {}", judged.deviation))?;
    }
    Ok(())
}

fn test_of_samples(case: &Value) -> Result<(), String> {
    let (tolerance, expect) = (number(&case["tol"]), &case["expect"]);
    if let Some(p) = case.get("p") {
        let quantile = -normal::exceeded_with(number(p));
        return check(close(quantile, expect, tolerance), format!("quantile {quantile}"));
    }
    let (x, y) = (case.get("x").unwrap_or(&case["experiment"]), case.get("y").unwrap_or(&case["control"]));
    let (x, y, confidence) = (numbers(x), numbers(y), number(&case["confLevel"]));
    let shift = mann_whitney(&y, &x, confidence, Arithmetic::Kayenta).map_err(|Tied| "tied")?;
    let samples = mann_whitney::Samples::new(&y, &x);
    let z = normal::exceeded_with((1.0 - confidence) / 2.0);
    let (least, greatest) = samples.range();
    let at = |shift: f64, quantile: f64| samples.statistic(shift).map_or(f64::NAN, |value| value - quantile);
    for (key, expected) in expect.as_object().ok_or("no object")? {
        let ends = case["tol_ci"].as_f64().unwrap_or(tolerance);
        let (found, tolerance) = match key.as_str() {
            "ci" => {
                check(close(shift.low, &expected[0], ends) && close(shift.high, &expected[1], ends), format!("{shift:?}"))?;
                continue;
            }
            "estimate" => (shift.estimate, case["tol_estimate"].as_f64().unwrap_or(tolerance)),
            "ciLow" => (shift.low, ends),
            "ciHigh" => (shift.high, ends),
            "muMin" => (least, tolerance),
            "muMax" => (greatest, tolerance),
            "zqLower" => (z, tolerance),
            "zqUpper" => (-z, tolerance),
            "diff(muMin,zqLower)" => (at(least, z), tolerance),
            "diff(muMax,zqLower)" => (at(greatest, z), tolerance),
            "diff(muMin,zqUpper)" => (at(least, -z), tolerance),
            "diff(muMax,zqUpper)" => (at(greatest, -z), tolerance),
            other => return Err(format!("`{other}` is not known")),
        };
        check(close(found, expected, tolerance), format!("{key} is {found}"))?;
    }
    Ok(())
}

fn statistic(case: &Value) -> Result<(), String> {
    let (input, expect, tolerance) = (&case["input"], &case["expect"], number(&case["tol"]));
    let sides = || (numbers(&input["control"]), numbers(&input["experiment"]));
    let found = match case["kind"].as_str().unwrap_or_default() {
        "summary" => {
            let summary = serde_json::to_value(Summary::of(&numbers(input))).map_err(|error| error.to_string())?;
            let differs = expect
                .as_object()
                .ok_or("no object")?
                .iter()
                .find(|(key, value)| !close(number(&summary[*key]), value, tolerance));
            return check(differs.is_none(), format!("{differs:?} in {summary}"));
        }
        "percentile_R7" => percentile(&numbers(&input["data"]), number(&input["p"])),
        "meanRatio" => mean_ratio(&sides().0, &sides().1),
        "cles" => cles(&sides().0, &sides().1),
        kind if kind.to_lowercase().starts_with("cohen") => cohens_d(&Summary::of(&sides().0), &Summary::of(&sides().1)),
        kind => return Err(format!("the kind `{kind}` is not known")),
    };
    check(close(found, expect, tolerance), format!("{found}"))
}

fn detector(case: &Value) -> Result<(), String> {
    let data = numbers(&case["data"]);
    let found = match case["detector"].as_str() {
        Some("ksigma") => k_sigma_outliers(&data, number(&case["k"])),
        Some("iqr") => iqr_outliers(&data, number(&case["factor"]), case["reduceSensitivity"] == true),
        other => return Err(format!("the detector {other:?} is not known")),
    };
    check(case["outlier"] == Value::from(found.clone()), format!("{found:?}"))
}

fn transform(case: &Value) -> Result<(), String> {
    let data = numbers(&case["data"]);
    let found = match case["op"].as_str().unwrap_or_default() {
        "remove_nan" => NanStrategy::Remove.apply(&data),
        "replace_nan_with_0" => NanStrategy::Replace.apply(&data),
        op if op.starts_with("remove_outliers") => {
            let (k, factor) = (case["k"].as_f64(), case["factor"].as_f64().unwrap_or(1.5));
            let outliers = match k {
                Some(k) => k_sigma_outliers(&data, k),
                None => iqr_outliers(&data, factor, case["reduceSensitivity"] == true),
            };
            data.into_iter().zip(outliers).filter(|(_, is_outlier)| !is_outlier).map(|(value, _)| value).collect()
        }
        op => return Err(format!("the operation `{op}` is not known")),
    };
    check(found == numbers(&case["expect"]), format!("{found:?}"))
}

fn classification(word: &Value) -> Classification {
    serde_json::from_value(word.clone()).expect("a classification")
}

fn scorer(case: &Value) -> Result<(), String> {
    let weights: BTreeMap<String, f64> =
        serde_json::from_value(case["groupWeights"].clone()).map_err(|error| error.to_string())?;
    let metrics = case["metrics"].as_array().ok_or("no metrics")?;
    let groups: Vec<Vec<String>> =
        metrics.iter().map(|metric| serde_json::from_value(metric["groups"].clone()).unwrap_or_default()).collect();
    let graded: Vec<Graded<'_>> = metrics
        .iter()
        .zip(&groups)
        .filter(|(metric, _)| metric["muted"] != true)
        .map(|(metric, groups)| Graded {
            groups,
            classification: classification(&metric["classification"]),
            critical: metric["critical"] == true,
            reason: None,
        })
        .collect();
    let score = Score::of(&graded, &weights);
    check(close(score.score, &case["summaryScore"], 1e-9), format!("{score:?}"))?;
    for (name, expected) in case["groupScores"].as_object().into_iter().flatten() {
        let found = score.groups.iter().find(|group| group.name == *name).map_or(f64::NAN, |group| group.score);
        check(close(found, expected, 1e-9), format!("{name}: {found}"))?;
    }
    Ok(())
}

fn metric(control: Vec<f64>, experiment: Vec<f64>) -> Metric {
    Metric { name: "m".to_owned(), groups: vec!["g".to_owned()], analysis: Analysis::default(), control, experiment }
}

/// What Kayenta says of its known weaknesses, and that it does not go without a word here.
fn weakness(case: &Value) -> Result<(), String> {
    if let Some(said) = case.get("judge_says") {
        let judged = judge_metric(&metric(numbers(&case["control"]), numbers(&case["experiment"])), &settings(case));
        check(classification(said) == judged.judged.classification, format!("{:?}", judged.judged))?;
        return check(!judged.findings.is_empty(), "no finding");
    }
    let mut random = 1;
    if let Some(rates) = case["false_alarm_rate_at_n"].as_object() {
        for (size, rate) in rates {
            let size: usize = size.parse().map_err(|_| "no size")?;
            let (alarms, runs) = null_alarms(size, &mut random, 1.0);
            let (found, rate) = (alarms as f64 / runs as f64, number(rate));
            check((found - rate).abs() < 0.02 + 0.3 * rate, format!("{size}: {found}"))?;
        }
        return Ok(());
    }
    let effects = case["non_pass_of_300_by_true_effect_and_scale"].as_object().ok_or("not known")?;
    for (effect, by_scale) in effects {
        for (scale, expected) in by_scale.as_object().ok_or("no scales")? {
            let (effect, factor): (f64, f64) = (effect.parse().map_err(|_| "no effect")?, scale.parse().map_err(|_| "no scale")?);
            let (mut found, runs) = (0, 100);
            for _ in 0..runs {
                let (control, experiment) = (sample(30, factor, &mut random), sample(30, factor * effect, &mut random));
                let judged = classify("m", &control, &experiment, &Analysis::default(), &Settings::default());
                found += usize::from(judged.classification != Classification::Pass);
            }
            let (found, expected) = (found as f64 / runs as f64, number(expected) / 300.0);
            check((found - expected).abs() < 0.16, format!("{effect} at {scale}: {found} and not {expected}"))?;
        }
    }
    Ok(())
}

/// Values around `mean`, 15 % standard deviation.
fn sample(size: usize, mean: f64, random: &mut u64) -> Vec<f64> {
    let mut uniform = || {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..size).map(|_| mean * (1.0 + 0.15 * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0))).collect()
}

fn null_alarms(size: usize, random: &mut u64, scale: f64) -> (usize, usize) {
    let runs = 400;
    let alarms = (0..runs).filter(|_| {
        let (control, experiment) = (sample(size, scale, random), sample(size, scale, random));
        classify("m", &control, &experiment, &Analysis::default(), &Settings::default()).classification != Classification::Pass
    });
    (alarms.count(), runs)
}

#[test]
#[allow(clippy::print_stderr)]
fn every_recorded_case() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/kayenta.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not here", path.display());
        return;
    };
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    type Run = fn(&Value) -> Result<(), String>;
    let sections: [(&str, Run); 7] = [
        ("classifier", classifier),
        ("mannwhitney", test_of_samples),
        ("statistics", statistic),
        ("detectors", detector),
        ("transforms", transform),
        ("scorer", scorer),
        ("weakness_cases", weakness),
    ];
    let (mut run, mut failures) = (0, Vec::new());
    for (section, test) in sections {
        for case in vectors[section].as_array().expect(section) {
            run += 1;
            if let Err(error) = test(case) {
                failures.push(format!("{}: {error}", case["id"].as_str().unwrap_or(section)));
            }
        }
    }
    let all: usize = vectors.as_object().expect("object").values().filter_map(Value::as_array).map(Vec::len).sum();
    assert_eq!(run, all, "a section was not run");
    assert!(run >= 55, "only {run} cases");
    assert!(failures.is_empty(), "{} of {run} failed:\n{}", failures.len(), failures.join("\n"));
}

fn judged(control: &[f64], experiment: &[f64], analysis: &Analysis, arithmetic: Arithmetic) -> Classified {
    classify("m", control, experiment, analysis, &Settings { arithmetic, ..Settings::default() })
}

fn classes(control: &[f64], experiment: &[f64], analysis: &Analysis) -> (Classification, bool) {
    let judged = judged(control, experiment, analysis, Arithmetic::Kayenta);
    (judged.classification, judged.critical)
}

const LOW: [f64; 5] = [1.0, 2.2, 1.1, 2.5, 3.0];
const HIGH: [f64; 5] = [20.0, 22.0, 21.0, 25.0, 30.0];

#[test]
fn directions_sizes_and_criticality() {
    use Classification::{High, Low, Pass};
    let with = |change: fn(&mut Analysis)| {
        let mut analysis = Analysis::default();
        change(&mut analysis);
        analysis
    };
    for (analysis, up, down) in [
        (with(|_| {}), (High, false), (Low, false)),
        (with(|a| a.direction = Direction::Increase), (High, false), (Pass, false)),
        (with(|a| a.direction = Direction::Decrease), (Pass, false), (Low, false)),
        (with(|a| a.critical = true), (High, true), (Low, true)),
        (with(|a| (a.allowed_increase, a.allowed_decrease) = (13.0, 0.05)), (Pass, false), (Pass, false)),
        (with(|a| (a.critical, a.critical_increase, a.critical_decrease) = (true, 13.0, 0.05)), (High, false), (Low, false)),
        (with(|a| (a.measure, a.allowed_increase, a.allowed_decrease) = (Measure::Cles, 1.0, 0.0)), (High, false), (Low, false)),
        (with(|a| (a.measure, a.allowed_increase) = (Measure::Cles, 1.01)), (Pass, false), (Low, false)),
    ] {
        assert_eq!(classes(&LOW, &HIGH, &analysis), up, "{analysis:?}");
        assert_eq!(classes(&HIGH, &LOW, &analysis), down, "{analysis:?}");
    }
}

#[test]
fn missing_and_constant_values() {
    use Classification::{Error, High, Low, Nodata, NodataFailMetric, Pass};
    for (replace, critical, must, expected) in [
        (false, false, false, (Nodata, false)),
        (false, true, false, (Nodata, true)),
        (false, false, true, (NodataFailMetric, false)),
        (false, true, true, (Nodata, true)),
        (true, true, true, (Pass, false)),
    ] {
        let nan_strategy = if replace { NanStrategy::Replace } else { NanStrategy::Remove };
        let analysis = Analysis { nan_strategy, critical, must_have_data: must, ..Analysis::default() };
        assert_eq!(classes(&LOW, &[], &analysis), expected);
        assert_eq!(classes(&[], &[], &analysis), expected);
    }
    let analysis = Analysis::default();
    assert_eq!(classes(&[1.0; 5], &[10.0; 5], &analysis).0, High);
    assert_eq!(classes(&[10.0; 5], &[0.0; 5], &analysis).0, Low);
    assert_eq!(classes(&[7.0; 5], &[7.0; 9], &analysis).0, Pass);
    assert_eq!(classes(&[1.0, 2.0, 3.0], &[3.0, 1.0, 2.0], &analysis).0, Pass);
    assert_eq!(classes(&LOW, &[1.0, 2.0, f64::INFINITY], &analysis).0, Error);
    // A missing value that was 0 is one.
    let zeroes = metric(vec![f64::NAN; 5], vec![4.0, 5.0, 6.0, f64::NAN, 5.0]);
    let replaced = Metric { analysis: Analysis { nan_strategy: NanStrategy::Replace, ..Analysis::default() }, ..zeroes.clone() };
    let settings = Settings::default();
    assert_eq!(judge_metric(&zeroes, &settings).judged.classification, Nodata);
    assert_eq!(judge_metric(&replaced, &settings).control, Summary { count: 5, ..Summary::default() });
}

/// All differences, sorted.
fn differences(control: &[f64], experiment: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> = experiment.iter().flat_map(|x| control.iter().map(move |y| x - y)).collect();
    all.sort_by(f64::total_cmp);
    all
}

#[test]
fn exactly_the_estimate_is_the_median_of_all_differences_and_the_ends_are_differences() {
    let mut random = 7;
    for (m, n) in [(5, 5), (6, 9), (20, 21), (30, 30)] {
        let (control, experiment) = (sample(n, 1.0, &mut random), sample(m, 1.1, &mut random));
        let all = differences(&control, &experiment);
        let shift = mann_whitney(&control, &experiment, 0.98, Arithmetic::Exact).expect("no ties");
        let median = f64::midpoint(all[(all.len() - 1) / 2], all[all.len() / 2]);
        assert!((shift.estimate - median).abs() < 1e-12, "{m} {n}: {} and not {median}", shift.estimate);
        assert!(all.contains(&shift.low) && all.contains(&shift.high) && shift.low < median && median < shift.high);
    }
}

#[test]
fn exactly_neither_the_unit_nor_the_order_nor_the_side_matters() {
    let mut random = 3;
    for effect in [1.0, 1.1, 1.3] {
        let (control, experiment) = (sample(30, 1.0, &mut random), sample(30, effect, &mut random));
        let expected = judged(&control, &experiment, &Analysis::default(), Arithmetic::Exact);
        for scale in [1e-9, 1e-5, 1e-3, 1e6, 1e12] {
            let scaled = |values: &[f64]| values.iter().rev().map(|value| value * scale).collect::<Vec<_>>();
            let found = judged(&scaled(&control), &scaled(&experiment), &Analysis::default(), Arithmetic::Exact);
            assert_eq!(found.classification, expected.classification, "{effect} {scale}");
        }
        let there = mann_whitney(&control, &experiment, 0.98, Arithmetic::Exact).expect("no ties");
        let back = mann_whitney(&experiment, &control, 0.98, Arithmetic::Exact).expect("no ties");
        assert_eq!((there.low, there.high, there.estimate, there.p_value), (-back.high, -back.low, -back.estimate, back.p_value));
    }
}

#[test]
fn ties_are_exact_too() {
    // Half of the differences are 0: no rounding may make a shift of it.
    let (control, experiment) = ([0.0; 6], [0.0, 1.0, 2.0, 1.0, 0.0, 0.0]);
    let shift = mann_whitney(&control, &experiment, 0.98, Arithmetic::Exact).expect("not all are tied");
    assert_eq!((shift.low, shift.high, shift.estimate), (0.0, 2.0, 0.5));
}

fn kinds(metric: &Metric, settings: &Settings) -> Vec<Kind> {
    judge_metric(metric, settings).findings.iter().map(|finding| finding.kind).collect()
}

#[test]
fn what_deserves_a_doubt_gets_one() {
    let settings = Settings::default();
    assert_eq!(kinds(&metric(LOW.to_vec(), HIGH.to_vec()), &settings), []);
    assert_eq!(kinds(&metric(LOW[..2].to_vec(), HIGH[..2].to_vec()), &settings), [Kind::TooFewValues]);
    assert_eq!(kinds(&metric(vec![0.0; 6], vec![0.0, 1.0, 2.0, 1.0, 0.0, 0.0]), &settings), [Kind::Sparse]);
    let below = metric(LOW.iter().map(|value| -value).collect(), HIGH.iter().map(|value| -value).collect());
    assert_eq!(kinds(&below, &settings), [Kind::Negative]);
    let mut random = 11;
    let (mut control, mut experiment) = (sample(30, 1.0, &mut random), sample(30, 1.3, &mut random));
    assert_eq!(kinds(&metric(control.clone(), experiment.clone()), &settings), []);
    control.iter_mut().chain(&mut experiment).for_each(|value| *value *= 1e-5);
    let tiny = judge_metric(&metric(control.clone(), experiment.clone()), &settings);
    assert_eq!((tiny.judged.classification, tiny.exact), (Classification::Pass, Classification::High));
    assert_eq!(tiny.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [Kind::Unit]);
    let exact = Settings { arithmetic: Arithmetic::Exact, ..settings };
    assert_eq!(judge_metric(&metric(control, experiment), &exact).judged.classification, Classification::High);

    let narrow: Vec<f64> = sample(40, 1.0, &mut random).iter().map(|value| 1.0 + (value - 1.0) / 20.0).collect();
    assert!(kinds(&metric(sample(40, 1.0, &mut random), narrow), &settings).contains(&Kind::Spread));
    let rising: Vec<f64> = (0..30).map(f64::from).collect();
    assert!(
        kinds(&metric(rising.clone(), rising.iter().map(|value| value + 1.0).collect()), &settings)
            .contains(&Kind::Autocorrelated)
    );
}

#[test]
fn few_values_are_not_judged_exactly() {
    for (size, expected) in [(2, Classification::Nodata), (4, Classification::Nodata), (5, Classification::High)] {
        let found = judged(&LOW[..size], &HIGH[..size], &Analysis::default(), Arithmetic::Exact);
        assert_eq!(found.classification, expected, "{size}");
    }
    let mut random = 5;
    let (alarms, runs) = null_alarms(2, &mut random, 1.0);
    assert!(alarms * 5 > runs, "Kayenta fails {alarms} of {runs} good versions by two values");
}

#[test]
fn the_whole_of_it() {
    let mut random = 1;
    let passing = Metric { name: "a".to_owned(), ..metric(sample(30, 1.0, &mut random), sample(30, 1.0, &mut random)) };
    let failing = Metric { name: "b".to_owned(), ..metric(sample(30, 1.0, &mut random), sample(30, 2.0, &mut random)) };
    let weights = BTreeMap::from([("g".to_owned(), 60.0), ("absent".to_owned(), 40.0)]);
    let judgement = judge(&[passing.clone(), failing.clone()], &weights, 95.0, 20.0, &Settings::default());
    assert_eq!((judgement.score.score, judgement.classification), (30.0, ScoreClassification::Marginal));
    assert_eq!(judgement.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [Kind::Unreachable]);
    assert!(judgement.findings[0].text.contains("no metric is in absent"), "{}", judgement.findings[0].text);

    let muted = Metric { analysis: Analysis { muted: true, critical: true, ..Analysis::default() }, ..failing.clone() };
    let judgement = judge(&[passing.clone(), muted], &BTreeMap::new(), 95.0, 75.0, &Settings::default());
    assert_eq!((judgement.score.score, judgement.classification), (100.0, ScoreClassification::Pass));

    let critical = Metric { analysis: Analysis { critical: true, ..Analysis::default() }, ..failing };
    let judgement = judge(&[passing, critical], &BTreeMap::new(), 95.0, 75.0, &Settings::default());
    assert_eq!(judgement.classification, ScoreClassification::Fail);
    assert_eq!(judgement.score.reason.as_deref(), Some("Canary Failed: The metric b was classified as High (Critical)"));
    let json = serde_json::to_value(&judgement).expect("JSON");
    assert_eq!(json["results"][1]["classification"], "High");
    assert_eq!(json["score"], 0.0);
}

#[test]
fn odd_numbers_do_not_panic() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 0.0, -0.0, 1.0];
    let mut random = 9u64;
    let mut next = |bound: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % bound
    };
    for round in 0..2000 {
        let mut values = || (0..next(8)).map(|_| odd[next(odd.len())]).collect::<Vec<_>>();
        let mut case = metric(values(), values());
        case.analysis.outlier_factor = (round % 2 == 0).then_some(3.0);
        for arithmetic in [Arithmetic::Kayenta, Arithmetic::Exact] {
            let settings = Settings { arithmetic, ..Settings::default() };
            let judged = judge_metric(&case, &settings);
            assert!(serde_json::to_string(&judged).is_ok());
        }
    }
}

/// Judging ten thousand values is a matter of milliseconds: `cargo test --release --lib kayenta -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn ten_thousand_values() {
    let mut random = 1;
    let large = metric(sample(10_000, 1.0, &mut random), sample(10_000, 1.01, &mut random));
    let start = std::time::Instant::now();
    let result = judge_metric(&large, &Settings::default());
    println!("{:?}: {:?}", start.elapsed(), result.judged);
}
