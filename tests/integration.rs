//! Everything that is seen from outside: the program run as a user runs it.

mod cli;
mod contract;
mod support;
