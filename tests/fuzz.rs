//! Every parser of gates and answers against texts that nobody wrote: mutations of the files in `fixtures/gates`.
//!
//! Deterministic: the same number of rounds tries the same texts. `cargo test` goes some rounds; with
//! `TIDEGATE_FUZZ_SECONDS` it goes on for that long. What fails is printed with its round and the text.

use crate::repository::within;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use tidegate::core::gate::argo::Argo;
use tidegate::core::gate::criteria::Criterion;
use tidegate::core::gate::dynatrace;
use tidegate::core::gate::evaluation::{Evidence, Window};
use tidegate::core::gate::expression::{self, Expression};
use tidegate::core::gate::flagger::Flagger;
use tidegate::core::gate::jsonpath;
use tidegate::core::gate::kayenta::Kayenta;
use tidegate::core::gate::perfspec::Perfspec;
use tidegate::core::gate::placeholders::Context;
use tidegate::core::gate::recognise::Kind;
use tidegate::core::gate::require::{self, Term};
use tidegate::core::gate::sli::Sli;
use tidegate::core::gate::slo::Slo;
use tidegate::core::gate::{Gate, legacy, prometheus, promql, regrade, values};
use tidegate::core::lint::Options;

/// Rounds of a plain `cargo test`.
const ROUNDS: u64 = 1_500;

/// Texts of one line, beside the files.
const LINES: [&str; 9] = [
    "error-rate<=stable+1%",
    "p95<500ms",
    "success-rate>=99",
    "<=+10%",
    "histogram_quantile(0.95, sum(rate(x_bucket{job=~'a.*'}[5m] offset 1h)) by (le)) > bool 1",
    "len(result) > 0 && all(result, {# >= 0.95}) || default(result.rate, 0) < 1e-3 ? true : false",
    "$.data.rates[?(@.name == 'p95')].value",
    "MV2;MicroSecond;metricSelector=builtin:service.response.time:percentile(95)&entitySelector=type(SERVICE),tag($SERVICE)",
    "x{ns='$ENVIRONMENT-$LABEL.build'}[$DURATION_MINUTESm] ENV_PLACEHOLDER",
];

/// What breaks parsers: brackets, quotes, anchors, placeholders, numbers at the edges, odd characters.
const WORDS: [&str; 54] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "'",
    "`",
    "\\",
    ":",
    ": ",
    ",",
    "- ",
    "\n",
    "\t",
    "\u{0}",
    "\u{feff}",
    "é",
    "\u{202e}",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "---\n",
    "|\n",
    ">-\n",
    "{{",
    "}}",
    "{{args.x}}",
    "{{- if .x }}",
    "{{ else }}",
    "{{ end }}",
    "{{/*",
    "weight: 5",
    "route:",
    "$",
    "${",
    "$SERVICE",
    "null",
    "~",
    "true",
    "NaN",
    "+Inf",
    "1e999",
    "-0",
    "9223372036854775808",
    "0.1e-400",
    "<=",
    "%",
    "5m",
    "..",
    "//",
];

/// Numbers that look random and are the same in each run (Knuth's linear congruence).
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// A parser and what comes behind it.
type Target = (&'static str, fn(&str));

const TARGETS: [Target; 20] = [
    ("gate", gate),
    ("lint", |text| drop(Kind::likely(text).lint(text, Some(text), Options::default()))),
    ("perfspec", |text| drop(Perfspec::parse("f", text).and_then(|spec| spec.resolve(&Context::default())?.queries()))),
    ("slo", |text| drop(Slo::parse("f", text))),
    ("sli", |text| drop(Sli::parse("f", text))),
    ("legacy", |text| drop((legacy::convert(("i", text), ("o", text)), legacy::lint_objectives(text, Some(text))))),
    ("argo", |text| drop(Argo::parse("f", text).and_then(|argo| argo.queries(&[].into(), 600.0)))),
    ("flagger", |text| drop(Flagger::parse(("f", text), Some(("t", text))).and_then(|flagger| flagger.queries(&[].into())))),
    ("kayenta", |text| drop(Kayenta::parse("f", text))),
    ("values", |text| drop(values::values("f", text))),
    ("previous", |text| drop(values::previous("f", text))),
    ("evidence", |text| drop(regrade("f", text))),
    ("require", |text| drop(text.parse::<Term>())),
    ("criterion", |text| drop(Criterion::parse(text).map(|one| format!("{:?}", one.holds(1.0, one.target(2.0)))))),
    ("promql", |text| drop(promql::check(text))),
    ("condition", condition),
    ("placeholders", |text| drop(Context::default().resolve(text))),
    ("path", |text| drop(jsonpath::find(text, &Value::from(vec![1, 2])))),
    ("prometheus", |text| {
        let body = serde_json::from_str(text).unwrap_or_default();
        drop((prometheus::samples(&body), prometheus::refusal(500, text), require::latest(&body)));
    }),
    ("dynatrace", |text| {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        drop((dynatrace::Indicator::read(text), dynatrace::timeseries(&body), dynatrace::refusal(400, text)));
    }),
];

/// A gate that can be read is graded, by nothing and by what its own text gives for values; and again from its evidence.
fn gate(text: &str) {
    let Ok(gate) = Gate::parse("f", text) else { return };
    let answers = values::values("v", text).map(|values| values.answers).unwrap_or_default();
    for answers in [Vec::new(), answers] {
        let evidence = Evidence { window: Window::new(1, 2).ok(), answers, ..Evidence::default() };
        let result = gate.grade(evidence);
        let json = serde_json::to_string(&result).expect("an evaluation is JSON");
        let again = regrade("e", &json).expect("an evaluation can be graded again");
        assert_eq!(again.verdict, result.verdict, "the same evidence, another verdict");
    }
}

fn condition(text: &str) {
    let Ok(condition) = Expression::parse(text) else { return };
    for result in ["1", "[]", "[1, 2]", "{\"rate\": [1]}", "null", "\"a\""] {
        let result: Value = serde_json::from_str(result).expect("JSON");
        drop(condition.holds(&expression::Value::from(&result)));
    }
}

/// The files and lines that everything begins with.
fn corpus() -> Vec<Vec<u8>> {
    let folder = within("fixtures/gates");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let mut corpus: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("a file")).collect();
    corpus.extend(LINES.iter().map(|line| line.as_bytes().to_vec()));
    corpus
}

/// One of the texts, changed in one to eight places.
pub fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut text = corpus[dice.roll(corpus.len())].clone();
    for _ in 0..1 + dice.roll(8) {
        let (from, length) = (dice.roll(text.len() + 1), 1 + dice.roll(40));
        let to = (from + length).min(text.len());
        match dice.roll(7) {
            0 => text.truncate(from),
            1 => drop(text.drain(from..to)),
            2 => {
                let copy = text[from..to].to_vec();
                let at = dice.roll(text.len() + 1);
                text.splice(at..at, copy);
            }
            3 => {
                let other = &corpus[dice.roll(corpus.len())];
                let start = dice.roll(other.len() + 1);
                let end = (start + dice.roll(200)).min(other.len());
                text.splice(from..to, other[start..end].iter().copied());
            }
            4 if from < text.len() => text[from] ^= 1 << dice.roll(8),
            5 => {
                let digit = text.iter().skip(from).position(u8::is_ascii_digit).map(|at| at + from);
                let word = WORDS[dice.roll(WORDS.len())].bytes();
                if let Some(at) = digit {
                    text.splice(at..=at, word);
                }
            }
            _ => drop(text.splice(from..from, WORDS[dice.roll(WORDS.len())].bytes())),
        }
    }
    // Doubling must not grow without end.
    text.truncate(20_000);
    text
}

#[test]
fn nothing_that_is_read_panics() {
    let seconds = std::env::var("TIDEGATE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let (began, corpus, mut dice) = (Instant::now(), corpus(), Dice(1));
    assert!(corpus.len() > 12, "the corpus is gone");
    let mut round = 0;
    while seconds.map_or(round < ROUNDS, |seconds| began.elapsed() < seconds) {
        // The files as they are come first.
        let bytes = match corpus.get(round as usize) {
            Some(seed) => seed.clone(),
            None => mutated(&corpus, &mut dice),
        };
        let text = String::from_utf8_lossy(&bytes);
        for (name, target) in TARGETS {
            let result = catch_unwind(AssertUnwindSafe(|| target(&text)));
            assert!(result.is_ok(), "`{name}` panics in round {round} at:\n{text:?}");
        }
        round += 1;
    }
}
