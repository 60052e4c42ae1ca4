//! Where a gate's numbers come from, each source answering over the wire.

use crate::support::stub::{Answer, Stub};
use crate::support::*;

const WINDOW: &str = "--start 2026-01-01T00:00:00Z --end 2026-01-01T00:05:00Z";

/// A run that grades one indicator, `a`, which must be 1 to 10; `sli` is its line of the SLI file.
fn graded(sli: &str, line: &str) -> Run {
    let run = tidegate(&format!("evaluate carts --gate slo.yaml --sli sli.yaml {WINDOW} {line}"));
    let slo = "objectives:\n- sli: a\n  pass: [{criteria: ['>=1', '<=10']}]\ntotal_score: {pass: '90%'}\n";
    std::fs::write(run.home().join("slo.yaml"), slo).expect("a file");
    std::fs::write(run.home().join("sli.yaml"), format!("indicators:\n  a: {sli}\n")).expect("a file");
    run
}

#[test]
fn a_number_out_of_a_web_page() {
    let stub = Stub::new(|request| match (request.target.as_str(), request.headers.get("x-key").map(String::as_str)) {
        ("/load/staging?full=1", Some("s3cret")) => Answer::json(200, &json!({"runs": [{"p95": 7.5}, {"p95": "9"}]})),
        _ => Answer::json(403, &json!({"error": "no"})),
    });
    let sli = |path: &str| {
        format!(
            "{{web: {{url: 'http://127.0.0.1:{}/load/$STAGE?full=1', headers: {{X-Key: '${{KEY}}'}}, jsonPath: '{path}'}}}}",
            stub.port
        )
    };
    let run = |path: &str| graded(&sli(path), "--stage staging -o wide").env("KEY", "s3cret");
    run("$.runs[0].p95").shows(expect![[r#"
        INDICATOR  VALUE  LIMIT           SCORE  STATUS  WHY    QUERY
        a          7.5    >=1 1, <=10 10  1/1    pass    holds  GET http://SERVER/load/staging?full=1 $.runs[0].p95
        pass: 100 % reaches 90
    "#]]);
    let outcome = run("$.runs[*].p95").run();
    assert!(outcome.status == Some(10) && outcome.stdout.contains("multiple values"), "{outcome:?}");
    let outcome = run("$.nothing").run();
    assert!(outcome.status == Some(10) && outcome.stdout.contains("did not return any values"), "{outcome:?}");
    let outcome = graded(&sli("$"), "--stage staging").env("KEY", "wrong").run();
    assert!(outcome.status == Some(10) && outcome.stdout.contains("HTTP status 403"), "{outcome:?}");
    let outcome = graded(&sli("$"), "--stage staging").run();
    assert!(outcome.status == Some(2) && outcome.stderr.contains("no variable `KEY`"), "{outcome:?}");
    let outcome = graded("{web: 'http://127.0.0.1:1/'}", "--request-timeout 1s").run();
    assert_eq!(outcome.status, Some(7), "{outcome:?}");
}

#[test]
fn a_number_that_a_program_prints() {
    let passes = |sli: &str| graded(sli, "--stage staging --project sockshop --label build=4").succeeds();
    passes("{command: [echo, '5']}");
    passes("{command: [sh, -c, 'test $PROJECT-$STAGE-$SERVICE = sockshop-staging-carts && echo $LABEL_build']}");
    passes("{command: {run: [sh, -c, 'exit 3'], value: exitCode}}");
    passes("{command: [sh, -c, 'expr $DURATION_SECONDS / 60']}");
    for (sli, says, code) in [
        ("{command: [sh, -c, 'echo no route >&2; exit 3']}", "exit code 3: no route", 10),
        ("{command: [echo, fine]}", "not a number", 10),
        ("{command: [no-such-program]}", "cannot run `no-such-program`", 2),
        ("{command: {run: [sleep, '60'], timeout: 100ms}}", "did not end within", 124),
    ] {
        let outcome = graded(sli, "").run();
        assert!(outcome.status == Some(code) && outcome.to_string().contains(says), "{sli}: {outcome:?}");
    }
}

/// What a program started goes with it.
#[test]
fn the_deadline_ends_a_program_and_its_children() {
    let run = graded("{command: [sh, -c, 'sleep 61.25 & echo $! > child; wait']}", "--timeout 500ms");
    let child = run.home().join("child");
    let mut command = run.command();
    let status = command.output().expect("the program runs").status;
    assert_eq!(status.code(), Some(124));
    let id = std::fs::read_to_string(child).expect("the child's id");
    eventually("the child is gone", || {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
        // A zombie waits for its parent to look.
        (state.is_empty() || state.contains(") Z ")).then_some(())
    });
}

/// Each source on its own: what one cannot say, the others do.
#[test]
fn one_source_away_leaves_the_others() {
    let perfspec = |url: &str| {
        let run = tidegate(&format!("evaluate --gate slo.yaml --sli sli.yaml --request-timeout 1s {WINDOW} --prometheus {url}"));
        let slo = "objectives: [{sli: a, pass: [{criteria: ['>0']}]}, {sli: b, pass: [{criteria: ['>0']}]}]\ntotal_score: {pass: '90%'}\n";
        std::fs::write(run.home().join("slo.yaml"), slo).expect("a file");
        std::fs::write(run.home().join("sli.yaml"), "indicators: {a: up, b: {command: [echo, '5']}}\n").expect("a file");
        run
    };
    let outcome = perfspec("http://127.0.0.1:1").run();
    assert_eq!(outcome.status, Some(10), "{outcome:?}");
    assert!(outcome.stdout.contains("cannot reach the metrics source"), "{outcome:?}");
}
