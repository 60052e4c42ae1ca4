//! Files written all or none: beside the old one, synced, and put in its place.

use super::{Edit, plainly};
use crate::error::{Error, Kind, Result};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::Path;

/// How the writing of one file ended.
#[derive(Debug)]
pub enum Written {
    /// It is there.
    Done,
    /// It could not be written, and is as it was.
    Refused(Error),
    /// It was written, and put back because another could not be.
    Undone,
    /// It was written, and could not be put back.
    Stuck(Error),
    /// Not tried, because another could not be written.
    Left,
}

/// Writes all files, in their order; where one cannot be written, those before it are put back.
pub fn write(edits: &[Edit]) -> Vec<Written> {
    let mut written: Vec<Written> = Vec::new();
    for edit in edits {
        match replace(edit, &edit.before, &edit.after) {
            Ok(()) => written.push(Written::Done),
            Err(error) => {
                written = put_back(&edits[..written.len()]);
                written.push(Written::Refused(error));
                break;
            }
        }
    }
    written.resize_with(edits.len(), || Written::Left);
    written
}

/// Puts files that were written back as they were.
pub fn put_back(edits: &[Edit]) -> Vec<Written> {
    let back = |edit: &Edit| replace(edit, &edit.after, &edit.before).map_or_else(Written::Stuck, |()| Written::Undone);
    edits.iter().map(back).collect()
}

/// Puts `after` in the place of `before`.
fn replace(edit: &Edit, before: &str, after: &str) -> Result<()> {
    let Some(path) = &edit.path else { return Ok(()) };
    let cannot = |error: std::io::Error| Error::failed(format!("cannot write {}", edit.name)).caused_by(plainly(&error));
    let about = fs::metadata(path).map_err(cannot)?;
    if !about.is_file() {
        return Err(Error::usage(format!("{} is no file that can be edited", edit.name))
            .hint("with `-f -` what comes in is edited and goes out"));
    }
    // A rename would not mind.
    if about.permissions().readonly() {
        return Err(Error::failed(format!("{} is read-only", edit.name)));
    }
    drop(OpenOptions::new().write(true).open(path).map_err(cannot)?);
    let beside = path.with_file_name(format!(".tidegate-{}", std::process::id()));
    let result = (|| {
        let mut file = File::create_new(&beside).map_err(cannot)?;
        // Who edits somebody else's file does not take it over, where that can be helped.
        let _ = fchown(&file, Some(about.uid()), Some(about.gid()));
        file.set_permissions(about.permissions()).map_err(cannot)?;
        file.write_all(after.as_bytes()).and_then(|()| file.sync_all()).map_err(cannot)?;
        if fs::read(path).map_err(cannot)? != before.as_bytes() {
            let message = format!("{} was changed by somebody else meanwhile", edit.name);
            return Err(Error::new(Kind::Conflict, message));
        }
        fs::rename(&beside, path).map_err(cannot)
    })();
    match &result {
        Ok(()) => sync(path),
        // What was never made need not be removed.
        Err(_) => drop(fs::remove_file(&beside)),
    }
    result
}

/// Lets the new name survive a loss of power, where the file system can do that.
fn sync(path: &Path) {
    if let Some(directory) = path.parent().and_then(|directory| File::open(directory).ok()) {
        drop(directory.sync_all());
    }
}
