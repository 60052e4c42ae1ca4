use serde_json::json;

use super::*;

#[tokio::test]
async fn each_fault_hits_the_request_it_is_meant_for() -> anyhow::Result<()> {
    let running = start(&["409@patch:2", "html@list:1", "503@delete", "reset@create:1"]).await?;
    let client = running.admin()?;
    let mut statuses = Vec::new();
    for weight in [1, 2, 3] {
        let patch = json!([{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": weight}]);
        statuses.push(client.ask("PATCH", CARTS, JSON_PATCH, &patch).await?.status);
    }
    assert_eq!(statuses, [200, 409, 200]);

    let page = client.get(SERVICES).await?;
    assert_eq!((page.status, page.body.is_string()), (502, true));
    assert_eq!(client.get(SERVICES).await?.status, 200);

    let refused = client.ask("DELETE", CARTS, "", &json!(null)).await?;
    assert_eq!((refused.status, &refused.body["reason"]), (503, &json!("ServiceUnavailable")));

    let map = json!({"metadata": {"name": "a"}});
    let maps = "/api/v1/namespaces/sockshop-production/configmaps";
    assert!(client.ask("POST", maps, "application/json", &map).await.is_err());
    assert_eq!(client.ask("POST", maps, "application/json", &map).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn the_log_has_a_line_for_each_request_before_its_answer() -> anyhow::Result<()> {
    let running = start(&["reset@put:1"]).await?;
    let client = running.admin()?;
    client.get(CARTS).await?;
    assert_eq!(running.log()?, format!("GET {CARTS} 200\n"));
    client.ask("PATCH", &format!("{CARTS}?dryRun=All"), JSON_PATCH, &json!({})).await?;
    client.ask("PUT", CARTS, "application/json", &json!({})).await.err();
    assert_eq!(running.log()?, format!("GET {CARTS} 200\nPATCH {CARTS}?dryRun=All 400\nPUT {CARTS} -\n"));
    Ok(())
}
