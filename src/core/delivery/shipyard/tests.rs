use super::*;
use crate::core::lint::Severity;

/// Stages as `name deployment test pass/warning timeframe`.
fn read(text: &str) -> Vec<String> {
    let shipyard = Shipyard::parse("shipyard.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    let word = |value: serde_json::Result<serde_json::Value>| match value {
        Ok(serde_json::Value::String(word)) => word,
        other => panic!("{other:?}"),
    };
    let one = |stage: &Stage| {
        format!(
            "{} {} {} {}/{} {:?}",
            stage.name,
            word(serde_json::to_value(stage.deployment)),
            word(serde_json::to_value(stage.test)),
            word(serde_json::to_value(stage.approval.pass)),
            word(serde_json::to_value(stage.approval.warning)),
            stage.timeframe
        )
    };
    shipyard.stages.iter().map(one).collect()
}

/// The findings that are no errors, as `line:column message`.
fn notes(text: &str) -> Vec<String> {
    let findings = Shipyard::lint(text);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Warning), "{findings:?}");
    let place = |finding: &Finding| finding.position.map(|at| format!("{}:{}", at.line, at.column)).unwrap_or_default();
    findings.iter().map(|finding| format!("{} {}", place(finding), finding.message)).collect()
}

fn refused(text: &str) -> String {
    Shipyard::parse("shipyard.yaml", text).expect_err("an error").message
}

const SOCKSHOP: &str = "\
stages:
  - name: dev
    deployment_strategy: direct
    test_strategy: functional
  - name: staging
    deployment_strategy: blue_green_service
    test_strategy: performance
  - name: production
    deployment_strategy: blue_green_service
    remediation_strategy: automated
    approval_strategy:
      warning: manual
";

#[test]
fn the_older_format() {
    assert_eq!(
        read(SOCKSHOP),
        [
            "dev direct functional automatic/automatic None",
            "staging blue_green performance automatic/automatic None",
            "production blue_green none automatic/manual None",
        ]
    );
    assert_eq!(notes(SOCKSHOP), ["10:5 `remediation_strategy` has no meaning here: nothing is remedied"]);
    let shipyard = Shipyard::parse("x", SOCKSHOP).expect("a shipyard");
    assert_eq!(shipyard.stages.iter().map(Stage::is_gated).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(
        notes("registry: sockshop\nstages: [{name: dev, owner: me}]\n"),
        [
            "1:1 `registry` has no meaning here: an artifact is named with its registry",
            "2:22 unknown key `owner`; known are name, deployment_strategy, test_strategy, approval_strategy, remediation_strategy",
        ]
    );
}

#[test]
fn what_the_older_format_refuses() {
    assert_eq!(
        refused("stages:\n- name: dev\n- name: dev\n"),
        "shipyard.yaml:3:3: there are two stages `dev`\n   3 | - name: dev\n     |   ^"
    );
    assert_eq!(
        refused("stages:\n- deployment_strategy: direct\n"),
        "shipyard.yaml:2:3: this stage has no `name`\n   2 | - deployment_strategy: direct\n     |   ^"
    );
    let refused = |text: &str| refused(text).lines().next().unwrap_or_default().to_owned();
    for (text, message) in [
        ("", "shipyard.yaml: the file is empty"),
        ("stages: []\n", "shipyard.yaml:1:1: there is no stage: `stages` is a list of at least one"),
        (
            "stages:\n- name: Dev\n",
            "shipyard.yaml:2:3: `Dev` cannot name a stage: use small letters, digits and `-`, at most 63, a letter or digit first and last",
        ),
        (
            "stages:\n- name: dev\n  deployment_strategy: blue-green\n",
            "shipyard.yaml:3:3: `blue-green` is no deployment strategy; did you mean `blue_green`?",
        ),
        (
            "stages:\n- name: dev\n  test_strategy: real-user\n",
            "shipyard.yaml:3:3: `real-user` is no test strategy; known are functional, performance",
        ),
        (
            "stages:\n- name: dev\n  approval_strategy: {pass: never}\n",
            "shipyard.yaml:3:23: `never` is no way to approve; known are automatic, manual",
        ),
        (
            "stages:\n- name: dev\n  teststrategy: functional\n",
            "shipyard.yaml:3:3: unknown key `teststrategy`; did you mean `test_strategy`?",
        ),
        ("stages:\n- name: dev\n  name: prod\n", "shipyard.yaml:2:3: this is not YAML: stages[0]: duplicate entry"),
        ("apiVersion: v1\n", "shipyard.yaml:1:1: `v1` is no version of a shipyard; known are spec.keptn.sh/0.2.0 to 0.2.4"),
        ("stages: [", "shipyard.yaml:2:1: this is not YAML: "),
    ] {
        assert!(refused(text).starts_with(message), "{text:?}: {}", refused(text));
    }
}

const SEQUENCES: &str = "\
apiVersion: spec.keptn.sh/0.2.3
kind: Shipyard
metadata: {name: sockshop}
spec:
  stages:
  - name: production
    sequences:
    - name: delivery
      triggeredOn:
      - event: staging.delivery.finished
        selector: {match: {evaluation.result: pass}}
      tasks:
      - name: approval
        properties: {pass: automatic}
      - {name: deployment, properties: {deploymentstrategy: blue_green_service}}
      - {name: release}
    - name: remediation
      triggeredOn:
      - event: production.remediation.finished
        selector: {match: {evaluation.result: fail}}
      tasks: [{name: remediation}]
  - name: dev
    sequences:
    - name: delivery
      tasks:
      - {name: deployment, properties: {deploymentstrategy: direct}}
      - {name: test, properties: {teststrategy: functional}}
      - {name: evaluation}
  - name: staging
    sequences:
    - name: delivery
      triggeredOn:
      - event: dev.delivery.finished
      tasks:
      - {name: deployment, properties: {deploymentstrategy: blue_green_service}}
      - {name: test, properties: {teststrategy: performance}}
      - {name: evaluation, properties: {timeframe: 1m30s}}
      - {name: mail, triggeredAfter: 10m}
    - name: rollback
      triggeredOn:
      - event: staging.delivery.finished
        selector: {match: {result: fail}}
      tasks: [{name: rollback}]
";

#[test]
fn sequences_come_to_a_walk_through_the_stages() {
    assert_eq!(
        read(SEQUENCES),
        [
            "dev direct functional automatic/automatic Some(300)",
            "staging blue_green performance automatic/automatic Some(90)",
            "production blue_green none automatic/manual None",
        ]
    );
    assert_eq!(
        notes(SEQUENCES),
        [
            "17:7 the sequence `remediation` has no meaning here: nothing is remedied",
            "28:9 this evaluation has no `timeframe`: it looks at the last 5 minutes",
            "38:9 the task `mail` has no meaning here",
            "38:22 `triggeredAfter` has no meaning here: nothing waits between tasks",
            "39:7 the sequence `rollback` has no meaning here: a version that fails is put back in any case",
        ]
    );
}

/// A shipyard of stages that deploy, each with the stages that start it.
fn started(stages: &[(&str, &str)]) -> String {
    let mut text = "apiVersion: spec.keptn.sh/0.2.0\nkind: Shipyard\nspec:\n  stages:\n".to_owned();
    for (name, triggers) in stages {
        text += &format!(
            "  - name: {name}\n    sequences:\n    - name: delivery\n      triggeredOn: [{triggers}]\n      tasks: [{{name: deployment}}]\n"
        );
    }
    text
}

#[test]
fn stages_that_start_each_other_in_a_circle_are_refused() {
    let circle = started(&[
        ("dev", ""),
        ("a", "event: c.delivery.finished"),
        ("b", "event: a.delivery.finished"),
        ("c", "event: b.delivery.finished"),
    ]);
    let message = refused(&circle);
    assert!(message.starts_with("shipyard.yaml:13:7: the stages start each other in a circle: a -> b -> c -> a\n"), "{message}");
    let message = refused(&started(&[("dev", "event: dev.delivery.finished")]));
    assert!(message.starts_with("shipyard.yaml:8:7: the stages start each other in a circle: dev -> dev\n"), "{message}");
}

#[test]
fn what_a_trigger_cannot_be() {
    for (trigger, message) in [
        ("event: test.delivery.finished", "there is no stage `test`"),
        ("event: dev.deploy.finished", "the stage `dev` has no sequence `deploy`"),
        ("event: dev.delivery.triggered", "`dev.delivery.triggered` is no end of a sequence; write `STAGE.SEQUENCE.finished`"),
        (
            "{event: dev.delivery.finished, selector: {match: {result: failed}}}",
            "no result is `failed`; known are pass, warning, fail",
        ),
    ] {
        let refused = refused(&started(&[("dev", ""), ("prod", trigger)]));
        assert!(refused.contains(message), "{trigger}: {refused}");
    }
}

#[test]
fn a_stage_that_nothing_starts_waits_for_somebody() {
    let text = started(&[("dev", ""), ("prod", "")]);
    assert_eq!(read(&text)[1], "prod direct none manual/manual None");
    assert_eq!(notes(&text), ["10:5 nothing starts the stage `prod`: somebody approves it after the one before"]);
    let text = started(&[("dev", ""), ("prod", "{event: dev.delivery.finished, selector: {match: {result: pass}}}")]);
    assert_eq!(read(&text)[1], "prod direct none automatic/manual None");
    assert_eq!(notes(&text), ["13:7 nothing starts the stage `prod` after a warning: somebody approves it"]);
}

#[test]
fn a_sequence_without_a_deployment_delivers_nothing() {
    let text = "apiVersion: spec.keptn.sh/0.2.0\nkind: Shipyard\nspec: {stages: [{name: x, sequences: [{name: e, tasks: [{name: evaluation}]}]}]}\n";
    assert!(refused(text).contains("no stage has a sequence with a `deployment` task"), "{}", refused(text));
}
