use crate::support::server::{Server, on_both};
use crate::support::*;
use serde_json::Value;
use std::path::Path;

on_both! {
    a_project_with_a_service
    what_pods_need_comes_with_them
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sockshop").join(name).to_str().expect("UTF-8").to_owned()
}

/// Deletes the project at the end of its test.
struct Project<'a>(&'a Server);

impl Drop for Project<'_> {
    fn drop(&mut self) {
        self.0.tidegate(&format!("delete project {} --yes", self.0.namespace)).run();
    }
}

fn create(server: &Server) -> Project<'_> {
    let line = format!("create project {} --shipyard {}", server.namespace, fixture("shipyard.yaml"));
    server.tidegate(&line).succeeds();
    Project(server)
}

fn a_project_with_a_service(server: &Server) {
    let _project = create(server);
    // The width of the columns is that of the namespace's name.
    let squeezed = |text: String| text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect();
    let run = |line: &str| -> String {
        squeezed(server.anonymous(&server.tidegate(&line.replace("PROJECT", &server.namespace)).run().to_string()))
    };
    let again = format!("create project PROJECT --shipyard {}", fixture("shipyard.yaml"));
    expect![[r#"
        project/NAMESPACE (no change): dev, staging, production
    "#]]
    .assert_eq(&run(&again));
    let carts = format!("onboard service carts -p PROJECT --domain example.com --deployment {}", fixture("carts.yaml"));
    let dry = run(&format!("{carts} --dry-run=server"));
    assert_eq!(dry.matches("created (server dry run)").count(), 16, "{dry}");
    assert!(dry.contains("service/carts onboarded (server dry run)"), "{dry}");
    let made = run(&carts);
    assert_eq!(made.matches(" created").count(), 16, "{made}");
    // What a server adds or writes anew is no difference.
    expect![[r#"
        STAGE OBJECT RESULT
        dev deployment.apps/carts unchanged
        dev service/carts unchanged
        dev gateway.networking.istio.io/NAMESPACE-gateway unchanged
        dev virtualservice.networking.istio.io/carts unchanged
        staging deployment.apps/carts-blue unchanged
        staging deployment.apps/carts-green unchanged
        staging service/carts unchanged
        staging destinationrule.networking.istio.io/NAMESPACE-carts-staging-destination unchanged
        staging gateway.networking.istio.io/NAMESPACE-gateway unchanged
        staging virtualservice.networking.istio.io/carts unchanged
        production deployment.apps/carts-blue unchanged
        production deployment.apps/carts-green unchanged
        production service/carts unchanged
        production destinationrule.networking.istio.io/NAMESPACE-carts-production-destination unchanged
        production gateway.networking.istio.io/NAMESPACE-gateway unchanged
        production virtualservice.networking.istio.io/carts unchanged
        service/carts onboarded (no change)
        ------- stderr -------
        dev: one deployment, http://carts.NAMESPACE-dev.example.com
        staging: blue 0, green 100, http://carts.NAMESPACE-staging.example.com
        production: blue 0, green 100, http://carts.NAMESPACE-production.example.com
    "#]]
    .assert_eq(&run(&carts));
    run(&format!("onboard service carts-db -p PROJECT --deployment-strategy=direct --deployment {}", fixture("carts-db.yaml")));
    let list = server.tidegate(&format!("get artifacts -p {} -o json", server.namespace)).succeeds();
    let list: Value = serde_json::from_str(&list.raw).expect("JSON");
    let told = |one: &Value| format!("{} {} {} {} {}", one["stage"], one["service"], one["version"], one["image"], one["weight"]);
    let told: Vec<String> = list.as_array().expect("a list").iter().map(told).collect();
    expect![[r#"
        "dev" "carts" null "docker.io/keptnexamples/carts:0.6.0" null
        "staging" "carts" "blue" "docker.io/keptnexamples/carts:0.6.0" 0
        "staging" "carts" "green" "docker.io/keptnexamples/carts:0.6.0" 100
        "production" "carts" "blue" "docker.io/keptnexamples/carts:0.6.0" 0
        "production" "carts" "green" "docker.io/keptnexamples/carts:0.6.0" 100
        "dev" "carts-db" null "mongo:4.0" null
        "staging" "carts-db" null "mongo:4.0" null
        "production" "carts-db" null "mongo:4.0" null
    "#]]
    .assert_eq(&(told.join("\n") + "\n"));
    expect![[r#"
        resource/carts.perfspec.json added
    "#]]
    .assert_eq(&run(&format!("add-resource -p PROJECT --service carts --resource {}", fixture("perfspec.json"))));
}

const NEEDY: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: store}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {region: north}
---
apiVersion: v1
kind: Secret
metadata: {name: password}
stringData: {word: plover}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: store}
spec:
  template:
    spec:
      serviceAccountName: store
      containers:
      - {name: store, image: 'store:1', ports: [{containerPort: 6379}], envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: password}}]}
      volumes: [{name: files, persistentVolumeClaim: {claimName: files}}]
";

/// And what a server adds to it or writes anew is no difference.
fn what_pods_need_comes_with_them(server: &Server) {
    let _project = create(server);
    let onboard = || {
        let line = format!("onboard service store -p {} --deployment store.yaml", server.namespace);
        let run = server.tidegate(&line);
        std::fs::write(run.home().join("store.yaml"), NEEDY).expect("a file");
        run.succeeds()
    };
    let made = onboard();
    assert_eq!(made.stdout.matches(" created").count(), 18, "{made}");
    let path = format!("/api/v1/namespaces/{}-production", server.namespace);
    assert_eq!(server.rest.get(&format!("{path}/configmaps/settings")).ok()["data"]["region"], "north");
    let claim = server.rest.get(&format!("{path}/persistentvolumeclaims/files")).ok();
    assert_eq!(claim["metadata"]["labels"]["tidegate/service"], "store");
    server.rest.get(&format!("{path}/serviceaccounts/store")).ok();
    server.rest.get(&format!("{path}/secrets/password")).ok();
    let again = onboard();
    assert!(again.stdout.ends_with("service/store onboarded (no change)\n"), "{again}");
    assert_eq!(again.stdout.matches(" unchanged").count(), 18, "{again}");
}

/// Rights by namespace are known to the real server alone.
#[test]
fn no_rights_in_production() {
    let Some(server) = Server::lab() else { return };
    let _project = create(&server);
    let name = &server.namespace;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let subjects = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}]);
    let role = |name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name});
    let rules = json!([{"apiGroups": ["", "apps", "networking.istio.io"], "resources": ["*"], "verbs": ["*"]}]);
    server.rest.post(&format!("{rbac}/clusterroles"), &json!({"metadata": {"name": name}, "rules": rules})).ok();
    let reads = json!({"metadata": {"name": name}, "roleRef": role("lab-viewer"), "subjects": subjects});
    server.rest.post(&format!("{rbac}/clusterrolebindings"), &reads).ok();
    for stage in ["dev", "staging"] {
        let delivers = json!({"metadata": {"name": name}, "roleRef": role(name), "subjects": subjects});
        server.rest.post(&format!("{rbac}/namespaces/{name}-{stage}/rolebindings"), &delivers).ok();
    }
    let line = format!("onboard service carts -p {name} --domain example.com --deployment {}", fixture("carts.yaml"));
    // The API server learns of a binding a little later than it stores it.
    let output = eventually("the first two stages are open", || {
        let output = server.tidegate(&line).arg("--as").arg(name).run();
        (!output.stderr.contains(&format!("{name}-staging"))).then_some(output)
    });
    expect![[r#"
        ------- stderr -------
        error: not enough rights in NAMESPACE-production
        caused by: NAMESPACE-production: may not create deployments, services, destinationrules, gateways, virtualservices
        hint: `tidegate help rbac` prints the rights that are needed
        [exit status: 4]
    "#]]
    .assert_eq(&server.anonymous(&output.to_string()));
    assert_eq!(server.rest.get(&format!("/apis/apps/v1/namespaces/{name}-dev/deployments")).ok()["items"], json!([]));
    server.rest.delete(&format!("{rbac}/clusterrolebindings/{name}"));
    server.rest.delete(&format!("{rbac}/clusterroles/{name}"));
}
