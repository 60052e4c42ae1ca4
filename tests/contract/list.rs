use super::failure;
use crate::support::server::{Server, on_both};
use crate::support::*;
use serde_json::Value;

on_both! { pages_follow_one_another selectors_choose a_list_is_ordered_and_has_a_version }

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().expect("items").iter().filter_map(|item| item["metadata"]["name"].as_str()).collect()
}

fn five(server: &Server) {
    for (place, name) in ["e", "b", "d", "a", "c"].into_iter().enumerate() {
        server.split(name, &[("blue", Some(80)), ("green", Some(20))]);
        let labels =
            json!({"metadata": {"labels": {"place": place.to_string(), "tier": if place < 2 { "front" } else { "back" }}}});
        server.rest.merge(&server.service(name), &labels).ok();
    }
    server.split("plain", &[("blue", Some(80)), ("green", Some(20))]);
}

fn pages_follow_one_another(server: &Server) {
    five(server);
    let mut seen = Vec::new();
    let mut remaining = Vec::new();
    let mut versions = Vec::new();
    let mut next = String::new();
    loop {
        let list = server.rest.get(&format!("{}?limit=2{next}", server.services())).ok();
        seen.push(names(&list).join(" "));
        remaining.push(list["metadata"]["remainingItemCount"].clone());
        versions.push(list["metadata"]["resourceVersion"].clone());
        match list["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => next = format!("&continue={token}"),
            _ => break,
        }
        // What is written meanwhile does not show in a list that has begun.
        server.split(&format!("z{}", seen.len()), &[("blue", Some(1))]);
    }
    assert_eq!(seen, ["a b", "c d", "e plain"]);
    assert_eq!(remaining, [json!(4), json!(2), Value::Null]);
    assert!(versions.iter().all(|version| *version == versions[0]), "{versions:?}");
    let token = server.rest.get(&format!("{}?limit=2&labelSelector=tier%3Dback", server.services())).ok();
    assert_eq!(names(&token), ["a", "c"]);
    // With a selector the server does not know how many there are.
    assert_eq!(token["metadata"].get("remainingItemCount"), None);
    assert!(token["metadata"]["continue"].is_string());
    let reply = server.rest.get(&format!("{}?limit=2&continue=nonsense", server.services()));
    assert!(reply.failure().starts_with("400 BadRequest "), "{reply:?}");
    assert!(reply.failure().contains("continue key is not valid"), "{reply:?}");
    expect![[r#"
        400 BadRequest strconv.ParseInt: parsing "many": invalid syntax
    "#]]
    .assert_eq(&failure(server, &server.rest.get(&format!("{}?limit=many", server.services()))));
}

fn selectors_choose(server: &Server) {
    five(server);
    let list = |query: &str| {
        let reply = server.rest.get(&format!("{}?{query}", server.services()));
        if reply.status == 200 { names(&reply.body).join(" ") } else { failure(server, &reply) }
    };
    for (selector, expected) in [
        ("tier=front", "b e"),
        ("tier%3D%3Dfront", "b e"),
        ("tier!=front", "a c d plain"),
        ("tier", "a b c d e"),
        ("!tier", "plain"),
        ("place%20in%20(1,4)", "b c"),
        ("place%20notin%20(1,4)", "a d e plain"),
        ("tier=back,place=2", "d"),
        ("place%3E2", "a c"),
        ("tier=none", ""),
    ] {
        assert_eq!(list(&format!("labelSelector={selector}")), expected, "{selector}");
    }
    assert_eq!(list("fieldSelector=metadata.name%3Dc"), "c");
    assert_eq!(list("fieldSelector=metadata.name!%3Dc"), "a b d e plain");
    expect![[r#"
        400 BadRequest field label not supported: spec.hosts
    "#]]
    .assert_eq(&list("fieldSelector=spec.hosts%3Dc"));
    expect![[r#"
        400 BadRequest unable to parse requirement: found '=', expected: identifier
    "#]]
    .assert_eq(&list("labelSelector=a%3D%3D%3Db"));
}

fn a_list_is_ordered_and_has_a_version(server: &Server) {
    five(server);
    let list = server.rest.get(&server.services()).ok();
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("VirtualServiceList"), &json!("networking.istio.io/v1")));
    assert_eq!(names(&list), ["a", "b", "c", "d", "e", "plain"]);
    assert_eq!(list["items"][0]["kind"], "VirtualService");
    let version = |value: &Value| value["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse::<u64>().ok());
    let newest = list["items"].as_array().expect("items").iter().map(version).max().flatten();
    assert!(version(&list) >= newest, "{list}");
    // From the cache, which may lag.
    eventually("the cache has them", || {
        let list = server.rest.get(&format!("{}?resourceVersion=0", server.services())).ok();
        (names(&list) == ["a", "b", "c", "d", "e", "plain"]).then_some(())
    });
}
