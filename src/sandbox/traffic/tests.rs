use serde_json::{Value, json};

use super::{Snapshot, Traffic};
use crate::sandbox::image::Behaviour;
use crate::sandbox::metrics::{Tsdb, handle};

/// The simulated time at which every test begins.
const START: f64 = 1_700_000_000.0;

/// A cluster with the service `carts` in `shop`, subsets `v1` and `v2` of one ready pod each, and whatever is added.
struct Cluster {
    virtual_services: Vec<Value>,
    destination_rules: Vec<Value>,
    services: Vec<Value>,
    gateways: Vec<Value>,
    pods: Vec<Value>,
}

fn cluster(http: Value) -> Cluster {
    Cluster {
        virtual_services: vec![virtual_service("carts", &["carts"], http)],
        destination_rules: vec![
            destination_rule("carts", json!({"name": "v1", "labels": {"version": "v1"}})),
            destination_rule("carts", json!({"name": "v2", "labels": {"version": "v2"}})),
        ],
        services: vec![service("carts")],
        gateways: Vec::new(),
        pods: vec![pod("carts", "v1", "carts:0.6.0"), pod("carts", "v2", "carts:0.6.2")],
    }
}

fn meta(name: &str) -> Value {
    json!({"name": name, "namespace": "shop", "creationTimestamp": "2024-05-01T10:00:00Z"})
}

fn virtual_service(name: &str, hosts: &[&str], http: Value) -> Value {
    json!({"metadata": meta(name), "spec": {"hosts": hosts, "http": http}})
}

fn destination_rule(host: &str, subset: Value) -> Value {
    json!({"metadata": meta(host), "spec": {"host": host, "subsets": [subset]}})
}

fn service(name: &str) -> Value {
    json!({"metadata": meta(name), "spec": {"selector": {"app": name}}})
}

fn pod(app: &str, version: &str, image: &str) -> Value {
    let mut metadata = meta(&format!("{app}-{version}-5d8f9c7b6d-x2x4q"));
    metadata["labels"] = json!({"app": app, "version": version, "pod-template-hash": "5d8f9c7b6d"});
    metadata["ownerReferences"] = json!([{"kind": "ReplicaSet", "name": format!("{app}-{version}-5d8f9c7b6d")}]);
    json!({
        "metadata": metadata,
        "spec": {"containers": [{"image": image}]},
        "status": {"phase": "Running", "podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn to(subset: &str, weight: Value) -> Value {
    json!({"destination": {"host": "carts", "subset": subset}, "weight": weight})
}

fn split(v1: i64, v2: i64) -> Value {
    json!([{"route": [to("v1", json!(v1)), to("v2", json!(v2))]}])
}

/// Traffic and its metrics, up to some second.
struct Run {
    traffic: Traffic,
    db: Tsdb,
    now: f64,
}

impl Run {
    fn new() -> Self {
        Self { traffic: Traffic::default(), db: Tsdb::default(), now: START }
    }

    fn of(cluster: &Cluster, seconds: u32) -> Self {
        let mut run = Self::new();
        run.go(cluster, seconds);
        run
    }

    /// Time goes on for the cluster as it is now.
    fn go(&mut self, cluster: &Cluster, seconds: u32) {
        let snapshot = Snapshot {
            virtual_services: cluster.virtual_services.iter().collect(),
            destination_rules: cluster.destination_rules.iter().collect(),
            services: cluster.services.iter().collect(),
            gateways: cluster.gateways.iter().collect(),
            pods: cluster.pods.iter().collect(),
        };
        for _ in 0..seconds {
            self.traffic.tick(self.now, &snapshot, &mut self.db);
            self.now += 1.0;
        }
    }

    /// The one number that a query results in; NaN where there is nothing.
    fn query(&self, query: &str) -> f64 {
        let form = format!("query={}", query.replace('%', "%25").replace('+', "%2B").replace('&', "%26"));
        let answer = handle(&self.db, self.now - 1.0, "POST", "/api/v1/query", "", form.as_bytes());
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        let result = &body["data"]["result"];
        assert!(result.as_array().is_some_and(|r| r.len() < 2), "{query}: {body}");
        result[0]["value"][1].as_str().map_or(f64::NAN, |v| v.parse().expect("number"))
    }

    /// The share of the last minute's requests, as clients saw them, that these matchers accept; 0 where there are none.
    fn share(&self, matchers: &str) -> f64 {
        let all = r#"reporter="source",destination_service="carts.shop.svc.cluster.local""#;
        let rate = |m: &str| self.query(&format!("sum(rate(istio_requests_total{{{m}}}[1m])) or vector(0)"));
        rate(&format!("{all},{matchers}")) / rate(all)
    }
}

#[track_caller]
fn assert_near(got: f64, wanted: f64, tolerance: f64) {
    assert!((got - wanted).abs() <= tolerance, "{got} is not {wanted} ± {tolerance}");
}

#[test]
fn weights_are_shares() {
    let run = Run::of(&cluster(split(80, 20)), 90);
    assert_near(run.share(r#"destination_version="v2""#), 0.20, 0.01);
    assert_near(run.share(r#"destination_workload="carts-v1",destination_canonical_revision="v1""#), 0.80, 0.01);
    assert_near(run.query(r#"sum(rate(istio_requests_total{reporter="source"}[1m]))"#), 40.0, 1.0);
    assert_eq!(
        run.query(r#"sum(istio_requests_total{reporter="source"})"#),
        run.query(r#"sum(istio_requests_total{reporter="destination"})"#)
    );
}

#[test]
fn weights_are_read_as_istiod_reads_them() {
    let shares = [
        (json!([to("v1", json!(50)), to("v2", json!(10))]), 10.0 / 60.0),
        (json!([to("v1", json!(150)), to("v2", json!(50))]), 0.25),
        (json!([to("v1", Value::Null), to("v2", json!(100))]), 1.0),
        (json!([to("v1", json!("80")), to("v2", json!("20"))]), 0.20),
        (json!([to("v1", json!(100)), to("v2", json!(0))]), 0.0),
        (json!([to("v2", json!(0))]), 1.0),
    ];
    for (route, v2) in shares {
        let run = Run::of(&cluster(json!([{"route": route}])), 70);
        assert_near(run.share(r#"destination_version="v2""#), v2, if v2.fract() == 0.0 { 0.0 } else { 0.01 });
    }
}

#[test]
fn a_shift_takes_effect_at_once() {
    let mut run = Run::of(&cluster(split(100, 0)), 60);
    assert_eq!(run.share(r#"destination_version="v2""#), 0.0);
    run.go(&cluster(split(0, 100)), 62);
    assert_eq!(run.share(r#"destination_version="v2""#), 1.0);
}

#[test]
fn the_first_matching_route_wins() {
    let tester = json!([{"headers": {"X-group": {"exact": "test"}}}]);
    let other = json!([{"headers": {"X-group": {"exact": "staff"}}}]);
    let routes = |condition: &Value| json!([{"match": condition, "route": [to("v2", json!(1))]}, {"route": [to("v1", json!(1))]}, {"route": [to("v2", json!(1))]}]);
    let run = Run::of(&cluster(routes(&tester)), 90);
    assert_near(run.share(r#"destination_version="v2""#), 0.02, 0.003);
    let run = Run::of(&cluster(routes(&other)), 90);
    assert_eq!(run.share(r#"destination_version="v2""#), 0.0);
}

#[test]
fn an_unknown_subset_answers_503_nc() {
    let cluster = cluster(json!([{"route": [to("v1", json!(70)), to("v9", json!(30))]}]));
    let run = Run::of(&cluster, 90);
    let lost = r#"response_code="503",response_flags="NC",destination_workload="unknown""#;
    assert_near(run.share(lost), 0.30, 0.01);
    assert!(run.query(r#"sum(istio_requests_total{reporter="destination",response_code="503"})"#).is_nan());
}

#[test]
fn a_subset_without_ready_pods_answers_503_uh() {
    let mut cluster = cluster(split(70, 30));
    cluster.pods[1]["status"]["conditions"][0]["status"] = json!("False");
    let run = Run::of(&cluster, 90);
    assert_near(run.share(r#"response_code="503",response_flags="UH",destination_workload="unknown""#), 0.30, 0.01);
    // Harmless while it has no weight.
    cluster.virtual_services[0]["spec"]["http"] = split(100, 0);
    assert_eq!(Run::of(&cluster, 70).share(r#"response_code="503""#), 0.0);
}

#[test]
fn an_image_decides_about_latency() {
    let mut cluster = cluster(split(50, 50));
    cluster.pods[1]["spec"]["containers"][0]["image"] = json!("docker.io/keptnexamples/carts:0.6.1");
    let run = Run::of(&cluster, 90);
    let of =
        |version: &str, what: &str| what.replace("{}", &format!(r#"{{reporter="source",destination_version="{version}"}}[1m]"#));
    let mean = "sum(rate(istio_request_duration_milliseconds_sum{})) / sum(rate(istio_request_duration_milliseconds_count{}))";
    assert_near(run.query(&of("v1", mean)), 41.8, 1.0);
    assert_near(run.query(&of("v2", mean)), 1051.0, 5.0);
    let p95 = "histogram_quantile(0.95, sum by (le) (rate(istio_request_duration_milliseconds_bucket{})))";
    assert!(run.query(&of("v1", p95)) <= 100.0);
    assert!(run.query(&of("v2", p95)) > 1000.0);
}

#[test]
fn an_image_decides_about_errors() {
    let mut cluster = cluster(split(50, 50));
    cluster.pods[1]["spec"]["containers"][0]["image"] = json!("carts:0.6.3-err5");
    let run = Run::of(&cluster, 120);
    assert_near(run.share(r#"destination_version="v2",response_code="500""#), 0.025, 0.004);
    assert_eq!(run.share(r#"destination_version="v1",response_code=~"5..""#), 0.0);
}

#[test]
fn images_are_read_by_their_tags() {
    let fast = Behaviour { errors: 0.0, delay: None };
    let cases = [
        ("carts:0.6.1", Behaviour { delay: Some(1000.0), ..fast }),
        ("registry.local:5000/shop/carts:0.6.1@sha256:abc", Behaviour { delay: Some(1000.0), ..fast }),
        ("orders:0.6.1", fast),
        ("carts:0.6.2", fast),
        ("carts", fast),
        ("", fast),
        ("a/review:2-slow", Behaviour { delay: Some(1000.0), ..fast }),
        ("review:2-lat250-err5", Behaviour { errors: 0.05, delay: Some(250.0) }),
        ("review:err5", Behaviour { errors: 0.05, ..fast }),
        ("review:1-err0.5", Behaviour { errors: 0.005, ..fast }),
        ("review:1-err500", Behaviour { errors: 1.0, ..fast }),
        ("review:errata-latest-errinf", fast),
    ];
    for (image, wanted) in cases {
        assert_eq!(Behaviour::of_image(image), wanted, "{image}");
    }
}

#[test]
fn the_oldest_virtual_service_of_a_host_counts() {
    let mut cluster = cluster(split(100, 0));
    let mut older = virtual_service("a-second", &["carts.shop.svc.cluster.local"], split(0, 100));
    older["metadata"]["creationTimestamp"] = json!("2024-04-01T10:00:00Z");
    cluster.virtual_services.push(older);
    assert_eq!(Run::of(&cluster, 70).share(r#"destination_version="v2""#), 1.0);
    // At another gateway it would not be in the way.
    cluster.virtual_services[1]["spec"]["gateways"] = json!(["public"]);
    let run = Run::of(&cluster, 70);
    assert_eq!(run.share(r#"source_workload="load-generator",destination_version="v2""#), 0.0);
    assert_near(run.share(r#"source_workload="istio-ingressgateway",destination_version="v2""#), 0.5, 0.02);
}

#[test]
fn delegates_are_followed() {
    let mut cluster = cluster(json!([{"delegate": {"name": "carts-routes", "namespace": "shop"}}]));
    let mut delegate = virtual_service("carts-routes", &[], split(60, 40));
    delegate["metadata"]["creationTimestamp"] = json!("2024-04-01T10:00:00Z");
    cluster.virtual_services.push(delegate);
    assert_near(Run::of(&cluster, 70).share(r#"destination_version="v2""#), 0.4, 0.01);
    cluster.virtual_services.pop();
    assert_eq!(Run::of(&cluster, 70).share(r#"response_code="404",response_flags="NR""#), 1.0);
}

#[test]
fn weights_that_add_up_to_nothing_leave_the_split_as_it_was() {
    let mut run = Run::of(&cluster(split(80, 20)), 10);
    run.go(&cluster(split(0, 0)), 70);
    assert_near(run.share(r#"destination_version="v2""#), 0.2, 0.01);
}

#[test]
fn copies_are_counted_where_they_arrive() {
    let http = json!([{
        "route": [to("v1", json!(100))],
        "mirror": {"host": "carts", "subset": "v2"}, "mirrorPercentage": {"value": 10.5},
    }]);
    let run = Run::of(&cluster(http), 90);
    assert_eq!(run.share(r#"destination_version="v2""#), 0.0);
    let mirrored = run.query(r#"sum(rate(istio_requests_total{reporter="destination",destination_version="v2"}[1m]))"#);
    assert_near(mirrored, 4.2, 0.1);
}

#[test]
fn destinations_may_be_hosts_of_other_namespaces() {
    let mut cluster = cluster(json!([{"route": [
        {"destination": {"host": "carts-primary.prod.svc.cluster.local"}, "weight": 75},
        {"destination": {"host": "carts-canary.prod"}, "weight": 25},
    ]}]));
    for list in [&mut cluster.services, &mut cluster.pods] {
        for object in list {
            object["metadata"]["namespace"] = json!("prod");
        }
    }
    cluster.services[0]["metadata"]["name"] = json!("carts-primary");
    let run = Run::of(&cluster, 90);
    let primary = r#"reporter="source",destination_service="carts-primary.prod.svc.cluster.local""#;
    let rate = run.query(&format!("sum(rate(istio_requests_total{{{primary}}}[1m]))"));
    assert_near(rate, 30.0, 1.0);
    // A name with one dot is taken as it is, and there is no such host.
    assert_eq!(run.share(r#"response_flags="NC""#), 1.0);
}

#[test]
fn paths_that_routes_name_are_asked_for() {
    let run = Run::of(
        &cluster(json!([
            {"match": [{"uri": {"prefix": "/new"}}], "route": [to("v2", json!(1))]},
            {"match": [{"uri": {"exact": "/old"}}], "route": [to("v1", json!(1))]},
        ])),
        90,
    );
    assert_near(run.share(r#"destination_version="v2""#), 0.5, 0.01);
}

#[test]
fn series_of_a_vanished_pod_end() {
    let mut cluster = cluster(split(50, 50));
    let mut run = Run::of(&cluster, 60);
    let v2 = r#"istio_requests_total{reporter="destination",destination_version="v2"}"#;
    assert_eq!(run.query(r#"count(up{job="kubernetes-pods"})"#), 4.0);
    assert!(run.query(v2) > 1000.0);
    cluster.pods.pop();
    run.go(&cluster, 5);
    assert_eq!(run.query(r#"count(up{job="kubernetes-pods"})"#), 3.0);
    assert!(run.query(v2).is_nan());
    // What lies in the window still counts: a dead target looks healthy to `rate`.
    assert!(run.query(&format!("rate({v2}[30s])")) > 15.0);
}

#[test]
fn the_same_past_gives_the_same_numbers() {
    let cluster = cluster(split(90, 10));
    let all = r#"sum(istio_request_duration_milliseconds_sum)"#;
    let slow = Run::of(&cluster, 61);
    let mut fast = Run::of(&cluster, 1);
    fast.now = START + 60.0;
    fast.go(&cluster, 1);
    assert_eq!(slow.query(all), fast.query(all));
    assert_eq!(fast.query("count_over_time(up{pod=\"load-generator\"}[1m])"), 61.0);
}

#[test]
fn nonsense_is_survived() {
    let broken =
        [json!(null), json!({}), json!([]), json!([null, 3]), json!([{"route": []}]), json!([{"route": [{"weight": 5}, 7]}])];
    for http in broken {
        let mut cluster = cluster(http);
        cluster.pods.push(json!({}));
        cluster.services.push(json!({"spec": {"selector": {}}}));
        cluster.destination_rules.push(json!("x"));
        cluster.virtual_services.push(
            json!({"spec": {"hosts": ["*", 3], "http": [{"route": [to("v1", json!(i64::MAX)), to("v2", json!(i64::MAX))]}]}}),
        );
        let run = Run::of(&cluster, 3);
        assert_eq!(run.query(r#"count(up{job="kubernetes-pods"})"#), 4.0);
    }
}
