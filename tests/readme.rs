//! The README keeps its word: its commands run, and its generated parts are what the program prints. `UPDATE=1 cargo test`
//! writes those anew.

use crate::repository::{isolate, program, stdout, updating, within};
use serde::Deserialize as _;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn readme() -> String {
    fs::read_to_string(within("README.md")).expect("README.md")
}

/// The contents of the fenced blocks in `language`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

// ---- the commands --------------------------------------------------------------------------------------------------

/// A folder for the PATH: the program, and a `cargo` that runs or installs it instead of building it once more.
fn tools(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("make bin/");
    let tidegate = env!("CARGO_BIN_EXE_tidegate");
    let script = |name: &str, text: &str| {
        fs::write(bin.join(name), text).expect("write a script");
        let done = Command::new("chmod").arg("+x").arg(bin.join(name)).status().expect("chmod");
        assert!(done.success());
    };
    script("tidegate", &format!("#!/bin/sh\nexec '{tidegate}' \"$@\"\n"));
    // The tests must not run themselves again.
    script(
        "cargo",
        &format!(
            "#!/bin/sh\ncase \"$*\" in\n\
             'run --release -- '*) shift 3; exec '{tidegate}' \"$@\" ;;\n\
             'install --locked --path .'|'install --locked --path . --target x86_64-unknown-linux-musl') mkdir -p ~/.cargo/bin && cp '{tidegate}' ~/.cargo/bin/ ;;\n\
             test) ;;\n\
             *) echo \"the tests know no such cargo command: $*\" >&2; exit 2 ;;\n\
             esac\n"
        ),
    );
    script("rustup", "#!/bin/sh\ntest \"$*\" = 'target add x86_64-unknown-linux-musl'\n");
    bin
}

/// Where kubectl is: in the PATH, or among the parts of the lab.
fn kubectl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let parts = Command::new("bash").arg(within("tests/lab/build")).arg("--locate").output().ok();
    let parts = parts.filter(|output| output.status.success());
    let lab = parts.map(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("bin"));
    lab.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join("kubectl")).find(|file| file.is_file())
}

/// Runs a block as somebody would paste it, in a sandbox and a home of its own, with the repository's files at hand.
/// Without a kubectl its lines are left out.
fn run(block: &str) -> String {
    let place = tempfile::tempdir().expect("a temporary directory");
    let bin = tools(place.path());
    let checkout = place.path().join("checkout");
    fs::create_dir(&checkout).expect("make a directory");
    for entry in ["completions", "fixtures", "man"] {
        std::os::unix::fs::symlink(within(entry), checkout.join(entry)).expect("make a link");
    }
    let mut lines: Vec<&str> = block.lines().collect();
    match kubectl() {
        Some(kubectl) => std::os::unix::fs::symlink(kubectl, bin.join("kubectl")).expect("make a link"),
        None => lines.retain(|line| !line.starts_with("kubectl ")),
    }
    let home = place.path().join("home");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [home.join(".cargo/bin"), bin].into_iter().chain(std::env::split_paths(&path));
    let mut command = program();
    // Nothing is left running, wherever the block ends.
    let script = format!("trap 'tidegate sandbox down 2>/dev/null' EXIT\n{}", lines.join("\n"));
    command.args(["sandbox", "run", "--", "bash", "-euo", "pipefail", "-c", &script]);
    command.current_dir(&checkout).env("HOME", &home).env("PATH", std::env::join_paths(path).expect("a PATH"));
    stdout(&mut command)
}

#[test]
fn the_two_commands_come_first_and_run() {
    let text = readme();
    let block = blocks(&text, "sh")[0];
    let commands: Vec<&str> = block.lines().map(|line| line.split('#').next().unwrap_or(line).trim()).collect();
    assert_eq!(commands, ["cargo run --release -- demo", "cargo test"]);
    let told = run(block);
    // The slow version stops in staging, the fast one reaches production, and the one before is left running.
    let lines: Vec<String> = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let mut rest = lines.iter();
    for wanted in [
        "staging failed green 0.6.0 fail",
        "production not reached",
        "staging passed blue 0.6.2",
        "production passed blue 0.6.2",
        "carts http[0] blue stable 100 100% 2/2",
        "carts http[0] green <none> 0 0% 2/2",
    ] {
        assert!(rest.any(|line| line.starts_with(wanted)), "`{wanted}` is not where it should be in\n{told}");
    }
}

#[test]
fn the_commands_of_the_readme_run() {
    let text = readme();
    let all = blocks(&text, "sh");
    assert!(all.len() >= 6, "only {} blocks of commands", all.len());
    std::thread::scope(|scope| {
        for block in &all[1..] {
            scope.spawn(move || {
                let told = run(block);
                assert!(!told.trim().is_empty(), "these say nothing:\n{block}");
            });
        }
    });
}

// ---- the generated parts -------------------------------------------------------------------------------------------

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end -->";

#[test]
fn the_generated_parts_are_what_the_program_prints() {
    let text = readme();
    let (mut fresh, mut rest, mut parts) = (String::new(), text.as_str(), 0);
    while let Some(begin) = rest.find(BEGIN) {
        let name_end = rest[begin..].find(" -->\n").map(|at| begin + at).expect("the end of a mark");
        let what = &rest[begin + BEGIN.len()..name_end];
        let start = name_end + " -->\n".len();
        let end = rest[start..].find(END).map(|at| start + at).expect("the end of a generated part");
        let old = &rest[start..end];
        let new = match what {
            "picture" => picture(old),
            "commands" => commands(),
            command => {
                let words = command.strip_prefix("tidegate ").expect("a command of ours").split(' ');
                format!("```text\n{}```\n", stdout(program().args(words)))
            }
        };
        let same = if what == "picture" { timeless(old) == timeless(&new) } else { old == new };
        assert!(same || updating(), "README.md, {what}: `UPDATE=1 cargo test` writes it anew. It should be:\n{new}");
        fresh += &rest[..start];
        fresh += if same { old } else { &new };
        fresh += END;
        rest = &rest[end + END.len()..];
        parts += 1;
    }
    assert_eq!(parts, 4, "generated parts");
    if updating() {
        fs::write(within("README.md"), fresh + rest).expect("write README.md");
    }
}

fn commands() -> String {
    let command = tidegate::command();
    let mut text = String::from("```text\n");
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(text, "{:<14}{about}", sub.get_name()).expect("a string");
    }
    text + "```\n"
}

/// The commands of the old picture, run on a terminal in a sandbox of their own.
fn picture(old: &str) -> String {
    let place = tempfile::tempdir().expect("a temporary directory");
    let bin = tools(place.path());
    let mut story = String::new();
    for command in blocks(old, "console")[0].lines().filter_map(|line| line.strip_prefix("$ ")) {
        // A picture may show a refusal.
        writeln!(story, "echo '$ {command}'; {command} || true").expect("a string");
    }
    let file = place.path().join("story");
    fs::write(&file, story).expect("write the story");
    let mut command = Command::new("script");
    isolate(&mut command);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(bin).chain(std::env::split_paths(&path));
    command.args(["--quiet", "--return", "--command", "tidegate sandbox run -- sh story", "/dev/null"]);
    command.current_dir(place.path()).env("PATH", std::env::join_paths(path).expect("a PATH"));
    command.env("HOME", place.path()).env("TERM", "dumb").env("COLUMNS", "100").env("TIDEGATE_BY", "you");
    let output = command.stdin(std::process::Stdio::null()).output().expect("`script` of util-linux");
    let told = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert!(output.status.success(), "the picture: {}\n{told}", output.status);
    format!("```console\n{told}```\n")
}

/// A text without ages and widths: a slow machine is no other picture.
fn timeless(text: &str) -> String {
    let is_age = |word: &str| {
        let word = word.trim_end_matches([')', ',']);
        word.strip_suffix(['s', 'm']).is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let lines = text.lines().map(|line| {
        let words = line.split_whitespace().map(|word| if is_age(word) { "AGE" } else { word });
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

// ---- one contract --------------------------------------------------------------------------------------------------

#[test]
fn the_exit_codes_are_the_same_everywhere() {
    let told = stdout(program().args(["help", "exit-codes"]));
    let rows: Vec<String> = tidegate::exit::TABLE.iter().map(|(code, meaning)| format!("{code} {meaning}")).collect();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(told.lines().map(words).collect::<Vec<_>>(), rows);

    let text = readme();
    let section = text.split("\n## Exit codes\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the section");
    let table: Vec<String> = blocks(section, "text")[0].lines().map(words).collect();
    assert_eq!(table, rows, "README.md");

    let page = fs::read_to_string(within("man/tidegate.1")).expect("the man page");
    let section = page.split(".SH \"EXIT STATUS\"\n").nth(1).and_then(|rest| rest.split("\n.fi").next()).expect("the section");
    let plain = section.replace("\\-", "-").replace("\\*(Aq", "'");
    let table: Vec<String> = plain.lines().filter(|line| !line.starts_with('.')).map(words).collect();
    assert_eq!(table, rows, "man/tidegate.1");

    // The constants of the source, each with its line in the table.
    let source = fs::read_to_string(within("src/exit.rs")).expect("src/exit.rs");
    let constants: Vec<u8> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": u8 = ")?.1.trim_end_matches(';').parse().ok())
        .collect();
    assert_eq!(constants, tidegate::exit::TABLE.map(|(code, _)| code), "src/exit.rs");
}

#[test]
fn the_printed_role_is_a_role() {
    let text = stdout(program().args(["help", "rbac"]));
    let documents = serde_yaml::Deserializer::from_str(&text);
    let read = |document| serde_json::Value::deserialize(document).expect("YAML that kubectl accepts");
    let roles: Vec<serde_json::Value> = documents.map(read).collect();
    assert!(roles.iter().all(|role| role["kind"] == "Role"), "{roles:?}");
    let role = &roles[0];
    assert_eq!(role["kind"], "Role");
    assert_eq!(role["rules"].as_array().map(Vec::len), Some(5));
    assert_eq!(role["rules"][0]["verbs"], serde_json::json!(["get", "list", "watch", "patch"]));
}
