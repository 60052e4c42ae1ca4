//! Where a cluster is reached from outside, read from the service of its ingress gateway.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An address from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// An IP address or a name.
    pub host: String,
    /// The port of plain HTTP.
    pub port: u16,
    /// What somebody who uses it should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Address {
    /// `http://203.0.113.7`, with the port where it is not HTTP's own.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority())
    }

    /// Host and port.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 80 { host } else { format!("{host}:{}", self.port) }
    }

    /// The name that leads to this address without a DNS of one's own: `carts.production.203.0.113.7.nip.io`; none where the
    /// address is a name already. `zone` is `nip.io`, or keptn's `xip.io`, which nobody answers for any more: it serves as
    /// a host header alone.
    pub fn wildcard(&self, service: &str, namespace: &str, zone: &str) -> Option<String> {
        let address: std::net::IpAddr = self.host.parse().ok()?;
        let address = match address {
            std::net::IpAddr::V4(address) => address.to_string(),
            // nip.io's own way to write one.
            std::net::IpAddr::V6(address) => address.to_string().replace(':', "-"),
        };
        Some(format!("{service}.{namespace}.{address}.{zone}"))
    }

    /// Whether a name leads here by itself: a public DNS answers it with the address that it holds.
    pub fn is_named_by(&self, name: &str) -> bool {
        ["nip.io", "sslip.io"].iter().any(|zone| name.ends_with(&format!(".{}.{zone}", self.host)))
    }
}

/// The gateway's service among `services`: its selector holds what the Gateway selects its pods by (`istio: ingressgateway`);
/// one in `istio-system` before others.
pub fn service<'a>(services: &'a [Value], gateway_selector: &Value) -> Option<&'a Value> {
    let wanted = gateway_selector.as_object().filter(|wanted| !wanted.is_empty())?;
    let fits = |service: &&Value| {
        let own = service.pointer("/spec/selector").and_then(Value::as_object);
        let labels = service.pointer("/metadata/labels").and_then(Value::as_object);
        wanted.iter().all(|(key, value)| [own, labels].iter().flatten().any(|map| map.get(key) == Some(value)))
    };
    let usual = |service: &&Value| service.pointer("/metadata/namespace").and_then(Value::as_str) == Some("istio-system");
    services.iter().filter(fits).max_by_key(|service| usual(service))
}

/// The port of plain HTTP from outside: the load balancer's, else that of every node.
pub fn port(service: &Value) -> Option<u16> {
    let key = if balancer(service).is_some() { "port" } else { "nodePort" };
    http_port(service)?.get(key).and_then(Value::as_u64).and_then(|number| u16::try_from(number).ok())
}

/// The address of a load balancer, or one that leads to the cluster otherwise.
fn balancer(service: &Value) -> Option<String> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let one = service.pointer("/status/loadBalancer/ingress/0");
    let named = one.and_then(|one| text(one, "ip").or_else(|| text(one, "hostname")));
    named.or_else(|| service.pointer("/spec/externalIPs/0").and_then(Value::as_str).map(str::to_owned))
}

/// The address of a gateway's service: of its load balancer, else a node's and its node port. `nodes` are asked only where the
/// service has no load balancer.
pub fn address(service: &Value, nodes: &[Value]) -> Option<Address> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let port = port(service)?;
    if let Some(host) = balancer(service) {
        return Some(Address { host, port, note: None });
    }
    let addresses = |kind: &str| {
        let all = nodes.iter().filter_map(|node| node.pointer("/status/addresses").and_then(Value::as_array)).flatten();
        all.filter(|one| text(one, "type").as_deref() == Some(kind)).find_map(|one| text(one, "address"))
    };
    let host = addresses("ExternalIP").or_else(|| addresses("InternalIP"))?;
    Some(Address { host, port, note: Some("a node's address: the gateway's service has no load balancer".into()) })
}

/// The port of plain HTTP: by Istio's names for it, else by its number.
fn http_port(service: &Value) -> Option<&Value> {
    let ports = service.pointer("/spec/ports")?.as_array()?;
    let named = |name: &str| ports.iter().find(|port| port.get("name").and_then(Value::as_str) == Some(name));
    let numbered = || ports.iter().find(|port| port.get("port").and_then(Value::as_u64) == Some(80));
    named("http2").or_else(|| named("http")).or_else(numbered)
}

/// The name of a virtual service by which the ingress knows it: the first of its hosts that has a dot and is not within the
/// cluster.
pub fn public_host(virtual_service: &Value) -> Option<String> {
    let hosts = virtual_service.pointer("/spec/hosts")?.as_array()?;
    let outside = |host: &&str| {
        let within = [".svc", ".svc.cluster.local", ".local"].iter().any(|end| host.ends_with(end));
        // A short name is the mesh's, and so is `carts.sockshop-staging`.
        host.matches('.').count() > 1 && !within && !host.contains('*')
    };
    hosts.iter().filter_map(Value::as_str).find(outside).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn gateway(status: Value) -> Value {
        json!({
            "metadata": {"namespace": "istio-system", "name": "istio-ingressgateway", "labels": {"istio": "ingressgateway"}},
            "spec": {
                "selector": {"app": "istio-ingressgateway", "istio": "ingressgateway"},
                "ports": [
                    {"name": "status-port", "port": 15021, "nodePort": 31000},
                    {"name": "http2", "port": 80, "targetPort": 8080, "nodePort": 31380},
                    {"name": "https", "port": 443, "nodePort": 31390},
                ],
            },
            "status": status,
        })
    }

    #[test]
    fn the_gateways_service_is_the_one_that_selects_its_pods() {
        let services = [
            json!({"metadata": {"namespace": "shop"}, "spec": {"selector": {"app": "carts"}}}),
            json!({"metadata": {"namespace": "edge"}, "spec": {"selector": {"istio": "ingressgateway"}}}),
            gateway(json!({})),
            json!({"metadata": {"namespace": "zoo"}, "spec": {"selector": {"istio": "ingressgateway"}}}),
        ];
        assert_eq!(service(&services, &json!({"istio": "ingressgateway"})), Some(&services[2]));
        assert_eq!(service(&services, &json!({"istio": "other"})), None);
        assert_eq!(service(&services, &json!({})), None, "a gateway that selects nothing has no service");
    }

    #[test]
    fn a_load_balancer_a_name_or_a_node() {
        let with = |one: Value| address(&gateway(json!({"loadBalancer": {"ingress": [one]}})), &[]);
        let found = with(json!({"ip": "203.0.113.7"})).expect("an address");
        assert_eq!((found.url().as_str(), found.note), ("http://203.0.113.7", None));
        let named = with(json!({"hostname": "lb.example.com"})).expect("an address");
        assert_eq!(named.url(), "http://lb.example.com");
        assert_eq!(named.wildcard("carts", "production", "nip.io"), None);
        let node = json!({"status": {"addresses": [
            {"type": "Hostname", "address": "n1"}, {"type": "InternalIP", "address": "10.0.0.4"},
        ]}});
        let pending = gateway(json!({"loadBalancer": {}}));
        let found = address(&pending, &[node]).expect("an address");
        assert_eq!(found.url(), "http://10.0.0.4:31380");
        assert!(found.note.is_some());
        assert_eq!(address(&pending, &[]), None);
    }

    #[test]
    fn names_that_hold_the_address() {
        let address = Address { host: "203.0.113.7".into(), port: 80, note: None };
        let name = |zone| address.wildcard("carts", "production", zone).expect("a name");
        assert_eq!(name("xip.io"), "carts.production.203.0.113.7.xip.io");
        assert_eq!(name("nip.io"), "carts.production.203.0.113.7.nip.io");
        assert!(address.is_named_by(&name("nip.io")));
        assert!(!address.is_named_by(&name("xip.io")), "nobody answers for it");
        let address = Address { host: "2001:db8::1".into(), port: 8080, note: None };
        assert_eq!(address.url(), "http://[2001:db8::1]:8080");
        assert_eq!(address.wildcard("c", "n", "nip.io").as_deref(), Some("c.n.2001-db8--1.nip.io"));
    }

    #[test]
    fn the_host_that_users_know() {
        let host = |hosts: Value| public_host(&json!({"spec": {"hosts": hosts}}));
        assert_eq!(
            host(json!(["carts", "carts.production.203.0.113.7.xip.io"])).as_deref(),
            Some("carts.production.203.0.113.7.xip.io")
        );
        assert_eq!(host(json!(["carts", "carts.prod", "carts.prod.svc.cluster.local", "*.example.com"])), None);
    }
}
