//! Which routes a request for weights means. Zero is an error that lists what was seen; several that differ are an error
//! that lists them; several that stand alike are moved together.

use super::host;
use super::object::Object;
use super::route::{Action, Protocol, Route};
use super::shell;
use super::suggest;
use super::weight::Weights;
use crate::error::{Error, Result};

/// A service: the virtual services that hold its routes, the one that was found first, its delegates behind it.
#[derive(Clone, Debug)]
pub struct Service {
    /// As the user named it.
    pub name: String,
    /// The same with the flags that say where: what a command in a hint must repeat to mean the same service.
    pub typed: String,
    /// At least one.
    pub objects: Vec<Object>,
}

/// What `--route` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutePick {
    /// `all`: every route that carries the destinations.
    All,
    /// `1`, `http[1]`, `http/1`: by place; without a protocol, of whichever list it fits.
    Index(Option<Protocol>, usize),
    /// The name of an http route.
    Name(String),
}

impl std::str::FromStr for RoutePick {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a route is named by its name, by its index as `1` or `http[1]`, or `all`".into());
        }
        if text == "all" {
            return Ok(RoutePick::All);
        }
        if let Ok(index) = text.parse() {
            return Ok(RoutePick::Index(None, index));
        }
        for protocol in Protocol::ALL {
            let rest = text.strip_prefix(protocol.key());
            let index = rest.and_then(|rest| {
                rest.strip_prefix('/').or_else(|| rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')))
            });
            if let Some(index) = index.and_then(|index| index.parse().ok()) {
                return Ok(RoutePick::Index(Some(protocol), index));
            }
        }
        Ok(RoutePick::Name(text.to_owned()))
    }
}

impl std::fmt::Display for RoutePick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RoutePick::All => f.write_str("all"),
            RoutePick::Index(None, index) => write!(f, "{index}"),
            RoutePick::Index(Some(protocol), index) => write!(f, "{}[{index}]", protocol.key()),
            RoutePick::Name(name) => f.write_str(name),
        }
    }
}

impl RoutePick {
    pub(super) fn fits(&self, route: &Route) -> bool {
        match self {
            RoutePick::All => true,
            RoutePick::Index(protocol, index) => {
                route.id.index == *index && protocol.is_none_or(|protocol| protocol == route.id.protocol)
            }
            RoutePick::Name(name) => route.name.as_ref() == Some(name),
        }
    }
}

/// A route of one of a service's objects.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// The object's place in [`Service::objects`].
    pub object: usize,
    /// The route.
    pub route: &'a Route,
}

impl Service {
    /// All its routes.
    pub fn routes(&self) -> impl Iterator<Item = Chosen<'_>> {
        let of = |(object, one): (usize, &'_ Object)| (object, one.routes.len());
        let places: Vec<(usize, usize)> = self.objects.iter().enumerate().map(of).collect();
        places.into_iter().flat_map(move |(object, count)| {
            (0..count).map(move |index| Chosen { object, route: &self.objects[object].routes[index] })
        })
    }

    /// What a route is called among the service's: with the object's name where there are several.
    pub fn route_title(&self, chosen: Chosen<'_>) -> String {
        match self.objects.len() {
            1 => chosen.route.id.to_string(),
            _ => format!("{} {}", self.objects[chosen.object].name, chosen.route.id),
        }
    }
}

/// The routes that `weights` means.
///
/// # Errors
/// `NotFound` where no route fits, `Usage` where several fit that differ.
pub fn routes<'a>(service: &'a Service, weights: &Weights, pick: Option<&RoutePick>) -> Result<Vec<Chosen<'a>>> {
    let splits: Vec<Chosen<'a>> = service.routes().filter(|chosen| chosen.route.destinations().len() > 1).collect();
    let fitting: Vec<Chosen<'a>> = match weights {
        Weights::Positional(values) => splits.iter().copied().filter(|c| c.route.destinations().len() == values.len()).collect(),
        Weights::Named(pairs) => {
            let carries = |c: &Chosen<'a>| pairs.iter().all(|(name, _)| c.route.find(name).is_ok());
            let mut fitting: Vec<Chosen<'a>> = splits.iter().copied().filter(carries).collect();
            if fitting.is_empty() {
                fitting = extensible(service, pairs);
            }
            fitting
        }
    };
    let picked: Vec<Chosen<'a>> = fitting.iter().copied().filter(|c| pick.is_none_or(|pick| pick.fits(c.route))).collect();
    if picked.is_empty() {
        return Err(match (fitting.is_empty(), weights) {
            (false, _) => no_such_route(service, &fitting),
            (true, Weights::Positional(values)) => wrong_count(service, &splits, values),
            (true, Weights::Named(pairs)) => no_such_destination(service, pairs),
        });
    }
    alike(service, picked, pick)
}

/// Routes with a single destination that is one of two named ones: the other can be added beside it.
fn extensible<'a>(service: &'a Service, pairs: &[(String, u32)]) -> Vec<Chosen<'a>> {
    let one_of_two = |c: &Chosen<'a>| {
        c.route.destinations().len() == 1
            && pairs.len() == 2
            && pairs.iter().filter(|(name, _)| c.route.find(name).is_ok()).count() == 1
    };
    service.routes().filter(one_of_two).collect()
}

/// Several routes are one choice only where they hold the same destinations with the same weights, or where the user
/// said `--route all`: people keep such routes in step (one for each path), and would leave them so.
pub fn alike<'a>(service: &Service, picked: Vec<Chosen<'a>>, pick: Option<&RoutePick>) -> Result<Vec<Chosen<'a>>> {
    // By host and subset: `blue` of one service is not `blue` of another.
    let split = |chosen: &Chosen<'_>| -> Vec<(String, Option<String>, u32)> {
        let namespace = &service.objects[chosen.object].namespace;
        let to = chosen.route.destinations().iter();
        to.map(|to| (host::resolve(&to.host, namespace), to.subset.clone(), to.weight.value())).collect()
    };
    let first = split(&picked[0]);
    if pick == Some(&RoutePick::All) || picked.iter().all(|chosen| split(chosen) == first) {
        return Ok(picked);
    }
    let mut message = format!("`{}` has {} routes that this could mean:", service.name, picked.len());
    for chosen in &picked {
        message += &format!("\n  {}", describe(service, *chosen));
    }
    let example = picked[0];
    let chosen_by = |pick: &RoutePick| picked.iter().filter(|chosen| pick.fits(chosen.route)).count() == 1;
    let names = [example.route.name.clone().unwrap_or_default(), example.route.id.to_string()];
    let flag = names.iter().find(|name| name.parse().is_ok_and(|pick| chosen_by(&pick)));
    let choose = match flag {
        Some(flag) => format!("choose with `--route {}`", shell::quoted(flag)),
        None => {
            let object = &service.objects[example.object];
            format!("name one object, as in `vs/{} -n {}`", object.name, object.namespace)
        }
    };
    Err(Error::usage(message).hint(format!("{choose}, or take all with `--route all`")))
}

/// One line about a route: place, name, condition, weights or why it has none.
pub fn describe(service: &Service, chosen: Chosen<'_>) -> String {
    let route = chosen.route;
    let mut line = service.route_title(chosen);
    if let Some(name) = &route.name {
        line += &format!(" `{name}`");
    }
    line += ": ";
    match &route.action {
        Action::Forward(to) if to.len() == 1 => line += &format!("everything to {}", to[0].label),
        Action::Forward(_) => {
            line += &route.weights().iter().map(|(label, weight)| format!("{label} {weight}")).collect::<Vec<_>>().join(", ")
        }
        Action::Delegate { name, .. } => line += &format!("delegated to {name}"),
        Action::Other(what) => line += what,
        Action::Broken(why) => line += why,
    }
    if let Some(condition) = &route.condition {
        line += &format!(" (only {condition})");
    }
    // Names come from other people: none of them begins a line of its own.
    line.replace('\n', "\\n")
}

fn seen(service: &Service) -> String {
    let lines: Vec<String> = service.routes().map(|chosen| format!("\n  {}", describe(service, chosen))).collect();
    match lines.len() {
        0 => " it has no routes".into(),
        // A screenful is enough to see what it is.
        20.. => format!("{}\n  … and {} more", lines[..20].concat(), lines.len() - 20),
        _ => lines.concat(),
    }
}

fn no_such_route(service: &Service, fitting: &[Chosen<'_>]) -> Error {
    let mut message = format!("no route of `{}` fits `--route`; with these destinations it has:", service.name);
    for chosen in fitting.iter().take(20) {
        message += &format!("\n  {}", describe(service, *chosen));
    }
    Error::not_found(message)
}

fn wrong_count(service: &Service, splits: &[Chosen<'_>], values: &[u32]) -> Error {
    let Some(split) = splits.first() else {
        let error = Error::not_found(format!("no route of `{}` has weights:{}", service.name, seen(service)));
        let single = service.routes().any(|chosen| chosen.route.destinations().len() == 1);
        let begin = || format!("name the subsets to begin a split: `tidegate shift {} --weights OLD=100,NEW=0`", service.typed);
        return if single { error.hint(begin()) } else { error };
    };
    let labels: Vec<String> = split.route.weights().into_iter().map(|(label, _)| label).collect();
    let error = Error::usage(format!(
        "{} weights for the {} destinations of `{}` ({}: {})",
        values.len(),
        labels.len(),
        service.name,
        service.route_title(*split),
        labels.join(", ")
    ));
    let beyond = values.get(labels.len()..).is_some_and(|rest| rest.iter().all(|&weight| weight == 0));
    let named: Vec<String> = labels.iter().zip(values).map(|(label, weight)| format!("{label}={weight}")).collect();
    match beyond {
        true => {
            error.hint(format!("name them: `tidegate shift {} --weights {}`", service.typed, shell::quoted(&named.join(","))))
        }
        false => error.hint(format!(
            "name those that share the traffic: `--weights {}`",
            shell::quoted(&format!("{}=80,{}=20", labels[0], labels[1]))
        )),
    }
}

fn no_such_destination(service: &Service, pairs: &[(String, u32)]) -> Error {
    // Ambiguity within one route is said first: a name that fits two destinations is not a missing one.
    for chosen in service.routes() {
        for (name, _) in pairs {
            if let Err(Some(labels)) = chosen.route.find(name) {
                return Error::usage(format!("`{name}` means several destinations of `{}`: {}", service.name, labels.join(", ")));
            }
        }
    }
    let mut labels: Vec<String> = Vec::new();
    for label in service.routes().flat_map(|chosen| chosen.route.weights()).map(|(label, _)| label) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let known = |name: &str| service.routes().any(|chosen| chosen.route.find(name).is_ok());
    let unknown: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).filter(|name| !known(name)).collect();
    let Some(first) = unknown.first() else {
        return Error::not_found(format!("no route of `{}` has all of these destinations:{}", service.name, seen(service)));
    };
    if labels.is_empty() {
        return Error::not_found(format!("no route of `{}` has destinations:{}", service.name, seen(service)));
    }
    let error = Error::not_found(format!("`{}` has no destination `{first}`; it has {}", service.name, labels.join(", ")));
    let corrected: Vec<String> = pairs
        .iter()
        .map(|(name, weight)| {
            let free = labels.iter().map(String::as_str).filter(|label| !pairs.iter().any(|(taken, _)| taken == label));
            let name = if known(name) { Some(name.as_str()) } else { suggest::nearest(name, free) };
            name.map(|name| format!("{name}={weight}"))
        })
        .collect::<Option<_>>()
        .unwrap_or_default();
    match corrected.is_empty() {
        true => error,
        false => error.hint(format!("`tidegate shift {} --weights {}`", service.typed, shell::quoted(&corrected.join(",")))),
    }
}

#[cfg(test)]
mod tests;
