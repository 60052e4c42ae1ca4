//! Who asks, and whether they may.

use http::HeaderMap;
use serde_json::{Value, json};

use super::kinds::{self, JOBS, LEASES, SECRETS, WEBHOOKS};
use super::request::{Target, text};
use super::status::{Cause, Failure};
use super::store::text as text_at;

/// The user behind a request.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The user's name.
    pub name: String,
    rights: Rights,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rights {
    All,
    Read,
    None,
}

/// Finds the user by the bearer token, and by the headers of impersonation.
pub fn authenticate(headers: &HeaderMap, admin_token: &str) -> Result<User, Failure> {
    let authorization = text(headers, "authorization");
    let user = match authorization.strip_prefix("Bearer ").map(str::trim) {
        Some(token) if token == admin_token => named("admin"),
        Some("viewer") => named("viewer"),
        Some(_) => return Err(Failure::unauthorized()),
        None => named("system:anonymous"),
    };
    let other = text(headers, "impersonate-user");
    if other.is_empty() {
        return Ok(user);
    }
    if user.rights != Rights::All {
        let message = format!(
            "users {other:?} is forbidden: User {:?} cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
            user.name
        );
        let mut failure = Failure::new(403, "Forbidden", message);
        failure.details = Some(Box::new(json!({"name": other, "kind": "users"})));
        return Err(failure);
    }
    let mut groups = headers.get_all("impersonate-group").iter();
    let mut other = named(other);
    if groups.any(|group| group == "system:masters") {
        other.rights = Rights::All;
    }
    Ok(other)
}

fn named(name: &str) -> User {
    let rights = match name {
        "admin" => Rights::All,
        "viewer" => Rights::Read,
        _ => Rights::None,
    };
    User { name: name.to_owned(), rights }
}

impl User {
    /// The user with all rights.
    pub fn admin() -> User {
        named("admin")
    }

    /// The groups that the user is in.
    pub fn groups(&self) -> &'static [&'static str] {
        match self.rights {
            Rights::All => &["system:masters", "system:authenticated"],
            _ => &["system:authenticated"],
        }
    }

    /// Whether the user may do this with objects of a kind, given by its group and plural name, or with a subresource
    /// of theirs; their place does not matter.
    fn may(&self, verb: &str, group: &str, plural: &str, sub: &str) -> bool {
        let hidden = [&SECRETS, &LEASES, &WEBHOOKS, &JOBS];
        match self.rights {
            Rights::All => true,
            Rights::Read => {
                let mut shown = kinds::KINDS.iter().filter(|kind| hidden.iter().all(|one| one.plural != kind.plural));
                matches!(verb, "get" | "list" | "watch")
                    && sub.is_empty()
                    && shown.any(|kind| kind.group == group && kind.plural == plural)
            }
            Rights::None => false,
        }
    }

    /// Whether the user may ask for a path that is no object.
    fn may_ask(&self, verb: &str, path: &str) -> bool {
        let public = ["/version", "/healthz", "/livez", "/readyz"];
        match self.rights {
            Rights::All => true,
            Rights::Read => verb == "get",
            Rights::None => verb == "get" && public.contains(&path),
        }
    }
}

/// Refuses what the user may not do.
pub fn authorize(user: &User, verb: &str, target: &Target) -> Result<(), Failure> {
    if user.may(verb, target.kind.group, target.kind.plural, &target.sub) {
        return Ok(());
    }
    // A namespace is taken to lie in itself.
    let namespace = match target.kind.plural {
        "namespaces" => &target.name,
        _ => &target.namespace,
    };
    Err(Failure::forbidden(&user.name, verb, target.kind, &target.sub, namespace, &target.name))
}

/// Refuses a path that is no object.
pub fn authorize_path(user: &User, method: &str, path: &str) -> Result<(), Failure> {
    let verb = if method == "head" { "get" } else { method };
    // What a reader may not do there is refused as a method later on.
    if user.may_ask(verb, path) || user.rights == Rights::Read {
        return Ok(());
    }
    let name = &user.name;
    let message = format!("forbidden: User {name:?} cannot {method} path {path:?}");
    let mut failure = Failure::new(403, "Forbidden", message);
    failure.details = Some(Box::new(json!({})));
    Err(failure)
}

/// Answers a `SelfSubjectAccessReview`.
pub fn review(user: &User, review: &Value) -> Result<Value, Failure> {
    let part = |name: &str| review.pointer(&format!("/spec/{name}")).filter(|part| !part.is_null());
    let allowed = match (part("resourceAttributes"), part("nonResourceAttributes")) {
        (Some(asked), None) => {
            let of = |name: &str| text_at(asked, &format!("/{name}"));
            user.may(of("verb"), of("group"), of("resource"), of("subresource"))
        }
        (None, Some(asked)) => user.may_ask(text_at(asked, "/verb"), text_at(asked, "/path")),
        (both, _) => {
            let found = if both.is_none() { "null" } else { "{}" };
            let message = format!("{found}: exactly one of nonResourceAttributes or resourceAttributes must be specified");
            let cause = Cause::invalid("spec.resourceAttributes", message);
            return Err(Failure::invalid_as("", "authorization.k8s.io", "", &[cause]));
        }
    };
    Ok(json!({
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": review.get("spec").cloned().unwrap_or(Value::Null),
        "status": {"allowed": allowed},
    }))
}
