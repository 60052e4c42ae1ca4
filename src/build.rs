//! How the program that is shipped is linked, on Linux: smaller than it would be, and with less to do at its start.
//!
//! - A panic ends the process (`panic = "abort"`), nothing is unwound: the tables for it, a fourteenth of the program, are
//!   left out.
//! - The places that are adjusted to where the program was loaded are listed as a bitmap (RELR), 80 times smaller than the
//!   common list, where the C library can read it: glibc since 2.36, musl since 1.2.4 (Rust 1.93 brought 1.2.5).

#![allow(clippy::print_stdout)] // how a build script speaks

use std::env::var;
use std::path::Path;
use std::process::Command;

/// The objects that begin and end the tables refer to them: a few bytes stay.
const WITHOUT_TABLES: &str = "SECTIONS { /DISCARD/ : {
    *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame .gcc_except_table .gcc_except_table.*)
} } INSERT AFTER .rodata;\n";

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/build.rs");
    let is = |name: &str, value: &str| var(name).is_ok_and(|found| found == value);
    // Linkers that somebody chose may read no scripts: gold and mold do not.
    let chosen = var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("fuse-ld"));
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") || chosen {
        return Ok(());
    }
    let script = Path::new(&var("OUT_DIR").unwrap_or_default()).join("without-tables.ld");
    std::fs::write(&script, WITHOUT_TABLES)?;
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    if is("CARGO_CFG_TARGET_ENV", "musl") || (var("HOST") == var("TARGET") && glibc_here() >= Some((2, 36))) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    Ok(())
}

/// The version of this machine's glibc.
fn glibc_here() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
