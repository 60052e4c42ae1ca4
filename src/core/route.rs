//! The routes of one virtual service, read for their destinations and weights.
//!
//! Reading never fails as a whole: what cannot be understood is kept as [`Action::Broken`] with the reason, so that one
//! odd route neither hides nor blocks the others. Semantics: Istio's `virtual_service.proto`.

use super::host;
use serde_json::Value;

/// Which of the three lists of a virtual service a route is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `spec.http`
    Http,
    /// `spec.tls`
    Tls,
    /// `spec.tcp`
    Tcp,
}

impl Protocol {
    /// All, in the order in which they are shown.
    pub const ALL: [Protocol; 3] = [Protocol::Http, Protocol::Tls, Protocol::Tcp];

    /// The key below `spec`.
    pub fn key(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Tls => "tls",
            Protocol::Tcp => "tcp",
        }
    }
}

/// Where a route stands in its object: `http[1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteId {
    /// The list.
    pub protocol: Protocol,
    /// The place in the list, from 0.
    pub index: usize,
}

impl std::fmt::Display for RouteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.protocol.key(), self.index)
    }
}

/// One route.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Where it stands.
    pub id: RouteId,
    /// Its name; only http routes have one, and nothing keeps it unique.
    pub name: Option<String>,
    /// Which requests it takes, in words; `None` where it takes all.
    pub condition: Option<String>,
    /// What it does with them.
    pub action: Action,
    /// False behind a route that takes all: it never gets a request (IST0130).
    pub reachable: bool,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sends requests to destinations; at least one.
    Forward(Vec<Destination>),
    /// Leaves it to another virtual service.
    Delegate {
        /// Its name.
        name: String,
        /// Its namespace, where it is named.
        namespace: Option<String>,
    },
    /// Carries no weights: `redirect`, `direct response`, `no destinations`.
    Other(&'static str),
    /// Cannot be understood; says why.
    Broken(String),
}

/// One destination of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// As written.
    pub host: String,
    /// As written.
    pub subset: Option<String>,
    /// As stored.
    pub weight: Stored,
    /// What it is called: its subset where that tells it from its neighbours, else its host.
    pub label: String,
}

/// A weight as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// There is none. Istio takes it for 0 where there are several destinations.
    Missing,
    /// A JSON integer.
    Number(u32),
    /// A quoted integer: objects stored before Istio 1.4 can still hold them.
    Quoted(u32),
}

impl Stored {
    /// The weight as Istio reads it beside other destinations.
    pub fn value(self) -> u32 {
        match self {
            Stored::Missing => 0,
            Stored::Number(weight) | Stored::Quoted(weight) => weight,
        }
    }
}

impl Route {
    /// Its destinations, where it forwards.
    pub fn destinations(&self) -> &[Destination] {
        match &self.action {
            Action::Forward(destinations) => destinations,
            _ => &[],
        }
    }

    /// The labels and weights of its destinations.
    pub fn weights(&self) -> Vec<(String, u32)> {
        self.destinations().iter().map(|destination| (destination.label.clone(), destination.weight.value())).collect()
    }

    /// The share of each destination between 0 and 1, as Istio gives it: weight over sum, all to a single one.
    pub fn shares(&self) -> Vec<f64> {
        let destinations = self.destinations();
        if destinations.len() == 1 {
            return vec![1.0];
        }
        let sum: f64 = destinations.iter().map(|destination| f64::from(destination.weight.value())).sum();
        destinations.iter().map(|d| if sum > 0.0 { f64::from(d.weight.value()) / sum } else { 0.0 }).collect()
    }

    /// The destination that `name` means: by label, subset, host (short or full) or `host/subset`.
    ///
    /// # Errors
    /// `None` where there is none; `Some(labels)` of all that fit where there are several.
    pub fn find(&self, name: &str) -> Result<usize, Option<Vec<String>>> {
        let destinations = self.destinations();
        if let Some(index) = destinations.iter().position(|destination| destination.label == name) {
            return Ok(index);
        }
        let fits = |destination: &&Destination| {
            let hosts = [destination.host.as_str(), host::short(&destination.host)];
            match (&destination.subset, name.split_once('/')) {
                (Some(subset), Some((host, wanted))) => subset == wanted && hosts.contains(&host),
                (Some(subset), None) => subset == name || hosts.contains(&name),
                (None, _) => hosts.contains(&name),
            }
        };
        let found: Vec<_> = destinations.iter().filter(fits).collect();
        match found.as_slice() {
            [one] => destinations.iter().position(|destination| destination == *one).ok_or(None),
            [] => Err(None),
            several => Err(Some(several.iter().map(|destination| destination.label.clone()).collect())),
        }
    }
}

/// Reads all routes of a virtual service's `spec`.
pub fn read(spec: &Value) -> Vec<Route> {
    let mut routes = Vec::new();
    for protocol in Protocol::ALL {
        let mut reachable = true;
        let list = spec.get(protocol.key()).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (index, route) in list.iter().enumerate() {
            routes.push(Route {
                id: RouteId { protocol, index },
                name: route.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned),
                condition: condition(route),
                action: action(route),
                reachable,
            });
            reachable &= !takes_all(route);
        }
    }
    routes
}

fn action(route: &Value) -> Action {
    let list = match route.get("route") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(list)) => list,
        Some(_) => return Action::Broken("`route` is not a list".into()),
    };
    if list.is_empty() {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned);
        let delegate = route.get("delegate").filter(|value| value.is_object());
        return match delegate.and_then(|delegate| Some((text(delegate, "name")?, text(delegate, "namespace")))) {
            Some((name, namespace)) => Action::Delegate { name, namespace },
            None if route.get("redirect").is_some() => Action::Other("a redirect"),
            None if route.get("directResponse").is_some() => Action::Other("a direct response"),
            None => Action::Other("no destinations"),
        };
    }
    match list.iter().enumerate().map(|(index, entry)| destination(index, entry)).collect::<Result<Vec<_>, _>>() {
        Ok(mut destinations) => {
            label(&mut destinations);
            Action::Forward(destinations)
        }
        Err(why) => Action::Broken(why),
    }
}

fn destination(index: usize, entry: &Value) -> Result<Destination, String> {
    let target = entry.get("destination").ok_or_else(|| format!("route[{index}] has no destination"))?;
    let host = target.get("host").and_then(Value::as_str).filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| format!("route[{index}] has no host"))?.to_owned();
    let subset = target.get("subset").and_then(Value::as_str).filter(|subset| !subset.is_empty()).map(str::to_owned);
    let within = |weight: u64| u32::try_from(weight).ok().filter(|&weight| i32::try_from(weight).is_ok());
    let odd = |value: &Value| format!("route[{index}] has the weight {value}");
    let weight = match entry.get("weight") {
        None | Some(Value::Null) => Stored::Missing,
        Some(value @ Value::Number(number)) => Stored::Number(number.as_u64().and_then(within).ok_or_else(|| odd(value))?),
        Some(value @ Value::String(text)) => Stored::Quoted(text.parse().ok().and_then(within).ok_or_else(|| odd(value))?),
        Some(value) => return Err(odd(value)),
    };
    Ok(Destination { host, subset, weight, label: String::new() })
}

/// Gives each destination the shortest name that no neighbour has.
fn label(destinations: &mut [Destination]) {
    let forms = |destination: &Destination| -> Vec<String> {
        let short = host::short(&destination.host).to_owned();
        match &destination.subset {
            Some(subset) => vec![subset.clone(), format!("{short}/{subset}"), format!("{}/{subset}", destination.host)],
            None => vec![short.clone(), destination.host.clone(), destination.host.clone()],
        }
    };
    let all: Vec<Vec<String>> = destinations.iter().map(forms).collect();
    for (index, destination) in destinations.iter_mut().enumerate() {
        let unique = (0..3).find(|&form| all.iter().filter(|other| other[form] == all[index][form]).count() == 1);
        destination.label = match unique {
            Some(form) => all[index][form].clone(),
            None => format!("{}#{index}", all[index][2]),
        };
    }
}

/// Whether a route takes every request that reaches it, so that nothing passes on to the next.
fn takes_all(route: &Value) -> bool {
    match route.get("match") {
        None | Some(Value::Null) => true,
        Some(Value::Array(matches)) => {
            matches.is_empty()
                || matches.iter().any(|one| {
                    one.as_object().is_some_and(|fields| {
                        fields.iter().all(|(key, value)| {
                            key == "name" || (key == "uri" && value.get("prefix").and_then(Value::as_str) == Some("/"))
                        })
                    })
                })
        }
        Some(_) => false,
    }
}

/// The `match` of a route in a few words: `X-group: test`, `uri prefix /api`, `port 27017`.
fn condition(route: &Value) -> Option<String> {
    let matches = route.get("match")?.as_array()?;
    let alternatives: Vec<String> = matches.iter().map(one_condition).collect();
    (!alternatives.is_empty()).then(|| alternatives.join(" or "))
}

fn one_condition(one: &Value) -> String {
    let mut parts = Vec::new();
    for (key, value) in one.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("name" | "statPrefix", _) => {}
            ("headers" | "withoutHeaders" | "queryParams", Value::Object(fields)) => {
                let not = if key == "withoutHeaders" { "not " } else { "" };
                parts.extend(fields.iter().map(|(name, value)| format!("{not}{name}: {}", string_match(value))));
            }
            ("sniHosts" | "gateways", Value::Array(items)) => {
                let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                parts.push(format!("{} {}", if key == "sniHosts" { "sni" } else { "gateway" }, items.join(", ")));
            }
            (_, Value::Object(_)) => parts.push(format!("{key} {}", string_match(value))),
            (_, Value::String(text)) => parts.push(format!("{key} {text}")),
            (_, other) => parts.push(format!("{key} {other}")),
        }
    }
    if parts.is_empty() { "everything".into() } else { parts.join(" and ") }
}

fn string_match(value: &Value) -> String {
    match value.as_object().and_then(|fields| fields.iter().next()) {
        Some((kind, Value::String(text))) if kind == "exact" => text.clone(),
        Some((kind, Value::String(text))) => format!("{kind} {text}"),
        Some((kind, other)) => format!("{kind} {other}"),
        None => "present".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(route: Value) -> Route {
        read(&json!({ "http": [route] })).remove(0)
    }

    #[test]
    fn labels_tell_destinations_apart() {
        let labels = |route: Value| one(json!({ "route": route })).weights();
        let to = |host: &str, subset: &str| json!({"destination": {"host": host, "subset": subset}});
        let names = |route| labels(route).into_iter().map(|(label, _)| label).collect::<Vec<_>>();
        assert_eq!(names(json!([to("carts", "blue"), to("carts", "green")])), ["blue", "green"]);
        assert_eq!(names(json!([to("a.x.svc.cluster.local", ""), to("b", "")])), ["a", "b"]);
        assert_eq!(names(json!([to("a", "v1"), to("b", "v1")])), ["a/v1", "b/v1"]);
        assert_eq!(names(json!([to("a.x", "v1"), to("a.y", "v1")])), ["a.x/v1", "a.y/v1"]);
        assert_eq!(names(json!([to("a", "v1"), to("a", "v1")])), ["a/v1#0", "a/v1#1"]);
    }

    #[test]
    fn finds_a_destination_by_each_of_its_names() {
        let route = one(json!({"route": [
            {"destination": {"host": "carts.shop.svc.cluster.local", "subset": "blue"}},
            {"destination": {"host": "carts.shop.svc.cluster.local", "subset": "green"}},
        ]}));
        assert_eq!(route.find("green"), Ok(1));
        assert_eq!(route.find("carts/green"), Ok(1));
        assert_eq!(route.find("carts.shop.svc.cluster.local/blue"), Ok(0));
        assert_eq!(route.find("carts"), Err(Some(vec!["blue".into(), "green".into()])));
        assert_eq!(route.find("gren"), Err(None));
    }

    #[test]
    fn weights_are_read_as_istio_reads_them() {
        let weight = |weight: Value| {
            one(json!({"route": [{"destination": {"host": "a"}, "weight": weight}, {"destination": {"host": "b"}}]})).action
        };
        let stored = |weight: Value| match first(weight) {
            Some(stored) => stored,
            None => panic!("broken"),
        };
        assert_eq!(stored(json!(80)), Stored::Number(80));
        assert_eq!(stored(json!("80")), Stored::Quoted(80));
        assert_eq!(stored(json!(null)), Stored::Missing);
        for odd in [json!(-5), json!(80.5), json!("x"), json!(true), json!(2_147_483_648u64)] {
            assert!(matches!(weight(odd.clone()), Action::Broken(_)), "{odd}");
        }
    }

    fn first(weight: Value) -> Option<Stored> {
        one(json!({"route": [{"destination": {"host": "a"}, "weight": weight}]})).destinations().first().map(|d| d.weight)
    }

    #[test]
    fn what_forwards_nothing_is_named() {
        assert_eq!(one(json!({"redirect": {"uri": "/x"}})).action, Action::Other("a redirect"));
        assert_eq!(one(json!({"route": []})).action, Action::Other("no destinations"));
        assert_eq!(one(json!({"route": null})).action, Action::Other("no destinations"));
        assert_eq!(one(json!(null)).action, Action::Other("no destinations"));
        assert_eq!(
            one(json!({"delegate": {"name": "d", "namespace": "n"}})).action,
            Action::Delegate { name: "d".into(), namespace: Some("n".into()) }
        );
        assert!(read(&json!({"http": null})).is_empty());
        assert!(read(&json!(null)).is_empty());
    }

    #[test]
    fn routes_behind_a_catch_all_are_never_reached() {
        let to = json!([{"destination": {"host": "a"}}]);
        let routes = read(&json!({"http": [
            {"match": [{"headers": {"X-group": {"exact": "test"}}}], "route": to},
            {"match": [{"uri": {"prefix": "/"}}], "route": to},
            {"route": to},
        ], "tcp": [{"route": to}]}));
        assert_eq!(routes.iter().map(|route| route.reachable).collect::<Vec<_>>(), [true, true, false, true]);
        assert_eq!(routes[0].condition.as_deref(), Some("X-group: test"));
        assert_eq!(routes[1].condition.as_deref(), Some("uri prefix /"));
        assert_eq!(routes[3].id.to_string(), "tcp[0]");
    }
}
