//! What a condition comes to.

use super::{Node, Operator, Value};
use crate::core::gate::number;

/// The functions, and how many arguments they take.
pub const FUNCTIONS: [(&str, usize, usize); 27] = [
    ("abs", 1, 1),
    ("all", 2, 2),
    ("any", 2, 2),
    ("asFloat", 1, 1),
    ("asInt", 1, 1),
    ("ceil", 1, 1),
    ("count", 2, 2),
    ("default", 2, 2),
    ("filter", 2, 2),
    ("first", 1, 1),
    ("float", 1, 1),
    ("floor", 1, 1),
    ("int", 1, 1),
    ("isInf", 1, 1),
    ("isNaN", 1, 1),
    ("isNil", 1, 1),
    ("last", 1, 1),
    ("len", 1, 1),
    ("map", 2, 2),
    ("max", 1, usize::MAX),
    ("mean", 1, 1),
    ("median", 1, 1),
    ("min", 1, usize::MAX),
    ("none", 2, 2),
    ("one", 2, 2),
    ("round", 1, 1),
    ("sum", 1, 1),
];

/// What names stand for.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub result: &'a Value,
    pub entry: Option<&'a Value>,
    /// Whether the condition looks for NaN itself; else NaN cannot be compared.
    pub minds_nan: bool,
}

/// A value for people.
pub fn told(value: &Value) -> String {
    match value {
        Value::Nil => "nothing".into(),
        Value::Number(number) => number::text(*number),
        Value::Truth(truth) => truth.to_string(),
        Value::Text(text) => format!("\"{}\"", text.escape_debug()),
        Value::List(list) => match list.as_slice() {
            [] => "an empty list".into(),
            list if list.len() <= 4 => format!("[{}]", list.iter().map(told).collect::<Vec<_>>().join(", ")),
            list => format!("a list of {}", list.len()),
        },
        Value::Fields(_) => "a map".into(),
    }
}

pub fn eval(node: &Node, scope: &Scope<'_>) -> Result<Value, String> {
    match node {
        Node::Constant(value) => Ok(value.clone()),
        Node::Name(_) => Ok(scope.result.clone()),
        Node::Entry => scope.entry.cloned().ok_or_else(|| "`#` stands outside of a closure".into()),
        Node::Not(one) => truth(&eval(one, scope)?).map(|truth| Value::Truth(!truth)),
        Node::Negative(one) => number(&eval(one, scope)?).map(|number| Value::Number(-number)),
        Node::Choice(condition, then, otherwise) => {
            let holds = truth(&eval(condition, scope)?)?;
            eval(if holds { then } else { otherwise }, scope)
        }
        Node::List(nodes) => nodes.iter().map(|node| eval(node, scope)).collect::<Result<_, _>>().map(Value::List),
        Node::Field(of, name) => match eval(of, scope)? {
            Value::Fields(fields) => {
                Ok(fields.into_iter().find(|(known, _)| known == name).map_or(Value::Nil, |(_, value)| value))
            }
            other => Err(format!("{} has no field `{name}`", told(&other))),
        },
        Node::Index(of, at) => index(eval(of, scope)?, &eval(at, scope)?),
        Node::Binary(operator, left, right) => binary(*operator, left, right, scope),
        Node::Call(name, arguments) => call(name, arguments, scope),
    }
}

fn index(of: Value, at: &Value) -> Result<Value, String> {
    match (of, at) {
        (Value::Fields(fields), Value::Text(name)) => {
            Ok(fields.into_iter().find(|(known, _)| known == name).map_or(Value::Nil, |(_, value)| value))
        }
        (Value::List(list), at) => {
            let place = number(at)?;
            let place = if place < 0.0 { place + list.len() as f64 } else { place };
            let found = (place >= 0.0 && place.fract() == 0.0).then(|| list.get(place as usize)).flatten();
            found.cloned().ok_or_else(|| match list.len() {
                0 => "the result is empty".to_owned(),
                length => format!("there is no entry {} among {length}", told(at)),
            })
        }
        // A value that was given is not in a vector, as one of Prometheus is.
        (one @ Value::Number(_), Value::Number(at)) if *at == 0.0 => Ok(one),
        (other, at) => Err(format!("{} has no entry {}", told(&other), told(at))),
    }
}

fn truth(value: &Value) -> Result<bool, String> {
    match value {
        Value::Truth(truth) => Ok(*truth),
        other => Err(format!("{} is neither true nor false", told(other))),
    }
}

fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::Number(number) => Ok(*number),
        Value::List(list) if list.is_empty() => Err("the result is empty".into()),
        other => Err(format!("{} is not a number", told(other))),
    }
}

/// A number that is compared. Every comparison with NaN is false, so that a `failureCondition` would let it pass.
fn compared(value: &Value, scope: &Scope<'_>) -> Result<f64, String> {
    match number(value)? {
        nan if nan.is_nan() && !scope.minds_nan => Err("NaN: nothing was measured".into()),
        number => Ok(number),
    }
}

/// Refuses a missing field or NaN in a test for equality. Only the word `nil` is equal to what is missing.
fn known(sides: [(&Node, &Value); 2], scope: &Scope<'_>) -> Result<(), String> {
    let asks_for_nil = sides.iter().any(|(node, _)| matches!(node, Node::Constant(Value::Nil)));
    for (_, value) in sides {
        match value {
            Value::Nil if !asks_for_nil => return Err("nothing was measured to compare with".into()),
            Value::Number(_) => drop(compared(value, scope)?),
            _ => {}
        }
    }
    Ok(())
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(a, b)),
        (one, other) => one == other,
    }
}

fn binary(operator: Operator, left: &Node, right: &Node, scope: &Scope<'_>) -> Result<Value, String> {
    let first = eval(left, scope)?;
    match operator {
        // The second side may rely on the first: `len(result) == 0 || result[0] > 1`.
        Operator::Or => return Ok(Value::Truth(truth(&first)? || truth(&eval(right, scope)?)?)),
        Operator::And => return Ok(Value::Truth(truth(&first)? && truth(&eval(right, scope)?)?)),
        Operator::Otherwise => return if first == Value::Nil { eval(right, scope) } else { Ok(first) },
        _ => {}
    }
    let second = eval(right, scope)?;
    if matches!(operator, Operator::Equal | Operator::Unequal | Operator::In) {
        known([(left, &first), (right, &second)], scope)?;
    }
    let order = |holds: fn(f64, f64) -> bool| match (&first, &second) {
        (Value::Text(one), Value::Text(other)) => {
            let order = one.cmp(other) as i8;
            Ok(Value::Truth(holds(f64::from(order), 0.0)))
        }
        (one, other) => Ok(Value::Truth(holds(compared(one, scope)?, compared(other, scope)?))),
    };
    let sum = |of: fn(f64, f64) -> f64| Ok(Value::Number(of(number(&first)?, number(&second)?)));
    match operator {
        Operator::Equal => Ok(Value::Truth(same(&first, &second))),
        Operator::Unequal => Ok(Value::Truth(!same(&first, &second))),
        Operator::Less => order(|one, other| one < other),
        Operator::LessOrEqual => order(|one, other| one <= other),
        Operator::Greater => order(|one, other| one > other),
        Operator::GreaterOrEqual => order(|one, other| one >= other),
        Operator::In => match &second {
            Value::List(list) => Ok(Value::Truth(list.iter().any(|one| same(one, &first)))),
            Value::Fields(fields) => Ok(Value::Truth(fields.iter().any(|(name, _)| first == Value::Text(name.clone())))),
            other => Err(format!("nothing is in {}", told(other))),
        },
        Operator::Add => match (&first, &second) {
            (Value::Text(one), Value::Text(other)) => Ok(Value::Text(format!("{one}{other}"))),
            _ => sum(|one, other| one + other),
        },
        Operator::Subtract => sum(|one, other| one - other),
        Operator::Multiply => sum(|one, other| one * other),
        Operator::Divide => sum(|one, other| one / other),
        Operator::Remainder => sum(|one, other| one % other),
        Operator::Power => sum(f64::powf),
        Operator::Or | Operator::And | Operator::Otherwise => Ok(first),
    }
}

fn call(name: &str, arguments: &[Node], scope: &Scope<'_>) -> Result<Value, String> {
    let (Some(one), rest) = (arguments.first(), arguments.get(1..).unwrap_or_default()) else {
        return Err(format!("`{name}` takes an argument"));
    };
    let first = eval(one, scope)?;
    if name == "default" {
        // NaN is not missing: it was asked for, and not measured.
        let missing = first == Value::Nil || matches!(&first, Value::List(list) if list.is_empty());
        return rest.first().filter(|_| missing).map_or(Ok(first), |otherwise| eval(otherwise, scope));
    }
    if let Some(closure) = rest.first().filter(|_| ["all", "any", "none", "one", "count", "filter", "map"].contains(&name)) {
        return over(name, &first, closure, scope);
    }
    let whole = |of: fn(f64) -> f64| number(&first).map(|number| Value::Number(of(number)));
    match name {
        "len" => match &first {
            Value::List(list) => Ok(Value::Number(list.len() as f64)),
            Value::Fields(fields) => Ok(Value::Number(fields.len() as f64)),
            Value::Text(text) => Ok(Value::Number(text.chars().count() as f64)),
            Value::Number(_) => Ok(Value::Number(1.0)),
            other => Err(format!("{} has no length", told(other))),
        },
        "isNaN" => Ok(Value::Truth(single(&first)?.is_nan())),
        "isInf" => Ok(Value::Truth(single(&first)?.is_infinite())),
        "isNil" => Ok(Value::Truth(first == Value::Nil)),
        "asFloat" | "float" => converted(&first).map(Value::Number),
        "asInt" | "int" => converted(&first).map(|number| Value::Number(number.trunc())),
        "abs" => whole(f64::abs),
        "ceil" => whole(f64::ceil),
        "floor" => whole(f64::floor),
        "round" => whole(f64::round),
        "first" => index(first, &Value::Number(0.0)),
        "last" => index(first, &Value::Number(-1.0)),
        _ => {
            let mut numbers = numbers(&first)?;
            for node in rest {
                numbers.extend(self::numbers(&eval(node, scope)?)?);
            }
            folded(name, numbers)
        }
    }
}

/// The number of a vector with one entry, too: the documentation's idiom is `isNaN(result)`, and Prometheus answers a vector.
fn single(value: &Value) -> Result<f64, String> {
    match value {
        Value::List(list) => match list.as_slice() {
            [one] => number(one),
            _ => Err(format!("{} is not one number", told(value))),
        },
        other => number(other),
    }
}

fn converted(value: &Value) -> Result<f64, String> {
    match value {
        Value::Text(text) => text.trim().parse().map_err(|_| format!("{} is not a number", told(value))),
        other => number(other),
    }
}

fn numbers(value: &Value) -> Result<Vec<f64>, String> {
    match value {
        Value::List(list) => list.iter().map(number).collect(),
        other => number(other).map(|number| vec![number]),
    }
}

fn folded(name: &str, mut numbers: Vec<f64>) -> Result<Value, String> {
    if numbers.is_empty() && name != "sum" {
        return Err("the result is empty".into());
    }
    // The least or the most of what was not measured is not known.
    let nan = numbers.iter().any(|number| number.is_nan());
    let sum: f64 = numbers.iter().sum();
    Ok(Value::Number(match name {
        _ if nan => f64::NAN,
        "min" => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        "max" => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "mean" => sum / numbers.len() as f64,
        "median" => {
            numbers.sort_by(f64::total_cmp);
            let half = numbers.len() / 2;
            let at = |place: usize| numbers.get(place).copied().unwrap_or(f64::NAN);
            if numbers.len() % 2 == 1 { at(half) } else { (at(half.saturating_sub(1)) + at(half)) / 2.0 }
        }
        _ => sum,
    }))
}

/// A closure over the entries of a list.
fn over(name: &str, list: &Value, closure: &Node, scope: &Scope<'_>) -> Result<Value, String> {
    let Value::List(list) = list else { return Err(format!("{} is not a list", told(list))) };
    let of = |entry: &Value| eval(closure, &Scope { entry: Some(entry), ..*scope });
    if name == "map" {
        return list.iter().map(of).collect::<Result<_, _>>().map(Value::List);
    }
    let mut held = Vec::new();
    for entry in list {
        if truth(&of(entry)?)? {
            held.push(entry.clone());
        }
    }
    Ok(match name {
        // Of nothing everything is true: it would pass what was not measured.
        "all" if list.is_empty() => return Err("the result is empty".into()),
        "all" => Value::Truth(held.len() == list.len()),
        "any" => Value::Truth(!held.is_empty()),
        "none" if list.is_empty() => return Err("the result is empty".into()),
        "none" => Value::Truth(held.is_empty()),
        "one" => Value::Truth(held.len() == 1),
        "count" => Value::Number(held.len() as f64),
        _ => Value::List(held),
    })
}
