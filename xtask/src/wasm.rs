//! Compiles what runs at the edge to wasm32, so that nothing native creeps into it. The standard library for it comes from
//! rustup; where that can't be had, it is built from Debian's packages of the compiler and its sources. `./dev` installs either.

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use anyhow::{bail, ensure};

use crate::run::{Ended, program, root, step};

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGES: [&str; 10] = [
    "check",
    "--locked",
    "--lib",
    "-p",
    "common",
    "-p",
    "db-api",
    "-p",
    "http-contract",
    "-p",
];
const DEBIAN: &str = "rustc-web cargo-web rust-web-src";
/// Where Debian's packages put things.
const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const SOURCES: &str = "/usr/lib/rustlib/src/rust/library";

fn compile() -> Command {
    let mut command = program("cargo", "", &PACKAGES);
    command.arg("edge-auth").args(["--target", TARGET]);
    command
}

fn has_target() -> bool {
    let listed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    listed.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .any(|line| line == TARGET)
    })
}

/// # Errors
/// When it doesn't compile, or there is no way to try.
pub fn check() -> anyhow::Result<()> {
    if run()?.succeeded {
        Ok(())
    } else {
        bail!("what runs at the edge does not compile to wasm32")
    }
}

/// # Errors
/// When there is no standard library for wasm32: what to install is named.
pub fn run() -> anyhow::Result<Ended> {
    if has_target() {
        return step("wasm32", compile());
    }
    ensure!(
        [CARGO, RUSTC, SOURCES].iter().all(|path| Path::new(path).exists()),
        "nothing here compiles to {TARGET}; `rustup target add {TARGET}`, or as root: \
         apt-get install --no-install-recommends {DEBIAN}"
    );
    step("wasm32 (standard library from Debian's sources)", from_debian()?)
}

/// Debian's compiler under the names that cargo expects, building the standard library along.
fn from_debian() -> anyhow::Result<Command> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let sysroot = String::from_utf8(sysroot.stdout)?.trim().to_owned();
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), Into::into)
        .join("wasm-web");
    fs::create_dir_all(&target)?;
    let shim = target.join("rustc");
    fs::write(&shim, format!("#!/bin/sh\nexec {RUSTC} \"$@\"\n"))?;
    fs::set_permissions(&shim, fs::Permissions::from_mode(0o755))?;
    let mut command = Command::new(CARGO);
    command
        .current_dir(root())
        .args(PACKAGES)
        .arg("edge-auth")
        .args(["--target", TARGET])
        .env_remove("RUSTUP_TOOLCHAIN")
        .env("RUSTC", shim)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
        .env("CARGO_TARGET_DIR", target)
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
            format!("{sysroot}/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld"),
        );
    Ok(command)
}
