//! Ctrl-C at every stage: it ends at once, with 130, and says what stands.

use crate::support::stub::{Answer, Stub};
use crate::support::*;
use std::process::{Child, Stdio};

const NS: &str = "sockshop-production";

fn started(run: &Run) -> Child {
    run.command().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
}

#[test]
fn while_the_connection_opens() {
    // It takes the connection and never says a word of TLS.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let run = tidegate("shift carts --weights 80/20");
    let path = run.home().join("config");
    std::fs::write(&path, stub::kubeconfig(&format!("https://127.0.0.1:{port}"), "token: t")).expect("written");
    let run = run.with(path);
    let child = started(&run);
    let _open = listener.accept().expect("it connects");
    interrupt(&child);
    expect![[r#"
        ------- stderr -------
        error: interrupted; nothing was written
        [exit status: 130]
    "#]]
    .assert_eq(&run::finish(child).to_string());
}

#[test]
fn while_it_reads() {
    let cluster = Stub::new(|_| Answer::Hang);
    let run = tidegate("shift carts --weights 80/20").with(cluster.kubeconfig());
    let child = started(&run);
    eventually("it asks", || (!cluster.requests().is_empty()).then_some(()));
    interrupt(&child);
    expect![[r#"
        ------- stderr -------
        error: interrupted; nothing was written
        [exit status: 130]
    "#]]
    .assert_eq(&run::finish(child).to_string());
}

#[test]
fn while_it_patches() {
    let cluster = Stub::new(|request| match request.method.as_str() {
        "PATCH" => Answer::Hang,
        _ => stub::mesh(request, "v1"),
    });
    let run = tidegate("shift carts --weights 80/20").with(cluster.kubeconfig());
    let child = started(&run);
    eventually("it patches", || cluster.log().contains("PATCH").then_some(()));
    interrupt(&child);
    expect![[r#"
        ------- stderr -------
        error: interrupted; carts may have been changed: the patch was sent and its answer not seen
        hint: look: `tidegate status vs/carts -n shop`; undo: `tidegate rollback vs/carts -n shop`
        [exit status: 130]
    "#]]
    .assert_eq(&run::finish(child).to_string());
}

#[test]
fn while_a_group_is_written() {
    // Two dry runs, one write that is answered, one that is not.
    let sandbox = Sandbox::with_faults(&["hang@patch:4"]);
    let run = tidegate("shift product review -n hands-on --weights old=0,new=100").on(&sandbox);
    let child = started(&run);
    eventually("one is written", || sandbox.requests().contains("fieldManager=tidegate 200").then_some(()));
    // And its answer has come: nothing tells from outside, but the other one is under way as well.
    eventually("both were sent", || (patched(&sandbox) >= 1).then_some(()));
    interrupt(&child);
    let output = run::finish(child);
    assert_eq!(output.status, Some(130), "{output}");
    assert!(output.stderr.contains("may have been changed: the patch was sent and its answer not seen"), "{output}");
    assert!(output.stderr.contains("hint: look: `tidegate status vs/"), "{output}");
}

fn patched(sandbox: &Sandbox) -> usize {
    ["product-vs", "review-vs"].iter().filter(|name| sandbox.weights("hands-on", name, 1)[1] == 100).count()
}

#[test]
fn at_the_question() {
    let sandbox = Sandbox::new();
    let mut terminal = tidegate("promote carts").on(&sandbox).on_a_terminal();
    terminal.await_text("[y/N]");
    terminal.press("\u{3}");
    let (screen, status) = terminal.end();
    assert_eq!(status, Some(130), "{screen}");
    expect![[r#"
        context sandbox, namespace sockshop-production
          carts  http[0]  blue 100 -> 0   green 0 -> 100   green: 2 of 2 pods ready
        Promote carts? [y/N] ^C
        error: interrupted; nothing was written
    "#]]
    .assert_eq(&pty::plain(&screen));
    assert_eq!(sandbox.weights(NS, "carts", 0), [100, 0]);
}

#[test]
fn a_dry_run_has_nothing_to_undo() {
    let sandbox = Sandbox::with_faults(&["hang@patch"]);
    let run = tidegate("shift product review -n hands-on --weights old=0,new=100").on(&sandbox);
    let child = started(&run);
    eventually("it has read", || sandbox.requests().contains("endpointslices").then_some(()));
    eventually("it has read the pods", || sandbox.requests().contains("pods").then_some(()));
    interrupt(&child);
    expect![[r#"
        ------- stderr -------
        error: interrupted; nothing was written
        [exit status: 130]
    "#]]
    .assert_eq(&run::finish(child).to_string());
}

#[test]
fn while_it_waits_for_a_webhook() {
    let cluster = Stub::new(|request| match request.method.as_str() {
        "PATCH" => stub::status(
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"validation.istio.io\": failed to call webhook: no",
        ),
        _ => stub::mesh(request, "v1"),
    });
    let run = tidegate("rollback carts --to green").with(cluster.kubeconfig());
    let child = started(&run);
    eventually("it was refused", || cluster.log().contains("PATCH").then_some(()));
    interrupt(&child);
    let output = run::finish(child);
    assert_eq!(output.status, Some(130), "{output}");
    assert!(output.stderr.ends_with("error: interrupted; nothing was written\n"), "{output}");
}

#[test]
fn a_request_to_end_is_an_interruption_too() {
    let cluster = Stub::new(|_| Answer::Hang);
    let run = tidegate("status").with(cluster.kubeconfig());
    let child = started(&run);
    eventually("it asks", || (!cluster.requests().is_empty()).then_some(()));
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    expect![[r#"
        [exit status: 130]
    "#]]
    .assert_eq(&run::finish(child).to_string());
}

#[test]
fn while_a_project_is_made() {
    let sandbox = Sandbox::with_faults(&["latency=400ms"]);
    let run = tidegate("create project shop --shipyard shipyard.yaml").on(&sandbox);
    let shipyard = "stages:\n- {name: dev, deployment_strategy: direct}\n- {name: production, deployment_strategy: direct}\n";
    std::fs::write(run.home().join("shipyard.yaml"), shipyard).expect("a file");
    let child = started(&run);
    eventually("a namespace is made", || sandbox.requests().contains("POST /api/v1/namespaces?").then_some(()));
    interrupt(&child);
    let output = run::finish(child);
    assert_eq!(output.status, Some(130), "{output}");
    assert!(output.stderr.contains("error: interrupted; what was done stays, and the same command goes on\n"), "{output}");
    let again = tidegate("create project shop --shipyard shipyard.yaml").on(&sandbox);
    std::fs::write(again.home().join("shipyard.yaml"), shipyard).expect("a file");
    let output = again.succeeds();
    assert!(output.stdout.contains("dev, production"), "{output}");
}
