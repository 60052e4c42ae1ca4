//! Edits of all files in memory, and the proof that nothing else changes.

use super::{Checkout, File, at, chart_of, near, text_of, walk};
use crate::core::manifest::{Edited, Manifest};
use crate::core::patch::Patch;
use crate::core::plan::Change;
use crate::core::route::{self, Route};
use crate::core::select::Service;
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file with its text before and after.
#[derive(Clone, Debug)]
pub struct Edit {
    /// As it is told.
    pub name: String,
    /// The file itself; none for standard input.
    pub path: Option<PathBuf>,
    /// What was read.
    pub before: String,
    /// What is to be written.
    pub after: String,
    /// The objects that it moves, by their [`Origin::place`](crate::core::object::Origin).
    pub moves: Vec<(usize, usize)>,
}

/// The patches of a file, by the place of their object in it.
type Patches<'a> = Vec<(usize, &'a Patch)>;

impl Checkout {
    /// The files that carry out what was planned. Of the plans this leaves what a manifest holds, and each object then says
    /// which file changes.
    ///
    /// # Errors
    /// As [`Manifest::edited`]; `Failed` where a value of a chart moves other objects, too.
    pub fn edit(&self, planned: &mut [(Service, Vec<Change>)]) -> Result<Vec<Edit>> {
        for change in planned.iter_mut().flat_map(|(_, changes)| changes) {
            change.patch = change.patch.take().map(|patch| patch.of_spec()).filter(|patch| !patch.operations().is_empty());
        }
        let mut by_file: BTreeMap<usize, Patches<'_>> = BTreeMap::new();
        for (service, change) in planned.iter().flat_map(|(service, changes)| changes.iter().map(move |change| (service, change)))
        {
            if let (Some(patch), Some(origin)) = (&change.patch, &service.objects[change.object].origin) {
                by_file.entry(origin.place.0).or_default().push((origin.place.1, patch));
            }
        }
        let mut values: Vec<(String, Vec<_>)> = self.values.iter().map(|values| (values.text.clone(), Vec::new())).collect();
        let mut edits = Vec::new();
        let mut told: BTreeMap<usize, String> = BTreeMap::new();
        for (&place, patches) in &by_file {
            let file = &self.files[place];
            let edited = self.edit_one(file, patches, &values).map_err(|error| at(&file.source.name, error))?;
            let mut names = Vec::new();
            let moves: Vec<(usize, usize)> = patches.iter().map(|(index, _)| (place, *index)).collect();
            if edited.text != file.source.text {
                names.push(file.source.name.as_str());
                edits.push(Edit {
                    name: file.source.name.clone(),
                    path: file.source.path.clone(),
                    before: file.source.text.clone(),
                    after: edited.text,
                    moves: moves.clone(),
                });
            }
            if let (Some(text), Some(of)) = (edited.values, file.values) {
                names.push(self.values[of].name.as_str());
                values[of].0 = text;
                values[of].1.extend(moves);
            }
            told.insert(place, names.join(", "));
        }
        for (place, (old, (new, moves))) in self.values.iter().zip(values).enumerate().filter(|(_, (old, new))| old.text != new.0)
        {
            self.prove(place, &new, &by_file)?;
            edits.push(Edit { name: old.name.clone(), path: old.path.clone(), before: old.text.clone(), after: new, moves });
        }
        for (service, changes) in planned.iter_mut() {
            for change in changes.iter().filter(|change| change.patch.is_some()) {
                let origin = service.objects[change.object].origin.as_deref_mut();
                if let Some(origin) = origin
                    && let Some(name) = told.get(&origin.place.0)
                {
                    origin.file.clone_from(name);
                }
            }
        }
        Ok(edits)
    }

    fn edit_one(&self, file: &File, patches: &Patches<'_>, values: &[(String, Vec<(usize, usize)>)]) -> Result<Edited> {
        let now = file.values.map(|place| values[place].0.as_str());
        // Another template of the same chart may have changed the values before.
        let changed = file.values.is_some_and(|place| values[place].0 != self.values[place].text);
        let fresh = if changed { Some(Manifest::read(&file.source.text, now)?) } else { None };
        fresh.as_ref().unwrap_or(&file.manifest).edited(patches)
    }

    /// Every template that the values of a chart can move says what was planned of it, and the others what they said.
    fn prove(&self, place: usize, new: &str, by_file: &BTreeMap<usize, Patches<'_>>) -> Result<()> {
        for (index, file) in self.files.iter().enumerate().filter(|(_, file)| file.values == Some(place)) {
            let nothing = Patches::new();
            let patches = by_file.get(&index).unwrap_or(&nothing);
            stands(&file.source.name, &file.source.text, &file.manifest, new, patches)?;
        }
        let values = &self.values[place];
        let chart = values.path.as_deref().and_then(Path::parent).filter(|chart| chart.join("Chart.yaml").is_file());
        for path in chart.map(walk::within).transpose()?.unwrap_or_default() {
            let known = |file: &File| file.source.path.as_ref() == Some(&path);
            if self.files.iter().any(known) || chart_of(&path) != chart {
                continue;
            }
            // What cannot be read cannot be edited either, and says so when it is meant.
            if let Ok(source) = text_of(&path)
                && Manifest::may_hold(&source.text)
                && let Ok(manifest) = Manifest::read(&source.text, Some(&values.text))
            {
                stands(&near(&path), &source.text, &manifest, new, &Patches::new())?;
            }
        }
        Ok(())
    }
}

/// Whether a template with other values is what the patches make of it.
fn stands(name: &str, text: &str, before: &Manifest, values: &str, patches: &Patches<'_>) -> Result<()> {
    let after = Manifest::read(text, Some(values)).map_err(|error| at(name, error))?;
    for (index, (old, new)) in before.virtual_services().iter().zip(after.virtual_services()).enumerate() {
        let patch = patches.iter().find(|(place, _)| *place == index).map(|(_, patch)| *patch);
        let wanted = patch.map_or_else(|| Some(old.value.clone()), |patch| patch.applied(&old.value));
        // Nothing but weights is read from values.
        let weights =
            |value: &Value| route::read(value.get("spec").unwrap_or(&Value::Null)).iter().map(Route::weights).collect::<Vec<_>>();
        if wanted.as_ref().map(weights) != Some(weights(&new.value)) {
            let title = old.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            return Err(Error::failed(format!(
                "{name}:{}: the same value of the chart would move {title}, too; nothing was written",
                old.line
            ))
            .hint("give each of them a value of its own, or name both"));
        }
    }
    Ok(())
}
