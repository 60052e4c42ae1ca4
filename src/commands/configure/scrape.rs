//! What Prometheus must scrape, as the scripts of keptn's examples wrote it.

use crate::error::{Error, Result};
use std::fmt::Write as _;
use std::path::Path;

/// The first line of a file that may be written again.
const MARK: &str = "# written by `tidegate configure monitoring`\n";

/// A job of Prometheus.
pub struct Job {
    /// `carts-sockshop-dev`
    pub name: String,
    /// `carts.sockshop-dev.svc.cluster.local:80`
    pub target: String,
    /// `/prometheus`
    pub path: String,
}

/// The jobs as a file of `scrape_config_files`.
pub fn document(jobs: &[Job]) -> String {
    let mut text = format!("{MARK}scrape_configs:\n");
    for job in jobs {
        let [name, target, path] =
            [&job.name, &job.target, &job.path].map(|text| serde_json::Value::from(text.as_str()).to_string());
        let _ = write!(
            text,
            "- job_name: {name}\n  scrape_interval: 5s\n  metrics_path: {path}\n  static_configs:\n  - targets: [{target}]\n"
        );
    }
    text
}

/// Writes the document. A file of somebody else's is left alone.
///
/// # Errors
/// `Usage` where it cannot be written, or is somebody else's.
pub fn write(path: &Path, document: &str) -> Result<()> {
    let cannot = |error: std::io::Error| Error::usage(format!("cannot write {}", path.display())).caused_by(error.to_string());
    match std::fs::read_to_string(path) {
        Ok(text) if !text.is_empty() && !text.starts_with(MARK) => {
            return Err(Error::usage(format!("{} holds something else", path.display()))
                .hint("name a file of its own, and that in `scrape_config_files` of prometheus.yml"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(error)),
    }
    std::fs::write(path, document).map_err(cannot)
}
