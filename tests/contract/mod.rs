//! The sandbox keeps the contract of a real API server: every case runs on both. Where they differ, the sandbox is wrong.

mod read;
