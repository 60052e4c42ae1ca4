//! Questions, and namespaces that ask for care.

use crate::support::*;

const NS: &str = "sockshop-production";

fn protect(sandbox: &Sandbox) {
    let label = json!({"metadata": {"labels": {"tidegate/protected": "true"}}});
    sandbox.rest.merge(&format!("/api/v1/namespaces/{NS}"), &label).ok();
}

#[test]
fn without_a_terminal_a_protected_namespace_needs_yes() {
    let sandbox = Sandbox::new();
    protect(&sandbox);
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: namespace sockshop-production is protected: --yes required when not running interactively
        hint: run it again with `--yes`
        [exit status: 2]
    "#]]);
    tidegate("promote carts --to green").on(&sandbox).stdin("y\n").shows(expect![[r#"
        ------- stderr -------
        error: namespace sockshop-production is protected: --yes required when not running interactively
        hint: run it again with `--yes`
        [exit status: 2]
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 0), [100, 0]);
    tidegate("shift carts --weights 80/20 --yes").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    // What changes nothing, or nothing yet, needs no consent.
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted (no change): blue 80, green 20
    "#]]);
    tidegate("shift carts --weights 70/30 --dry-run=server").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted (server dry run): blue 80 -> 70, green 20 -> 30
    "#]]);
    // The way back asks the object alone, and so nobody.
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 80 -> 100, green 20 -> 0
    "#]]);
}

#[test]
fn a_label_that_says_false_protects_nothing() {
    let sandbox = Sandbox::new();
    let label = json!({"metadata": {"labels": {"tidegate/protected": "false"}}});
    sandbox.rest.merge(&format!("/api/v1/namespaces/{NS}"), &label).ok();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
}

#[test]
fn the_projects_file_protects_namespaces() {
    let sandbox = Sandbox::new();
    let run = |line: &str| {
        let run = tidegate(line).on(&sandbox);
        std::fs::write(run.home().join("tidegate.yaml"), format!("protected-namespaces: [{NS}]\n")).expect("written");
        run
    };
    run("shift carts --weights 80/20 --no-preflight").shows(expect![[r#"
        ------- stderr -------
        error: namespace sockshop-production is protected: --yes required when not running interactively
        hint: run it again with `--yes`
        [exit status: 2]
    "#]]);
    run("rollback carts --to green").shows(expect![[r#"
        ------- stderr -------
        error: namespace sockshop-production is protected: --yes required when not running interactively
        hint: run it again with `--yes`
        [exit status: 2]
    "#]]);
    run("rollback carts --to green --yes").shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 100 -> 0, green 0 -> 100
    "#]]);
}

#[test]
fn a_delegates_namespace_counts_too() {
    let sandbox = Sandbox::new();
    protect(&sandbox);
    let spec =
        json!({"hosts": ["e.example.com"], "gateways": ["edge"], "http": [{"delegate": {"name": "carts", "namespace": NS}}]});
    let object =
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "edge"}, "spec": spec});
    sandbox.rest.post("/apis/networking.istio.io/v1/namespaces/hands-on/virtualservices", &object).ok();
    tidegate("shift edge -n hands-on --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: namespace sockshop-production is protected: --yes required when not running interactively
        hint: run it again with `--yes`
        [exit status: 2]
    "#]]);
}

#[test]
fn who_may_not_read_the_namespace_is_careful() {
    let cluster = stub::Stub::new(|request| match request.target.as_str() {
        "/api/v1/namespaces/shop?resourceVersion=0" => stub::status(403, "Forbidden", "namespaces \"shop\" is forbidden"),
        _ => stub::mesh(request, "v1"),
    });
    tidegate("shift carts --weights 80/20").with(cluster.kubeconfig()).shows(expect![[r#"
        ------- stderr -------
        error: whether namespace shop is protected cannot be read (Error from server (Forbidden): namespaces "shop" is forbidden): --yes required when not running interactively
        hint: run it again with `--yes`
        [exit status: 2]
    "#]]);
    assert!(!cluster.log().contains("PATCH"), "{}", cluster.log());
    tidegate("shift carts --weights 80/20 --yes").with(cluster.kubeconfig()).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
}

#[test]
fn a_plain_shift_asks_nothing_on_a_terminal() {
    let sandbox = Sandbox::new();
    let terminal = tidegate("shift carts --weights 80/20").on(&sandbox).on_a_terminal();
    let (screen, status) = terminal.end();
    assert_eq!(status, Some(0), "{screen}");
    expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
        hint: `tidegate rollback carts` puts blue 100, green 0 back
    "#]]
    .assert_eq(&pty::plain(&screen));
}

#[test]
fn promote_shows_the_plan_and_asks() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    // No is the default.
    let mut terminal = tidegate("promote carts").on(&sandbox).on_a_terminal();
    terminal.await_text("[y/N]");
    terminal.press("\n");
    let (screen, status) = terminal.end();
    assert_eq!(status, Some(1), "{screen}");
    expect![[r#"
        context sandbox, namespace sockshop-production
          carts  http[0]  blue 80 -> 0   green 20 -> 100   green: 2 of 2 pods ready
        Promote carts? [y/N] 
        error: not confirmed; nothing was written
    "#]]
    .assert_eq(&pty::plain(&screen));
    assert_eq!(sandbox.weights(NS, "carts", 0), [80, 20]);

    let mut terminal = tidegate("promote carts").on(&sandbox).on_a_terminal();
    terminal.await_text("[y/N]");
    terminal.press("y\n");
    let (screen, status) = terminal.end();
    assert_eq!(status, Some(0), "{screen}");
    expect![[r#"
        context sandbox, namespace sockshop-production
          carts  http[0]  blue 80 -> 0   green 20 -> 100   green: 2 of 2 pods ready
        Promote carts? [y/N] y
        virtualservice.networking.istio.io/carts promoted: blue 80 -> 0, green 20 -> 100
        hint: `tidegate rollback carts` puts blue 100, green 0 back
    "#]]
    .assert_eq(&pty::plain(&screen));
    assert_eq!(sandbox.weights(NS, "carts", 0), [0, 100]);
}

#[test]
fn several_services_ask_once() {
    let sandbox = Sandbox::new();
    let mut terminal = tidegate("shift product review -n hands-on --weights old=50,new=50").on(&sandbox).on_a_terminal();
    terminal.await_text("[y/N]");
    terminal.press("yes\n");
    let (screen, status) = terminal.end();
    assert_eq!(status, Some(0), "{screen}");
    expect![[r#"
        context sandbox, namespace hands-on
          product-vs  http[1]  old 100 -> 50   new 0 -> 50   new: 1 of 1 pods ready
                      http[0]  untouched: X-group: test -> new
          review-vs   http[1]  old 100 -> 50   new 0 -> 50   new: 1 of 1 pods ready
                      http[0]  untouched: X-group: test -> new
        Shift 2 services? [y/N] yes
        virtualservice.networking.istio.io/product-vs  shifted: old 100 -> 50, new 0 -> 50
        virtualservice.networking.istio.io/review-vs   shifted: old 100 -> 50, new 0 -> 50
        hint: `tidegate rollback product review -n hands-on` puts all of them back
    "#]]
    .assert_eq(&pty::plain(&screen));
}

#[test]
fn yes_answers_and_no_input_never_asks() {
    let sandbox = Sandbox::new();
    let (screen, status) = tidegate("promote carts --yes").on(&sandbox).on_a_terminal().end();
    assert_eq!(status, Some(0), "{screen}");
    assert!(!screen.contains("[y/N]"), "{screen}");
    // Where nobody may be asked, it is as if there were no terminal.
    let (screen, status) = tidegate("promote carts --to blue --no-input").on(&sandbox).on_a_terminal().end();
    assert_eq!(status, Some(0), "{screen}");
    protect(&sandbox);
    let (screen, status) = tidegate("promote carts --to green --no-input").on(&sandbox).on_a_terminal().end();
    assert_eq!(status, Some(2), "{screen}");
    expect![[r#"
        error: namespace sockshop-production is protected: --yes required when not running interactively
        hint: run it again with `--yes`
    "#]]
    .assert_eq(&pty::plain(&screen));
}

#[test]
fn a_protected_namespace_asks_for_a_plain_shift_too() {
    let sandbox = Sandbox::new();
    protect(&sandbox);
    let mut terminal = tidegate("shift carts --weights 80/20").on(&sandbox).on_a_terminal();
    terminal.await_text("[y/N]");
    terminal.press("n\n");
    let (screen, status) = terminal.end();
    assert_eq!(status, Some(1), "{screen}");
    expect![[r#"
        context sandbox, namespace sockshop-production (protected)
          carts  http[0]  blue 100 -> 80   green 0 -> 20   green: 2 of 2 pods ready
        Shift carts? [y/N] n
        error: not confirmed; nothing was written
    "#]]
    .assert_eq(&pty::plain(&screen));
}

#[test]
fn the_question_names_what_changes() {
    let sandbox = Sandbox::new();
    tidegate("promote product-vs -n hands-on --yes").on(&sandbox).succeeds();
    let mut terminal = tidegate("promote product-vs review-vs -n hands-on --to new").on(&sandbox).on_a_terminal();
    terminal.await_text("[y/N]");
    terminal.press("n\n");
    let (screen, _) = terminal.end();
    assert!(screen.contains("Promote review-vs? [y/N]"), "{screen}");
}
