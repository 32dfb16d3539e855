//! Files of manifests by their names: a file, a directory of `*.yaml` and `*.yml`, or `-` for standard input. Only regular
//! files are read, and a link among them stays below the directory: manifests come from a repository, and what a link in it
//! leads to on the machine that reads them is not what was reviewed.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use switchback_face::documents;
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
        if yaml {
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
    if path.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    documents::regular(&below_its_directory(path)?, limit)
}

/// Where a file really is, links followed; refused where that is not below the directory that it is named in.
fn below_its_directory(path: &Path) -> io::Result<PathBuf> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // What is not there is told as what is not there.
    let (real, root) = (path.canonicalize()?, directory.canonicalize()?);
    if real.starts_with(&root) {
        return Ok(real);
    }
    let what = format!("it is a link that leads outside of {}", directory.display());
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let help = match error.kind() {
        io::ErrorKind::NotFound => {
            "check the name; a directory is searched for *.yaml and *.yml, not below it"
        }
        io::ErrorKind::PermissionDenied => "allow this user to read it",
        io::ErrorKind::InvalidInput => {
            "manifests are regular files below the directory that was named; put a copy there, or remove it"
        }
        _ => "name another file",
    };
    Diagnostic::error(codes::SOURCE_UNREADABLE, format!("{} cannot be read: {error}", path.display()))
        .help(help)
}
