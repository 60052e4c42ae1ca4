use super::*;

/// Says what is wrong, and touches nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, run: Run, status: i32, told: &[&str]) {
    let mut output = None;
    let requests = sandbox.requests_of(|| output = Some(run.run()));
    let output = output.expect("it ran");
    assert_eq!(output.status, Some(status), "{output}");
    for text in told {
        assert!(output.stderr.contains(text), "`{text}` is not in {output}");
    }
    let writes = |line: &&str| !line.starts_with("GET") && !line.contains("selfsubjectaccessreviews");
    assert_eq!(requests.lines().filter(writes).collect::<Vec<_>>(), [""; 0], "{output}");
}

#[test]
fn names_that_are_not_there() {
    let sandbox = sockshop();
    let sent = |line: &str| tidegate(&format!("send new-artifact {line}")).on(&sandbox);
    refused(&sandbox, sent("-p sockshp --service carts --image carts:1"), 5, &["no project `sockshp`"]);
    refused(
        &sandbox,
        sent("-p sockshop --service carts --image carts:1 --until prodution"),
        5,
        &["no stage `prodution`", "did you mean `production`?"],
    );
    refused(&sandbox, sent("-p sockshop --service carts --image carts:1 --stage qa"), 5, &["no stage `qa`"]);
    refused(
        &sandbox,
        sent("-p sockshop --service cart --image carts:1 --allow-no-gate"),
        5,
        &["stage dev of sockshop has no service `cart`"],
    );
    refused(
        &sandbox,
        sent("-p sockshop --service carts --image carts:1 --stage staging --until dev"),
        2,
        &["--until comes before --stage"],
    );
    refused(&sandbox, sent("-p sockshop --service carts --image carts"), 2, &["no tag"]);
    refused(&sandbox, sent("-p sockshop --service carts --image carts:1 --label a"), 2, &["`a` is not k=v"]);
}

#[test]
fn colours_that_do_not_say_which_is_idle() {
    let sandbox = sockshop();
    let carts = "/apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts";
    let to = |subset: &str, weight: u32| json!({"destination": {"host": "carts.sockshop-production.svc.cluster.local", "subset": subset}, "weight": weight});
    let stand = |routes: serde_json::Value| sandbox.rest.merge(carts, &json!({"spec": {"http": [{"route": routes}]}})).ok();
    stand(json!([to("blue", 50), to("green", 50)]));
    refused(
        &sandbox,
        send("0.6.2", "").on(&sandbox),
        2,
        &["blue 50, green 50", "not clear which side", "tidegate promote carts -n sockshop-production --to NAME"],
    );
    stand(json!([to("blue", 100), to("green", 0), to("red", 0)]));
    refused(&sandbox, send("0.6.2", "").on(&sandbox), 2, &["several have no traffic", "--to green"]);
    stand(json!([to("blue", 100), to("green", 0)]));
    refused(&sandbox, send("0.6.2", "--to blue").on(&sandbox), 2, &["blue serves"]);
}

#[test]
fn a_gate_that_is_missing_fails_closed() {
    let sandbox = Sandbox::new();
    project(&sandbox, SHIPYARD);
    refused(&sandbox, send("0.6.2", "").on(&sandbox), 2, &["stage staging has no gate for `carts`", "--allow-no-gate"]);
    refused(&sandbox, send("0.6.2", "--gate nowhere.json").on(&sandbox), 2, &["cannot read nowhere.json"]);
    refused(&sandbox, send("0.6.2", "--require p95").on(&sandbox), 2, &["p95"]);
}

/// An evaluation of the shipyard needs a gate in a stage with one deployment, too.
#[test]
fn an_evaluation_without_a_gate_fails_closed() {
    let sandbox = Sandbox::new();
    let tasks =
        "tasks: [{name: deployment, properties: {deploymentstrategy: direct}}, {name: evaluation, properties: {timeframe: 1m}}]";
    let stage = format!("{{name: dev, sequences: [{{name: delivery, {tasks}}}]}}");
    project(&sandbox, &format!("apiVersion: spec.keptn.sh/0.2.2\nkind: Shipyard\nspec: {{stages: [{stage}]}}\n"));
    refused(&sandbox, send("0.6.2", "").on(&sandbox), 2, &["stage dev has no gate for `carts`"]);
}

/// One deployment where the shipyard has two is judged all the same.
#[test]
fn a_service_that_is_single_needs_its_gate() {
    let sandbox = Sandbox::empty();
    project(&sandbox, "stages: [{name: production, deployment_strategy: blue_green_service}]\n");
    tidegate("onboard service carts -p sockshop --image carts:0.6.0 --deployment-strategy direct").on(&sandbox).succeeds();
    refused(&sandbox, send("0.6.2", "").on(&sandbox), 2, &["stage production has no gate for `carts`"]);
}

#[test]
fn rights_are_asked_for_before_anything_is_touched() {
    let sandbox = sockshop();
    let run = send("0.6.2", "--context viewer").on(&sandbox);
    refused(&sandbox, run, 4, &["you may not as viewer", "patch virtualservices in sockshop-production (production)"]);
}

#[test]
fn a_protected_stage_is_asked_about() {
    let sandbox = sockshop();
    let labels = json!({"metadata": {"labels": {"tidegate/protected": "true"}}});
    sandbox.rest.merge("/api/v1/namespaces/sockshop-production", &labels).ok();
    refused(&sandbox, send("0.6.2", "").on(&sandbox), 2, &["namespace sockshop-production is protected: --yes required"]);
    let run = send("0.6.2", "--until dev").on(&sandbox);
    assert_eq!(run.run().status, Some(0));
    let run = send("0.6.2", "--stage production --yes").on(&sandbox).run();
    assert_eq!(run.status, Some(0), "{run}");
}

#[test]
fn a_stages_own_gate_goes_before_the_services_whatever_its_format() {
    let sandbox = sockshop();
    let slo = "spec_version: '1.0'\nobjectives: [{sli: rps, pass: [{criteria: ['>0']}]}]\ntotal_score: {pass: 90%}\n";
    let sli = "spec_version: '1.0'\nindicators: {rps: 'sum(rate(istio_requests_total[$DURATION_SECONDS]))'}\n";
    for (file, text) in [("slo.yaml", slo), ("sli.yaml", sli)] {
        let run = tidegate(&format!("add-resource -p sockshop --stage staging --service carts --resource {file}")).on(&sandbox);
        std::fs::write(run.home().join(file), text).expect("a file");
        run.succeeds();
    }
    let shown = send("0.6.2", "--dry-run").on(&sandbox).succeeds();
    let gate = |stage: &str| {
        let row = shown.stdout.lines().find(|line| line.starts_with(stage)).expect("a row");
        row.split_whitespace().last().expect("a gate").to_owned()
    };
    assert_eq!(gate("staging"), "staging.carts.slo.yaml", "{shown}");
    assert_eq!(gate("production"), "carts.perfspec.json", "{shown}");
}
