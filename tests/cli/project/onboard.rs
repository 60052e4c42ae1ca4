//! Services: what each stage gets, and what is left alone.

use super::*;

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
    writes_nothing(
        &sandbox,
        shop(line),
        &expect![[r#"
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
    "#]],
    );
    let services = listed(&sandbox, "get services -p sockshop");
    // The port is that of the sandbox's ingress.
    let url = services[0]["url"].as_str().expect("an address");
    assert!(url.starts_with("http://carts.sockshop-dev.203.0.113.10.nip.io:"), "{url}");
    assert_eq!(services[0]["gate"], "carts.perfspec.json");
    let artifacts = listed(&sandbox, "get artifacts -p sockshop");
    let blue = artifacts.iter().find(|one| one["version"] == "blue").expect("blue");
    assert_eq!((&blue["stage"], &blue["weight"], &blue["deployment"]), (&json!("staging"), &json!(100), &json!("carts-blue")));
}

#[test]
fn pods_of_an_onboarded_service_come_up() {
    let sandbox = project();
    shop("onboard service carts -p sockshop --deployment carts.yaml").on(&sandbox).succeeds();
    eventually("all pods are ready", || {
        listed(&sandbox, "get artifacts -p sockshop").iter().all(|one| one["ready"] == 2).then_some(())
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
