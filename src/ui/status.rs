//! The tables of `status` and `history`, and the screen that `--watch` redraws.

use super::text::one_line;
use super::time::age;
use super::{Ui, YELLOW};
use crate::core::release::{Labelled, Revision};
use crate::core::status::{Changed, DestinationStatus, RouteStatus, ServiceStatus};
use comfy_table::{ColumnConstraint, Table, Width, presets};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::io::Write as _;

/// How much to show, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// With the namespace, for several of them.
    pub namespaces: bool,
    /// With hosts, route names and conditions.
    pub wide: bool,
    /// Ages instead of times.
    pub terminal: bool,
    /// Now.
    pub now: Timestamp,
}

/// What a manifest cannot say.
const LIVE: [&str; 4] = ["ROLE", "READY", "RELEASE", "MANAGED-BY"];

/// The table of `status`: one row a destination. Of manifests it has the file instead of what only a cluster knows.
pub fn status(services: &[&ServiceStatus], screen: Screen) -> String {
    let mut header = vec!["NAME", "ROUTE", "DESTINATION", "ROLE", "WEIGHT", "SHARE", "READY", "CHANGED"];
    if screen.namespaces {
        header.insert(0, "NAMESPACE");
    }
    if screen.wide {
        header.extend(["HOST", "ROUTE-NAME", "ONLY", "RELEASE", "MANAGED-BY"]);
    }
    let mut rows = Vec::new();
    for service in services {
        // A time is too long for 80 columns; who reads it by program takes JSON.
        let brief = Screen { terminal: screen.terminal || !screen.wide, ..screen };
        let changed = service.changed.as_ref().map_or_else(|| "<unknown>".into(), |changed| when(changed, brief));
        if service.routes.is_empty() {
            let none =
                RouteStatus { route: "<none>".into(), reachable: true, action: Some("no routes".into()), ..Default::default() };
            rows.push(row(service, &none, None, &changed, screen));
        }
        for route in &service.routes {
            for to in &route.destinations {
                rows.push(row(service, route, Some(to), &changed, screen));
            }
            if route.destinations.is_empty() {
                rows.push(row(service, route, None, &changed, screen));
            }
        }
    }
    if services.iter().any(|service| service.file.is_some()) {
        let known: Vec<bool> = header.iter().map(|name| !LIVE.contains(name)).collect();
        let keep = |cells: &mut Vec<String>| {
            let mut known = known.iter();
            cells.retain(|_| known.next() == Some(&true));
        };
        rows.iter_mut().for_each(keep);
        header.retain(|name| !LIVE.contains(name));
        header.iter_mut().filter(|name| **name == "CHANGED").for_each(|name| *name = "FILE");
    }
    columns(&header, &rows)
}

fn row(
    service: &ServiceStatus,
    route: &RouteStatus,
    to: Option<&DestinationStatus>,
    changed: &str,
    screen: Screen,
) -> Vec<String> {
    let none = || "<none>".to_owned();
    let mut place = route.route.clone();
    if !route.reachable {
        place += " (unreachable)";
    }
    let changed = service.file.as_deref().unwrap_or(changed);
    let ready = to.and_then(|to| Some(format!("{}/{}", to.ready?, to.endpoints?)));
    let mut row = vec![
        service.name.clone(),
        place,
        to.map_or_else(|| format!("<{}>", route.action.as_deref().unwrap_or("none")), |to| to.name.clone()),
        to.and_then(|to| to.role).map_or_else(none, str::to_owned),
        to.and_then(|to| to.weight).map_or_else(|| "<unset>".to_owned(), |weight| weight.to_string()),
        to.map_or_else(none, |to| percent(to.share)),
        ready.unwrap_or_else(|| "<unknown>".to_owned()),
        changed.to_owned(),
    ];
    if to.is_none() {
        for cell in &mut row[4..7] {
            *cell = none();
        }
    }
    if screen.namespaces {
        row.insert(0, service.namespace.clone());
    }
    if screen.wide {
        let release = service.release.as_ref().map_or_else(none, |release| format!("{} ({})", release.id, release.phase));
        row.extend([
            to.map_or_else(none, |to| to.host.clone()),
            route.name.clone().unwrap_or_else(none),
            route.only.clone().unwrap_or_else(none),
            release,
            if service.managed_by.is_empty() { none() } else { service.managed_by.join(", ") },
        ]);
    }
    row
}

/// `80%`, `0.1%`, `33.3%`.
fn percent(share: f64) -> String {
    let per_mille = (share * 1000.0).round() / 10.0;
    match share {
        // What gets something is never shown as nothing, and what lacks something never as everything.
        share if share > 0.0 && per_mille == 0.0 => "<0.1%".into(),
        share if share < 1.0 && per_mille >= 100.0 => ">99.9%".into(),
        _ => format!("{per_mille}%"),
    }
}

fn when(changed: &Changed, screen: Screen) -> String {
    match screen.terminal {
        true => format!("{} by {}", age(&changed.at, screen.now), changed.by),
        false => format!("{} by {}", changed.at, changed.by),
    }
}

/// The table of `history`, oldest first; a star marks the revision whose weights are in force.
pub fn history(revisions: &[Revision], in_force: Option<u32>, screen: Screen) -> String {
    let header = ["REVISION", "CHANGED", "VERB", "WEIGHTS", "REASON"];
    let rows: Vec<Vec<String>> = revisions
        .iter()
        .map(|one| {
            let weights: Vec<String> = one.routes.iter().map(|(route, weights)| format!("{route} {}", told(weights))).collect();
            let star = if in_force == Some(one.revision) { "*" } else { "" };
            vec![
                format!("{}{star}", one.revision),
                when(&Changed { at: one.at.clone(), by: one.by.clone() }, screen),
                one.verb.clone(),
                weights.join("; "),
                one.reason.clone().unwrap_or_else(|| "<none>".into()),
            ]
        })
        .collect();
    columns(&header, &rows)
}

fn told(weights: &Labelled) -> String {
    super::report::labelled(weights)
}

/// So many rows are laid out at a time: a table takes ten times the memory of its text.
const PIECE: usize = 500;

/// Columns in kubectl's style: two blanks between them, nothing drawn.
pub fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    let header = [header.iter().copied().map(str::to_owned).collect()];
    let pieces = || std::iter::once(&header[..]).chain(rows.chunks(PIECE));
    let mut widths = vec![0; header[0].len()];
    for piece in pieces() {
        for (width, own) in widths.iter_mut().zip(table(piece).column_max_content_widths()) {
            *width = own.max(*width);
        }
    }
    let mut text = String::new();
    for piece in pieces() {
        let mut table = table(piece);
        for (column, width) in table.column_iter_mut().zip(&widths) {
            column.set_padding((0, 2));
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width.saturating_add(2))));
        }
        for line in table.lines() {
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

fn table(rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.add_rows(rows.iter().map(|row| row.iter().map(|cell| one_line(cell))));
    table
}

/// What is said below the table: how many, and which releases are in progress.
pub fn summary(services: &[&ServiceStatus], screen: Screen) -> String {
    let plural = |count: usize, word: &str| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") };
    let mut text = plural(services.len(), "service");
    let running: Vec<&ServiceStatus> = services.iter().copied().filter(|service| service.in_progress()).collect();
    let told = |service: &&ServiceStatus| {
        let since = service.release.as_ref().map_or("", |release| release.since.as_str());
        let since = if screen.terminal { age(since, screen.now) } else { since.to_owned() };
        format!("{}, since {since}", service.name)
    };
    match running.len() {
        0 => {}
        count @ 1..=5 => {
            let _ = write!(
                text,
                ", {YELLOW}{}{YELLOW:#} in progress ({})",
                plural(count, "release"),
                running.iter().map(told).collect::<Vec<_>>().join("; ")
            );
        }
        count => {
            let _ = write!(text, ", {YELLOW}{}{YELLOW:#} in progress", plural(count, "release"));
        }
    }
    for service in services.iter().filter(|service| service.routes.iter().any(|route| route.drifted)).take(5) {
        let by = service.changed.as_ref().map_or_else(String::new, |changed| {
            let at = if screen.terminal { format!("{} ago", age(&changed.at, screen.now)) } else { format!("at {}", changed.at) };
            format!(" by {} {at}", one_line(&changed.by))
        });
        let _ = write!(text, "\n{YELLOW}{}{YELLOW:#} was changed outside of its release{by}", one_line(&service.name));
    }
    text + "\n"
}

impl Ui {
    /// Draws `text` over what it drew before, `lines` high, on a terminal; gives the height of what it drew.
    pub fn redraw(&self, text: &str, lines: usize) -> usize {
        let (width, height) =
            terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()));
        let drawing = fitted(text, width, height);
        if lines > 0 && !self.is_closed() {
            // Up to the first line of the last drawing, then clear to the end of the screen. Past the stream that takes
            // colours out: without them a screen is redrawn all the same. A lost terminal shows at the next line.
            let _ = std::io::stdout().write_all(format!("\u{1b}[{lines}A\u{1b}[J").as_bytes());
        }
        self.answer(&drawing);
        drawing.lines().count()
    }
}

/// What of `text` a terminal can show without wrapping or scrolling: drawing over it would miss its place otherwise.
fn fitted(text: &str, width: usize, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = height.saturating_sub(1).max(2);
    let shown = if lines.len() > room { room - 1 } else { lines.len() };
    let mut fitted = String::new();
    for line in &lines[..shown] {
        // Lines with colours are short.
        match line.contains('\u{1b}') {
            true => fitted.push_str(line),
            false => fitted.extend(line.chars().take(width)),
        }
        fitted.push('\n');
    }
    if shown < lines.len() {
        fitted += &format!("… {} more lines\n", lines.len() - shown);
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_fits_its_terminal() {
        assert_eq!(fitted("abc\nd\n", 2, 24), "ab\nd\n");
        assert_eq!(fitted("a\nb\nc\nd\n", 80, 4), "a\nb\n… 2 more lines\n");
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        assert_eq!(percent(0.8), "80%");
        assert_eq!(percent(1.0 / 3.0), "33.3%");
        assert_eq!(percent(0.001), "0.1%");
        assert_eq!(percent(0.0001), "<0.1%");
        assert_eq!(percent(0.9999), ">99.9%");
        assert_eq!(percent(0.0), "0%");
        assert_eq!(percent(1.0), "100%");
    }
}
