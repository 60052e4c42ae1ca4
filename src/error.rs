//! The one error type: a kind (which is an exit code), a sentence, causes, and hints with commands to paste.
//!
//! Pure, so that `core` can refuse in the same words as everything else; printed by `ui` alone.

use crate::exit;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is; each has its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Failed, for a reason that has no kind of its own.
    Failed,
    /// Wrong flags, arguments or configuration.
    Usage,
    /// Nothing to change, where the user asked for that to be an error.
    Unchanged,
    /// Not logged in, or forbidden.
    Forbidden,
    /// No such object, subset, context or route.
    NotFound,
    /// Somebody else changed the object.
    Conflict,
    /// The API server cannot be reached.
    Unreachable,
    /// A gate failed.
    GateFailed,
    /// A gate passed with a warning, and warnings are to fail.
    GateWarning,
    /// There is not enough data to judge.
    Inconclusive,
    /// A person is to approve.
    Waiting,
    /// An undo failed.
    RollbackFailed,
    /// The deadline passed.
    Timeout,
    /// The user interrupted.
    Interrupted,
}

impl Kind {
    /// The exit code of this kind.
    pub fn code(self) -> u8 {
        match self {
            Kind::Failed => exit::FAILED,
            Kind::Usage => exit::USAGE,
            Kind::Unchanged => exit::UNCHANGED,
            Kind::Forbidden => exit::FORBIDDEN,
            Kind::NotFound => exit::NOT_FOUND,
            Kind::Conflict => exit::CONFLICT,
            Kind::Unreachable => exit::UNREACHABLE,
            Kind::GateFailed => exit::GATE_FAILED,
            Kind::GateWarning => exit::GATE_WARNING,
            Kind::Inconclusive => exit::INCONCLUSIVE,
            Kind::Waiting => exit::WAITING,
            Kind::RollbackFailed => exit::ROLLBACK_FAILED,
            Kind::Timeout => exit::TIMEOUT,
            Kind::Interrupted => exit::INTERRUPTED,
        }
    }
}

/// Why something was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The kind, and so the exit code.
    pub kind: Kind,
    /// One sentence in lower case, without a full stop. May go on in further lines where it lists candidates.
    pub message: String,
    /// What lay beneath, outermost first.
    pub causes: Vec<String>,
    /// What to do next, with commands in backticks.
    pub hints: Vec<String>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Something named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// A failure without a kind of its own.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a cause below those there are.
    pub fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The sandbox's failures: the outermost sentence, the rest as causes.
impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        let mut chain = error.chain().map(ToString::to_string);
        let mut result = Error::failed(chain.next().unwrap_or_default());
        result.causes.extend(chain);
        result
    }
}
