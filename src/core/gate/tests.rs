use super::evaluation::{Answer, Previous, Sample, Verdict, Window};
use super::*;
use serde_json::{Value, json};

const PERFSPEC: &str = r#"{"spec_version": "1.0",
 "indicators": [{"id": "latency", "source": "Prometheus", "query": "q",
   "grading": {"type": "Threshold", "thresholds": {"upperSevere": 0.8, "upperWarning": 0.5}, "metricScore": 100, "metadata": {"x": 1}}}],
 "objectives": {"pass": 90, "warning": 50}}"#;

const SLO: &str = "objectives:\n- sli: p95\n  displayName: Latency\n  pass:\n  - criteria: [\"<=+10%\", \"<600\"]\n  warning:\n  - criteria: [\"<=800\"]\n  weight: 2\n  key_sli: true\ntotal_score: {pass: \"90%\", warning: \"75%\"}\n";

fn window() -> Option<Window> {
    Some(Window { start: 1_557_000_000, end: 1_557_000_180 })
}

fn latency(value: &str) -> Evaluation {
    let answers = vec![Answer::new("latency", vec![Sample::of(r#"{"job":"carts"}"#, value)])];
    let gate = Gate::parse("perfspec.json", PERFSPEC).expect("a perfspec");
    gate.grade(Evidence { window: window(), answers, previous: vec![], ..Evidence::default() })
}

fn p95(value: f64, before: &[Previous]) -> Evaluation {
    let answers = vec![Answer::new("p95", vec![Sample::of("", value)])];
    let gate = Gate::parse("slo.yaml", SLO).expect("an SLO");
    gate.grade(Evidence { window: window(), answers, previous: before.to_vec(), ..Evidence::default() })
}

#[test]
fn pitometers_result_key_for_key() {
    let printed = perfspec::pitometer(&latency("0.6"), Some("sockshop/run1"));
    assert_eq!(
        printed.to_string(),
        concat!(
            r#"{"options":{"context":"sockshop/run1","timeStart":1557000000,"timeEnd":1557000180},"totalScore":50,"#,
            r#""objectives":{"pass":90,"warning":50},"indicatorResults":[{"id":"latency","violations":[{"metadata":{"x":1},"#,
            r#""value":"0.6","key":"{\"job\":\"carts\"}","breach":"upperWarning","threshold":0.5}],"score":50}],"result":"warning"}"#
        )
    );
}

#[test]
fn lighthouses_result_key_for_key() {
    let before = Previous::of("yesterday", &p95(500.0, &[]));
    let printed = slo::keptn(&p95(560.0, &[before]), slo::Printed { start: "s", end: "e", slo_file_content: "Zg==" });
    assert_eq!(
        printed.to_string(),
        concat!(
            r#"{"status":"succeeded","result":"fail","#,
            r#""message":"Evaluation failed since the calculated score of 50 is below the warning value of 75","#,
            r#""evaluation":{"timeStart":"s","timeEnd":"e","result":"fail","score":50,"sloFileContent":"Zg==","#,
            r#""indicatorResults":[{"score":1,"value":{"metric":"p95","value":560,"comparedValue":500,"success":true},"#,
            r#""displayName":"Latency","passTargets":[{"criteria":"<=+10%","targetValue":550,"violated":true},"#,
            r#"{"criteria":"<600","targetValue":600,"violated":false}],"#,
            r#""warningTargets":[{"criteria":"<=800","targetValue":800,"violated":false}],"keySli":true,"status":"warning"}],"#,
            r#""comparedEvents":["yesterday"]}}"#
        )
    );
}

#[test]
fn an_evaluation_is_graded_again_from_its_json() {
    let before = Previous::of("yesterday", &p95(500.0, &[]));
    for evaluation in [
        latency("0.6"),
        latency("NaN"),
        latency("+Inf"),
        p95(560.5, std::slice::from_ref(&before)),
        p95(f64::NAN, &[before]),
        p95(1.0 / 3.0, &[]),
    ] {
        let json = serde_json::to_string(&evaluation).expect("JSON");
        assert_eq!(regrade("evidence.json", &json), Ok(evaluation.clone()));
        // Only the basis counts: a verdict that was edited does not.
        let mut edited: Value = serde_json::from_str(&json).expect("JSON");
        edited["verdict"] = json!("pass");
        assert_eq!(regrade("evidence.json", &edited.to_string()), Ok(evaluation));
    }
    assert!(regrade("evidence.json", "{}").is_err_and(|error| error.message.starts_with("evidence.json: this is no evaluation")));
}

#[test]
fn earlier_evaluations_are_read_from_our_own_json() {
    let json = serde_json::to_string(&[p95(500.0, &[])]).expect("JSON");
    let before = values::previous("before.json", &json).expect("earlier evaluations");
    assert_eq!((before[0].result.as_str(), before[0].values[0].value), ("pass", Some(500.0)));
    assert_eq!(p95(560.0, &before).verdict, Verdict::Fail);
}

/// Whatever a file or a source says is read or refused; nothing panics, overflows or takes for ever.
#[test]
fn arbitrary_input_does_no_harm() {
    let mut dice = vectors::Dice(17);
    let words = [
        r#"{"metric":"#,
        r#""a""#,
        r#"{"control":[1,null],"experiment":["NaN"]}"#,
        r#"[{"metric":"a","value":1}]"#,
        "}",
        "]",
        "..",
        "[0]",
        "[",
        ",",
        ":",
        "1e999",
        "-0",
        r#""value":[1,"+Inf"]"#,
        r#""result":[{"metric":{}}]"#,
        r#""status":"success""#,
        r#""data":{"resultType":"vector"}"#,
        r#""dataPoints":{"S":[[1,2]]}"#,
        "$DURATION",
        "$",
        "ENV_",
        "E",
        "é",
        "$LABEL.",
        "indicators:\n",
        "- metric: a\n",
        "  source: Prometheus\n",
        "  query: q\n",
        "&a [*a]\n",
        "USQL;",
        "MV2;Byte;",
        "metricSelector=",
        "&",
        "%4",
        "$.a[",
        "?(@.b",
        "]",
        "\n",
    ];
    for _ in 0..3_000 {
        let text: String = (0..dice.roll(10)).map(|_| *dice.pick(&words)).collect();
        let _ = (values::values("v", &text), values::previous("p", &text), regrade("e", &text), Sli::parse("s", &text));
        let _ = (legacy::lint_objectives(&text, Some(&text)), legacy::convert(("i", &text), ("o", &text)));
        let _ = (placeholders::Context::default().resolve(&text), criteria::Criterion::parse(&text), Gate::parse("g", &text));
        let kind = Kind::likely(&text);
        kind.lint(&text, Some(&text), crate::core::lint::Options::default());
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let _ = (
            prometheus::samples(&body),
            prometheus::refusal(500, &text),
            dynatrace::timeseries(&body),
            dynatrace::refusal(500, &text),
            dynatrace::Indicator::read(&text)
                .map(|query| dynatrace::Dynatrace::Indicator(query).samples(std::slice::from_ref(&body))),
            query::Web { path: text.clone(), ..query::Web::default() }.samples(&body),
        );
    }
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let before = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 9].join(", "));
    }
    for text in ["[".repeat(50_000), "{\"a\":".repeat(50_000), "- ".repeat(50_000), laughs] {
        assert!(Gate::parse("gate", &text).is_err());
        assert!(values::values("v", &text).is_err());
    }
}
