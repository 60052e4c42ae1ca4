//! What a request asks for: its path and query, taken apart.

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, header};

use super::auth::User;
use super::kinds::{self, Kind, PODS, SERVICES};

/// What a path means.
#[derive(Debug)]
pub enum Route {
    /// An object, a collection, or a subresource.
    Object(Target),
    /// A port of a service or of a pod, through the API server.
    Proxy(Proxy),
    /// `selfsubjectaccessreviews`
    AccessReview,
    /// Anything else: discovery, health, unknown paths.
    Other,
}

/// An object, a collection (with an empty name), or a subresource.
#[derive(Clone, Debug)]
pub struct Target {
    /// The kind.
    pub kind: &'static Kind,
    /// The API version of the path, such as `v1beta1`.
    pub version: &'static str,
    /// Empty for all namespaces, and for objects outside of namespaces.
    pub namespace: String,
    /// Empty for a collection.
    pub name: String,
    /// `status`, `scale`, or empty.
    pub sub: String,
}

impl Target {
    /// `networking.istio.io/v1`
    pub fn api_version(&self) -> String {
        self.kind.api_version(self.version)
    }
}

/// A request to be passed on to a service or a pod.
#[derive(Debug)]
pub struct Proxy {
    /// Services or pods.
    pub kind: &'static Kind,
    /// The namespace.
    pub namespace: String,
    /// The object as the path names it: `[scheme:]name[:port]`.
    pub named: String,
    /// The path to ask for; empty where not even a slash was given.
    pub path: String,
}

/// Reads a path.
pub fn route(uri: &Uri) -> Route {
    let path = uri.path();
    let parts: Vec<String> = path.trim_matches('/').split('/').map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Route::Other,
    };
    if let ("", ["namespaces", namespace, plural @ ("services" | "pods"), named, "proxy", ..]) = (group, rest) {
        let kind = if *plural == "pods" { &PODS } else { &SERVICES };
        // What lies behind is not decoded: it is not ours to read.
        let path = uri.path().splitn(9, '/').nth(8).map_or(String::new(), |rest| format!("/{rest}"));
        let (namespace, named) = ((*namespace).to_owned(), (*named).to_owned());
        return Route::Proxy(Proxy { kind, namespace, named, path });
    }
    if group == "authorization.k8s.io" && rest == ["selfsubjectaccessreviews"] {
        return Route::AccessReview;
    }
    let (namespace, plural, name, sub) = match rest {
        ["namespaces", name, sub @ ("status" | "finalize")] => ("", "namespaces", *name, *sub),
        ["namespaces", namespace, plural] => (*namespace, *plural, "", ""),
        ["namespaces", namespace, plural, name] => (*namespace, *plural, *name, ""),
        ["namespaces", namespace, plural, name, sub] => (*namespace, *plural, *name, *sub),
        [plural] => ("", *plural, "", ""),
        [plural, name] => ("", *plural, *name, ""),
        [plural, name, sub] => ("", *plural, *name, *sub),
        _ => return Route::Other,
    };
    let Some(kind) = kinds::by_plural(group, version, plural) else {
        return Route::Other;
    };
    let version = kind.versions.iter().copied().find(|v| *v == version);
    // Of a custom resource any subresource may be asked for: it is not found.
    let known_sub = sub.is_empty() || kind.custom || kind.subresources.contains(&sub);
    // Objects in namespaces are named below one; others have none.
    let placed = if kind.namespaced { name.is_empty() || !namespace.is_empty() } else { namespace.is_empty() };
    match version {
        Some(version) if known_sub && placed => {
            Route::Object(Target { kind, version, namespace: namespace.to_owned(), name: name.to_owned(), sub: sub.to_owned() })
        }
        _ => Route::Other,
    }
}

/// The parameters of a query.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part behind the question mark.
    pub fn parse(text: &str) -> Query {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Query(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
                })
                .collect(),
        )
    }

    /// The first value of a parameter, empty when it is not given.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Whether a parameter is given as true.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), "true" | "1")
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = after;
            }
            (byte, tail) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The form in which a client wants objects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// As they are.
    Plain,
    /// A table for people.
    Table,
    /// Their metadata only.
    Metadata,
}

/// A request for an object, its user known and allowed.
pub struct Call {
    /// GET, PATCH, …
    pub method: Method,
    /// The verb of the API: get, list, watch, create, update, patch, delete, deletecollection.
    pub verb: &'static str,
    /// What it is about.
    pub target: Target,
    /// Its parameters.
    pub query: Query,
    /// Who asks.
    pub user: User,
    /// The form wanted.
    pub form: Form,
    /// The media type of the body, without parameters.
    pub content_type: String,
    /// The name under which the writer's fields are remembered.
    pub manager: String,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// Whether nothing is to be stored.
    pub fn dry_run(&self) -> bool {
        self.query.get("dryRun") == "All"
    }
}

/// The verb of the API that a method means for a target.
pub fn verb(method: &Method, target: &Target, query: &Query) -> Option<&'static str> {
    let one = !target.name.is_empty();
    Some(match (method.as_str(), one) {
        ("GET" | "HEAD", true) => "get",
        ("GET" | "HEAD", false) if query.flag("watch") => "watch",
        ("GET" | "HEAD", false) => "list",
        ("POST", false) => "create",
        ("PUT", true) => "update",
        ("PATCH", true) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => return None,
    })
}

/// The form that the `Accept` header asks for first.
pub fn form(headers: &HeaderMap) -> Form {
    let accept = text(headers, header::ACCEPT.as_str());
    let first = accept.split(',').find(|part| part.contains("json") || part.contains('*')).unwrap_or("");
    if first.contains("as=Table") {
        Form::Table
    } else if first.contains("as=PartialObjectMetadata") {
        Form::Metadata
    } else {
        Form::Plain
    }
}

/// A header's text, empty when it is missing.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> Option<(String, String, String, String)> {
        match route(&path.parse().ok()?) {
            Route::Object(t) => Some((t.kind.plural.into(), t.namespace, t.name, t.sub)),
            _ => None,
        }
    }

    fn parts(plural: &str, ns: &str, name: &str, sub: &str) -> Option<(String, String, String, String)> {
        Some((plural.into(), ns.into(), name.into(), sub.into()))
    }

    #[test]
    fn paths_name_objects() {
        let vs = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices";
        assert_eq!(target(vs), parts("virtualservices", "shop", "", ""));
        assert_eq!(target(&format!("{vs}/carts")), parts("virtualservices", "shop", "carts", ""));
        assert_eq!(target("/apis/networking.istio.io/v1alpha3/virtualservices"), parts("virtualservices", "", "", ""));
        assert_eq!(target("/api/v1/namespaces/shop"), parts("namespaces", "", "shop", ""));
        assert_eq!(target("/apis/apps/v1/namespaces/a/deployments/b/scale"), parts("deployments", "a", "b", "scale"));
        for none in [
            "/apis/networking.istio.io/v2/virtualservices",
            "/apis/networking.istio.io/v1/virtualservices/carts",
            "/api/v1",
            "/version",
        ] {
            assert_eq!(target(none), None, "{none}");
        }
    }

    #[test]
    fn a_service_is_reached_through_the_proxy_path() {
        let uri = "/api/v1/namespaces/monitoring/services/http:prometheus-service:8080/proxy/api/v1/query?query=up";
        let Some(Route::Proxy(proxy)) = uri.parse().ok().map(|uri| route(&uri)) else {
            panic!("no proxy route");
        };
        assert_eq!(
            (proxy.namespace.as_str(), proxy.named.as_str(), proxy.path.as_str()),
            ("monitoring", "http:prometheus-service:8080", "/api/v1/query")
        );
    }

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("labelSelector=app%20in%20%28a%2Cb%29&x=1+2&watch=true&odd=%zz");
        assert_eq!(query.get("labelSelector"), "app in (a,b)");
        assert_eq!(query.get("x"), "1 2");
        assert_eq!(query.get("odd"), "%zz");
        assert!(query.flag("watch"));
    }
}
