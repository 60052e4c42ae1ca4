//! What is generated and committed: the man pages and the completion scripts. `UPDATE=1 cargo test` writes the pages anew.

use crate::repository::{program, stdout, updating, within};
use clap_mangen::{Man, roff};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

// ---- man pages -----------------------------------------------------------------------------------------------------

#[test]
fn the_man_pages_are_those_of_the_command_line() {
    let wanted = pages();
    let folder = within("man");
    if updating() {
        fs::create_dir_all(&folder).expect("make man/");
        for (name, page) in &wanted {
            fs::write(folder.join(name), page).expect("write a page");
        }
        for name in committed(&folder).into_keys().filter(|name| !wanted.contains_key(name)) {
            fs::remove_file(folder.join(name)).expect("remove a page");
        }
    }
    let found = committed(&folder);
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "`UPDATE=1 cargo test` writes man/ anew");
    for (name, page) in &wanted {
        assert!(&found[name] == page, "man/{name} is not what the command line says: `UPDATE=1 cargo test` writes it anew");
    }
}

fn committed(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).expect("read man/").map(|entry| entry.expect("read man/"));
    entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path()).expect("read a page")))
        .collect()
}

/// One page a command, by file name.
fn pages() -> BTreeMap<String, String> {
    let mut command = tidegate::command();
    command.build();
    let mut pages = BTreeMap::from([("tidegate.1".to_owned(), main_page(&command))]);
    collect(&command, &mut pages);
    pages
}

fn collect(command: &clap::Command, pages: &mut BTreeMap<String, String>) {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let man = man(sub);
        pages.insert(man.get_filename(), written(|page| man.render(page)));
        collect(sub, pages);
    }
}

fn man(command: &clap::Command) -> Man {
    // A page is the long help: clap_mangen would leave out the texts that the short one hides.
    let command = command.clone().mut_args(|arg| arg.hide_short_help(false));
    Man::new(command).source(format!("tidegate {}", env!("CARGO_PKG_VERSION"))).manual("tidegate")
}

/// The program's own page: the help topics are sections of it.
fn main_page(command: &clap::Command) -> String {
    let man = man(command);
    let mut page = written(|page| {
        man.render_title(page)?;
        man.render_name_section(page)?;
        man.render_synopsis_section(page)?;
        man.render_description_section(page)?;
        man.render_options_section(page)?;
        man.render_subcommands_section(page)
    });
    for topic in &tidegate::cli::TOPICS {
        let title = match topic.name {
            "exit-codes" => "EXIT STATUS".to_owned(),
            name => name.to_uppercase(),
        };
        let text = stdout(program().args(["help", topic.name]));
        let mut section = roff::Roff::new();
        section.control("SH", [title.as_str()]).control("nf", []);
        for line in text.lines() {
            section.text([roff::roman(line)]);
        }
        section.control("fi", []);
        page += &section.to_roff();
    }
    page
}

/// What `render` writes. Each part brings the definition of the apostrophe with it: once a page is enough.
fn written(render: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";
    let mut page = Vec::new();
    render(&mut page).expect("render a page");
    let page = String::from_utf8(page).expect("a page in UTF-8");
    APOSTROPHE.to_owned() + &page.replace(APOSTROPHE, "")
}

// ---- help ----------------------------------------------------------------------------------------------------------

#[test]
fn the_help_keeps_its_conventions() {
    let mut command = tidegate::command();
    command.build();
    let mut letters = BTreeMap::new();
    each(&mut command, &mut |command| {
        let name = command.get_bin_name().unwrap_or_default().to_owned();
        let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
        let mut lines = long.lines().skip_while(|line| *line != "Examples:").skip(1);
        assert!(lines.next().is_some_and(|line| line.starts_with("  # ")), "{name}: the help has no example");
        assert!(lines.next().is_some_and(|line| line.starts_with("  ") && line.contains("tidegate")), "{name}: no example");
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with(char::is_uppercase) && !help.ends_with('.'), "{name}: {}: `{help}`", arg.get_id());
            for value in arg.get_value_names().into_iter().flatten().filter(|_| arg.get_action().takes_values()) {
                assert!(value.chars().all(|c| c.is_ascii_uppercase() || "/-".contains(c)), "{name}: {value}");
            }
            if let Some(letter) = arg.get_short() {
                let long = arg.get_long().expect("a letter has a long name beside it").to_owned();
                assert_eq!(letters.entry(letter).or_insert_with(|| long.clone()), &long, "{name}: -{letter} means two things");
            }
        }
        for line in command.render_long_help().to_string().lines().chain(command.render_help().to_string().lines()) {
            assert!(line.chars().count() <= 100, "{name}: wider than 100 columns: {line}");
        }
    });
    for topic in &tidegate::cli::TOPICS {
        for line in topic.text.lines() {
            assert!(line.chars().count() <= 80, "{}: wider than 80 columns: {line}", topic.name);
        }
    }
}

fn each(command: &mut clap::Command, check: &mut dyn FnMut(&mut clap::Command)) {
    check(command);
    command.get_subcommands_mut().filter(|sub| !sub.is_hide_set()).for_each(|sub| each(sub, check));
}

// ---- completion ----------------------------------------------------------------------------------------------------

#[test]
fn completion_prints_the_committed_scripts() {
    for (shell, file) in [
        ("bash", "tidegate.bash"),
        ("elvish", "tidegate.elv"),
        ("fish", "tidegate.fish"),
        ("powershell", "tidegate.ps1"),
        ("zsh", "_tidegate"),
    ] {
        let script = fs::read_to_string(within("completions").join(file)).expect("read a script");
        assert_eq!(stdout(program().args(["completion", shell])), script, "{file}");
        assert!(!stdout(program().env("TIDEGATE_COMPLETE", shell)).is_empty(), "{shell}: the engine has no script of its own");
    }
}

/// The candidates that the engine gives bash for the last of `words`.
fn candidates(runner: &mut Command, words: &[&str]) -> Vec<String> {
    let index = (words.len() - 1).to_string();
    runner.env("TIDEGATE_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n");
    let text = stdout(runner.arg("--").args(words));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_engine_completes_commands_flags_and_values() {
    let complete = |words: &[&str]| candidates(&mut program(), words);
    assert_eq!(complete(&["tidegate", "shi"]), ["shift"]);
    assert_eq!(complete(&["tidegate", "shift", "--weig"]), ["--weights"]);
    assert_eq!(complete(&["tidegate", "shift", "--dry-run=s"]), ["--dry-run=server"]);
    assert_eq!(complete(&["tidegate", "help", "exi"]), ["exit-codes"]);
    // Without a cluster there is nothing to offer, and nothing to complain about.
    assert_eq!(complete(&["tidegate", "shift", "--kubeconfig", "/nowhere", "ca"]), [] as [&str; 0]);
}

#[test]
fn bash_completes_with_names_from_the_cluster() {
    // What bash does when somebody presses Tab: look up the function, set these variables, call it.
    let script = r#"
        source completions/tidegate.bash
        complete -p tidegate
        press() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
            _clap_complete_tidegate tidegate "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${*: -1}: ${COMPREPLY[*]}"
        }
        press tidegate roll
        press tidegate shift ca
        press tidegate -n hands-on status rev
        press tidegate promote carts --to gr
        press tidegate status -n sockshop-s
    "#;
    let text = in_sandbox("bash", script);
    let (registered, answers) = text.split_once('\n').expect("more than a line");
    assert!(registered.contains("-F _clap_complete_tidegate tidegate"), "{registered}");
    assert_eq!(
        answers, "roll: rollback\nca: carts carts-db\nrev: review-vs\ngr: green\nsockshop-s: sockshop-staging\n",
        "answers of bash"
    );
}

#[test]
fn fish_and_zsh_complete_where_they_are_installed() {
    let fish = r#"
        source completions/tidegate.fish
        complete -C 'tidegate shift ca'
        complete -C 'tidegate promote carts --to gr'
    "#;
    // Found by its first line and loaded when it is first needed; what would be shown is printed.
    let zsh = r#"
        fpath=(completions $fpath)
        autoload -U compinit && compinit -u -D
        _describe() { print -rl -- ${(P)@[-1]} }
        words=(tidegate shift ca) CURRENT=3
        $_comps[tidegate]
        words=(tidegate promote carts --to gr) CURRENT=5
        $_comps[tidegate]
    "#;
    for (shell, script, told) in [
        ("fish", fish, "carts\tblue 100, green 0\ncarts-db\ngreen\n"),
        ("zsh", zsh, "carts:blue 100, green 0\ncarts-db\ngreen\n"),
    ] {
        if Command::new(shell).args(["-c", "exit"]).status().is_ok() {
            assert_eq!(in_sandbox(shell, script), told, "{shell}");
        }
    }
}

#[test]
fn kubectl_gets_its_candidates() {
    // kubectl finds both by name in the PATH, and takes the last line for cobra's directive: 4, no file names.
    let script = r#"
        plugins=$(mktemp -d)
        trap 'rm -r "$plugins"' EXIT
        ln -s "$(command -v tidegate)" "$plugins/kubectl-tidegate"
        ln -s "$PWD/completions/kubectl_complete-tidegate" "$plugins"
        PATH=$plugins:$PATH
        kubectl_complete-tidegate shift ca
        kubectl_complete-tidegate promote carts --to ''
        kubectl_complete-tidegate histor
        kubectl-tidegate shift 2>&1 | grep Usage
        kubectl-tidegate help sandbox up | grep Usage
    "#;
    let text = in_sandbox("bash", script);
    assert_eq!(
        text,
        "carts\tblue 100, green 0\ncarts-db\n:4\n\
         blue\ngreen\n:4\n\
         history\tShow the recorded changes of a service\n:4\n\
         Usage: kubectl tidegate shift --weights <W/W> <SERVICE>...\n\
         Usage: kubectl tidegate sandbox up [OPTIONS]\n"
    );
}

/// Runs a script of a shell in a sandbox, with the program in the PATH and the repository as its working directory.
fn in_sandbox(shell: &str, script: &str) -> String {
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut command = program();
    command.args(["sandbox", "run", "--", shell, "-c", script]).current_dir(within(""));
    command.env("HOME", home.path()).env("PATH", path_with_program());
    stdout(&mut command)
}

/// PATH with the program's folder first.
fn path_with_program() -> std::ffi::OsString {
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_tidegate"));
    let folder = folder.parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(folder).chain(std::env::split_paths(&path));
    std::env::join_paths(all).expect("a PATH")
}

#[test]
fn the_script_for_kubectl_can_be_run() {
    let script = within("completions").join("kubectl_complete-tidegate");
    let metadata = fs::metadata(&script).expect("the script");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(metadata.permissions().mode() & 0o111, 0o111);
    }
    assert!(metadata.is_file() && script.file_name() == Some(OsStr::new("kubectl_complete-tidegate")));
}
