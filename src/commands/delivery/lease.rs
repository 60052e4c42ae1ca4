//! One driver for a service at a time: a `coordination.k8s.io` Lease, renewed while somebody drives.

use super::store::short;
use crate::cluster::{Cluster, Created, DryRun, LEASES, Patched};
use crate::core::delivery::project::MANAGED;
use crate::core::delivery::run::Run;
use crate::core::patch::Patch;
use crate::error::{Error, Kind, Result};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A driver that has not renewed for this long is gone.
const SPAN: Duration = Duration::from_secs(15);

/// The pause between two renewals.
pub const RENEW: Duration = Duration::from_secs(4);

/// The pause between two looks at another's lease.
const LOOK: Duration = Duration::from_millis(500);

/// A lease that is held.
#[derive(Debug)]
pub struct Lease {
    namespace: String,
    name: String,
    holder: String,
}

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who: `alice@host, run 0f3c2a91`.
    pub name: String,
    /// The last renewal, RFC 3339.
    pub renewed: String,
    /// When it was taken, RFC 3339.
    pub since: String,
    /// The object, as it was read.
    raw: Value,
}

impl Holder {
    fn read(raw: Value) -> Option<Self> {
        let text = |key: &str| raw.pointer(&format!("/spec/{key}")).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (name, renewed, since) = (text("holderIdentity"), text("renewTime"), text("acquireTime"));
        (!name.is_empty()).then(|| Self { name, renewed, since, raw })
    }

    /// Whether it drives a run, as far as is known: it has renewed lately.
    pub fn drives(&self, run: &Run) -> bool {
        let renewed = self.renewed.parse::<Timestamp>().map_or(i64::MIN, Timestamp::as_second);
        let lately = Timestamp::now().as_second() - renewed <= i64::try_from(SPAN.as_secs()).unwrap_or(i64::MAX);
        lately && self.name.contains(short(&run.id))
    }

    /// Whether the last renewal is so long ago that no clock is wrong enough to explain it.
    fn gone(&self) -> bool {
        let Ok(renewed) = self.renewed.parse::<Timestamp>() else { return true };
        Timestamp::now().as_second() - renewed.as_second() > 4 * i64::try_from(SPAN.as_secs()).unwrap_or(i64::MAX)
    }
}

/// Who holds the lease of a service, if anybody does.
///
/// # Errors
/// As the API server says.
pub async fn holder(cluster: &Cluster, namespace: &str, service: &str) -> Result<Option<Holder>> {
    let lease = cluster.object(&LEASES, namespace, &name(service)).await?;
    Ok(lease.and_then(Holder::read))
}

/// Who holds which leases of deliveries: in one namespace, or in all.
///
/// # Errors
/// As the API server says.
pub async fn holders(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<Holder>> {
    let leases = cluster.list(&LEASES, namespace, &format!("{}={}", MANAGED.0, MANAGED.1)).await?;
    Ok(leases.into_iter().filter_map(Holder::read).collect())
}

/// Watches a lease until it is free, its holder is seen alive, or has not renewed for its whole span. Whoever holds it still
/// is alive.
///
/// # Errors
/// As the API server says.
pub async fn alive(cluster: &Cluster, namespace: &str, service: &str) -> Result<Option<Holder>> {
    let Some(first) = holder(cluster, namespace, service).await? else { return Ok(None) };
    if first.gone() {
        return Ok(None);
    }
    // Two clocks need not agree: what counts is whether it is renewed while this looks.
    let until = Instant::now() + SPAN;
    while Instant::now() < until {
        tokio::time::sleep(LOOK).await;
        match holder(cluster, namespace, service).await? {
            None => return Ok(None),
            Some(now) if now.renewed != first.renewed || now.name != first.name => return Ok(Some(now)),
            Some(_) => {}
        }
    }
    Ok(None)
}

impl Lease {
    /// Takes the lease of a service. Where it is held, `over` says that its holder is gone or to be ignored.
    ///
    /// # Errors
    /// `Conflict` where somebody holds it; as the API server says.
    pub async fn take(cluster: &Cluster, namespace: &str, service: &str, who: &str, over: bool) -> Result<Self> {
        let lease = Self { namespace: namespace.to_owned(), name: name(service), holder: who.to_owned() };
        let now = micro();
        let spec = json!({
            "holderIdentity": who, "leaseDurationSeconds": SPAN.as_secs(), "acquireTime": now, "renewTime": now,
        });
        let object = json!({"metadata": {"name": lease.name, "labels": {MANAGED.0: MANAGED.1}}, "spec": spec});
        if let Created::New(_) = cluster.create(&LEASES, namespace, object, DryRun::No).await? {
            return Ok(lease);
        }
        let held = holder(cluster, namespace, service).await?;
        if let Some(held) = held.as_ref().filter(|_| !over) {
            return Err(locked(service, held));
        }
        let mut patch = Patch::default();
        match held {
            Some(held) => {
                let old = |key: &str| held.raw.pointer(&format!("/spec/{key}")).cloned().unwrap_or_default();
                patch.guard(["spec", "holderIdentity"], old("holderIdentity"));
                patch.guard(["spec", "renewTime"], old("renewTime"));
            }
            None => drop(patch.guard(["spec", "holderIdentity"], json!(""))),
        }
        patch.set(["spec"], spec);
        match cluster.edit(&LEASES, namespace, &lease.name, &patch, DryRun::No).await? {
            Patched::Done(_) => Ok(lease),
            Patched::Unanswered(error) => Err(error),
            Patched::Refused(_) => {
                let held = holder(cluster, namespace, service).await?;
                Err(held.map_or_else(
                    || Error::new(Kind::Conflict, format!("the lease of `{service}` changes hands; nothing was written")),
                    |held| locked(service, &held),
                ))
            }
        }
    }

    /// Says that its holder is alive.
    ///
    /// # Errors
    /// `Conflict` where somebody else has it; as the API server says.
    pub async fn renew(&self, cluster: &Cluster) -> Result<()> {
        let mut patch = Patch::default();
        patch.guard(["spec", "holderIdentity"], json!(self.holder)).set(["spec", "renewTime"], json!(micro()));
        match cluster.edit(&LEASES, &self.namespace, &self.name, &patch, DryRun::No).await? {
            Patched::Done(_) => Ok(()),
            Patched::Unanswered(error) => Err(error),
            Patched::Refused(_) => Err(Error::new(Kind::Conflict, format!("somebody took the lease {} over", self.name))),
        }
    }

    /// Lets it go, where it is still held.
    pub async fn release(&self, cluster: &Cluster) {
        let mut patch = Patch::default();
        patch.guard(["spec", "holderIdentity"], json!(self.holder)).set(["spec", "holderIdentity"], json!(""));
        // It expires by itself.
        let _ = cluster.edit(&LEASES, &self.namespace, &self.name, &patch, DryRun::No).await;
    }
}

/// Somebody else drives.
pub fn locked(service: &str, held: &Holder) -> Error {
    let now = Timestamp::now();
    let (since, renewed) = (crate::ui::age(&held.since, now), crate::ui::age(&held.renewed, now));
    let message = format!(
        "a delivery of `{service}` is being driven by {} since {since}, renewed {renewed} ago; nothing was written",
        held.name
    );
    Error::new(Kind::Conflict, message)
}

fn name(service: &str) -> String {
    format!("tidegate-{service}")
}

/// Now, as Kubernetes writes a `MicroTime`.
fn micro() -> String {
    format!("{:.6}", Timestamp::now())
}
