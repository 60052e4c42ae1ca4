//! A delivery from start to end on both servers: projects, rollouts, leases, access reviews.

use crate::support::server::{Server, on_both};
use crate::support::*;
use serde_json::Value;

on_both! {
    a_delivery_from_start_to_end
    a_delivery_that_nobody_drives
}

const SHIPYARD: &str = "stages:
- {name: dev, deployment_strategy: direct}
- {name: production, deployment_strategy: blue_green, approval_strategy: {pass: manual, warning: manual}}
";

/// A project with one service, named after the test's namespace.
fn project(server: &Server) -> &str {
    let name = server.namespace.as_str();
    let run = server.tidegate(&format!("create project {name} --shipyard shipyard.yaml"));
    std::fs::write(run.home().join("shipyard.yaml"), SHIPYARD).expect("a file");
    run.succeeds();
    server.tidegate(&format!("onboard service carts -p {name} --image example.com/carts:0.6.0")).succeeds();
    // Nobody listens on the pods of a fake node.
    let run = server.tidegate(&format!("add-resource -p {name} --service carts --resource tests.yaml"));
    std::fs::write(run.home().join("tests.yaml"), "functional: none\nperformance: none\n").expect("a file");
    run.succeeds();
    name
}

fn send(server: &Server, tag: &str, flags: &str) -> Run {
    let name = &server.namespace;
    server
        .tidegate(&format!("send new-artifact -p {name} --service carts --image example.com/carts:{tag} --allow-no-gate {flags}"))
}

/// The weights in production, by subset.
fn weights(server: &Server) -> Vec<(String, Value)> {
    let path = format!("/apis/networking.istio.io/v1/namespaces/{}-production/virtualservices/carts", server.namespace);
    let object = server.rest.get(&path).ok();
    let list = object["spec"]["http"][0]["route"].as_array().expect("a route").iter();
    list.map(|to| (to["destination"]["subset"].as_str().unwrap_or_default().to_owned(), to["weight"].clone())).collect()
}

fn a_delivery_from_start_to_end(server: &Server) {
    let name = project(server);
    let before = weights(server);
    let first = send(server, "0.6.1", "--no-wait").run();
    assert_eq!(first.status, Some(13), "{first}");
    assert_eq!(weights(server), before);
    let approved = server.tidegate(&format!("approve carts -p {name}")).run();
    assert_eq!(approved.status, Some(0), "{approved}");
    let after = weights(server);
    let swapped: Vec<_> =
        before.iter().zip(before.iter().rev()).map(|((label, _), (_, weight))| (label.clone(), weight.clone())).collect();
    assert_eq!(after, swapped);

    let deployments = server.rest.get(&format!("/apis/apps/v1/namespaces/{name}-production/deployments")).ok();
    let images = deployments["items"].as_array().expect("deployments").iter();
    let mut images: Vec<&str> =
        images.filter_map(|one| one.pointer("/spec/template/spec/containers/0/image")?.as_str()).collect();
    images.sort_unstable();
    assert_eq!(images, ["example.com/carts:0.6.0", "example.com/carts:0.6.1"]);

    tidegate_rollback(server, name);
    assert_eq!(weights(server), before);
    let lease = server.rest.get(&format!("/apis/coordination.k8s.io/v1/namespaces/{name}-dev/leases/tidegate-carts")).ok();
    assert_eq!(lease["spec"]["holderIdentity"], "");
}

fn tidegate_rollback(server: &Server, name: &str) {
    server.tidegate("rollback").arg(format!("carts.{name}-production")).succeeds();
}

fn a_delivery_that_nobody_drives(server: &Server) {
    let name = project(server);
    let before = weights(server);
    assert_eq!(send(server, "0.6.1", "--no-wait").run().status, Some(13));
    let second = send(server, "0.6.2", "").run();
    assert_eq!(second.status, Some(6), "{second}");
    let delivery = |run: Run| {
        let shown: Value = serde_json::from_str(&run.succeeds().raw).expect("JSON");
        shown[0]["delivery"].clone()
    };
    let status = format!("status carts.{name}-production -o json");
    let waiting = delivery(server.tidegate(&status));
    assert_eq!((&waiting["stage"], &waiting["status"]), (&json!("production"), &json!("waiting")));
    assert_eq!((&waiting["driven"], &waiting["driver"]), (&json!(false), &Value::Null));
    if server.viewer().is_some() {
        assert_eq!(delivery(server.as_viewer(&status))["run"], waiting["run"]);
    }
    let aborted = server.tidegate(&format!("abort carts -p {name}")).run();
    assert_eq!(aborted.status, Some(0), "{aborted}");
    assert_eq!(weights(server), before);
    assert_eq!(delivery(server.tidegate(&status)), Value::Null);
    let third = send(server, "0.6.2", "--until dev").run();
    assert_eq!(third.status, Some(0), "{third}");
    if server.viewer().is_some() {
        let denied = server
            .as_viewer(&format!("send new-artifact -p {name} --service carts --image example.com/carts:3 --allow-no-gate"))
            .run();
        assert_eq!(denied.status, Some(4), "{denied}");
        assert!(denied.stderr.contains(&format!("patch virtualservices in {name}-production")), "{denied}");
    }
}
