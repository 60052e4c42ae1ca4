use super::client::Lines;
use super::*;
use serde_json::{Value, json};

async fn revision(client: &Client) -> anyhow::Result<String> {
    let list = client.get(SERVICES).await?.body;
    Ok(list["metadata"]["resourceVersion"].as_str().unwrap_or("").to_owned())
}

async fn label(client: &Client, value: &str) -> anyhow::Result<Value> {
    let patch = json!({"metadata": {"labels": {"stage": value}}});
    Ok(client.ask("PATCH", CARTS, MERGE_PATCH, &patch).await?.body)
}

#[tokio::test]
async fn changes_are_seen_as_they_come() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let from = revision(&client).await?;
    let mut watch = Lines::open(&client, &format!("{SERVICES}?watch=1&resourceVersion={from}")).await?;
    let first = label(&client, "a").await?;
    assert_eq!(watch.next().await?, Some(json!({"type": "MODIFIED", "object": first})));
    client.ask("DELETE", CARTS, "", &Value::Null).await?;
    let last = watch.next().await?.unwrap_or_default();
    assert_eq!((&last["type"], &last["object"]["metadata"]["name"]), (&json!("DELETED"), &json!("carts")));
    assert_ne!(last["object"]["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    Ok(())
}

#[tokio::test]
async fn an_object_that_is_selected_no_more_is_deleted_for_the_watch() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let from = revision(&client).await?;
    for value in ["a", "b", "c"] {
        label(&client, value).await?;
    }
    let path = format!("{SERVICES}?watch=1&resourceVersion={from}&labelSelector=stage%3Db&timeoutSeconds=1");
    let mut watch = Lines::open(&client, &path).await?;
    let mut seen = Vec::new();
    while let Some(event) = watch.next().await? {
        seen.push((event["type"].clone(), event["object"]["metadata"]["labels"]["stage"].clone()));
    }
    assert_eq!(seen, [(json!("ADDED"), json!("b")), (json!("DELETED"), json!("b"))]);
    Ok(())
}

#[tokio::test]
async fn a_watch_from_long_ago_is_told_to_start_again() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let mut watch = Lines::open(&client, &format!("{SERVICES}?watch=1&resourceVersion=1")).await?;
    let event = watch.next().await?.unwrap_or_default();
    let object = &event["object"];
    assert_eq!((&event["type"], &object["code"], &object["reason"]), (&json!("ERROR"), &json!(410), &json!("Expired")));
    assert_eq!(watch.next().await?, None);
    Ok(())
}

#[tokio::test]
async fn a_watch_without_a_revision_begins_with_what_is_there() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let path = format!("{SERVICES}?watch=1&timeoutSeconds=1");
    let mut watch = Lines::open(&client, &path).await?;
    let mut seen = Vec::new();
    while let Some(event) = watch.next().await? {
        seen.push((event["type"].clone(), event["object"]["metadata"]["name"].clone()));
    }
    let added = |name: &str| (json!("ADDED"), json!(name));
    assert_eq!(seen, [added("carts"), added("carts-db"), added("orders")]);
    Ok(())
}

#[tokio::test]
async fn a_bookmark_comes_before_the_end() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let from = revision(&client).await?;
    let path = format!("{SERVICES}?watch=1&resourceVersion={from}&allowWatchBookmarks=true&timeoutSeconds=3");
    let mut watch = Lines::open(&client, &path).await?;
    let event = watch.next().await?.unwrap_or_default();
    let bookmark = json!({"type": "BOOKMARK", "object": {
        "kind": "VirtualService", "apiVersion": "networking.istio.io/v1", "metadata": {"resourceVersion": from},
    }});
    assert_eq!(event, bookmark);
    assert_eq!(watch.next().await?, None);
    Ok(())
}
