//! What pods cannot start without.

use serde_json::Value;
use std::collections::BTreeSet;

/// A kind and a name.
type Need = (String, String);

/// The objects that a pod template names, but for those that it calls optional.
pub fn of(template: &Value) -> BTreeSet<Need> {
    let mut found = BTreeSet::new();
    walk(template.get("spec").unwrap_or(&Value::Null), &mut found);
    // Each namespace has it.
    found.remove(&("ServiceAccount".to_owned(), "default".to_owned()));
    found
}

fn walk(value: &Value, found: &mut BTreeSet<Need>) {
    let fields = value.as_object().into_iter().flatten();
    for (key, inner) in fields {
        let optional = inner.get("optional") == Some(&Value::Bool(true));
        let name = match key.as_str() {
            "serviceAccountName" => inner.as_str().map(|name| ("ServiceAccount", name)),
            "configMap" | "configMapRef" | "configMapKeyRef" => text(inner, "name").map(|name| ("ConfigMap", name)),
            "secret" | "secretRef" | "secretKeyRef" => {
                text(inner, "secretName").or_else(|| text(inner, "name")).map(|name| ("Secret", name))
            }
            "persistentVolumeClaim" => text(inner, "claimName").map(|name| ("PersistentVolumeClaim", name)),
            "imagePullSecrets" => {
                let names = inner.as_array().into_iter().flatten().filter_map(|one| text(one, "name"));
                found.extend(names.map(|name| ("Secret".to_owned(), name.to_owned())));
                None
            }
            _ => None,
        };
        found.extend(name.filter(|(_, name)| !optional && !name.is_empty()).map(|(kind, name)| (kind.into(), name.into())));
        walk(inner, found);
    }
    value.as_array().into_iter().flatten().for_each(|inner| walk(inner, found));
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_a_template_names() {
        let template = json!({"metadata": {"labels": {"secret": "no"}}, "spec": {
            "serviceAccountName": "carts", "serviceAccount": "carts", "imagePullSecrets": [{"name": "registry"}],
            "initContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "password", "key": "a"}}}]}],
            "containers": [{
                "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "extra", "optional": true}}],
                "env": [{"valueFrom": {"configMapKeyRef": {"name": "flags", "key": "a"}}}],
            }],
            "volumes": [
                {"configMap": {"name": "files"}}, {"secret": {"secretName": "tls"}},
                {"projected": {"sources": [{"secret": {"name": "token"}}, {"configMap": {"name": "ca"}}]}},
                {"persistentVolumeClaim": {"claimName": "data"}}, {"emptyDir": {}},
            ],
        }});
        let told: Vec<String> = of(&template).into_iter().map(|(kind, name)| format!("{kind} {name}")).collect();
        assert_eq!(
            told,
            [
                "ConfigMap ca",
                "ConfigMap files",
                "ConfigMap flags",
                "ConfigMap settings",
                "PersistentVolumeClaim data",
                "Secret password",
                "Secret registry",
                "Secret tls",
                "Secret token",
                "ServiceAccount carts",
            ]
        );
        assert!(of(&json!({"spec": {"serviceAccountName": "default"}})).is_empty());
    }
}
