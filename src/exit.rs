//! The exit codes of `tidegate`: a contract with scripts.
//!
//! `tidegate help exit-codes`, the README and the man page print [`TABLE`]; a test holds them equal.

/// Done, or already in the wanted state.
pub const OK: u8 = 0;
/// Failed, for a reason that has no code of its own.
pub const FAILED: u8 = 1;
/// Wrong usage: flags, arguments, configuration.
pub const USAGE: u8 = 2;
/// Nothing to change; only with `--error-unchanged`.
pub const UNCHANGED: u8 = 3;
/// Not logged in, or forbidden.
pub const FORBIDDEN: u8 = 4;
/// No such object, subset or context, or no route matched.
pub const NOT_FOUND: u8 = 5;
/// Somebody else changed the object; nothing was written.
pub const CONFLICT: u8 = 6;
/// The API server cannot be reached; nothing was written.
pub const UNREACHABLE: u8 = 7;
/// A gate failed; traffic is back on stable, or was never moved.
pub const GATE_FAILED: u8 = 10;
/// A gate passed with a warning, with `--fail-on warning`.
pub const GATE_WARNING: u8 = 11;
/// Not enough data to judge.
pub const INCONCLUSIVE: u8 = 12;
/// A stage waits for approval, with `--no-wait`.
pub const WAITING: u8 = 13;
/// A rollback failed: traffic may still be on the version that was to be left.
pub const ROLLBACK_FAILED: u8 = 20;
/// `--timeout` passed.
pub const TIMEOUT: u8 = 124;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;

/// Every code with what it means, in ascending order.
pub const TABLE: [(u8, &str); 15] = [
    (OK, "done, or already in the wanted state"),
    (FAILED, "failed, not listed below"),
    (USAGE, "usage: flags, arguments, configuration"),
    (UNCHANGED, "nothing to change (only with --error-unchanged)"),
    (FORBIDDEN, "not logged in, or forbidden"),
    (NOT_FOUND, "no such object, subset or context; or no route matched"),
    (CONFLICT, "somebody else changed the object; nothing was written"),
    (UNREACHABLE, "API server or metrics source unreachable; nothing was written"),
    (GATE_FAILED, "gate failed"),
    (GATE_WARNING, "gate warning, with --fail-on warning"),
    (INCONCLUSIVE, "inconclusive: not enough data to judge"),
    (WAITING, "waiting for approval"),
    (ROLLBACK_FAILED, "an undo failed: traffic may still be on the version to be left"),
    (TIMEOUT, "--timeout passed"),
    (INTERRUPTED, "interrupted"),
];
