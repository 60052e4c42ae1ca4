//! `help`: a command's own help, or a topic.

use crate::cli::TOPICS;
use crate::core::suggest;
use crate::error::{Error, Result};
use crate::exit;
use crate::ui::Ui;

pub fn run(ui: &Ui, path: &[String]) -> Result<()> {
    if let [one] = path
        && let Some(topic) = TOPICS.iter().find(|topic| topic.name == one)
    {
        ui.answer(&if topic.text.is_empty() { exit_codes() } else { topic.text.to_owned() });
        return Ok(());
    }
    let mut command = crate::command();
    if crate::is_kubectl_plugin(std::env::args_os().next().as_ref()) {
        command = command.bin_name("kubectl tidegate");
    }
    // Fills in the flags and the usage that the subcommands inherit.
    command.build();
    let mut current = &mut command;
    for name in path {
        let known: Vec<String> = current.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        current = match known.contains(name) {
            true => current.find_subcommand_mut(name).ok_or_else(|| unknown(name, &known))?,
            false => return Err(unknown(name, &known)),
        };
    }
    ui.answer(&current.render_long_help().ansi().to_string());
    Ok(())
}

fn unknown(name: &str, commands: &[String]) -> Error {
    let topics = TOPICS.iter().map(|topic| topic.name);
    let error = Error::usage(format!("there is no help on `{}`", name.escape_debug()));
    let all = commands.iter().map(String::as_str).filter(|name| !name.starts_with("__")).chain(topics.clone());
    match suggest::nearest(name, all) {
        Some(near) => error.hint(format!("`tidegate help {near}`")),
        None => error.hint(format!("topics: {}", topics.collect::<Vec<_>>().join(", "))),
    }
}

/// The exit codes, from their table.
fn exit_codes() -> String {
    exit::TABLE.iter().map(|(code, meaning)| format!("{code:>5}  {meaning}\n")).collect()
}
