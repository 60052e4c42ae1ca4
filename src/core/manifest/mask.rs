//! Go templates under YAML: each `{{ … }}` gives way to as many bytes that YAML takes for nothing or for a word.
//!
//! What stands for itself (`{{- if … }}` alone on its line) becomes empty lines, which YAML allows everywhere; what stands
//! within a line becomes a word that no manifest has, so that a scalar can be given its source text back. Every byte
//! outside stays where it is, so that places in the masked text are places in the source.

use std::ops::Range;

/// What an action does to the text around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Writes something.
    Output,
    /// Writes nothing: a comment, a variable.
    Silent,
    /// Begins a part that is written several times or not at all.
    Open,
    /// Begins another branch, or leaves the part early.
    Branch,
    /// Ends a part.
    End,
}

/// One `{{ … }}`.
#[derive(Clone, Debug)]
pub(super) struct Action {
    /// Its bytes, braces included.
    pub range: Range<usize>,
    /// What it does.
    pub sort: Sort,
    /// Whether a word stands for it; else nothing does.
    pub word: bool,
    /// For one that opens: where its part ends, behind `{{ end }}`.
    pub until: usize,
}

/// A text without its actions.
#[derive(Clone, Debug)]
pub(super) struct Masked {
    /// As many bytes as the source has.
    pub text: String,
    /// In order.
    pub actions: Vec<Action>,
    /// The branches that were left out.
    pub hidden: Vec<Range<usize>>,
}

/// The first of the characters that begin a word: private ones, three bytes long.
const FIRST: u32 = 0xE000;

/// Two of these follow, and tell a word from others.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The shortest action, `{{.}}`; a word is as long.
const SHORTEST: usize = 5;

/// Masks the actions of `source`; with `first_branch` also all branches but the first.
pub(super) fn mask(source: &str, first_branch: bool) -> Masked {
    let mut actions = actions(source);
    let mut masked = Masked { text: String::new(), actions: Vec::new(), hidden: Vec::new() };
    if actions.is_empty() {
        masked.text = source.to_owned();
        return masked;
    }
    let mut fills = vec![Fill::Lines; actions.len()];
    let mut first = 0;
    while first < actions.len() {
        let line = line(source, &actions, first);
        judge(source, &mut actions[line.clone()], &mut fills[line.clone()]);
        first = line.end;
    }
    let branches = blocks(source, &mut actions, &mut fills);
    if first_branch {
        masked.hidden = branches;
    }
    let mut bytes = Vec::with_capacity(source.len());
    for (index, (action, fill)) in actions.iter().zip(&fills).enumerate() {
        bytes.extend_from_slice(&source.as_bytes()[bytes.len()..action.range.start]);
        match fill {
            Fill::Lines => bytes.resize(action.range.end, b'\n'),
            Fill::Blanks => bytes.resize(action.range.end, b' '),
            Fill::Document => {
                bytes.resize(action.range.end - MARK.len(), b'\n');
                bytes.extend_from_slice(MARK);
            }
            Fill::Word => word(index, action.range.end, &mut bytes),
        }
    }
    bytes.extend_from_slice(&source.as_bytes()[bytes.len()..]);
    for range in &masked.hidden {
        bytes[range.clone()].fill(b'\n');
    }
    // Whole actions were replaced by whole characters.
    masked.text = String::from_utf8_lossy(&bytes).into_owned();
    masked.actions = actions;
    masked
}

/// What an action is filled with.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    Lines,
    Blanks,
    Word,
    /// Lines, and the mark of a new document.
    Document,
}

/// Begins a document.
const MARK: &[u8] = b"---\n";

fn word(index: usize, end: usize, bytes: &mut Vec<u8>) {
    let (high, low) = (index / (62 * 62), index % (62 * 62));
    let letter = u32::try_from(high).ok().and_then(|high| char::from_u32(FIRST + high.min(0x18FF))).unwrap_or('\u{e000}');
    bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    bytes.extend_from_slice(&[DIGITS[low / 62], DIGITS[low % 62]]);
    bytes.resize(end, b'x');
}

impl Masked {
    /// A value's text with the source of each word in it.
    pub fn source(&self, source: &str, value: &str) -> String {
        let mut text = String::with_capacity(value.len());
        let mut rest = value;
        while let Some(letter) = rest.chars().next() {
            let known = self.known(rest).and_then(|range| Some((source.get(range.clone())?, rest.get(range.len()..)?)));
            match known {
                Some((action, behind)) => {
                    text.push_str(action);
                    rest = behind;
                }
                None => {
                    text.push(letter);
                    rest = &rest[letter.len_utf8()..];
                }
            }
        }
        text
    }

    /// The action whose word `rest` begins with.
    fn known(&self, rest: &str) -> Option<Range<usize>> {
        let high = u32::from(rest.chars().next()?).checked_sub(FIRST).filter(|high| *high < 0x1900)?;
        let digit = |at: usize| DIGITS.iter().position(|digit| Some(digit) == rest.as_bytes().get(at));
        let index = usize::try_from(high).ok()? * 62 * 62 + digit(3)? * 62 + digit(4)?;
        self.actions.get(index).filter(|action| action.word).map(|action| action.range.clone())
    }

    /// The actions that touch `range`.
    pub fn within(&self, range: Range<usize>) -> &[Action] {
        let first = self.actions.partition_point(|action| action.range.end <= range.start);
        let end = self.actions.partition_point(|action| action.range.start < range.end);
        &self.actions[first..end.max(first)]
    }

    /// The end of the line that `at` is in, in `source`: line ends inside of an action do not count.
    pub fn line_end(&self, source: &str, mut at: usize) -> usize {
        loop {
            let Some(end) = source.get(at..).and_then(|rest| rest.find('\n')).map(|found| at + found) else {
                return source.len();
            };
            match self.within(end..end + 1) {
                [action, ..] => at = action.range.end,
                [] => return end,
            }
        }
    }
}

/// Finds the actions of a text.
fn actions(source: &str) -> Vec<Action> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = source[at..].find("{{").map(|found| at + found) {
        let Some(end) = end(source, start) else { break };
        if end - start >= SHORTEST {
            let sort = sort(&source[start..end]);
            found.push(Action { range: start..end, sort, word: false, until: end });
        }
        at = end;
    }
    found
}

/// The end of the action that begins at `start`: the braces that close it outside of texts and comments.
fn end(source: &str, start: usize) -> Option<usize> {
    if source[start + 2..].trim_start_matches('-').trim_start().starts_with("/*") {
        let comment = start + source[start..].find("*/")?;
        return Some(comment + source[comment..].find("}}")? + 2);
    }
    let bytes = source.as_bytes();
    let mut at = start + 2;
    loop {
        match *bytes.get(at)? {
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Some(at + 2),
            quote @ (b'"' | b'\'' | b'`') => match quoted(bytes, at, quote) {
                Some(end) => at = end,
                // Not Go's grammar; the next braces will be meant.
                None => return Some(start + source[start..].find("}}")? + 2),
            },
            _ => at += 1,
        }
    }
}

/// The end of a text in an action; none where it is not closed on its line. Backquoted ones go over lines.
fn quoted(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match *bytes.get(at)? {
            byte if byte == quote => return Some(at + 1),
            b'\n' if quote != b'`' => return None,
            b'\\' if quote != b'`' => at += 2,
            _ => at += 1,
        }
    }
}

/// What stands between the braces and their trim markers.
pub(super) fn inner(action: &str) -> &str {
    let inner = action.strip_prefix("{{").unwrap_or(action);
    let inner = inner.strip_suffix("}}").unwrap_or(inner);
    let marked = |rest: &&str| rest.starts_with(|letter: char| letter.is_whitespace() || letter == '/');
    let inner = inner.strip_prefix('-').filter(marked).unwrap_or(inner);
    inner.strip_suffix('-').unwrap_or(inner).trim()
}

fn sort(action: &str) -> Sort {
    let inner = inner(action);
    let first = inner.split(|letter: char| letter.is_whitespace() || letter == '(').next().unwrap_or_default();
    match first {
        "if" | "range" | "with" | "define" | "block" => Sort::Open,
        "else" | "break" | "continue" => Sort::Branch,
        "end" => Sort::End,
        _ if inner.starts_with("/*") => Sort::Silent,
        _ if first.starts_with('$') && assigns(inner) => Sort::Silent,
        _ => Sort::Output,
    }
}

/// `$name := …`, `$name = …`
fn assigns(inner: &str) -> bool {
    let name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    let rest = inner.trim_start_matches(name).trim_start();
    rest.starts_with(":=") || (rest.starts_with('=') && !rest.starts_with("=="))
}

/// The actions from `first` on that are on one line.
fn line(source: &str, actions: &[Action], first: usize) -> Range<usize> {
    let mut end = first + 1;
    while let Some(next) = actions.get(end)
        && !source[actions[end - 1].range.end..next.range.start].contains('\n')
    {
        end += 1;
    }
    first..end
}

/// Decides what stands for the actions of one line.
fn judge(source: &str, actions: &mut [Action], fills: &mut [Fill]) {
    let (Some(first), Some(last)) = (actions.first(), actions.last()) else { return };
    let begin = source[..first.range.start].rfind('\n').map_or(0, |end| end + 1);
    let tail = &source[last.range.end..];
    let tail = tail.find('\n').map_or(tail, |end| &tail[..end]);
    // The text before each action and behind the last one.
    let mut pieces = Vec::with_capacity(actions.len() + 1);
    let mut at = begin;
    for action in &*actions {
        pieces.push(&source[at..action.range.start]);
        at = action.range.end;
    }
    pieces.push(tail);
    let blank = |piece: &&str| piece.trim().is_empty();
    if pieces.iter().all(blank) {
        return;
    }
    let blanks = pieces.iter().take_while(|piece| blank(piece)).count();
    let silent = actions.iter().take_while(|action| action.sort != Sort::Output).count();
    let leading = blanks.min(silent);
    let trailing = pieces.len() - 1 - pieces.iter().rev().take_while(|piece| blank(piece)).count();
    let count = |sort: Sort| actions[leading..].iter().filter(|action| action.sort == sort).count();
    let whole = count(Sort::Open) > 0 && count(Sort::Open) == count(Sort::End);
    let mut comment = pieces[0].trim_start().starts_with('#');
    for (index, action) in actions.iter_mut().enumerate() {
        comment |= pieces[index].contains(" #") || pieces[index].contains("\t#");
        let ends = index >= trailing;
        fills[index] = match action.sort {
            _ if comment => Fill::Word,
            Sort::Output if ends && source[action.range.clone()].contains("indent ") => Fill::Blanks,
            Sort::Output => Fill::Word,
            _ if index < leading => Fill::Lines,
            Sort::Silent => Fill::Blanks,
            _ if whole => Fill::Word,
            _ => Fill::Blanks,
        };
        action.word = fills[index] == Fill::Word;
    }
}

/// Joins what opens with what ends it. Returns the second and further branches, as far as they stand on lines of their own.
///
/// What is defined is a text of its own.
fn blocks(source: &str, actions: &mut [Action], fills: &mut [Fill]) -> Vec<Range<usize>> {
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    let mut branches: Vec<Range<usize>> = Vec::new();
    for index in 0..actions.len() {
        let Action { range, sort, word, .. } = actions[index].clone();
        match sort {
            Sort::Open => open.push((index, None)),
            Sort::Branch if !word => {
                if let Some((_, branch @ None)) = open.last_mut() {
                    *branch = Some(range.start);
                }
            }
            Sort::End => {
                let Some((opener, branch)) = open.pop() else { continue };
                actions[opener].until = range.end;
                let defines = inner(&source[actions[opener].range.clone()]).starts_with("define");
                if defines && fills[opener] == Fill::Lines && fills[index] == Fill::Lines {
                    (fills[opener], fills[index]) = (Fill::Document, Fill::Document);
                }
                if let Some(start) = branch {
                    // Inner ones are part of this one.
                    while branches.last().is_some_and(|inner| inner.start > start) {
                        branches.pop();
                    }
                    branches.push(start..range.start);
                }
            }
            _ => {}
        }
    }
    branches
}
