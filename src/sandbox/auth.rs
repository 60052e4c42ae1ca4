//! Who asks, and whether they may.

use http::HeaderMap;
use serde_json::{Value, json};

use super::kinds::{LEASES, SECRETS, WEBHOOKS};
use super::request::{Target, text};
use super::status::Failure;
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

    /// Whether the user may do this with objects of this kind, whatever their place; subresources, `pods/status`,
    /// are kinds of their own.
    pub fn may(&self, verb: &str, resource: &str) -> bool {
        let (plural, sub) = resource.split_once('/').unwrap_or((resource, ""));
        let hidden = [&SECRETS, &LEASES, &WEBHOOKS];
        match self.rights {
            Rights::All => true,
            Rights::Read => {
                matches!(verb, "get" | "list" | "watch") && sub.is_empty() && hidden.iter().all(|kind| kind.plural != plural)
            }
            Rights::None => false,
        }
    }
}

/// Refuses what the user may not do.
pub fn authorize(user: &User, verb: &str, target: &Target) -> Result<(), Failure> {
    let resource = match target.sub.as_str() {
        "" => target.kind.plural.to_owned(),
        sub => format!("{}/{sub}", target.kind.plural),
    };
    if user.may(verb, &resource) {
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
pub fn authorize_path(user: &User, verb: &str, path: &str) -> Result<(), Failure> {
    let public = ["/version", "/healthz", "/livez", "/readyz"];
    if user.rights != Rights::None || public.contains(&path) {
        return Ok(());
    }
    let name = &user.name;
    let message = format!("forbidden: User {name:?} cannot {verb} path {path:?}");
    let mut failure = Failure::new(403, "Forbidden", message);
    failure.details = Some(Box::new(json!({})));
    Err(failure)
}

/// Answers a `SelfSubjectAccessReview`.
pub fn review(user: &User, review: &Value) -> Value {
    let verb = match text_at(review, "/spec/resourceAttributes/verb") {
        "" => text_at(review, "/spec/nonResourceAttributes/verb"),
        verb => verb,
    };
    let resource = text_at(review, "/spec/resourceAttributes/resource");
    let status = json!({ "allowed": user.may(verb, resource) });
    json!({
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": review.get("spec").cloned().unwrap_or(Value::Null),
        "status": status,
    })
}
