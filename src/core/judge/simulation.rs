//! The statistics against simulated releases: how often a good version is failed, and how soon a bad one is found.
//!
//! The tests use few runs with fixed seeds. The table of the documentation comes from
//! `cargo test --release --lib judge::simulation -- --ignored --nocapture`.

use super::*;
use std::collections::VecDeque;

/// SplitMix64: small, seeded, good enough for counts.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 40.0 {
            // The sum of two normal quantiles' worth of uniforms: near enough for a number of requests.
            let normal = (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0;
            return (mean + mean.sqrt() * normal).round().max(0.0);
        }
        let (mut product, mut count, bound) = (self.uniform(), 0.0, (-mean).exp());
        while product > bound {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }

    fn binomial(&mut self, n: f64, p: f64) -> f64 {
        if p < 0.2 {
            // By the gaps between the hits.
            let (mut hits, mut at) = (0.0, 0.0);
            loop {
                at += (self.uniform().max(1e-300).ln() / (-p).ln_1p()).floor() + 1.0;
                if at > n {
                    return hits;
                }
                hits += 1.0;
            }
        }
        (0..n as u64).filter(|_| self.uniform() < p).count() as f64
    }

    /// Errors among `n` requests at the rate `p`, in bursts of geometric size with the mean `burst`.
    fn errors(&mut self, n: f64, p: f64, burst: f64) -> f64 {
        if p <= 0.0 {
            return 0.0;
        }
        if burst <= 1.0 {
            return self.binomial(n, p);
        }
        let bursts = self.poisson(n * p / burst) as u64;
        (0..bursts).map(|_| self.burst(burst)).sum::<f64>().min(n)
    }

    /// A geometric number with this mean.
    fn burst(&mut self, mean: f64) -> f64 {
        (self.uniform().max(1e-300).ln() / (-1.0 / mean).ln_1p()).floor() + 1.0
    }
}

/// A release, as it is simulated.
#[derive(Clone, Copy)]
struct Release {
    /// The bad shares of candidate and stable.
    candidate: f64,
    stable: f64,
    /// Mean size of bursts, and the seconds over which the errors of one are spread.
    burst: f64,
    spread: f64,
    /// Requests a second in total, and the candidate's share of them.
    rate: f64,
    share: f64,
    /// Seconds between two looks, and until the end.
    every: f64,
    lasts: f64,
    /// The share of the time in which 30 % of the requests of both sides fail.
    outage: f64,
    /// Whether the dispersion is learned from an hour of stable before.
    history: bool,
    allowed: Allowed,
}

const RELEASE: Release = Release {
    candidate: 0.001,
    stable: 0.001,
    burst: 1.0,
    spread: 0.0,
    rate: 100.0,
    share: 0.1,
    every: 1.0,
    lasts: 1800.0,
    outage: 0.0,
    history: true,
    // Failing is measured alone: nothing passes.
    allowed: Allowed { times: 1.0, plus: 0.0, margin: None, negligible: 0.0 },
};

/// What came of many runs.
struct Outcome {
    runs: usize,
    failed: Vec<f64>,
    passed: Vec<f64>,
}

impl Outcome {
    /// Runs until a decision; each result is the candidate's requests until then.
    fn of(runs: usize, mut run: impl FnMut(&mut Random) -> (Decision, f64)) -> Self {
        let mut outcome = Outcome { runs, failed: Vec::new(), passed: Vec::new() };
        for seed in 0..runs as u64 {
            let mut random = Random(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ 0xA5A5_5A5A);
            match run(&mut random) {
                (Decision::Fail, requests) => outcome.failed.push(requests),
                (Decision::Pass, requests) => outcome.passed.push(requests),
                (Decision::Inconclusive, _) => {}
            }
        }
        outcome.failed.sort_by(f64::total_cmp);
        outcome.passed.sort_by(f64::total_cmp);
        outcome
    }

    fn share(&self, part: &[f64]) -> f64 {
        part.len() as f64 / self.runs as f64
    }
}

fn quantile(sorted: &[f64], q: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * q).round() as usize).copied().unwrap_or(f64::NAN)
}

/// One version's requests and errors, interval by interval.
struct Source {
    /// Requests an interval.
    rate: f64,
    /// The interval in seconds.
    every: f64,
    /// Errors of bursts that go on in later intervals.
    dripping: VecDeque<f64>,
}

impl Source {
    fn next(&mut self, random: &mut Random, bad: f64, release: &Release) -> Counts {
        let requests = random.poisson(self.rate);
        let mut errors = 0.0;
        if release.spread == 0.0 {
            errors = random.errors(requests, bad, release.burst);
        } else {
            for _ in 0..random.poisson(requests * bad / release.burst) as u64 {
                let begins = random.uniform() * self.every;
                for _ in 0..random.burst(release.burst) as u64 {
                    let at = ((begins + random.uniform() * release.spread) / self.every) as usize;
                    self.dripping.resize(self.dripping.len().max(at + 1), 0.0);
                    self.dripping[at] += 1.0;
                }
            }
            errors += self.dripping.pop_front().unwrap_or_default();
        }
        Counts::new(requests.max(errors), errors).expect("counts")
    }
}

impl Release {
    fn run(&self, random: &mut Random) -> (Decision, f64) {
        let mut comparison = Comparison::new(self.allowed, self.learned(random), 0.01);
        let (mut ours, mut theirs) = (self.source(self.share, self.every), self.source(1.0 - self.share, self.every));
        for _ in 0..(self.lasts / self.every) as usize {
            let outage = self.outage > 0.0 && random.uniform() < self.outage;
            let bad = |bad: f64| if outage { 0.3 } else { bad };
            let candidate = ours.next(random, bad(self.candidate), self);
            comparison.look(candidate, theirs.next(random, bad(self.stable), self), self.every);
            if comparison.decided().is_some() {
                break;
            }
        }
        let verdict = comparison.verdict();
        (verdict.decision, verdict.candidate.requests)
    }

    fn source(&self, share: f64, every: f64) -> Source {
        Source { rate: self.rate * share * every, every, dripping: VecDeque::new() }
    }

    fn learned(&self, random: &mut Random) -> Dispersion {
        if !self.history {
            return Dispersion::UNKNOWN;
        }
        let mut stable = self.source(1.0, 15.0);
        let hour: Vec<Counts> = (0..240).map(|_| stable.next(random, self.stable, self)).collect();
        Dispersion::learn(&hour)
    }

    fn outcome(&self, runs: usize) -> Outcome {
        Outcome::of(runs, |random| self.run(random))
    }
}

/// A limit on the bad share, looked at every ten requests.
fn against_limit(limit: f64, truth: f64, burst: f64, requests: usize, runs: usize) -> Outcome {
    Outcome::of(runs, |random| {
        let hour: Vec<Counts> =
            (0..240).map(|_| Counts::new(1500.0, random.errors(1500.0, truth.max(0.001), burst)).expect("counts")).collect();
        let dispersion = if burst > 1.0 { Dispersion::learn(&hour) } else { Dispersion::INDEPENDENT };
        let mut judged = Limit::new(limit, dispersion, 0.01);
        for _ in 0..requests / 10 {
            judged.look(Counts::new(10.0, random.errors(10.0, truth, burst).min(10.0)).expect("counts"));
            if judged.decided().is_some() {
                break;
            }
        }
        let verdict = judged.verdict();
        (verdict.decision, verdict.candidate.requests)
    })
}

/// Of good versions, at most the share that α = 1 % allows may fail.
fn assert_few_false_alarms(releases: &[(Release, usize)]) {
    let (mut failed, mut runs) = (0, 0);
    for (release, repeated) in releases {
        failed += release.outcome(*repeated).failed.len();
        runs += repeated;
    }
    assert!(failed as f64 <= 0.01 * runs as f64, "{failed} of {runs} good versions failed");
}

#[test]
fn a_good_version_is_not_failed_however_often_one_looks() {
    let equal = |bad: f64| Release { candidate: bad, stable: bad, ..RELEASE };
    assert_few_false_alarms(&[
        (equal(0.001), 100),
        (equal(0.005), 100),
        (equal(0.05), 40),
        (equal(0.3), 10),
        (Release { outage: 0.03, ..equal(0.005) }, 100),
        (Release { candidate: 0.001, stable: 0.01, ..RELEASE }, 50),
    ]);
}

#[test]
fn bursts_of_errors_fail_no_good_version() {
    let mut releases = Vec::new();
    for burst in [3.0, 10.0] {
        for (every, runs) in [(1.0, 60), (15.0, 150)] {
            for share in [0.01, 0.1, 0.5] {
                releases.push((Release { candidate: 0.005, stable: 0.005, burst, every, share, ..RELEASE }, runs));
            }
        }
    }
    assert_few_false_alarms(&releases);
}

#[test]
fn a_bad_version_is_found_within_few_requests() {
    let bad = Release { candidate: 0.05, allowed: Allowed::default(), ..RELEASE };
    for (name, release, most) in [
        ("every second", Release { allowed: RELEASE.allowed, ..bad }, 80.0),
        ("every second, passing too", bad, 80.0),
        ("every 15 s", Release { every: 15.0, ..bad }, 160.0),
        ("half of them fail", Release { candidate: 0.5, ..bad }, 20.0),
        ("bursts of 3", Release { burst: 3.0, ..bad }, 600.0),
    ] {
        let outcome = release.outcome(300);
        assert_eq!(outcome.failed.len(), 300, "{name}: not all were found");
        let median = quantile(&outcome.failed, 0.5);
        assert!(median <= most, "{name}: the median is {median} requests");
    }
}

#[test]
fn a_bad_version_is_found_at_low_traffic_within_two_hours() {
    let slow = Release { rate: 20.0 / 60.0, every: 15.0, lasts: 7200.0, allowed: Allowed::default(), ..RELEASE };
    let bad = Release { candidate: 0.05, ..slow }.outcome(300);
    assert!(bad.share(&bad.failed) >= 0.9, "{} of 300 were found", bad.failed.len());
    assert!(bad.passed.is_empty(), "{} bad versions passed", bad.passed.len());
    let good = Release { candidate: 0.005, stable: 0.005, ..slow }.outcome(300);
    assert!(good.share(&good.failed) <= 0.01, "{} of 300 good versions failed", good.failed.len());
}

#[test]
fn a_good_version_passes_and_a_worse_one_does_not() {
    for (candidate, stable) in [(0.0, 0.0), (0.001, 0.001), (0.005, 0.005), (0.05, 0.05)] {
        let outcome = Release { candidate, stable, every: 5.0, allowed: Allowed::default(), ..RELEASE }.outcome(60);
        assert!(outcome.share(&outcome.passed) >= 0.95, "{candidate}: {} of 60 passed", outcome.passed.len());
    }
    // On the edge of what may pass: twice as bad, and one percentage point.
    let edge = Release { candidate: 0.04, stable: 0.02, every: 5.0, allowed: Allowed::default(), ..RELEASE }.outcome(200);
    assert!(edge.passed.len() <= 2, "{} of 200 passed", edge.passed.len());
}

#[test]
fn a_limit_keeps_its_promises() {
    for (truth, burst) in [(0.01, 1.0), (0.005, 1.0), (0.01, 3.0)] {
        let outcome = against_limit(0.01, truth, burst, 3_000, 100);
        assert!(outcome.share(&outcome.failed) <= 0.01, "{truth}: {} of 100 failed", outcome.failed.len());
    }
    // One per cent of 300 and twice its standard deviation.
    let edge = against_limit(0.01, 0.01, 1.0, 2_000, 300);
    assert!(edge.passed.len() <= 6, "{} of 300 passed on the edge", edge.passed.len());
    let good = against_limit(0.01, 0.001, 1.0, 5_000, 100);
    assert!(good.share(&good.passed) >= 0.99 && quantile(&good.passed, 0.5) <= 1000.0);
    let bad = against_limit(0.01, 0.05, 1.0, 5_000, 100);
    assert!(bad.share(&bad.failed) >= 0.99 && quantile(&bad.failed, 0.5) <= 200.0);
}

/// What is told to be missing is about what it takes.
#[test]
fn what_is_missing_is_about_right() {
    let mut ratios: Vec<f64> = (0..200u64)
        .filter_map(|seed| {
            let mut random = Random(seed);
            let mut comparison = Comparison::new(Allowed::default(), Dispersion::INDEPENDENT, 0.01);
            let mut told = None;
            for second in 0..3600 {
                let counts = |random: &mut Random, n: f64| Counts::new(n, random.errors(n, 0.005, 1.0)).expect("counts");
                comparison.look(counts(&mut random, 10.0), counts(&mut random, 90.0), 1.0);
                if second == 60 {
                    told = comparison.verdict().missing.map(|missing| missing.of);
                }
                if comparison.decided().is_some() {
                    break;
                }
            }
            Some(comparison.verdict().candidate.requests / told?)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    assert!(ratios.len() > 150, "{}", ratios.len());
    let median = quantile(&ratios, 0.5);
    assert!((0.5..2.0).contains(&median), "it takes {median} times what was told");
}

#[test]
#[ignore = "the documentation's table: minutes"]
#[allow(clippy::print_stdout)]
fn table() {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2000);
    let print = |name: &str, outcome: &Outcome| {
        println!(
            "| {name} | {:.2} % | {:.0} ({:.0}) | {:.1} % | {:.0} ({:.0}) |",
            100.0 * outcome.share(&outcome.failed),
            quantile(&outcome.failed, 0.5),
            quantile(&outcome.failed, 0.9),
            100.0 * outcome.share(&outcome.passed),
            quantile(&outcome.passed, 0.5),
            quantile(&outcome.passed, 0.9),
        );
    };
    let equal = |bad: f64| Release { candidate: bad, stable: bad, ..RELEASE };
    let against = |candidate: f64, stable: f64| Release { candidate, stable, ..RELEASE };
    for bad in [0.001, 0.005, 0.05, 0.3] {
        print(&format!("equal {bad}"), &equal(bad).outcome(runs));
    }
    print("equal 0.005, shared outages", &Release { outage: 0.03, ..equal(0.005) }.outcome(runs));
    for (candidate, stable) in [(0.05, 0.001), (0.05, 0.005), (0.5, 0.001), (0.01, 0.001), (0.01, 0.005)] {
        print(&format!("{candidate} against {stable}"), &against(candidate, stable).outcome(runs));
    }
    print("0.05 against 0.001, looks every 15 s", &Release { every: 15.0, ..against(0.05, 0.001) }.outcome(runs));
    for share in [0.01, 0.5] {
        print(&format!("0.05 against 0.001, share {share}"), &Release { share, ..against(0.05, 0.001) }.outcome(runs));
    }
    let slow = Release { rate: 20.0 / 60.0, every: 15.0, lasts: 7200.0, ..RELEASE };
    print("0.05 against 0.001, 20 a minute", &Release { candidate: 0.05, ..slow }.outcome(runs));
    print("equal 0.005, 20 a minute", &Release { candidate: 0.005, stable: 0.005, ..slow }.outcome(runs));
    for history in [true, false] {
        for every in [1.0, 15.0] {
            for (burst, spread) in [(3.0, 10.0), (10.0, 10.0), (10.0, 30.0), (30.0, 30.0)] {
                let drips = Release { burst, spread, every, history, ..RELEASE };
                let name = format!("history {history}, bursts {burst} over {spread} s, every {every} s");
                let few = runs.min(1000);
                print(&format!("{name}: equal 0.005"), &Release { candidate: 0.005, stable: 0.005, ..drips }.outcome(few));
                print(&format!("{name}: 0.05 against 0.001"), &Release { candidate: 0.05, ..drips }.outcome(few));
            }
        }
    }
    for burst in [3.0, 10.0] {
        for every in [1.0, 15.0] {
            for share in [0.01, 0.1, 0.5] {
                print(
                    &format!("bursts {burst}, every {every} s, share {share}: equal 0.005"),
                    &Release { burst, every, share, ..equal(0.005) }.outcome(runs),
                );
            }
            print(
                &format!("bursts {burst}, every {every} s: equal 0.001"),
                &Release { burst, every, ..equal(0.001) }.outcome(runs),
            );
            print(
                &format!("bursts {burst}, every {every} s: 0.05 against 0.001"),
                &Release { burst, every, ..against(0.05, 0.001) }.outcome(runs),
            );
            print(
                &format!("bursts {burst}, every {every} s, no history: equal 0.005"),
                &Release { burst, every, history: false, ..equal(0.005) }.outcome(runs),
            );
            print(
                &format!("bursts {burst}, every {every} s, no history: 0.05 against 0.001"),
                &Release { burst, every, history: false, ..against(0.05, 0.001) }.outcome(runs),
            );
        }
    }
    let few = runs.min(1000);
    for truth in [0.0, 0.001, 0.005, 0.009, 0.01, 0.011, 0.02, 0.05, 0.5] {
        print(&format!("limit 0.01: {truth}"), &against_limit(0.01, truth, 1.0, 20_000, few));
    }
    for truth in [0.001, 0.01, 0.05] {
        print(&format!("limit 0.01, bursts 3: {truth}"), &against_limit(0.01, truth, 3.0, 20_000, few));
    }
    for (candidate, stable) in [
        (0.001, 0.001),
        (0.005, 0.005),
        (0.01, 0.005),
        (0.014, 0.005),
        (0.015, 0.005),
        (0.02, 0.005),
        (0.03, 0.005),
        (0.05, 0.005),
        (0.05, 0.001),
        (0.5, 0.001),
    ] {
        let allowed = Allowed { plus: 0.01, margin: None, ..Allowed::default() };
        print(
            &format!("tolerance 0.01: {candidate} against {stable}"),
            &Release { every: 5.0, allowed, ..against(candidate, stable) }.outcome(few.min(400)),
        );
    }
    for (candidate, stable) in
        [(0.0, 0.0), (0.001, 0.001), (0.005, 0.005), (0.05, 0.05), (0.002, 0.001), (0.01, 0.005), (0.05, 0.001), (0.5, 0.001)]
    {
        let allowed = Allowed::default();
        print(
            &format!("default: {candidate} against {stable}"),
            &Release { every: 5.0, allowed, ..against(candidate, stable) }.outcome(few.min(400)),
        );
    }
}
