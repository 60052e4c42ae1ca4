//! The figures and the goals.

use crate::measure::Runs;

/// What a figure must be.
pub enum Must {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// Nothing: it is told.
    Any,
}

/// A figure: what it is, its value, its unit, what it must be.
struct Figure(String, f64, &'static str, Must);

/// What was measured.
#[derive(Default)]
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Shows what a program's runs cost.
    pub fn runs(&self, name: &str, runs: &Runs) {
        let (median, least) = (runs.median(), runs.least());
        println!("  {name:<44} {:9.2} {:9.2} {:9.2} {:9.1}", median.wall, least.wall, median.cpu, median.memory);
    }

    /// The head of such lines.
    pub fn section(&self, title: &str) {
        println!("\n  {title:<44} {:>9} {:>9} {:>9} {:>9}", "wall ms", "least", "CPU ms", "MiB");
    }

    /// Notes a ratio.
    pub fn ratio(&mut self, what: &str, value: f64, must: Must) {
        self.figure(what, value, "x", must);
    }

    /// Notes a figure.
    pub fn figure(&mut self, what: &str, value: f64, unit: &'static str, must: Must) {
        self.figures.push(Figure(what.to_owned(), value, unit, must));
    }

    /// Prints the figures beside what they must be.
    pub fn print(&self) {
        println!("\n  {:<66} {:>9} {:>9}", "figure", "measured", "must");
        for Figure(what, value, unit, must) in &self.figures {
            let (sign, goal, holds) = match must {
                Must::AtMost(most) => ("<= ", Some(most), value <= most),
                Must::AtLeast(least) => (">= ", Some(least), value >= least),
                Must::Any => ("", None, true),
            };
            let goal = goal.map_or_else(String::new, |goal| format!("{sign}{goal}{unit}"));
            let miss = if holds { "" } else { "  missed" };
            let digits = if unit.is_empty() { 0 } else { 2 };
            println!("  {what:<66} {:>9} {goal:>9}{miss}", format!("{value:.digits$}{unit}"));
        }
    }
}
