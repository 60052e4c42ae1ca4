use super::*;
use crate::core::gate::vectors::Dice;

#[test]
fn queries_that_are_in_use() {
    for query in [
        "up",
        "vector(1)",
        "histogram_quantile(0.95, sum(rate(http_response_time_milliseconds_bucket{job='carts-$SERVICE'}[$DURATION_SECONDS])) by (le))",
        "rate(requests_latency_seconds_sum{job='carts-ENV_PLACEHOLDER'}[3m])/rate(requests_latency_seconds_count{job='carts-ENV_PLACEHOLDER'}[3m])",
        "rate(x{ns='$ENVIRONMENT'}[$DURATION_MINUTESm])",
        "sum(rate(istio_requests_total{reporter=\"destination\",destination_workload=~\"{{ target }}\",response_code!~\"5.*\"}[{{ interval }}])) / 100 * 2",
        "sum(irate(istio_requests_total{destination_service=~\"{{args.service-name}}\",response_code!~\"5.*\"}[5m])) / sum(irate(x[5m]))",
        "{{args.query}}",
        "{{args.prefix}}_requests_total{ {{args.labels}} }",
        "up{{{args.labels}}}",
        "x{$filters} > bool 1",
        "avg(requests{version=\"${scope}\",location='${location}'}) without (pod)",
        "sum by (a, b) (x) / on (a) group_left (c) y",
        "a and on() b or c unless d",
        "-2 ^ 2 + -x % 3 atan2 y",
        "max_over_time(rate(x[5m])[1h:1m])",
        "max_over_time(x[1h:]) offset 5m @ end()",
        "x offset -1h30m",
        "topk(5, x) + count_values(\"v\", y)",
        "label_replace(x, 'a', '$1', 'b', '(.*)')",
        "label_join(x, 'a', ',', 'b', 'c', 'd')",
        "{__name__=~\"job:.*\"}",
        "{\"metric.name\", \"label.name\"=\"x\"}",
        "job:requests:rate5m > 0.5e-3 # a comment",
        "time() - hour() * 1_000 + 0x1F + Inf - NaN",
        "round(x) + round(x, 0.1) + (scalar(x) > bool 1)",
        "quantile(0.9, x) by (le)",
        "rate(x[10{{args.unit}}])",
        "absent_over_time(x[1h]) == 1",
    ] {
        let checked = check(query);
        assert_eq!((checked.error, checked.unknown), (None, vec![]), "{query}");
    }
}

#[test]
fn what_is_wrong_is_pointed_at() {
    for (query, at, says) in [
        ("", 0, "the query ends"),
        ("rate(x[5m)", 9, "`)` stands where `]` is due"),
        ("rate(x[5m]", 10, "the query ends where `,` or `)` is due"),
        ("rate(x)", 5, "`rate` needs a range"),
        ("sum(rate(x[5m]) by (le)", 16, "`by` stands where `,` or `)` is due"),
        ("x{job=carts}", 6, "a text in quotes"),
        ("x{job:\"carts\"}", 6, "`=`, `!=`, `=~` or `!~`"),
        ("x{é=\"a\"}", 2, "`é` says nothing here"),
        ("x[5]", 2, "a duration has a unit"),
        ("x[5m]", 0, "a range of values, not one"),
        ("x[5x]", 2, "neither a number nor a duration"),
        ("x == ", 4, "the query ends"),
        ("1 > 2", 2, "`> bool`"),
        ("x y", 2, "`y` stands where an operator is due"),
        ("x{a=\"b}", 4, "not closed"),
        ("x{a=\"\\d\"}", 5, "`\\d` is no escape"),
        ("sum(x, y)", 0, "takes 1 arguments, not 2"),
        ("clamp(x)", 0, "takes 3 arguments, not 1"),
        ("1 and x", 2, "stands between values now"),
        ("{}", 0, "selects nothing"),
        ("histogram_quantile(x, 0.9)", 19, "needs a number here, not a value now"),
        ("metricSelector=builtin:x", 14, "an operator is due"),
    ] {
        let error = check(query).error.unwrap_or_else(|| panic!("{query} is taken"));
        assert_eq!(error.at, at, "{query}: {}", error.message);
        assert!(error.message.contains(says), "{query}: {}", error.message);
    }
    let unknown = check("raate(x[5m])").unknown;
    assert_eq!(unknown, [Problem::new(0, "Prometheus has no function `raate`; did you mean `rate`?")]);
}

#[test]
fn windows_are_told_with_their_place() {
    let ranges = check("rate(x[10s]) + rate(y[1m30s] offset 1h) + rate(z[$DURATION]) + max_over_time(w[5s:1s])").ranges;
    assert_eq!(ranges, [Range { at: 6, seconds: 10.0 }, Range { at: 21, seconds: 90.0 }]);
}

#[test]
fn arbitrary_queries_do_no_harm() {
    let words = [
        "x", "rate", "sum", "(", ")", "{", "}", "[", "]", "5m", "1", "'a'", "=", "=~", ",", ":", "by", "offset", "@", "-", "^",
        "$a", "${", "{{", "}}", " ", "é", "\"", "\\", "0x", "bool", "on", "and", "#", "\n", "end",
    ];
    let mut dice = Dice(23);
    for _ in 0..5_000 {
        let query: String = (0..dice.roll(14)).map(|_| *dice.pick(&words)).collect();
        let checked = check(&query);
        let length = query.chars().count();
        assert!(checked.error.is_none_or(|error| error.at <= length), "{query}");
    }
    for deep in ["(", "-", "x[", "sum(", "{{"] {
        assert!(check(&deep.repeat(20_000)).error.is_some());
    }
}
