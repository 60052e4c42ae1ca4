//! Whether the tests of a stage can reach the version at all: found out before anything is touched.

use crate::cluster::{Cluster, DEPLOYMENTS, NAMESPACES, SERVICES};
use crate::core::delivery::mtls::{self, ROOT};
use crate::core::delivery::pod;
use crate::core::delivery::run::{Place, Run, StageRun};
use crate::core::delivery::tests::{Suite, Through, Work};
use crate::error::{Error, Result};
use crate::probe;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The policies of these namespaces and of the whole mesh, as far as they may be read.
pub async fn policies(cluster: &Cluster, namespaces: impl Iterator<Item = &str>) -> Vec<Value> {
    join_all(namespaces.chain([ROOT]).map(|namespace| cluster.peer_authentications(namespace))).await.concat()
}

/// The policy of the mesh because of which the pods of a deployment refuse requests that come through the API server; none
/// where they accept them, or nobody knows: what may not be read is no reason to stop.
pub async fn closed(cluster: &Cluster, policies: &[Value], namespace: &str, deployment: &str, service: &str) -> Option<String> {
    if policies.is_empty() {
        return None;
    }
    let (found, place, services) = tokio::join!(
        cluster.object(&DEPLOYMENTS, namespace, deployment),
        cluster.object(&NAMESPACES, namespace, namespace),
        cluster.list(&SERVICES, Some(namespace), "")
    );
    let (found, place, services) = (found.ok()??, place.ok()??, services.ok()?);
    let template = found.pointer("/spec/template")?;
    let labels = template.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let labels: BTreeMap<String, String> =
        labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    let (front, port) = pod::front(&services, &found, service);
    // Nobody asks there.
    if pod::is_foreign(&services, (&front, port)) {
        return None;
    }
    let front = services.iter().find(|one| one.pointer("/metadata/name").and_then(Value::as_str) == Some(&front));
    let port = pod::port(front.unwrap_or(&Value::Null), &json!({"spec": template.get("spec")}), port);
    let policy = mtls::refused_by(policies, namespace, &labels, port)?;
    mtls::is_meshed(&place, &labels).then_some(policy)
}

/// The service in front of a version, where it leads to another one, too.
async fn shared(cluster: &Cluster, stage: &StageRun, service: &str) -> Result<Option<String>> {
    let namespace = Some(stage.namespace.as_str());
    let (deployments, services) =
        tokio::try_join!(cluster.list(&DEPLOYMENTS, namespace, ""), cluster.list(&SERVICES, namespace, ""))?;
    let named = |one: &&Value, name: &str| one.pointer("/metadata/name").and_then(Value::as_str) == Some(name);
    let own = stage.before.as_ref().map_or("", |before| before.deployment.as_str());
    let Some(found) = deployments.iter().find(|one| named(one, own)) else { return Ok(None) };
    let front = pod::front(&services, found, service).0;
    let Some(object) = services.iter().find(|one| named(one, &front)) else { return Ok(None) };
    // Asked of this service alone: it is in front of a deployment, or nothing is.
    let leads = |one: &Value| pod::front(std::slice::from_ref(object), one, "").0 == front;
    let behind = deployments.iter().filter(|one| !named(one, own)).any(leads);
    Ok(behind.then_some(front))
}

/// Refuses a stage whose tests would fail for a reason that is not the version's, or would ask another version.
///
/// # Errors
/// `Usage`, with the ways that there are.
pub async fn check(cluster: &Cluster, run: &Run, stage: &StageRun, suite: &Suite, policies: &[Value]) -> Result<()> {
    let plan = suite.plan(stage.plan.test).filter(|plan| plan.work != Work::Nothing);
    if stage.plan.place == Place::Idle && stage.plan.share.is_none() && plan.is_some_and(|plan| plan.through == Through::Ingress)
    {
        let message = format!("stage {}: its tests go through the ingress, where the version has no traffic yet", stage.stage);
        return Err(Error::usage(message)
            .hint("give it some of it before the tests, or all: `--share 50`, `--keptn-order`")
            .hint("or let them ask its pods: `through: pods` in tests.yaml"));
    }
    if let Some(Work::Command(words)) = plan.map(|plan| &plan.work)
        && let Some(program) = words.first().filter(|program| !program.contains('$') && !probe::is_there(program))
    {
        return Err(Error::usage(format!("stage {}: its tests need `{program}`, which is not on this machine", stage.stage)));
    }
    let smoke = suite.smoke();
    let by_service = plan.is_some_and(|plan| plan.through == Through::Service) || smoke.through == Through::Service;
    if stage.plan.place != Place::Direct
        && by_service
        && let Some(front) = shared(cluster, stage, &run.service).await?
    {
        let message = format!("stage {}: its tests ask the service {front}, behind which are both versions", stage.stage);
        return Err(Error::usage(message).hint("let them ask the version alone: `through: pods` in tests.yaml"));
    }
    let direct = |through: &Through| matches!(through, Through::Pods | Through::Service);
    let asks_pods = plan.is_some_and(|plan| direct(&plan.through))
        || smoke.work != Work::Nothing && direct(&smoke.through) && !suite.is_by_ingress();
    if !asks_pods {
        return Ok(());
    }
    let deployment = stage.before.as_ref().map_or("", |before| before.deployment.as_str());
    match closed(cluster, policies, &stage.namespace, deployment, &run.service).await {
        None => Ok(()),
        Some(policy) => {
            let message = format!(
                "stage {}: the tests ask the pods of `{}` themselves, which the mesh does not let in: PeerAuthentication {policy} is STRICT",
                stage.stage, run.service
            );
            Err(Error::usage(message)
                .hint("ask through the ingress: `through: ingress` in tests.yaml (`tidegate help tests`)")
                .hint(format!(
                    "keep it with `tidegate add-resource -p {} --service {} --resource tests.yaml`",
                    run.project, run.service
                )))
        }
    }
}
