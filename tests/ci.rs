//! The examples for CI systems hold commands that the program knows, and the exit codes that it has.

use crate::repository::within;
use serde_json::Value;
use std::fs;

const FILES: [&str; 3] = ["fixtures/ci/Jenkinsfile", "fixtures/ci/github.yml", "fixtures/ci/gitlab-ci.yml"];

fn text(file: &str) -> String {
    fs::read_to_string(within(file)).expect("a file")
}

/// The shell lines of a file, its comments left out and continued lines joined.
fn lines(file: &str) -> Vec<String> {
    let text = text(file);
    let comment = |line: &&str| line.trim_start().starts_with('#') || line.trim_start().starts_with("//");
    let plain: Vec<&str> = text.lines().filter(|line| !comment(line)).collect();
    match file.ends_with("gitlab-ci.yml") {
        // A script's entry goes on in the next line by YAML's own rules.
        true => {
            let root: Value = serde_yaml::from_str(&text).expect("YAML");
            let jobs = root.as_object().expect("a map").values();
            let scripts = jobs.filter_map(|job| job.get("script")?.as_array()).flatten();
            scripts.map(|line| line.as_str().expect("a line").to_owned()).collect()
        }
        false => plain.join("\n").replace("\\\n", " ").lines().map(str::to_owned).collect(),
    }
}

/// The words of a command, up to what the shell does with it; variables stand for something.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in command.chars() {
        match (letter, quote) {
            ('"' | '\'', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('|' | '&' | ';' | '>', None) => break,
            (' ', None) => words.push(std::mem::take(&mut word)),
            ('$', _) => word.push('v'),
            (letter, _) => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The commands of a file that run the program.
fn commands(file: &str) -> Vec<Vec<String>> {
    let lines = lines(file);
    let begin = lines.iter().filter(|line| line.trim_start().starts_with("tidegate "));
    begin.map(|line| words(line.trim())).collect()
}

#[test]
fn the_examples_hold_commands_that_the_program_knows() {
    for file in FILES {
        let commands = commands(file);
        assert!(commands.iter().any(|words| words[1..3] == ["send", "new-artifact"]), "{file} sends nothing: {commands:?}");
        for words in commands {
            let parsed = tidegate::command().try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{file}: {}\n{}", words.join(" "), parsed.expect_err("refused"));
        }
    }
}

#[test]
fn the_examples_know_how_a_delivery_ends() {
    use tidegate::exit::{GATE_FAILED, INCONCLUSIVE, ROLLBACK_FAILED, WAITING};
    for file in FILES {
        let text = text(file);
        for code in [GATE_FAILED, INCONCLUSIVE, ROLLBACK_FAILED, WAITING] {
            let known = text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == code.to_string());
            assert!(known, "{file} does not know exit code {code}");
        }
    }
}

#[test]
fn the_examples_are_what_their_systems_read() {
    let github: Value = serde_yaml::from_str(&text("fixtures/ci/github.yml")).expect("YAML");
    let steps = github["jobs"]["carts"]["steps"].as_array().expect("steps");
    assert!(steps.iter().all(|step| step.get("run").is_some() != step.get("uses").is_some()), "a step runs or uses");
    let gitlab: Value = serde_yaml::from_str(&text("fixtures/ci/gitlab-ci.yml")).expect("YAML");
    for stage in gitlab["stages"].as_array().expect("stages") {
        let stage = stage.as_str().expect("a name");
        assert_eq!(gitlab[stage]["stage"], stage, "each job has its stage");
    }
    let braces = text("fixtures/ci/Jenkinsfile");
    assert_eq!(braces.matches('{').count(), braces.matches('}').count());
}
