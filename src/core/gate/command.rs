//! Values out of what programs print.

use super::evaluation::Sample;
use super::{number, web};
use crate::core::lint::{Findings, join};
use crate::core::yaml;
use serde_json::Value;
use std::time::Duration;

/// A program that measures. It runs without a shell; what is known of the run is in its environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Command {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// Whether its exit code is the value; otherwise the last line of its output is.
    pub exit_code: bool,
    /// How long it may run, where the gate file says so.
    pub timeout: Option<Duration>,
}

impl Command {
    /// Reads a list of the program and its arguments, or `{run: [...], value: stdout | exitCode, timeout}`.
    pub(super) fn read(at: &str, query: &Value, found: &mut Findings) -> Option<Self> {
        let (list, map) = (query.get("run").unwrap_or(query), query.as_object());
        let arguments: Option<Vec<String>> = list.as_array().map(|list| list.iter().filter_map(yaml::scalar).collect());
        let Some(arguments) = arguments.filter(|arguments| arguments.first().is_some_and(|program| !program.is_empty())) else {
            found.error(at, "a command is a list: [PROGRAM, ARGUMENT …]; for a script: [sh, -c, SCRIPT]");
            return None;
        };
        let mut command = Self { arguments, ..Self::default() };
        if let Some(map) = map {
            found.keys(at, map, &["run", "value", "timeout"]);
            command.timeout = web::timeout(at, map, found);
            match map.get("value").map(|value| value.as_str().unwrap_or_default()) {
                None | Some("stdout") => {}
                Some("exitCode") => command.exit_code = true,
                Some(_) => found.error(join(at, "value"), "a command's value is `stdout` or `exitCode`"),
            }
        }
        Some(command)
    }

    /// What a program measured that ended with `code`, or by a signal: its exit code, or the number in the last line of its
    /// output.
    pub fn sample(&self, code: Option<i32>, output: &str, complaint: &str) -> Sample {
        let last = |text: &str| text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
        match code {
            None => Sample::failed("a signal ended the program"),
            Some(code) if self.exit_code => Sample::of("", code),
            Some(0) => match last(output) {
                None => Sample::failed("the program printed nothing"),
                Some(line) => match number::measured(&Value::from(line.as_str())) {
                    Some(_) => Sample::of("", line),
                    None => Sample::failed(format!("the program printed `{}`, which is not a number", line.escape_debug())),
                },
            },
            Some(code) => {
                let why = last(complaint).map_or_else(String::new, |line| format!(": {}", line.escape_debug()));
                Sample::failed(format!("the program ended with exit code {code}{why}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_a_number_or_why_not() {
        let measure = Command::default();
        assert_eq!(measure.sample(Some(0), "measured:\n 0.25\n\n", "").number(), Some(0.25));
        for (code, output, says) in [
            (None, "1", "signal"),
            (Some(0), " \n", "printed nothing"),
            (Some(0), "fine", "`fine`"),
            (Some(0), "NaN", "not a number"),
            (Some(3), "1", "exit code 3: no route"),
        ] {
            let sample = measure.sample(code, output, "trying\nno route\n");
            assert!(sample.number().is_none() && sample.message.contains(says), "{sample:?}");
        }
        let check = Command { exit_code: true, ..Command::default() };
        assert_eq!((check.sample(Some(3), "", "").number(), check.sample(None, "", "").number()), (Some(3.0), None));
    }
}
