//! What stands in a stage: where a version would go, and what to go back to.

use crate::cluster::{Cluster, DEPLOYMENTS, SERVICES};
use crate::core::check::Rules;
use crate::core::delivery::image::Image;
use crate::core::delivery::project::SERVICE;
use crate::core::delivery::rollout;
use crate::core::delivery::run::{Before, Place, Run, StageRun};
use crate::core::host::{self, ServiceRef};
use crate::core::route::Route;
use crate::core::select::Service;
use crate::error::{Error, Kind, Result};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// How a service is named in the namespace of a stage.
pub fn reference(service: &str, namespace: &str) -> ServiceRef {
    ServiceRef { text: service.to_owned(), name: service.to_owned(), namespace: Some(namespace.to_owned()), object_only: false }
}

/// Finds the deployment that gets the version in a stage, and remembers what stands.
///
/// # Errors
/// `NotFound` where the service is not there, `Usage` where it is not clear which side is idle or which container is meant.
pub async fn look(cluster: &Cluster, run: &Run, stage: &StageRun) -> Result<Before> {
    let deployments = cluster.list(&DEPLOYMENTS, Some(&stage.namespace), "").await?;
    let mut before = Before {
        deployment: String::new(),
        container: String::new(),
        image: String::new(),
        replicas: 0,
        scale: 0,
        to: None,
        serving: None,
        serving_image: None,
        weights: Vec::new(),
        moved: None,
    };
    let mut serving_pods = 0;
    let deployment = match stage.plan.place {
        Place::Direct => single(cluster, &deployments, run, stage).await?,
        Place::Idle | Place::IdleAtOnce => {
            let (found, rules) = tokio::join!(service(cluster, run, stage), cluster.rules(Some(&stage.namespace), false));
            let (service, rules) = (found?, rules?);
            let sides = Sides::of(&service, stage, run.terms.to.as_deref())?;
            let idle = behind(cluster, &deployments, &rules, stage, &sides.route, &sides.idle).await?;
            let serving = behind(cluster, &deployments, &rules, stage, &sides.route, &sides.serving).await?;
            if idle.pointer("/metadata/uid") == serving.pointer("/metadata/uid") {
                let name = text(idle, "/metadata/name");
                let message = format!(
                    "{} and {} of `{}` in {} are both deployment {name}",
                    sides.idle, sides.serving, run.service, stage.namespace
                );
                return Err(Error::usage(message).hint("each colour needs a deployment of its own"));
            }
            serving_pods = rollout::replicas(serving);
            before.serving_image = serving_image(serving, run);
            before.weights = sides.route.weights();
            before.moved = moved(&service);
            before.to = Some(sides.idle);
            before.serving = Some(sides.serving);
            idle
        }
    };
    let repository = Image::parse(&run.image)?.repository;
    let name = text(deployment, "/metadata/name");
    let place = rollout::container(deployment, run.terms.container.as_deref(), &repository).map_err(|why| {
        Error::usage(format!("deployment {name} in {}: {why}", stage.namespace)).hint("name it: `--container NAME`")
    })?;
    let container = deployment.pointer(&format!("/spec/template/spec/containers/{place}"));
    let own = |key: &str| container.and_then(|one| one.get(key)).and_then(Value::as_str).unwrap_or_default().to_owned();
    before.deployment = name.to_owned();
    before.container = own("name");
    before.image = own("image");
    before.replicas = rollout::replicas(deployment);
    before.scale = match before.replicas {
        0 => serving_pods.max(1),
        replicas => replicas,
    };
    Ok(before)
}

/// The service of a stage.
///
/// # Errors
/// `NotFound` where it was not onboarded.
pub async fn service(cluster: &Cluster, run: &Run, stage: &StageRun) -> Result<Service> {
    let found = cluster.find(&reference(&run.service, &stage.namespace), false).await;
    let mut found = found.map_err(|error| match error.kind {
        Kind::NotFound => not_onboarded(run, stage).caused_by(error.message),
        _ => error,
    })?;
    let mut service = found.services.pop().ok_or_else(|| not_onboarded(run, stage))?;
    service.typed = format!("{} -n {}", run.service, stage.namespace);
    Ok(service)
}

/// Why the deployment that is to get the version, or to be put back, is not to be touched: somebody gave it traffic since
/// the run looked, perhaps while nobody drove it.
///
/// # Errors
/// As [`service`].
pub async fn busy(cluster: &Cluster, run: &Run, stage: &StageRun) -> Result<Option<String>> {
    let Some(to) = stage.before.as_ref().and_then(|before| before.to.as_deref()) else { return Ok(None) };
    let service = service(cluster, run, stage).await?;
    let moved = service.routes().find(|chosen| {
        let route = &chosen.route;
        route.destinations().len() > 1 && route.find(to).is_ok_and(|place| route.destinations()[place].weight.value() > 0)
    });
    let Some(moved) = moved else { return Ok(None) };
    let writer = service.objects[moved.object].writer.as_ref();
    let who = writer.map_or("somebody else", |writer| &writer.manager);
    let weights = crate::ui::weights_of(&moved.route.weights());
    Ok(Some(format!("{who} gave {to} traffic meanwhile: {weights}")))
}

/// When the traffic of a service was moved last, as its record says.
fn moved(service: &Service) -> Option<i64> {
    let changes = service.objects.iter().flat_map(|object| &object.history).filter(|change| change.verb != "found");
    changes.filter_map(|change| change.at.parse::<Timestamp>().ok()).map(Timestamp::as_second).max()
}

fn not_onboarded(run: &Run, stage: &StageRun) -> Error {
    let message =
        format!("stage {} of {} has no service `{}` (namespace {})", stage.stage, run.project, run.service, stage.namespace);
    Error::not_found(message)
        .hint(format!("`tidegate onboard service {} --project {} --help` says how", run.service, run.project))
}

/// Which side of a route serves, and which has no traffic.
struct Sides {
    route: Route,
    serving: String,
    idle: String,
}

impl Sides {
    fn of(service: &Service, stage: &StageRun, to: Option<&str>) -> Result<Self> {
        let splits: Vec<_> = service.routes().filter(|chosen| chosen.route.destinations().len() > 1).collect();
        let Some(first) = splits.first() else {
            return Err(Error::usage(format!(
                "`{}` has no route with two destinations in stage {}, whose strategy needs them",
                service.typed, stage.stage
            ))
            .hint(format!("`tidegate status {}` shows its routes", service.typed)));
        };
        if splits.iter().any(|other| other.route.weights() != first.route.weights()) {
            return Err(Error::usage(format!("the routes of `{}` differ: it is not clear which side is idle", service.typed))
                .hint(format!("`tidegate status {}` shows them", service.typed)));
        }
        let route = first.route.clone();
        let weights = route.weights();
        let with = |traffic: bool| -> Vec<String> {
            weights.iter().filter(|(_, weight)| (*weight > 0) == traffic).map(|(label, _)| label.clone()).collect()
        };
        let (serving, idle) = (with(true), with(false));
        let told = weights.iter().map(|(label, weight)| format!("{label} {weight}")).collect::<Vec<_>>().join(", ");
        let unclear = |why: &str| Error::usage(format!("stage {}: `{}` has {told}: {why}", stage.stage, service.typed));
        let [only] = serving.as_slice() else {
            let why = if serving.is_empty() { "no destination serves" } else { "it is not clear which side is to be replaced" };
            return Err(
                unclear(why).hint(format!("give one side everything first: `tidegate promote {} --to NAME`", service.typed))
            );
        };
        let idle = match (to, idle.as_slice()) {
            (Some(to), _) => {
                let place = route.find(to).map_err(|_| {
                    Error::not_found(format!("`{}` has no destination `{}`; it has {told}", service.typed, to.escape_debug()))
                })?;
                match &weights[place] {
                    (label, 0) => label.clone(),
                    (label, _) => return Err(unclear(&format!("{label} serves, so nothing new can be tried there"))),
                }
            }
            (None, [one]) => one.clone(),
            (None, several) => {
                let example = several.first().map_or("NAME", String::as_str);
                return Err(unclear("several have no traffic: which of them gets the version?")
                    .hint(format!("name it: `--to {example}`")));
            }
        };
        Ok(Self { route, serving: only.clone(), idle })
    }
}

/// The deployment behind a destination: its pods have the labels of the subset and those that the service selects.
async fn behind<'a>(
    cluster: &Cluster,
    deployments: &'a [Value],
    rules: &Rules,
    stage: &StageRun,
    route: &Route,
    label: &str,
) -> Result<&'a Value> {
    let to = route.find(label).ok().and_then(|place| route.destinations().get(place));
    let to = to.ok_or_else(|| Error::not_found(format!("no destination `{label}`")))?;
    let host = host::resolve(&to.host, &stage.namespace);
    let mut wanted = BTreeMap::new();
    if let Some((name, namespace)) = host::service_of(&host).filter(|(_, namespace)| *namespace == stage.namespace) {
        let service = cluster.object(&SERVICES, namespace, name).await?;
        let service =
            service.ok_or_else(|| Error::not_found(format!("no service {name} in {namespace}, to which {label} sends")))?;
        wanted.extend(labels(service.pointer("/spec/selector")));
    }
    if let Some(subset) = &to.subset {
        let known = rules.subset(&host, subset).ok_or_else(|| {
            Error::not_found(format!("no destination rule of {host} has the subset `{subset}`"))
                .hint(format!("`tidegate status -n {}` shows what is routed", stage.namespace))
        })?;
        wanted.extend(known.labels.clone());
    }
    let fits = |deployment: &&Value| {
        let own = labels(deployment.pointer("/spec/template/metadata/labels"));
        !wanted.is_empty() && wanted.iter().all(|(key, value)| own.get(key) == Some(value))
    };
    one(deployments.iter().filter(fits).collect(), || format!("behind {label} in {}", stage.namespace))
}

/// The deployment of a stage that has one: by the service's name, by label, or behind its Kubernetes service.
async fn single<'a>(cluster: &Cluster, deployments: &'a [Value], run: &Run, stage: &StageRun) -> Result<&'a Value> {
    if let Some(named) = deployments.iter().find(|one| text(one, "/metadata/name") == run.service) {
        return Ok(named);
    }
    let labelled = |one: &&Value| labels(one.pointer("/metadata/labels")).get(SERVICE) == Some(&run.service);
    let found: Vec<&Value> = deployments.iter().filter(labelled).collect();
    if !found.is_empty() {
        return one(found, || format!("of `{}` in {}", run.service, stage.namespace));
    }
    let service = cluster.object(&SERVICES, &stage.namespace, &run.service).await?;
    let wanted = service.map(|service| labels(service.pointer("/spec/selector"))).unwrap_or_default();
    let fits = |deployment: &&Value| {
        let own = labels(deployment.pointer("/spec/template/metadata/labels"));
        !wanted.is_empty() && wanted.iter().all(|(key, value)| own.get(key) == Some(value))
    };
    match deployments.iter().filter(fits).collect::<Vec<_>>() {
        none if none.is_empty() => Err(not_onboarded(run, stage)),
        found => one(found, || format!("of `{}` in {}", run.service, stage.namespace)),
    }
}

fn one(found: Vec<&Value>, what: impl Fn() -> String) -> Result<&Value> {
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::not_found(format!("no deployment {}", what()))),
        several => {
            let names: Vec<&str> = several.iter().map(|one| text(one, "/metadata/name")).collect();
            Err(Error::usage(format!("several deployments {}: {}", what(), names.join(", "))))
        }
    }
}

/// What the serving side runs, where it is clear.
fn serving_image(deployment: &Value, run: &Run) -> Option<String> {
    let repository = Image::parse(&run.image).ok()?.repository;
    let place = rollout::container(deployment, run.terms.container.as_deref(), &repository).ok()?;
    deployment.pointer(&format!("/spec/template/spec/containers/{place}/image")).and_then(Value::as_str).map(str::to_owned)
}

fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
