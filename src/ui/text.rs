//! Text for terminals and for machines.

use serde::Serialize;

/// `text` without control characters: names come from other people, and a terminal obeys what it is sent.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|letter| if letter.is_control() && letter != '\n' { letter.escape_default().collect() } else { vec![letter] })
        .collect()
}

/// As [`printable`], on one line: a name must not look like a line of ours.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// A value as one JSON document or as YAML, with a final newline.
pub fn data(value: &impl Serialize, yaml: bool) -> String {
    match yaml {
        true => serde_yaml::to_string(value).unwrap_or_default(),
        false => serde_json::to_string_pretty(value).unwrap_or_default() + "\n",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(super::printable("a\u{1b}[31mb\nc\r"), "a\\u{1b}[31mb\nc\\r");
        assert_eq!(super::one_line("a\u{1b}[31mb\nc\r"), "a\\u{1b}[31mb\\nc\\r");
    }
}
