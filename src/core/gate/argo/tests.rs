use super::*;
use crate::core::gate::evaluation::{Answer, Sample, Status, Verdict, Window};
use crate::core::gate::vectors::Dice;
use serde_json::{Value, json};

const TEMPLATE: &str = r#"apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: success-rate
spec:
  args:
  - name: service-name
  - name: limit
    value: "0.95"
  metrics:
  - name: success-rate
    interval: 5m
    count: 3
    successCondition: len(result) > 0 && result[0] >= {{args.limit}}
    failureLimit: 1
    provider:
      prometheus:
        address: http://prometheus.example.com:9090
        query: |
          sum(rate(requests_total{service="{{args.service-name}}",code!~"5.*"}[5m])) /
          sum(rate(requests_total{service="{{args.service-name}}"}[5m]))
"#;

fn argo(text: &str) -> Argo {
    Argo::parse("template.yaml", text).unwrap_or_else(|error| panic!("{error}"))
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// One metric with these keys, and what one vector a measurement makes of it.
fn judged(keys: &str, measured: &[&str]) -> (Status, String, Verdict) {
    let text = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nspec:\n  metrics:\n  - name: m\n    provider: {{prometheus: {{query: up}}}}\n{keys}"
    );
    let answer = |text: &&str| match *text {
        "empty" => Answer::new("m", vec![]),
        "away" => Answer::refused("m", "HTTP status 503"),
        values => Answer::new("m", values.split(' ').map(|value| Sample::of("{}", value)).collect()),
    };
    let evidence = Evidence { answers: measured.iter().map(answer).collect(), ..Evidence::default() };
    let result = argo(&text).grade(evidence);
    (result.indicators[0].status, result.indicators[0].why.clone(), result.verdict)
}

#[test]
fn one_query_a_measurement() {
    let template = argo(TEMPLATE);
    let queries = template.queries(&given(&[("service-name", "carts")]), 60.0).expect("queries");
    let ago: Vec<i64> =
        queries.iter().map(|(_, query)| if let Query::PrometheusAgo(_, ago) = query { *ago } else { 0 }).collect();
    assert_eq!(ago, [600, 300, 0], "the oldest first");
    assert!(matches!(&queries[2].1, Query::Prometheus(query) if query.contains("service=\"carts\"")), "{queries:?}");
    let error = template.queries(&BTreeMap::new(), 60.0).expect_err("an argument is missing");
    assert_eq!(error.hints, ["give it: `--arg service-name=VALUE`"]);
    let endless = argo(&TEMPLATE.replace("    count: 3\n", ""));
    assert_eq!(endless.queries(&given(&[("service-name", "carts")]), 1500.0).expect("queries").len(), 6);
    let endless = endless.queries(&given(&[("service-name", "carts")]), 1e9).expect("queries");
    assert_eq!(endless.len(), MOST);
}

#[test]
fn arguments_are_kept_with_the_evidence() {
    let answers = ["0.97", "0.92", "0.93"].map(|value| Answer::new("success-rate", vec![Sample::of("{}", value)])).to_vec();
    let evidence = |limit: &str| Evidence {
        window: Some(Window { start: 1, end: 2 }),
        answers: answers.clone(),
        arguments: given(&[("limit", limit)]),
        ..Evidence::default()
    };
    let strict = argo(TEMPLATE).grade(evidence("0.95"));
    assert_eq!(
        (strict.verdict, strict.reason.as_str()),
        (Verdict::Fail, "success-rate: 2 of 3 failed: 0.93: len(result) > 0 && result[0] >= {{args.limit}} does not hold")
    );
    let mild = argo(TEMPLATE).grade(evidence("0.9"));
    assert_eq!(mild.verdict, Verdict::Pass);
    for result in [strict, mild] {
        let json = serde_json::to_string(&result).expect("JSON");
        assert_eq!(crate::core::gate::regrade("evidence.json", &json), Ok(result));
    }
}

#[test]
fn conditions_and_limits_are_argos() {
    use Status::{Error, Fail, Inconclusive, Info, Pass};
    let success = "    successCondition: result[0] >= 0.95\n";
    let failure = "    failureCondition: result[0] < 0.9\n";
    for (keys, measured, status, says) in [
        (success.to_owned(), vec!["0.97"], Pass, "holds"),
        (success.to_owned(), vec!["0.94"], Fail, "0.94: result[0] >= 0.95 does not hold"),
        (failure.to_owned(), vec!["0.94"], Pass, "holds"),
        (failure.to_owned(), vec!["0.8"], Fail, "0.8: result[0] < 0.9 holds"),
        (format!("{success}{failure}"), vec!["0.94"], Inconclusive, "neither condition holds"),
        (format!("{success}{failure}"), vec!["0.8"], Fail, "0.8: result[0] < 0.9 holds"),
        (format!("{success}    failureLimit: 1\n"), vec!["0.9", "0.97"], Pass, "1 of 2 failed, 1 may"),
        (format!("{success}    failureLimit: 1\n"), vec!["0.9", "0.9"], Fail, "2 of 2 failed"),
        (
            format!("{success}    failureLimit: -1\n    consecutiveSuccessLimit: 2\n"),
            vec!["0.97", "0.9", "0.97"],
            Fail,
            "of 2 that are needed",
        ),
        (format!("{success}{failure}    inconclusiveLimit: 1\n"), vec!["0.94", "0.97"], Pass, "1 of 2 inconclusive"),
        (format!("{success}    consecutiveSuccessLimit: 2\n"), vec!["0.97", "0.97"], Pass, "2 successes"),
        (
            format!("{success}    failureLimit: 3\n    consecutiveSuccessLimit: 2\n"),
            vec!["0.97", "0.9", "0.97"],
            Inconclusive,
            "of 2 that are needed",
        ),
        (
            format!("{success}    consecutiveErrorLimit: 1\n"),
            vec!["away", "empty"],
            Error,
            "2 of 2 without a value: the result is empty",
        ),
        (String::new(), vec!["0.1"], Info, "no condition"),
        // Nothing that was not measured passes.
        (success.to_owned(), vec!["NaN"], Error, "NaN"),
        (failure.to_owned(), vec!["NaN"], Error, "NaN"),
        (failure.to_owned(), vec!["empty"], Error, "the result is empty"),
        (success.to_owned(), vec!["0.97", "away"], Error, "1 of 2 without a value: HTTP status 503"),
        (success.to_owned(), vec![], Error, "was not measured"),
        (success.to_owned(), vec!["+Inf"], Error, "+Inf: no number was measured"),
        ("    successCondition: isInf(result[0]) || result[0] < 1\n".to_owned(), vec!["+Inf"], Pass, "holds"),
        ("    failureCondition: result[0] / result[1] > 0.1\n".to_owned(), vec!["0 0"], Error, "NaN"),
        ("    failureCondition: sum(result) > 3\n".to_owned(), vec!["empty"], Error, "the result is empty"),
        ("    failureCondition: 'any(result, # > 3)'\n".to_owned(), vec!["empty"], Error, "the result is empty"),
        ("    failureCondition: len(result) > 3\n".to_owned(), vec!["empty"], Pass, "holds"),
        // Of one measurement none of three that may fail is one too many.
        (format!("{success}    failureLimit: 3\n    count: 5\n"), vec!["0.9"], Inconclusive, "0.9: result[0] >= 0.95"),
        (format!("{success}    failureLimit: 2\n    interval: 5m\n"), vec!["0.9", "0.9"], Inconclusive, "2 of 2 not successful"),
        (format!("{success}    failureLimit: 2\n    interval: 5m\n"), vec!["0.9", "0.9", "0.97"], Pass, "2 of 3 failed"),
        (format!("{success}    failureLimit: 1\n"), vec!["0.9"], Pass, "1 of 1 failed"),
        ("    failureCondition: isNaN(result[0]) || result[0] < 0.9\n".to_owned(), vec!["NaN"], Fail, "holds"),
        ("    successCondition: len(result) == 0 || result[0] < 1\n".to_owned(), vec!["empty"], Pass, "holds"),
        ("    successCondition: 'all(result, # < 1)'\n".to_owned(), vec!["0.1 0.2 1"], Fail, "0.1, 0.2, 1: all(result, # < 1)"),
    ] {
        let (found, why, verdict) = judged(&keys, &measured);
        assert_eq!(found, status, "{keys} {measured:?}: {why}");
        assert!(why.contains(says), "{keys} {measured:?}: {why}");
        let expected = match status {
            Pass => Verdict::Pass,
            Fail => Verdict::Fail,
            _ => Verdict::Inconclusive,
        };
        assert_eq!(verdict, expected, "{keys} {measured:?}");
    }
}

#[test]
fn dry_runs_and_web_pages() {
    let text = "apiVersion: a/v1\nkind: ClusterAnalysisTemplate\nspec:\n  dryRun: [{metricName: noisy}]\n  metrics:\n  - name: noisy\n    successCondition: result > 1\n    provider: {prometheus: {query: up}}\n  - name: page\n    successCondition: result.ok && result.rate < 0.1\n    provider:\n      web:\n        url: https://example.com/{{args.id}}\n        headers: [{key: Authorization, value: \"Bearer ${TOKEN}\"}]\n        jsonPath: \"{$.data}\"\n        timeoutSeconds: 5\n";
    let template = argo(text);
    let queries = template.queries(&given(&[("id", "7")]), 60.0).expect("queries");
    assert!(
        matches!(&queries[1].1, Query::Web(web) if web.url == "https://example.com/7" && web.headers.len() == 1),
        "{queries:?}"
    );
    let page = |data: Value| {
        let answers = vec![Answer::new("noisy", vec![Sample::of("", 0)]), Answer::new("page", vec![Sample::of("", data)])];
        template.grade(Evidence { answers, ..Evidence::default() })
    };
    let result = page(json!({"ok": true, "rate": 0.01}));
    assert_eq!((result.verdict, result.score, result.max_score), (Verdict::Pass, 1.0, 1.0));
    assert_eq!((result.indicators[0].status, result.indicators[0].why.contains("would be fail")), (Status::Info, true));
    assert_eq!(page(json!({"ok": false})).verdict, Verdict::Fail);
    assert_eq!(page(json!({"ok": true})).verdict, Verdict::Inconclusive, "a field is missing");
}

#[test]
fn what_is_wrong_is_pointed_at() {
    let lint = |text: &str| -> Vec<String> {
        let found = Argo::lint(text, Options::default());
        found.iter().map(|one| one.render("t.yaml", text).lines().next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(
        lint(TEMPLATE),
        ["t.yaml:18:9: note: `address` says nothing here: `--prometheus URL` and its flags say whom to ask"]
    );
    for (from, to, says) in [
        (
            "successCondition: len",
            "succesCondition: len",
            "14:5: error: unknown key `succesCondition`; did you mean `successCondition`?",
        ),
        (
            "result[0] >= {{args.limit}}",
            "resutl[0] >= {{args.limit}}",
            "14:42: error: this is no condition: nothing is called `resutl`",
        ),
        ("result[0] >= {{args.limit}}", "result[0] >= {{args.limit}} )", "14:70: error"),
        ("failureLimit: 1", "failureLimit: 3", "15:5: warning: 3 failures are allowed, of 3 measured"),
        ("failureLimit: 1", "failureLimit: x", "error: `failureLimit` is a whole number"),
        ("interval: 5m", "interval: 5", "error: `interval` is a length of time"),
        ("[5m])) /", "[5m)) /", "20:82: error: this is not PromQL"),
        ("[5m])) /", "[20s])) /", "warning: a window of 20 s"),
        ("    count: 3\n", "", "note: without `count` Argo measures until it is stopped"),
        ("prometheus:\n        address", "datadog:\n        address", "note: `datadog` is not asked here"),
        ("    successCondition", "    failureCondition", "note: NaN is a success for Argo here"),
        ("len(result) > 0 && result[0] >= {{args.limit}}", "1 > 0", "always comes out the same"),
        ("metrics:\n", "templates:\n  - templateName: other\n  metrics:\n", "the template `other` is not in this file"),
        ("spec:\n", "spec:\n  dryRun: [{metricName: none}]\n", "no metric is called `none`"),
        ("        query: |", "        rangeQuery: {step: 1m}\n        query: |", "a range query is not asked here"),
    ] {
        assert!(TEMPLATE.contains(from), "{from}");
        let told = lint(&TEMPLATE.replacen(from, to, 1));
        assert!(told.iter().any(|one| one.contains(says)), "{says}\n{told:#?}");
    }
    let none = TEMPLATE.replacen("    successCondition: len(result) > 0 && result[0] >= {{args.limit}}\n", "", 1);
    assert!(lint(&none).iter().any(|one| one.contains("nothing can fail this gate")), "{:?}", lint(&none));
    let twice = format!("{TEMPLATE}---\n{TEMPLATE}");
    assert!(
        lint(&twice).iter().any(|one| one.starts_with("t.yaml:33:5: error: `success-rate` is the name of two metrics")),
        "{:?}",
        lint(&twice)
    );
}

#[test]
fn a_better_result_never_makes_it_worse() {
    let mut dice = Dice(5);
    // A run that was already inconclusive went no further; Argo's stops there, too.
    let passes = |keys: &str, measured: &[&str]| judged(keys, measured).2 == Verdict::Pass;
    for _ in 0..500 {
        let values: Vec<String> = (0..1 + dice.roll(5)).map(|_| format!("0.{}", 80 + dice.roll(20))).collect();
        let keys = format!(
            "    successCondition: result[0] >= 0.95\n    failureCondition: result[0] < 0.9\n    failureLimit: {}\n    inconclusiveLimit: {}\n",
            dice.roll(3),
            dice.roll(3)
        );
        let before: Vec<&str> = values.iter().map(String::as_str).collect();
        let mut better = before.clone();
        let place = dice.roll(values.len() as u64) as usize;
        better[place] = "0.99";
        assert!(passes(&keys, &better) || !passes(&keys, &before), "{keys} {before:?} {place}");
    }
}

#[test]
fn what_a_server_does_not_say_passes_nothing() {
    let graded = |condition: &str, samples: Vec<Sample>| {
        let text = format!(
            "kind: AnalysisTemplate\nspec:\n  metrics:\n  - name: m\n    provider: {{web: {{url: http://a.example.com}}}}\n    failureCondition: {condition}\n"
        );
        argo(&text).grade(Evidence { answers: vec![Answer::new("m", samples)], ..Evidence::default() }).verdict
    };
    for (condition, document, verdict) in [
        ("asFloat(result.rate) > 0.05", json!({"rate": "0.01"}), Verdict::Pass),
        ("asFloat(result.rate) > 0.05", json!({"rate": "NaN"}), Verdict::Inconclusive),
        ("result.errors / result.total > 0.05", json!({"errors": 0, "total": 0}), Verdict::Inconclusive),
        ("result.status == 'bad'", json!({"state": "bad"}), Verdict::Inconclusive),
        ("result.status in ['bad']", json!({"state": "bad"}), Verdict::Inconclusive),
        ("result.status == 'bad'", json!({"status": "good"}), Verdict::Pass),
        ("result.error != nil", json!({"status": "good"}), Verdict::Pass),
    ] {
        assert_eq!(graded(condition, vec![Sample::of("", document.clone())]), verdict, "{condition} of {document}");
    }
    assert_eq!(graded("len(result) > 3", vec![]), Verdict::Inconclusive, "no place in the document");
}

#[test]
fn limits_that_let_nothing_fail_are_refused() {
    let text = |keys: &str| {
        format!(
            "kind: AnalysisTemplate\nspec:\n  args: [{{name: limit, value: '-1'}}]\n  metrics:\n  - name: m\n    provider: {{prometheus: {{query: up}}}}\n    successCondition: result[0] > 1\n{keys}"
        )
    };
    for keys in [
        "    failureLimit: -1\n",
        "    failureLimit: -2\n    consecutiveSuccessLimit: 1\n",
        "    inconclusiveLimit: -1\n",
        "    consecutiveErrorLimit: -1\n",
        "    consecutiveSuccessLimit: -1\n",
    ] {
        let error = Argo::parse("template.yaml", &text(keys)).expect_err(keys);
        assert!(error.message.starts_with("template.yaml:8:5: "), "{}", error.message);
    }
    let argument = argo(&text("    failureLimit: '{{args.limit}}'\n"));
    let answers = vec![Answer::new("m", vec![Sample::of("{}", "0")])];
    assert_eq!(argument.grade(Evidence { answers, ..Evidence::default() }).verdict, Verdict::Inconclusive);
}
