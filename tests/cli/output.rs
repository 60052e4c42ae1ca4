//! Streams, formats, colour.

use crate::support::*;
use std::process::Stdio;

const NS: &str = "sockshop-production";

#[test]
fn a_change_is_reported_in_each_format() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 90/10 -o table").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 90, green 0 -> 10
    "#]]);
    tidegate("shift carts --weights 80/20 -o wide").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 90 -> 80, green 10 -> 20
    "#]]);
    tidegate("shift carts --weights 70/30 -o name").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts
    "#]]);
    tidegate("shift carts --weights 60/40 -o json").on(&sandbox).shows(expect![[r#"
        [
          {
            "object": "virtualservice.networking.istio.io/carts",
            "namespace": "sockshop-production",
            "name": "carts",
            "result": "changed",
            "routes": [
              {
                "route": "http[0]",
                "destinations": [
                  {
                    "name": "blue",
                    "before": 70,
                    "after": 60
                  },
                  {
                    "name": "green",
                    "before": 30,
                    "after": 40
                  }
                ]
              }
            ]
          }
        ]
    "#]]);
    tidegate("shift carts --weights 50/50 -o yaml").on(&sandbox).shows(expect![[r#"
        - object: virtualservice.networking.istio.io/carts
          namespace: sockshop-production
          name: carts
          result: changed
          routes:
          - route: http[0]
            destinations:
            - name: blue
              before: 60
              after: 50
            - name: green
              before: 40
              after: 50
    "#]]);
    tidegate("shift carts --weights 50/50 -o json").on(&sandbox).shows(expect![[r#"
        [
          {
            "object": "virtualservice.networking.istio.io/carts",
            "namespace": "sockshop-production",
            "name": "carts",
            "result": "unchanged",
            "routes": [
              {
                "route": "http[0]",
                "destinations": [
                  {
                    "name": "blue",
                    "before": 50,
                    "after": 50
                  },
                  {
                    "name": "green",
                    "before": 50,
                    "after": 50
                  }
                ]
              }
            ]
          }
        ]
    "#]]);
    tidegate("shift carts --weights 50/50 -o xml").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: invalid value 'xml' for '--output <FORMAT>'
          [possible values: table, wide, name, json, yaml]

          tip: a similar value exists: 'yaml'

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
}

#[test]
fn a_refused_group_is_reported_in_json() {
    let sandbox = Sandbox::with_faults(&["500@patch:4"]);
    tidegate("shift product review -n hands-on --weights old=0,new=100 -o json").on(&sandbox).shows(expect![[r#"
        [
          {
            "object": "virtualservice.networking.istio.io/product-vs",
            "namespace": "hands-on",
            "name": "product-vs",
            "result": "undone",
            "routes": [
              {
                "route": "http[1]",
                "destinations": [
                  {
                    "name": "old",
                    "before": 100,
                    "after": 0
                  },
                  {
                    "name": "new",
                    "before": 0,
                    "after": 100
                  }
                ]
              }
            ]
          },
          {
            "object": "virtualservice.networking.istio.io/review-vs",
            "namespace": "hands-on",
            "name": "review-vs",
            "result": "refused",
            "error": "Error from server (InternalError): Internal error occurred: an injected fault; it was not carried out",
            "routes": [
              {
                "route": "http[1]",
                "destinations": [
                  {
                    "name": "old",
                    "before": 100,
                    "after": 0
                  },
                  {
                    "name": "new",
                    "before": 0,
                    "after": 100
                  }
                ]
              }
            ]
          }
        ]
        ------- stderr -------
        error: 1 of 2 objects refused the change; all of them stand as they did before
        [exit status: 1]
    "#]]);
}

#[test]
fn quiet_prints_results_and_errors_alone() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20 -q").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    tidegate("status carts --quiet").on(&sandbox).shows(expect![[r#"
        NAME   ROUTE    DESTINATION  ROLE       WEIGHT  SHARE  READY  CHANGED
        carts  http[0]  blue         stable     80      80%    2/2    AGE by alice
        carts  http[0]  green        candidate  20      20%    2/2    AGE by alice
    "#]]);
    tidegate("status nothing -q").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `nothing` in namespace sockshop-production
        hint: there are: carts, carts-db, orders
        [exit status: 5]
    "#]]);
}

#[test]
fn the_answer_is_on_stdout_alone() {
    let sandbox = Sandbox::new();
    let run = tidegate("status carts").on(&sandbox);
    let mut command = run.command();
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().expect("runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn colour_follows_the_terminal_the_flag_and_the_environment() {
    let sandbox = Sandbox::new();
    let color = regex::Regex::new("\u{1b}\\[[0-9;]+m").expect("a pattern");
    let coloured = |text: &str| color.is_match(text);
    let piped = |line: &str, variable: &str, value: &str| {
        let run = tidegate(line).on(&sandbox).env(variable, value);
        coloured(&run.run().raw)
    };
    assert!(!piped("shift carts --weights 90/10", "A", "b"));
    assert!(piped("shift carts --weights 80/20 --color always", "A", "b"));
    assert!(piped("shift carts --weights 70/30", "CLICOLOR_FORCE", "1"));
    assert!(!piped("shift carts --weights 60/40 --color never", "CLICOLOR_FORCE", "1"));
    let shown = |line: &str, variable: &str, value: &str| {
        let (screen, status) = tidegate(line).on(&sandbox).env(variable, value).on_a_terminal().end();
        assert_eq!(status, Some(0), "{screen}");
        coloured(&screen)
    };
    assert!(shown("shift carts --weights 90/10", "A", "b"));
    assert!(!shown("shift carts --weights 80/20", "NO_COLOR", "1"));
    assert!(!shown("shift carts --weights 70/30", "TERM", "dumb"));
    assert!(!shown("shift carts --weights 60/40 --color never", "A", "b"));
    assert!(shown("shift carts --weights 50/50", "NO_COLOR", ""));
}

#[test]
fn progress_shows_on_a_terminal_when_it_takes_a_while() {
    let sandbox = Sandbox::with_faults(&["latency=400ms@patch"]);
    let terminal = tidegate("shift carts --weights 80/20 --color never").on(&sandbox).on_a_terminal();
    let (screen, status) = terminal.end();
    assert_eq!(status, Some(0), "{screen}");
    assert!(screen.contains("patching"), "{screen:?}");
    // It is cleared, and no trace of it is on the last line.
    let last = pty::plain(&screen).lines().next_back().unwrap_or_default().to_owned();
    assert!(!last.contains("patching"), "{screen:?}");
    // Not in a pipe.
    let output = tidegate("shift carts --weights 70/30").on(&sandbox).succeeds();
    assert_eq!(output.stderr, "");
}

#[test]
fn a_full_disk_is_said_though_the_change_stands() {
    let sandbox = Sandbox::new();
    let run = tidegate("shift carts --weights 80/20").on(&sandbox);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let child = run.command().stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().expect("starts");
    let output = run::finish(child);
    assert_eq!(output.status, Some(1), "{output}");
    assert_eq!(sandbox.weights(NS, "carts", 0), [80, 20]);
    expect![[r#"
        ------- stderr -------
        error: the answer could not be written; carts was changed
        hint: look: `tidegate status vs/carts -n sockshop-production`; undo: `tidegate rollback vs/carts -n sockshop-production`
        [exit status: 1]
    "#]]
    .assert_eq(&output.to_string());
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let sandbox = Sandbox::new();
    let run = tidegate("shift carts --weights 80/20").on(&sandbox);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child = run.command().stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().expect("starts");
    let output = run::finish(child);
    assert_eq!(output.to_string(), "");
    assert_eq!(output.status, Some(0));
    assert_eq!(sandbox.weights(NS, "carts", 0), [80, 20]);
}

#[test]
fn names_of_others_do_not_command_the_terminal() {
    let sandbox = Sandbox::empty();
    let to = |subset: &str, weight: u32| json!({"destination": {"host": "carts", "subset": subset}, "weight": weight});
    virtual_service(
        &sandbox,
        "carts",
        json!({"hosts": ["carts"], "http": [
            {"name": "a\u{1b}[2Jb", "match": [{"uri": {"exact": "/\u{7}x"}}], "route": [to("blue\u{1b}[31m", 100), to("green\r", 0)]},
        ]}),
    );
    for line in ["status -n shop -o wide", "shift carts -n shop --weights 80/20 --no-preflight --diff", "history carts -n shop"] {
        let output = tidegate(line).on(&sandbox).succeeds();
        let control = |text: &str| text.chars().any(|letter| letter.is_control() && letter != '\n');
        assert!(!control(&output.raw) && !control(&output.stderr), "{output:?}");
        assert!(output.raw.contains(r"blue\u{1b}[31m"), "{output}");
    }
}

/// What is checked out, where this is a clone that keeps a log of it.
fn commit() -> Option<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").current_dir(root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    root.join(".git").exists().then_some(())?;
    root.join(git(&["rev-parse", "--git-path", "logs/HEAD"])?).exists().then_some(())?;
    git(&["rev-parse", "HEAD"])
}

#[test]
fn versions() {
    let sandbox = Sandbox::new();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(tidegate("version --client").run().to_string(), format!("tidegate {version}\n"));
    assert_eq!(tidegate("--version").run().to_string(), format!("tidegate {version}\n"));
    let output = tidegate("version").on(&sandbox).succeeds();
    assert!(output.stdout.starts_with(&format!("tidegate {version}\nserver v1.")), "{output}");
    let output = tidegate("version -o json").on(&sandbox).succeeds();
    let document: serde_json::Value = serde_json::from_str(&output.raw).expect("JSON");
    assert_eq!(document["client"], version);
    assert_eq!(document["commit"].as_str(), commit().as_deref(), "{output}");
    assert!(document["server"].as_str().is_some_and(|server| server.starts_with("v1.")), "{output}");
    // A machine without a cluster has a version, too.
    assert_eq!(tidegate("version").run().to_string(), format!("tidegate {version}\n"));
}
