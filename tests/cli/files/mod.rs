//! Manifests instead of a cluster: nothing but the weights' bytes changes.

mod chart;
mod git;
mod refused;
mod several;
mod versions;

use crate::support::*;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A directory with manifests, a work tree where that is wanted.
pub struct Checkout {
    place: tempfile::TempDir,
}

impl Checkout {
    /// A directory with these files.
    pub fn plain(files: &[(&str, &str)]) -> Self {
        let checkout = Self { place: directory() };
        files.iter().for_each(|(name, text)| checkout.write(name, text));
        checkout
    }

    /// The same as a work tree in which all of them are committed.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let checkout = Self::plain(files);
        checkout.git(&["init", "--quiet"]);
        checkout.git(&["add", "."]);
        checkout.git(&["commit", "--quiet", "--message=Begin"]);
        checkout
    }

    /// The path of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    /// The text of a file.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    /// Runs git, which must succeed, and gives what it said.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.place.path());
        command.env_clear().envs(identity()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = command.env("HOME", self.place.path()).output().expect("git runs");
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "git {arguments:?}: {told}");
        told
    }

    /// `tidegate` in the directory.
    pub fn tidegate(&self, line: &str) -> Run {
        identity().into_iter().fold(tidegate(line).within(self.place.path()), |run, (name, value)| run.env(name, value))
    }

    /// Has `script` run before each commit.
    pub fn hook(&self, script: &str) {
        self.hook_at("pre-commit", script);
    }

    /// Has `script` run at some point of a commit.
    pub fn hook_at(&self, point: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let name = format!(".git/hooks/{point}");
        self.write(&name, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.path(&name), fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    /// What differs from the commit, in short.
    pub fn status(&self) -> String {
        self.git(&["status", "--short"])
    }
}

/// Who commits, and when: commits get the same names in each run.
fn identity() -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("GIT_CONFIG_NOSYSTEM", "1")];
    for (name, value) in [("NAME", "alice"), ("EMAIL", "alice@example.com"), ("DATE", "2026-01-02T03:04:05Z")] {
        for role in ["AUTHOR", "COMMITTER"] {
            all.push((Box::leak(format!("GIT_{role}_{name}").into_boxed_str()), value));
        }
    }
    all
}

pub const CARTS: &str = "\
# The shop's carts.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: carts
spec:
  hosts: [carts]
  http:
  - match: [{headers: {x-group: {exact: test}}}]
    route:
    - destination: {host: carts, subset: new}
  - route:
    - destination: {host: carts, subset: old}
      weight:   100 # everything
    - {destination: {host: carts, subset: new}, weight: 0}
";

/// Like [`CARTS`], of another service.
pub fn like_carts(name: &str) -> String {
    CARTS.replace("carts", name)
}

fn diff(before: &str, after: &str) -> Vec<String> {
    let lines = before.lines().zip(after.lines()).filter(|(old, new)| old != new);
    assert_eq!(before.lines().count(), after.lines().count());
    lines.map(|(old, new)| format!("{old} | {new}")).collect()
}

#[test]
fn nothing_but_the_weights_changes() {
    let checkout = Checkout::plain(&[("k8s/carts.yaml", CARTS)]);
    checkout.tidegate("shift carts -f k8s/carts.yaml --weights 80/20 --diff").shows(expect![[r#"
        --- a/k8s/carts.yaml
        +++ b/k8s/carts.yaml
        @@ -11,5 +11,5 @@
             - destination: {host: carts, subset: new}
           - route:
             - destination: {host: carts, subset: old}
        -      weight:   100 # everything
        -    - {destination: {host: carts, subset: new}, weight: 0}
        +      weight:   80 # everything
        +    - {destination: {host: carts, subset: new}, weight: 20}
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (k8s/carts.yaml)
    "#]]);
    expect![[r#"
        [
            "      weight:   100 # everything |       weight:   80 # everything",
            "    - {destination: {host: carts, subset: new}, weight: 0} |     - {destination: {host: carts, subset: new}, weight: 20}",
        ]
    "#]].assert_debug_eq(&diff(CARTS, &checkout.text("k8s/carts.yaml")));
    checkout.tidegate("shift carts -f k8s --weights old=80,new=20").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted (no change): old 80, new 20  (k8s/carts.yaml)
    "#]]);
    checkout.tidegate("shift carts -f k8s --weights old=80,new=20 --error-unchanged").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted (no change): old 80, new 20  (k8s/carts.yaml)
        ------- stderr -------
        error: nothing to change (--error-unchanged)
        [exit status: 3]
    "#]]);
    checkout.tidegate("status -f k8s").shows(expect![[r#"
        NAME   ROUTE    DESTINATION  WEIGHT   SHARE  FILE
        carts  http[0]  new          <unset>  100%   k8s/carts.yaml
        carts  http[1]  old          80       80%    k8s/carts.yaml
        carts  http[1]  new          20       20%    k8s/carts.yaml
        ------- stderr -------
        1 service
    "#]]);
    checkout.tidegate("shift carts -f k8s --weights 100/0").succeeds();
    assert_eq!(checkout.text("k8s/carts.yaml"), CARTS);
}

#[test]
fn no_cluster_is_asked_and_no_kubeconfig_read() {
    let checkout = Checkout::plain(&[("carts.yaml", CARTS), ("broken", "{")]);
    let output = checkout.tidegate("promote carts -f carts.yaml").env("KUBECONFIG", checkout.path("broken")).succeeds();
    expect![[r#"
        virtualservice.networking.istio.io/carts promoted: old 100 -> 0, new 0 -> 100  (carts.yaml)
    "#]]
    .assert_eq(&output.to_string());
    checkout.tidegate("status carts -f carts.yaml -o json").env("KUBECONFIG", checkout.path("broken")).succeeds();
}

#[test]
fn line_ends_mark_mode_and_links_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let windows = format!("\u{feff}{}", CARTS.replace('\n', "\r\n"));
    let checkout = Checkout::plain(&[("real/carts.yaml", &windows)]);
    fs::set_permissions(checkout.path("real/carts.yaml"), fs::Permissions::from_mode(0o640)).expect("a mode");
    std::os::unix::fs::symlink("real/carts.yaml", checkout.path("carts.yaml")).expect("a link");
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (carts.yaml)
    "#]]);
    let wanted = windows.replace("weight:   100", "weight:   80").replace("weight: 0", "weight: 20");
    assert_eq!(checkout.text("real/carts.yaml"), wanted);
    assert!(fs::symlink_metadata(checkout.path("carts.yaml")).expect("a link").is_symlink());
    let mode = fs::metadata(checkout.path("real/carts.yaml")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // Nothing is left beside it.
    assert_eq!(fs::read_dir(checkout.path("real")).expect("a directory").count(), 1);
}

#[test]
fn what_comes_in_goes_out() {
    let run = |line: &str| tidegate(line).stdin(CARTS);
    let output = run("shift carts -f - --weights 80/20").succeeds();
    assert_eq!(diff(CARTS, &output.raw).len(), 2);
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (standard input)
    "#]]
    .assert_eq(&output.stderr);
    let output = run("shift carts -f - --weights 100/0 --error-unchanged").run();
    assert_eq!((output.raw.as_str(), output.status), (CARTS, Some(3)));
    run("shift carts -f - --weights 80/20 --dry-run").shows(expect![[r#"
        standard input
          carts  http[1]  old 100 -> 80   new 0 -> 20
                 http[0]  untouched: x-group: test -> new
        virtualservice.networking.istio.io/carts shifted (dry run): old 100 -> 80, new 0 -> 20  (standard input)
    "#]]);
    run("shift orders -f - --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `orders` in standard input
        hint: there are: carts
        [exit status: 5]
    "#]]);
    run("shift carts -f - --weights 80/20 -o json").shows(expect![[r#"
        ------- stderr -------
        error: with `-f -` the answer is the edited text
        hint: `-o` goes with `--dry-run`
        [exit status: 2]
    "#]]);
    run("rollback carts -f -").shows(expect![[r#"
        ------- stderr -------
        error: no earlier state of `carts` is known: what comes in has no history
        hint: name the destination that is to serve: `tidegate rollback carts -f - --to NAME`
        [exit status: 5]
    "#]]);
    run("rollback carts -f - --to new --quiet").succeeds();
    run("status -f -").shows(expect![[r#"
        NAME   ROUTE    DESTINATION  WEIGHT   SHARE  FILE
        carts  http[0]  new          <unset>  100%   standard input
        carts  http[1]  old          100      100%   standard input
        carts  http[1]  new          0        0%     standard input
        ------- stderr -------
        1 service
    "#]]);
}

#[test]
fn a_dry_run_writes_nothing() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    // It minds no change that is not committed.
    checkout.write("carts.yaml", &format!("{CARTS}# later\n"));
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20 --dry-run").shows(expect![[r#"
        carts.yaml
          carts  http[1]  old 100 -> 80   new 0 -> 20
                 http[0]  untouched: x-group: test -> new
        virtualservice.networking.istio.io/carts shifted (dry run): old 100 -> 80, new 0 -> 20  (carts.yaml)
    "#]]);
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20 --dry-run -o json").shows(expect![[r#"
        [
          {
            "object": "virtualservice.networking.istio.io/carts",
            "namespace": "",
            "file": "carts.yaml",
            "patch": [
              {
                "op": "replace",
                "path": "/spec/http/1/route/0/weight",
                "value": 80
              },
              {
                "op": "replace",
                "path": "/spec/http/1/route/1/weight",
                "value": 20
              }
            ]
          }
        ]
    "#]]);
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20 --dry-run=server").shows(expect![[r#"
        ------- stderr -------
        error: --dry-run=server asks a cluster, and -f asks none
        hint: did you mean `--dry-run=client`?
        [exit status: 2]
    "#]]);
    assert_eq!(checkout.text("carts.yaml"), format!("{CARTS}# later\n"));
}

#[test]
fn machines_are_told_the_file() {
    let checkout = Checkout::plain(&[("carts.yaml", CARTS)]);
    checkout.tidegate("shift carts -f ./carts.yaml --weights 80/20 -o json").shows(expect![[r#"
        [
          {
            "object": "virtualservice.networking.istio.io/carts",
            "namespace": "",
            "name": "carts",
            "file": "carts.yaml",
            "result": "changed",
            "routes": [
              {
                "route": "http[1]",
                "destinations": [
                  {
                    "name": "old",
                    "before": 100,
                    "after": 80
                  },
                  {
                    "name": "new",
                    "before": 0,
                    "after": 20
                  }
                ]
              }
            ]
          }
        ]
    "#]]);
    checkout.tidegate("status -f carts.yaml -o yaml").shows(expect![[r#"
        - namespace: ''
          name: carts
          file: carts.yaml
          hosts:
          - carts
          routes:
          - route: http[0]
            only: 'x-group: test'
            reachable: true
            drifted: false
            destinations:
            - name: new
              host: carts
              subset: new
              share: 1.0
          - route: http[1]
            reachable: true
            drifted: false
            destinations:
            - name: old
              host: carts
              subset: old
              weight: 80
              share: 0.8
            - name: new
              host: carts
              subset: new
              weight: 20
              share: 0.2
    "#]]);
    checkout.tidegate("status -f carts.yaml -o wide").shows(expect![[r#"
        NAME   ROUTE    DESTINATION  WEIGHT   SHARE  FILE        HOST   ROUTE-NAME  ONLY
        carts  http[0]  new          <unset>  100%   carts.yaml  carts  <none>      x-group: test
        carts  http[1]  old          80       80%    carts.yaml  carts  <none>      <none>
        carts  http[1]  new          20       20%    carts.yaml  carts  <none>      <none>
        ------- stderr -------
        1 service
    "#]]);
}

#[test]
fn records_of_a_cluster_mean_nothing_in_a_file() {
    let release = "  annotations: {tidegate/release: '{\"phase\": \"progressing\"}', tidegate/history: '[]', a: b}\n";
    let text = CARTS.replace("  name: carts\n", &format!("  name: carts\n{release}"));
    let checkout = Checkout::plain(&[("carts.yaml", &text)]);
    checkout.tidegate("promote carts -f carts.yaml").shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted: old 100 -> 0, new 0 -> 100  (carts.yaml)
    "#]]);
    assert!(checkout.text("carts.yaml").contains(release));
    checkout.tidegate("rollback carts -f carts.yaml").shows(expect![[r#"
        ------- stderr -------
        error: no earlier state of `carts` is known: carts.yaml is in no Git work tree
        hint: name the destination that is to serve: `tidegate rollback carts -f carts.yaml --to NAME`
        [exit status: 5]
    "#]]);
}

#[test]
fn names_with_blanks_and_odd_bytes() {
    use std::os::unix::ffi::OsStrExt as _;
    let checkout = Checkout::new(&[("a b/c's.yaml", CARTS)]);
    let shift = || checkout.tidegate("shift carts --weights 80/20 --commit -f").arg("a b/c's.yaml");
    shift().shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (a b/c's.yaml)
        ------- stderr -------
        committed 508bf95: Shift carts to old 80, new 20
    "#]]);
    checkout.tidegate("rollback carts --commit -f").arg("a b").succeeds();
    assert_eq!(checkout.text("a b/c's.yaml"), CARTS);
    let odd = checkout.path("").join(std::ffi::OsStr::from_bytes(b"odd/\xff.yaml"));
    fs::create_dir(checkout.path("odd")).expect("a directory");
    fs::write(&odd, CARTS).expect("a file");
    checkout.git(&["add", "."]);
    checkout.git(&["commit", "--quiet", "--message=Odd"]);
    checkout.tidegate("shift carts -f odd --weights 80/20 --commit").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (odd/�.yaml)
        ------- stderr -------
        committed 76f3adc: Shift carts to old 80, new 20
    "#]]);
    assert_eq!(checkout.status(), "");
}
