use super::{failure, told};
use crate::support::server::{Server, on_both};
use crate::support::webhook::{Registered, Verdict, Webhook};
use crate::support::*;
use serde_json::Value;

on_both! { a_webhook_denies_in_its_own_words a_webhook_warns a_webhook_that_hangs a_webhook_that_is_down }

const WEIGHT: &str = "/spec/http/0/route/0/weight";

fn set(value: i64) -> Value {
    json!([{"op": "replace", "path": WEIGHT, "value": value}])
}

/// Says no to negative weights, as istiod does, and `special` to the weight 33.
fn registered(server: &Server, special: fn() -> Verdict) -> (Webhook, Registered) {
    server.split("carts", &[("blue", Some(80)), ("green", Some(20))]);
    let webhook = Webhook::new(move |object| match object.pointer(WEIGHT).and_then(Value::as_i64) {
        Some(..0) => Verdict::Deny("configuration is invalid: weight -1 < 0"),
        Some(33) => special(),
        _ => Verdict::Allow,
    });
    let probe = || drop(server.rest.patch(&format!("{}?dryRun=All", server.service("carts")), &set(81)));
    let registered = webhook.register(&server.rest, &server.namespace, probe);
    (webhook, registered)
}

fn a_webhook_denies_in_its_own_words(server: &Server) {
    let (_webhook, registered) = registered(server, || Verdict::Deny("configuration is invalid: no"));
    expect![[r#"
        400 {
          "kind": "Status",
          "apiVersion": "v1",
          "metadata": {},
          "status": "Failure",
          "message": "admission webhook \"validation.istio.io\" denied the request: configuration is invalid: weight -1 < 0",
          "code": 400
        }
    "#]]
    .assert_eq(&told(server, &server.rest.patch(&server.service("carts"), &set(-1))));
    // A dry run is asked about, too.
    let dry = format!("{}?dryRun=All", server.service("carts"));
    assert_eq!(server.rest.patch(&dry, &set(-1)).status, 400);
    assert_eq!(server.rest.get(&server.service("carts")).ok().pointer(WEIGHT), Some(&json!(80)));
    // tidegate passes it on.
    let run = server.tidegate("shift carts --weights 33/67 --no-preflight").run();
    expect![[r#"
        ------- stderr -------
        error: the admission webhook validation.istio.io refused virtualservice.networking.istio.io/carts: no
        [exit status: 1]
    "#]]
    .assert_eq(&run.to_string());
    // What the server does not pass on is not denied: deletions are not among the rules.
    server.rest.delete(&server.service("carts")).ok();
    registered.remove(&server.rest);
}

fn a_webhook_warns(server: &Server) {
    let (_webhook, registered) =
        registered(server, || Verdict::Warn("virtualService rule \"second\" not used (only the last rule can have no matches)"));
    let reply = server.rest.patch(&server.service("carts"), &set(33));
    assert_eq!(reply.warnings, [r#"299 - "virtualService rule \"second\" not used (only the last rule can have no matches)""#]);
    assert_eq!(reply.ok().pointer(WEIGHT), Some(&json!(33)));
    server.rest.patch(&server.service("carts"), &set(80)).ok();
    let run = server.tidegate("shift carts --weights 33/67 --no-preflight").run();
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 80 -> 33, green 20 -> 67
        ------- stderr -------
        warning: carts: virtualService rule "second" not used (only the last rule can have no matches)
    "#]]
    .assert_eq(&run.to_string());
    registered.remove(&server.rest);
}

fn a_webhook_that_hangs(server: &Server) {
    let (_webhook, registered) = registered(server, || Verdict::Hang);
    // Without `kind`, as nothing else that the server says. Now and then it comes too late even for that, and breaks off.
    let path = format!("{}?timeout=2s", server.service("carts"));
    let reply = eventually("an answer to a patch", || server.rest.patch_or_break(&path, &set(33)));
    expect![[r#"
        504 {
          "metadata": {},
          "status": "Failure",
          "message": "Timeout: request did not complete within the allotted timeout",
          "reason": "Timeout",
          "details": {},
          "code": 504
        }
    "#]]
    .assert_eq(&told(server, &reply));
    assert_eq!(server.rest.get(&server.service("carts")).ok().pointer(WEIGHT), Some(&json!(80)));
    registered.remove(&server.rest);
}

fn a_webhook_that_is_down(server: &Server) {
    let (mut webhook, registered) = registered(server, || Verdict::Allow);
    webhook.down();
    expect![[r#"
        500 {
          "kind": "Status",
          "apiVersion": "v1",
          "metadata": {},
          "status": "Failure",
          "message": "Internal error occurred: failed calling webhook \"validation.istio.io\": failed to call webhook: Post \"https://SERVER/validate?timeout=10s\": dial tcp SERVER: connect: connection refused",
          "reason": "InternalError",
          "details": {
            "causes": [
              {
                "message": "failed calling webhook \"validation.istio.io\": failed to call webhook: Post \"https://SERVER/validate?timeout=10s\": dial tcp SERVER: connect: connection refused"
              }
            ]
          },
          "code": 500
        }
    "#]].assert_eq(&told(server, &server.rest.patch(&server.service("carts"), &set(33))));
    let dry = format!("{}?dryRun=All", server.service("carts"));
    expect![[r#"
        500 InternalError Internal error occurred: failed calling webhook "validation.istio.io": failed to call webhook: Post "https://SERVER/validate?timeout=10s": dial tcp SERVER: connect: connection refused
    "#]].assert_eq(&failure(server, &server.rest.patch(&dry, &set(33))));
    // Even what changes nothing.
    assert_eq!(server.rest.patch(&server.service("carts"), &set(80)).status, 500);
    let run = server.tidegate("shift carts --weights 33/67 --no-preflight").run();
    expect![[r#"
        ------- stderr -------
        error: the API server cannot reach the admission webhook validation.istio.io (is istiod down?); nothing was written
        caused by: Internal error occurred: failed calling webhook "validation.istio.io": failed to call webhook: Post "https://SERVER/validate?timeout=10s": dial tcp SERVER: connect: connection refused
        [exit status: 7]
    "#]].assert_eq(&run.to_string());
    let run = server.anonymous(&server.tidegate("rollback carts --to green --timeout 1s").run().to_string());
    expect![[r#"
        ------- stderr -------
        error: rollback failed: the API server cannot reach the admission webhook validation.istio.io (is istiod down?); nothing was written; weights are still blue 80, green 20
        caused by: Internal error occurred: failed calling webhook "validation.istio.io": failed to call webhook: Post "https://SERVER/validate?timeout=10s": dial tcp SERVER: connect: connection refused
        hint: kubectl patch virtualservice carts -n NAMESPACE --type=json -p '[{"op":"test","path":"/metadata/uid","value":"UID"},{"op":"test","path":"/spec/http/0/match","value":null},{"op":"test","path":"/spec/http/0/name","value":null},{"op":"test","path":"/spec/http/0/route","value":[{"destination":{"host":"carts","subset":"blue"},"weight":80},{"destination":{"host":"carts","subset":"green"},"weight":20}]},{"op":"replace","path":"/spec/http/0/route/0/weight","value":0},{"op":"replace","path":"/spec/http/0/route/1/weight","value":100},{"op":"test","path":"/metadata/annotations","value":null},{"op":"add","path":"/metadata/annotations","value":{"tidegate/release":"{\"id\":\"carts-STAMP\",\"phase\":\"complete\",\"stable\":\"blue\",\"candidate\":\"green\",\"since\":\"TIME\",\"by\":\"alice\",\"before\":{\"http[0]\":{\"blue\":80,\"green\":20}},\"undo\":[{\"op\":\"test\",\"path\":\"/spec/http/0/match\",\"value\":null},{\"op\":\"test\",\"path\":\"/spec/http/0/route/0/destination\",\"value\":{\"host\":\"carts\",\"subset\":\"blue\"}},{\"op\":\"add\",\"path\":\"/spec/http/0/route/0/weight\",\"value\":80},{\"op\":\"test\",\"path\":\"/spec/http/0/route/1/destination\",\"value\":{\"host\":\"carts\",\"subset\":\"green\"}},{\"op\":\"add\",\"path\":\"/spec/http/0/route/1/weight\",\"value\":20}]}","tidegate/history":"[{\"revision\":1,\"at\":\"TIME\",\"by\":\"tidegate-tests\",\"verb\":\"found\",\"routes\":{\"http[0]\":{\"blue\":80,\"green\":20}}},{\"revision\":2,\"at\":\"TIME\",\"by\":\"alice\",\"verb\":\"rollback\",\"routes\":{\"http[0]\":{\"blue\":0,\"green\":100}}}]"}}]'
        [exit status: 20]
    "#]].assert_eq(&run);
    registered.remove(&server.rest);
}
