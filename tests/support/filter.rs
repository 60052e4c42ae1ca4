//! Takes out of a text what differs from run to run.

use regex::Regex;
use std::sync::LazyLock;

static FILTERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"\b\d+[smhdy](\d+[smh])? by ", "AGE by "),
        (r"-\d{8}-\d{6}\b", "-STAMP"),
        (r"127\.0\.0\.1:\d{4,5}", "SERVER"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r#"[^\s"'`]*/tidegate-test-\w+"#, "DIR"),
    ]
    .map(|(pattern, word)| (Regex::new(pattern).expect("a pattern"), word))
    .into()
});

/// `text` with times, ports, ids and temporary directories replaced by words.
pub fn filtered(text: &str) -> String {
    FILTERS.iter().fold(text.to_owned(), |text, (pattern, word)| pattern.replace_all(&text, *word).into_owned())
}
