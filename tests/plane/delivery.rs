//! A delivery that real requests decide.

use super::{Shop, version};
use crate::support::client::Load;
use crate::support::prometheus::query;
use crate::support::*;

#[test]
fn a_fast_version_gets_the_traffic_and_a_slow_one_is_taken_back() {
    let Some(shop) = Shop::open("shop/carts:0.6.0", "shop/carts:0.6.0") else { return };
    // The shop's namespace is the only stage of a project.
    let (project, stage) = shop.server.namespace.rsplit_once('-').expect("a name with a number");
    let with = |line: &str, file: &str, text: &str| {
        let run = shop.tidegate(line);
        std::fs::write(run.home().join(file), text).expect("a file");
        run.succeeds();
    };
    let shipyard = format!("stages:\n- {{name: '{stage}', deployment_strategy: blue_green}}\n");
    with(&format!("create project {project} --shipyard shipyard.yaml"), "shipyard.yaml", &shipyard);
    // The API server cannot reach the addresses of a fake node's pods.
    with(&format!("add-resource -p {project} --service carts --resource tests.yaml"), "tests.yaml", "functional: none\n");

    let load = Load::new(&shop.plane.envoy, &shop.host, 150);
    let series = format!(r#"istio_requests_total{{destination_service="{}.svc.cluster.local"}}"#, shop.host);
    eventually("the service is scraped", || (!query(&shop.plane.prometheus, &series, None).is_empty()).then_some(()));
    let send = |tag: &str| {
        let sent = format!("send new-artifact -p {project} --service carts --image shop/carts:{tag}");
        shop.tidegate(&format!("{sent} --share 40 --settle 2s --evaluation-timeout 24s --require p95<500ms")).run()
    };
    let weights = || {
        let object = shop.server.rest.get(&shop.server.service("carts")).ok();
        let list = object["spec"]["http"][1]["route"].as_array().expect("a route").iter();
        list.map(|to| to["weight"].as_u64().expect("a weight")).collect::<Vec<_>>()
    };

    let fast = send("0.6.2");
    assert_eq!(fast.status, Some(0), "{fast}");
    assert_eq!(weights(), [0, 100]);
    shop.served();
    assert_eq!(version(&shop.client().get(&shop.host, "/health", "")), "0.6.2");

    let slow = send("0.6.1");
    assert_eq!(slow.status, Some(10), "{slow}");
    assert!(slow.stderr.contains("back on blue 0, green 100"), "{slow}");
    assert_eq!(weights(), [0, 100]);
    drop(load);
    shop.served();
    assert_eq!(version(&shop.client().get(&shop.host, "/health", "")), "0.6.2");
}
