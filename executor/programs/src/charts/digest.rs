//! Digests of charts.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use switchback_schemas::Digest;

/// The digest of an archive's bytes.
pub(super) fn of_file(path: &Path) -> io::Result<Digest> {
    fs::read(path).map(Digest::of)
}

/// The digest of a directory: of a list with one line a file, its relative path and the digest of its bytes, sorted.
pub(super) fn of_directory(path: &Path) -> io::Result<Digest> {
    let mut lines = Vec::new();
    let mut open: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                let name = entry.path();
                let name = name.strip_prefix(path).unwrap_or(&name).to_string_lossy().into_owned();
                lines.push(format!("{name} {}\n", of_file(&entry.path())?));
            } else {
                // What it points to could change without a change here.
                let what = format!("{} is neither a file nor a directory", entry.path().display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
        }
    }
    lines.sort();
    Ok(Digest::of(lines.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_known_by_its_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("templates")).unwrap();
        fs::write(dir.path().join("Chart.yaml"), "name: x").unwrap();
        fs::write(dir.path().join("templates/a.yaml"), "a").unwrap();
        let before = of_directory(dir.path()).unwrap();
        assert_eq!(of_directory(dir.path()).unwrap(), before);
        fs::write(dir.path().join("templates/a.yaml"), "b").unwrap();
        assert_ne!(of_directory(dir.path()).unwrap(), before);
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link")).unwrap();
        assert!(of_directory(dir.path()).is_err());
    }
}
