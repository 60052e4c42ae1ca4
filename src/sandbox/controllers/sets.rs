//! Replica sets make pods, and remove them.

use serde_json::{Map, Value};

use super::{Controllers, by_owner, number, pod_of, ready};
use crate::sandbox::kinds::{PODS, REPLICA_SETS};
use crate::sandbox::names;
use crate::sandbox::store::{Object, text};
use crate::sorted;

/// Looks at all replica sets.
pub fn reconcile(controllers: &mut Controllers) {
    let mut pods = by_owner(&controllers.store, &PODS);
    for set in controllers.store.list(&REPLICA_SETS, "") {
        let own = pods.remove(text(&set, "/metadata/uid")).unwrap_or_default();
        replicas(controllers, &set, own);
    }
}

fn replicas(controllers: &Controllers, set: &Object, mut pods: Vec<Object>) {
    let name = text(set, "/metadata/name");
    let wanted = usize::try_from(number(set, "/spec/replicas")).unwrap_or(0);
    // Those that serve nobody are the first to go.
    sorted::by_key(&mut pods, |pod| !ready(pod));
    while pods.len() > wanted {
        if let Some(pod) = pods.pop() {
            let last = Value::clone(&pod);
            controllers.store.remove(&PODS, &pod, last).ok();
        }
    }
    let mut attempt = 0;
    while pods.len() < wanted {
        let pod_name = format!("{name}-{}", names::suffix(name, attempt));
        attempt += 1;
        let fresh = pod_of(set, &pod_name);
        if pods.iter().all(|pod| text(pod, "/metadata/name") != pod_name) {
            match controllers.create(&PODS, set, fresh) {
                Some(pod) => pods.push(pod),
                None if attempt > 10_000 => return,
                None => {}
            }
        }
    }
    let ready = pods.iter().filter(|pod| ready(pod)).count();
    let mut status = Map::new();
    status.insert("replicas".into(), pods.len().into());
    for (field, count) in [("fullyLabeledReplicas", pods.len()), ("readyReplicas", ready), ("availableReplicas", ready)] {
        if count > 0 {
            status.insert(field.into(), count.into());
        }
    }
    status.insert("observedGeneration".into(), set["metadata"]["generation"].clone());
    let mut new = Value::clone(set);
    new["status"] = status.into();
    controllers.write(&REPLICA_SETS, set, new);
}
