//! Which Gateway lets a request into the mesh.
use serde_json::Value;

use super::endpoints::{items, text};

/// Whether the gateway that a VirtualService in `namespace` names is there, is the ingress gateway's, and takes plain
/// HTTP on port 80 for a host.
pub fn serves(gateways: &[&Value], named: &str, namespace: &str, host: &str) -> bool {
    let (namespace, name) = resolve(named, namespace);
    let found = gateways.iter().find(|one| {
        let meta = &one["metadata"];
        meta["name"] == *name && meta["namespace"] == *namespace
    });
    let Some(gateway) = found.filter(|one| one["spec"]["selector"]["istio"] == "ingressgateway") else { return false };
    items(&gateway["spec"]["servers"]).iter().any(|server| {
        let plain = server["port"]["number"] == 80 && text(&server["port"]["protocol"]).eq_ignore_ascii_case("http");
        let hosts = items(&server["hosts"]).iter().map(|host| text(host).rsplit('/').next().unwrap_or_default());
        plain && hosts.filter_map(|pattern| fit(pattern, host)).next().is_some()
    })
}

/// `name`, `namespace/name`, or `name.namespace` as old files have it.
fn resolve<'a>(named: &'a str, namespace: &'a str) -> (&'a str, &'a str) {
    match named.split_once('/') {
        Some((".", name)) => (namespace, name),
        Some(pair) => pair,
        None => match named.split('.').collect::<Vec<_>>().as_slice() {
            [name, namespace, ..] => (namespace, name),
            _ => (namespace, named),
        },
    }
}

/// How closely a host fits a pattern: the more, the closer.
pub fn fit(pattern: &str, host: &str) -> Option<usize> {
    match pattern.strip_prefix('*') {
        None => pattern.eq_ignore_ascii_case(host).then_some(usize::MAX),
        Some(rest) => host.ends_with(rest).then_some(rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_gateway_serves_the_hosts_that_it_names() {
        let gateway = |hosts: Value| {
            json!({
                "metadata": {"name": "public", "namespace": "shop"},
                "spec": {
                    "selector": {"istio": "ingressgateway"},
                    "servers": [{"port": {"number": 80, "protocol": "HTTP"}, "hosts": hosts}],
                },
            })
        };
        let all = gateway(json!(["*"]));
        for named in ["public", "shop/public", "./public", "public.shop", "public.shop.svc.cluster.local"] {
            assert!(serves(&[&all], named, "shop", "carts.example.com"), "{named}");
        }
        for named in ["mesh", "other/public", "public.other", ""] {
            assert!(!serves(&[&all], named, "shop", "carts.example.com"), "{named}");
        }
        let some = gateway(json!(["shop/*.example.com"]));
        assert!(serves(&[&some], "public", "shop", "carts.example.com"));
        assert!(!serves(&[&some], "public", "shop", "carts.example.org"));
    }

    #[test]
    fn an_exact_host_fits_better_than_a_pattern() {
        assert!(fit("carts.shop", "carts.shop") > fit("*.shop", "carts.shop"));
        assert!(fit("*.shop", "carts.shop") > fit("*", "carts.shop"));
        assert_eq!(fit("carts", "orders"), None);
    }
}
