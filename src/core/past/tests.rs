use super::*;
use serde_json::json;

fn object(routes: Value) -> Object {
    Object::read(json!({"metadata": {"name": "carts"}, "spec": {"hosts": ["carts"], "http": routes}}))
}

fn split(weights: &[(&str, u32)]) -> Value {
    let to = |(subset, weight): &(&str, u32)| json!({"destination": {"host": "carts", "subset": subset}, "weight": weight});
    json!({"route": weights.iter().map(to).collect::<Vec<_>>()})
}

fn service(now: Value) -> Service {
    Service { name: "carts".into(), typed: "carts".into(), objects: vec![object(now)] }
}

/// Phase, weights to go back to, stable and candidate; of versions from the newest to the oldest.
fn told(now: Value, versions: &[Value]) -> Option<(Phase, Labelled, Option<String>, Option<String>)> {
    let service = service(now);
    let mut past = Past::new(&service);
    let mut found = None;
    for version in versions {
        found = past.look(&[object(version.clone())], "1a2b3c4", false).expect("certain");
        if found.is_some() {
            break;
        }
    }
    let release = found.or_else(|| past.end())?.remove(0);
    let before = release.before.first().map(|(_, before)| before.clone()).unwrap_or_default();
    Some((release.phase, before, release.stable, release.candidate))
}

fn two(old: u32, new: u32) -> Value {
    json!([split(&[("old", old), ("new", new)])])
}

fn labelled(old: u32, new: u32) -> Labelled {
    vec![("old".into(), old), ("new".into(), new)]
}

#[test]
fn a_release_lies_between_settled_versions() {
    let roles = (Some("old".to_owned()), Some("new".to_owned()));
    let with = |phase: Phase| Some((phase, labelled(100, 0), roles.0.clone(), roles.1.clone()));
    assert_eq!(told(two(80, 20), &[two(80, 20), two(90, 10), two(100, 0)]), with(Phase::Progressing));
    assert_eq!(told(two(80, 20), &[two(100, 0)]), with(Phase::Progressing), "not committed yet");
    assert_eq!(told(two(0, 100), &[two(0, 100), two(50, 50), two(100, 0)]), with(Phase::Complete));
    assert_eq!(told(two(0, 100), &[two(100, 0)]), with(Phase::Complete));
    let undone = told(two(100, 0), &[two(100, 0), two(50, 50), two(100, 0)]);
    assert_eq!(undone, Some((Phase::Undone, labelled(100, 0), None, None)));
    assert_eq!(told(two(100, 0), &[two(100, 0), two(100, 0)]), None);
    assert_eq!(told(two(80, 20), &[two(80, 20), two(90, 10)]), None);
}

#[test]
fn a_rollback_says_so_by_itself() {
    let service = service(two(100, 0));
    let phase = |versions: &[(Value, bool)]| {
        let mut past = Past::new(&service);
        let look =
            |(version, undone): &(Value, bool)| past.look(&[object(version.clone())], "1a2b3c4", *undone).expect("certain");
        versions.iter().find_map(look).or_else(|| past.end()).map(|releases| releases[0].phase)
    };
    assert_eq!(phase(&[(two(100, 0), true)]), Some(Phase::Undone));
    assert_eq!(phase(&[(two(100, 0), true), (two(0, 100), false)]), Some(Phase::Undone));
    // It moved another object of the same name.
    assert_eq!(phase(&[(two(100, 0), true), (two(100, 0), false), (two(0, 100), false)]), Some(Phase::Complete));
}

#[test]
fn what_is_not_committed_can_be_the_way_back_itself() {
    let service = service(two(100, 0));
    let mut past = Past::new(&service);
    assert_eq!(past.look(&[object(two(0, 100))], "b", false), Ok(None));
    assert!(past.leads());
    let error = past.look(&[object(two(100, 0))], "a", false).expect_err("two ways");
    assert_eq!(error.kind, Kind::Usage);
}

#[test]
fn other_routes_are_no_way_back() {
    let three = json!([split(&[("old", 80), ("new", 20), ("third", 0)])]);
    let service = service(three);
    let error = Past::new(&service).look(&[object(two(100, 0))], "a", false).expect_err("a destination more");
    assert_eq!(error.kind, Kind::Conflict);
    // Routes that stand as they did are no part of it, wherever they stand.
    let other = json!({"match": [{"port": 1}], "route": split(&[("old", 0), ("new", 100)])["route"]});
    let now = json!([two(80, 20)[0], other]);
    let then = json!([other, two(100, 0)[0]]);
    assert_eq!(told(now, &[then]).map(|told| told.1), Some(labelled(100, 0)));
}
