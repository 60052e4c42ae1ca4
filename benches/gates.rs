//! What gates cost, and how soon they know.
//!
//!     cargo bench --bench gates
//!
//! Whole processes ask a metrics source on loopback that takes 20 ms for each answer, as one behind a load balancer does;
//! grading and judging are measured inside of this process.

#![allow(clippy::print_stdout)] // the figures are printed

use serde_json::json;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use tidegate::core::gate::Gate;
use tidegate::core::gate::evaluation::{Answer, Evidence, Sample};
use tidegate::core::judge::kayenta::{self, Analysis, Metric, Settings};
use tidegate::core::judge::{Allowed, Comparison, Counts, Decision, Dispersion};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How long the source takes for an answer.
const ANSWER: Duration = Duration::from_millis(20);

const INDICATORS: usize = 100;

fn main() -> Result {
    asking()?;
    grading()?;
    judging();
    until_a_verdict();
    Ok(())
}

/// A perfspec with so many indicators.
fn perfspec(indicators: usize) -> String {
    let one = |at: usize| {
        json!({"id": format!("i{at}"), "source": "Prometheus", "query": format!("metric_{at}"),
               "grading": {"type": "Threshold", "metricScore": 1, "thresholds": {"upperSevere": 800, "upperWarning": 600}}})
    };
    let list: Vec<_> = (0..indicators).map(one).collect();
    json!({"spec_version": "1.0", "indicators": list, "objectives": {"pass": indicators, "warning": indicators / 2}}).to_string()
}

/// All indicators in one evaluation, against as many evaluations of one.
fn asking() -> Result {
    let url = source()?;
    let dir = std::env::temp_dir().join(format!("tidegate-gates-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("all.json"), perfspec(INDICATORS))?;
    std::fs::write(dir.join("one.json"), perfspec(1))?;
    let evaluate = |file: &str| -> Result {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["evaluate", "--gate", file, "--prometheus", &url, "-o", "json"]).current_dir(&dir).env("HOME", &dir);
        let output = command.output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    };
    evaluate("all.json")?;
    let together = time(|| evaluate("all.json"))?;
    let apart = time(|| (0..INDICATORS).try_for_each(|_| evaluate("one.json")))?;
    std::fs::remove_dir_all(&dir)?;
    println!("{INDICATORS} indicators, a source that takes {} ms:", ANSWER.as_millis());
    println!("  in one evaluation {together:9.1} ms");
    println!("  one by one        {apart:9.1} ms   {:.1} times as long", apart / together);
    Ok(())
}

/// A metrics source: answers each request after a while, many at once.
fn source() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(&stream));
        }
    });
    Ok(url)
}

/// Answers the requests of one connection until it ends.
fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut asked, mut line) = (String::new(), String::new());
        if reader.read_line(&mut asked)? == 0 {
            return Ok(());
        }
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
        }
        std::thread::sleep(ANSWER);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        // What the source's clock says, or a value within the limits.
        let value = if asked.contains("query=time%28%29") { now } else { 1 };
        let text = format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[{now},"{value}"]}}]}}}}"#
        );
        // At once: a second small write would wait for the acknowledgement of the first.
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", text.len());
        stream.write_all((head + &text).as_bytes())?;
    }
}

/// Grading alone: no process, no source.
fn grading() -> Result {
    let count = 10_000;
    let text = perfspec(count);
    let mut gate = Err("".into());
    let reading = time(|| {
        gate = Gate::parse("perfspec.json", &text).map_err(|error| error.message);
        Ok(())
    })?;
    let gate = gate?;
    let answers: Vec<Answer> = (0..count).map(|at| Answer::new(format!("i{at}"), vec![Sample::of("{}", at % 1000)])).collect();
    let evidence = Evidence { answers, ..Evidence::default() };
    let graded = time(|| {
        black_box(gate.grade(evidence.clone()));
        Ok(())
    })?;
    println!("{count} indicators: read in {reading:.1} ms, graded in {graded:.1} ms");
    Ok(())
}

/// Ten thousand samples a side by Kayenta's judge, ten thousand looks by ours.
fn judging() {
    let count = 10_000;
    let mut random = Random(1);
    let series = |random: &mut Random| (0..count).map(|_| random.uniform() * 100.0).collect::<Vec<f64>>();
    let metric = Metric {
        name: "latency".into(),
        groups: vec!["metrics".into()],
        analysis: Analysis::default(),
        control: series(&mut random),
        experiment: series(&mut random),
    };
    let weights = BTreeMap::from([("metrics".to_owned(), 100.0)]);
    let begun = Instant::now();
    black_box(kayenta::judge(&[metric], &weights, 95.0, 75.0, &Settings::default()));
    println!("{count} samples a side: Kayenta's judge in {:.1} ms", milliseconds(begun));
    let begun = Instant::now();
    let mut comparison = Comparison::new(Allowed::default(), Dispersion::INDEPENDENT, 0.01);
    for _ in 0..count {
        let (ours, theirs) = (random.binomial(10, 0.001), random.binomial(90, 0.001));
        if let (Some(ours), Some(theirs)) = (Counts::new(10.0, ours), Counts::new(90.0, theirs)) {
            comparison.look(ours, theirs, 1.0);
        }
    }
    black_box(comparison.verdict());
    println!("{count} looks at counts: ours in {:.1} ms", milliseconds(begun));
}

/// A candidate with a tenth of 100 requests a second against a stable side with 0.1 % errors, a look every second or
/// every 15 seconds.
fn until_a_verdict() {
    println!("requests of the candidate until it fails, median and 90 % of 400 simulated releases:");
    for every in [1_u64, 15] {
        for errors in [0.01, 0.05, 0.5] {
            let mut needed: Vec<u64> = (0..400).filter_map(|seed| needed(seed, errors, every)).collect();
            needed.sort_unstable();
            let at = |share: usize| needed.get(needed.len() * share / 100).map_or_else(|| "-".into(), u64::to_string);
            println!(
                "  {:>4} % errors, a look every {every:>2} s: {:>5} {:>6}   found in half an hour: {} of 400",
                errors * 100.0,
                at(50),
                at(90),
                needed.len()
            );
        }
    }
}

/// The candidate's requests until it is found to be bad, within half an hour.
fn needed(seed: u64, errors: f64, every: u64) -> Option<u64> {
    let mut random = Random(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ 0x5A5A);
    let allowed = Allowed { plus: 0.0, margin: None, negligible: 0.0, ..Allowed::default() };
    let mut comparison = Comparison::new(allowed, Dispersion::INDEPENDENT, 0.01);
    for look in 1..=1800 / every {
        let (ours, theirs) = (random.binomial(10 * every, errors), random.binomial(90 * every, 0.001));
        #[allow(clippy::cast_precision_loss)] // small counts
        let counts = (Counts::new((10 * every) as f64, ours)?, Counts::new((90 * every) as f64, theirs)?);
        #[allow(clippy::cast_precision_loss)]
        comparison.look(counts.0, counts.1, every as f64);
        if comparison.decided() == Some(Decision::Fail) {
            return Some(look * 10 * every);
        }
    }
    None
}

fn time(action: impl FnOnce() -> Result) -> Result<f64> {
    let begun = Instant::now();
    action()?;
    Ok(milliseconds(begun))
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// SplitMix64: small, seeded, good enough for counts.
struct Random(u64);

impl Random {
    #[allow(clippy::cast_precision_loss)] // 53 bits
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn binomial(&mut self, n: u64, p: f64) -> f64 {
        #[allow(clippy::cast_precision_loss)]
        let hits = (0..n).filter(|_| self.uniform() < p).count() as f64;
        hits
    }
}
