//! What no file of the repository may hold: hosts of package registries, paths of a machine, marks of unfinished work.

use crate::repository::within;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What no file may hold. In pieces, so that this file does not hold it.
fn forbidden() -> Vec<(String, &'static str)> {
    let join = |parts: &[&str]| parts.concat();
    vec![
        (join(&["proxy.go", "lang.org"]), "the host of a package registry"),
        (join(&["index.cra", "tes.io"]), "the host of a package registry"),
        (join(&["static.cra", "tes.io"]), "the host of a package registry"),
        (join(&["deb.deb", "ian.org"]), "the host of a package registry"),
        (join(&["/ro", "ot/"]), "a path of somebody's machine"),
        (join(&["/ho", "me/"]), "a path of somebody's machine"),
        (join(&["/Us", "ers/"]), "a path of somebody's machine"),
        (join(&["/wo", "rk/"]), "a path of somebody's machine"),
        (join(&["TO", "DO"]), "a marker of unfinished work"),
        (join(&["FIX", "ME"]), "a marker of unfinished work"),
        (join(&["XX", "X"]), "a marker of unfinished work"),
        (join(&["to", "do!("]), "a marker of unfinished work"),
    ]
}

/// What is forbidden in a text, by line: the words as words, the rest where a path or a name begins.
fn unwanted(text: &str) -> Vec<(usize, &'static str)> {
    let forbidden = forbidden();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let holds = |line: &str, what: &str| {
        line.match_indices(what).any(|(at, _)| {
            let (before, after) = (line[..at].chars().next_back(), line[at + what.len()..].chars().next());
            let inside = |c: Option<char>| c.is_some_and(|c| word(c) || c == '.');
            let goes_on = what.ends_with(word) && after.is_some_and(word);
            !inside(before) && !goes_on
        })
    };
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let reasons = forbidden.iter().filter(|(what, _)| holds(line, what));
        found.extend(reasons.map(|(_, why)| (number + 1, *why)));
    }
    found
}

#[test]
fn the_repository_speaks_of_itself_alone() {
    let mut wrong = String::new();
    let mut files = 0;
    each_file(&within(""), &mut |path| {
        // The lock file's registry is cargo's own notation; the licence's words are not ours.
        if ["Cargo.lock", "LICENSE"].iter().any(|name| path.ends_with(name)) {
            return;
        }
        let Ok(text) = fs::read_to_string(path) else { return };
        files += 1;
        for (line, why) in unwanted(&text) {
            writeln!(wrong, "{}:{line}: {why}", path.display()).expect("a string");
        }
    });
    assert!(files > 80, "only {files} files were found");
    assert!(wrong.is_empty(), "not meant to be in the repository:\n{wrong}");
}

fn each_file(folder: &Path, see: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("read the repository") {
        let path = entry.expect("read the repository").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name == "target" || name == ".git" {
            continue;
        }
        if path.is_dir() { each_file(&path, see) } else { see(&path) }
    }
}

#[test]
fn unwanted_text_is_seen() {
    for (what, _) in forbidden() {
        assert_eq!(unwanted(&format!("a line\n# see {what} there")).len(), 1, "{what}");
    }
    for harmless in ["mktemp dir.XXXXXX", "$HOME/work/x", "methodology", "/tmp/work"] {
        assert!(unwanted(harmless).is_empty(), "{harmless}");
    }
}
