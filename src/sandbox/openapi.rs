//! As much of the OpenAPI documents as kubectl wants before it leaves validation to the server.
//!
//! kubectl looks for the parameter `fieldValidation` of each kind's PATCH; where it finds it, it needs no schema.

use serde_json::{Map, Value, json};

use super::kinds::KINDS;

/// The document at a path below `/openapi/v3`, given in its parts; the list of documents when there are none.
pub fn document(parts: &[&str]) -> Option<Value> {
    let (group, version) = match parts {
        [] => return Some(index()),
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return None,
    };
    let mut paths = Map::new();
    for kind in KINDS.iter().filter(|kind| kind.group == group && kind.versions.contains(&version)) {
        let namespace = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let path = format!("/{}{namespace}/{}/{{name}}", parts.join("/"), kind.plural);
        let patch = json!({
            "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
            "responses": {},
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind.kind},
        });
        paths.insert(path, json!({ "patch": patch }));
    }
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": version}, "paths": paths,
            "components": {"schemas": {}},
        })
    })
}

fn index() -> Value {
    let mut paths = Map::new();
    for kind in KINDS {
        for version in kind.versions {
            let path = match kind.group {
                "" => format!("api/{version}"),
                group => format!("apis/{group}/{version}"),
            };
            paths.insert(path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}")}));
        }
    }
    json!({ "paths": paths })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_document_is_there() {
        let index = index();
        let urls = index["paths"].as_object().into_iter().flatten();
        for (path, _) in urls {
            let parts: Vec<&str> = path.split('/').collect();
            assert!(document(&parts).is_some(), "{path}");
        }
        assert_eq!(document(&["apis", "apps", "v9"]), None);
    }
}
