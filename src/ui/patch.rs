//! The change of a file as a unified diff, which `git apply` and `patch -p1` take.

use super::text::one_line;
use super::{BOLD, GREEN, RED};
use std::fmt::Write as _;

/// So many lines around a change are shown.
const AROUND: usize = 3;

/// A line of a diff.
#[derive(Clone, Copy)]
enum Step<'a> {
    Same(&'a str),
    Old(&'a str),
    New(&'a str),
}

/// The change of one file. `plain` keeps every byte; otherwise what a terminal would obey is spelled out.
pub fn file_diff(name: &str, before: &str, after: &str, plain: bool) -> String {
    let steps = steps(before, after);
    let changed: Vec<usize> = (0..steps.len()).filter(|&place| !matches!(steps[place], Step::Same(_))).collect();
    let name = one_line(name.trim_start_matches('/'));
    let mut text = format!("{BOLD}--- a/{name}{BOLD:#}\n{BOLD}+++ b/{name}{BOLD:#}\n");
    let mut rest = changed.as_slice();
    while let Some(&first) = rest.first() {
        // Changes that are near each other share their surroundings.
        let count = 1 + rest.windows(2).take_while(|pair| pair[1] - pair[0] <= 2 * AROUND).count();
        let last = rest[count - 1];
        rest = &rest[count..];
        let (from, to) = (first.saturating_sub(AROUND), (last + 1 + AROUND).min(steps.len()));
        let lines = |steps: &[Step<'_>], old: bool| {
            let counts = |step: &&Step<'_>| matches!(step, Step::Same(_)) || matches!(step, Step::Old(_)) == old;
            steps.iter().filter(counts).count()
        };
        let range = |old: bool| match (lines(&steps[..from], old), lines(&steps[from..to], old)) {
            (before, 0) => format!("{before},0"),
            (before, 1) => (before + 1).to_string(),
            (before, count) => format!("{},{count}", before + 1),
        };
        let _ = writeln!(text, "@@ -{} +{} @@", range(true), range(false));
        for step in &steps[from..to] {
            let (sign, style, line) = match step {
                Step::Same(line) => (' ', anstyle::Style::new(), line),
                Step::Old(line) => ('-', RED, line),
                Step::New(line) => ('+', GREEN, line),
            };
            let (line, end) = line.strip_suffix('\n').map_or((*line, "\n\\ No newline at end of file"), |line| (line, ""));
            let shown = if plain { line.to_owned() } else { one_line(line.trim_end_matches('\r')).replace("\\t", "\t") };
            let _ = writeln!(text, "{style}{sign}{shown}{style:#}{end}");
        }
    }
    text
}

/// The steps from one text to the other. Few lines differ and stand where they stood, so that the nearest line that both
/// have again is where they agree again.
fn steps<'a>(before: &'a str, after: &'a str) -> Vec<Step<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let (mut i, mut j, mut steps) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && old.get(i) == new.get(j) {
            steps.push(Step::Same(old[i]));
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let most = old.len() - i + new.len() - j;
        let agree = |skipped: usize, of_old: usize| {
            let (at, to) = (i + of_old, j + skipped - of_old);
            at < old.len() && old.get(at) == new.get(to)
        };
        let again = (1..most).find_map(|skipped| Some((skipped, (0..=skipped).find(|&of_old| agree(skipped, of_old))?)));
        let (of_old, of_new) = match again {
            Some((skipped, of_old)) => (of_old, skipped - of_old),
            None => (old.len() - i, new.len() - j),
        };
        steps.extend(old[i..i + of_old].iter().map(|line| Step::Old(line)));
        steps.extend(new[j..j + of_new].iter().map(|line| Step::New(line)));
        (i, j) = (i + of_old, j + of_new);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(before: &str, after: &str) -> String {
        anstream::adapter::strip_str(&file_diff("a.yaml", before, after, true)).to_string()
    }

    #[test]
    fn near_changes_share_a_hunk_and_far_ones_do_not() {
        let before: String = (1..=20).map(|line| format!("{line}\n")).collect();
        let after = before.replace("\n2\n", "\nx\n").replace("\n5\n", "\ny\n").replace("\n19\n", "\n");
        assert_eq!(
            plain(&before, &after),
            "--- a/a.yaml\n+++ b/a.yaml\n@@ -1,8 +1,8 @@\n 1\n-2\n+x\n 3\n 4\n-5\n+y\n 6\n 7\n 8\n\
             @@ -16,5 +16,4 @@\n 16\n 17\n 18\n-19\n 20\n"
        );
    }

    #[test]
    fn a_line_more_and_the_end_of_the_file() {
        assert_eq!(
            plain("a\nb", "a\nx\nb"),
            "--- a/a.yaml\n+++ b/a.yaml\n@@ -1,2 +1,3 @@\n a\n+x\n b\n\\ No newline at end of file\n"
        );
        assert_eq!(plain("", "a\n"), "--- a/a.yaml\n+++ b/a.yaml\n@@ -0,0 +1 @@\n+a\n");
        assert_eq!(plain("a\r\n", "b\r\n"), "--- a/a.yaml\n+++ b/a.yaml\n@@ -1 +1 @@\n-a\r\n+b\r\n");
    }
}
