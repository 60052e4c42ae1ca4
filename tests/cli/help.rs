//! What is said before anything is done.

use crate::support::*;
use clap::{Arg, Command};
use std::collections::BTreeMap;

/// Every command that people see, with the words that lead to it.
fn commands() -> Vec<(String, Command)> {
    fn walk(path: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let path = format!("{path} {}", sub.get_name()).trim().to_owned();
            walk(&path, sub, found);
            found.push((path, sub.clone()));
        }
    }
    let mut command = tidegate::command();
    command.build();
    let mut found = Vec::new();
    walk("", &command, &mut found);
    found
}

fn arguments() -> Vec<(String, Arg)> {
    let of = |(path, command): (String, Command)| {
        command.get_arguments().map(|argument| (path.clone(), argument.clone())).collect::<Vec<_>>()
    };
    commands().into_iter().flat_map(of).collect()
}

#[test]
fn every_command_has_an_example_behind_a_comment() {
    for (path, _) in commands() {
        let output = tidegate(&path).arg("--help").succeeds();
        let lines: Vec<&str> = output.stdout.lines().collect();
        let example = lines.windows(2).any(|two| two[0].starts_with("  # ") && two[1].trim_start().starts_with(['t', 's']));
        assert!(example, "{path}: {output}");
        assert!(!output.stdout.contains("$ tidegate"), "{path}: {output}");
        assert!(output.stdout.lines().all(|line| line.chars().count() <= 120), "{path}: {output}");
    }
}

#[test]
fn examples_are_taken_by_the_parser() {
    for (path, _) in commands() {
        let output = tidegate(&path).arg("--help").succeeds();
        let own = |line: &&str| line.starts_with("tidegate ") && !line.ends_with("<COMMAND>");
        for line in output.stdout.lines().map(str::trim).filter(own) {
            let words: Vec<&str> = line.split(" > ").next().unwrap_or_default().split_whitespace().collect();
            let parsed = tidegate::command().try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
        }
    }
}

#[test]
fn flags_are_described_alike() {
    for (path, argument) in arguments() {
        let name = argument.get_id();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.starts_with(char::is_uppercase), "{path} {name}: {help}");
        assert!(!help.ends_with('.'), "{path} {name}: {help}");
        if let Some(long) = argument.get_long() {
            let plain = long.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
            assert!(plain, "{path} --{long}");
        }
        if argument.get_short().is_some() {
            assert!(argument.get_long().is_some(), "{path} -{:?} has no long flag", argument.get_short());
        }
        if argument.get_action().takes_values() {
            let names: Vec<String> = argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
            let upper = |name: &String| name.chars().all(|letter| letter.is_ascii_uppercase() || "/_".contains(letter));
            assert!(!names.is_empty() && names.iter().all(upper), "{path} {name}: {names:?}");
        }
    }
}

#[test]
fn a_letter_means_the_same_everywhere() {
    let mut letters: BTreeMap<char, String> = BTreeMap::new();
    for (path, argument) in arguments() {
        if let (Some(short), Some(long)) = (argument.get_short(), argument.get_long()) {
            let known = letters.entry(short).or_insert_with(|| long.to_owned());
            assert_eq!(known, long, "{path} -{short}");
        }
    }
    let of = |letter: char| letters.get(&letter).map(String::as_str);
    // kubectl's letters.
    for (letter, long) in [('n', "namespace"), ('A', "all-namespaces"), ('l', "selector"), ('o', "output"), ('s', "server")] {
        assert_eq!(of(letter), Some(long));
    }
    for (letter, long) in [('q', "quiet"), ('y', "yes"), ('h', "help")] {
        assert_eq!(of(letter), Some(long));
    }
}

#[test]
fn commands_are_described_alike() {
    for (path, command) in commands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(about.starts_with(char::is_uppercase) && !about.ends_with('.'), "{path}: {about}");
    }
    tidegate::command().debug_assert();
}

#[test]
fn secrets_are_warned_of() {
    for (path, argument) in arguments() {
        if let Some("token" | "password") = argument.get_long() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("other users"), "{path}: {help}");
        }
    }
}

#[test]
fn the_short_help_fits_a_screen() {
    let output = tidegate("-h").succeeds();
    assert!(output.stdout.lines().count() <= 50, "{output}");
    for (path, _) in commands() {
        let output = tidegate(&path).arg("-h").succeeds();
        assert!(output.stdout.lines().count() <= 45, "{path}: {output}");
    }
}

#[test]
fn help_is_answered_without_files_or_servers() {
    let run = tidegate("help shift").with("/nowhere").run();
    assert_eq!(run.status, Some(0));
    // The same text as the flag's.
    assert_eq!(run.raw, tidegate("shift --help").run().raw);
    for topic in ["delivery", "environment", "exit-codes", "formats", "gates", "gitops", "rbac", "sources", "tests", "weights"] {
        let output = tidegate("help").arg(topic).succeeds();
        assert!(output.stdout.lines().count() > 5, "{output}");
    }
    let output = tidegate("help").succeeds();
    assert!(output.stdout.contains("Commands:"), "{output}");
    // Without a word it says the same, as an error.
    assert_eq!(tidegate("").run().status, Some(2));
}

#[test]
fn the_role_that_help_prints_is_enough() {
    let output = tidegate("help rbac").succeeds();
    let first = output.raw.split("---\n").next().expect("a document");
    let role: serde_json::Value = serde_yaml::from_str(first).expect("YAML");
    let allowed = |resource: &str, verb: &str| {
        role["rules"].as_array().expect("rules").iter().any(|rule| {
            let has = |key: &str, value: &str| rule[key].as_array().is_some_and(|list| list.iter().any(|one| one == value));
            has("resources", resource) && has("verbs", verb)
        })
    };
    // Whatever the commands ask for is in it.
    let sandbox = Sandbox::new();
    for line in [
        "status",
        "shift carts --weights 80/20",
        "shift carts orders --weights 70/30",
        "promote carts",
        "rollback carts",
        "history carts",
    ] {
        tidegate(line).on(&sandbox).succeeds();
    }
    // Which projects there are is asked of who may say it; who may not is shown the rest.
    let projects = |line: &&str| line.contains("/namespaces?") && line.contains("labelSelector=tidegate%2Fproject");
    for line in sandbox.requests().lines().filter(|line| !projects(line)) {
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path: Vec<&str> = target.split('?').next().unwrap_or_default().split('/').collect();
        let place = path.iter().position(|part| *part == "namespaces").expect("a namespaced request");
        let (resource, name) = match path.get(place + 2) {
            Some(resource) => (*resource, path.get(place + 3)),
            None => ("namespaces", path.get(place + 1)),
        };
        let verb = match (method, name) {
            ("PATCH", _) => "patch",
            (_, Some(_)) => "get",
            _ => "list",
        };
        assert!(allowed(resource, verb), "{line}");
    }
}

#[test]
fn as_a_plugin_it_speaks_of_kubectl() {
    let directory = directory();
    let plugin = directory.path().join("kubectl-tidegate");
    std::os::unix::fs::symlink(run::PROGRAM, &plugin).expect("a link");
    let output = std::process::Command::new(&plugin).arg("shift").env_clear().output().expect("runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("Usage: kubectl tidegate shift"), "{stderr}");
}
