//! Which proxy leads to a server.

use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Uri};

/// The proxy for `server`: the one that is named for it, else `HTTPS_PROXY` (`HTTP_PROXY` for a server without TLS), unless
/// `NO_PROXY` excepts the server.
/// As in client-go, `NO_PROXY` does not concern a proxy that is named.
///
/// # Errors
/// `Usage` for what is not a URL.
pub fn for_server(named: Option<&str>, server: &Uri) -> Result<Option<Uri>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let either = |upper: &str, lower: &str| variable(upper).or_else(|| variable(lower));
    let excepted = || excepts(&either("NO_PROXY", "no_proxy").unwrap_or_default(), server);
    let variable = match server.scheme_str() {
        Some("http") => ["HTTP_PROXY", "http_proxy"],
        _ => ["HTTPS_PROXY", "https_proxy"],
    };
    let from_environment = || either(variable[0], variable[1]).filter(|_| !excepted());
    let Some(url) = named.map(str::to_owned).or_else(from_environment) else { return Ok(None) };
    // curl and client-go take a bare `host:port` for an HTTP proxy.
    let full = if url.contains("://") { url.clone() } else { format!("http://{url}") };
    let shown = url.rsplit('@').next().unwrap_or_default().escape_debug();
    full.parse().map(Some).map_err(|_| Error::usage(format!("`{shown}` is not the URL of a proxy")))
}

/// What a proxy is told of who asks: `Basic …`, where its URL has credentials.
pub fn authorization(url: &Uri) -> Option<HeaderValue> {
    let mut value: HeaderValue = format!("Basic {}", BASE64.encode(credentials(url)?)).try_into().ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The `user:password` in a proxy's URL, percent-decoded.
pub fn credentials(url: &Uri) -> Option<String> {
    let (encoded, _) = url.authority()?.as_str().rsplit_once('@')?;
    let mut bytes = Vec::new();
    let mut rest = encoded;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok())?;
        bytes.push(byte);
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// A proxy's URL as it may be shown: without credentials.
pub fn plain(url: &Uri) -> String {
    format!("{}://{}", url.scheme_str().unwrap_or_default(), url.host().unwrap_or_default())
}

/// Whether a `NO_PROXY` list names the server: `*`, a host, a domain (`.example.com` or `example.com`, which covers its
/// subdomains), an address, a CIDR block, each with an optional port. The loopback is never proxied.
fn excepts(list: &str, server: &Uri) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let port = server.port_u16().unwrap_or(443);
    let address: Option<std::net::IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let (name, wanted) = match entry.rsplit_once(':') {
            Some((name, digits)) if !name.contains(':') && digits.parse::<u16>().is_ok() => (name, digits.parse::<u16>().ok()),
            _ => (entry, None),
        };
        let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
        let fits = match (address, name.split_once('/')) {
            (Some(address), Some((network, bits))) => in_block(address, network, bits),
            (Some(address), None) => name == "*" || name.parse() == Ok(address),
            (None, _) => {
                let domain = name.trim_start_matches("*.").trim_start_matches('.');
                name == "*"
                    || host == domain && !name.starts_with('.')
                    || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
            }
        };
        fits && wanted.is_none_or(|wanted| wanted == port)
    })
}

fn in_block(address: std::net::IpAddr, network: &str, bits: &str) -> bool {
    use std::net::IpAddr::{V4, V6};
    let (Ok(network), Ok(bits)) = (network.parse(), bits.parse::<u32>()) else { return false };
    match (address, network) {
        (V4(a), V4(b)) if bits <= 32 => bits == 0 || (a.to_bits() ^ b.to_bits()) >> (32 - bits) == 0,
        (V6(a), V6(b)) if bits <= 128 => bits == 0 || (a.to_bits() ^ b.to_bits()) >> (128 - bits) == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn credentials_are_decoded() {
        let credentials = |url: &str| super::credentials(&url.parse().expect("a URL"));
        assert_eq!(credentials("http://proxy:3128"), None);
        assert_eq!(credentials("http://user:pass@proxy:3128").as_deref(), Some("user:pass"));
        assert_eq!(credentials("http://user:pa%40ss%3A%25@proxy:3128").as_deref(), Some("user:pa@ss:%"));
        assert_eq!(credentials("http://user:pass%4@proxy:3128"), None);
    }

    #[test]
    fn no_proxy_is_compared_with_the_server() {
        let excepts = |list: &str, server: &str| super::excepts(list, &server.parse().expect("a URL"));
        assert!(excepts("*", "https://k8s.example.com"));
        assert!(excepts("example.com", "https://k8s.example.com"));
        assert!(excepts(".example.com", "https://k8s.example.com:6443"));
        assert!(!excepts(".example.com", "https://example.com"));
        assert!(!excepts("ample.com", "https://example.com"));
        assert!(excepts("a, 10.0.0.0/8", "https://10.1.2.3:6443"));
        assert!(!excepts("10.0.0.0/8", "https://11.1.2.3:6443"));
        assert!(excepts("10.1.2.3:6443", "https://10.1.2.3:6443"));
        assert!(!excepts("10.1.2.3:443", "https://10.1.2.3:6443"));
        assert!(excepts("fd00::/8", "https://[fd00::1]:6443"));
        assert!(excepts("", "https://127.0.0.1:6443"));
        assert!(!excepts("", "https://k8s.example.com"));
    }
}
