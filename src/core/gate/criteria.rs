//! The criteria of an SLO (`<500`, `<=+10%`, `>=-5`), and the numbers that earlier values come to.

use super::number;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Operator {
    // In the order in which the original tries them.
    const ALL: [(&str, Operator); 5] = [
        ("<=", Operator::LessOrEqual),
        ("<", Operator::Less),
        ("=", Operator::Equal),
        (">=", Operator::GreaterOrEqual),
        (">", Operator::Greater),
    ];

    /// The operator as it is written.
    pub fn sign(self) -> &'static str {
        Self::ALL.iter().find(|(_, operator)| *operator == self).map_or("", |(sign, _)| sign)
    }

    /// Whether the limit is one for values that are too big.
    pub fn is_upper(self) -> bool {
        matches!(self, Operator::Less | Operator::LessOrEqual)
    }
}

/// One criterion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criterion {
    /// How a value is compared.
    pub operator: Operator,
    /// The number without its sign.
    pub value: f64,
    /// Whether it is in per cent of the earlier value.
    pub percentage: bool,
    /// Whether it is a distance from the earlier value. Every number with a sign or a `%` is.
    pub comparison: bool,
    /// Whether the distance is upwards.
    pub increase: bool,
}

impl Criterion {
    /// Reads a criterion.
    ///
    /// ```
    /// use tidegate::core::gate::criteria::Criterion;
    /// let criterion = Criterion::parse(" <= +10 %").expect("a criterion");
    /// assert!(criterion.comparison && criterion.percentage && criterion.increase);
    /// assert_eq!(criterion.target(50.0), 55.0);
    /// assert_eq!(Criterion::parse("500"), Err("invalid criteria string"));
    /// ```
    ///
    /// # Errors
    /// In the words of the original.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.replace(' ', "");
        // The original's pattern lets a `|` begin a criterion; no number follows it.
        if !text.starts_with(['<', '=', '>', '|']) {
            return Err("invalid criteria string");
        }
        let known = Operator::ALL.iter().find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)));
        let (operator, rest) = known.ok_or("could not parse criteria target value")?;
        let (rest, percentage) = rest.strip_suffix('%').map_or((rest, false), |rest| (rest, true));
        let (rest, sign) = match (rest.strip_prefix('-'), rest.strip_prefix('+')) {
            (Some(rest), _) => (rest, Some(false)),
            (None, Some(rest)) => (rest, Some(true)),
            (None, None) => (rest, None),
        };
        let value = number::go(rest).ok_or("could not parse criteria target value")?;
        Ok(Self { operator, value, percentage, comparison: percentage || sign.is_some(), increase: sign.unwrap_or(percentage) })
    }

    /// The number to compare with, where earlier values come to `earlier`.
    pub fn target(&self, earlier: f64) -> f64 {
        match (self.comparison, self.percentage, self.increase) {
            (false, ..) => self.value,
            (true, true, true) => earlier * (100.0 + self.value) / 100.0,
            (true, true, false) => earlier * (100.0 - self.value) / 100.0,
            (true, false, true) => earlier + self.value,
            (true, false, false) => earlier - self.value,
        }
    }

    /// Whether `measured` is what is wanted.
    pub fn holds(&self, measured: f64, target: f64) -> bool {
        match self.operator {
            Operator::Less => measured < target,
            Operator::LessOrEqual => measured <= target,
            Operator::Equal => measured == target,
            Operator::GreaterOrEqual => measured >= target,
            Operator::Greater => measured > target,
        }
    }
}

/// The functions that make one number of several.
pub const AGGREGATES: [&str; 4] = ["avg", "p50", "p90", "p95"];

/// What `values` come to; `None` where there are none, or the function is not one of [`AGGREGATES`].
pub fn aggregate(function: &str, values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    match function {
        "avg" => Some(values.iter().fold(0.0, |sum, value| sum + value) / values.len() as f64),
        "p50" => percentile(values, 0.5),
        "p90" => percentile(values, 0.9),
        "p95" => percentile(values, 0.95),
        _ => None,
    }
}

/// The percentile at position p(n+1), between its neighbours; beyond the ends, the ends.
fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = share * (sorted.len() + 1) as f64;
    if position < 1.0 {
        return sorted.first().copied();
    }
    if position >= sorted.len() as f64 {
        return sorted.last().copied();
    }
    let below = sorted.get(position as usize - 1)?;
    let above = sorted.get(position as usize)?;
    Some(below + (position - position.floor()) * (above - below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::gate::vectors::{list, load, same};
    use serde_json::json;

    #[test]
    fn recorded_criteria() {
        let Some(file) = load("lighthouse.json") else { return };
        let cases: Vec<_> = list(&file, "vectors").iter().filter(|case| case.get("criteria").is_some()).collect();
        for case in &cases {
            let parsed = Criterion::parse(case["criteria"].as_str().unwrap_or_default());
            let result = parsed.map(|one| {
                json!({"comparison": one.comparison, "increase": one.increase, "operator": one.operator.sign(),
                    "percentage": one.percentage, "value": number::json(one.value)})
            });
            let expected = case.get("expect").ok_or_else(|| case["expect_error"].as_str().unwrap_or_default());
            match (&result, expected) {
                (Ok(result), Ok(expected)) => assert!(same(result, expected), "{}: {result}", case["name"]),
                (result, expected) => assert_eq!(result.as_ref().err().copied(), expected.err(), "{}", case["name"]),
            }
        }
        assert!(cases.len() >= 18, "{}", cases.len());
    }

    #[test]
    fn a_sign_or_a_percent_makes_it_relative() {
        for (text, earlier, target) in [
            ("<500", 100.0, 500.0),
            ("<=+10%", 100.0, 110.0),
            ("<=10%", 100.0, 110.0),
            (">=-10%", 100.0, 90.0),
            ("<=+5", 100.0, 105.0),
            ("<-5", 100.0, 95.0),
            ("<=+-5", 100.0, 95.0),
            ("<=+10%", -100.0, -110.0),
        ] {
            assert_eq!(Criterion::parse(text).map(|one| one.target(earlier)), Ok(target), "{text}");
        }
    }

    #[test]
    fn percentiles_between_neighbours() {
        let eleven: Vec<f64> = (0..11).rev().map(f64::from).collect();
        assert_eq!(aggregate("p90", &eleven), Some(9.8));
        assert_eq!(aggregate("p90", &[1.0, 2.0, 3.0]), Some(3.0));
        assert_eq!(aggregate("p50", &[1.0, 2.0]), Some(1.5));
        assert_eq!(aggregate("p95", &[7.0]), Some(7.0));
        assert_eq!(aggregate("avg", &[1.0, 2.0, 6.0]), Some(3.0));
        assert_eq!((aggregate("max", &[1.0]), aggregate("avg", &[])), (None, None));
    }
}
