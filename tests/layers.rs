//! The layers of the design, held by reading the source: who may name whom, and who may touch the outside world.
//!
//! The checker looks at paths, not at text: comments, strings and names of fields do not count, `use` groups and `super`
//! do. `the_checker_sees_each_kind_of_violation` proves that it fails when an arrow is added.

use crate::repository::within;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A top-level module, and what it may name.
struct Layer {
    name: &'static str,
    /// Other modules of the crate.
    modules: &'static [&'static str],
    /// Other crates, or `ANY` with those that it may not name.
    crates: Crates,
}

enum Crates {
    /// These alone, and what is pure of `std`.
    Only(&'static [&'static str]),
    /// All but these.
    AllBut(&'static [&'static str]),
}
use Crates::{AllBut, Only};

const LAYERS: [Layer; 20] = [
    // Pure: what was read comes in as JSON, time as an argument.
    Layer {
        name: "core",
        modules: &["error", "sorted"],
        crates: Only(&["granit_parser", "json_patch", "serde", "serde_json", "serde_yaml"]),
    },
    Layer { name: "error", modules: &["exit"], crates: Only(&["anyhow"]) },
    Layer { name: "exit", modules: &[], crates: Only(&[]) },
    Layer { name: "sorted", modules: &[], crates: Only(&[]) },
    Layer { name: "cli", modules: &["core", "error"], crates: Only(&["clap"]) },
    // Connections, whatever for.
    Layer { name: "dial", modules: &["error"], crates: AllBut(&["anyhow", "clap", "kube", "rcgen", "comfy_table", "indicatif"]) },
    // The edges do not know each other.
    Layer {
        name: "cluster",
        modules: &["core", "dial", "error", "sorted", "web"],
        crates: AllBut(&["anyhow", "clap", "rcgen", "comfy_table", "indicatif"]),
    },
    // Manifests in a checkout: no cluster, no screen.
    Layer {
        name: "files",
        modules: &["core", "error", "sorted"],
        crates: AllBut(&["anyhow", "clap", "hyper", "hyper_util", "kube", "rcgen", "comfy_table", "indicatif"]),
    },
    Layer {
        name: "ui",
        modules: &["core", "error", "sorted"],
        crates: AllBut(&["anyhow", "clap", "hyper", "hyper_util", "kube", "rcgen"]),
    },
    Layer {
        name: "metrics",
        modules: &["error", "web"],
        crates: AllBut(&["anyhow", "clap", "kube", "rcgen", "comfy_table", "indicatif"]),
    },
    Layer {
        name: "probe",
        modules: &["core", "error", "web"],
        crates: AllBut(&["anyhow", "clap", "kube", "rcgen", "comfy_table", "indicatif"]),
    },
    Layer {
        name: "notify",
        modules: &["core", "error", "web"],
        crates: AllBut(&["anyhow", "clap", "kube", "rcgen", "comfy_table", "indicatif"]),
    },
    // HTTP by URL: what several edges need and none owns.
    Layer {
        name: "web",
        modules: &["dial", "error"],
        crates: AllBut(&["anyhow", "clap", "kube", "rcgen", "comfy_table", "indicatif"]),
    },
    // A server; shares no code with the rest but the sort.
    Layer {
        name: "sandbox",
        modules: &["sorted"],
        crates: AllBut(&["clap", "kube", "kube_client", "k8s_openapi", "comfy_table", "indicatif"]),
    },
    Layer { name: "exec", modules: &["cluster", "core", "error"], crates: AllBut(EDGES) },
    Layer { name: "settings", modules: &["cli", "cluster", "error"], crates: AllBut(EDGES) },
    Layer { name: "complete", modules: &["cli", "cluster", "core", "error", "ui"], crates: AllBut(&["kube", "hyper", "rcgen"]) },
    Layer {
        name: "commands",
        modules: &[
            "cli", "cluster", "complete", "core", "error", "exec", "exit", "files", "metrics", "notify", "probe", "sandbox",
            "settings", "sorted", "ui", "web",
        ],
        crates: AllBut(EDGES),
    },
    Layer {
        name: "lib",
        modules: &[
            "cli", "cluster", "commands", "complete", "core", "dial", "error", "exec", "exit", "files", "metrics", "notify",
            "probe", "sandbox", "settings", "sorted", "ui", "web",
        ],
        crates: Only(&["clap"]),
    },
    Layer { name: "main", modules: &[], crates: Only(&["tidegate"]) },
];

/// What only the edges name: kube in `cluster`, HTTP and TLS there, in `metrics` and in `dial`, tables in `ui`, a certificate
/// authority in the sandbox.
const EDGES: &[&str] = &[
    "anyhow",
    "clap",
    "comfy_table",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "indicatif",
    "k8s_openapi",
    "kube",
    "kube_client",
    "rcgen",
    "rustls",
    "tokio_rustls",
    "tower",
];

/// The only files that may name the sandbox: it can be left out of the build.
const SANDBOX_USERS: [&str; 2] = ["src/commands/sandbox.rs", "src/commands/demo.rs"];

/// What of `std` is not pure.
const IMPURE: [&str; 10] = ["env", "fs", "io", "net", "os", "path", "process", "thread", "Instant", "SystemTime"];

/// Macros that print past `ui`.
const PRINTERS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

// ---- reading Rust --------------------------------------------------------------------------------------------------

/// Names and signs of a source text; comments, literals and lifetimes are left out.
fn tokens(source: &str) -> Vec<String> {
    let text: Vec<char> = source.chars().collect();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let at = |place: usize| text.get(place).copied().unwrap_or('\0');
    let (mut place, mut tokens) = (0, Vec::new());
    while place < text.len() {
        let here = at(place);
        if here == '/' && at(place + 1) == '/' {
            place += text[place..].iter().take_while(|c| **c != '\n').count();
        } else if here == '/' && at(place + 1) == '*' {
            let (mut depth, mut end) = (1, place + 2);
            while depth > 0 && end < text.len() {
                match (at(end), at(end + 1)) {
                    ('/', '*') => (depth, end) = (depth + 1, end + 1),
                    ('*', '/') => (depth, end) = (depth - 1, end + 1),
                    _ => {}
                }
                end += 1;
            }
            place = end;
        } else if let Some(end) = raw_string(&text, place) {
            place = end;
        } else if here == '"' {
            place += 1;
            while place < text.len() && at(place) != '"' {
                place += if at(place) == '\\' { 2 } else { 1 };
            }
            place += 1;
        } else if here == '\'' {
            place = match (at(place + 1), at(place + 2)) {
                ('\\', _) => place + 3 + text.iter().skip(place + 3).take_while(|c| **c != '\'').count() + 1,
                (_, '\'') => place + 3,
                _ => place + 1 + text[place + 1..].iter().take_while(|c| word(**c)).count(),
            };
        } else if word(here) {
            let end = place + text[place..].iter().take_while(|c| word(**c)).count();
            tokens.push(text[place..end].iter().collect());
            place = end;
        } else if here == ':' && at(place + 1) == ':' {
            tokens.push("::".into());
            place += 2;
        } else {
            if !here.is_whitespace() {
                tokens.push(here.into());
            }
            place += 1;
        }
    }
    tokens
}

/// The end of the raw string that begins at `place`, if one does.
fn raw_string(text: &[char], place: usize) -> Option<usize> {
    let rest = &text[place..];
    let behind_word = place > 0 && (text[place - 1].is_alphanumeric() || text[place - 1] == '_');
    let prefix = usize::from(rest.first() == Some(&'b'));
    if behind_word || rest.get(prefix) != Some(&'r') {
        return None;
    }
    let hashes = rest[prefix + 1..].iter().take_while(|c| **c == '#').count();
    let open = prefix + 1 + hashes;
    (rest.get(open) == Some(&'"')).then_some(())?;
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let inside = rest[open + 1..].windows(close.len()).position(|window| window == close)?;
    Some(place + open + 1 + inside + close.len())
}

/// The paths in a source text: each `a::b`, and each name behind `use`, with its groups spelled out.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let is_name = |token: &String| token.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let (mut place, mut found) = (0, Vec::new());
    while place < tokens.len() {
        let imports = tokens[place] == "use";
        place += usize::from(imports);
        // `::name` is a crate, but behind `>` it is a part of a type.
        let rooted = tokens.get(place).is_some_and(|token| token == "::");
        let part_of_type = rooted && place > 0 && [">", ")", "]"].contains(&tokens[place - 1].as_str());
        let start = place + usize::from(rooted);
        if !tokens.get(start).is_some_and(|token| is_name(token) || imports && token == "{") {
            place += usize::from(!imports);
            continue;
        }
        let before = found.len();
        let end = tree(tokens, start, &[], &mut found);
        if part_of_type || !imports && found[before..].iter().all(|path| path.len() < 2) {
            found.truncate(before);
        }
        place = end.max(place + 1);
    }
    found
}

/// Reads a path with its groups from `place`, each below `prefix`; gives the place behind it.
fn tree(tokens: &[String], mut place: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(place) {
        if token == "{" {
            place += 1;
            while tokens.get(place).is_some_and(|token| token != "}") {
                place = if tokens[place] == "," { place + 1 } else { tree(tokens, place, &path, found).max(place + 1) };
            }
            return place + 1;
        }
        path.push(token.clone());
        place += 1;
        if tokens.get(place).is_none_or(|token| token != "::") {
            break;
        }
        // A turbofish ends the path.
        if tokens.get(place + 1).is_some_and(|token| token == "<") {
            break;
        }
        place += 1;
    }
    if tokens.get(place).is_some_and(|token| token == "as") {
        place += 2;
    }
    found.push(path);
    place
}

// ---- judging -------------------------------------------------------------------------------------------------------

/// The module path of a source file below the crate: `src/core/plan.rs` is `[core, plan]`.
fn module_of(file: &str) -> Vec<&str> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').collect()
}

/// What is wrong with a source file.
fn violations(file: &str, source: &str) -> Vec<String> {
    let own = module_of(file);
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == own[0]) else {
        return vec![format!("{file}: `{}` is a new top-level module: say in tests/layers.rs what it may name", own[0])];
    };
    let tokens = tokens(source);
    let mut wrong = Vec::new();
    let mut say = |what: String| wrong.push(format!("{file}: {what}"));
    for path in paths(&tokens) {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let below_root = match path[0].as_str() {
            "crate" => path.get(1),
            // From the crate's root, as its child modules see it.
            "super" if supers >= own.len() => path.get(supers),
            _ => None,
        };
        match below_root.map(String::as_str) {
            Some("sandbox") if layer.name == "commands" && !SANDBOX_USERS.contains(&file) => {
                say(format!("only {} may name the sandbox", SANDBOX_USERS.join(" and ")));
            }
            Some(module) if module == layer.name || layer.modules.contains(&module) => {}
            Some(module) if LAYERS.iter().any(|layer| layer.name == module) => {
                say(format!("`{}` must not name `{module}` ({})", layer.name, path.join("::")));
            }
            // A function of the root, or of an own module behind `super`.
            Some(_) => {}
            None => {
                if let Some(what) = foreign(layer, &path) {
                    say(what);
                }
            }
        }
    }
    if layer.name != "main" {
        for pair in tokens.windows(2).filter(|pair| pair[1] == "!" && PRINTERS.contains(&pair[0].as_str())) {
            say(format!("`{}!` prints past `ui`", pair[0]));
        }
    }
    wrong
}

/// What is wrong with a path into another crate.
fn foreign(layer: &Layer, path: &[String]) -> Option<String> {
    let root = path[0].as_str();
    let title = path.join("::");
    match &layer.crates {
        Only(_) if root == "std" && layer.name != "main" => {
            let module = path.get(1).map(String::as_str).unwrap_or_default();
            let impure = path.iter().skip(1).any(|part| IMPURE.contains(&part.as_str()));
            // Path, PathBuf and addresses are values; only what is done with them is not pure.
            let address = path.get(2).is_some_and(|part| part.ends_with("Addr"));
            let harmless = module == "path" && layer.name != "core" || module == "net" && address || layer.name == "lib";
            (impure && !harmless).then(|| format!("`{}` must not touch the outside world ({title})", layer.name))
        }
        Only(allowed) => {
            let known = DEPENDENCIES.contains(&root);
            (known && !allowed.contains(&root)).then(|| format!("`{}` must not use the crate `{root}` ({title})", layer.name))
        }
        AllBut(refused) => refused.contains(&root).then(|| format!("`{}` must not use the crate `{root}` ({title})", layer.name)),
    }
}

/// The crates that a path can begin with.
const DEPENDENCIES: [&str; 36] = [
    "anstream",
    "anstyle",
    "anyhow",
    "base64",
    "bytes",
    "clap",
    "clap_complete",
    "comfy_table",
    "futures_util",
    "granit_parser",
    "http",
    "http_body_util",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "indicatif",
    "jiff",
    "json_patch",
    "k8s_openapi",
    "kube",
    "kube_client",
    "rcgen",
    "regex",
    "rustix",
    "rustls",
    "rustls_platform_verifier",
    "secrecy",
    "serde",
    "serde_json",
    "serde_yaml",
    "terminal_size",
    "tidegate",
    "tokio",
    "tokio_rustls",
    "tower",
    "tower_service",
];

#[test]
fn the_layers_hold() {
    let mut wrong = String::new();
    let mut files = 0;
    each_source(&within("src"), &mut |file, source| {
        files += 1;
        // Modules that only tests have read recorded cases from files, and print figures.
        let only_tests = ["/tests.rs", "/vectors.rs", "/simulation.rs"].iter().any(|name| file.ends_with(name));
        let allowed = |one: &str| one.contains("must not touch the outside world") || one.contains("prints past");
        let counts = |one: &&String| !(only_tests && allowed(one));
        violations(file, source).iter().filter(counts).for_each(|one| writeln!(wrong, "{one}").expect("a string"));
    });
    assert!(files > 50, "only {files} source files were found");
    assert!(wrong.is_empty(), "the layers do not hold (src/lib.rs says what they are):\n{wrong}");
}

/// The sources of the program, which its build script is not part of.
fn each_source(folder: &Path, see: &mut dyn FnMut(&str, &str)) {
    for entry in fs::read_dir(folder).expect("read src/") {
        let path = entry.expect("read src/").path();
        if path.is_dir() {
            each_source(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("src/build.rs") {
            let file = path.strip_prefix(within("")).expect("a file of the repository").to_string_lossy().replace('\\', "/");
            see(&file, &fs::read_to_string(&path).expect("a source file"));
        }
    }
}

#[test]
fn each_dependency_is_known_to_the_checker() {
    let manifest = fs::read_to_string(within("Cargo.toml")).expect("Cargo.toml");
    let section = manifest.split("\n[dependencies]\n").nth(1).and_then(|rest| rest.split("\n[").next()).expect("dependencies");
    for line in section.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, _)) = line.split_once('=') else { continue };
        let name = name.trim().replace('-', "_");
        assert!(DEPENDENCIES.contains(&name.as_str()), "tests/layers.rs: add `{name}` to DEPENDENCIES");
    }
}

#[test]
fn the_checker_sees_each_kind_of_violation() {
    for (file, source, told) in [
        ("src/core/plan.rs", "use crate::cluster::Cluster;", "`core` must not name `cluster`"),
        ("src/core/plan.rs", "use crate::{error::Error, ui::Ui};", "`core` must not name `ui`"),
        ("src/core/plan.rs", "use crate::error::{self, Error}; fn f() { crate::exec::run() }", "`core` must not name `exec`"),
        ("src/core/plan.rs", "use super::super::cluster::Cluster;", "`core` must not name `cluster`"),
        ("src/core/mod.rs", "use super::{cli, error};", "`core` must not name `cli`"),
        ("src/core/plan.rs", "async fn f() { tokio::time::sleep(t).await }", "`core` must not use the crate `tokio`"),
        ("src/core/plan.rs", "use kube::Client as C;", "`core` must not use the crate `kube`"),
        ("src/core/plan.rs", "use ::kube::Client;", "`core` must not use the crate `kube`"),
        ("src/core/plan.rs", "#[derive(clap::ValueEnum)] enum E {}", "`core` must not use the crate `clap`"),
        ("src/core/plan.rs", "fn f() -> anyhow::Result<()> {}", "`core` must not use the crate `anyhow`"),
        ("src/core/plan.rs", "fn f() { std::fs::read(p) }", "`core` must not touch the outside world"),
        ("src/core/plan.rs", "use std::{collections::BTreeMap, time::{Duration, Instant}};", "(std::time::Instant)"),
        ("src/core/plan.rs", "fn f() { std::time::SystemTime::now(); }", "`core` must not touch the outside world"),
        ("src/core/plan.rs", "fn f() { std::env::var(\"X\"); }", "`core` must not touch the outside world"),
        ("src/core/plan.rs", "use std::net::{IpAddr, TcpStream};", "(std::net::TcpStream)"),
        ("src/core/plan.rs", "fn f() { println!(\"x\") }", "`println!` prints past `ui`"),
        ("src/cluster/api.rs", "use crate::ui::Ui;", "`cluster` must not name `ui`"),
        ("src/cluster/api.rs", "use crate::sandbox::Sandbox;", "`cluster` must not name `sandbox`"),
        ("src/files/mod.rs", "use crate::cluster::Cluster;", "`files` must not name `cluster`"),
        ("src/files/git.rs", "use crate::ui::Ui;", "`files` must not name `ui`"),
        ("src/ui/mod.rs", "use crate::cluster::Cluster;", "`ui` must not name `cluster`"),
        ("src/ui/mod.rs", "use kube::ResourceExt;", "`ui` must not use the crate `kube`"),
        ("src/sandbox/server.rs", "use crate::core::weight;", "`sandbox` must not name `core`"),
        ("src/sandbox/verbs/patch.rs", "use super::super::super::error;", "`sandbox` must not name `error`"),
        ("src/sandbox/server.rs", "use kube::core::Status;", "`sandbox` must not use the crate `kube`"),
        ("src/cli/mod.rs", "use crate::settings::Settings;", "`cli` must not name `settings`"),
        ("src/cli/mod.rs", "fn f() { std::fs::read(p) }", "`cli` must not touch the outside world"),
        ("src/exec.rs", "use crate::ui::Ui;", "`exec` must not name `ui`"),
        ("src/exec.rs", "use super::commands::Context;", "`exec` must not name `commands`"),
        ("src/exec.rs", "fn f(c: kube::Client) {}", "`exec` must not use the crate `kube`"),
        ("src/settings.rs", "use crate::sandbox::Sandbox;", "`settings` must not name `sandbox`"),
        ("src/commands/status.rs", "use crate::sandbox::Sandbox;", "may name the sandbox"),
        ("src/commands/status.rs", "use kube::Client;", "`commands` must not use the crate `kube`"),
        ("src/commands/status.rs", "fn f() { eprintln!(\"x\") }", "`eprintln!` prints past `ui`"),
        ("src/lib.rs", "use crate::cluster::Cluster; fn f(c: kube::Client) {}", "`lib` must not use the crate `kube`"),
        ("src/main.rs", "use clap::Parser;", "`main` must not use the crate `clap`"),
        ("src/gossip/mod.rs", "", "`gossip` is a new top-level module"),
        ("src/probe/load.rs", "use crate::cluster::Cluster;", "`probe` must not name `cluster`"),
    ] {
        let found = violations(file, source);
        assert!(found.len() == 1 && found[0].contains(told), "{file}: `{source}`: {found:?}");
    }
}

#[test]
fn the_checker_sees_nothing_where_nothing_is() {
    for (file, source) in [
        ("src/core/plan.rs", "// use crate::cluster;\n/* kube::Client /* tokio::x */ */ use crate::error::Error;"),
        (
            "src/core/plan.rs",
            r###"const A: &str = "crate::ui::Ui"; const B: &str = r#"kube::"x" "#; const C: char = '"'; fn f<'a>() {}"###,
        ),
        ("src/core/plan.rs", "fn f(kube: u8, route: Route) { route.http.len(); self.clap(); Vec::<u8>::new(); '\\''; }"),
        ("src/core/plan/tests.rs", "use super::super::route::Route; use super::*; mod deeper { use super::super::Plan; }"),
        ("src/core/plan.rs", "use std::{collections::BTreeMap, fmt::Write as _, time::Duration}; use serde::Serialize;"),
        ("src/cli/connection.rs", "use std::path::PathBuf; use std::time::Duration; use clap::Args;"),
        ("src/commands/demo.rs", "use crate::sandbox::Sandbox; use super::sandbox::{self, Temporary};"),
        ("src/commands/status.rs", "fn f() { crate::command(); }"),
    ] {
        assert_eq!(violations(file, source), [] as [String; 0], "{file}: `{source}`");
    }
}
