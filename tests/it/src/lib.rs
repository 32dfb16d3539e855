//! What the pure integration tests share: where the repository is, and golden files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use similar::TextDiff;

/// The root of the repository.
pub fn root() -> PathBuf {
    // Two levels above this package.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

/// Files of a directory with one of these extensions, sorted.
pub fn files(directory: &Path, extensions: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| extensions.contains(&extension)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Compares a text with a file of the repository; the error is the difference. `INSTA_UPDATE=always` writes the file
/// instead, as it does for snapshots.
pub fn golden(path: &Path, text: &str) -> Result<(), String> {
    let old = fs::read_to_string(path).unwrap_or_default();
    if old == text {
        return Ok(());
    }
    if updating() {
        return fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()));
    }
    let diff = TextDiff::from_lines(old.as_str(), text).unified_diff().context_radius(2).to_string();
    Err(format!("{} is out of date; INSTA_UPDATE=always writes it\n{diff}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "the switch that snapshot tests use")]
fn updating() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always")
}
