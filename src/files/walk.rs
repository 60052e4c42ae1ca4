//! The files below a directory that can hold manifests.

use super::plainly;
use crate::error::{Error, Result};
use crate::sorted;
use std::path::{Path, PathBuf};

/// The names that manifests and templates of them end with.
const ENDINGS: [&str; 4] = ["json", "tpl", "yaml", "yml"];

/// A larger file is no manifest that somebody keeps by hand.
const LARGEST: u64 = 16 << 20;

/// The files in a directory and those below it, by name. Hidden directories and links are left out.
pub fn within(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        let cannot = |error: std::io::Error| Error::usage(format!("cannot read {}", next.display())).caused_by(plainly(&error));
        for entry in std::fs::read_dir(&next).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(cannot)?);
            if kind.is_dir() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                left.push(path);
            } else if kind.is_file() && is_manifest(&path) && entry.metadata().is_ok_and(|about| about.len() <= LARGEST) {
                files.push(path);
            }
        }
    }
    sorted::by(&mut files, Ord::cmp);
    Ok(files)
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ENDINGS.iter().any(|one| ending.eq_ignore_ascii_case(one)))
}
