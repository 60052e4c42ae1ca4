//! The commands, as a user runs them, against the sandbox.

mod shift;
