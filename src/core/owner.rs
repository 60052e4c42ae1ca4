//! Who else writes the object: Git operators and release controllers that would put the weights back.
//!
//! Each is known by the marks that it leaves (Argo CD's tracking annotation, Flux's and Helm's labels, owner references,
//! field managers).

use serde_json::Value;

/// Somebody else who writes the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `Argo CD (application shop)`.
    pub name: String,
    /// In how long it undoes a change by others, as the end of a sentence.
    pub undoes: &'static str,
    /// Where help is: a topic of `tidegate help`.
    pub topic: &'static str,
}

/// All owners of an object.
pub fn of(raw: &Value) -> Vec<Owner> {
    let meta = raw.get("metadata").unwrap_or(&Value::Null);
    let annotation = |key: &str| meta.get("annotations").and_then(|all| all.get(key)).and_then(Value::as_str);
    let label = |key: &str| meta.get("labels").and_then(|all| all.get(key)).and_then(Value::as_str);
    let list = |key: &str| meta.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let manager = |names: &[&str]| {
        list("managedFields")
            .iter()
            .any(|entry| entry.get("manager").and_then(Value::as_str).is_some_and(|one| names.contains(&one)))
    };
    let owned_by = |kind: &str, group: &str| {
        list("ownerReferences").iter().any(|owner| {
            owner.get("kind").and_then(Value::as_str) == Some(kind)
                && owner.get("apiVersion").and_then(Value::as_str).is_some_and(|version| version.starts_with(group))
        })
    };
    let mut owners = Vec::new();
    let mut add = |name: String, undoes, topic| owners.push(Owner { name, undoes, topic });

    let application = annotation("argocd.argoproj.io/tracking-id").and_then(|id| id.split(':').next());
    if let Some(application) = application {
        add(format!("Argo CD (application `{application}`)"), "within 3 minutes, within 5 s where it heals itself", "gitops");
    } else if manager(&["argocd-controller", "argocd-application-controller"]) {
        let application = label("app.kubernetes.io/instance").unwrap_or("unknown");
        add(format!("Argo CD (application `{application}`)"), "within 3 minutes, within 5 s where it heals itself", "gitops");
    }
    if let Some(name) = label("kustomize.toolkit.fluxcd.io/name") {
        add(format!("Flux (Kustomization `{name}`)"), "at its next interval, often 1 to 10 minutes", "gitops");
    }
    if let Some(name) = label("helm.toolkit.fluxcd.io/name") {
        add(format!("Flux (HelmRelease `{name}`)"), "at the next upgrade, or at its interval where it corrects drift", "gitops");
    } else if let Some(name) = annotation("meta.helm.sh/release-name") {
        add(format!("Helm (release `{name}`)"), "at the next `helm upgrade`", "gitops");
    }
    if owned_by("Canary", "flagger.app") || manager(&["flagger"]) {
        add("flagger".into(), "at its next tick, 10 s by default", "gitops");
    }
    if owned_by("Rollout", "argoproj.io") || manager(&["rollouts-controller"]) {
        add("Argo Rollouts".into(), "at once", "gitops");
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_owner_is_known_by_its_marks() {
        let names =
            |metadata: Value| of(&json!({ "metadata": metadata })).into_iter().map(|owner| owner.name).collect::<Vec<_>>();
        assert!(names(json!({"labels": {"app.kubernetes.io/instance": "x"}})).is_empty());
        assert_eq!(
            names(json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:networking.istio.io/VirtualService:ns/carts"}})),
            ["Argo CD (application `shop`)"]
        );
        assert_eq!(
            names(json!({"labels": {"app.kubernetes.io/instance": "shop"}, "managedFields": [{"manager": "argocd-controller"}]})),
            ["Argo CD (application `shop`)"]
        );
        assert_eq!(names(json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}})), ["Flux (Kustomization `apps`)"]);
        assert_eq!(
            names(json!({"labels": {"helm.toolkit.fluxcd.io/name": "web"}, "annotations": {"meta.helm.sh/release-name": "web"}})),
            ["Flux (HelmRelease `web`)"]
        );
        assert_eq!(names(json!({"annotations": {"meta.helm.sh/release-name": "web"}})), ["Helm (release `web`)"]);
        assert_eq!(names(json!({"ownerReferences": [{"kind": "Canary", "apiVersion": "flagger.app/v1beta1"}]})), ["flagger"]);
        assert_eq!(
            names(json!({"ownerReferences": [{"kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1"}]})),
            ["Argo Rollouts"]
        );
        assert!(names(json!({"ownerReferences": [{"kind": "Rollout", "apiVersion": "example.com/v1"}]})).is_empty());
    }
}
