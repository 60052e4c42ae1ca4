use super::*;
use crate::core::plan::{Author, Intent, plan};
use serde_json::json;

fn rule(namespace: &str, host: &str, subsets: &[(&str, &str)]) -> Value {
    let subsets: Vec<Value> =
        subsets.iter().map(|(name, version)| json!({"name": name, "labels": {"version": version}})).collect();
    json!({"metadata": {"namespace": namespace, "name": "r"}, "spec": {"host": host, "subsets": subsets}})
}

fn slice(service: &str, endpoints: &[(&str, bool)]) -> Value {
    let endpoints: Vec<Value> =
        endpoints.iter().map(|(pod, ready)| json!({"targetRef": {"name": pod}, "conditions": {"ready": ready}})).collect();
    json!({"metadata": {"namespace": "shop", "name": "s", "labels": {"kubernetes.io/service-name": service}}, "endpoints": endpoints})
}

fn pod(name: &str, version: &str) -> Value {
    json!({"metadata": {"namespace": "shop", "name": name, "labels": {"version": version, "app": "carts"}}})
}

fn virtual_service(name: &str, created: &str, gateways: Value, routes: Value) -> Object {
    Object::read(json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": created},
        "spec": {"hosts": ["carts"], "gateways": gateways, "http": routes},
    }))
}

fn split() -> Value {
    json!([{"route": [
        {"destination": {"host": "carts", "subset": "old"}, "weight": 100},
        {"destination": {"host": "carts", "subset": "new"}, "weight": 0},
    ]}])
}

fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.rules.add(&rule("shop", "carts", &[("old", "v1"), ("new", "v2")]));
    facts.endpoints.add_slice(&slice("carts", &[("a", true), ("b", true), ("c", false)]));
    [pod("a", "v1"), pod("b", "v2"), pod("c", "v2"), pod("elsewhere", "v2")].iter().for_each(|pod| facts.endpoints.add_pod(pod));
    facts
}

fn planned(object: Object) -> (Service, Vec<Change>) {
    let service = Service { name: "carts".into(), typed: "carts".into(), objects: vec![object] };
    let author = Author { by: "alice".into(), at: "2026-01-02T03:04:05Z".into(), reason: None };
    let changes = plan(&service, &Intent::Shift("80/20".parse().expect("weights")), None, &author).expect("a plan");
    (service, changes)
}

#[test]
fn rules_of_a_host_are_merged_and_the_first_of_a_name_counts() {
    let mut rules = Rules::default();
    rules.add(&rule("shop", "carts", &[("a", "1")]));
    rules.add(&rule("other", "carts.shop.svc.cluster.local", &[("a", "2"), ("b", "3")]));
    rules.add(&rule("shop", "*.shop.svc.cluster.local", &[("w", "4")]));
    let names = |host: &str| rules.subsets(host).iter().map(|subset| subset.name.clone()).collect::<Vec<_>>();
    assert_eq!(names("carts.shop.svc.cluster.local"), ["a", "b"]);
    assert_eq!(rules.subset("carts.shop.svc.cluster.local", "a").map(|subset| subset.labels["version"].as_str()), Some("1"));
    assert_eq!(names("orders.shop.svc.cluster.local"), ["w"]);
    assert!(names("orders.other.svc.cluster.local").is_empty());
}

#[test]
fn endpoints_count_where_service_and_labels_meet() {
    let facts = facts();
    let host = "carts.shop.svc.cluster.local";
    let labels = |version: &str| BTreeMap::from([("version".to_owned(), version.to_owned())]);
    assert_eq!(facts.endpoints.ready(host, &labels("v1")), Some(Ready { ready: 1, total: 1 }));
    assert_eq!(facts.endpoints.ready(host, &labels("v2")), Some(Ready { ready: 1, total: 2 }));
    assert_eq!(facts.endpoints.ready(host, &BTreeMap::new()), Some(Ready { ready: 2, total: 3 }));
    assert_eq!(facts.endpoints.ready("orders.shop.svc.cluster.local", &BTreeMap::new()), None);
    assert_eq!(facts.endpoints.ready("example.com", &BTreeMap::new()), None);
}

#[test]
fn traffic_moves_only_to_what_exists_and_answers() {
    let (service, changes) = planned(virtual_service("carts", "2026-01-01T00:00:00Z", json!(null), split()));
    assert!(destinations(&service, &changes, &facts()).is_ok());

    let mut misspelt = Facts { endpoints: facts().endpoints, ..Facts::default() };
    misspelt.rules.add(&rule("shop", "carts", &[("old", "v1"), ("newt", "v2")]));
    let error = destinations(&service, &changes, &misspelt).expect_err("no subset");
    assert_eq!(error.kind, crate::error::Kind::NotFound);
    assert!(error.message.contains("no subset `new`") && error.hints[0].contains("`newt`"), "{error:?}");

    let mut idle = Facts { rules: facts().rules, ..Facts::default() };
    idle.endpoints.add_slice(&slice("carts", &[("a", true), ("c", false)]));
    [pod("a", "v1"), pod("c", "v2")].iter().for_each(|pod| idle.endpoints.add_pod(pod));
    let error = destinations(&service, &changes, &idle).expect_err("nobody ready");
    assert!(error.message.contains("no ready pod (0 of 1)"), "{error}");

    // Only what gains is looked at: traffic leaves a dead version.
    let mut dead = Facts { rules: facts().rules, ..Facts::default() };
    dead.endpoints.add_slice(&slice("carts", &[("b", true)]));
    dead.endpoints.add_pod(&pod("b", "v2"));
    assert!(destinations(&service, &changes, &dead).is_ok());
}

#[test]
fn a_change_without_effect_is_said() {
    let catch_all = json!({"route": [{"destination": {"host": "carts", "subset": "old"}}]});
    let mut routes = split();
    routes.as_array_mut().expect("routes").insert(0, catch_all);
    let (service, changes) = planned(virtual_service("carts", "2026-01-02T00:00:00Z", json!(null), routes));
    let mut facts = facts();
    let older = virtual_service("older", "2026-01-01T00:00:00Z", json!(["mesh"]), split());
    let younger = virtual_service("younger", "2026-01-03T00:00:00Z", json!(["mesh"]), split());
    let plain = json!([{"route": [{"destination": {"host": "carts"}}]}]);
    let gateway = virtual_service("edge", "2026-01-01T00:00:00Z", json!(["gw"]), plain);
    facts.neighbours.insert("shop".into(), Neighbours::of(vec![younger, older, gateway, service.objects[0].clone()]));
    let lines = warnings(&service, &changes, &facts).join("\n");
    for code in ["IST0130", "IST0109", "IST0140"] {
        assert!(lines.contains(code), "{code}: {lines}");
    }
    assert!(lines.contains("virtualservice.networking.istio.io/older is older"), "{lines}");

    let (service, changes) = planned(virtual_service("carts", "2026-01-01T00:00:00Z", json!(["gw"]), split()));
    facts.neighbours.clear();
    assert!(warnings(&service, &changes, &facts).is_empty());
}
