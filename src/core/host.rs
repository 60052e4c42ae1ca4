//! Names: how people name a service, and how Istio resolves a host.

use crate::error::{Error, Result};

/// The domain of a cluster's services. Istio's default, and nearly everybody's.
const DOMAIN: &str = "svc.cluster.local";

/// A host as Istio resolves it for an object in `namespace`: a name without a dot is a service of that namespace;
/// everything else is taken as it is (Istio `pilot/pkg/model/config.go`, `ResolveShortnameToFQDN`), as is every name where
/// the namespace is not known: a manifest need not say it.
///
/// ```
/// use tidegate::core::host::resolve;
/// assert_eq!(resolve("carts", "shop"), "carts.shop.svc.cluster.local");
/// assert_eq!(resolve("carts.shop", "shop"), "carts.shop");
/// assert_eq!(resolve("*", "shop"), "*");
/// assert_eq!(resolve("carts", ""), "carts");
/// ```
pub fn resolve(host: &str, namespace: &str) -> String {
    if host.is_empty() || namespace.is_empty() || host.contains('.') || host == "*" || host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}.{namespace}.{DOMAIN}")
    }
}

/// The service and namespace behind a resolved host, where it is a service of the cluster.
pub fn service_of(resolved: &str) -> Option<(&str, &str)> {
    let rest = resolved.strip_suffix(DOMAIN)?.strip_suffix('.')?;
    rest.split_once('.').filter(|(name, namespace)| !name.is_empty() && !namespace.contains('.'))
}

/// The first label of a host: what people call it.
pub fn short(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}

/// Whether Kubernetes takes it for the name of an object.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        && name.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

/// A service as a user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRef {
    /// What was typed.
    pub text: String,
    /// The name without kind and namespace.
    pub name: String,
    /// The namespace in the name, as in `carts.sockshop-production`.
    pub namespace: Option<String>,
    /// A kind was given (`vs/carts`): only an object of that very name is meant.
    pub object_only: bool,
}

impl std::str::FromStr for ServiceRef {
    type Err = Error;

    /// Reads `carts`, `vs/carts`, `virtualservice.networking.istio.io/carts`, `carts.NAMESPACE` and
    /// `carts.NAMESPACE.svc.cluster.local`.
    fn from_str(text: &str) -> Result<Self> {
        let (kind, name) = match text.split_once('/') {
            Some((kind, name)) => (Some(kind), name),
            None => (None, text),
        };
        if let Some(kind) = kind {
            let plain = kind.split('.').next().unwrap_or(kind);
            let group_fits = kind.len() == plain.len() || kind.ends_with("networking.istio.io");
            if !["vs", "virtualservice", "virtualservices"].contains(&plain) || !group_fits {
                return Err(Error::usage(format!("`{}` is not a kind that carries weights", kind.escape_debug()))
                    .hint("services are named `carts`, `vs/carts` or `carts.NAMESPACE`"));
            }
        }
        if !is_name(name) {
            return Err(Error::usage(format!("`{}` is not the name of a service", text.escape_debug()))
                .hint("names have lower-case letters, digits, `-` and `.`"));
        }
        let (short, namespace) = match (kind, name.split_once('.')) {
            (None, Some((short, rest))) => {
                let namespace = rest.strip_suffix(DOMAIN).and_then(|rest| rest.strip_suffix('.'));
                let namespace = namespace.or_else(|| rest.strip_suffix(".svc")).unwrap_or(rest);
                (short, (!namespace.contains('.')).then(|| namespace.to_owned()))
            }
            _ => (name, None),
        };
        // A name with further dots can only be an object of that very name.
        let name = if namespace.is_some() { short } else { name };
        Ok(Self { text: text.to_owned(), name: name.to_owned(), namespace, object_only: kind.is_some() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_names_people_use() {
        for (text, name, namespace, object_only) in [
            ("carts", "carts", None, false),
            ("vs/carts", "carts", None, true),
            ("virtualservice/carts", "carts", None, true),
            ("virtualservices.networking.istio.io/carts", "carts", None, true),
            ("virtualservice.v1.networking.istio.io/a.b", "a.b", None, true),
            ("carts.shop", "carts", Some("shop"), false),
            ("carts.shop.svc", "carts", Some("shop"), false),
            ("carts.shop.svc.cluster.local", "carts", Some("shop"), false),
            ("carts.example.com", "carts.example.com", None, false),
        ] {
            let got: ServiceRef = text.parse().expect(text);
            assert_eq!((got.name.as_str(), got.namespace.as_deref(), got.object_only), (name, namespace, object_only), "{text}");
        }
    }

    #[test]
    fn refuses_other_kinds_and_other_letters() {
        for text in
            ["deploy/carts", "", "Carts", "a b", "carts\u{1b}[31m", "-a", "a..b", "vs/", "vs/a/b", "virtualservice.example.com/a"]
        {
            let error = text.parse::<ServiceRef>().expect_err(text);
            assert!(!error.message.contains('\u{1b}'));
        }
    }

    #[test]
    fn knows_the_service_behind_a_host() {
        assert_eq!(service_of("carts.shop.svc.cluster.local"), Some(("carts", "shop")));
        assert_eq!(service_of("example.com"), None);
        assert_eq!(service_of("a.b.c.svc.cluster.local"), None);
    }
}
