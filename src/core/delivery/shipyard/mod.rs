//! A shipyard: the stages of a project, in the order in which an artifact walks through them.
//!
//! Two formats are read: 0.1 (keptn 0.2 to 0.7), a list of stages with their strategies, and 0.2 (keptn 0.8 and later),
//! sequences of tasks that start each other. Every strategy that is not known is an error, where keptn took it for `direct`.
//! What has no meaning here is a warning that names it.

mod read;
mod sequences;

use crate::core::lint::{self, Finding};
use crate::error::Result;
pub(crate) use read::{LABEL, is_label};
use serde::{Deserialize, Serialize};

/// The stages of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipyard {
    /// The stages, in the order of promotion.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// How a new version comes into it.
    pub deployment: Strategy,
    /// How a new version is tested in it.
    pub test: TestStrategy,
    /// Who lets a version into it.
    pub approval: Approval,
    /// The window of its evaluation in seconds, where the shipyard says it; else the time of its tests.
    pub timeframe: Option<u64>,
}

impl Shipyard {
    /// Reads a shipyard of either format. `file` is what errors call it.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret: for what cannot be read, stages that are there twice or have no name, strategies
    /// that are not known, sequences that start each other in a circle.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let (shipyard, findings) = read::read(text);
        match lint::refuse(file, text, &findings.located(text)) {
            Some(error) => Err(error),
            None => Ok(shipyard),
        }
    }

    /// All that is wrong in a shipyard, or has no meaning here.
    pub fn lint(text: &str) -> Vec<Finding> {
        read::read(text).1.located(text)
    }

    /// A stage by its name.
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}

impl Stage {
    /// Whether a gate judges a version in it: where it is tested under load, where its traffic is split, and where the
    /// shipyard says over which window.
    pub fn is_gated(&self) -> bool {
        self.test == TestStrategy::Performance || self.deployment == Strategy::BlueGreen || self.timeframe.is_some()
    }
}

/// How a new version comes into a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The one deployment gets the new image.
    #[default]
    Direct,
    /// The version without traffic gets the new image, and the traffic when it has passed.
    BlueGreen,
}

/// How a new version is tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStrategy {
    /// Not at all, beyond the smoke test.
    #[default]
    None,
    /// Once through, no failure allowed.
    Functional,
    /// Under load; the gate judges what was measured meanwhile.
    Performance,
}

/// Who lets a version into a stage, by the verdict of the stage before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// After a pass.
    pub pass: Approver,
    /// After a warning.
    pub warning: Approver,
}

/// Who approves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// Nobody needs to.
    #[default]
    Automatic,
    /// A person does, with `approve`.
    Manual,
}

#[cfg(test)]
mod tests;
