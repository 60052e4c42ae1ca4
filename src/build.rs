//! What the program says of where it comes from; and how what is shipped is linked, on Linux: smaller than it would be, and
//! with less to do at its start.
//!
//! - A panic ends the process (`panic = "abort"`), nothing is unwound: the tables for it, a fourteenth of the program, are
//!   left out.
//! - The places that are adjusted to where the program was loaded are listed as a bitmap (RELR), 80 times smaller than the
//!   common list, where the C library can read it: glibc since 2.36, musl since 1.2.4 (Rust 1.93 brought 1.2.5).
//! - Functions with the same code are kept once, where the linker is the one that Rust brings: a sixtieth.
//! - What moving traffic never runs stands together. The system maps sixteen pages around each that is needed, so that
//!   with seldom code in between nearly all of the program is mapped: a sixth of a shift's memory and of its CPU time.

#![allow(clippy::print_stdout)] // how a build script speaks

use std::env::var;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The objects that begin and end the tables refer to them: a few bytes stay.
const WITHOUT_TABLES: &str = "SECTIONS { /DISCARD/ : {
    *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame .gcc_except_table .gcc_except_table.*)
} } INSERT AFTER .rodata;\n";

/// The modules that moving traffic never runs.
const SELDOM: [&str; 22] = [
    "tidegate::commands::delivery",
    "tidegate::commands::evaluate",
    "tidegate::core::delivery",
    "tidegate::core::gate",
    "tidegate::core::judge",
    "tidegate::sandbox",
    "addr2line",
    "clap_complete",
    "comfy_table",
    "gimli",
    "granit_parser",
    "h2::server",
    "hyper::server",
    "hyper_util::server",
    "indicatif",
    "libunwind",
    "miniz_oxide",
    "rcgen",
    "regex_lite",
    "rustc_demangle",
    "rustls::server",
    "yasna",
];

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/build.rs");
    if let Some(commit) = commit() {
        println!("cargo:rustc-env=TIDEGATE_COMMIT={commit}");
    }
    let is = |name: &str, value: &str| var(name).is_ok_and(|found| found == value);
    // Linkers that somebody chose may read no scripts: gold and mold do not.
    let chosen = var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") || chosen {
        return Ok(());
    }
    let script = Path::new(&var("OUT_DIR").unwrap_or_default()).join("sections.ld");
    std::fs::write(&script, format!("{WITHOUT_TABLES}{}", seldom()))?;
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    if is("CARGO_CFG_TARGET_ENV", "musl") || (var("HOST") == var("TARGET") && glibc_here() >= Some((2, 36))) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    if is("HOST", "x86_64-unknown-linux-gnu") && is("CARGO_CFG_TARGET_ARCH", "x86_64") && var("RUSTC_LINKER").is_err() {
        let Some(lld) = lld() else { return Ok(()) };
        // For glibc the compiler takes it by itself.
        if is("CARGO_CFG_TARGET_ENV", "musl") {
            println!("cargo:rustc-link-arg-bins=-B{}", lld.display());
            println!("cargo:rustc-link-arg-bins=-fuse-ld=lld");
        }
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
    Ok(())
}

/// The commit that is built, where this is a clone; sources that were unpacked into somebody else's have none.
fn commit() -> Option<String> {
    Path::new(".git").exists().then_some(())?;
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // Changes with each commit.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists())?;
    println!("cargo:rerun-if-changed={log}");
    git(&["rev-parse", "HEAD"])
}

/// A section for the functions of these modules, which have one each until they are linked.
fn seldom() -> String {
    let functions = SELDOM.map(|module| {
        // In the name of a function, and in that of an implementation.
        let path: String = module.split("::").map(|part| format!("{}{part}", part.len())).collect();
        format!("*(.text.*{path}* .text.*{}..*)\n", module.replace("::", ".."))
    });
    format!("SECTIONS {{ .text.seldom : {{\n{}}} }} INSERT BEFORE .text;\n", functions.concat())
}

/// Where the linker is that the compiler brings: since 1.90, but distributions leave it out.
fn lld() -> Option<PathBuf> {
    let output = Command::new(var("RUSTC").ok()?).args(["--print", "sysroot"]).output().ok()?;
    let root = String::from_utf8(output.stdout).ok()?;
    let dir = Path::new(root.trim()).join("lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld");
    dir.join("ld.lld").exists().then_some(dir)
}

/// The version of this machine's glibc.
fn glibc_here() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
