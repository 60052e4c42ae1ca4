//! Scripts of keptn 0.4 and 0.5 in which the name of the program was replaced.

use super::charts::Helm;
use super::*;

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
    let run = shop("onboard service carts-db --project=shop5 --chart=./carts-db --deployment-strategy=direct");
    Helm::of_the_database().renders(run).on(&sandbox).succeeds();
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

#[test]
fn lines_without_a_meaning_say_what_to_use_instead() {
    for (line, instead) in [
        ("install --platform=aks", "leave the line out"),
        ("auth --endpoint=https://api.keptn.example.com --api-token=abc", "leave the line out"),
        ("configure --org=acme --user=me --token=x", "leave the line out"),
        ("configure domain 203.0.113.10.xip.io --platform=gke", "--domain DOMAIN"),
        ("create service carts --project=sockshop", "tidegate onboard service"),
        ("send event start-evaluation --project=sockshop --stage=staging --service=carts --timeframe=5m", "tidegate evaluate"),
        ("create project sockshop --shipyard=shipyard.yaml --mock", "--dry-run"),
        ("abort sequence --keptn-context=1 --project=sockshop", "tidegate abort SERVICE"),
        ("uninstall --keptn-version=release-0.5.0", "tidegate delete project"),
    ] {
        let output = tidegate(line).run();
        assert_eq!(output.status, Some(2), "{output}");
        assert!(output.stdout.is_empty() && output.stderr.starts_with("error: "), "{output}");
        let hint = output.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).expect("a hint");
        assert!(hint.contains(instead), "{line}: {output}");
    }
}

#[test]
fn flags_that_change_nothing_are_taken() {
    let sandbox = Sandbox::empty();
    shop("-v create project sockshop --shipyard=./shipyard.yaml --verbose").on(&sandbox).succeeds();
    let line =
        "send event new-artifact --project=sockshop --service=carts --image=carts --tag=1 --suppress-websocket --allow-no-gate";
    let output = shop(line).on(&sandbox).run();
    assert!(output.stderr.contains("has no service `carts`"), "{output}");
}

#[test]
fn files_that_nobody_reads_are_kept_with_a_word() {
    let sandbox = project();
    let line =
        "add-resource --project=sockshop --service=carts --stage=staging --resource=load.jmx --resourceUri=jmeter/load.jmx";
    with(line, "load.jmx", "<jmeterTestPlan/>").on(&sandbox).shows(expect![[r#"
        resource/staging.carts.load.jmx added
        ------- stderr -------
        warning: load.jmx is kept, and nothing here reads it: a `tests.yaml` says which program tests, JMeter or another (`tidegate help tests`)
    "#]]);
    let line = "add-resource --project=sockshop --stage=production --service=carts --resource=remediation.yaml";
    with(line, "remediation.yaml", "remediations: []\n").on(&sandbox).shows(expect![[r#"
        resource/production.carts.remediation.yaml added
        ------- stderr -------
        warning: remediation.yaml is kept, and nothing here reads it: gates are read from perfspec.json or slo.yaml with sli.yaml, tests from tests.yaml
    "#]]);
}
