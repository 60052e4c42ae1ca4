//! A shipyard: the stages of a project, in the order in which an artifact walks through them.

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
