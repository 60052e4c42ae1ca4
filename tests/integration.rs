//! Everything that is seen from outside: the program run as a user runs it.
