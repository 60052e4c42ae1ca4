//! A stage's tests, by whom and however they are done.

use super::*;
use crate::support::run::Output;

/// Sends 0.6.2 to the first stage, tested by this `tests.yaml`. What is wrong with the file is said by whoever reads it
/// first.
fn tested(sandbox: &Sandbox, suite: &str, flags: &str) -> Output {
    let add = tidegate("add-resource -p sockshop --service carts --resource tests.yaml").on(sandbox);
    std::fs::write(add.home().join("tests.yaml"), suite).expect("a file");
    let added = add.run();
    if added.status != Some(0) {
        return added;
    }
    send("0.6.2", &format!("--until dev {flags}")).on(sandbox).run()
}

fn plain() -> Sandbox {
    let sandbox = Sandbox::new();
    project(&sandbox, SHIPYARD);
    sandbox
}

#[test]
fn without_a_file_the_health_check_is_the_test() {
    let sandbox = plain();
    let before = sandbox.requests().len();
    let run = send("0.6.2", "--until dev").on(&sandbox).run();
    assert_eq!(run.status, Some(0), "{run}");
    assert!(run.stderr.contains("functional: 1 of 1 checks ok (built in)"), "{run}");
    let log = sandbox.requests()[before..].to_owned();
    // The smoke test and the functional test, of the version's own pod.
    assert_eq!(log.matches(":8080/proxy/health 200").count(), 2, "{log}");
}

#[test]
fn a_program_reaches_the_version_by_the_address_that_it_is_given() {
    let sandbox = plain();
    let script = r#"bash -c 'exec 3<>/dev/tcp/$SERVER_URL/$SERVER_PORT; printf "GET $CHECK_PATH HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" >&3; cat <&3; echo; echo $PROJECT $STAGE $SERVICE $NAMESPACE $IMAGE $TAG $VUCount $LoopCount'"#;
    let suite = format!("functional:\n  path: /health/deep\n  command: |\n    {script}\n");
    let run = tested(&sandbox, &suite, "");
    assert_eq!(run.status, Some(0), "{run}");
    assert!(run.stderr.contains("    HTTP/1.1 200 OK\n"), "{run}");
    assert!(run.stderr.contains(r#""version":"0.6.2""#), "{run}");
    assert!(run.stderr.contains("    sockshop dev carts sockshop-dev docker.io/keptnexamples/carts 0.6.2 1 1\n"), "{run}");
    assert!(run.stderr.contains("functional: ended with exit code 0 (carts.tests.yaml)"), "{run}");
}

#[test]
fn a_program_that_fails_or_hangs_fails_the_stage() {
    let sandbox = plain();
    let failed = tested(&sandbox, "functional: {command: [sh, -c, 'echo to $(TARGET_URL); exit 4']}", "");
    assert_eq!(failed.status, Some(10), "{failed}");
    assert!(failed.stderr.contains("    to http://SERVER\n"), "{failed}");
    assert!(failed.stderr.contains("ended with exit code 4 (carts.tests.yaml)"), "{failed}");
    assert_eq!(image(&sandbox, "sockshop-dev", "carts"), "0.6.0", "back on the previous image");
    let hung = tested(&sandbox, "functional: {command: 'sleep 1000'}", "--tests-timeout 1s");
    assert_eq!(hung.status, Some(10), "{hung}");
    assert!(hung.stderr.contains("did not end in time (carts.tests.yaml)"), "{hung}");
    let summary = "summary =      4 in 00:00:01 =    4.0/s Avg:    12 Min:     3 Max:    43 Err:     1 (25.00%)";
    let counted = tested(&sandbox, &format!("functional: {{command: 'echo \"{summary}\"'}}"), "");
    assert_eq!(counted.status, Some(10), "{counted}");
    assert!(counted.stderr.contains("1 of 4 requests failed (25 %, allowed 0 %)"), "{counted}");
}

#[test]
fn a_job_tests_from_within_and_goes() {
    let sandbox = plain();
    let jobs = || sandbox.rest.get("/apis/batch/v1/namespaces/sockshop-dev/jobs").ok()["items"].as_array().cloned();
    let good = tested(&sandbox, "functional: {job: {image: 'k6:1', command: [k6, run, '$(TARGET_URL)']}}", "");
    assert_eq!(good.status, Some(0), "{good}");
    assert!(good.stderr.contains("functional: ended with exit code 0"), "{good}");
    assert_eq!(jobs(), Some(vec![]), "deleted");
    let bad = tested(&sandbox, "functional: {job: {image: 'k6:1', command: [sh, -c, exit 3], keep: true}}", "");
    assert_eq!(bad.status, Some(10), "{bad}");
    assert!(bad.stderr.contains("ended with exit code 3 (carts.tests.yaml)"), "{bad}");
    let kept = jobs().and_then(|mut all| all.pop()).expect("kept");
    assert_eq!(kept["metadata"]["labels"]["tidegate/service"], "carts");
    assert_eq!(kept["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"], "false");
    // By the name that users have: a job can set no header.
    let outside = tested(&sandbox, "through: ingress\nfunctional: {job: {image: 'k6:1', keep: true}}", "");
    assert_eq!(outside.status, Some(0), "{outside}");
    let kept = jobs().and_then(|mut all| all.pop()).expect("kept");
    let variables = kept["spec"]["template"]["spec"]["containers"][0]["env"].as_array().expect("variables");
    let url = variables.iter().find(|one| one["name"] == "TARGET_URL").expect("a URL");
    assert!(url["value"].as_str().is_some_and(|url| url.starts_with("http://carts.sockshop-dev.203.0.113.10.xip.io:")), "{url}");
    let never = tested(&sandbox, "functional: {job: {image: 'k6:missing'}}", "");
    assert_eq!(never.status, Some(10), "{never}");
    assert!(never.stderr.contains("ImagePullBackOff"), "{never}");
}

#[test]
fn the_ingress_leads_to_the_version_by_its_public_name() {
    let sandbox = plain();
    let before = sandbox.requests().len();
    let run = tested(&sandbox, "through: ingress\nfunctional: {checks: [/version]}", "");
    assert_eq!(run.status, Some(0), "{run}");
    assert!(run.stderr.contains("functional: 2 of 2 checks ok"), "{run}");
    let log = sandbox.requests()[before..].to_owned();
    // The smoke test alone asks the pod.
    assert!(!log.contains("services/carts:80/proxy"), "{log}");
    assert_eq!(log.matches(":8080/proxy/version").count(), 1, "{log}");
}

#[test]
fn a_file_that_is_wrong_is_refused_before_anything_is_touched() {
    let sandbox = plain();
    let gone = tested(&sandbox, "functional: {command: [no-such-program, -n]}", "");
    assert_eq!(gone.status, Some(2), "{gone}");
    assert!(gone.stderr.contains("stage dev: its tests need `no-such-program`, which is not on this machine"), "{gone}");
    let run = tested(&sandbox, "functional: {check: [/carts]}", "");
    assert_eq!(run.status, Some(2), "{run}");
    assert!(run.stderr.contains("tests.yaml:1:14: unknown key `check`; did you mean `checks`?"), "{run}");
    assert_eq!(image(&sandbox, "sockshop-dev", "carts"), "0.6.0");
}
