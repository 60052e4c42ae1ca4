//! How a change is told: the plan before, the diff, one line an object after.

use super::text::one_line;
use super::{BOLD, DIM, GREEN, RED};
use crate::core::plan::{Change, Move};
use crate::core::release::Labelled;
use crate::core::select::Service;
use crate::sorted;
use std::fmt::Write as _;

/// One line about one object.
pub struct Line<'a> {
    /// `virtualservice.networking.istio.io/carts`.
    pub title: &'a str,
    /// `shifted`, `refused`, `undone`, …
    pub word: &'a str,
    /// The rest, after a colon.
    pub rest: String,
    /// Good, bad, or neither.
    pub good: Option<bool>,
}

/// The lines, aligned where there are several.
pub fn results(lines: &[Line<'_>]) -> String {
    let width = if lines.len() > 1 { lines.iter().map(|line| line.title.len()).max().unwrap_or(0) + 1 } else { 0 };
    let mut text = String::new();
    for line in lines {
        let word = match line.good {
            Some(true) => format!("{GREEN}{}{GREEN:#}", line.word),
            Some(false) => format!("{RED}{}{RED:#}", line.word),
            None => line.word.to_owned(),
        };
        let colon = if line.rest.is_empty() { "" } else { ": " };
        let _ = writeln!(text, "{:width$} {word}{colon}{}", line.title, one_line(&line.rest));
    }
    text
}

/// `blue 100 -> 80, green 0 -> 20`, for several routes that move alike once, otherwise route by route; where nothing
/// moves the weights as they are.
pub fn moves(moves: &[Move]) -> String {
    let told: Vec<String> = moves.iter().map(weights).collect();
    let several = moves.len() > 1;
    match told.split_first() {
        None => String::new(),
        Some((first, rest)) if rest.iter().all(|other| other == first) => match several {
            true => format!("{first} (in {} routes)", moves.len()),
            false => first.clone(),
        },
        Some(_) => moves.iter().zip(told).map(|(one, told)| format!("{} {told}", one.route)).collect::<Vec<_>>().join("; "),
    }
}

fn weights(one: &Move) -> String {
    pairs(one)
        .map(
            |(label, before, after)| {
                if before == after { format!("{label} {after}") } else { format!("{label} {before} -> {after}") }
            },
        )
        .collect::<Vec<_>>()
        .join(", ")
}

fn pairs(one: &Move) -> impl Iterator<Item = (&str, u32, u32)> {
    let after = sorted::map(one.after.iter().map(|(label, weight)| (label.as_str(), *weight)));
    one.before.iter().map(move |(label, before)| (label.as_str(), *before, after.get(label.as_str()).copied().unwrap_or(*before)))
}

/// Weights as a sentence names them: `blue 100, green 0`.
pub fn labelled(weights: &Labelled) -> String {
    weights.iter().map(|(label, weight)| format!("{label} {weight}")).collect::<Vec<_>>().join(", ")
}

/// The plan: where, then each route that moves and each that does not although it carries one of the destinations.
/// `ready` says how many pods stand behind a destination, where that was looked up.
pub fn plan<'a>(
    place: &str,
    planned: impl Iterator<Item = (&'a Service, &'a [Change])>,
    ready: &dyn Fn(&Service, usize, &str) -> Option<String>,
) -> String {
    struct Row {
        service: String,
        route: String,
        cells: Vec<String>,
        note: String,
        moves: bool,
    }
    let mut rows = Vec::new();
    for (service, changes) in planned {
        for change in changes {
            let object = &service.objects[change.object];
            for one in &change.moves {
                let gains = one.gaining().first().and_then(|&place| one.after.get(place)).map(|(label, _)| label.as_str());
                let note = gains
                    .and_then(|label| Some(format!("{label}: {}", ready(service, change.object, label)?)))
                    .unwrap_or_default();
                let cells = pairs(one)
                    .map(
                        |(label, before, after)| {
                            if before == after { format!("{label} {after}") } else { format!("{label} {before} -> {after}") }
                        },
                    )
                    .collect();
                rows.push(Row { service: object.name.clone(), route: one.route.to_string(), cells, note, moves: one.changes() });
            }
            for route in object.routes.iter().filter(|route| change.moves.iter().all(|one| one.route != route.id)) {
                let to: Vec<&str> = route.destinations().iter().map(|to| to.label.as_str()).collect();
                let concerned = change.moves.iter().flat_map(|one| &one.after).any(|(label, _)| to.contains(&label.as_str()));
                if concerned {
                    let condition = route.condition.as_deref().map(|condition| format!("{condition} -> ")).unwrap_or_default();
                    let told = if to.len() > 1 { labelled(&route.weights()) } else { to.join(", ") };
                    let cells = vec![format!("untouched: {condition}{told}")];
                    rows.push(Row {
                        service: object.name.clone(),
                        route: route.id.to_string(),
                        cells,
                        note: String::new(),
                        moves: false,
                    });
                }
            }
        }
    }
    let names = rows.iter().map(|row| row.service.len()).max().unwrap_or(0);
    let routes = rows.iter().map(|row| row.route.len()).max().unwrap_or(0);
    let columns = rows.iter().filter(|row| row.moves).map(|row| row.cells.len()).max().unwrap_or(0);
    let cell = |column: usize| {
        rows.iter().filter(|row| row.moves).filter_map(|row| row.cells.get(column)).map(String::len).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(cell).collect();
    let mut text = format!("{}\n", one_line(place));
    let mut last = String::new();
    for row in &rows {
        let name = if row.service == last { "" } else { row.service.as_str() };
        let _ = write!(text, "  {:names$}  {:routes$}  ", one_line(name), row.route);
        let padded: Vec<String> = row
            .cells
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{:width$}", one_line(cell), width = widths.get(column).copied().unwrap_or(0)))
            .collect();
        let cells = padded.join("   ");
        let line = if row.note.is_empty() { cells.trim_end().to_owned() } else { format!("{cells}   {}", row.note) };
        let _ = match row.moves {
            true => writeln!(text, "{BOLD}{line}{BOLD:#}"),
            false => writeln!(text, "{DIM}{line}{DIM:#}"),
        };
        last.clone_from(&row.service);
    }
    text
}

/// The change of each route as a unified diff of its weights.
pub fn diff(service: &Service, change: &Change) -> String {
    let object = &service.objects[change.object];
    let mut text = String::new();
    for one in change.moves.iter().filter(|one| one.changes()) {
        let title = format!("{}/{} spec.{}", object.namespace, object.title(), one.route);
        let _ = writeln!(text, "--- {title} (live)\n+++ {title} (planned)");
        for (label, before, after) in pairs(one) {
            let added = one.added.as_deref() == Some(label);
            let label = one_line(label);
            let _ = match added {
                true => writeln!(text, "{GREEN}+{label}: {after}{GREEN:#}"),
                false if before == after => writeln!(text, " {label}: {after}"),
                false => writeln!(text, "{RED}-{label}: {before}{RED:#}\n{GREEN}+{label}: {after}{GREEN:#}"),
            };
        }
    }
    text
}
