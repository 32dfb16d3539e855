//! Files of manifests by their names: a file, a directory of `*.yaml` and `*.yml`, or `-` for standard input.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use switchback_planner::source::MAX_BYTES;
use switchback_schemas::{Diagnostic, codes};

/// A file as the user named it, with its content.
pub(crate) type Named = (String, Vec<u8>);

/// Reads all files; what cannot be read is a diagnostic and does not stop the others. A file that is named twice is
/// read once.
pub(crate) fn read(paths: &[PathBuf]) -> (Vec<Named>, Vec<Diagnostic>) {
    let mut files: Vec<Named> = Vec::new();
    let mut diagnostics = Vec::new();
    for path in paths {
        match expand(path) {
            Ok(expanded) => {
                for path in expanded {
                    let name = path.display().to_string();
                    if files.iter().any(|(known, _)| *known == name) {
                        continue;
                    }
                    match content(&path) {
                        Ok(bytes) => files.push((name, bytes)),
                        Err(error) => diagnostics.push(unreadable(&path, &error)),
                    }
                }
            }
            Err(error) => diagnostics.push(unreadable(path, &error)),
        }
    }
    (files, diagnostics)
}

fn expand(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        let yaml = entry.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !entry.is_dir() {
            found.push(entry);
        }
    }
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the directory holds no *.yaml and no *.yml file",
        ));
    }
    found.sort();
    Ok(found)
}

/// The bytes of a file, no more than are needed to see that it is too large.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    match path.as_os_str() == "-" {
        true => io::stdin().lock().take(limit).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(limit).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let help = match error.kind() {
        io::ErrorKind::NotFound => {
            "check the name; a directory is searched for *.yaml and *.yml, not below it"
        }
        io::ErrorKind::PermissionDenied => "allow this user to read it",
        _ => "name another file",
    };
    Diagnostic::error(codes::SOURCE_UNREADABLE, format!("{} cannot be read: {error}", path.display()))
        .help(help)
}
