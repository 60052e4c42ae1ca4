use crate::support::server::{Server, on_both};
use crate::support::*;
use serde_json::Value;

on_both! { events_follow_the_list bookmarks_come_before_the_end a_version_that_is_too_old a_watch_chooses }

fn watched(server: &Server, query: &str, version: &Value, enough: usize) -> Vec<String> {
    let version = version.as_str().expect("a version");
    let path = format!("{}?watch=true&resourceVersion={version}&timeoutSeconds=15{query}", server.services());
    let events = server.rest.watch(&path, |events| events.len() >= enough);
    let told = |event: &Value| {
        let weight = &event["object"]["spec"]["http"][0]["route"][0]["weight"];
        format!(
            "{} {} {weight}",
            event["type"].as_str().unwrap_or("-"),
            event["object"]["metadata"]["name"].as_str().unwrap_or("-")
        )
    };
    events.iter().map(told).collect()
}

fn set(server: &Server, name: &str, value: i64) {
    let document = json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": value}]);
    server.rest.patch(&server.service(name), &document).ok();
}

fn events_follow_the_list(server: &Server) {
    server.split("old", &[("blue", Some(1))]);
    let list = server.rest.get(&server.services()).ok();
    server.split("carts", &[("blue", Some(80))]);
    set(server, "carts", 70);
    set(server, "carts", 70);
    set(server, "old", 2);
    server.rest.delete(&server.service("carts")).ok();
    let events = watched(server, "", &list["metadata"]["resourceVersion"], 4);
    // What changes nothing is no event; the last state comes with a deletion.
    assert_eq!(events, ["ADDED carts 80", "MODIFIED carts 70", "MODIFIED old 2", "DELETED carts 70"]);
    // Without a version everything there is comes first.
    let path = format!("{}?watch=true&timeoutSeconds=15", server.services());
    let events = server.rest.watch(&path, |events| !events.is_empty());
    assert_eq!((&events[0]["type"], &events[0]["object"]["metadata"]["name"]), (&json!("ADDED"), &json!("old")));
}

fn bookmarks_come_before_the_end(server: &Server) {
    server.split("carts", &[("blue", Some(80))]);
    let version = server.rest.get(&server.services()).ok()["metadata"]["resourceVersion"].clone();
    let version = version.as_str().expect("a version");
    let path = format!("{}?watch=true&resourceVersion={version}", server.services());
    assert_eq!(server.rest.watch(&format!("{path}&timeoutSeconds=2"), |_| false), Vec::<Value>::new());
    // It comes two seconds before the end; a busy machine may need more of them to get as far.
    let until = |seconds: u32| {
        let path = format!("{path}&timeoutSeconds={seconds}&allowWatchBookmarks=true");
        server.rest.watch(&path, |events| !events.is_empty()).pop()
    };
    let last = until(4).or_else(|| until(12)).expect("a bookmark before the server ends the watch");
    assert_eq!(last["type"], "BOOKMARK");
    let object = &last["object"];
    assert_eq!((&object["kind"], &object["apiVersion"]), (&json!("VirtualService"), &json!("networking.istio.io/v1")));
    let number = |text: &str| text.parse::<u64>().expect("a number");
    assert!(number(object["metadata"]["resourceVersion"].as_str().expect("a version")) >= number(version));
}

fn a_version_that_is_too_old(server: &Server) {
    server.split("carts", &[("blue", Some(80))]);
    let path = format!("{}?watch=true&resourceVersion=1&timeoutSeconds=15", server.services());
    let events = server.rest.watch(&path, |_| false);
    assert_eq!(events.len(), 1, "{events:?}");
    let mut event = events[0].clone();
    let message = event["object"]["message"].take();
    let version = regex::Regex::new(r"^too old resource version: 1 \(\d+\)$").expect("a pattern");
    assert!(version.is_match(message.as_str().unwrap_or_default()), "{message}");
    assert_eq!(
        event,
        json!({"type": "ERROR", "object": {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": null,
            "reason": "Expired", "code": 410,
        }})
    );
}

fn a_watch_chooses(server: &Server) {
    let version = server.rest.get(&server.services()).ok()["metadata"]["resourceVersion"].clone();
    server.split("carts", &[("blue", Some(80))]);
    server.split("other", &[("blue", Some(1))]);
    let label = |name: &str, value: Value| {
        server.rest.merge(&server.service(name), &json!({"metadata": {"labels": {"watched": value}}})).ok();
    };
    label("carts", json!("yes"));
    set(server, "carts", 70);
    label("carts", Value::Null);
    set(server, "carts", 60);
    label("carts", json!("yes"));
    // An object that begins to match is added, one that ends to match is deleted.
    let events = watched(server, "&labelSelector=watched%3Dyes", &version, 4);
    assert_eq!(events, ["ADDED carts 80", "MODIFIED carts 70", "DELETED carts 70", "ADDED carts 60"]);
    let events = watched(server, "&fieldSelector=metadata.name%3Dother", &version, 1);
    assert_eq!(events, ["ADDED other 1"]);
}
