//! What a build does, told by its image: see the table in [`super::traffic`].

/// What a running build does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Behaviour {
    /// The share of requests that are answered with a 500, from 0 to 1.
    pub errors: f64,
    /// Milliseconds that every answer takes at least; `None` for a fast build.
    pub delay: Option<f64>,
}

impl Behaviour {
    /// Reads an image reference by the table in the documentation of [`crate::sandbox::traffic`].
    pub fn of_image(image: &str) -> Self {
        let slow_carts = repository(image) == "carts" && tag(image) == "0.6.1";
        let mut behaviour = Self { errors: 0.0, delay: slow_carts.then_some(1000.0) };
        for word in tag(image).split('-') {
            if word == "slow" {
                behaviour.delay = Some(1000.0);
            } else if let Some(percent) = suffix(word, "err") {
                behaviour.errors = (percent / 100.0).min(1.0);
            } else if let Some(ms) = suffix(word, "lat") {
                behaviour.delay = Some(ms);
            }
        }
        behaviour
    }

    /// Milliseconds for one request; `chance` is uniform in 0..1. A fast build takes 30 to 50, one request in fifty
    /// twice that; a delayed one its delay and up to a tenth more.
    pub fn latency(self, chance: f64) -> f64 {
        match self.delay {
            Some(delay) => delay * (1.0 + chance / 10.0),
            None if chance >= 0.98 => 2.0 * (30.0 + (chance - 0.98) * 1000.0),
            None => 30.0 + chance * 20.0,
        }
    }
}

/// How far a container gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It runs.
    Runs,
    /// There is no such image.
    Missing,
    /// It ends with this status right after its start, each time.
    Crashes(u8),
    /// It runs, and is never ready.
    Unready,
}

impl Start {
    /// Reads an image reference by the same table.
    pub fn of_image(image: &str) -> Self {
        let tag = tag(image);
        if ["broken", "missing", "does-not-exist"].iter().any(|word| tag.contains(word)) {
            return Self::Missing;
        }
        if tag.split('-').any(|word| word == "unready") {
            return Self::Unready;
        }
        let crash = tag.split('-').find_map(|word| word.strip_prefix("crash"));
        match crash {
            Some("") => Self::Crashes(1),
            Some(status) => status.parse().map_or(Self::Runs, Self::Crashes),
            None => Self::Runs,
        }
    }
}

/// The tag of an image reference, empty where it has none.
pub fn tag(image: &str) -> &str {
    last_part(image).split_once(':').map_or("", |(_, tag)| tag)
}

/// The last part of an image's repository: `carts`.
pub fn repository(image: &str) -> &str {
    let last = last_part(image);
    last.split_once(':').map_or(last, |(name, _)| name)
}

fn last_part(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    name.rsplit('/').next().unwrap_or_default()
}

/// The number behind a prefix, where the word holds nothing else.
fn suffix(word: &str, prefix: &str) -> Option<f64> {
    let number = word.strip_prefix(prefix)?;
    let digits = number.starts_with(|c: char| c.is_ascii_digit());
    number.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_how_far_a_container_gets() {
        let cases = [
            ("carts:0.6.2", Start::Runs),
            ("registry.local:5000/carts", Start::Runs),
            ("carts:missing", Start::Missing),
            ("carts:1.0-does-not-exist@sha256:abc", Start::Missing),
            ("carts:0.6.3-crash", Start::Crashes(1)),
            ("carts:0.6.3-crash137-slow", Start::Crashes(137)),
            ("carts:crashed", Start::Runs),
            ("carts:0.6.3-unready", Start::Unready),
        ];
        for (image, wanted) in cases {
            assert_eq!(Start::of_image(image), wanted, "{image}");
        }
    }

    #[test]
    fn a_registry_may_have_a_port() {
        assert_eq!((repository("registry.local:5000/shop/carts:1"), tag("registry.local:5000/shop/carts:1")), ("carts", "1"));
        assert_eq!((repository("registry.local:5000/carts"), tag("registry.local:5000/carts")), ("carts", ""));
    }
}
