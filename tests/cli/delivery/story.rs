use super::*;

/// The time that a phase took is not the same twice.
fn timeless(text: &str) -> String {
    let text = regex::Regex::new(r", \d+ s\b").expect("a pattern").replace_all(text, "");
    let text = regex::Regex::new(r"\d+ ms after").expect("a pattern").replace_all(&text, "N ms after");
    let latency = regex::Regex::new(r"(p50|p95|max) \d+ ms").expect("a pattern");
    let text = latency.replace_all(&text, "$1 N ms");
    let text = regex::Regex::new(r"run [0-9a-f]{8}").expect("a pattern").replace_all(&text, "run ID");
    regex::Regex::new(r"\d+(\.\d+)? >= upperSevere").expect("a pattern").replace_all(&text, "N >= upperSevere").into_owned()
}

#[test]
fn a_slow_version_stops_in_staging_and_a_fast_one_reaches_production() {
    let sandbox = sockshop();
    let slow = send("0.6.1", "").on(&sandbox).run();
    expect![[r#"
        STAGE       RESULT       SERVES      GATE    WHY
        dev         passed       0.6.1       <none>  functional: 1 of 1 checks ok (carts.tests.yaml)
        staging     failed       blue 0.6.0  fail    score 0 of 100 is below 75: response_time (N >= upperSevere 800)
        production  not reached  blue 0.6.0  <none>  <none>
        ------- stderr -------
        sockshop carts 0.6.1: dev, staging, production (run ID)
        dev         carts runs 0.6.1 (1 pod)
        dev         functional: 1 of 1 checks ok (carts.tests.yaml)
        dev         passed: 0.6.1 serves
        staging     carts-green runs 0.6.1 as green, without traffic (2 pods)
        staging     performance: 11 requests, 0 failed (0 %, allowed 10 %), p50 N ms, p95 N ms, max N ms (carts.tests.yaml)
        asking monitoring/prometheus-service through the API server
        staging     evaluate: score 0 of 100 is below 75: response_time (N >= upperSevere 800)
        staging     failed: blue 0.6.0 serves
        error: carts 0.6.1 failed in staging: score 0 of 100 is below 75: response_time (N >= upperSevere 800)
        hint: `tidegate get event --keptn-context UID --project sockshop` has the evidence
        [exit status: 10]
    "#]]
    .assert_eq(&timeless(&slow.to_string()));
    assert_eq!(slow.status, Some(10), "{slow}");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [100, 0]);
    assert_eq!(image(&sandbox, "sockshop-staging", "carts-blue"), "0.6.0");
    assert_eq!(image(&sandbox, "sockshop-dev", "carts"), "0.6.1");
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [100, 0]);
    assert_eq!(image(&sandbox, "sockshop-production", "carts-green"), "0.6.2");

    let fast = send("0.6.2", "").on(&sandbox).run();
    expect![[r#"
        STAGE       RESULT  SERVES       GATE    WHY
        dev         passed  0.6.2        <none>  functional: 1 of 1 checks ok (carts.tests.yaml)
        staging     passed  green 0.6.2  pass    score 100 of 100 reaches 90
        production  passed  green 0.6.2  pass    score 100 of 100 reaches 90
        ------- stderr -------
        sockshop carts 0.6.2: dev, staging, production (run ID)
        dev         carts runs 0.6.2 (1 pod)
        dev         functional: 1 of 1 checks ok (carts.tests.yaml)
        dev         passed: 0.6.2 serves
        staging     carts-green runs 0.6.2 as green, without traffic (2 pods)
        staging     performance: 11 requests, 0 failed (0 %, allowed 10 %), p50 N ms, p95 N ms, max N ms (carts.tests.yaml)
        asking monitoring/prometheus-service through the API server
        staging     score 100 of 100 reaches 90
        staging     all traffic: blue 0, green 100
        staging     passed: green 0.6.2 serves
        production  carts-green runs 0.6.2 as green, without traffic (2 pods)
        production  a share of the traffic: blue 90, green 10
        production  score 100 of 100 reaches 90
        production  all traffic: blue 0, green 100
        production  passed: green 0.6.2 serves
    "#]]
    .assert_eq(&timeless(&fast.to_string()));
    assert_eq!(fast.status, Some(0), "{fast}");
    for namespace in ["sockshop-staging", "sockshop-production"] {
        assert_eq!(sandbox.weights(namespace, "carts", 0), [0, 100], "{namespace}");
        assert_eq!(image(&sandbox, namespace, "carts-blue"), "0.6.0", "{namespace}");
        assert_eq!(image(&sandbox, namespace, "carts-green"), "0.6.2", "{namespace}");
    }

    let again = send("0.6.1", "").on(&sandbox).run();
    assert_eq!(again.status, Some(10), "{again}");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [0, 100]);
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [0, 100]);
    tidegate("rollback carts -n sockshop-production").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 0 -> 100, green 100 -> 0
    "#]]);
}

#[test]
fn the_way_back_is_one_patch_and_nothing_is_read_before_it() {
    let sandbox = sockshop();
    let run = send("0.6.1", "--stage staging --until staging --keptn-order").on(&sandbox);
    let mut status = None;
    let requests = sandbox.requests_of(|| status = run.run().status);
    assert_eq!(status, Some(10));
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [100, 0]);
    let lines: Vec<&str> = requests.lines().collect();
    let routes = "virtualservices/carts?fieldManager=tidegate";
    let patches: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].contains(routes)).collect();
    let [there, back] = patches.as_slice() else { panic!("{requests}") };
    let asked = lines[..*back].iter().rposition(|line| line.contains("/proxy/api/v1/query")).expect("the gate was asked");
    assert!(there < &asked && asked < *back, "{requests}");
    let between = &lines[asked + 1..*back];
    // The state is kept before the way back begins; the driver's ear is not part of it.
    let own: Vec<&&str> = between.iter().filter(|line| !line.contains("/leases/") && !line.starts_with("GET")).collect();
    assert!(matches!(own.as_slice(), [kept] if kept.contains("configmaps/tidegate-run-carts-")), "{between:?}");
    let read = between.iter().any(|line| line.starts_with("GET") && line.contains("sockshop-staging"));
    assert!(!read, "{between:?}");
}

#[test]
fn an_image_that_cannot_be_pulled_says_so_and_dev_goes_back() {
    let sandbox = sockshop();
    let output = send("does-not-exist", "").on(&sandbox).run();
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("ImagePullBackOff"), "{output}");
    assert!(output.stderr.contains("carts is back on 0.6.0"), "{output}");
    assert_eq!(image(&sandbox, "sockshop-dev", "carts"), "0.6.0");
    assert_eq!(image(&sandbox, "sockshop-staging", "carts-green"), "0.6.2");
}

#[test]
fn a_colour_that_sleeps_is_woken_and_put_to_sleep_again() {
    let sandbox = sockshop();
    let green = "/apis/apps/v1/namespaces/sockshop-staging/deployments/carts-green";
    sandbox.rest.merge(green, &json!({"spec": {"replicas": 0}})).ok();
    let output = send("0.6.1", "--stage staging --until staging").on(&sandbox).run();
    assert_eq!(output.status, Some(10), "{output}");
    assert!(output.stderr.contains("carts-green is back on 0.6.2, asleep"), "{output}");
    assert_eq!(sandbox.rest.get(green).ok()["spec"]["replicas"], 0);

    let output = send("0.6.2", "--stage staging --until staging").on(&sandbox).run();
    assert_eq!(output.status, Some(0), "{output}");
    assert_eq!(sandbox.rest.get(green).ok()["spec"]["replicas"], 2);
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [0, 100]);
}

#[test]
fn a_dry_run_shows_each_stage_and_touches_nothing() {
    let sandbox = sockshop();
    let requests = sandbox.requests_of(|| {
        send("0.6.2", "--dry-run").on(&sandbox).shows(expect![[r#"
            STAGE       NAMESPACE            DEPLOYMENT                          STEPS                                                      GATE
            dev         sockshop-dev         carts 0.6.0 -> 0.6.2                deploy, smoke, tests                                       <none>
            staging     sockshop-staging     carts-green (green) 0.6.2 -> 0.6.2  deploy, smoke, tests, evaluate, all traffic                carts.perfspec.json
            production  sockshop-production  carts-green (green) 0.6.2 -> 0.6.2  deploy, smoke, 10 % of the traffic, evaluate, all traffic  carts.perfspec.json
        "#]]);
    });
    let writes = |line: &&str| !line.starts_with("GET") && !line.contains("selfsubjectaccessreviews");
    assert_eq!(requests.lines().filter(writes).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn the_runs_can_be_looked_at() {
    let sandbox = sockshop();
    tidegate("get runs -p sockshop").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        No runs found in project sockshop.
    "#]]);
    send("0.6.2", "--until dev").on(&sandbox).succeeds();
    let runs = tidegate("get runs -p sockshop -o json").on(&sandbox).succeeds();
    let runs: serde_json::Value = serde_json::from_str(&runs.raw).expect("JSON");
    assert_eq!((&runs[0]["status"], &runs[0]["stages"][0]["end"]), (&json!("passed"), &json!("passed")));
    let id = runs[0]["id"].as_str().expect("an id");
    for project in ["-p sockshop", ""] {
        let one = tidegate(&format!("get event evaluation-done {project} --keptn-context {id}")).on(&sandbox).succeeds();
        assert!(one.stdout.contains("dev    passed"), "{one}");
    }
    let all = tidegate("get runs").on(&sandbox).succeeds();
    let mut rows = all.stdout.lines().map(|line| line.split_whitespace().take(5).collect::<Vec<_>>());
    assert_eq!(rows.next(), Some(vec!["PROJECT", "RUN", "SERVICE", "VERSION", "STATUS"]), "{all}");
    assert_eq!(rows.next(), Some(vec!["sockshop", &id[..8], "carts", "0.6.2", "passed"]), "{all}");
    let unknown = tidegate("get runs --keptn-context 00000000").on(&sandbox).run();
    assert_eq!(unknown.status, Some(5), "{unknown}");
    assert!(unknown.stderr.contains("there is no run 00000000"), "{unknown}");
}

#[test]
fn a_metrics_source_that_is_away_holds_and_then_goes_back() {
    let sandbox = sockshop();
    let flags = "--stage staging --until staging --share 10 --prometheus http://127.0.0.1:9 --evaluation-timeout 3s";
    let output = send("0.6.2", flags).on(&sandbox).run();
    assert_eq!(output.status, Some(12), "{output}");
    assert!(output.stderr.contains("could not be judged in staging: the metrics source did not answer in time"), "{output}");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [100, 0]);
    assert_eq!(image(&sandbox, "sockshop-staging", "carts-blue"), "0.6.0");
}

#[test]
fn what_happens_is_told_as_keptn_told_it() {
    let sandbox = sockshop();
    let run = send("0.6.2", "--until staging --events events.jsonl -l a=b").on(&sandbox);
    let file = run.home().join("events.jsonl");
    let mut command = run.command();
    assert!(command.output().expect("it runs").status.success());
    let text = std::fs::read_to_string(&file).expect("events");
    let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    expect![[r#"
        sh.keptn.event.dev.delivery.triggered
        sh.keptn.event.deployment.triggered
        sh.keptn.event.deployment.started
        sh.keptn.event.deployment.finished
        sh.keptn.event.test.triggered
        sh.keptn.event.test.started
        sh.keptn.event.test.finished
        sh.keptn.event.dev.delivery.finished
        sh.keptn.event.staging.delivery.triggered
        sh.keptn.event.deployment.triggered
        sh.keptn.event.deployment.started
        sh.keptn.event.deployment.finished
        sh.keptn.event.test.triggered
        sh.keptn.event.test.started
        sh.keptn.event.test.finished
        sh.keptn.event.evaluation.triggered
        sh.keptn.event.evaluation.started
        sh.keptn.event.evaluation.finished
        sh.keptn.event.release.triggered
        sh.keptn.event.release.started
        sh.keptn.event.release.finished
        sh.keptn.event.staging.delivery.finished
    "#]]
    .assert_eq(&(types.join("\n") + "\n"));
    let contexts: std::collections::BTreeSet<&str> = events.iter().filter_map(|event| event["shkeptncontext"].as_str()).collect();
    assert_eq!(contexts.len(), 1, "{contexts:?}");
    assert_eq!(events[0]["data"]["labels"], json!({"a": "b"}));
    let notes = sandbox.rest.get("/api/v1/namespaces/sockshop-staging/events").ok();
    let notes: Vec<&str> = notes["items"].as_array().expect("events").iter().filter_map(|note| note["reason"].as_str()).collect();
    assert!(notes.contains(&"DeliveryPromoted") && notes.contains(&"DeliveryGatePassed"), "{notes:?}");
}

#[test]
fn a_version_that_does_not_come_up_says_why() {
    let sandbox = sockshop();
    let crash = send("0.6.3-crash137", "--stage staging --until staging").on(&sandbox).run();
    assert_eq!(crash.status, Some(1), "{crash}");
    assert!(crash.stderr.contains("CrashLoopBackOff: the container ended with 137"), "{crash}");
    assert!(crash.stderr.contains("carts-green is back on 0.6.2"), "{crash}");

    let green = "/apis/apps/v1/namespaces/sockshop-staging/deployments/carts-green";
    let cpu = json!([{
        "op": "add", "path": "/spec/template/spec/containers/0/resources", "value": {"requests": {"cpu": "1000"}},
    }]);
    sandbox.rest.patch(green, &cpu).ok();
    let large = send("0.6.3", "--stage staging --until staging --rollout-timeout 3s").on(&sandbox).run();
    assert_eq!(large.status, Some(1), "{large}");
    assert!(large.stderr.contains("Insufficient cpu"), "{large}");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [100, 0]);
}

#[test]
fn tests_that_hang_are_ended() {
    let sandbox = sockshop();
    let run = tidegate("add-resource -p sockshop --service carts --resource tests.yaml").on(&sandbox);
    std::fs::write(run.home().join("tests.yaml"), "functional: {command: [sleep, '60']}\n").expect("a file");
    run.succeeds();
    let output = send("0.6.2", "--tests-timeout 2s").on(&sandbox).run();
    assert_eq!(output.status, Some(10), "{output}");
    assert!(output.stderr.contains("carts is back on 0.6.0"), "{output}");
    assert_eq!(image(&sandbox, "sockshop-dev", "carts"), "0.6.0");
}

#[test]
fn keptns_own_command_lines_are_taken() {
    let sandbox = sockshop();
    let shown = send("0.6.2", "--dry-run").on(&sandbox).succeeds().stdout;
    for line in [
        "send event new-artifact --project=sockshop --service=carts --image=docker.io/keptnexamples/carts --tag=0.6.2",
        "send event new-artifact --project=sockshop --service=carts --image=docker.io/keptnexamples/carts:0.6.2",
        "trigger delivery --project=sockshop --service=carts --image=docker.io/keptnexamples/carts:0.6.2 --sequence=delivery \
         --labels=a=b,c=d --watch",
    ] {
        let output = tidegate(&format!("{line} --dry-run")).on(&sandbox).succeeds();
        assert_eq!(output.stdout, shown, "{line}");
    }
}

#[test]
fn a_database_stays_single_and_gets_its_image_in_every_stage() {
    let sandbox = Sandbox::empty();
    project(&sandbox, SHIPYARD);
    let onboard =
        tidegate("onboard service carts-db -p sockshop --deployment carts-db.yaml --deployment-strategy direct").on(&sandbox);
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sockshop");
    std::fs::copy(fixtures.join("carts-db.yaml"), onboard.home().join("carts-db.yaml")).expect("a file");
    onboard.succeeds();
    let before = sandbox.requests().len();
    let sent = "send event new-artifact --project=sockshop --service=carts-db --image=mongo --tag=4.2.2";
    let output = tidegate(sent).on(&sandbox).run();
    assert_eq!(output.status, Some(0), "{output}");
    assert!(
        output.stderr.starts_with("carts-db has one deployment in staging, production: it gets the image there\n"),
        "{output}"
    );
    assert!(output.stderr.contains("functional: not asked: port 27017 speaks no HTTP (built in)"), "{output}");
    for stage in ["dev", "staging", "production"] {
        assert_eq!(image(&sandbox, &format!("sockshop-{stage}"), "carts-db"), "4.2.2");
    }
    assert!(!sandbox.requests()[before..].contains("/proxy/"));
}
