//! Earlier evaluations to compare with: a file, a directory, or the cluster.
//!
//! A file is read. In a directory and in the cluster this evaluation is kept, too, so that the next one has it. They are
//! kept by project, stage and service, as keptn compared only what belongs together. In the cluster it is one
//! configuration map a service with the newest [`KEPT`], in the namespace of the connection.

use super::text_of;
use crate::cluster::{CONFIG_MAPS, Cluster, Created, DryRun};
use crate::core::gate::evaluation::{Evaluation, Previous, Verdict};
use crate::core::gate::values;
use crate::error::{Error, Kind, Result};
use crate::sorted;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// So many evaluations of a service are kept in the cluster, and read from a directory.
const KEPT: usize = 50;

/// They take no more than this many bytes there.
const MOST_BYTES: usize = 700_000;

/// The configuration map's key.
const KEY: &str = "evaluations.json";

/// So often is a configuration map written again that somebody else changed meanwhile.
const TRIES: usize = 5;

/// Where earlier evaluations are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum History {
    /// Nowhere.
    None,
    /// In a file, newest first.
    File(PathBuf),
    /// In a directory, a file each.
    Directory {
        /// The directory; made where it is not there.
        path: PathBuf,
        /// Whose: `sockshop.staging.carts`.
        subject: String,
    },
    /// In the cluster.
    Cluster {
        /// Whose: `sockshop.staging.carts`.
        subject: String,
    },
}

impl History {
    /// What `--compare-with` names: `history` is the cluster, what ends in a slash or is a directory is one.
    ///
    /// # Errors
    /// `Usage` where the evaluations could not be told apart from those of other services.
    pub fn of(place: Option<&Path>, subject: &[Option<&String>]) -> Result<Self> {
        let Some(place) = place else { return Ok(Self::None) };
        let cluster = place == Path::new("history");
        let directory = place.is_dir() || place.to_string_lossy().ends_with('/');
        if !cluster && !directory {
            return Ok(Self::File(place.to_owned()));
        }
        let parts: Vec<&str> = subject.iter().flatten().map(|part| part.as_str()).collect();
        let subject = parts.join(".");
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        if subject.is_empty() {
            return Err(Error::usage("earlier evaluations are kept by service, and none is named")
                .hint("name it: `tidegate evaluate SERVICE …`, and `--project`, `--stage` where there are several"));
        }
        if subject.len() > 200 || !subject.bytes().all(valid) {
            return Err(Error::usage(format!(
                "`{}` cannot name earlier evaluations: lower-case letters, digits, `-` and `.` can",
                subject.escape_debug()
            )));
        }
        Ok(match cluster {
            true => Self::Cluster { subject },
            false => Self::Directory { path: place.to_owned(), subject },
        })
    }

    /// The earlier evaluations, newest first. `cluster` connects, where it is needed.
    ///
    /// # Errors
    /// `Usage` for what is no earlier evaluation; as the API server says.
    pub async fn read(&self, cluster: Option<&Cluster>) -> Result<Vec<Previous>> {
        match (self, cluster) {
            (Self::File(file), _) => values::previous(&super::title(file), &text_of(file)?),
            (Self::Directory { path, subject }, _) => directory(path, subject),
            (Self::Cluster { subject }, Some(cluster)) => Ok(kept(cluster, subject).await?.1),
            _ => Ok(Vec::new()),
        }
    }

    /// Keeps an evaluation. What could not be measured is nothing to compare with and is not kept.
    ///
    /// # Errors
    /// `Failed` where it cannot be written; as the API server says.
    pub async fn keep(&self, cluster: Option<&Cluster>, evaluation: &Evaluation) -> Result<()> {
        if evaluation.verdict == Verdict::Inconclusive {
            return Ok(());
        }
        let end = evaluation.basis.evidence.window.map(|window| window.end);
        let time = end.and_then(|end| jiff::Timestamp::from_second(end).ok()).unwrap_or_else(jiff::Timestamp::now);
        match (self, cluster) {
            (Self::Directory { path, subject }, _) => {
                let cannot = |error: std::io::Error| {
                    Error::failed(format!("cannot keep this evaluation in {}", path.display())).caused_by(error.to_string())
                };
                std::fs::create_dir_all(path).map_err(cannot)?;
                let name = format!("{subject}@{}.json", time.strftime("%Y%m%dT%H%M%SZ"));
                let (file, fresh) = (path.join(&name), path.join(format!(".{name}.new")));
                // Renamed when it is whole: who reads at the same time sees all of it or nothing.
                std::fs::write(&fresh, crate::ui::data(evaluation, false)).map_err(cannot)?;
                std::fs::rename(&fresh, &file).map_err(cannot)
            }
            (Self::Cluster { subject }, Some(cluster)) => {
                let this = Previous::of(format!("{time:.0}"), evaluation);
                for _ in 0..TRIES {
                    let (map, mut list) = kept(cluster, subject).await?;
                    list.insert(0, this.clone());
                    list.truncate(KEPT);
                    match store(cluster, subject, map, &list).await {
                        Err(error) if error.kind == Kind::Conflict => {}
                        done => return done,
                    }
                }
                Err(Error::new(Kind::Conflict, format!("{} keeps being changed by others", name(subject))))
            }
            _ => Ok(()),
        }
    }
}

/// The newest of a directory's evaluations of `subject`, newest first.
fn directory(path: &Path, subject: &str) -> Result<Vec<Previous>> {
    let cannot = |error: std::io::Error| Error::usage(format!("cannot read {}", path.display())).caused_by(error.to_string());
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(cannot)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(cannot)?.file_name().to_string_lossy().into_owned();
        if name.strip_prefix(subject).is_some_and(|rest| rest.starts_with('@') && rest.ends_with(".json")) {
            names.push(name);
        }
    }
    // The time is in the name.
    sorted::by(&mut names, |a, b| b.cmp(a));
    let mut list = Vec::new();
    for name in names.into_iter().take(KEPT) {
        let mut one = values::previous(&name, &text_of(&path.join(&name))?)?;
        one.iter_mut().for_each(|one| one.id.clone_from(&name));
        list.append(&mut one);
    }
    Ok(list)
}

fn name(subject: &str) -> String {
    format!("tidegate-evaluations-{subject}")
}

/// The configuration map, if it is there, and what it keeps.
async fn kept(cluster: &Cluster, subject: &str) -> Result<(Option<Value>, Vec<Previous>)> {
    let Some(map) = cluster.object(&CONFIG_MAPS, &cluster.namespace, &name(subject)).await? else {
        return Ok((None, Vec::new()));
    };
    let list = match map.pointer(&format!("/data/{KEY}")).and_then(Value::as_str) {
        Some(text) => values::previous(&format!("configmap/{}", name(subject)), text)?,
        None => Vec::new(),
    };
    Ok((Some(map), list))
}

async fn store(cluster: &Cluster, subject: &str, map: Option<Value>, list: &[Previous]) -> Result<()> {
    let text = |list: &[Previous]| serde_json::to_string(list).map_err(|error| Error::failed(error.to_string()));
    let mut some = list;
    // A configuration map holds a megabyte.
    while text(some)?.len() > MOST_BYTES && some.len() > 1 {
        some = &some[..some.len() / 2];
    }
    let text = text(some)?;
    let Some(mut map) = map else {
        let map = json!({
            "metadata": {"name": name(subject), "labels": {"app.kubernetes.io/managed-by": "tidegate"}},
            "data": {KEY: text},
        });
        return match cluster.create(&CONFIG_MAPS, &cluster.namespace, map, DryRun::No).await? {
            Created::New(_) => Ok(()),
            Created::Exists => Err(Error::new(Kind::Conflict, "")),
        };
    };
    map["data"][KEY] = text.into();
    cluster.replace(&CONFIG_MAPS, &map).await.map(|_| ())
}
