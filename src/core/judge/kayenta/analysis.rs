//! How one metric is to be judged: `analysisConfigurations.canary` of a canary configuration.

use super::prepare::NanStrategy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The direction in which a change is bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// More is worse.
    Increase,
    /// Less is worse.
    Decrease,
    /// Any change is.
    #[default]
    Either,
}

/// How the size of an effect is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Measure {
    /// [`super::mean_ratio`].
    #[default]
    MeanRatio,
    /// [`super::cles`].
    Cles,
}

/// How one metric is to be judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// The direction in which a change is bad.
    pub direction: Direction,
    /// What a missing value means.
    pub nan_strategy: NanStrategy,
    /// Values so many interquartile ranges outside the quartiles are dropped; none without it.
    pub outlier_factor: Option<f64>,
    /// Whether it alone can fail the canary.
    pub critical: bool,
    /// Whether missing data count as a failure.
    pub must_have_data: bool,
    /// Whether it is shown without being counted.
    pub muted: bool,
    /// How the size of the effect is measured.
    pub measure: Measure,
    /// High only from this size of the effect.
    pub allowed_increase: f64,
    /// Low only up to this one.
    pub allowed_decrease: f64,
    /// High is critical only from this size.
    pub critical_increase: f64,
    /// Low is critical only up to this one.
    pub critical_decrease: f64,
}

impl Default for Analysis {
    fn default() -> Self {
        Analysis::of(Measure::MeanRatio)
    }
}

impl Analysis {
    /// The defaults; the sizes of effects are those at which there is none.
    pub fn of(measure: Measure) -> Self {
        let none = match measure {
            Measure::MeanRatio => 1.0,
            Measure::Cles => 0.5,
        };
        Analysis {
            direction: Direction::Either,
            nan_strategy: NanStrategy::Remove,
            outlier_factor: None,
            critical: false,
            must_have_data: false,
            muted: false,
            measure,
            allowed_increase: none,
            allowed_decrease: none,
            critical_increase: none,
            critical_decrease: none,
        }
    }

    /// Reads the JSON object. What has no meaning takes the default, as with Kayenta, and is reported: the second part
    /// names each key or word that was not understood.
    pub fn read(value: &Value) -> (Self, Vec<String>) {
        let mut odd = Vec::new();
        let effect = section(value, "effectSize", &mut odd);
        let outliers = section(value, "outliers", &mut odd);
        let measure = word(effect, "measure", &[("meanRatio", Measure::MeanRatio), ("cles", Measure::Cles)], &mut odd);
        let defaults = Analysis::of(measure);
        let removes = word(outliers, "strategy", &[("keep", false), ("remove", true)], &mut odd);
        let factor = number(outliers, "outlierFactor", 3.0, &mut odd);
        let analysis = Analysis {
            direction: word(
                value,
                "direction",
                &[("either", Direction::Either), ("increase", Direction::Increase), ("decrease", Direction::Decrease)],
                &mut odd,
            ),
            nan_strategy: word(
                value,
                "nanStrategy",
                &[("remove", NanStrategy::Remove), ("replace", NanStrategy::Replace)],
                &mut odd,
            ),
            outlier_factor: removes.then_some(factor),
            critical: flag(value, "critical", &mut odd),
            must_have_data: flag(value, "mustHaveData", &mut odd),
            muted: flag(value, "muted", &mut odd),
            measure,
            allowed_increase: number(effect, "allowedIncrease", defaults.allowed_increase, &mut odd),
            allowed_decrease: number(effect, "allowedDecrease", defaults.allowed_decrease, &mut odd),
            critical_increase: number(effect, "criticalIncrease", defaults.critical_increase, &mut odd),
            critical_decrease: number(effect, "criticalDecrease", defaults.critical_decrease, &mut odd),
        };
        unknown(value, &["direction", "nanStrategy", "outliers", "critical", "mustHaveData", "muted", "effectSize"], &mut odd);
        unknown(effect, &["measure", "allowedIncrease", "allowedDecrease", "criticalIncrease", "criticalDecrease"], &mut odd);
        unknown(outliers, &["strategy", "outlierFactor"], &mut odd);
        (analysis, odd)
    }
}

fn section<'a>(value: &'a Value, key: &str, odd: &mut Vec<String>) -> &'a Value {
    let section = value.get(key).unwrap_or(&Value::Null);
    if !section.is_object() && !section.is_null() {
        odd.push(format!("`{key}` is no object"));
    }
    section
}

/// The meaning of a word; the first is the default.
fn word<T: Copy + Default>(value: &Value, key: &str, words: &[(&str, T)], odd: &mut Vec<String>) -> T {
    let default = words.first().map(|(_, meaning)| *meaning).unwrap_or_default();
    let Some(found) = value.get(key).filter(|found| !found.is_null()) else { return default };
    words.iter().find(|(word, _)| found == word).map(|(_, meaning)| *meaning).unwrap_or_else(|| {
        odd.push(format!("`{key}`: {found} is not known"));
        default
    })
}

fn number(value: &Value, key: &str, default: f64, odd: &mut Vec<String>) -> f64 {
    let Some(found) = value.get(key).filter(|found| !found.is_null()) else { return default };
    found.as_f64().unwrap_or_else(|| {
        odd.push(format!("`{key}`: {found} is no number"));
        default
    })
}

fn flag(value: &Value, key: &str, odd: &mut Vec<String>) -> bool {
    let Some(found) = value.get(key).filter(|found| !found.is_null()) else { return false };
    found.as_bool().unwrap_or_else(|| {
        odd.push(format!("`{key}`: {found} is neither true nor false"));
        false
    })
}

fn unknown(value: &Value, known: &[&str], odd: &mut Vec<String>) {
    let keys = value.as_object().into_iter().flat_map(|object| object.keys());
    odd.extend(keys.filter(|key| !known.contains(&key.as_str())).map(|key| format!("`{key}` is not known")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_kayenta_reads_and_reports_the_rest() {
        let (analysis, odd) = Analysis::read(&json!({
            "direction": "increase", "nanStrategy": "replace", "critical": true, "mustHaveData": true,
            "outliers": {"strategy": "remove"}, "effectSize": {"measure": "cles", "allowedIncrease": 0.7},
        }));
        assert_eq!(odd, [""; 0]);
        assert_eq!((analysis.direction, analysis.nan_strategy), (Direction::Increase, NanStrategy::Replace));
        assert_eq!((analysis.outlier_factor, analysis.allowed_increase, analysis.allowed_decrease), (Some(3.0), 0.7, 0.5));
        assert!(analysis.critical && analysis.must_have_data && !analysis.muted);

        let (analysis, odd) = Analysis::read(&json!({"direction": "up", "critical": "yes", "critcal": true, "outliers": 3}));
        assert_eq!(analysis, Analysis::default());
        assert_eq!(odd.len(), 4, "{odd:?}");
        assert_eq!(Analysis::read(&json!([])), (Analysis::default(), vec![]));
    }
}
