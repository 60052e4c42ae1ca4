//! What a delivery needs of an API server beside traffic.

use super::failure;
use crate::support::server::{Server, on_both};
use crate::support::*;
use serde_json::Value;

on_both! {
    rights_are_told_before_anything_is_touched
    a_namespace_carries_labels_and_goes_with_what_is_in_it
    a_lease_is_taken_by_one
    a_configuration_map_is_replaced_as_it_was_read
    a_proxied_request_that_cannot_be_passed_on_says_why
    what_does_not_fit_is_not_scheduled
    a_job_runs_to_its_end
    a_job_needs_a_restart_policy
    a_deployment_goes_to_none_and_comes_back
    a_load_balancer_has_a_port_on_the_node
}

fn rights_are_told_before_anything_is_touched(server: &Server) {
    let Some(viewer) = server.viewer() else { return };
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let asked = |client: &rest::Rest, attributes: Value| {
        let reply = client.post(path, &json!({"spec": {"resourceAttributes": attributes}}));
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.body["kind"], "SelfSubjectAccessReview");
        reply.body["status"]["allowed"].clone()
    };
    let namespace = &server.namespace;
    let cases = [
        (json!({"verb": "create", "resource": "namespaces"}), false),
        (json!({"verb": "get", "resource": "pods", "namespace": namespace}), true),
        (json!({"verb": "get", "resource": "pods", "subresource": "log", "namespace": namespace}), false),
        (json!({"verb": "get", "resource": "pods", "subresource": "proxy", "namespace": namespace}), false),
        (json!({"verb": "get", "group": "apps", "resource": "deployments", "namespace": namespace}), true),
        (json!({"verb": "patch", "group": "apps", "resource": "deployments", "namespace": namespace}), false),
        (json!({"verb": "get", "group": "apps", "resource": "pods", "namespace": namespace}), false),
        (json!({"verb": "list", "group": "networking.istio.io", "resource": "virtualservices"}), true),
        (json!({"verb": "patch", "group": "networking.istio.io", "resource": "virtualservices"}), false),
        (json!({"verb": "get", "group": "coordination.k8s.io", "resource": "leases"}), false),
        (json!({"verb": "get", "group": "batch", "resource": "jobs"}), false),
        (json!({"verb": "get", "resource": "secrets"}), false),
        (json!({"verb": "get", "resource": "nothings"}), false),
    ];
    for (attributes, allowed) in cases {
        assert_eq!(asked(&viewer, attributes.clone()), allowed, "viewer: {attributes}");
        assert_eq!(asked(&server.rest, attributes.clone()), true, "{attributes}");
    }
    let version = json!({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/version"}}});
    assert_eq!(viewer.post(path, &version).body["status"]["allowed"], true);
    expect![[r#"
        422 Invalid .authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified
    "#]].assert_eq(&failure(server, &viewer.post(path, &json!({"spec": {}}))));
}

fn a_namespace_carries_labels_and_goes_with_what_is_in_it(server: &Server) {
    let name = format!("{}-dev", server.namespace);
    let labels = json!({"tidegate/project": "shop", "istio-injection": "enabled"});
    let annotations = json!({"tidegate/order": "0"});
    let object = json!({"metadata": {"name": name, "labels": labels, "annotations": annotations}});
    let made = server.rest.post("/api/v1/namespaces", &object).ok();
    assert_eq!(made["metadata"]["labels"]["tidegate/project"], "shop");
    assert_eq!(made["metadata"]["labels"]["kubernetes.io/metadata.name"], name);
    assert_eq!(made["metadata"]["annotations"]["tidegate/order"], "0");
    let found = server.rest.get("/api/v1/namespaces?labelSelector=tidegate%2Fproject%3Dshop").ok();
    assert_eq!(found["items"][0]["metadata"]["name"], name);
    assert_eq!(
        server.rest.post("/api/v1/namespaces", &object).failure(),
        format!("409 AlreadyExists namespaces {name:?} already exists")
    );

    let path = format!("/api/v1/namespaces/{name}");
    let map = json!({"metadata": {"name": "run"}, "data": {"a": "b"}});
    server.rest.post(&format!("{path}/configmaps"), &map).ok();
    let gone = server.rest.delete(&path).ok();
    assert_eq!(gone["status"]["phase"], "Terminating");
    eventually("the namespace is gone", || (server.rest.get(&path).status == 404).then_some(()));
    assert_eq!(server.rest.get(&format!("{path}/configmaps/run")).status, 404);
}

/// Two writers read an object, and both replace it.
fn replaced_by_two(server: &Server, path: &str, first: impl Fn(&mut Value), second: impl Fn(&mut Value)) -> String {
    let read = server.rest.get(path).ok();
    let (mut one, mut other) = (read.clone(), read);
    first(&mut one);
    second(&mut other);
    let written = server.rest.put(path, &one).ok();
    assert_ne!(written["metadata"]["resourceVersion"], other["metadata"]["resourceVersion"]);
    let refused = server.rest.put(path, &other);
    assert_eq!(server.rest.get(path).ok()["metadata"]["resourceVersion"], written["metadata"]["resourceVersion"]);
    failure(server, &refused)
}

fn a_lease_is_taken_by_one(server: &Server) {
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", server.namespace);
    let lease = json!({
        "metadata": {"name": "tidegate-carts"},
        "spec": {
            "holderIdentity": "a", "leaseDurationSeconds": 30, "leaseTransitions": 0,
            "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z",
        },
    });
    let made = server.rest.post(&leases, &lease).ok();
    assert_eq!(made["spec"], lease["spec"]);
    assert_eq!(made["metadata"].get("generation"), None);
    expect![[r#"
        409 AlreadyExists leases.coordination.k8s.io "tidegate-carts" already exists
    "#]]
    .assert_eq(&failure(server, &server.rest.post(&leases, &lease)));
    let path = format!("{leases}/tidegate-carts");
    let refused = replaced_by_two(
        server,
        &path,
        |lease| lease["spec"]["holderIdentity"] = json!("b"),
        |lease| lease["spec"]["holderIdentity"] = json!("c"),
    );
    expect![[r#"
        409 Conflict Operation cannot be fulfilled on leases.coordination.k8s.io "tidegate-carts": the object has been modified; please apply your changes to the latest version and try again
    "#]].assert_eq(&refused);
    assert_eq!(server.rest.get(&path).ok()["spec"]["holderIdentity"], "b");
    assert_eq!(server.rest.delete(&path).ok()["status"], "Success");
    // A replacement creates a lease that is not there, unless it names the one that was.
    let gone = failure(server, &server.rest.put(&path, &made));
    let gone = gone.replace(made["metadata"]["uid"].as_str().expect("an identity"), "UID");
    expect![[r#"
        409 Conflict Operation cannot be fulfilled on leases.coordination.k8s.io "tidegate-carts": StorageError: invalid object, Code: 4, Key: /registry/leases/NAMESPACE/tidegate-carts, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: UID, UID in object meta: 
    "#]].assert_eq(&gone);
    assert_eq!(server.rest.put(&path, &lease).status, 201);
}

fn a_configuration_map_is_replaced_as_it_was_read(server: &Server) {
    let maps = format!("/api/v1/namespaces/{}/configmaps", server.namespace);
    server.rest.post(&maps, &json!({"metadata": {"name": "run"}, "data": {"run.json": "{}"}})).ok();
    let path = format!("{maps}/run");
    let refused = replaced_by_two(
        server,
        &path,
        |map| map["data"]["run.json"] = json!("{\"a\":1}"),
        |map| map["data"]["run.json"] = json!("{\"b\":1}"),
    );
    expect![[r#"
        409 Conflict Operation cannot be fulfilled on configmaps "run": the object has been modified; please apply your changes to the latest version and try again
    "#]].assert_eq(&refused);
    assert_eq!(server.rest.get(&path).ok()["data"]["run.json"], "{\"a\":1}");
    // A guard on what was read.
    let document = json!([
        {"op": "test", "path": "/data/run.json", "value": "{}"},
        {"op": "replace", "path": "/data/run.json", "value": "{\"c\":1}"},
    ]);
    assert_eq!(server.rest.patch(&path, &document).status, 422);
}

fn deployment(name: &str, cpu: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: NAMESPACE}}
spec:
  replicas: 1
  progressDeadlineSeconds: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - {{name: {name}, image: \"example/{name}:1\", ports: [{{containerPort: 8080}}], resources: {{requests: {{cpu: \"{cpu}\"}}}}}}
"
    )
}

/// The only pod of an app, as soon as it is as wanted.
fn pod(server: &Server, app: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/v1/namespaces/{}/pods?labelSelector=app%3D{app}", server.namespace);
    eventually("the pod is as wanted", || {
        let list = server.rest.get(&path).ok();
        let pod = list["items"].get(0)?.clone();
        wanted(&pod).then_some(pod)
    })
}

fn condition(object: &Value, kind: &str) -> Option<Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind).cloned()
}

fn a_proxied_request_that_cannot_be_passed_on_says_why(server: &Server) {
    server.manifests(
        "{apiVersion: v1, kind: Service, metadata: {name: carts, namespace: NAMESPACE}, spec: {selector: {app: carts}, ports: [{name: http, port: 80, targetPort: 8080}]}}",
    );
    server.manifests(&deployment("huge", "1000"));
    let waiting = pod(server, "huge", |pod| condition(pod, "PodScheduled").is_some());
    let waiting = waiting["metadata"]["name"].as_str().expect("a name").to_owned();
    let namespace = format!("/api/v1/namespaces/{}", server.namespace);
    let mut said = String::new();
    for named in [
        "services/carts:80",
        "services/carts:http",
        "services/carts:81",
        "services/carts",
        "services/none:80",
        "services/ftp:carts:80",
        "pods/none:80",
        &format!("pods/{waiting}:8080"),
    ] {
        let reply = server.rest.get(&format!("{namespace}/{named}/proxy/health"));
        said += &format!("{named}: {}", failure(server, &reply));
    }
    expect![[r#"
        services/carts:80: 503 ServiceUnavailable no endpoints available for service "carts"
        services/carts:http: 503 ServiceUnavailable no endpoints available for service "carts"
        services/carts:81: 503 ServiceUnavailable no service port 81 found for service "carts"
        services/carts: 503 ServiceUnavailable no endpoints available for service "carts"
        services/none:80: 404 NotFound services "none" not found
        services/ftp:carts:80: 400 BadRequest invalid service request "ftp:carts:80"
        pods/none:80: 404 NotFound pods "none" not found
        pods/POD:8080: 400 BadRequest address not allowed
    "#]]
    .assert_eq(&said.replace(&waiting, "POD"));
    server.manifests(&deployment("carts", "10m"));
    let redirected = format!("{namespace}/services/carts:80/proxy");
    eventually("a slash is added", || (server.rest.get(&redirected).status == 301).then_some(()));
    let Some(viewer) = server.viewer() else { return };
    expect![[r#"
        403 Forbidden services "carts:80" is forbidden: User "viewer" cannot get resource "services/proxy" in API group "" in the namespace "NAMESPACE"
    "#]].assert_eq(&failure(server, &viewer.get(&format!("{namespace}/services/carts:80/proxy/"))));
}

fn what_does_not_fit_is_not_scheduled(server: &Server) {
    server.manifests(&deployment("huge", "1000"));
    let waiting = pod(server, "huge", |pod| condition(pod, "PodScheduled").is_some());
    let told = condition(&waiting, "PodScheduled").expect("a condition");
    let why = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    assert_eq!((&told["status"], &told["reason"], &told["message"]), (&json!("False"), &json!("Unschedulable"), &json!(why)));
    assert_eq!((&waiting["status"]["phase"], &waiting["status"]["qosClass"]), (&json!("Pending"), &json!("Burstable")));
    assert_eq!(waiting["spec"].get("nodeName"), None);
    let name = waiting["metadata"]["name"].as_str().expect("a name");
    let events = format!(
        "/api/v1/namespaces/{}/events?fieldSelector=involvedObject.kind%3DPod,involvedObject.name%3D{name}",
        server.namespace
    );
    let event = eventually("an event says so", || {
        let list = server.rest.get(&events).ok();
        list["items"].as_array()?.iter().find(|event| event["reason"] == "FailedScheduling").cloned()
    });
    assert_eq!((&event["type"], &event["message"]), (&json!("Warning"), &json!(why)));
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/huge", server.namespace);
    let late = eventually("the deadline passes", || {
        let told = condition(&server.rest.get(&path).ok(), "Progressing")?;
        (told["status"] == "False").then_some(told)
    });
    assert_eq!(late["reason"], "ProgressDeadlineExceeded");
    let Some(said) = server.kubectl(&["rollout", "status", "deploy/huge"]) else { return };
    assert_eq!(said, "error: deployment \"huge\" exceeded its progress deadline\n");
}

fn job(name: &str, policy: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": {
            "restartPolicy": policy,
            "containers": [{"name": "tests", "image": "example/tests:1", "command": ["sh", "-c", "exit 0"]}],
        }}},
    })
}

fn a_job_runs_to_its_end(server: &Server) {
    let jobs = format!("/apis/batch/v1/namespaces/{}/jobs", server.namespace);
    let made = server.rest.post(&jobs, &job("tests", "Never")).ok();
    let own = json!(made["metadata"]["uid"]);
    assert_eq!(made["spec"]["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": own}}));
    assert_eq!((&made["spec"]["completions"], &made["spec"]["parallelism"]), (&json!(1), &json!(1)));
    assert_eq!((&made["metadata"]["labels"]["job-name"], &made["status"]), (&json!("tests"), &json!({})));
    let path = format!("{jobs}/tests");
    let done = eventually("the job is done", || {
        let job = server.rest.get(&path).ok();
        condition(&job, "Complete").is_some().then_some(job)
    });
    let told = condition(&done, "Complete").expect("a condition");
    assert_eq!((&told["status"], &told["reason"]), (&json!("True"), &json!("CompletionsReached")));
    assert_eq!((&done["status"]["succeeded"], done["status"].get("failed")), (&json!(1), None));
    assert!(done["status"]["completionTime"].is_string() && done["status"]["startTime"].is_string());
    let pods = format!("/api/v1/namespaces/{}/pods?labelSelector=job-name%3Dtests", server.namespace);
    let pod = server.rest.get(&pods).ok()["items"][0].clone();
    assert_eq!(pod["status"]["phase"], "Succeeded");
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
    assert_eq!(pod["metadata"]["ownerReferences"][0]["kind"], "Job");
    server.rest.delete(&format!("{path}?propagationPolicy=Background")).ok();
    eventually("its pod goes with it", || (server.rest.get(&pods).ok()["items"] == json!([])).then_some(()));
}

fn a_job_needs_a_restart_policy(server: &Server) {
    let jobs = format!("/apis/batch/v1/namespaces/{}/jobs", server.namespace);
    let mut without = job("tests", "Never");
    without["spec"]["template"]["spec"].as_object_mut().expect("an object").remove("restartPolicy");
    expect![[r#"
        422 Invalid Job.batch "tests" is invalid: spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
    "#]].assert_eq(&failure(server, &server.rest.post(&jobs, &without)));
}

fn a_deployment_goes_to_none_and_comes_back(server: &Server) {
    server.manifests(&deployment("carts", "10m"));
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/carts", server.namespace);
    let has = |count: i64| {
        eventually("the deployment follows", || {
            let now = server.rest.get(&path).ok();
            let status = |name: &str| now["status"].get(name).and_then(Value::as_i64).unwrap_or(0);
            let seen = status("observedGeneration") == now["metadata"]["generation"].as_i64()?;
            (seen && status("availableReplicas") == count && status("replicas") == count).then_some(now)
        })
    };
    has(1);
    server.rest.merge(&format!("{path}/scale"), &json!({"spec": {"replicas": 0}})).ok();
    let none = has(0);
    let told = condition(&none, "Available").expect("a condition");
    assert_eq!((&told["status"], &told["reason"]), (&json!("True"), &json!("MinimumReplicasAvailable")));
    assert_eq!(none["status"].get("replicas"), None);
    server.rest.merge(&path, &json!({"spec": {"replicas": 2}})).ok();
    has(2);
    let Some(said) = server.kubectl(&["rollout", "status", "deploy/carts"]) else { return };
    assert_eq!(said, "deployment \"carts\" successfully rolled out\n");
}

fn a_load_balancer_has_a_port_on_the_node(server: &Server) {
    let services = format!("/api/v1/namespaces/{}/services", server.namespace);
    let port = json!({"name": "http2", "port": 80, "targetPort": 8080});
    let service = json!({"metadata": {"name": "gateway"}, "spec": {"type": "LoadBalancer", "ports": [port]}});
    let made = server.rest.post(&services, &service).ok();
    assert_eq!(
        (&made["spec"]["allocateLoadBalancerNodePorts"], &made["spec"]["externalTrafficPolicy"]),
        (&json!(true), &json!("Cluster"))
    );
    assert_eq!(made["status"], json!({"loadBalancer": {}}));
    let node = made["spec"]["ports"][0]["nodePort"].as_i64().expect("a port");
    assert!((30_000..32_768).contains(&node), "{node}");
}
