//! Flag, then environment, then the project's file, then the user's file, then the default: a test for each neighbouring pair.

use crate::support::*;

const NAMESPACES: [&str; 4] = ["sockshop-production", "sockshop-staging", "sockshop-dev", "hands-on"];

/// Runs `status -o json` and says in which namespace it looked.
fn namespace_of(run: Run) -> String {
    let output = run.succeeds();
    let found: serde_json::Value = serde_json::from_str(&output.raw).expect("JSON");
    let namespace = found[0]["namespace"].as_str().expect("a service").to_owned();
    assert!(NAMESPACES.contains(&namespace.as_str()), "{namespace}");
    namespace
}

fn project(run: &Run, text: &str) {
    std::fs::write(run.home().join("tidegate.yaml"), text).expect("written");
}

fn user(run: &Run, text: &str) {
    let directory = run.home().join(".config/tidegate");
    std::fs::create_dir_all(&directory).expect("made");
    std::fs::write(directory.join("config.yaml"), text).expect("written");
}

#[test]
fn the_flag_beats_the_environment() {
    let sandbox = Sandbox::new();
    let run = tidegate("status -o json -n hands-on").on(&sandbox).env("TIDEGATE_NAMESPACE", "sockshop-dev");
    assert_eq!(namespace_of(run), "hands-on");
    let run = tidegate("-n hands-on status -o json").on(&sandbox);
    assert_eq!(namespace_of(run), "hands-on");
    // Of two flags the last one counts.
    assert_eq!(namespace_of(tidegate("status -n sockshop-dev -n hands-on -o json").on(&sandbox)), "hands-on");
}

#[test]
fn the_environment_beats_the_projects_file() {
    let sandbox = Sandbox::new();
    let run = tidegate("status -o json").on(&sandbox).env("TIDEGATE_NAMESPACE", "sockshop-dev");
    project(&run, "namespace: hands-on\n");
    assert_eq!(namespace_of(run), "sockshop-dev");
}

#[test]
fn the_projects_file_beats_the_users() {
    let sandbox = Sandbox::new();
    let run = tidegate("status -o json").on(&sandbox);
    project(&run, "namespace: hands-on\n");
    user(&run, "namespace: sockshop-dev\n");
    assert_eq!(namespace_of(run), "hands-on");
}

#[test]
fn the_users_file_beats_the_contexts_namespace() {
    let sandbox = Sandbox::new();
    let run = tidegate("status -o json").on(&sandbox);
    user(&run, "namespace: sockshop-dev\n");
    assert_eq!(namespace_of(run), "sockshop-dev");
    // Where `XDG_CONFIG_HOME` says.
    let run = tidegate("status -o json").on(&sandbox);
    let elsewhere = run.home().join("etc/tidegate");
    std::fs::create_dir_all(&elsewhere).expect("made");
    std::fs::write(elsewhere.join("config.yaml"), "namespace: hands-on\n").expect("written");
    let place = run.home().join("etc");
    assert_eq!(namespace_of(run.env("XDG_CONFIG_HOME", place)), "hands-on");
}

#[test]
fn the_contexts_namespace_is_the_default() {
    let sandbox = Sandbox::new();
    assert_eq!(namespace_of(tidegate("status -o json").on(&sandbox)), "sockshop-production");
}

#[test]
fn other_settings_come_from_files_too() {
    let sandbox = Sandbox::new();
    let run = tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox);
    project(&run, "field-manager: from-project\ntimeout: 1m\nrequest-timeout: 5s\n");
    user(&run, "field-manager: from-user\ncontext: sandbox\n");
    let requests = sandbox.requests_of(|| drop(run.succeeds()));
    assert!(requests.contains("fieldManager=from-project"), "{requests}");
    let run = tidegate("shift carts --weights 70/30").on(&sandbox);
    user(&run, "context: viewer\n");
    assert_eq!(run.run().status, Some(4));
    let run =
        tidegate("shift carts --weights 70/30 --no-preflight").on(&sandbox).env("TIDEGATE_FIELD_MANAGER", "from-environment");
    let requests = sandbox.requests_of(|| drop(run.succeeds()));
    assert!(requests.contains("fieldManager=from-environment"), "{requests}");
    // The kubeconfig itself.
    let run = tidegate("status -o json");
    user(&run, &format!("kubeconfig: {}\n", sandbox.kubeconfig.display()));
    assert_eq!(namespace_of(run), "sockshop-production");
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let sandbox = Sandbox::new();
    let broken = |text: &str| {
        let run = tidegate("status").on(&sandbox);
        project(&run, text);
        run
    };
    broken("namespce: x\n").shows(expect![[r#"
        ------- stderr -------
        error: tidegate.yaml cannot be used
        caused by: unknown field `namespce`, expected one of `namespace`, `context`, `kubeconfig`, `timeout`, `request-timeout`, `field-manager`, `protected-namespaces`, `prometheus`, `prometheus-token-file`, `prometheus-basic-file`, `prometheus-ca`, `prometheus-cert`, `prometheus-key`, `prometheus-proxy`, `dynatrace`, `dynatrace-token-file`
        [exit status: 2]
    "#]]);
    broken("namespace: [\n").shows(expect![[r#"
        ------- stderr -------
        error: tidegate.yaml cannot be used
        caused by: namespace: invalid type: sequence, expected a string at line 1 column 12
        [exit status: 2]
    "#]]);
    broken("timeout: 5\n").shows(expect![[r#"
        ------- stderr -------
        error: `5` is not a duration: write `30s`, `5m` or `1h30m`
        [exit status: 2]
    "#]]);
    broken("request-timeout: soon\n").shows(expect![[r#"
        ------- stderr -------
        error: `soon` is not a duration: write `30s`, `5m` or `1h30m`
        [exit status: 2]
    "#]]);
    broken("").succeeds();
    broken("# nothing\n").succeeds();
    let run = tidegate("status").on(&sandbox);
    std::fs::create_dir(run.home().join("tidegate.yaml")).expect("made");
    run.shows(expect![[r#"
        ------- stderr -------
        error: cannot read tidegate.yaml
        caused by: Is a directory (os error 21)
        [exit status: 2]
    "#]]);
}

#[test]
fn values_are_checked_before_anything_is_asked() {
    let sandbox = Sandbox::new();
    let requests = sandbox.requests_of(|| {
        tidegate("status --request-timeout 5").on(&sandbox).shows(expect![[r#"
            ------- stderr -------
            error: invalid value '5' for '--request-timeout <DURATION>': `5` is not a duration: write `30s`, `5m` or `1h30m`

            For more information, try '--help'.
            [exit status: 2]
        "#]]);
        tidegate("shift carts --weights 80/20 --field-manager").arg("a b").on(&sandbox).shows(expect![[r#"
            ------- stderr -------
            error: a field manager has 1 to 128 letters, digits and signs, without blanks
            [exit status: 2]
        "#]]);
        tidegate("shift carts --weights 80/20 --timeout x").on(&sandbox).shows(expect![[r#"
            ------- stderr -------
            error: invalid value 'x' for '--timeout <DURATION>': `x` is not a duration: write `30s`, `5m` or `1h30m`

            For more information, try '--help'.
            [exit status: 2]
        "#]]);
        tidegate("shift carts --weights 80/20").env("TIDEGATE_TIMEOUT", "x").on(&sandbox).shows(expect![[r#"
            ------- stderr -------
            error: invalid value 'x' for '--timeout <DURATION>': `x` is not a duration: write `30s`, `5m` or `1h30m`

            For more information, try '--help'.
            [exit status: 2]
        "#]]);
    });
    assert_eq!(requests, "");
}
