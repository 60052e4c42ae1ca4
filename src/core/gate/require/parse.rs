//! The terms.

use std::str::FromStr;

/// One requirement.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// As written.
    pub text: String,
    /// What is measured.
    pub indicator: Indicator,
    /// Whether more is better: `>` and `>=`.
    pub at_least: bool,
    /// Whether the bound itself is allowed: `>=` and `<=`.
    pub inclusive: bool,
    /// What it is held against.
    pub bound: Bound,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Indicator {
    /// The share of requests without an error.
    SuccessRate,
    /// The share of requests with an error.
    ErrorRate,
    /// Requests a second.
    Requests,
    /// A latency percentile: 0.95 for `p95`.
    Latency(f64),
}

/// What an indicator is held against: shares from 0 to 1, milliseconds, requests a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A number.
    Fixed(f64),
    /// The stable side's, times and plus something.
    Stable {
        /// 1 where nothing is said.
        times: f64,
        /// 0 where nothing is said.
        plus: f64,
    },
}

impl Term {
    /// Whether it needs the stable side.
    pub fn compares(&self) -> bool {
        matches!(self.bound, Bound::Stable { .. })
    }

    /// The share of bad requests that is allowed, where it is a number: 0.01 for `success-rate>=99`, 0.05 for `p95<…`.
    pub fn allowed_share(&self) -> Option<f64> {
        match (self.indicator, self.bound) {
            (Indicator::SuccessRate, Bound::Fixed(share)) => Some(1.0 - share),
            (Indicator::ErrorRate, Bound::Fixed(share)) => Some(share),
            (Indicator::Latency(quantile), _) => Some(1.0 - quantile),
            _ => None,
        }
    }
}

impl FromStr for Term {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        let shown = || plain.escape_debug().to_string();
        let at =
            plain.find(['<', '>', '=']).ok_or_else(|| format!("`{}` compares nothing: write `success-rate>=99`", shown()))?;
        let (name, rest) = plain.split_at(at);
        let (sign, rest) = ["<=", ">=", "<", ">"]
            .iter()
            .find_map(|sign| Some((*sign, rest.strip_prefix(sign)?)))
            .ok_or_else(|| format!("`{}`: compare with <, <=, > or >=", shown()))?;
        let indicator = indicator(name)?;
        let at_least = sign.starts_with('>');
        let backwards = match indicator {
            Indicator::SuccessRate => !at_least,
            Indicator::ErrorRate | Indicator::Latency(_) => at_least,
            Indicator::Requests => false,
        };
        if backwards {
            let other = if at_least { "<=" } else { ">=" };
            return Err(format!("`{}` would require the worse: did you mean `{name}{other}{rest}`?", shown()));
        }
        let bound = bound(indicator, rest).map_err(|why| format!("`{}`: {why}", shown()))?;
        Ok(Self { text: plain, indicator, at_least, inclusive: sign.len() == 2, bound })
    }
}

fn indicator(name: &str) -> Result<Indicator, String> {
    match name {
        "success-rate" => return Ok(Indicator::SuccessRate),
        "error-rate" => return Ok(Indicator::ErrorRate),
        "rps" => return Ok(Indicator::Requests),
        _ => {}
    }
    let quantile = name.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok()).map(|percent| percent / 100.0);
    quantile.filter(|quantile| *quantile > 0.0 && *quantile < 1.0).map(Indicator::Latency).ok_or_else(|| {
        format!(
            "there is no indicator `{}`: there are success-rate, error-rate, rps, and percentiles as p95",
            name.escape_debug()
        )
    })
}

fn bound(indicator: Indicator, text: &str) -> Result<Bound, String> {
    let Some(rest) = text.strip_prefix("stable") else { return Ok(Bound::Fixed(quantity(indicator, text)?)) };
    if indicator == Indicator::Requests {
        return Err("the sides have different traffic, so rps is not compared".into());
    }
    if rest.is_empty() {
        return Ok(Bound::Stable { times: 1.0, plus: 0.0 });
    }
    let (sign, rest) = rest.split_at_checked(1).ok_or("write `stable+1%` or `stable*1.2`")?;
    match sign {
        "*" => {
            let times: f64 = rest.parse().map_err(|_| format!("`{rest}` is not a factor"))?;
            match times.is_finite() && times > 0.0 && indicator != Indicator::SuccessRate {
                true => Ok(Bound::Stable { times, plus: 0.0 }),
                false => Err(format!("`*{rest}` cannot be used here")),
            }
        }
        // Ten per cent of a time is a factor; ten per cent of a share are percentage points.
        "+" if matches!(indicator, Indicator::Latency(_)) && rest.ends_with('%') => {
            let percent: f64 = rest.trim_end_matches('%').parse().map_err(|_| format!("`{rest}` is not a number"))?;
            Ok(Bound::Stable { times: 1.0 + percent / 100.0, plus: 0.0 })
        }
        "+" if indicator != Indicator::SuccessRate => Ok(Bound::Stable { times: 1.0, plus: quantity(indicator, rest)? }),
        // A success rate may be lower by so much: the error rate higher.
        "-" if indicator == Indicator::SuccessRate => Ok(Bound::Stable { times: 1.0, plus: quantity(indicator, rest)? }),
        _ => Err(format!("`stable{sign}{rest}` would require the candidate to be better than stable")),
    }
}

/// A number with its unit: per cent for shares, `ms`, `s`, `us` or `m` for times (milliseconds without one).
fn quantity(indicator: Indicator, text: &str) -> Result<f64, String> {
    let split = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let number: f64 = digits.parse().map_err(|_| format!("`{text}` is not a number"))?;
    let factor = match (indicator, unit) {
        (Indicator::SuccessRate | Indicator::ErrorRate, "" | "%") => 0.01,
        (Indicator::Latency(_), "" | "ms") => 1.0,
        (Indicator::Latency(_), "s") => 1000.0,
        (Indicator::Latency(_), "us" | "µs") => 0.001,
        (Indicator::Latency(_), "m") => 60_000.0,
        (Indicator::Requests, "" | "/s") => 1.0,
        _ => return Err(format!("`{unit}` is not a unit of this")),
    };
    let value = number * factor;
    match matches!(indicator, Indicator::SuccessRate | Indicator::ErrorRate) && value > 1.0 {
        true => Err(format!("{text} per cent is more than all")),
        false => Ok(value),
    }
}
