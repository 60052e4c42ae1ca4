//! Names and identities: checked, or made from what they belong to, the same in each run.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::kinds::Kind;
use super::status::Cause;

fn hash(parts: impl Hash) -> u64 {
    // `DefaultHasher::new` has fixed keys.
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// A unique identifier in the form of a random UUID.
pub fn uid(namespace: &str, name: &str, revision: u64) -> String {
    let (a, b) = (hash((namespace, name, revision)), hash((revision, name, namespace)));
    format!("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff, b >> 48 & 0xfff, b & 0xffff_ffff_ffff)
}

/// The characters of generated names: no vowels, nothing that looks like another.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

fn letters(mut number: u64, length: usize) -> String {
    let base = ALPHABET.len() as u64;
    (0..length)
        .filter_map(|_| {
            let at = usize::try_from(number % base).ok()?;
            number /= base;
            ALPHABET.get(at).copied().map(char::from)
        })
        .collect()
}

/// Five characters behind a generated name.
pub fn suffix(prefix: &str, number: u64) -> String {
    letters(hash((prefix, number)), 5)
}

/// The hash that tells the pods of one template from those of another.
pub fn template_hash(template: &str) -> String {
    letters(hash(template), 10)
}

/// An address of a service within the cluster.
pub fn cluster_ip(namespace: &str, name: &str) -> String {
    let hash = hash((namespace, name));
    format!("10.96.{}.{}", hash >> 8 & 0xff, (hash & 0xff).clamp(1, 254))
}

/// A port of a service on every node.
pub fn node_port(namespace: &str, name: &str, port: u64) -> u64 {
    30_000 + hash((namespace, name, port)) % 2768
}

/// What is wrong with the name of an object.
pub fn check(kind: &Kind, name: &str) -> Option<Cause> {
    let label = matches!(kind.plural, "namespaces" | "services");
    let (form, allowed, most): (&str, fn(char) -> bool, usize) = if label {
        (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-',
            63,
        )
    } else {
        (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.',
            253,
        )
    };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let mut chars = name.chars();
    let good = name.len() <= most && name.chars().all(allowed) && edge(chars.clone().next()) && edge(chars.next_back());
    (!good).then(|| Cause::invalid("metadata.name", format!("{name:?}: {form}")))
}

/// The most that the names and values of all annotations of an object may take, in bytes.
const MOST_ANNOTATED: usize = 256 * 1024;

/// What is wrong with the labels and the annotations of an object.
pub fn check_metadata(object: &Value) -> Vec<Cause> {
    let members = |part: &str| {
        let members = object.pointer(&format!("/metadata/{part}"));
        members.and_then(Value::as_object).into_iter().flatten()
    };
    let mut causes = Vec::new();
    for (name, value) in members("labels") {
        let value = value.as_str().unwrap_or("");
        causes.extend(check_key("metadata.labels", name));
        if !value.is_empty() && !word(value) {
            causes.push(Cause::invalid("metadata.labels", format!(
                "{value:?}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            )));
        }
    }
    for (name, _) in members("annotations") {
        causes.extend(check_key("metadata.annotations", &name.to_lowercase()));
    }
    let annotated: usize = members("annotations").map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
    if annotated > MOST_ANNOTATED {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: "metadata.annotations".into(),
            message: format!("Too long: may not be more than {MOST_ANNOTATED} bytes"),
        });
    }
    causes
}

fn check_key(field: &str, key: &str) -> Option<Cause> {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    (!word(name)).then(|| {
        Cause::invalid(field, format!(
            "{key:?}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        ))
    })
}

fn word(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::super::kinds::VIRTUAL_SERVICES;
    use super::*;

    #[test]
    fn names_are_lower_case_labels() {
        for good in ["a", "carts-2", "carts.shop", "0"] {
            assert!(check(&VIRTUAL_SERVICES, good).is_none(), "{good}");
        }
        for bad in ["", "Carts", "-a", "a-", "a_b", "a/b"] {
            assert!(check(&VIRTUAL_SERVICES, bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn identities_have_the_form_of_a_uuid_and_differ() {
        let first = uid("shop", "carts", 1000);
        assert_eq!(first.len(), 36);
        assert_eq!(first, uid("shop", "carts", 1000));
        assert_ne!(first, uid("shop", "carts", 1001));
    }
}
