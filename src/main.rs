//! The `tidegate` program.

use std::process::ExitCode;

/// The static program's: musl's own asks the system for every few pages, which is a quarter of the CPU time of a shift.
#[cfg(target_env = "musl")]
#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    // Answers a shell that asks for completions and ends, before anything else runs or prints.
    tidegate::complete::answer_shell();
    tidegate::run(std::env::args_os().collect())
}
