//! The `tidegate` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Answers a shell that asks for completions and ends, before anything else runs or prints.
    tidegate::complete::answer_shell();
    tidegate::run(std::env::args_os().collect())
}
