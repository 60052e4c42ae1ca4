//! Projects and their services, from the first namespace to the last.

use crate::support::*;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// `tidegate` in a directory with the files of the sock shop.
fn shop(line: &str) -> Run {
    let run = tidegate(line);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sockshop");
    for file in fs::read_dir(fixtures).expect("fixtures").map(|entry| entry.expect("an entry").path()) {
        fs::copy(&file, run.home().join(file.file_name().expect("a name"))).expect("copied");
    }
    run
}

/// The same with one more file.
fn with(line: &str, file: &str, text: &str) -> Run {
    let run = shop(line);
    fs::write(run.home().join(file), text).expect("written");
    run
}

/// A sandbox with the project `sockshop` and nothing in it.
fn project() -> Sandbox {
    let sandbox = Sandbox::empty();
    shop("create project sockshop --shipyard shipyard.yaml").on(&sandbox).succeeds();
    sandbox
}

fn namespaces(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.rest.get("/api/v1/namespaces?labelSelector=tidegate/project").ok();
    let items = list["items"].as_array().expect("a list").clone();
    items.iter().map(|one| one["metadata"]["name"].as_str().expect("a name").to_owned()).collect()
}

/// The requests that `run` causes and that write.
fn writes(sandbox: &Sandbox, run: Run) -> (run::Output, Vec<String>) {
    let mut output = None;
    let requests = sandbox.requests_of(|| output = Some(run.on(sandbox).run()));
    let writes = |line: &&str| !line.starts_with("GET ") && !line.contains("selfsubjectaccessreviews");
    (output.expect("it ran"), requests.lines().filter(writes).map(str::to_owned).collect())
}

#[test]
fn a_project_is_made_once_and_follows_its_shipyard() {
    let sandbox = Sandbox::empty();
    shop("create project sockshop --shipyard shipyard.yaml --dry-run").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-dev created (dry run)
        namespace/sockshop-staging created (dry run)
        namespace/sockshop-production created (dry run)
        project/sockshop created (dry run): dev, staging, production
    "#]]);
    assert!(namespaces(&sandbox).is_empty());
    shop("create project sockshop --shipyard shipyard.yaml").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-dev created
        namespace/sockshop-staging created
        namespace/sockshop-production created
        project/sockshop created: dev, staging, production
    "#]]);
    let staging = sandbox.rest.get("/api/v1/namespaces/sockshop-staging").ok();
    assert_eq!(staging["metadata"]["labels"]["istio-injection"], "enabled");
    assert_eq!(staging["metadata"]["labels"]["tidegate/stage"], "staging");
    assert_eq!(staging["metadata"]["annotations"]["tidegate/order"], "1");
    let (output, written) = writes(&sandbox, shop("create project sockshop --shipyard shipyard.yaml"));
    expect![[r#"
        project/sockshop (no change): dev, staging, production
    "#]]
    .assert_eq(&output.to_string());
    assert!(written.is_empty(), "{written:?}");
    let other = "stages:\n- name: dev\n- {name: staging, deployment_strategy: blue_green, approval_strategy: {pass: manual}}\n- {name: qa}\n";
    with("create project sockshop --shipyard other.yaml", "other.yaml", other).on(&sandbox).shows(expect![[r#"
        - dev: direct, functional
        - staging: blue_green, performance
        - production: blue_green
        + dev: direct
        + staging: blue_green, manual after a pass
        + qa: direct
        namespace/sockshop-qa created
        project/sockshop updated: dev, staging, qa
        ------- stderr -------
        warning: sockshop-production belongs to no stage any more; it stays with all that is in it
    "#]]);
    tidegate("get stages -p sockshop").on(&sandbox).shows(expect![[r#"
        STAGE    NAMESPACE         DEPLOYMENT  TEST    APPROVAL
        dev      sockshop-dev      direct      <none>  automatic
        staging  sockshop-staging  blue_green  <none>  manual after a pass
        qa       sockshop-qa       direct      <none>  automatic
    "#]]);
    let first = "stages:\n- name: qa\n- name: dev\n";
    with("create project sockshop --shipyard other.yaml", "other.yaml", first).on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `qa` cannot be the first stage: sockshop-dev keeps the project's files and runs
        hint: to begin anew: `tidegate delete project sockshop`
        [exit status: 2]
    "#]]);
    shop("create project sockshop --shipyard shipyard.yaml --namespaces {stage}").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the namespaces of `sockshop` are named {project}-{stage}; that does not change
        hint: to begin anew: `tidegate delete project sockshop`
        [exit status: 2]
    "#]]);
}

#[test]
fn a_project_is_deleted_when_somebody_says_so() {
    let sandbox = project();
    tidegate("delete project sockshop").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        namespace/sockshop-dev goes, with no service in it
        namespace/sockshop-staging goes, with no service in it
        namespace/sockshop-production goes, with no service in it
        error: --yes required when not running interactively
        hint: run it again with `--yes`
        [exit status: 2]
    "#]]);
    assert_eq!(namespaces(&sandbox).len(), 3);
    tidegate("delete project sockshop --yes").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-production deleted
        namespace/sockshop-staging deleted
        namespace/sockshop-dev deleted
        project/sockshop deleted
        ------- stderr -------
        namespace/sockshop-dev goes, with no service in it
        namespace/sockshop-staging goes, with no service in it
        namespace/sockshop-production goes, with no service in it
    "#]]);
    eventually("the namespaces are gone", || namespaces(&sandbox).is_empty().then_some(()));
    tidegate("delete project sockshop --yes").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: there is no project `sockshop`
        hint: make it: `tidegate create project sockshop --shipyard shipyard.yaml`
        [exit status: 5]
    "#]]);
}

#[test]
fn what_was_there_before_stays() {
    let sandbox = Sandbox::new();
    shop("create project sockshop shipyard.yaml --git-user=x --git-token=y --git-remote-url=z").on(&sandbox).shows(expect![[
        r#"
            namespace/sockshop-dev adopted
            namespace/sockshop-staging adopted
            namespace/sockshop-production adopted
            project/sockshop created: dev, staging, production
            ------- stderr -------
            warning: no meaning here: --git-user, --git-token, --git-remote-url; a project needs no Git repository
        "#
    ]]);
    tidegate("get projects").on(&sandbox).shows(expect![[r#"
        NAME      STAGES                    SERVICES
        sockshop  dev, staging, production  carts, carts-db, orders
    "#]]);
    tidegate("get artifacts -p sockshop").on(&sandbox).shows(expect![[r#"
        SERVICE   STAGE       VERSION  IMAGE                                   WEIGHT  READY
        carts     dev         <none>   docker.io/keptnexamples/carts:0.6.0     <none>  1/1
        carts     staging     blue     docker.io/keptnexamples/carts:0.6.0     100     2/2
        carts     staging     green    docker.io/keptnexamples/carts:0.6.2     0       2/2
        carts     production  blue     docker.io/keptnexamples/carts:0.6.0     100     2/2
        carts     production  green    docker.io/keptnexamples/carts:0.6.2     0       2/2
        carts-db  production  <none>   mongo:4.0                               <none>  1/1
        orders    production  v1       docker.io/weaveworksdemos/orders:0.4.6  100     3/3
        orders    production  v2       docker.io/weaveworksdemos/orders:0.4.7  0       3/3
    "#]]);
    let run = shop("onboard service carts -p sockshop --deployment carts.yaml --domain 203.0.113.10.xip.io");
    let (output, written) = writes(&sandbox, run);
    expect![[r#"
        ------- stderr -------
        error: 13 objects are there already, and not of tidegate's making
        caused by: deployment.apps/carts in sockshop-dev
        caused by: service/carts in sockshop-dev
        caused by: virtualservice.networking.istio.io/carts in sockshop-dev
        caused by: deployment.apps/carts-blue in sockshop-staging
        caused by: deployment.apps/carts-green in sockshop-staging
        caused by: service/carts in sockshop-staging
        caused by: destinationrule.networking.istio.io/sockshop-carts-staging-destination in sockshop-staging
        caused by: virtualservice.networking.istio.io/carts in sockshop-staging
        caused by: deployment.apps/carts-blue in sockshop-production
        caused by: deployment.apps/carts-green in sockshop-production
        caused by: service/carts in sockshop-production
        caused by: destinationrule.networking.istio.io/sockshop-carts-production-destination in sockshop-production
        caused by: virtualservice.networking.istio.io/carts in sockshop-production
        hint: a service that has its deployments and routes needs no onboarding: `tidegate get artifacts` shows what is found
        [exit status: 6]
    "#]]
    .assert_eq(&output.to_string());
    assert!(written.is_empty(), "{written:?}");
    tidegate("delete project sockshop --yes").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-production released
        namespace/sockshop-staging released
        namespace/sockshop-dev released
        project/sockshop deleted
        ------- stderr -------
        namespace/sockshop-dev was there before: it stays, without the project's labels and records
        namespace/sockshop-staging was there before: it stays, without the project's labels and records
        namespace/sockshop-production was there before: it stays, without the project's labels and records
    "#]]);
    assert!(namespaces(&sandbox).is_empty());
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0).len(), 2);
}

#[test]
fn a_service_gets_its_place_in_every_stage() {
    let sandbox = project();
    let line = "onboard service carts -p sockshop --deployment carts.yaml --gate perfspec.json --domain 203.0.113.10.nip.io";
    shop(line).on(&sandbox).shows(expect![[r#"
        STAGE       OBJECT                                                                     RESULT
        dev         deployment.apps/carts                                                      created
        dev         service/carts                                                              created
        dev         gateway.networking.istio.io/sockshop-gateway                               created
        dev         virtualservice.networking.istio.io/carts                                   created
        staging     deployment.apps/carts-blue                                                 created
        staging     deployment.apps/carts-green                                                created
        staging     service/carts                                                              created
        staging     destinationrule.networking.istio.io/sockshop-carts-staging-destination     created
        staging     gateway.networking.istio.io/sockshop-gateway                               created
        staging     virtualservice.networking.istio.io/carts                                   created
        production  deployment.apps/carts-blue                                                 created
        production  deployment.apps/carts-green                                                created
        production  service/carts                                                              created
        production  destinationrule.networking.istio.io/sockshop-carts-production-destination  created
        production  gateway.networking.istio.io/sockshop-gateway                               created
        production  virtualservice.networking.istio.io/carts                                   created
                    resource/carts.perfspec.json                                               added
        service/carts onboarded
        ------- stderr -------
        dev: one deployment, http://carts.sockshop-dev.203.0.113.10.nip.io
        staging: blue 0, green 100, http://carts.sockshop-staging.203.0.113.10.nip.io
        production: blue 0, green 100, http://carts.sockshop-production.203.0.113.10.nip.io
    "#]]);
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [json!(0), json!(100)]);
    let (output, written) = writes(&sandbox, shop(line));
    assert!(output.stdout.ends_with("service/carts onboarded (no change)\n"), "{output}");
    assert!(written.is_empty(), "{written:?}");
    // What a delivery changes is no difference; what somebody else changes is one.
    tidegate("shift carts -n sockshop-staging --weights 100/0 --no-preflight").on(&sandbox).succeeds();
    let document = json!([{"op": "replace", "path": "/spec/ports/0/port", "value": 8080}]);
    sandbox.rest.patch("/api/v1/namespaces/sockshop-staging/services/carts", &document).ok();
    let (output, written) = writes(&sandbox, shop(line));
    expect![[r#"
        STAGE       OBJECT                                                                     RESULT
        dev         deployment.apps/carts                                                      unchanged
        dev         service/carts                                                              unchanged
        dev         gateway.networking.istio.io/sockshop-gateway                               unchanged
        dev         virtualservice.networking.istio.io/carts                                   unchanged
        staging     deployment.apps/carts-blue                                                 unchanged
        staging     deployment.apps/carts-green                                                unchanged
        staging     service/carts                                                              differs in spec.ports[0].port
        staging     destinationrule.networking.istio.io/sockshop-carts-staging-destination     unchanged
        staging     gateway.networking.istio.io/sockshop-gateway                               unchanged
        staging     virtualservice.networking.istio.io/carts                                   unchanged
        production  deployment.apps/carts-blue                                                 unchanged
        production  deployment.apps/carts-green                                                unchanged
        production  service/carts                                                              unchanged
        production  destinationrule.networking.istio.io/sockshop-carts-production-destination  unchanged
        production  gateway.networking.istio.io/sockshop-gateway                               unchanged
        production  virtualservice.networking.istio.io/carts                                   unchanged
                    resource/carts.perfspec.json                                               unchanged
        service/carts onboarded (no change)
        ------- stderr -------
        warning: what differs was changed since it was made, and is left as it is; `-o yaml` prints what would be made
        dev: one deployment, http://carts.sockshop-dev.203.0.113.10.nip.io
        staging: blue 0, green 100, http://carts.sockshop-staging.203.0.113.10.nip.io
        production: blue 0, green 100, http://carts.sockshop-production.203.0.113.10.nip.io
    "#]]
    .assert_eq(&output.to_string());
    assert!(written.is_empty(), "{written:?}");
    let services = tidegate("get services -p sockshop -o json").on(&sandbox).succeeds();
    let services: Value = serde_json::from_str(&services.raw).expect("JSON");
    // The port is that of the sandbox's ingress.
    let url = services[0]["url"].as_str().expect("an address");
    assert!(url.starts_with("http://carts.sockshop-dev.203.0.113.10.nip.io:"), "{url}");
    assert_eq!(services[0]["gate"], "carts.perfspec.json");
    let artifacts = tidegate("get artifacts -p sockshop -o json").on(&sandbox).succeeds();
    let artifacts: Value = serde_json::from_str(&artifacts.raw).expect("JSON");
    let blue = artifacts.as_array().expect("a list").iter().find(|one| one["version"] == "blue").expect("blue");
    assert_eq!((&blue["stage"], &blue["weight"], &blue["deployment"]), (&json!("staging"), &json!(100), &json!("carts-blue")));
}

#[test]
fn pods_of_an_onboarded_service_come_up() {
    let sandbox = project();
    shop("onboard service carts -p sockshop --deployment carts.yaml").on(&sandbox).succeeds();
    eventually("all pods are ready", || {
        let list = tidegate("get artifacts -p sockshop -o json").on(&sandbox).succeeds();
        let list: Value = serde_json::from_str(&list.raw).expect("JSON");
        list.as_array().expect("a list").iter().all(|one| one["ready"] == 2).then_some(())
    });
    // And their traffic can be moved, with all checks.
    tidegate("shift carts -n sockshop-production --weights 20/80").on(&sandbox).succeeds();
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [json!(20), json!(80)]);
}

#[test]
fn a_primary_and_a_canary_from_what_runs_elsewhere() {
    let sandbox = Sandbox::new();
    shop("create project other --shipyard shipyard.yaml").on(&sandbox).succeeds();
    let line = "onboard service orders -p other --from deployment/orders-v1 -n sockshop-production --layout primary-canary";
    tidegate(line).on(&sandbox).shows(expect![[r#"
        STAGE       OBJECT                                              RESULT
        dev         deployment.apps/orders                              created
        dev         service/orders                                      created
        dev         gateway.networking.istio.io/other-gateway           created
        dev         virtualservice.networking.istio.io/orders           created
        staging     deployment.apps/orders-primary                      created
        staging     deployment.apps/orders                              created
        staging     service/orders                                      created
        staging     service/orders-canary                               created
        staging     service/orders-primary                              created
        staging     destinationrule.networking.istio.io/orders-canary   created
        staging     destinationrule.networking.istio.io/orders-primary  created
        staging     gateway.networking.istio.io/other-gateway           created
        staging     virtualservice.networking.istio.io/orders           created
        production  deployment.apps/orders-primary                      created
        production  deployment.apps/orders                              created
        production  service/orders                                      created
        production  service/orders-canary                               created
        production  service/orders-primary                              created
        production  destinationrule.networking.istio.io/orders-canary   created
        production  destinationrule.networking.istio.io/orders-primary  created
        production  gateway.networking.istio.io/other-gateway           created
        production  virtualservice.networking.istio.io/orders           created
        service/orders onboarded
        ------- stderr -------
        dev: one deployment, http://orders.other-dev.127.0.0.1.nip.io
        staging: canary 0, primary 100, http://orders.other-staging.127.0.0.1.nip.io
        production: canary 0, primary 100, http://orders.other-production.127.0.0.1.nip.io
    "#]]);
    tidegate("get artifacts -p other").on(&sandbox).succeeds();
    tidegate("onboard service orders -p other --from deployment/nothing -n sockshop-production").on(&sandbox).shows(expect![[
        r#"
            ------- stderr -------
            error: there is no deployment `nothing` in sockshop-production
            hint: `-n NAMESPACE` says where it is
            [exit status: 5]
        "#
    ]]);
}

#[test]
fn objects_for_git_are_printed_and_not_made() {
    let sandbox = project();
    let run = shop("onboard service carts -p sockshop --image host:5000/carts:0.6.0 --domain example.com -o yaml");
    let (output, written) = writes(&sandbox, run);
    assert!(written.is_empty(), "{written:?}");
    let documents: Vec<Value> =
        serde_yaml::Deserializer::from_str(&output.raw).map(|one| serde::Deserialize::deserialize(one).expect("YAML")).collect();
    assert_eq!(documents.len(), 16, "{output}");
    for document in &documents {
        let path = match document["kind"].as_str().expect("a kind") {
            "Deployment" => "/apis/apps/v1",
            "Service" => "/api/v1",
            _ => "/apis/networking.istio.io/v1",
        };
        let plural = document["kind"].as_str().expect("a kind").to_lowercase() + "s";
        let namespace = document["metadata"]["namespace"].as_str().expect("a namespace");
        sandbox.rest.post(&format!("{path}/namespaces/{namespace}/{plural}"), document).ok();
    }
    // What comes through Git is known by its labels.
    let again =
        shop("onboard service carts -p sockshop --image host:5000/carts:0.6.0 --domain example.com").on(&sandbox).succeeds();
    assert!(again.stdout.ends_with("service/carts onboarded (no change)\n"), "{again}");
}

/// The values and templates of keptn 0.4's tutorial.
const VALUES: &str = "replicaCount: 1\nimage: {repository: null, tag: null, pullPolicy: IfNotPresent}\nservice: {name: carts, type: ClusterIP, externalPort: 80, internalPort: 8080}\ncontainer: {name: carts}\n";
const DATABASE: &str = "replicaCount: 1\nimage: {repository: mongo, tag: null}\nservice: {name: carts-db, externalPort: 27017, internalPort: 27017}\ncontainer: {name: carts-db}\n";
const DEPLOYMENT: &str = "---\napiVersion: extensions/v1beta1\nkind: Deployment\nmetadata:\n  name: SERVICE_PLACEHOLDER_DEC\nspec:\n  replicas: {{ .Values.SERVICE_PLACEHOLDER_C.replicaCount }}\n  template:\n    metadata:\n      labels:\n        app: {{ .Chart.Name }}-selector-SERVICE_PLACEHOLDER_DEC\n    spec:\n      containers:\n      - name: {{ .Values.SERVICE_PLACEHOLDER_C.container.name }}\n        image: {{ .Values.SERVICE_PLACEHOLDER_C.image.repository }}\n        ports:\n        - containerPort: 27017\n";
const SERVICE: &str = "kind: Service\nmetadata:\n  name: SERVICE_PLACEHOLDER_DEC\nspec:\n  ports:\n  - name: {{ .Values.SERVICE_PLACEHOLDER_C.service.name }}\n    port: {{ .Values.SERVICE_PLACEHOLDER_C.service.externalPort }}\n    targetPort: {{ .Values.SERVICE_PLACEHOLDER_C.service.internalPort }}\n";

#[test]
fn scripts_of_keptn_run() {
    let sandbox = Sandbox::empty();
    shop("create project sockshop shipyard.yaml").on(&sandbox).succeeds();
    with("onboard service --project=sockshop --values=values_carts.yaml", "values_carts.yaml", VALUES).on(&sandbox).shows(
        expect![[r#"
            STAGE       OBJECT                                                                     RESULT
            dev         deployment.apps/carts                                                      created
            dev         service/carts                                                              created
            dev         gateway.networking.istio.io/sockshop-gateway                               created
            dev         virtualservice.networking.istio.io/carts                                   created
            staging     deployment.apps/carts-blue                                                 created
            staging     deployment.apps/carts-green                                                created
            staging     service/carts                                                              created
            staging     destinationrule.networking.istio.io/sockshop-carts-staging-destination     created
            staging     gateway.networking.istio.io/sockshop-gateway                               created
            staging     virtualservice.networking.istio.io/carts                                   created
            production  deployment.apps/carts-blue                                                 created
            production  deployment.apps/carts-green                                                created
            production  service/carts                                                              created
            production  destinationrule.networking.istio.io/sockshop-carts-production-destination  created
            production  gateway.networking.istio.io/sockshop-gateway                               created
            production  virtualservice.networking.istio.io/carts                                   created
            service/carts onboarded
            ------- stderr -------
            warning: no image is known: the deployments have no replicas until the first artifact comes
            dev: one deployment, http://carts.sockshop-dev.127.0.0.1.nip.io
            staging: blue 0, green 100, http://carts.sockshop-staging.127.0.0.1.nip.io
            production: blue 0, green 100, http://carts.sockshop-production.127.0.0.1.nip.io
        "#]],
    );
    tidegate("get artifacts -p sockshop").on(&sandbox).shows(expect![[r#"
        SERVICE  STAGE       VERSION  IMAGE   WEIGHT  READY
        carts    dev         <none>   <none>  <none>  0/0
        carts    staging     blue     <none>  0       0/0
        carts    staging     green    <none>  100     0/0
        carts    production  blue     <none>  0       0/0
        carts    production  green    <none>  100     0/0
    "#]]);
    let line = "onboard service --project=sockshop --values=values.yaml --deployment=deployment.yaml --service=service.yaml";
    let run = with(line, "values.yaml", DATABASE);
    fs::write(run.home().join("deployment.yaml"), DEPLOYMENT).expect("written");
    fs::write(run.home().join("service.yaml"), SERVICE).expect("written");
    run.on(&sandbox).shows(expect![[r#"
        STAGE       OBJECT                    RESULT
        dev         deployment.apps/carts-db  created
        dev         service/carts-db          created
        staging     deployment.apps/carts-db  created
        staging     service/carts-db          created
        production  deployment.apps/carts-db  created
        production  service/carts-db          created
        service/carts-db onboarded
        ------- stderr -------
        warning: carts-db stays single in staging: it has no port that speaks HTTP
        warning: carts-db stays single in production: it has no port that speaks HTTP
        dev: one deployment
        staging: one deployment
        production: one deployment
    "#]]);
    // 0.5
    shop("create project shop5 --shipyard=shipyard.yaml").on(&sandbox).succeeds();
    let helm = helm();
    let run = shop("onboard service carts-db --project=shop5 --chart=./carts-db --deployment-strategy=direct");
    rendering(run, &helm).on(&sandbox).succeeds();
    let line = "add-resource --project=shop5 --stage=staging --service=carts --resource=perfspec.json --resourceUri=perfspec/perfspec.json";
    shop(line).on(&sandbox).shows(expect![[r#"
        resource/staging.carts.perfspec.json added
    "#]]);
    shop("add-resource -p shop5 -s staging --service carts -r perfspec.json").on(&sandbox).shows(expect![[r#"
        resource/staging.carts.perfspec.json unchanged
    "#]]);
    let shown = eventually("the pods are ready", || {
        let shown = tidegate("get artifacts -p shop5").on(&sandbox).run().to_string();
        (!shown.contains("0/1")).then_some(shown)
    });
    expect![[r#"
        SERVICE   STAGE       VERSION  IMAGE      WEIGHT  READY
        carts-db  dev         <none>   mongo:4.0  <none>  1/1
        carts-db  staging     <none>   mongo:4.0  <none>  1/1
        carts-db  production  <none>   mongo:4.0  <none>  1/1
    "#]]
    .assert_eq(&shown);
}

/// A place with a `helm` that prints the manifest of the database, whatever the chart, and keeps what it was asked.
fn helm() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let place = directory();
    let helm = place.path().join("helm");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sockshop/carts-db.yaml");
    let script = format!("#!/bin/sh\necho \"$@\" >> {}/asked\ncat {}\n", place.path().display(), manifest.display());
    fs::write(&helm, script).expect("written");
    fs::set_permissions(&helm, fs::Permissions::from_mode(0o755)).expect("executable");
    place
}

/// With this `helm`, and an empty chart.
fn rendering(run: Run, helm: &tempfile::TempDir) -> Run {
    fs::create_dir(run.home().join("carts-db")).expect("made");
    run.env("PATH", format!("{}:/bin:/usr/bin", helm.path().display()))
}

#[test]
fn charts_need_helm() {
    let sandbox = project();
    let run = shop("onboard service carts-db -p sockshop --chart carts-db").env("PATH", "/nowhere");
    fs::create_dir(run.home().join("carts-db")).expect("made");
    run.on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: helm is not there: it renders charts
        hint: install helm, or render the chart elsewhere and give what comes out: `--deployment FILE`
        [exit status: 2]
    "#]]);
    shop("onboard service carts -p sockshop --chart nothing").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: there is no chart nothing
        [exit status: 2]
    "#]]);
    let helm = helm();
    rendering(shop("onboard service carts-db -p sockshop --chart carts-db --image mongo:4.2 -o name"), &helm)
        .on(&sandbox)
        .succeeds();
    let asked = fs::read_to_string(helm.path().join("asked")).expect("asked");
    assert_eq!(
        asked.lines().next(),
        Some(
            "template carts-db carts-db --set keptn.project=sockshop,keptn.stage=dev,keptn.service=carts-db --set-string image=mongo:4.2"
        )
    );
}

#[test]
fn shipyards_that_are_none() {
    let sandbox = Sandbox::empty();
    let said = |text: &str| {
        let (output, written) = writes(&sandbox, with("create project sockshop --shipyard x.yaml", "x.yaml", text));
        assert!(written.is_empty(), "{written:?}");
        output.to_string()
    };
    let stage = |name: &str, after: &str| {
        format!(
            "  - name: {name}\n    sequences:\n    - name: delivery\n      triggeredOn: [{{event: {after}.delivery.finished}}]\n      tasks: [{{name: deployment}}]\n"
        )
    };
    let circle = format!(
        "apiVersion: spec.keptn.sh/0.2.2\nkind: Shipyard\nspec:\n  stages:\n{}{}",
        stage("dev", "prod"),
        stage("prod", "dev")
    );
    expect![[r#"
        ------- stderr -------
        error: x.yaml:8:7: the stages start each other in a circle: dev -> prod -> dev
           8 |       triggeredOn: [{event: prod.delivery.finished}]
             |       ^
        [exit status: 2]
    "#]]
    .assert_eq(&said(&circle));
    expect![[r#"
        ------- stderr -------
        error: x.yaml:3:3: there are two stages `dev`
           3 | - name: dev
             |   ^
        [exit status: 2]
    "#]]
    .assert_eq(&said("stages:\n- name: dev\n- name: dev\n"));
    expect![[r#"
        ------- stderr -------
        error: x.yaml:2:3: this stage has no `name`
           2 | - deployment_strategy: direct
             |   ^
        [exit status: 2]
    "#]]
    .assert_eq(&said("stages:\n- deployment_strategy: direct\n"));
    expect![[r#"
        ------- stderr -------
        error: x.yaml:2:15: `rolling` is no deployment strategy; known are direct, blue_green, blue_green_service, canary
           2 | - {name: dev, deployment_strategy: rolling}
             |               ^
        [exit status: 2]
    "#]]
    .assert_eq(&said("stages:\n- {name: dev, deployment_strategy: rolling}\n"));
    expect![[r#"
        ------- stderr -------
        error: x.yaml: the file is empty
        [exit status: 2]
    "#]]
    .assert_eq(&said(""));
    tidegate("create project sockshop --shipyard nothing.yaml").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: cannot read nothing.yaml
        caused by: no such file or directory
        [exit status: 2]
    "#]]);
    shop("create project Sockshop --shipyard shipyard.yaml").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `Sockshop` cannot name a project: use small letters, digits and `-`, at most 63, a letter or digit first and last
        [exit status: 2]
    "#]]);
    shop("create project sockshop --shipyard shipyard.yaml --namespaces sockshop").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the stages `dev` and `staging` would share the namespace `sockshop`
        hint: a template has `{stage}` in it: `--namespaces '{project}-{stage}'`
        [exit status: 2]
    "#]]);
}

#[test]
fn a_stage_without_a_namespace_is_found_and_mended() {
    let sandbox = project();
    sandbox.rest.delete("/api/v1/namespaces/sockshop-staging").ok();
    eventually("the namespace is gone", || (namespaces(&sandbox).len() == 2).then_some(()));
    shop("onboard service carts -p sockshop --deployment carts.yaml").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the stage `staging` of `sockshop` has no namespace: there is no sockshop-staging that is its
        hint: complete it: `tidegate create project sockshop --shipyard shipyard.yaml`
        [exit status: 5]
    "#]]);
    shop("create project sockshop --shipyard shipyard.yaml").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-staging created
        project/sockshop updated: dev, staging, production
    "#]]);
    shop("onboard service carts -p sockshop --deployment carts.yaml").on(&sandbox).succeeds();
}

#[test]
fn names_that_nobody_knows() {
    let sandbox = project();
    for (line, expected) in [
        (
            "get stages -p sockshp",
            expect![[r#"
            ------- stderr -------
            error: there is no project `sockshp`
            hint: there is sockshop; make another: `tidegate create project sockshp --shipyard shipyard.yaml`
            [exit status: 5]
        "#]],
        ),
        (
            "onboard service carts -p sockshp --image carts:1",
            expect![[r#"
            ------- stderr -------
            error: there is no project `sockshp`
            hint: there is sockshop; make another: `tidegate create project sockshp --shipyard shipyard.yaml`
            [exit status: 5]
        "#]],
        ),
        (
            "add-resource -p sockshop --stage stagng --resource perfspec.json",
            expect![[r#"
            ------- stderr -------
            error: `sockshop` has no stage `stagng`; it has dev, staging, production
            hint: did you mean `staging`?
            [exit status: 5]
        "#]],
        ),
        (
            "add-resource -p sockshop --resource shipyard.yaml",
            expect![[r#"
            ------- stderr -------
            error: `shipyard.yaml` cannot name a resource
            hint: use letters, digits, `.`, `-` and `_`; give it another name with `--resource-uri`
            [exit status: 2]
        "#]],
        ),
        (
            "add-resource -p sockshop --resource nothing.yaml",
            expect![[r#"
            ------- stderr -------
            error: cannot read nothing.yaml
            caused by: no such file or directory
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop",
            expect![[r#"
            ------- stderr -------
            error: what is `carts` made of?
            hint: name one of `--deployment FILE`, `--from deployment/NAME`, `--chart DIR`, `--image IMAGE`
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --image carts",
            expect![[r#"
            ------- stderr -------
            error: `carts` does not say which version: it has no tag and no digest
            hint: name it: `--tag 0.6.2`; the newest is meant where `--tag latest` says so
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service Carts -p sockshop --image carts:1",
            expect![[r#"
            ------- stderr -------
            error: `Carts` cannot name a service: use small letters, digits and `-`, at most 63, a letter or digit first and last
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --image carts:1 --domain nowhere",
            expect![[r#"
            ------- stderr -------
            error: `nowhere` is no domain; write `example.com` or `203.0.113.10.nip.io`
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --deployment shipyard.yaml",
            expect![[r#"
            ------- stderr -------
            error: there is no Deployment in shipyard.yaml; it has nothing
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --image carts:1 --gate carts.yaml",
            expect![[r#"
            ------- stderr -------
            error: carts.yaml:1:1: this is not YAML: deserializing from YAML containing more than one document is not supported
               1 | # The carts of the sock shop: `tidegate onboard service carts --project sockshop --deployment carts.yaml`.
                 | ^
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --from pod/carts",
            expect![[r#"
            ------- stderr -------
            error: `pod` is no deployment
            hint: name it: `--from deployment/carts -n NAMESPACE`
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts-db -p sockshop --deployment carts-db.yaml --deployment-strategy blue_green_service",
            expect![[r#"
                ------- stderr -------
                error: the traffic of `carts-db` cannot be split: it has no port that speaks HTTP
                hint: it stays single with `--deployment-strategy direct`
                [exit status: 2]
            "#]],
        ),
    ] {
        let (output, written) = writes(&sandbox, shop(line));
        assert!(written.is_empty(), "{line}: {written:?}");
        expected.assert_eq(&output.to_string());
    }
}

#[test]
fn missing_rights_are_found_before_anything_is_written() {
    let sandbox = project();
    for (line, expected) in [
        (
            "create project another --shipyard shipyard.yaml --context viewer",
            expect![[r#"
            ------- stderr -------
            error: not enough rights in the cluster, another-dev, another-staging, another-production
            caused by: the cluster: may not create namespaces
            caused by: another-dev: may not create configmaps, deployments, services, virtualservices, gateways; patch configmaps, deployments, virtualservices
            caused by: another-staging: may not create deployments, services, virtualservices, gateways, destinationrules; patch deployments, virtualservices
            caused by: another-production: may not create deployments, services, virtualservices, gateways, destinationrules; patch deployments, virtualservices
            hint: `tidegate help rbac` prints the rights that are needed
            [exit status: 4]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --deployment carts.yaml --context viewer",
            expect![[r#"
            ------- stderr -------
            error: not enough rights in sockshop-dev, sockshop-staging, sockshop-production
            caused by: sockshop-dev: may not create deployments, services, gateways, virtualservices
            caused by: sockshop-staging: may not create deployments, services, destinationrules, gateways, virtualservices
            caused by: sockshop-production: may not create deployments, services, destinationrules, gateways, virtualservices
            hint: `tidegate help rbac` prints the rights that are needed
            [exit status: 4]
        "#]],
        ),
        (
            "add-resource -p sockshop --resource perfspec.json --context viewer",
            expect![[r#"
            ------- stderr -------
            error: not enough rights in sockshop-dev
            caused by: sockshop-dev: may not patch configmaps
            hint: `tidegate help rbac` prints the rights that are needed
            [exit status: 4]
        "#]],
        ),
        (
            "delete project sockshop --yes --context viewer",
            expect![[r#"
            ------- stderr -------
            error: not enough rights in the cluster
            caused by: the cluster: may not delete namespaces
            hint: `tidegate help rbac` prints the rights that are needed
            [exit status: 4]
        "#]],
        ),
    ] {
        let (output, written) = writes(&sandbox, shop(line));
        assert!(written.is_empty(), "{line}: {written:?}");
        expected.assert_eq(&output.to_string());
    }
}

#[test]
fn a_namespace_of_another_project_is_not_taken() {
    let sandbox = project();
    let line = "create project shop --shipyard shipyard.yaml --namespaces sockshop-{stage}";
    let (output, written) = writes(&sandbox, shop(line));
    expect![[r#"
        ------- stderr -------
        error: the namespace sockshop-dev belongs to the project `sockshop`
        [exit status: 6]
    "#]]
    .assert_eq(&output.to_string());
    assert!(written.is_empty(), "{written:?}");
}
