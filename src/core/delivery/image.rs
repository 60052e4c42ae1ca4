//! References of container images: `host:5000/team/carts:0.6.2@sha256:…`.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// An image: a repository, with the tag or the digest (or both) that says which of its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Image {
    /// `host:5000/team/carts`
    pub repository: String,
    /// `0.6.2`
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: Option<String>,
}

impl Image {
    /// Reads a reference. That a colon of the first part belongs to a port is seen by the slash behind it (the reference
    /// grammar of github.com/distribution/reference).
    ///
    /// # Errors
    /// `Usage`, which names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Err(Error::usage(format!("`{text}` is no image: {why}")));
        if text.contains("://") {
            return wrong("an image has no scheme; leave out what is before `//`");
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // keptn's own scripts end repositories with a slash.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match rest[path..].split_once(':') {
            Some((_, tag)) => (&rest[..rest.len() - tag.len() - 1], Some(tag)),
            None => (rest, None),
        };
        if repository.is_empty() {
            return wrong("it has no name");
        }
        for (at, part) in repository.split('/').enumerate() {
            let host = at == 0 && repository.contains('/') && (part.contains(['.', ':']) || part == "localhost");
            match host {
                true if !is_host(part) => return wrong(&format!("`{part}` is no registry")),
                false if part.is_empty() => return wrong("a part of its name is empty"),
                false if part.contains(|c: char| c.is_ascii_uppercase()) => return wrong("its name has capital letters"),
                false if !is_component(part) => return wrong(&format!("`{part}` cannot be part of its name")),
                _ => {}
            }
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return wrong(&format!("`{tag}` is no tag"));
        }
        if let Some(digest) = digest.filter(|digest| !is_digest(digest)) {
            return wrong(&format!("`{digest}` is no digest, as `sha256:` and 64 hexadecimal digits"));
        }
        Ok(Self { repository: repository.into(), tag: tag.map(Into::into), digest: digest.map(Into::into) })
    }

    /// The artifact of `--image` and `--tag`. `latest` is no default: what it names changes.
    ///
    /// # Errors
    /// `Usage` where it is no image, the two disagree, or nothing says which image of the repository is meant.
    pub fn artifact(image: &str, tag: Option<&str>) -> Result<Self> {
        let mut artifact = Self::parse(image)?;
        let Some(tag) = tag else {
            if artifact.tag.is_none() && artifact.digest.is_none() {
                return Err(Error::usage(format!("`{image}` does not say which version: it has no tag and no digest"))
                    .hint("name it: `--tag 0.6.2`; the newest is meant where `--tag latest` says so"));
            }
            return Ok(artifact);
        };
        if !is_tag(tag) {
            return Err(Error::usage(format!("`{tag}` is no tag")));
        }
        match &artifact.tag {
            Some(own) if own != tag => Err(Error::usage(format!("two tags: `{own}` in --image, `{tag}` in --tag"))),
            _ => {
                artifact.tag = Some(tag.to_owned());
                Ok(artifact)
            }
        }
    }

    /// What people call the version: the tag, else the beginning of the digest, else `latest`.
    pub fn version(&self) -> &str {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => tag,
            (None, Some(digest)) => digest.get(..digest.find(':').map_or(12, |colon| colon + 13)).unwrap_or(digest),
            (None, None) => "latest",
        }
    }
}

fn is_host(text: &str) -> bool {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    name.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_component(text: &str) -> bool {
    let separator = |c: char| matches!(c, '.' | '_' | '-');
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || separator(c);
    text.chars().all(inner) && !text.starts_with(separator) && !text.ends_with(separator) && !text.contains("..")
}

fn is_tag(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.len() <= 128 && text.chars().all(inner) && !text.starts_with(['.', '-'])
}

fn is_digest(text: &str) -> bool {
    let hex = |hex: &str| hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit());
    text.split_once(':').is_some_and(|(algorithm, value)| match algorithm {
        "sha256" => hex(value) && value.len() == 64,
        _ => !algorithm.is_empty() && algorithm.chars().all(|c| c.is_ascii_alphanumeric()) && hex(value),
    })
}

impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.repository)?;
        self.tag.as_ref().map_or(Ok(()), |tag| write!(f, ":{tag}"))?;
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl std::str::FromStr for Image {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl From<Image> for String {
    fn from(image: Image) -> Self {
        image.to_string()
    }
}

impl TryFrom<String> for Image {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

/// What people call the version of an image; the text itself where it is none.
pub fn version(image: &str) -> String {
    Image::parse(image).map_or_else(|_| image.to_owned(), |image| image.version().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, Option<String>, Option<String>) {
        let image = Image::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(image.to_string(), text.trim_end_matches('/'), "it is written as it was read");
        (image.repository, image.tag, image.digest)
    }

    #[test]
    fn ports_tags_and_digests_are_told_apart() {
        let some = |text: &str| Some(text.to_owned());
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(parts("carts"), ("carts".into(), None, None));
        assert_eq!(parts("carts:0.6.2"), ("carts".into(), some("0.6.2"), None));
        assert_eq!(parts("docker.io/keptnexamples/carts/"), ("docker.io/keptnexamples/carts".into(), None, None));
        assert_eq!(parts("localhost:5000/carts"), ("localhost:5000/carts".into(), None, None));
        assert_eq!(parts("host:5000/team/carts:v1_RC.2"), ("host:5000/team/carts".into(), some("v1_RC.2"), None));
        assert_eq!(parts(&format!("carts@{digest}")), ("carts".into(), None, Some(digest.clone())));
        assert_eq!(parts(&format!("a.b:1/c:2@{digest}")), ("a.b:1/c".into(), some("2"), Some(digest)));
    }

    #[test]
    fn what_is_no_image_is_refused_with_its_part() {
        let refused = |text: &str| Image::parse(text).map(|image| format!("{image:?}")).expect_err(text).message;
        for (text, why) in [
            ("", "it has no name"),
            (":0.6.2", "it has no name"),
            ("https://docker.io/carts", "an image has no scheme"),
            ("docker.io/Carts:1", "its name has capital letters"),
            ("docker.io//carts:1", "a part of its name is empty"),
            ("carts:", "`` is no tag"),
            ("carts:a b", "`a b` is no tag"),
            ("car ts:1", "`car ts` cannot be part of its name"),
            ("host:port/carts:1", "`host:port` is no registry"),
            ("carts@sha256:12", "`sha256:12` is no digest"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn an_artifact_says_which_version() {
        let artifact = |image, tag| Image::artifact(image, tag).map(|image| image.to_string()).map_err(|error| error.message);
        assert_eq!(artifact("host:5000/carts", Some("0.6.2")), Ok("host:5000/carts:0.6.2".into()));
        assert_eq!(artifact("carts:0.6.2", None), Ok("carts:0.6.2".into()));
        assert_eq!(artifact("carts:0.6.2", Some("0.6.2")), Ok("carts:0.6.2".into()));
        assert_eq!(artifact("carts", Some("latest")), Ok("carts:latest".into()));
        assert!(artifact("host:5000/carts", None).expect_err("no version").contains("which version"));
        assert!(artifact("carts:0.6.1", Some("0.6.2")).expect_err("two versions").starts_with("two tags"));
        assert!(artifact("carts", Some("")).is_err());
        let digest = format!("carts@sha256:{}", "0a".repeat(32));
        assert_eq!(Image::artifact(&digest, None).expect("an image").version(), "sha256:0a0a0a0a0a0a");
    }
}
