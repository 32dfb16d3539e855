//! The commands under test, built once for each run of the suite: a package of tests does not build the binaries of others.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Where both commands are.
pub(crate) struct Bins {
    pub(crate) switchback: PathBuf,
    pub(crate) exec: PathBuf,
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the checkout")
}

/// A variable of the suite's own environment.
#[expect(clippy::disallowed_methods, reason = "the suite is told by its environment what to use")]
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A program.
#[expect(clippy::disallowed_methods, reason = "the suite runs the commands as a person would")]
pub(crate) fn program(path: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(path)
}

/// Builds both commands, or finds that they are fresh.
pub(crate) fn bins() -> &'static Bins {
    static BINS: OnceLock<Bins> = OnceLock::new();
    BINS.get_or_init(|| {
        // This test lies in PROFILE/deps/.
        let own = std::env::current_exe().expect("this test's own path");
        let profile = own.ancestors().nth(2).expect("the directory of the profile").to_owned();
        let mut build = program(env("CARGO").unwrap_or_else(|| "cargo".to_owned()));
        build.current_dir(root());
        build.args(["build", "--locked", "--quiet", "--bin", "switchback", "--bin", "switchback-exec"]);
        if profile.file_name().is_some_and(|name| name == "release") {
            build.arg("--release");
        }
        if let Some(target) = profile.parent() {
            build.arg("--target-dir").arg(target);
        }
        assert!(build.status().expect("cargo runs").success(), "the commands do not build");
        Bins { switchback: profile.join("switchback"), exec: profile.join("switchback-exec") }
    })
}
