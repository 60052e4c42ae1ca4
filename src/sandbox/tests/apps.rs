//! The simulated applications, asked over the wire.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::client::Running;
use super::*;

const STAGING: &str = "/apis/networking.istio.io/v1/namespaces/sockshop-staging/virtualservices/carts";
const HOST: &str = "carts.sockshop-staging.203.0.113.10.xip.io";

/// Asks the ingress gateway: status, headers, body.
async fn ingress(
    running: &Running,
    host: &str,
    path: &str,
    header: Option<(&str, &str)>,
) -> anyhow::Result<(u16, http::HeaderMap, Value)> {
    let address = running.sandbox.ingress().trim_start_matches("http://");
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::get(path).header("host", host);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let (head, body) = sender.send_request(request.body(Empty::<Bytes>::new())?).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok((head.status.as_u16(), head.headers, serde_json::from_slice(&body).unwrap_or_default()))
}

fn image(tag: &str) -> Value {
    let container = json!({"name": "carts", "image": format!("docker.io/keptnexamples/carts:{tag}")});
    json!({"spec": {"template": {"spec": {"containers": [container]}}}})
}

#[tokio::test]
async fn the_ingress_routes_by_host_weight_and_header() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let (status, _, body) = ingress(&running, HOST, "/version", None).await?;
    assert_eq!((status, &body["service"], &body["version"]), (200, &json!("carts"), &json!("0.6.0")));
    assert_eq!(ingress(&running, "nobody.example.com", "/", None).await?.0, 404);

    let client = running.admin()?;
    let to = |subset: &str, weight: i64| json!({"destination": {"host": "carts", "subset": subset}, "weight": weight});
    let test = json!({"headers": {"x-test": {"exact": "green"}}});
    let http = json!([{"match": [test], "route": [to("green", 0)]}, {"route": [to("blue", 80), to("green", 20)]}]);
    client.ask("PATCH", STAGING, MERGE_PATCH, &json!({"spec": {"http": http}})).await?;
    let mut green = 0;
    for _ in 0..50 {
        let (_, _, body) = ingress(&running, &format!("{HOST}:8080"), "/", None).await?;
        green += i32::from(body["version"] == "0.6.2");
    }
    assert!((8..=12).contains(&green), "{green} of 50");
    let (_, _, body) = ingress(&running, HOST, "/", Some(("x-test", "green"))).await?;
    assert_eq!(body["version"], "0.6.2");
    Ok(())
}

#[tokio::test]
async fn a_slow_version_shows_while_it_has_no_traffic() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let deployment = "/apis/apps/v1/namespaces/sockshop-staging/deployments/carts-green";
    running.sandbox.set_image("sockshop-staging", "carts-green", "carts", "docker.io/keptnexamples/carts:0.6.1").await?;
    let pods = "/api/v1/namespaces/sockshop-staging/pods?labelSelector=deployment%3Dcarts-green";
    let pods = client.wait(pods, |list| list["items"].as_array().is_some_and(|all| all.len() == 2)).await?;
    let name = pods["items"][0]["metadata"]["name"].as_str().unwrap_or_default();
    let scraped = format!("up{{job=\"carts-sockshop-staging\",pod=\"{name}\"}}");
    client_sees(&running, &scraped, |value| value == 1.0).await?;
    for _ in 0..10 {
        let answer = client.get(&format!("/api/v1/namespaces/sockshop-staging/pods/{name}:8080/proxy/carts")).await?;
        assert_eq!((answer.status, &answer.body["pod"], &answer.body["version"]), (200, &json!(name), &json!("0.6.1")));
    }
    let health = client.get(&format!("/api/v1/namespaces/sockshop-staging/pods/{name}:8080/proxy/health")).await?;
    assert_eq!((health.status, &health.body["status"]), (200, &json!("UP")));
    let counted = "sum(requests_latency_seconds_count{job='carts-sockshop-staging',deployment='carts-green'})";
    client_sees(&running, counted, |value| value == 11.0).await?;
    let of = |part: &str| format!("sum(requests_latency_seconds_{part}{{job='carts-sockshop-staging',version='0.6.1'}})");
    client_sees(&running, &format!("{} / {}", of("sum"), of("count")), |value| (1.0..1.1).contains(&value)).await?;
    // The proxy of the pod has seen them, and nobody else's.
    let seen = format!("sum(istio_requests_total{{pod='{name}',source_workload='unknown'}})");
    client_sees(&running, &seen, |value| value == 11.0).await?;
    // A pod that is gone does not answer.
    client.ask("PATCH", deployment, MERGE_PATCH, &json!({"spec": {"replicas": 0}})).await?;
    client.wait(&format!("/api/v1/namespaces/sockshop-staging/pods/{name}"), |answer| answer["code"] == 404).await?;
    let answer = client.get(&format!("/api/v1/namespaces/sockshop-staging/pods/{name}:8080/proxy/carts")).await?;
    assert_eq!(answer.status, 404);
    Ok(())
}

/// Waits until a query's only value is as wanted.
async fn client_sees(running: &Running, query: &str, wanted: impl Fn(f64) -> bool) -> anyhow::Result<()> {
    let seen = async {
        loop {
            if let [(_, value)] = running.sandbox.query(query).as_slice()
                && wanted(*value)
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(20), seen).await;
    anyhow::ensure!(in_time.is_ok(), "{query}: {:?}", running.sandbox.query(query));
    Ok(())
}

#[tokio::test]
async fn a_service_is_answered_by_its_ready_pods() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let proxy = "/api/v1/namespaces/sockshop-dev/services/carts:80/proxy";
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let answer = client.ask(method, &format!("{proxy}/carts/1/items"), "application/json", &json!({})).await?;
        assert_eq!((answer.status, &answer.body["path"]), (200, &json!("/carts/1/items")), "{method}");
    }
    let deployment = "/apis/apps/v1/namespaces/sockshop-dev/deployments/carts";
    client.ask("PATCH", deployment, "application/strategic-merge-patch+json", &image("0.6.3-err100")).await?;
    client.wait(&format!("{proxy}/"), |body| body["version"] == "0.6.3-err100").await?;
    assert_eq!(client.get(&format!("{proxy}/carts")).await?.status, 500);
    assert_eq!(client.get(&format!("{proxy}/health")).await?.status, 200);
    client.ask("PATCH", deployment, MERGE_PATCH, &json!({"spec": {"replicas": 0}})).await?;
    client.wait(&format!("{proxy}/"), |body| body["message"] == "no endpoints available for service \"carts\"").await?;
    Ok(())
}

#[tokio::test]
async fn a_container_that_ends_at_once_is_started_again_and_again() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let deployment = "/apis/apps/v1/namespaces/sockshop-dev/deployments/carts";
    client.ask("PATCH", deployment, "application/strategic-merge-patch+json", &image("0.6.3-crash137")).await?;
    let pods = "/api/v1/namespaces/sockshop-dev/pods";
    let crashed = |list: &Value| {
        let pods = list["items"].as_array().into_iter().flatten();
        let statuses = pods.map(|pod| pod["status"]["containerStatuses"][0].clone());
        statuses.clone().any(|status| {
            status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
                && status["lastState"]["terminated"]["exitCode"] == 137
                && status["restartCount"].as_i64() > Some(1)
        })
    };
    let list = client.wait(pods, crashed).await?;
    // The old pod goes on.
    assert!(list["items"].as_array().is_some_and(|pods| pods.len() == 2));
    let events = "/api/v1/namespaces/sockshop-dev/events?fieldSelector=reason%3DBackOff,involvedObject.kind%3DPod";
    let told = client.get(events).await?.body;
    let message = told["items"][0]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("Back-off restarting failed container carts in pod carts-"), "{message}");
    Ok(())
}
