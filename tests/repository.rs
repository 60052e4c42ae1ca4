//! What the tests of the repository share: where it is, and its program.

use std::path::PathBuf;
use std::process::Command;

/// A path in the repository.
pub fn within(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether generated files are to be written anew instead of compared.
pub fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

/// The program, with nothing of the user's settings.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    isolate(&mut command);
    command
}

/// Takes the user's settings out of a command's environment.
pub fn isolate(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("TIDEGATE_") || text.starts_with("XDG_") || text.ends_with("COLOR_FORCE") || text == "KUBECONFIG" {
            command.env_remove(&name);
        }
    }
    command.env("NO_COLOR", "1").env("USER", "alice");
}

/// Runs `command`, which must succeed, and gives its standard output.
pub fn stdout(command: &mut Command) -> String {
    let output = command.output().expect("the command starts");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}\n{text}{errors}", output.status);
    text.into_owned()
}
