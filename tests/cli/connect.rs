//! Kubeconfigs, credentials, and servers that are not there.

use crate::support::stub::{Answer, Stub};
use crate::support::*;
use std::path::PathBuf;

fn written(run: &Run, text: &str) -> PathBuf {
    let path = run.home().join("config");
    std::fs::write(&path, text).expect("written");
    path
}

fn with_kubeconfig(line: &str, text: &str) -> Run {
    let run = tidegate(line);
    let path = written(&run, text);
    run.with(path)
}

#[test]
fn a_kubeconfig_that_is_missing_malformed_or_empty() {
    tidegate("status").shows(expect![[r#"
        ------- stderr -------
        error: no kubeconfig: there is no ~/.kube/config, and neither --kubeconfig nor KUBECONFIG names one
        hint: to try tidegate without a cluster: `tidegate demo`, or `tidegate sandbox run -- sh`
        [exit status: 2]
    "#]]);
    tidegate("status").with("/nowhere/config").shows(expect![[r#"
        ------- stderr -------
        error: no such kubeconfig: /nowhere/config (from KUBECONFIG)
        [exit status: 2]
    "#]]);
    tidegate("status --kubeconfig /nowhere/config").shows(expect![[r#"
        ------- stderr -------
        error: cannot read the kubeconfig /nowhere/config
        caused by: No such file or directory (os error 2)
        [exit status: 2]
    "#]]);
    with_kubeconfig("status", "{").shows(expect![[r#"
        ------- stderr -------
        error: DIR/config is not a kubeconfig
        caused by: did not find expected node content at line 2 column 1, while parsing a flow node
        [exit status: 2]
    "#]]);
    with_kubeconfig("status", "just text").shows(expect![[r#"
        ------- stderr -------
        error: DIR/config is not a kubeconfig
        caused by: invalid type: string "just text", expected struct Kubeconfig
        [exit status: 2]
    "#]]);
    with_kubeconfig("status", "").shows(expect![[r#"
        ------- stderr -------
        error: the kubeconfig has no current context
        hint: it has no contexts at all
        [exit status: 2]
    "#]]);
    with_kubeconfig("status", "apiVersion: v1\nkind: Config\n").shows(expect![[r#"
        ------- stderr -------
        error: the kubeconfig has no current context
        hint: it has no contexts at all
        [exit status: 2]
    "#]]);
    let run = tidegate("status");
    let directory = run.home().to_owned();
    run.with(directory).shows(expect![[r#"
        ------- stderr -------
        error: cannot read the kubeconfig DIR
        caused by: Is a directory (os error 21)
        [exit status: 2]
    "#]]);
}

#[test]
fn a_kubeconfig_that_names_what_it_does_not_have() {
    let text = stub::kubeconfig("https://127.0.0.1:1", "token: t");
    with_kubeconfig("status --context other", &text).shows(expect![[r#"
        ------- stderr -------
        error: the kubeconfig has no context `other`
        hint: choose one with `--context`: stub
        [exit status: 5]
    "#]]);
    with_kubeconfig("status --cluster other", &text).shows(expect![[r#"
        ------- stderr -------
        error: the kubeconfig has no cluster `other`
        [exit status: 5]
    "#]]);
    with_kubeconfig("status --user other", &text).shows(expect![[r#"
        ------- stderr -------
        error: the kubeconfig has no user `other`
        [exit status: 5]
    "#]]);
    with_kubeconfig("status", &text.replace("current-context: stub", "current-context: gone")).shows(expect![[r#"
        ------- stderr -------
        error: the kubeconfig has no context `gone`
        hint: choose one with `--context`: stub
        [exit status: 5]
    "#]]);
    with_kubeconfig("status", &text.replace("https://", "not a url ")).shows(expect![[r#"
        ------- stderr -------
        error: the context `stub` of the kubeconfig cannot be used
        caused by: its server `not a url 127.0.0.1:1` is not the URL of one
        [exit status: 2]
    "#]]);
}

#[test]
fn kubeconfigs_are_merged_as_kubectl_does() {
    let sandbox = Sandbox::new();
    let run = tidegate("status carts -o name");
    let first = written(&run, "apiVersion: v1\nkind: Config\ncurrent-context: viewer\n");
    let list = std::env::join_paths([PathBuf::from("/nowhere"), first, sandbox.kubeconfig.clone()]).expect("paths");
    run.with(PathBuf::from(list)).shows(expect![[r#"
        virtualservice.networking.istio.io/carts
    "#]]);
}

#[test]
fn a_kubeconfig_in_the_home_is_found() {
    let sandbox = Sandbox::new();
    let run = tidegate("status carts -o name");
    let directory = run.home().join(".kube");
    std::fs::create_dir(&directory).expect("made");
    let text = std::fs::read_to_string(&sandbox.kubeconfig).expect("readable");
    let authority = sandbox.kubeconfig.with_file_name("ca.crt");
    std::fs::write(directory.join("config"), text.replace("ca.crt", authority.to_str().expect("UTF-8"))).expect("written");
    run.shows(expect![[r#"
        virtualservice.networking.istio.io/carts
    "#]]);
}

#[test]
fn flags_say_where_to_connect_and_as_whom() {
    let cluster = Stub::new(|request| stub::mesh(request, "v1"));
    let url = format!("http://127.0.0.1:{}", cluster.port);
    tidegate("status -n shop -o name --token secret --server").arg(&url).shows(expect![[r#"
        virtualservice.networking.istio.io/carts
    "#]]);
    assert_eq!(cluster.requests()[0].headers["authorization"], "Bearer secret");
    tidegate("status -n shop -o name --username u --password p -s").arg(&url).shows(expect![[r#"
        virtualservice.networking.istio.io/carts
    "#]]);
    let last = cluster.requests().pop().expect("a request");
    assert_eq!(last.headers["authorization"], "Basic dTpw");
    tidegate("status -n shop -o name --username u -s").arg(&url).succeeds();
    assert_eq!(cluster.requests().pop().expect("a request").headers["authorization"], "Basic dTo=");
}

#[test]
fn a_user_without_rights_or_with_an_unknown_token() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20 --context viewer").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        Error from server (Forbidden): virtualservices.networking.istio.io "carts" is forbidden: User "viewer" cannot patch resource "virtualservices" in API group "networking.istio.io" in the namespace "sockshop-production"
        hint: `tidegate help rbac` prints the role that is needed
        [exit status: 4]
    "#]]);
    tidegate("status --token unknown").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: You must be logged in to the server (Unauthorized)
        hint: check the user of the context: `kubectl config view --minify`
        [exit status: 4]
    "#]]);
    tidegate("status --as nobody").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        warning: READY is unknown: Error from server (Forbidden): destinationrules.networking.istio.io is forbidden: User "nobody" cannot list resource "destinationrules" in API group "networking.istio.io" in the namespace "sockshop-production"
        warning: READY is unknown: Error from server (Forbidden): endpointslices.discovery.k8s.io is forbidden: User "nobody" cannot list resource "endpointslices" in API group "discovery.k8s.io" in the namespace "sockshop-production"
        Error from server (Forbidden): virtualservices.networking.istio.io is forbidden: User "nobody" cannot list resource "virtualservices" in API group "networking.istio.io" in the namespace "sockshop-production"
        hint: `tidegate help rbac` prints the role that is needed
        [exit status: 4]
    "#]]);
}

/// A kubeconfig whose user is a credential plugin: a shell script that counts its runs.
fn plugin(run: &Run, server: &str, script: &str, more: &str) -> (PathBuf, PathBuf) {
    let (program, count) = (run.home().join("plugin"), run.home().join("runs"));
    std::fs::write(&program, format!("#!/bin/sh\necho run >> {}\n{script}\n", count.display())).expect("written");
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    let user = format!(
        "exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: {}\n  interactiveMode: Never\n{more}",
        program.display()
    );
    (written(run, &stub::kubeconfig(server, &user)), count)
}

#[test]
fn a_credential_plugin_runs_once() {
    let cluster = Stub::new(|request| stub::mesh(request, "v1"));
    let answer =
        r#"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"from-plugin"}}'"#;
    let run = tidegate("shift carts --weights 80/20");
    let (kubeconfig, count) = plugin(&run, &format!("http://127.0.0.1:{}", cluster.port), answer, "");
    let run = run.with(kubeconfig);
    let mut command = run.command();
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("starts");
    let output = run::finish(child);
    assert_eq!(output.status, Some(0), "{output}");
    assert_eq!(std::fs::read_to_string(count).expect("it ran"), "run\n");
    let requests = cluster.requests();
    assert!(requests.len() > 5);
    assert!(requests.iter().all(|request| request.headers["authorization"] == "Bearer from-plugin"));
}

#[test]
fn a_credential_plugin_that_fails_or_is_missing() {
    let failing = |script: &str, more: &str| {
        let run = tidegate("status");
        let (kubeconfig, _) = plugin(&run, "http://127.0.0.1:1", script, more);
        run.with(kubeconfig).run().to_string()
    };
    expect![[r#"
        ------- stderr -------
        log in first
        error: the credential plugin `DIR/plugin` of the kubeconfig failed: it ended with exit status: 3
        [exit status: 4]
    "#]]
    .assert_eq(&failing("echo 'log in first' >&2; exit 3", ""));
    expect![[r#"
        ------- stderr -------
        error: the credential plugin `DIR/plugin` of the kubeconfig failed: its answer is not an ExecCredential
        [exit status: 4]
    "#]]
    .assert_eq(&failing("echo nonsense", ""));
    expect![[r#"
        ------- stderr -------
        error: the credential plugin `DIR/plugin` of the kubeconfig failed: its answer has no status
        [exit status: 4]
    "#]]
    .assert_eq(&failing("echo '{}'", ""));
    expect![[r#"
        ------- stderr -------
        error: the credential plugin `DIR/plugin` of the kubeconfig failed: its answer has neither a token nor a certificate
        [exit status: 4]
    "#]]
    .assert_eq(&failing(r#"echo '{"status":{}}'"#, ""));
    let user = "exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: no-such-plugin\n  installHint: |\n    Install it with `cloud install`.";
    with_kubeconfig("status", &stub::kubeconfig("http://127.0.0.1:1", user)).shows(expect![[r#"
        ------- stderr -------
        error: the credential plugin `no-such-plugin` of the kubeconfig failed: no such program
        hint: Install it with `cloud install`.
        [exit status: 4]
    "#]]);
}

#[test]
fn a_credential_plugin_that_hangs_can_be_interrupted() {
    let run = tidegate("status");
    let (kubeconfig, count) = plugin(&run, "http://127.0.0.1:1", "exec sleep 600", "");
    let run = run.with(kubeconfig);
    let child = run.command().stderr(std::process::Stdio::piped()).spawn().expect("starts");
    eventually("the plugin runs", || count.exists().then_some(()));
    interrupt(&child);
    expect![[r#"
        [exit status: 130]
    "#]]
    .assert_eq(&run::finish(child).to_string());
}

#[test]
fn nobody_listens() {
    // A port that was just free.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a port").port();
    let text = stub::kubeconfig(&format!("https://127.0.0.1:{port}"), "token: t");
    with_kubeconfig("shift carts --weights 80/20", &text).shows(expect![[r#"
        ------- stderr -------
        error: the connection to the server SERVER was refused (tried 3 times); nothing was written
        hint: is it the right host and port? `kubectl config view --minify` shows them
        [exit status: 7]
    "#]]);
    with_kubeconfig("status", &text).shows(expect![[r#"
        ------- stderr -------
        error: the connection to the server SERVER was refused (tried 3 times)
        hint: is it the right host and port? `kubectl config view --minify` shows them
        [exit status: 7]
    "#]]);
}

#[test]
fn a_name_that_nobody_has() {
    let text = stub::kubeconfig("https://tidegate.invalid:6443", "token: t");
    let output = with_kubeconfig("status", &text).run();
    assert_eq!(output.status, Some(7), "{output}");
    assert!(output.stderr.starts_with("error: cannot reach the API server tidegate.invalid:6443: "), "{output}");
}

#[test]
fn a_certificate_of_somebody_else() {
    let (one, other) = (Sandbox::empty(), Sandbox::empty());
    let authority = other.kubeconfig.with_file_name("ca.crt");
    let run = tidegate("status -n shop --certificate-authority").arg(authority.to_str().expect("UTF-8")).on(&one);
    run.shows(expect![[r#"
        ------- stderr -------
        error: cannot reach the API server SERVER: invalid peer certificate: BadSignature
        hint: the kubeconfig's `certificate-authority-data`, or `--certificate-authority FILE`, says whom to trust
        [exit status: 7]
    "#]]);
    tidegate("status -n shop --insecure-skip-tls-verify").on(&one).shows(expect![[r#"
        ------- stderr -------
        No resources found in shop namespace.
    "#]]);
    tidegate("status -n shop --tls-server-name localhost").on(&one).shows(expect![[r#"
        ------- stderr -------
        No resources found in shop namespace.
    "#]]);
    tidegate("status -n shop --tls-server-name example.com").on(&one).shows(expect![[r#"
        ------- stderr -------
        error: cannot reach the API server SERVER: invalid peer certificate: certificate not valid for name "example.com"; certificate is only valid for IpAddress(127.0.0.1) or DnsName("localhost")
        hint: the kubeconfig's `certificate-authority-data`, or `--certificate-authority FILE`, says whom to trust
        [exit status: 7]
    "#]]);
}

#[test]
fn plain_http_where_tls_is_expected() {
    let cluster = Stub::new(|request| stub::mesh(request, "v1"));
    let text = stub::kubeconfig(&format!("https://127.0.0.1:{}", cluster.port), "token: t");
    let output = with_kubeconfig("status", &text).run();
    assert_eq!(output.status, Some(7), "{output}");
}

#[test]
fn a_server_that_resets_once_is_asked_again() {
    let sandbox = Sandbox::with_faults(&["reset@get:1"]);
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    let sandbox = Sandbox::with_faults(&["reset@get"]);
    tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: cannot reach the API server SERVER: it broke off (tried 3 times); nothing was written
        [exit status: 7]
    "#]]);
    assert_eq!(sandbox.requests().lines().filter(|line| line.starts_with("GET")).count(), 3);
}

#[test]
fn a_patch_that_does_not_arrive_is_sent_again() {
    // The sandbox breaks off before it looks.
    let sandbox = Sandbox::with_faults(&["reset@patch:1"]);
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [80, 20]);
    let sandbox = Sandbox::with_faults(&["reset@patch"]);
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the API server SERVER did not answer the patch: it broke off (tried 3 times); it was not carried out
        [exit status: 7]
    "#]]);
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [100, 0]);
}

#[test]
fn a_patch_whose_answer_is_lost_is_known_to_be_done() {
    let sandbox = Sandbox::with_faults(&["lost@patch:1"]);
    let outcome = tidegate("shift carts --weights 80/20 --error-unchanged -o json").on(&sandbox).run();
    assert_eq!(outcome.status, Some(0), "{outcome}");
    assert!(outcome.stdout.contains(r#""result": "changed""#), "{outcome}");
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [80, 20]);
    // A refusal of the second try says nothing about the first.
    let sandbox = Sandbox::with_faults(&["lost@patch:1", "500@patch:2"]);
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [80, 20]);
}

#[test]
fn a_lost_answer_in_a_group_is_undone_with_the_others() {
    // Two dry runs; the first patch is carried out and its answer lost, the second is refused.
    let sandbox = Sandbox::with_faults(&["lost@patch:3", "500@patch:4"]);
    let outcome = tidegate("shift product review -n hands-on --weights old=0,new=100").on(&sandbox).run();
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("all of them stand as they did before"), "{outcome}");
    assert_eq!(sandbox.weights("hands-on", "product-vs", 1), [100, 0]);
    assert_eq!(sandbox.weights("hands-on", "review-vs", 1), [100, 0]);
}

#[test]
fn a_slow_server_is_waited_for_as_long_as_is_said() {
    let sandbox = Sandbox::with_faults(&["latency=300ms"]);
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    let sandbox = Sandbox::with_faults(&["hang@get"]);
    tidegate("status --request-timeout 300ms").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: cannot reach the API server SERVER: no answer within 0.3 s (--request-timeout)
        [exit status: 7]
    "#]]);
    tidegate("shift carts --weights 80/20 --timeout 300ms").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: not done within 0.3 s (--timeout); nothing was written
        [exit status: 124]
    "#]]);
    tidegate("shift carts --weights 80/20 --request-timeout 300ms").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: cannot reach the API server SERVER: no answer within 0.3 s (--request-timeout); nothing was written
        [exit status: 7]
    "#]]);
}

#[test]
fn a_page_of_html_is_no_api_server() {
    let sandbox = Sandbox::with_faults(&["html"]);
    tidegate("status").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: what answers is not a Kubernetes API server (destinationrules: HTTP 502: <html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>)
        hint: check the server of the context: `kubectl config view --minify`
        [exit status: 7]
    "#]]);
    tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: what answers is not a Kubernetes API server (carts: HTTP 502: <html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>)
        hint: check the server of the context: `kubectl config view --minify`
        [exit status: 7]
    "#]]);
    let login = "<!DOCTYPE html>\n<title>Sign in</title>\u{1b}[31m";
    let cluster = Stub::new(move |_| Answer::With(200, "Content-Type: text/html\r\n", login.to_owned()));
    tidegate("status").with(cluster.kubeconfig()).shows(expect![[r#"
        ------- stderr -------
        error: what answers is not a Kubernetes API server (/apis/networking.istio.io/v1/namespaces/shop/destinationrules?limit=500: HTTP 200: <!DOCTYPE html>)
        hint: check the server of the context: `kubectl config view --minify`
        [exit status: 7]
    "#]]);
    tidegate("shift carts --weights 80/20 --no-preflight").with(cluster.kubeconfig()).shows(expect![[r#"
        ------- stderr -------
        error: what answers is not a Kubernetes API server (/apis/networking.istio.io/v1/namespaces/shop/virtualservices/carts: HTTP 200: <!DOCTYPE html>)
        hint: check the server of the context: `kubectl config view --minify`
        [exit status: 7]
    "#]]);
    let cluster = Stub::new(|_| Answer::With(200, "", "not JSON".to_owned()));
    tidegate("shift carts --weights 80/20 --no-preflight").with(cluster.kubeconfig()).shows(expect![[r#"
        ------- stderr -------
        error: what answers is not a Kubernetes API server (/apis/networking.istio.io/v1/namespaces/shop/virtualservices/carts: HTTP 200: not JSON)
        hint: check the server of the context: `kubectl config view --minify`
        [exit status: 7]
    "#]]);
    let cluster = Stub::new(|_| Answer::With(200, "Content-Type: application/json\r\n", "{}".to_owned()));
    tidegate("shift carts --weights 80/20 --no-preflight").with(cluster.kubeconfig()).shows(expect![[r#"
        ------- stderr -------
        error: no route of `carts` has weights: it has no routes
        [exit status: 5]
    "#]]);
}

#[test]
fn a_patch_of_which_nothing_can_be_found_out_is_not_called_unwritten() {
    let faults = ["reset@patch", "reset@get:2", "reset@get:3", "reset@get:4"];
    let sandbox = Sandbox::with_faults(&faults);
    let outcome = tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox).run();
    assert_eq!(outcome.status, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("did not answer the patch"), "{outcome}");
    assert!(outcome.stderr.contains("it may have been carried out"), "{outcome}");
    assert!(outcome.stderr.contains("`tidegate status carts`"), "{outcome}");
    assert!(!outcome.stderr.contains("nothing was written"), "{outcome}");
}

#[test]
fn a_group_does_not_claim_to_stand_as_before_where_that_is_not_known() {
    // The five reads and two dry runs are answered; then no patch is, and no read.
    let lost = (3..=8).map(|nth| format!("lost@patch:{nth}")).chain((6..=11).map(|nth| format!("reset@get:{nth}")));
    let faults: Vec<String> = lost.collect();
    let sandbox = Sandbox::with_faults(&faults.iter().map(String::as_str).collect::<Vec<_>>());
    let outcome = tidegate("shift product review -n hands-on --weights old=0,new=100").on(&sandbox).run();
    assert_eq!(outcome.status, Some(20), "{outcome}");
    assert!(outcome.stderr.contains("what stands is not known of all of them"), "{outcome}");
    assert!(outcome.stderr.contains("`tidegate rollback product -n hands-on`"), "{outcome}");
}

#[test]
fn a_context_whose_namespace_is_no_name_asks_nobody() {
    let run = tidegate("status");
    let path = run.home().join("config");
    let text = stub::kubeconfig("http://127.0.0.1:1", "token: t").replace("namespace: shop", "namespace: a/../b");
    std::fs::write(&path, text).expect("written");
    run.with(path).shows(expect![[r#"
        ------- stderr -------
        error: the context `stub` has the namespace `a/../b`, which is not the name of one
        [exit status: 2]
    "#]]);
}
