//! The functions and aggregations of Prometheus 3.

use super::parser::Type;

/// What a function takes and answers.
pub struct Signature {
    /// Its arguments.
    pub arguments: Vec<Type>,
    /// How many of the last ones may be missing.
    pub optional: usize,
    /// Whether the last one may come again.
    pub repeats: bool,
    /// What it answers.
    pub answers: Type,
}

/// Names by their arguments: `v` an instant vector, `m` a range of values, `s` a number, `t` a text. Behind `?` they may be
/// missing; `*` lets the last one come again.
const FUNCTIONS: [(&str, &str); 17] = [
    (
        "v",
        "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count histogram_stddev \
         histogram_stdvar histogram_sum ln log10 log2 rad scalar sgn sin sinh sort sort_desc sqrt tan tanh timestamp",
    ),
    (
        "m",
        "absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate last_over_time \
         mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time \
         ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time",
    ),
    ("?v", "day_of_month day_of_week day_of_year days_in_month hour minute month year"),
    ("", "pi time"),
    ("s", "vector"),
    ("vs", "clamp_max clamp_min"),
    ("vss", "clamp"),
    ("v?s", "round"),
    ("sv", "histogram_quantile"),
    ("ssv", "histogram_fraction"),
    ("vtss*", "histogram_quantiles"),
    ("sm", "quantile_over_time"),
    ("ms", "predict_linear"),
    ("mss", "double_exponential_smoothing holt_winters"),
    ("vtttt", "label_replace"),
    ("vtt*", "label_join"),
    ("v?t*", "sort_by_label sort_by_label_desc"),
];

/// The signature of a function.
pub fn signature(name: &str) -> Option<Signature> {
    // Takes a vector of labels that need not be there.
    let form = match name {
        "info" => "v?v",
        name => FUNCTIONS.iter().find(|(_, names)| names.split(' ').any(|known| known == name))?.0,
    };
    let (sure, rest) = form.split_once('?').unwrap_or((form, ""));
    let rest = rest.trim_end_matches('*');
    let arguments = sure.trim_end_matches('*').chars().chain(rest.chars()).map(|letter| match letter {
        'v' => Type::Vector,
        'm' => Type::Matrix,
        't' => Type::Text,
        _ => Type::Scalar,
    });
    let answers = if ["pi", "scalar", "time"].contains(&name) { Type::Scalar } else { Type::Vector };
    Some(Signature { arguments: arguments.collect(), optional: rest.len(), repeats: form.ends_with('*'), answers })
}

/// All names, to find the one that was meant.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().flat_map(|(_, names)| names.split(' ')).chain(AGGREGATIONS.iter().map(|(name, _)| *name))
}

/// The aggregations, and what they take before the vector.
pub const AGGREGATIONS: [(&str, Option<Type>); 14] = [
    ("sum", None),
    ("avg", None),
    ("min", None),
    ("max", None),
    ("count", None),
    ("group", None),
    ("stddev", None),
    ("stdvar", None),
    ("topk", Some(Type::Scalar)),
    ("bottomk", Some(Type::Scalar)),
    ("quantile", Some(Type::Scalar)),
    ("limitk", Some(Type::Scalar)),
    ("limit_ratio", Some(Type::Scalar)),
    ("count_values", Some(Type::Text)),
];
