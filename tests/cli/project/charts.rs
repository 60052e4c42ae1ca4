//! Services from a chart.

use super::*;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

/// A `helm` that does this, and keeps what it was asked.
pub struct Helm(tempfile::TempDir);

impl Helm {
    /// That prints the manifest of the database, whatever the chart.
    pub fn of_the_database() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sockshop/carts-db.yaml");
        Self::that(&format!("cat {}", manifest.display()))
    }

    /// That runs these lines of the shell where it renders, and has no values to show.
    fn that(renders: &str) -> Self {
        Self::with_values("", renders)
    }

    fn with_values(values: &str, renders: &str) -> Self {
        let place = directory();
        let helm = place.path().join("helm");
        let asked = place.path().join("asked");
        let shows = format!("if [ $1 = show ]; then echo '{values}'; exit; fi");
        fs::write(&helm, format!("#!/bin/sh\n{shows}\necho \"$@\" >> {}\n{renders}\n", asked.display())).expect("written");
        fs::set_permissions(&helm, fs::Permissions::from_mode(0o755)).expect("executable");
        Self(place)
    }

    /// The first rendering that it was asked for.
    fn asked(&self) -> String {
        let asked = fs::read_to_string(self.0.path().join("asked")).expect("asked");
        asked.lines().next().unwrap_or_default().to_owned()
    }

    /// With this `helm`, and an empty chart.
    pub fn renders(&self, run: Run) -> Run {
        fs::create_dir(run.home().join("carts-db")).expect("made");
        run.env("PATH", format!("{}:/bin:/usr/bin", self.0.path().display()))
    }
}

#[test]
fn charts_need_helm() {
    let sandbox = project();
    let run = shop("onboard service carts-db -p sockshop --chart carts-db").env("PATH", "/nowhere");
    fs::create_dir(run.home().join("carts-db")).expect("made");
    run.on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: helm cannot be run: it renders charts
        caused by: no such file or directory
        hint: install helm 3, or render the chart elsewhere and give what comes out: `--deployment FILE`
        [exit status: 2]
    "#]]);
    shop("onboard service carts -p sockshop --chart nothing").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: there is no chart nothing
        [exit status: 2]
    "#]]);
    let why =
        "Error: execution error at (carts/templates/x.yaml:1:3): no region is set\n\nUse --debug flag to render out invalid YAML";
    let helm = Helm::that(&format!("echo '{why}' >&2; exit 1"));
    writes_nothing(
        &sandbox,
        helm.renders(shop("onboard service carts-db -p sockshop --chart carts-db")),
        &expect![[r#"
            ------- stderr -------
            error: helm cannot render carts-db
            caused by: execution error at (carts/templates/x.yaml:1:3): no region is set
            [exit status: 2]
        "#]],
    );
}

#[test]
fn helm_is_told_the_stage_and_the_image() {
    let sandbox = project();
    let values = "--set keptn.project=sockshop,keptn.stage=dev,keptn.service=carts-db";
    let render = "template carts-db ./carts-db --namespace sockshop-dev --include-crds --skip-tests";
    let line = "onboard service carts-db -p sockshop --chart carts-db -o name";
    for (own, image, expected) in [
        ("", "", format!("{render} {values}")),
        ("image: mongo:4.0", " --image mongo:4.2", format!("{render} --set-string image=mongo:4.2 {values}")),
        (
            "image: {repository: mongo}",
            " --image mongo:4.2",
            format!("{render} --set-string image.repository=mongo,image.tag=4.2 {values}"),
        ),
    ] {
        let helm = Helm::with_values(own, &format!("cat {}/fixtures/sockshop/carts-db.yaml", env!("CARGO_MANIFEST_DIR")));
        helm.renders(shop(&format!("{line}{image}"))).on(&sandbox).succeeds();
        assert_eq!(helm.asked(), expected);
    }
    // A chart with a schema may know no values of keptn's.
    let fails = "case \"$*\" in *keptn*) echo \"- at '': additional properties 'keptn' not allowed\" >&2; exit 1;; esac";
    let helm = Helm::that(&format!("{fails}\ncat {}/fixtures/sockshop/carts-db.yaml", env!("CARGO_MANIFEST_DIR")));
    helm.renders(shop(line)).on(&sandbox).succeeds();
}

/// What is in a chart beside a deployment and its service.
const RICH: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: carts, labels: {app.kubernetes.io/managed-by: Helm}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {region: north}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: carts}
spec:
  template:
    spec:
      serviceAccountName: carts
      containers:
      - name: carts
        image: carts:0.6.0
        ports: [{containerPort: 8080}]
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: password}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}
";

#[test]
fn what_the_pods_need_comes_with_them_and_the_rest_is_named() {
    let sandbox = project();
    let helm = Helm::that(&format!("cat <<'END'{RICH}END"));
    let line = "onboard service carts -p sockshop --chart carts-db --deployment-strategy direct";
    let output = helm.renders(shop(line)).on(&sandbox).succeeds();
    let said: Vec<&str> = output.stderr.lines().filter_map(|line| line.strip_prefix("warning: ")).collect();
    assert_eq!(
        said,
        [
            "ConfigMap notes is not made",
            "Deployment worker is not made",
            "Job migrate is a hook of helm's, and is not run",
            "the pods need Secret password, which is not in carts-db",
        ]
    );
    for namespace in ["sockshop-dev", "sockshop-production"] {
        let account = sandbox.rest.get(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/carts")).ok();
        assert_eq!(account["metadata"]["labels"]["app.kubernetes.io/managed-by"], "tidegate");
        let settings = sandbox.rest.get(&format!("/api/v1/namespaces/{namespace}/configmaps/settings")).ok();
        assert_eq!(settings["data"]["region"], "north");
    }
    let again = helm.renders(shop(line)).on(&sandbox).succeeds();
    assert!(again.stdout.ends_with("service/carts onboarded (no change)\n"), "{again}");
}

#[test]
fn a_chart_as_helm_creates_it() {
    let work = directory();
    let created = Command::new("helm").args(["create", "carts"]).current_dir(work.path()).env("HOME", work.path()).output();
    if !created.is_ok_and(|output| output.status.success()) {
        // Straight to stderr: the test framework would swallow what the macros print.
        writeln!(std::io::stderr(), "a chart of a real helm is skipped: helm is not there").expect("stderr");
        return;
    }
    let sandbox = project();
    let line = format!("onboard service carts -p sockshop --chart {}/carts --image carts:0.6.0", work.path().display());
    let path = std::env::var("PATH").expect("a PATH");
    let run = || shop(&line).env("PATH", path.clone());
    let output = run().on(&sandbox).succeeds();
    assert!(!output.stderr.contains("warning:"), "{output}");
    sandbox.rest.get("/api/v1/namespaces/sockshop-production/serviceaccounts/carts").ok();
    let blue = sandbox.rest.get("/apis/apps/v1/namespaces/sockshop-production/deployments/carts-blue").ok();
    assert_eq!(blue["spec"]["template"]["spec"]["containers"][0]["image"], "carts:0.6.0");
    assert_eq!(blue["spec"]["template"]["spec"]["serviceAccountName"], "carts");
    let again = run().on(&sandbox).succeeds();
    assert!(again.stdout.ends_with("service/carts onboarded (no change)\n"), "{again}");
}
