use super::*;
use serde_json::Value;

fn author() -> Author {
    Author { by: "alice".into(), at: "2026-01-02T03:04:05Z".into(), reason: None }
}

fn object(spec: Value) -> Value {
    json!({
        "metadata": {"name": "carts", "namespace": "shop", "uid": "u1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
    })
}

fn to(subset: &str, weight: Option<Value>) -> Value {
    let mut entry = json!({"destination": {"host": "carts", "subset": subset}});
    if let Some(weight) = weight {
        entry["weight"] = weight;
    }
    entry
}

fn split(pairs: &[(&str, u32)]) -> Value {
    json!({"hosts": ["carts"], "http": [{"route": pairs.iter().map(|(subset, weight)| to(subset, Some(json!(weight)))).collect::<Vec<_>>()}]})
}

fn service(raw: Value) -> Service {
    Service { name: "carts".into(), typed: "carts -n shop".into(), objects: vec![Object::read(raw)] }
}

fn shift_to(raw: &Value, weights: &str) -> Result<Vec<Change>> {
    plan(&service(raw.clone()), &Intent::Shift(weights.parse().expect("weights")), None, &author())
}

/// Plans, checks that every guard holds, and gives the object as the API server would store it.
fn after(raw: &Value, intent: &Intent) -> Value {
    let changes = plan(&service(raw.clone()), intent, None, &author()).expect("a plan");
    let mut now = raw.clone();
    for change in changes {
        if let Some(patch) = &change.patch {
            assert_eq!(patch.broken(&now), None);
            now = patch.applied(&now).expect("applies");
        }
    }
    now
}

fn shifted(raw: &Value, weights: &str) -> Value {
    after(raw, &Intent::Shift(weights.parse().expect("weights")))
}

fn weights(raw: &Value) -> Vec<(String, u32)> {
    Object::read(raw.clone()).routes[0].weights()
}

fn named(pairs: &[(&str, u32)]) -> Vec<(String, u32)> {
    pairs.iter().map(|(label, weight)| ((*label).to_owned(), *weight)).collect()
}

#[test]
fn a_shift_is_one_guarded_patch_with_its_record() {
    let raw = object(split(&[("blue", 100), ("green", 0)]));
    let change = shift_to(&raw, "80/20").expect("a plan").remove(0);
    let document = change.patch.expect("a patch").to_json();
    let operations = document.as_array().expect("a list");
    let route = raw.pointer("/spec/http/0/route").expect("a route");
    assert_eq!(operations[0], json!({"op": "test", "path": "/metadata/uid", "value": "u1"}));
    assert_eq!(operations[1], json!({"op": "test", "path": "/spec/http/0/match", "value": null}));
    assert_eq!(operations[2], json!({"op": "test", "path": "/spec/http/0/name", "value": null}));
    assert_eq!(operations[3], json!({"op": "test", "path": "/spec/http/0/route", "value": route}));
    assert_eq!(operations[4], json!({"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 80}));
    assert_eq!(operations[5], json!({"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 20}));
    assert_eq!(operations[6], json!({"op": "test", "path": "/metadata/annotations", "value": null}));
    assert_eq!(operations[7]["op"], "add");
    assert_eq!(operations.len(), 8);
    for key in [release::RELEASE, release::HISTORY] {
        // istiod would push configuration for keys of its own.
        assert!(!key.contains("istio.io"));
    }
}

#[test]
fn nothing_but_weights_and_record_changes() {
    let mut raw = object(split(&[("blue", 100), ("green", 0)]));
    raw["metadata"]["annotations"] = json!({"team": "carts"});
    raw["spec"]["http"][0]["timeout"] = json!("3s");
    let mut now = shifted(&raw, "80/20");
    now["spec"]["http"][0]["route"][0]["weight"] = json!(100);
    now["spec"]["http"][0]["route"][1]["weight"] = json!(0);
    let annotations = now["metadata"]["annotations"].as_object_mut().expect("annotations");
    assert!(annotations.remove(release::RELEASE).is_some() && annotations.remove(release::HISTORY).is_some());
    assert_eq!(now, raw);
}

#[test]
fn the_second_run_changes_nothing() {
    let now = shifted(&object(split(&[("blue", 100), ("green", 0)])), "80/20");
    let change = shift_to(&now, "80/20").expect("a plan").remove(0);
    assert!(change.patch.is_none() && !change.changes());
}

#[test]
fn missing_weights_are_added_and_quoted_ones_become_numbers() {
    let missing = object(json!({"http": [{"route": [to("blue", Some(json!(100))), to("green", None)]}]}));
    assert_eq!(weights(&shifted(&missing, "80/20")), named(&[("blue", 80), ("green", 20)]));
    let quoted = object(json!({"http": [{"route": [to("blue", Some(json!("80"))), to("green", Some(json!("20")))]}]}));
    let now = shifted(&quoted, "100/0");
    assert_eq!(now.pointer("/spec/http/0/route/0/weight"), Some(&json!(100)));
    assert_eq!(now.pointer("/spec/http/0/route/1/weight"), Some(&json!(0)));
    let none = object(json!({"http": [{"route": [to("blue", None), to("green", None)]}]}));
    assert_eq!(weights(&shifted(&none, "90/10")), named(&[("blue", 90), ("green", 10)]));
}

#[test]
fn destinations_that_are_not_named_keep_their_share() {
    let raw = object(split(&[("blue", 60), ("green", 20), ("gold", 20)]));
    assert_eq!(weights(&shifted(&raw, "blue=50,green=50")), named(&[("blue", 40), ("green", 40), ("gold", 20)]));
    assert_eq!(weights(&shifted(&raw, "blue=999,green=1")), named(&[("blue", 799), ("green", 1), ("gold", 200)]));
    let odd = object(split(&[("blue", 4), ("green", 2), ("gold", 1)]));
    assert_eq!(weights(&shifted(&odd, "blue=50,green=50")), named(&[("blue", 43), ("green", 43), ("gold", 14)]));
    let held = object(split(&[("blue", 0), ("green", 0), ("gold", 100)]));
    let error = shift_to(&held, "blue=80,green=20").expect_err("nothing to divide");
    assert!(error.message.contains("gold has all the traffic"), "{error}");
}

#[test]
fn one_destination_alone_is_not_moved_in_vain() {
    let raw = object(split(&[("blue", 50), ("green", 50)]));
    let error = shift_to(&raw, "green=100").expect_err("nothing would move");
    assert_eq!(error.kind, Kind::Usage);
    assert_eq!(error.hints, ["name them all: `tidegate shift carts -n shop --weights blue=0,green=100`"]);
    // It has everything already.
    assert_eq!(
        weights(&shifted(&object(split(&[("blue", 0), ("green", 100)])), "green=100")),
        named(&[("blue", 0), ("green", 100)])
    );
}

#[test]
fn a_single_destination_gets_a_neighbour_cloned_from_it() {
    let mut entry = to("v1", None);
    entry["destination"]["port"] = json!({"number": 8080});
    let raw = object(json!({"http": [{"match": [{"uri": {"prefix": "/"}}], "route": [entry]}]}));
    let now = shifted(&raw, "v1=90,v2=10");
    assert_eq!(
        now.pointer("/spec/http/0/route"),
        Some(&json!([
            {"destination": {"host": "carts", "subset": "v1", "port": {"number": 8080}}, "weight": 90},
            {"destination": {"host": "carts", "subset": "v2", "port": {"number": 8080}}, "weight": 10},
        ]))
    );
    // The way back leaves it there, without traffic: nothing is deleted.
    assert_eq!(weights(&after(&now, &Intent::Rollback)), named(&[("v1", 100), ("v2", 0)]));
}

#[test]
fn two_hosts_and_other_protocols_are_shifted_alike() {
    let two = |host: &str, weight: u32| json!({"destination": {"host": host}, "weight": weight});
    let raw = object(
        json!({"tls": [{"match": [{"sniHosts": ["a"]}], "route": [two("carts-primary", 100), two("carts-canary.shop.svc.cluster.local", 0)]}]}),
    );
    assert_eq!(
        weights(&shifted(&raw, "carts-primary=90,carts-canary=10")),
        named(&[("carts-primary", 90), ("carts-canary", 10)])
    );
    let raw = object(json!({"tcp": [{"route": [two("a", 100), two("b", 0)]}]}));
    let document = shift_to(&raw, "99/1").expect("a plan").remove(0).patch.expect("a patch").to_json().to_string();
    assert!(document.contains("/spec/tcp/0/route/1/weight") && !document.contains("/spec/tcp/0/name"), "{document}");
}

#[test]
fn rollback_is_the_stored_inverse_through_every_step() {
    let raw = object(split(&[("blue", 100), ("green", 0)]));
    let mut now = raw.clone();
    for step in ["99/1", "80/20", "50/50"] {
        now = shifted(&now, step);
    }
    let release = Object::read(now.clone()).release.expect("a release");
    assert_eq!((release.stable.as_deref(), release.candidate.as_deref()), (Some("blue"), Some("green")));
    assert_eq!(release.before, [("http[0]".to_owned(), named(&[("blue", 100), ("green", 0)]))]);
    let promoted = after(&now, &Intent::Promote(None));
    assert_eq!(weights(&promoted), named(&[("blue", 0), ("green", 100)]));
    for state in [&now, &promoted] {
        let back = after(state, &Intent::Rollback);
        assert_eq!(weights(&back), named(&[("blue", 100), ("green", 0)]));
        assert_eq!(after(&back, &Intent::Rollback), back);
    }
}

#[test]
fn a_rollback_without_a_release_names_each_object_once() {
    let route = |match_: &str, pairs: &[(&str, u32)]| {
        let mut spec = split(pairs)["http"][0].take();
        spec["match"] = json!([{"uri": {"prefix": match_}}]);
        spec
    };
    let routes = json!([route("/a", &[("v1", 0), ("v2", 100)]), route("/", &[("v1", 100), ("v2", 0)])]);
    let raw = object(json!({"hosts": ["carts"], "http": routes}));
    let changes = plan(&service(raw.clone()), &Intent::Rollback, None, &author()).expect("nothing to do");
    assert_eq!(changes.iter().map(|change| (change.object, change.moves.len())).collect::<Vec<_>>(), [(0, 2)]);
    assert!(changes.iter().all(|change| change.patch.is_none() && !change.changes()));
}

#[test]
fn rollback_holds_whatever_happened_to_the_weights() {
    let mut now = shifted(&object(split(&[("blue", 100), ("green", 0)])), "80/20");
    now["spec"]["http"][0]["route"][1]["weight"] = json!(77);
    assert_eq!(weights(&after(&now, &Intent::Rollback)), named(&[("blue", 100), ("green", 0)]));
    // Another route in front of it: the way back finds the destinations where they are now.
    let routes = now["spec"]["http"].as_array_mut().expect("routes");
    routes.insert(0, json!({"match": [{"uri": {"prefix": "/x"}}], "route": [to("green", None)]}));
    let back = after(&now, &Intent::Rollback);
    assert_eq!(Object::read(back.clone()).routes[1].weights(), named(&[("blue", 100), ("green", 0)]));
    assert_eq!(after(&back, &Intent::Rollback), back);
    // The destinations are gone: refused, not guessed.
    now["spec"]["http"] = json!([{"route": [to("red", Some(json!(50))), to("white", Some(json!(50)))]}]);
    let error = plan(&service(now), &Intent::Rollback, None, &author()).expect_err("no way back");
    assert_eq!(error.kind, Kind::Conflict);
}

/// A route for some requests only.
fn only(path: &str, host: &str, weights: [u32; 2]) -> Value {
    let to = |subset: &str, weight: u32| json!({"destination": {"host": host, "subset": subset}, "weight": weight});
    json!({"match": [{"uri": {"prefix": path}}], "route": [to("blue", weights[0]), to("green", weights[1])]})
}

fn all_weights(raw: &Value) -> Vec<Vec<u32>> {
    let routes = Object::read(raw.clone()).routes;
    routes.iter().map(|route| route.weights().into_iter().map(|(_, weight)| weight).collect()).collect()
}

#[test]
fn the_way_back_tells_routes_with_the_same_destinations_apart() {
    let mut now = shifted(&object(split(&[("blue", 100), ("green", 0)])), "20/80");
    // For testers, in front: it holds the same destinations where the release's route stood.
    let routes = now["spec"]["http"].as_array_mut().expect("routes");
    routes.insert(0, only("/test", "carts", [50, 50]));
    let back = after(&now, &Intent::Rollback);
    assert_eq!(all_weights(&back), [[50, 50], [100, 0]]);
    assert_eq!(after(&back, &Intent::Rollback), back);
    let promoted = after(&now, &Intent::Promote(None));
    assert_eq!(all_weights(&promoted), [[50, 50], [0, 100]]);
    assert_eq!(all_weights(&after(&promoted, &Intent::Rollback)), [[50, 50], [100, 0]]);
    // A further step belongs to the release, wherever its route stands now.
    let pick = "http[1]".parse().expect("a route");
    let intent = Intent::Shift("10/90".parse().expect("weights"));
    let changes = plan(&service(now.clone()), &intent, Some(&pick), &author()).expect("a plan");
    let further = changes[0].patch.as_ref().and_then(|patch| patch.applied(&now)).expect("applies");
    assert_eq!(all_weights(&after(&further, &Intent::Rollback)), [[50, 50], [100, 0]]);
}

#[test]
fn the_way_back_never_takes_another_services_route() {
    let raw = object(json!({"http": [only("/a", "a", [100, 0]), only("/b", "b", [50, 50])]}));
    let pick = "http[0]".parse().expect("a route");
    let intent = Intent::Shift("blue=20,green=80".parse().expect("weights"));
    let changes = plan(&service(raw.clone()), &intent, Some(&pick), &author()).expect("a plan");
    let mut now = changes[0].patch.as_ref().and_then(|patch| patch.applied(&raw)).expect("applies");
    now["spec"]["http"].as_array_mut().expect("routes").remove(0);
    for intent in [Intent::Rollback, Intent::Promote(None)] {
        let error = plan(&service(now.clone()), &intent, None, &author()).expect_err("no way back");
        assert_eq!(error.kind, Kind::Conflict, "{error:?}");
    }
}

#[test]
fn routes_of_different_services_are_not_one_choice() {
    let raw = object(json!({"http": [only("/a", "a", [100, 0]), only("/b", "b", [100, 0])]}));
    for weights in ["80/20", "blue=80,green=20"] {
        let error = shift_to(&raw, weights).expect_err("two services");
        assert_eq!(error.kind, Kind::Usage, "{error:?}");
    }
    let same = object(json!({"http": [only("/a", "a", [100, 0]), only("/b", "a", [100, 0])]}));
    assert_eq!(all_weights(&shifted(&same, "80/20")), [[80, 20], [80, 20]]);
}

#[test]
fn a_part_of_a_release_is_not_promoted_as_the_whole() {
    let raw = object(json!({"http": [only("/a", "a", [100, 0]), only("/b", "a", [100, 0])]}));
    let now = shifted(&raw, "80/20");
    let pick = "http[0]".parse().expect("a route");
    let error = plan(&service(now.clone()), &Intent::Promote(None), Some(&pick), &author()).expect_err("a part");
    assert_eq!(error.kind, Kind::Usage, "{error:?}");
    assert!(error.hints[0].contains("promote carts -n shop --to green --route 'http[0]'"), "{error:?}");
    let all = plan(&service(now.clone()), &Intent::Promote(None), Some(&RoutePick::All), &author()).expect("a plan");
    assert_eq!(all[0].moves.len(), 2);
}

#[test]
fn a_revision_finds_its_route_by_the_requests_it_takes() {
    let mut now = shifted(&object(split(&[("blue", 100), ("green", 0)])), "80/20");
    now = shifted(&now, "50/50");
    now["spec"]["http"].as_array_mut().expect("routes").insert(0, only("/test", "carts", [0, 100]));
    let back = after(&now, &Intent::RollbackRevision(2));
    assert_eq!(all_weights(&back), [[0, 100], [80, 20]]);
    // Only the route for testers is left.
    now["spec"]["http"].as_array_mut().expect("routes").remove(1);
    let error = plan(&service(now), &Intent::RollbackRevision(2), None, &author()).expect_err("another route");
    assert_eq!(error.kind, Kind::Conflict, "{error:?}");
}

#[test]
fn a_way_back_that_cannot_be_kept_is_refused() {
    let routes: Vec<Value> = (0..900).map(|number| only(&format!("/{number}"), "a", [100, 0])).collect();
    let error = shift_to(&object(json!({"http": routes})), "80/20").expect_err("too large");
    assert_eq!(error.kind, Kind::Usage);
    assert!(error.message.contains("annotations") && error.hints[0].contains("--route"), "{error:?}");
}

#[test]
fn a_damaged_way_back_is_never_taken() {
    let now = shifted(&object(split(&[("blue", 100), ("green", 0)])), "20/80");
    let record: Value =
        serde_json::from_str(now["metadata"]["annotations"]["tidegate/release"].as_str().expect("a record")).expect("JSON");
    let weight = record["undo"].as_array().and_then(|undo| undo.iter().position(|one| one["op"] == "add")).expect("a weight");
    let damages: [fn(&mut Value, usize); 6] = [
        |record, _| record["undo"] = json!([]),
        |record, _| record["undo"] = json!(null),
        |record, _| (record["undo"], record["before"]) = (json!([]), json!({})),
        |record, _| record["before"] = json!({}),
        |record, weight| record["undo"][weight]["value"] = json!(7),
        |record, _| record["undo"].as_array_mut().expect("a list").push(json!({"op": "remove", "path": "/spec/hosts"})),
    ];
    for damage in damages {
        let (mut record, mut now) = (record.clone(), now.clone());
        damage(&mut record, weight);
        now["metadata"]["annotations"]["tidegate/release"] = json!(record.to_string());
        let error = plan(&service(now.clone()), &Intent::Rollback, None, &author()).expect_err("damaged");
        assert!(error.message.contains("cannot be read"), "{error:?}");
        assert!(error.hints[0].contains("--to NAME"), "{error:?}");
        // Another step does not build on it.
        let further = shifted(&now, "10/90");
        assert_eq!(weights(&after(&further, &Intent::Rollback)), named(&[("blue", 20), ("green", 80)]));
    }
}

#[test]
fn roles_that_are_not_certain_are_asked_for() {
    let raw = object(split(&[("blue", 80), ("green", 20)]));
    for intent in [Intent::Promote(None), Intent::Rollback] {
        let error = plan(&service(raw.clone()), &intent, None, &author()).expect_err("uncertain");
        assert!(error.hints[0].contains("--to"), "{error:?}");
    }
    assert_eq!(weights(&after(&raw, &Intent::Promote(Some("green".into())))), named(&[("blue", 0), ("green", 100)]));
    // What had everything is stable, also where the candidate is listed first.
    let canary_first = object(split(&[("v2", 0), ("v1", 100)]));
    assert_eq!(weights(&after(&canary_first, &Intent::Promote(None))), named(&[("v2", 100), ("v1", 0)]));
    // After a rollback nothing is in progress.
    let back = after(&shifted(&object(split(&[("blue", 100), ("green", 0)])), "80/20"), &Intent::Rollback);
    assert!(plan(&service(back), &Intent::Promote(None), None, &author()).is_err());
}

#[test]
fn a_second_promotion_changes_nothing_and_drift_stops_it() {
    let promoted = after(&shifted(&object(split(&[("blue", 100), ("green", 0)])), "80/20"), &Intent::Promote(None));
    assert_eq!(after(&promoted, &Intent::Promote(None)), promoted);
    let mut drifted = promoted;
    drifted["spec"]["http"][0]["route"][0]["weight"] = json!(100);
    drifted["spec"]["http"][0]["route"][1]["weight"] = json!(0);
    assert!(plan(&service(drifted), &Intent::Promote(None), None, &author()).is_err());
}

#[test]
fn an_emergency_can_be_undone_too() {
    let raw = shifted(&object(split(&[("blue", 100), ("green", 0)])), "50/50");
    let emergency = after(&raw, &Intent::RollbackTo("blue".into()));
    assert_eq!(weights(&emergency), named(&[("blue", 100), ("green", 0)]));
    assert_eq!(weights(&after(&emergency, &Intent::Rollback)), named(&[("blue", 50), ("green", 50)]));
    let revised = after(&emergency, &Intent::RollbackRevision(2));
    assert_eq!(weights(&revised), named(&[("blue", 50), ("green", 50)]));
    let error = plan(&service(raw), &Intent::RollbackRevision(9), None, &author()).expect_err("no such revision");
    assert_eq!(error.kind, Kind::NotFound);
}

#[test]
fn shifting_back_by_hand_ends_the_release() {
    let raw = shifted(&object(split(&[("blue", 100), ("green", 0)])), "80/20");
    let back = shifted(&raw, "100/0");
    assert_eq!(Object::read(back).release.map(|release| release.phase), Some(Phase::Undone));
}

#[test]
fn the_inverse_restores_the_object_exactly() {
    let mut annotated = object(split(&[("blue", 100), ("green", 0)]));
    annotated["metadata"]["annotations"] = json!({"team": "carts"});
    let added = object(json!({"http": [{"route": [to("v1", None)]}]}));
    for (raw, weights) in [(annotated.clone(), "80/20"), (shifted(&annotated, "80/20"), "50/50"), (added, "v1=50,v2=50")] {
        let change = shift_to(&raw, weights).expect("a plan").remove(0);
        let now = change.patch.expect("a patch").applied(&raw).expect("applies");
        assert_eq!(change.inverse.broken(&now), None);
        let mut restored = change.inverse.applied(&now).expect("applies");
        // The server drops an empty map.
        if restored.pointer("/metadata/annotations") == Some(&json!({})) {
            restored["metadata"].as_object_mut().expect("metadata").remove("annotations");
        }
        assert_eq!(restored, raw);
    }
}

#[test]
fn too_many_routes_at_once_are_refused_with_a_way_out() {
    let route = |index: usize| json!({"match": [{"uri": {"prefix": format!("/{index}")}}], "route": [to("blue", Some(json!(100))), to("green", Some(json!(0)))]});
    let raw = object(json!({"http": (0..5000).map(route).collect::<Vec<_>>()}));
    let error = shift_to(&raw, "80/20").expect_err("too many");
    assert!(error.message.contains("5000 routes") && error.hints[0].contains("--route"), "{error:?}");
    let one =
        plan(&service(raw), &Intent::Shift("80/20".parse().expect("weights")), Some(&RoutePick::Index(None, 4999)), &author());
    assert_eq!(one.expect("a plan")[0].moves.len(), 1);
}

/// Random objects and requests: the plan either refuses or gives what was asked, keeps the sum, and can be undone.
#[test]
fn whatever_is_planned_sums_up_and_has_a_way_back() {
    let mut state = 7u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % bound
    };
    let names = ["a", "b", "c", "d"];
    for _ in 0..3000 {
        let count = 2 + next(3);
        let entries: Vec<Value> = names[..count]
            .iter()
            .map(|name| match next(4) {
                0 => to(name, None),
                1 => to(name, Some(json!(next(100).to_string()))),
                _ => to(name, Some(json!(next(100)))),
            })
            .collect();
        let raw = object(json!({"http": [{"route": entries}]}));
        let first = u32::try_from(next(101)).expect("small");
        let asked = format!("a={first},b={}", 100 - first);
        let Ok(mut changes) = shift_to(&raw, &asked) else {
            let others: u32 = weights(&raw)[2..].iter().map(|(_, weight)| weight).sum();
            assert!(others > 0 && weights(&raw)[..2].iter().all(|(_, weight)| *weight == 0), "{raw}");
            continue;
        };
        let Some(patch) = changes.remove(0).patch else { continue };
        assert_eq!(patch.broken(&raw), None);
        let now = patch.applied(&raw).expect("applies");
        let after_weights = weights(&now);
        assert_eq!(after_weights.iter().map(|(_, weight)| weight).sum::<u32>(), 100, "{raw} {asked}");
        if count == 2 {
            assert_eq!(after_weights, named(&[("a", first), ("b", 100 - first)]));
        }
        let back = after(&now, &Intent::Rollback);
        assert_eq!(weights(&back), weights(&raw), "{raw} {asked}");
    }
}
