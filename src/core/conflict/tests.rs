use super::*;
use crate::core::plan::{Author, Intent, plan};
use serde_json::{Value, json};

fn raw(blue: u32, green: u32) -> Value {
    json!({
        "metadata": {"name": "carts", "namespace": "shop", "uid": "u1", "managedFields": [
            {"manager": "kubectl-edit", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:http": {}}}},
        ]},
        "spec": {"http": [{"route": [
            {"destination": {"host": "carts", "subset": "blue"}, "weight": blue},
            {"destination": {"host": "carts", "subset": "green"}, "weight": green},
        ]}]},
    })
}

fn judged(now: Value) -> Judgement {
    let service = |raw: Value| Service { name: "carts".into(), typed: "carts".into(), objects: vec![Object::read(raw)] };
    let author = Author { by: "alice".into(), at: "2026-01-02T03:04:05Z".into(), reason: None };
    let wanted = |service: &Service| plan(service, &Intent::Shift("80/20".parse().expect("weights")), None, &author);
    let then = service(raw(100, 0));
    let change = wanted(&then).expect("a plan").remove(0);
    let now = service(now);
    let fresh = wanted(&now).ok().and_then(|mut changes| changes.pop());
    judge(&now, &then.objects[0], &change, &now.objects[0], fresh.as_ref())
}

#[test]
fn another_hand_on_the_weights_is_a_conflict_that_names_it() {
    let Judgement::Conflict(error) = judged(raw(50, 50)) else { panic!("not a conflict") };
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(
        error.message,
        "`carts` was changed while this ran: http[0] blue 100 -> 50, http[0] green 0 -> 50 by kubectl-edit at 2026-01-02T00:00:00Z; \
         nothing was written"
    );
}

#[test]
fn what_was_wanted_is_no_conflict() {
    assert!(matches!(judged(raw(80, 20)), Judgement::AsWanted));
}

#[test]
fn unrelated_changes_are_planned_around() {
    let mut moved = raw(100, 0);
    let front = json!({"match": [{"uri": {"prefix": "/x"}}], "route": [{"destination": {"host": "x"}}]});
    moved["spec"]["http"].as_array_mut().expect("routes").insert(0, front);
    assert!(matches!(judged(moved), Judgement::Again(_)));
    let mut annotated = raw(100, 0);
    annotated["metadata"]["annotations"] = json!({"team": "carts"});
    assert!(matches!(judged(annotated), Judgement::Again(_)));
}

#[test]
fn the_server_may_have_its_own_reasons() {
    assert!(matches!(judged(raw(100, 0)), Judgement::ServersOwn));
}

#[test]
fn a_new_object_of_the_name_is_another_object() {
    let mut again = raw(100, 0);
    again["metadata"]["uid"] = json!("u2");
    let Judgement::Conflict(error) = judged(again) else { panic!("not a conflict") };
    assert!(error.message.contains("deleted and created again"), "{error}");
    let mut gone = raw(100, 0);
    gone["spec"]["http"] = json!([]);
    let Judgement::Conflict(error) = judged(gone) else { panic!("not a conflict") };
    assert!(error.message.contains("http[0] is gone"), "{error}");
}
