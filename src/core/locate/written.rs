//! The characters of a scalar as its file writes them: with quotes, escapes, indents and folded lines.

use super::Position;
use granit_parser::ScalarStyle;

/// The place of the character that has `before` others before it; behind the last one for an end. `start` is where the
/// scalar begins, with its quote or the sign of a block.
pub fn character(source: &str, start: Position, style: ScalarStyle, before: usize) -> Option<Position> {
    let lines: Vec<Vec<char>> = source.lines().map(|line| line.chars().collect()).collect();
    match style {
        ScalarStyle::Literal | ScalarStyle::Folded => block(&lines, start, before),
        _ => flow(&lines, start, style, before),
    }
}

/// `|` and `>`: each line behind its indent, and one character for its end.
fn block(lines: &[Vec<char>], start: Position, before: usize) -> Option<Position> {
    let blank = |line: &Vec<char>| line.iter().all(|letter| letter.is_whitespace());
    let opens = |line: &Vec<char>| line.iter().any(|letter| matches!(letter, '|' | '>'));
    // Some begin at their sign, some at their first line.
    let first = if lines.get(start.line - 1).is_some_and(opens) && start.column > 1 { start.line } else { start.line - 1 };
    let indent = lines.iter().skip(first).find(|line| !blank(line))?.iter().take_while(|letter| **letter == ' ').count();
    let mut left = before;
    for (number, line) in lines.iter().enumerate().skip(first) {
        let length = line.len().saturating_sub(indent);
        if left <= length {
            return Some(Position { line: number + 1, column: indent.min(line.len()) + left + 1 });
        }
        left -= length + 1;
    }
    None
}

/// Plain or in quotes. The end of a line with the indent behind it is one blank.
fn flow(lines: &[Vec<char>], start: Position, style: ScalarStyle, before: usize) -> Option<Position> {
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    let (mut line, mut column) = (start.line - 1, start.column - 1 + usize::from(quoted));
    for _ in 0..before {
        let text = lines.get(line)?;
        let letter = |ahead: usize| text.get(column + ahead);
        column += match (letter(0), style) {
            (None, _) => {
                line += 1;
                column = lines.get(line)?.iter().take_while(|letter| letter.is_whitespace()).count();
                continue;
            }
            (Some('\\'), ScalarStyle::DoubleQuoted) => match letter(1) {
                Some('x') => 4,
                Some('u') => 6,
                Some('U') => 10,
                _ => 2,
            },
            (Some('\''), ScalarStyle::SingleQuoted) if letter(1) == Some(&'\'') => 2,
            _ => 1,
        };
    }
    Some(Position { line: line + 1, column: column + 1 })
}
