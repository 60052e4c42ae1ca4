//! One case for each code of `tidegate::exit`, and the table that people read.

use crate::support::*;
use tidegate::exit;

#[track_caller]
fn ends(run: Run, code: u8) {
    let output = run.run();
    assert_eq!(output.status, Some(i32::from(code)), "{output}");
}

#[test]
fn ok() {
    let sandbox = Sandbox::new();
    ends(tidegate("shift carts --weights 80/20").on(&sandbox), exit::OK);
    ends(tidegate("shift carts --weights 80/20").on(&sandbox), exit::OK);
    ends(tidegate("help exit-codes"), exit::OK);
}

#[test]
fn failed() {
    let sandbox = Sandbox::with_faults(&["500@patch"]);
    ends(tidegate("shift carts --weights 80/20").on(&sandbox), exit::FAILED);
}

#[test]
fn usage() {
    ends(tidegate("shift carts --weights 80/30"), exit::USAGE);
    ends(tidegate(""), exit::USAGE);
    ends(tidegate("no-such-command"), exit::USAGE);
    ends(tidegate("status --no-such-flag"), exit::USAGE);
    ends(tidegate("status"), exit::USAGE);
}

#[test]
fn unchanged() {
    let sandbox = Sandbox::new();
    for line in ["shift carts --weights 100/0", "rollback carts", "rollback carts --to blue"] {
        ends(tidegate(line).arg("--error-unchanged").on(&sandbox), exit::UNCHANGED);
        ends(tidegate(line).on(&sandbox), exit::OK);
    }
}

#[test]
fn forbidden() {
    let sandbox = Sandbox::new();
    ends(tidegate("shift carts --weights 80/20 --context viewer").on(&sandbox), exit::FORBIDDEN);
    ends(tidegate("status --token unknown").on(&sandbox), exit::FORBIDDEN);
}

#[test]
fn not_found() {
    let sandbox = Sandbox::new();
    ends(tidegate("status nothing").on(&sandbox), exit::NOT_FOUND);
    ends(tidegate("shift carts --weights blue=80,purple=20").on(&sandbox), exit::NOT_FOUND);
    ends(tidegate("shift carts-db --weights 80/20").on(&sandbox), exit::NOT_FOUND);
    ends(tidegate("status --context nothing").on(&sandbox), exit::NOT_FOUND);
    ends(tidegate("rollback carts --to-revision 7").on(&sandbox), exit::NOT_FOUND);
}

#[test]
fn conflict() {
    let sandbox = Sandbox::with_faults(&["409@patch"]);
    ends(tidegate("shift carts --weights 80/20").on(&sandbox), exit::CONFLICT);
}

#[test]
fn unreachable() {
    let sandbox = Sandbox::with_faults(&["503@get"]);
    ends(tidegate("status").on(&sandbox), exit::UNREACHABLE);
}

#[test]
fn rollback_failed() {
    let sandbox = Sandbox::with_faults(&["500@patch:2"]);
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    tidegate("rollback carts").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: rollback failed: Error from server (InternalError): Internal error occurred: an injected fault; it was not carried out; weights are still blue 80, green 20
        hint: kubectl patch virtualservice carts -n sockshop-production --type=json -p '[{"op":"test","path":"/metadata/uid","value":"UID"},{"op":"test","path":"/spec/http/0/match","value":null},{"op":"test","path":"/spec/http/0/route/0/destination","value":{"host":"carts.sockshop-production.svc.cluster.local","subset":"blue"}},{"op":"add","path":"/spec/http/0/route/0/weight","value":100},{"op":"test","path":"/spec/http/0/route/1/destination","value":{"host":"carts.sockshop-production.svc.cluster.local","subset":"green"}},{"op":"add","path":"/spec/http/0/route/1/weight","value":0},{"op":"test","path":"/metadata/annotations/tidegate~1release","value":"{\"id\":\"carts-STAMP\",\"phase\":\"progressing\",\"stable\":\"blue\",\"candidate\":\"green\",\"since\":\"TIME\",\"by\":\"alice\",\"before\":{\"http[0]\":{\"blue\":100,\"green\":0}},\"undo\":[{\"op\":\"test\",\"path\":\"/spec/http/0/match\",\"value\":null},{\"op\":\"test\",\"path\":\"/spec/http/0/route/0/destination\",\"value\":{\"host\":\"carts.sockshop-production.svc.cluster.local\",\"subset\":\"blue\"}},{\"op\":\"add\",\"path\":\"/spec/http/0/route/0/weight\",\"value\":100},{\"op\":\"test\",\"path\":\"/spec/http/0/route/1/destination\",\"value\":{\"host\":\"carts.sockshop-production.svc.cluster.local\",\"subset\":\"green\"}},{\"op\":\"add\",\"path\":\"/spec/http/0/route/1/weight\",\"value\":0}]}"},{"op":"add","path":"/metadata/annotations/tidegate~1release","value":"{\"id\":\"carts-STAMP\",\"phase\":\"undone\",\"stable\":\"blue\",\"candidate\":\"green\",\"since\":\"TIME\",\"by\":\"alice\",\"before\":{\"http[0]\":{\"blue\":100,\"green\":0}},\"undo\":[{\"op\":\"test\",\"path\":\"/spec/http/0/match\",\"value\":null},{\"op\":\"test\",\"path\":\"/spec/http/0/route/0/destination\",\"value\":{\"host\":\"carts.sockshop-production.svc.cluster.local\",\"subset\":\"blue\"}},{\"op\":\"add\",\"path\":\"/spec/http/0/route/0/weight\",\"value\":100},{\"op\":\"test\",\"path\":\"/spec/http/0/route/1/destination\",\"value\":{\"host\":\"carts.sockshop-production.svc.cluster.local\",\"subset\":\"green\"}},{\"op\":\"add\",\"path\":\"/spec/http/0/route/1/weight\",\"value\":0}]}"},{"op":"add","path":"/metadata/annotations/tidegate~1history","value":"[{\"revision\":1,\"at\":\"TIME\",\"by\":\"kubectl-create\",\"verb\":\"found\",\"routes\":{\"http[0]\":{\"blue\":100,\"green\":0}}},{\"revision\":2,\"at\":\"TIME\",\"by\":\"alice\",\"verb\":\"shift\",\"routes\":{\"http[0]\":{\"blue\":80,\"green\":20}}},{\"revision\":3,\"at\":\"TIME\",\"by\":\"alice\",\"verb\":\"rollback\",\"routes\":{\"http[0]\":{\"blue\":100,\"green\":0}}}]"}]'
        [exit status: 20]
    "#]]);
}

#[test]
fn timeout() {
    let sandbox = Sandbox::with_faults(&["hang@patch"]);
    tidegate("shift carts --weights 80/20 --timeout 700ms").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: not done within 0.7 s (--timeout); carts may have been changed: the patch was sent and its answer not seen
        hint: look: `tidegate status vs/carts -n sockshop-production`; undo: `tidegate rollback vs/carts -n sockshop-production`
        [exit status: 124]
    "#]]);
}

#[test]
fn interrupted() {
    let sandbox = Sandbox::with_faults(&["hang@get"]);
    let run = tidegate("status").on(&sandbox);
    let child = run.command().stderr(std::process::Stdio::null()).spawn().expect("starts");
    eventually("it asks", || waiting(&child).then_some(()));
    interrupt(&child);
    assert_eq!(run::finish(child).status, Some(i32::from(exit::INTERRUPTED)));
}

/// Whether a process has a connection open and listens to interrupts: what it hears signals through is a socket, too.
fn waiting(child: &std::process::Child) -> bool {
    let place = format!("/proc/{}", child.id());
    let status = std::fs::read_to_string(format!("{place}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
    let Ok(files) = std::fs::read_dir(format!("{place}/fd")) else { return false };
    let is_socket = |link: std::path::PathBuf| link.to_string_lossy().starts_with("socket:");
    // SIGINT is the second.
    caught.is_some_and(|signals| signals & 0b10 != 0)
        && files.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(is_socket))
}

#[test]
fn the_table_is_printed_as_it_is() {
    let output = tidegate("help exit-codes").succeeds();
    let table: String = exit::TABLE.iter().map(|(code, meaning)| format!("{code:>5}  {meaning}\n")).collect();
    assert_eq!(output.raw, table);
    let mut codes: Vec<u8> = exit::TABLE.iter().map(|(code, _)| *code).collect();
    codes.dedup();
    assert!(codes.is_sorted() && codes.len() == exit::TABLE.len());
}
