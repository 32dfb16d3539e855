//! The commands under test: a package of tests does not build the binaries of others, and no test calls cargo.

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

/// Both commands, which have to be built and as new as their sources: no test builds anything.
pub(crate) fn bins() -> &'static Bins {
    static BINS: OnceLock<Bins> = OnceLock::new();
    BINS.get_or_init(|| {
        // This test lies in PROFILE/deps/.
        let own = std::env::current_exe().expect("this test's own path");
        let profile = own.ancestors().nth(2).expect("the directory of the profile");
        Bins { switchback: built(profile.join("switchback")), exec: built(profile.join("switchback-exec")) }
    })
}

/// A command that none of its sources is newer than. Cargo lists them beside it.
fn built(path: PathBuf) -> PathBuf {
    const BUILD: &str = "first run: cargo build --workspace --bins --locked";
    let changed = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let list = std::fs::read_to_string(path.with_extension("d"));
    let list = list.unwrap_or_else(|error| panic!("{}: {error}; {BUILD}", path.display()));
    let at = changed(&path).unwrap_or_else(|error| panic!("{}: {error}; {BUILD}", path.display()));
    let (_, sources) = list.split_once(": ").expect("a rule of make");
    // A blank within a path is written with a backslash before it.
    let sources = sources.trim().replace("\\ ", "\0");
    for source in sources.split(' ').map(|source| source.replace('\0', " ")) {
        // One that is gone is newer, too.
        let fresh = changed(Path::new(&source)).is_ok_and(|changed| changed <= at);
        assert!(fresh, "{} is older than {source}; {BUILD}", path.display());
    }
    path
}
