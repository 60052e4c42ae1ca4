use super::*;
use crate::core::delivery::image::Image;

fn place(layout: Layout) -> Place<'static> {
    Place { project: "sockshop", stage: "staging", namespace: "sockshop-staging", layout, domain: Some("203.0.113.10.nip.io") }
}

fn carts() -> Blueprint {
    Blueprint::plain("carts", Some(&Image::parse("carts:0.6.0").expect("an image")), 8080)
}

/// The objects, one a line; of deployments what tells them apart.
fn told(blueprint: &Blueprint, place: &Place<'_>, expected: &str) {
    let mut text = String::new();
    for object in blueprint.objects(place) {
        let field = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
        let spec = match field("/kind").as_str() {
            Some("Deployment") => format!(
                "{} {} {}",
                field("/spec/replicas"),
                field("/spec/template/metadata/labels"),
                field("/spec/template/spec/containers/0/image")
            ),
            _ => field("/spec").to_string(),
        };
        text += &format!(
            "{} {}: {spec}\n",
            field("/kind").as_str().unwrap_or_default(),
            field("/metadata/name").as_str().unwrap_or_default()
        );
    }
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn two_colours_of_one_service() {
    told(
        &carts(),
        &place(Layout::Colours),
        r#"
        Deployment carts-blue: 1 {"app":"sockshop-selector-carts","deployment":"carts-blue"} "carts:0.6.0"
        Deployment carts-green: 1 {"app":"sockshop-selector-carts","deployment":"carts-green"} "carts:0.6.0"
        Service carts: {"selector":{"app":"sockshop-selector-carts"},"ports":[{"name":"http","port":80,"targetPort":8080}]}
        DestinationRule sockshop-carts-staging-destination: {"host":"carts.sockshop-staging.svc.cluster.local","subsets":[{"name":"blue","labels":{"deployment":"carts-blue"}},{"name":"green","labels":{"deployment":"carts-green"}}]}
        Gateway sockshop-gateway: {"selector":{"istio":"ingressgateway"},"servers":[{"port":{"number":80,"name":"http","protocol":"HTTP"},"hosts":["*"]}]}
        VirtualService carts: {"http":[{"route":[{"destination":{"host":"carts.sockshop-staging.svc.cluster.local","subset":"blue"},"weight":0},{"destination":{"host":"carts.sockshop-staging.svc.cluster.local","subset":"green"},"weight":100}]}],"gateways":["sockshop-gateway","mesh"],"hosts":["carts.sockshop-staging.203.0.113.10.nip.io","carts"]}
    "#,
    );
}

#[test]
fn a_primary_and_a_canary() {
    told(
        &carts(),
        &place(Layout::PrimaryCanary),
        r#"
        Deployment carts-primary: 1 {"app":"carts-primary"} "carts:0.6.0"
        Deployment carts: 1 {"app":"carts"} "carts:0.6.0"
        Service carts: {"selector":{"app":"carts-primary"},"ports":[{"name":"http","port":80,"targetPort":8080}]}
        Service carts-canary: {"selector":{"app":"carts"},"ports":[{"name":"http","port":80,"targetPort":8080}]}
        Service carts-primary: {"selector":{"app":"carts-primary"},"ports":[{"name":"http","port":80,"targetPort":8080}]}
        DestinationRule carts-canary: {"host":"carts-canary.sockshop-staging.svc.cluster.local"}
        DestinationRule carts-primary: {"host":"carts-primary.sockshop-staging.svc.cluster.local"}
        Gateway sockshop-gateway: {"selector":{"istio":"ingressgateway"},"servers":[{"port":{"number":80,"name":"http","protocol":"HTTP"},"hosts":["*"]}]}
        VirtualService carts: {"http":[{"route":[{"destination":{"host":"carts-canary.sockshop-staging.svc.cluster.local"},"weight":0},{"destination":{"host":"carts-primary.sockshop-staging.svc.cluster.local"},"weight":100}]}],"gateways":["sockshop-gateway","mesh"],"hosts":["carts.sockshop-staging.203.0.113.10.nip.io","carts"]}
    "#,
    );
}

#[test]
fn a_direct_stage_without_an_ingress() {
    told(
        &carts(),
        &Place { domain: None, ..place(Layout::Direct) },
        r#"
        Deployment carts: 1 {"app":"sockshop-selector-carts","deployment":"carts"} "carts:0.6.0"
        Service carts: {"selector":{"app":"sockshop-selector-carts"},"ports":[{"name":"http","port":80,"targetPort":8080}]}
        VirtualService carts: {"http":[{"route":[{"destination":{"host":"carts.sockshop-staging.svc.cluster.local"}}]}],"hosts":["carts"]}
    "#,
    );
}

fn manifests(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|one| serde::Deserialize::deserialize(one).expect("YAML")).collect()
}

#[test]
fn a_manifest_keeps_what_is_its_own() {
    let all = manifests(
        "kind: Deployment\nmetadata: {name: carts, namespace: x, uid: y}\nspec:\n  replicas: 3\n  selector: {matchLabels: {app: carts}}\n  \
         template:\n    metadata: {creationTimestamp: null, labels: {app: carts, tier: shop}, annotations: {a: b, kubectl.kubernetes.io/restartedAt: z}}\n    \
         spec: {containers: [{name: proxy, image: p:1}, {name: carts, image: 'host:5000/carts:1', env: [{name: X, value: y}]}]}\n\
         ---\nkind: Service\nmetadata: {name: carts}\nspec: {type: LoadBalancer, selector: {app: carts}, ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30000}]}\n\
         ---\nkind: ConfigMap\nmetadata: {name: settings}\n",
    );
    let blueprint = Blueprint::of("carts", "carts.yaml", &all).expect("a blueprint");
    assert_eq!(
        blueprint.notes,
        [
            "the Service becomes a ClusterIP, not a LoadBalancer: the ingress gateway leads to it",
            "ConfigMap settings is not made"
        ]
    );
    assert_eq!(blueprint.image().map(|image| image.to_string()), Some("host:5000/carts:1".into()));
    let objects = blueprint.with_image(&Image::parse("carts:2").expect("an image")).objects(&place(Layout::Direct));
    assert_eq!(
        objects[0],
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "carts", "namespace": "sockshop-staging", "labels": {
                "tidegate/project": "sockshop", "tidegate/service": "carts", "app.kubernetes.io/managed-by": "tidegate",
                "app": "sockshop-selector-carts", "deployment": "carts",
            }},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "sockshop-selector-carts", "deployment": "carts"}},
                "template": {
                    "metadata": {
                        "labels": {"app": "sockshop-selector-carts", "tier": "shop", "deployment": "carts"},
                        "annotations": {"a": "b"},
                    },
                    "spec": {"containers": [
                        {"name": "proxy", "image": "p:1"},
                        {"name": "carts", "image": "carts:2", "env": [{"name": "X", "value": "y"}]},
                    ]},
                },
            },
        })
    );
    assert_eq!(objects[1]["spec"]["ports"], json!([{"name": "http", "port": 80, "targetPort": 8080}]));
}

#[test]
fn a_database_stays_what_it_is() {
    let all = manifests(
        "kind: Deployment\nmetadata: {name: carts-db}\nspec: {template: {spec: {containers: [{name: db, image: mongo, ports: [{containerPort: 27017}]}], volumes: [{persistentVolumeClaim: {claimName: x}}]}}}\n",
    );
    let blueprint = Blueprint::of("carts-db", "db.yaml", &all).expect("a blueprint");
    assert!(!blueprint.is_http() && blueprint.keeps_data());
    let kinds: Vec<Value> = blueprint.objects(&place(Layout::Direct)).iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds, ["Deployment", "Service"]);
}

#[test]
fn without_an_image_nothing_runs_yet() {
    let objects = Blueprint::plain("carts", None, 8080).with(Some(2), None).objects(&place(Layout::Direct));
    assert_eq!(objects[0]["spec"]["replicas"], 0);
    assert_eq!(objects[0]["spec"]["template"]["spec"]["containers"][0]["image"], "tidegate.invalid/none:none");
}

#[test]
fn what_is_no_service_is_refused() {
    let refused = |text: &str| Blueprint::of("carts", "x.yaml", &manifests(text)).expect_err(text).message;
    assert_eq!(refused("kind: StatefulSet\n"), "there is no Deployment in x.yaml; it has StatefulSet");
    assert_eq!(
        refused("kind: Deployment\nmetadata: {name: a}\n---\nkind: Deployment\nmetadata: {name: b}\n"),
        "none of the deployments in x.yaml is called `carts`: a, b"
    );
    assert_eq!(refused("kind: Deployment\nmetadata: {name: a}\n"), "the Deployment `a` in x.yaml has no containers");
}
