use serde_json::{Value, json};

use super::*;

fn weights(object: &Value) -> Vec<&Value> {
    let routes = object.pointer("/spec/http/0/route").and_then(Value::as_array);
    routes.into_iter().flatten().filter_map(|route| route.get("weight")).collect()
}

fn set(weight: Value) -> Value {
    json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": weight}])
}

#[tokio::test]
async fn its_files_are_its_users_alone() -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let running = start(&[]).await?;
    let dir = running.dir.path().join("sandbox");
    assert_eq!(std::fs::metadata(&dir)?.permissions().mode() & 0o777, 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&dir)? {
        let entry = entry?;
        assert_eq!(entry.metadata()?.permissions().mode() & 0o777, 0o600);
        names.push(entry.file_name());
    }
    names.sort();
    assert_eq!(names, ["ca.crt", "kubeconfig", "requests.log"]);
    assert!(running.sandbox.server().starts_with("https://127.0.0.1:"));
    assert!(running.sandbox.metrics().starts_with("http://127.0.0.1:"));
    Ok(())
}

#[tokio::test]
async fn a_stopped_sandbox_listens_no_more() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    assert_eq!(client.get("/version").await?.status, 200);
    running.sandbox.stop().await;
    assert!(client.get("/version").await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_patch_moves_weights_and_counts_the_change() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let before = client.get(CARTS).await?.body;
    let patched = client.ask("PATCH", &format!("{CARTS}?fieldManager=tidegate"), JSON_PATCH, &set(json!(80))).await?;
    assert_eq!((patched.status, weights(&patched.body)), (200, vec![&json!(80), &json!(0)]));
    assert_eq!(patched.body["metadata"]["generation"], 2);
    assert_ne!(patched.body["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    let managers: Vec<&Value> = patched.body["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry.pointer("/fieldsV1/f:spec/f:http").is_some())
        .map(|entry| &entry["manager"])
        .collect();
    assert_eq!(managers, ["tidegate"]);

    let again = client.ask("PATCH", CARTS, JSON_PATCH, &set(json!(80))).await?;
    assert_eq!(again.body, patched.body);
    assert_eq!(client.get(CARTS).await?.body, patched.body);
    Ok(())
}

#[tokio::test]
async fn all_versions_show_the_same_object() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let mut newest = client.get(CARTS).await?.body;
    for version in ["v1beta1", "v1alpha3"] {
        let shown = client.get(&CARTS.replace("/v1/", &format!("/{version}/"))).await?.body;
        newest["apiVersion"] = format!("networking.istio.io/{version}").into();
        assert_eq!(shown, newest);
    }
    Ok(())
}

#[tokio::test]
async fn a_dry_run_changes_nothing() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let before = client.get(CARTS).await?.body;
    let tried = client.ask("PATCH", &format!("{CARTS}?dryRun=All"), JSON_PATCH, &set(json!(33))).await?;
    assert_eq!((tried.status, weights(&tried.body)), (200, vec![&json!(33), &json!(0)]));
    assert_eq!(client.get(CARTS).await?.body, before);
    Ok(())
}

#[tokio::test]
async fn refusals_read_as_a_real_servers() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let conflict = "Operation cannot be fulfilled on virtualservices.networking.istio.io \"carts\": the object has been modified; please apply your changes to the latest version and try again";
    let opaque = "the server rejected our request due to an error in our request";
    let op = |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
    for (patch, status, reason, message) in [
        (op("test", "/spec/http/0/route/0/weight", json!(1)), 422, "Invalid", opaque),
        (op("replace", "/spec/http/7", json!({})), 422, "Invalid", opaque),
        (op("replace", "/metadata/resourceVersion", json!("1")), 409, "Conflict", conflict),
        (
            json!({}),
            400,
            "BadRequest",
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            op("replace", "/metadata/uid", json!("x")),
            422,
            "Invalid",
            "VirtualService.networking.istio.io \"carts\" is invalid: metadata.uid: Invalid value: \"x\": field is immutable",
        ),
        (
            set(json!("80")),
            422,
            "Invalid",
            "VirtualService.networking.istio.io \"carts\" is invalid: [spec.http[0].route[0].weight: Invalid value: \"string\": spec.http[0].route[0].weight in body must be of type integer: \"string\", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]",
        ),
    ] {
        let answer = client.ask("PATCH", CARTS, JSON_PATCH, &patch).await?;
        let said = (answer.status, &answer.body["reason"], &answer.body["message"]);
        assert_eq!(said, (status, &json!(reason), &json!(message)));
    }
    let missing = client.get(&format!("{SERVICES}/none")).await?;
    assert_eq!(missing.body["message"], "virtualservices.networking.istio.io \"none\" not found");
    let unknown = client.get("/apis/networking.istio.io/v9/virtualservices").await?;
    assert_eq!((unknown.status, unknown.body), (404, json!("404 page not found\n")));
    Ok(())
}

#[tokio::test]
async fn a_misspelt_field_is_pruned_with_a_warning_or_refused() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let patch = json!([{"op": "add", "path": "/spec/http/0/route/0/wieght", "value": 1}]);
    let pruned = client.ask("PATCH", CARTS, JSON_PATCH, &patch).await?;
    let warning = pruned.headers.get("warning").map(|value| value.to_str().unwrap_or(""));
    assert_eq!((pruned.status, warning), (200, Some("299 - \"unknown field \\\"spec.http[0].route[0].wieght\\\"\"")));
    assert_eq!(pruned.body, client.get(CARTS).await?.body);
    let strict = client.ask("PATCH", &format!("{CARTS}?fieldValidation=Strict"), JSON_PATCH, &patch).await?;
    let message = strict.body["message"].as_str().unwrap_or("");
    assert_eq!(strict.status, 422);
    assert!(message.ends_with("strict decoding error: unknown field \"spec.http[0].route[0].wieght\""), "{message}");
    Ok(())
}

#[tokio::test]
async fn users_have_the_rights_of_their_token() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let viewer = running.user("viewer")?;
    assert_eq!(viewer.get(CARTS).await?.status, 200);
    let refused = viewer.ask("PATCH", CARTS, JSON_PATCH, &json!([])).await?;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.body["message"],
        "virtualservices.networking.istio.io \"carts\" is forbidden: User \"viewer\" cannot patch resource \"virtualservices\" in API group \"networking.istio.io\" in the namespace \"sockshop-production\""
    );
    let stranger = running.user("stranger")?.get(CARTS).await?;
    assert_eq!((stranger.status, &stranger.body["message"]), (401, &json!("Unauthorized")));
    Ok(())
}

#[tokio::test]
async fn nonsense_is_refused_and_the_server_lives_on() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let pods = "/api/v1/namespaces/sockshop-production/pods";
    for (path, body) in [
        (pods, json!({"metadata": {"name": "a"}, "spec": "x"})),
        (pods, json!({"metadata": "x"})),
        (SERVICES, json!([1])),
        (SERVICES, json!({"metadata": {"name": "a", "labels": 5}})),
    ] {
        assert_eq!(client.ask("POST", path, "application/json", &body).await?.status, 400, "{body}");
    }
    let status = client.ask("PATCH", CARTS, MERGE_PATCH, &json!({"metadata": "x"})).await?.status;
    assert_eq!(status, 422);
    assert_eq!(client.get("/readyz").await?.body, "ok");
    Ok(())
}

#[tokio::test]
async fn a_list_in_chunks_shows_one_moment() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().into_iter().flatten();
        items.map(|item| item["metadata"]["name"].as_str().unwrap_or("").to_owned()).collect()
    };
    let first = client.get(&format!("{SERVICES}?limit=1")).await?.body;
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    client.ask("DELETE", &format!("{SERVICES}/orders"), "", &Value::Null).await?;
    let token = first["metadata"]["continue"].as_str().unwrap_or("");
    let rest = client.get(&format!("{SERVICES}?limit=5&continue={token}")).await?.body;
    assert_eq!([names(&first), names(&rest)].concat(), ["carts", "carts-db", "orders"]);
    assert_eq!(rest["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(names(&client.get(SERVICES).await?.body), ["carts", "carts-db"]);
    Ok(())
}

#[tokio::test]
async fn a_namespace_goes_with_all_that_is_in_it() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let gone = client.ask("DELETE", "/api/v1/namespaces/hands-on", "", &Value::Null).await?;
    assert_eq!(gone.status, 200);
    for path in ["/apis/networking.istio.io/v1/namespaces/hands-on/virtualservices", "/api/v1/namespaces/hands-on/pods"] {
        assert_eq!(client.get(path).await?.body["items"], json!([]), "{path}");
    }
    assert_eq!(client.get(CARTS).await?.status, 200);
    Ok(())
}
