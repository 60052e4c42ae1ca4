//! Projects and their services, from the first namespace to the last.

mod charts;
mod create;
mod keptn;
mod onboard;
mod refused;

use crate::support::*;
use expect_test::Expect;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// `tidegate` in a directory with the files of the sock shop.
fn shop(line: &str) -> Run {
    let run = tidegate(line);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sockshop");
    for file in fs::read_dir(fixtures).expect("fixtures").map(|entry| entry.expect("an entry").path()) {
        fs::copy(&file, run.home().join(file.file_name().expect("a name"))).expect("copied");
    }
    run
}

/// The same with one more file.
fn with(line: &str, file: &str, text: &str) -> Run {
    let run = shop(line);
    fs::write(run.home().join(file), text).expect("written");
    run
}

/// A sandbox with the project `sockshop` and nothing in it.
fn project() -> Sandbox {
    let sandbox = Sandbox::empty();
    shop("create project sockshop --shipyard shipyard.yaml").on(&sandbox).succeeds();
    sandbox
}

fn namespaces(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.rest.get("/api/v1/namespaces?labelSelector=tidegate/project").ok();
    let items = list["items"].as_array().expect("a list").clone();
    items.iter().map(|one| one["metadata"]["name"].as_str().expect("a name").to_owned()).collect()
}

/// The requests that `run` causes and that write.
fn writes(sandbox: &Sandbox, run: Run) -> (run::Output, Vec<String>) {
    let mut output = None;
    let requests = sandbox.requests_of(|| output = Some(run.on(sandbox).run()));
    let writes = |line: &&str| !line.starts_with("GET ") && !line.contains("selfsubjectaccessreviews");
    (output.expect("it ran"), requests.lines().filter(writes).map(str::to_owned).collect())
}

/// Says this, and writes nothing.
#[track_caller]
fn writes_nothing(sandbox: &Sandbox, run: Run, expected: &Expect) {
    let (output, written) = writes(sandbox, run);
    expected.assert_eq(&output.to_string());
    assert!(written.is_empty(), "{written:?}");
}

/// What a command prints as JSON.
fn listed(sandbox: &Sandbox, line: &str) -> Vec<Value> {
    let output = tidegate(line).arg("-o").arg("json").on(sandbox).succeeds();
    serde_json::from_str(&output.raw).expect("a list")
}
