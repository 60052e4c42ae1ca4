use crate::support::server::{Server, on_both};
use crate::support::*;
use serde_json::Value;

on_both! { kubectl_get_shows_istios_columns a_table_has_kubectls_columns }

fn a_table_has_kubectls_columns(server: &Server) {
    server.create("carts", &json!({"hosts": ["carts", "carts.example.com"], "gateways": ["shop", "mesh"]}));
    let form = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let table = server.rest.get_as(&server.services(), form).ok();
    assert_eq!((&table["kind"], &table["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
    let columns = table["columnDefinitions"].as_array().expect("columns");
    let shown: Vec<String> = columns
        .iter()
        .map(|column| format!("{} {} {} {}", column["name"], column["type"], column["format"], column["priority"]))
        .collect();
    expect![[r#"
        "Name" "string" "name" 0
        "Gateways" "string" "" 0
        "Hosts" "string" "" 0
        "Age" "date" "" 0
    "#]]
    .assert_eq(&(shown.join("\n") + "\n"));
    let cells = table["rows"][0]["cells"].as_array().expect("cells");
    assert_eq!(cells[..3], [json!("carts"), json!(r#"["shop","mesh"]"#), json!(r#"["carts","carts.example.com"]"#)]);
    let object = &table["rows"][0]["object"];
    assert_eq!(object["kind"], "PartialObjectMetadata");
    assert_eq!(object["metadata"]["name"], "carts");
    let one = server.rest.get_as(&server.service("carts"), form).ok();
    assert_eq!(one["rows"][0]["cells"][0], "carts");
    let full = server.rest.get_as(&format!("{}?includeObject=Object", server.service("carts")), form).ok();
    assert_eq!(full["rows"][0]["object"]["spec"]["hosts"][0], "carts");
    let none = server.rest.get_as(&format!("{}?includeObject=None", server.service("carts")), form).ok();
    assert_eq!(none["rows"][0]["object"], Value::Null);
}

fn kubectl_get_shows_istios_columns(server: &Server) {
    server.create("carts", &json!({"hosts": ["carts", "carts.example.com"], "gateways": ["shop", "mesh"]}));
    server.create("orders", &json!({"hosts": ["orders"]}));
    let shown = |arguments: &[&str]| {
        // From ten seconds on the column is filled up with one blank less.
        let age = regex::Regex::new(r"\b\d+m?\d*s\b( *)").expect("a pattern");
        let text = server.kubectl(arguments)?;
        let blanks = |found: &regex::Captures<'_>| if found[1].is_empty() { "AGE" } else { "AGE   " };
        Some(age.replace_all(&server.anonymous(&text), blanks).into_owned())
    };
    // Without the lab there is no kubectl that fits.
    let Some(text) = shown(&["get", "virtualservices"]) else { return };
    expect![[r#"
        NAME     GATEWAYS          HOSTS                           AGE
        carts    ["shop","mesh"]   ["carts","carts.example.com"]   AGE
        orders                     ["orders"]                      AGE
    "#]]
    .assert_eq(&text);
    expect![[r#"
        NAME    GATEWAYS          HOSTS                           AGE
        carts   ["shop","mesh"]   ["carts","carts.example.com"]   AGE
    "#]]
    .assert_eq(&shown(&["get", "vs", "carts", "-o", "wide"]).unwrap_or_default());
    expect![[r#"
        virtualservice.networking.istio.io/carts
        virtualservice.networking.istio.io/orders
    "#]]
    .assert_eq(&shown(&["get", "vs", "-o", "name"]).unwrap_or_default());
    expect![[r#"
        carts    ["shop","mesh"]   ["carts","carts.example.com"]   AGE   <none>
        orders                     ["orders"]                      AGE   <none>
    "#]]
    .assert_eq(&shown(&["get", "vs", "--show-labels", "--no-headers"]).unwrap_or_default());
    expect![[r#"
        Error from server (NotFound): virtualservices.networking.istio.io "none" not found
    "#]]
    .assert_eq(&shown(&["get", "vs", "none"]).unwrap_or_default());
    expect![[r#"
        No resources found in NAMESPACE namespace.
    "#]]
    .assert_eq(&shown(&["get", "dr"]).unwrap_or_default());
    expect![[r#"
        error: the server doesn't have a resource type "nothing"
    "#]]
    .assert_eq(&shown(&["get", "nothing"]).unwrap_or_default());
    let patch = r#"[{"op":"add","path":"/spec/wieght","value":1}]"#;
    expect![[r#"
        virtualservice.networking.istio.io/carts patched (no change)
        Warning: unknown field "spec.wieght"
    "#]]
    .assert_eq(&shown(&["patch", "vs", "carts", "--type=json", "-p", patch]).unwrap_or_default());
    let patch = r#"[{"op":"test","path":"/spec/hosts/0","value":"x"}]"#;
    expect![[r#"
        The request is invalid: the server rejected our request due to an error in our request
    "#]]
    .assert_eq(&shown(&["patch", "vs", "carts", "--type=json", "-p", patch]).unwrap_or_default());
    let patch = r#"[{"op":"replace","path":"/spec/hosts/0","value":"x"}]"#;
    expect![[r#"
        virtualservice.networking.istio.io/carts patched
    "#]]
    .assert_eq(&shown(&["patch", "vs", "carts", "--type=json", "-p", patch, "--dry-run=server"]).unwrap_or_default());
    expect![[r#"
        virtualservice.networking.istio.io/carts patched
    "#]]
    .assert_eq(&shown(&["patch", "vs", "carts", "--type=json", "-p", patch]).unwrap_or_default());
    expect![[r#"
        virtualservice.networking.istio.io "carts" deleted from NAMESPACE namespace
    "#]]
    .assert_eq(&shown(&["delete", "vs", "carts"]).unwrap_or_default());
}
