use super::*;
use crate::core::gate::vectors::Dice;
use serde_json::json;

fn holds(condition: &str, result: Json) -> Result<bool, String> {
    Expression::parse(condition).unwrap_or_else(|error| panic!("{condition}: {error:?}")).holds(&Value::from(&result))
}

#[test]
fn the_conditions_that_are_in_use() {
    for (condition, result, truth) in [
        ("result[0] >= 0.95", json!([0.97]), true),
        ("result[0] >= 0.95", json!([0.9]), false),
        ("result[0]>=0.95", json!(0.97), true),
        ("result < 0.05", json!(0.01), true),
        ("len(result) > 0", json!([]), false),
        ("len(result) == 0 || result[0] >= 0.95", json!([]), true),
        ("len(result) > 0 && result[0] < 1", json!([]), false),
        ("!(result[0] > 1)", json!([2]), false),
        ("not (result[0] > 1) and true", json!([0]), true),
        ("default(result, 0) < 0.05", json!(null), true),
        ("default(result, 0) < 0.05", json!([]), true),
        ("asFloat(result) < 0.05", json!("0.01"), true),
        ("asInt(result.code) == 200", json!({"code": "200"}), true),
        ("all(result, {# > 0.9})", json!([0.95, 0.97]), true),
        ("all(result, # < 1000)", json!([999, 1000]), false),
        ("any(result, {# > 0.9})", json!([0.1, 0.97]), true),
        ("none(result, # > 1) && count(result, # > 0) == 2", json!([0.5, 0.6]), true),
        ("all(result, .ok)", json!([{"ok": true}]), true),
        ("result.ok && result.latency.p95 * 1000 <= 250 + 250", json!({"ok": true, "latency": {"p95": 0.5}}), true),
        ("result.status == \"success\"", json!({"status": "success"}), true),
        ("result.status in ['success', 'ok']", json!({"status": "ok"}), true),
        ("result['a b'] ?? 3 == 3", json!({}), true),
        ("result == true ? true : false", json!(true), true),
        (
            "max(result) - min(result) < 2 ** 2 && mean(result) == 2 && sum(result) == 6 && median(result) == 2",
            json!([1, 2, 3]),
            true,
        ),
        ("abs(-result) == 2 && result % 2 == 0", json!(2), true),
        ("1 - result[-1] <= 1.5e-1", json!([0, 0.9]), true),
        ("isNil(result.x)", json!({}), true),
    ] {
        assert_eq!(holds(condition, result), Ok(truth), "{condition}");
    }
    let nan = Value::List(vec![Value::Number(f64::NAN)]);
    let of = |condition: &str| Expression::parse(condition).expect("a condition").holds(&nan);
    assert_eq!(
        (of("isNaN(result[0])"), of("isNaN(result) || result[0] > 1"), of("result[0] < 1")),
        (Ok(true), Ok(true), Err("NaN: nothing was measured".into()))
    );
    assert!(nan.has_nan());
}

#[test]
fn what_cannot_be_told_is_an_error_and_never_false() {
    for (condition, result, says) in [
        ("result[0] >= 0.95", json!([]), "the result is empty"),
        ("result >= 0.95", json!([0.97]), "[0.97] is not a number"),
        ("result >= 0.95", json!([]), "the result is empty"),
        ("all(result, # < 1)", json!([]), "the result is empty"),
        ("result[2] > 1", json!([1, 2]), "no entry 2 among 2"),
        ("default(result[0], 1) < 0.05", json!([]), "the result is empty"),
        ("result.rate > 1", json!({"ratio": 2}), "nothing is not a number"),
        ("result", json!(1), "comes to 1, not to true or false"),
        ("result && true", json!(1), "1 is neither true nor false"),
        ("result > 1", json!("2"), "\"2\" is not a number"),
        ("# > 1", json!(2), "outside of a closure"),
    ] {
        let error = holds(condition, result).expect_err(condition);
        assert!(error.contains(says), "{condition}: {error}");
    }
}

#[test]
fn what_is_no_condition_is_pointed_at() {
    for (condition, at, says) in [
        ("", 0, "the condition ends"),
        ("result[0] >=", 12, "the condition ends"),
        ("result[0] = 1", 10, "equality is `==`"),
        ("result[0] > 1 1", 14, "1 stands where an operator"),
        ("resutl[0] > 1", 0, "nothing is called `resutl`"),
        ("isNan(result)", 0, "did you mean `isNaN`?"),
        ("len()", 0, "takes 1 arguments, not 0"),
        ("all(result, {# > 1)", 18, "`)` stands where `}` is due"),
        ("result.x == 'a", 12, "not closed"),
        ("result @ 1", 7, "`@` says nothing"),
        ("1.2.3 > 1", 0, "`1.2.3` is not a number"),
    ] {
        let error = Expression::parse(condition).expect_err(condition);
        assert_eq!(error.at, at, "{condition}: {}", error.message);
        assert!(error.message.contains(says), "{condition}: {}", error.message);
    }
}

#[test]
fn a_single_comparison_has_a_limit() {
    let limit = |text: &str| Expression::parse(text).expect("a condition").limit();
    assert_eq!((limit("result[0] >= 0.95"), limit("result < 5")), (Some((">=", 0.95)), Some(("<", 5.0))));
    assert_eq!(limit("len(result) > 0 && result[0] >= 0.95"), Some((">=", 0.95)));
    assert_eq!((limit("isNaN(result)"), limit("1 > 2"), limit("result > 1 || true")), (None, None, None));
}

#[test]
fn arbitrary_conditions_do_no_harm() {
    let words = [
        "result", "[", "]", "(", ")", "0", "1e9", ".", "x", "'a'", "&&", "||", "!", "-", "**", "??", "?", ":", "#", "{", "}",
        ",", "all", "len", "default", "max", "in", "==", "<", " ", "é", "\"", "\\", "not", "nil", "%",
    ];
    let mut dice = Dice(31);
    let results = [json!(1), json!([1, 2]), json!([]), json!({"x": [1]}), json!(null), json!("a"), json!(true)];
    for _ in 0..20_000 {
        let text: String = (0..dice.roll(12)).map(|_| *dice.pick(&words)).collect();
        match Expression::parse(&text) {
            Ok(condition) => results.iter().for_each(|result| drop(condition.holds(&Value::from(result)))),
            Err(error) => assert!(error.at <= text.chars().count(), "{text}"),
        }
    }
    for deep in ["(", "!", "-", "[", "all(result, {"] {
        assert!(Expression::parse(&deep.repeat(20_000)).is_err());
    }
}
