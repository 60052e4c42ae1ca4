//! Places in a JSON document: the part of JSONPath (RFC 9535) that names places.
//!
//! `$`, `.name`, `['name']`, `[0]`, `[-1]`, `[*]`, `.*`, `..name`, and `[?(@.name == 'text')]` for the members of a list; with
//! or without the braces of Kubernetes' form, which may leave out the `$`. Slices, functions and other filters are refused.

use serde_json::Value;

/// A step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// A member of a map.
    Name(String),
    /// An element of a list; from its end where it is negative.
    Index(i64),
    /// All of them.
    All,
    /// Everything below, itself included.
    Below,
    /// Those whose member has this value.
    Where(String, Value),
}

/// What is at `path`, with the path of each.
///
/// # Errors
/// Says that the path is none, or holds what is not known.
pub fn find<'a>(path: &str, document: &'a Value) -> Result<Vec<(String, &'a Value)>, String> {
    let steps = steps(path).ok_or_else(|| format!("`{}` is not a path such as `$.data.rates[0].value`", path.escape_debug()))?;
    let mut found = vec![("$".to_owned(), document)];
    for step in &steps {
        found = found.into_iter().flat_map(|(at, value)| taken(step, at, value)).collect();
    }
    Ok(found)
}

fn taken<'a>(step: &Step, at: String, value: &'a Value) -> Vec<(String, &'a Value)> {
    match step {
        Step::Name(name) => value.get(name).map(|member| (format!("{at}.{name}"), member)).into_iter().collect(),
        Step::Index(index) => {
            let list = value.as_array().map_or(&[][..], Vec::as_slice);
            let place = match usize::try_from(*index) {
                Ok(place) => Some(place),
                Err(_) => usize::try_from(index.unsigned_abs()).ok().and_then(|back| list.len().checked_sub(back)),
            };
            place.and_then(|place| Some((format!("{at}[{place}]"), list.get(place)?))).into_iter().collect()
        }
        Step::All => members(&at, value),
        Step::Where(name, wanted) => {
            members(&at, value).into_iter().filter(|(_, member)| member.get(name) == Some(wanted)).collect()
        }
        Step::Below => {
            let mut all = vec![(at, value)];
            let mut next = 0;
            while let Some((at, value)) = all.get(next).cloned() {
                all.extend(members(&at, value));
                next += 1;
            }
            all
        }
    }
}

fn members<'a>(at: &str, value: &'a Value) -> Vec<(String, &'a Value)> {
    match value {
        Value::Array(list) => list.iter().enumerate().map(|(place, item)| (format!("{at}[{place}]"), item)).collect(),
        Value::Object(map) => map.iter().map(|(name, item)| (format!("{at}.{name}"), item)).collect(),
        _ => Vec::new(),
    }
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let inner = path.trim();
    let inner = inner.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(inner).trim();
    let mut rest = inner.strip_prefix('$').unwrap_or(inner);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(bracket) = rest.strip_prefix('[') {
            let (step, after) = bracketed(bracket)?;
            steps.push(step);
            rest = after;
            continue;
        }
        let name = match rest.strip_prefix("..") {
            Some(name) => {
                steps.push(Step::Below);
                name
            }
            None => rest.strip_prefix('.')?,
        };
        if name.starts_with('[') && steps.last() == Some(&Step::Below) {
            rest = name;
            continue;
        }
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, after) = name.split_at(end);
        match name {
            "" => return None,
            "*" => steps.push(Step::All),
            _ if name.contains(|c: char| !(c.is_alphanumeric() || "_-".contains(c))) => return None,
            _ => steps.push(Step::Name(name.to_owned())),
        }
        rest = after;
    }
    Some(steps)
}

/// The step in brackets, of which the first is taken off, and what follows them.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    let text = text.trim_start();
    if let Some((name, after)) = quoted(text) {
        return Some((Step::Name(name), after.trim_start().strip_prefix(']')?));
    }
    if let Some(filter) = text.strip_prefix('?') {
        let filter = filter.trim_start().strip_prefix('(').unwrap_or(filter).trim_start().strip_prefix("@.")?;
        let (name, after) = filter.split_once("==")?;
        let after = after.trim_start();
        let (wanted, after) = match quoted(after) {
            Some((text, after)) => (Value::from(text), after),
            None => {
                let end = after.find([')', ']'])?;
                (serde_json::from_str(after.get(..end)?.trim()).ok()?, after.get(end..)?)
            }
        };
        let after = after.trim_start();
        let after = after.strip_prefix(')').unwrap_or(after).trim_start();
        return Some((Step::Where(name.trim().to_owned(), wanted), after.strip_prefix(']')?));
    }
    let (inside, after) = text.split_once(']')?;
    match inside.trim() {
        "*" => Some((Step::All, after)),
        index => Some((Step::Index(index.parse().ok()?), after)),
    }
}

/// A text in single or double quotes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| ['\'', '"'].contains(c))?;
    let (inside, after) = text.get(1..)?.split_once(quote)?;
    Some((inside.to_owned(), after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_found() {
        let document = json!({"data": {"ok": true, "a b": 1}, "runs": [{"name": "x", "p95": 1.5}, {"name": "y", "p95": 2}]});
        for (path, expected) in [
            ("$", json!([document])),
            ("", json!([document])),
            ("{$.data.ok}", json!([true])),
            ("{.data.ok}", json!([true])),
            ("$['data'][\"a b\"]", json!([1])),
            ("$.runs[0].p95", json!([1.5])),
            ("$.runs[-1].p95", json!([2])),
            ("$.runs[-3].p95", json!([])),
            ("$.runs[*].p95", json!([1.5, 2])),
            ("$..p95", json!([1.5, 2])),
            ("$..[0].name", json!(["x"])),
            ("$.runs[?(@.name == 'y')].p95", json!([2])),
            ("$.runs[?@.p95==2].name", json!(["y"])),
            ("$.data.*", json!([true, 1])),
            ("$.nothing.at.all", json!([])),
        ] {
            let found = find(path, &document).map(|found| found.into_iter().map(|(_, value)| value.clone()).collect::<Vec<_>>());
            assert_eq!(found.map(Value::from), Ok(expected), "{path}");
        }
        assert_eq!(find("$.runs[*].p95", &document).map(|found| found[1].0.clone()), Ok("$.runs[1].p95".into()));
        assert_eq!(find("$.runs[-1]", &document).map(|found| found[0].0.clone()), Ok("$.runs[1]".into()));
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for path in ["$.", "x", "$[", "$.[", "$[1:2]", "$[x]", "$.a b", "$.length()", "$[?(@.a > 1)]", "$...a", "$['a", "$[?"] {
            assert!(find(path, &json!({})).is_err(), "{path}");
        }
    }
}
