//! A version without traffic is tested through a real API server: what is counted is what its pods have had.

use super::Shop;
use crate::support::lab::lab;
use std::time::{Duration, Instant};
use tidegate::cluster::{Cluster, Options, PODS, Place, ServicePort};
use tidegate::core::delivery::pod;
use tidegate::core::delivery::shipyard::TestStrategy;
use tidegate::core::delivery::tests::{Report, Suite};
use tidegate::probe::{Forwarder, by_url, probe};
use tidegate::web::{Call, Exchange};

const LIMIT: Duration = Duration::from_secs(60);

const SUITE: &str = "performance: {users: 4, loops: 5, think: 0s, requests: [/]}";

/// Runs the load on the pods of green, straight or through the forwarder; nothing is allowed to go elsewhere.
fn probed(shop: &Shop, forwarded: bool) -> Report {
    let kubeconfig = lab().expect("the lab").kubeconfig.clone();
    let options = Options { kubeconfig: Some(kubeconfig), request_timeout: LIMIT, ..Options::default() };
    let namespace = shop.server.namespace.as_str();
    let suite = Suite::parse("tests.yaml", SUITE).expect("a suite");
    let plan = suite.plan(TestStrategy::Performance).expect("a plan");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tally = runtime.block_on(async {
        let cluster = Cluster::connect(&options).await.expect("connected");
        let pods = cluster.list(&PODS, Some(namespace), "app=carts,version=green").await.expect("pods");
        let ready = pods.iter().find(|pod| pod::is_ready(pod)).expect("a ready pod");
        let name = ready["metadata"]["name"].as_str().expect("a name").to_owned();
        let place = Place::Pod(ServicePort { namespace: namespace.to_owned(), name, port: 8080 });
        let pass =
            |call: Call| -> Exchange<'_> { Box::pin(async { cluster.relay(&place, call).await.map_err(|error| error.message) }) };
        let deadline = Instant::now() + LIMIT;
        if !forwarded {
            return probe(&pass, plan, deadline).await.expect("a tally");
        }
        let forwarder = Forwarder::open().await.expect("a port");
        let through = by_url(&forwarder.url(), None).expect("a way");
        tokio::select! {
            tally = probe(&*through, plan, deadline) => tally.expect("a tally"),
            never = forwarder.serve(&pass, LIMIT) => match never {},
        }
    });
    plan.report(&tally, 0, 0)
}

#[test]
fn a_load_reaches_the_pods_of_a_version_without_traffic_and_no_others() {
    let Some(shop) = Shop::open("shop/carts:1", "shop/carts:2") else { return };
    for forwarded in [false, true] {
        let before = (shop.requests("blue"), shop.requests("green"));
        let report = probed(&shop, forwarded);
        assert!(report.passed, "{}", report.reason);
        assert_eq!((report.requests, report.failed), (21, 0), "{}", report.reason);
        let had = (shop.requests("blue") - before.0, shop.requests("green") - before.1);
        // The health check may be left out of the pods' count.
        assert!(had.0 == 0 && (20..=21).contains(&had.1), "{had:?}");
    }
}

#[test]
fn a_slow_and_a_failing_version_show_before_they_have_traffic() {
    let Some(shop) = Shop::open("shop/carts:1", "shop/carts:2-lat300-err100") else { return };
    let report = probed(&shop, false);
    assert!(!report.passed && report.reason.contains("mostly HTTP 500"), "{}", report.reason);
    let latency = report.latency.expect("figures");
    assert!(latency.max >= 300.0, "{latency:?}");
}
