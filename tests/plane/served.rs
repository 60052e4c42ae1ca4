//! What is written is what is served.

use super::{Shop, TESTER, version};
use crate::support::client::Client;
use crate::support::*;
use std::collections::BTreeMap;

/// How many requests each version answers; 503 where nobody did.
fn count(shop: &Shop, requests: u32, headers: impl Fn(u32) -> String) -> BTreeMap<String, u32> {
    let mut client = shop.client();
    let mut count = BTreeMap::new();
    for number in 0..requests {
        let reply = client.get(&shop.host, "/", &headers(number));
        let who = if reply.status == 503 { "503".to_owned() } else { version(&reply) };
        *count.entry(who).or_default() += 1;
    }
    count
}

/// Every place of the split once, so that the shares are exact.
fn exactly(shop: &Shop) -> BTreeMap<String, u32> {
    count(shop, 100, |number| format!("x-lab-random: {number}\r\n"))
}

fn shares<const N: usize>(of: [(&str, u32); N]) -> BTreeMap<String, u32> {
    of.map(|(version, requests)| (version.to_owned(), requests)).into()
}

#[test]
fn shares_are_as_they_are_written() {
    let Some(shop) = Shop::open("shop/carts:1", "shop/carts:2") else { return };
    assert_eq!(exactly(&shop), shares([("blue", 100)]));
    shop.tidegate("shift carts --weights 80/20").succeeds();
    shop.served();
    assert_eq!(exactly(&shop), shares([("blue", 80), ("green", 20)]));
    // As everybody's requests are spread: 2,000 by chance, within five standard deviations of 400.
    let green = count(&shop, 2000, |_| String::new())["green"];
    assert!((310..=490).contains(&green), "{green} of 2000 went to green");
    // The testers' route is another.
    assert_eq!(count(&shop, 100, |_| TESTER.to_owned()), shares([("green", 100)]));

    // Three pods of a side have its share together.
    let scale = json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]);
    shop.server.rest.patch(&deployment(&shop, "green"), &scale).ok();
    let green = || shop.backends().iter().filter(|one| one["version"] == "green" && one["requests"] != 0).count();
    eventually("three pods share green's requests", || {
        count(&shop, 6, |_| TESTER.to_owned());
        (green() == 3).then_some(())
    });
    assert_eq!(exactly(&shop), shares([("blue", 80), ("green", 20)]));

    shop.tidegate("promote carts").succeeds();
    shop.served();
    assert_eq!(count(&shop, 500, |_| String::new()), shares([("green", 500)]));
    shop.tidegate("rollback carts").succeeds();
    shop.served();
    assert_eq!(count(&shop, 500, |_| String::new()), shares([("blue", 500)]));

    // A side without pods: its share is lost, and nobody else's.
    shop.tidegate("shift carts --weights 80/20").succeeds();
    let scale = json!([{"op": "replace", "path": "/spec/replicas", "value": 0}]);
    shop.server.rest.patch(&deployment(&shop, "green"), &scale).ok();
    eventually("green is gone", || (exactly(&shop) == shares([("503", 20), ("blue", 80)])).then_some(()));
}

fn deployment(shop: &Shop, color: &str) -> String {
    format!("/apis/apps/v1/namespaces/{}/deployments/carts-{color}", shop.server.namespace)
}

#[test]
fn a_mirror_sees_what_it_does_not_answer() {
    let Some(shop) = Shop::open("shop/carts:1", "shop/carts:2") else { return };
    let mirror = json!([
        {"op": "add", "path": "/spec/http/1/mirror", "value": {"host": "carts", "subset": "green"}},
        {"op": "add", "path": "/spec/http/1/mirrorPercentage", "value": {"value": 100}},
    ]);
    shop.server.rest.patch(&shop.server.service("carts"), &mirror).ok();
    shop.served();
    let before = shop.requests("green");
    assert_eq!(count(&shop, 100, |_| String::new()), shares([("blue", 100)]));
    eventually("the mirror has seen them", || (shop.requests("green") == before + 100).then_some(()));
}

/// The API server stores it, and Envoy does not take it: what was served before is still served.
#[test]
fn what_envoy_refuses_is_not_served() {
    let Some(shop) = Shop::open("shop/carts:1", "shop/carts:2") else { return };
    shop.tidegate("shift carts --weights 80/20").succeeds();
    shop.served();
    let zero = json!([
        {"op": "replace", "path": "/spec/http/1/route/0/weight", "value": 0},
        {"op": "replace", "path": "/spec/http/1/route/1/weight", "value": 0},
    ]);
    shop.server.rest.patch(&shop.server.service("carts"), &zero).ok();
    // What is written later is served: the file with the zeroes has been seen by then.
    let other = shop.server.create("other", &json!({"hosts": ["other"], "http": [{"directResponse": {"status": 200}}]}));
    let mut client = shop.client();
    eventually("another is served", || {
        let reply = client.get(&format!("other.{}", shop.server.namespace), "/", "");
        (reply.headers.get("x-lab-resource-version")? == other["metadata"]["resourceVersion"].as_str()?).then_some(())
    });
    assert_eq!(exactly(&shop), shares([("blue", 80), ("green", 20)]));
    shop.tidegate("shift carts --weights 70/30").succeeds();
    shop.served();
    assert_eq!(exactly(&shop), shares([("blue", 70), ("green", 30)]));
}

/// A new image is a new behaviour, for whoever asks: through Envoy, or through the API server's proxies.
#[test]
fn pods_behave_as_their_image_says() {
    let Some(shop) = Shop::open("shop/carts:1", "shop/carts:2") else { return };
    let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "shop/carts:3-err100"}]);
    shop.server.rest.patch(&deployment(&shop, "green"), &image).ok();
    let mut client = shop.client();
    eventually("the new image answers", || {
        let reply = client.get(&shop.host, "/", TESTER);
        (reply.status == 500 && reply.json()["image"] == "shop/carts:3-err100").then_some(())
    });
    let pod = |image: &str| {
        let all = shop.backends();
        let found = all.iter().find(|one| one["image"] == image);
        found.and_then(|one| one["pod"].as_str()).expect("a pod").to_owned()
    };
    let base = format!("/api/v1/namespaces/{}", shop.server.namespace);
    let answer = shop.server.rest.get(&format!("{base}/pods/{}:8080/proxy/", pod("shop/carts:1"))).ok();
    assert_eq!(answer["version"], "blue");
    let failed = shop.server.rest.get(&format!("{base}/pods/{}:8080/proxy/", pod("shop/carts:3-err100")));
    assert_eq!((failed.status, &failed.body["version"]), (500, &json!("green")));
    let answer = shop.server.rest.get(&format!("{base}/services/carts:80/proxy/health")).ok();
    assert_eq!(answer["labels"]["app"], "carts");
}

/// The gateway's address is found where a cluster has it, and leads to the pods.
#[test]
fn the_ingress_has_an_address() {
    let Some(shop) = Shop::open("shop/carts:1", "shop/carts:2") else { return };
    let external = format!("carts.{}.example.com", shop.server.namespace);
    let hosts = json!([{"op": "add", "path": "/spec/hosts/-", "value": external}]);
    shop.server.rest.patch(&shop.server.service("carts"), &hosts).ok();
    shop.served();
    let gateway = shop.server.rest.get("/api/v1/namespaces/istio-system/services/istio-ingressgateway").ok();
    let address = gateway["status"]["loadBalancer"]["ingress"][0]["ip"].as_str().expect("an address").to_owned();
    let url = format!("http://{address}:{}", gateway["spec"]["ports"][0]["port"]);
    assert_eq!(version(&Client::new(&url).get(&external, "/", "")), "blue");
}
