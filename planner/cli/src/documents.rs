//! Plans, inventories and locks from files.

use std::{fs, io, path::Path};

use switchback_model::Graph;
use switchback_schemas::{Digest, inventory::Inventory, lock::Lock, plan::Plan};

use crate::error::Error;

/// Bytes that a document may hold; ten thousand steps are far below.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A document with the digest of its file.
pub(crate) struct Read<T> {
    /// What it says.
    pub(crate) value: T,
    /// Digest of the file's bytes.
    pub(crate) digest: Digest,
}

pub(crate) fn plan(path: &Path) -> Result<Read<Plan>, Error> {
    read(path, |bytes| Plan::from_json(bytes).map_err(|error| error.to_string()))
}

pub(crate) fn inventory(path: &Path) -> Result<Read<Inventory>, Error> {
    read(path, |bytes| Inventory::from_json(bytes).map_err(|error| error.to_string()))
}

pub(crate) fn lock(path: &Path) -> Result<Read<Lock>, Error> {
    read(path, |bytes| Lock::from_json(bytes).map_err(|error| error.to_string()))
}

/// The graph of a plan; a plan whose steps make no DAG was changed by hand.
pub(crate) fn graph(plan: &Plan, path: &Path) -> Result<Graph, Error> {
    let because = |error: switchback_model::GraphError| Error::Document {
        path: path.to_owned(),
        why: error.to_string(),
    };
    Graph::of(plan).map_err(because)
}

fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> Result<Read<T>, Error> {
    let unreadable = |source: io::Error| Error::ReadFile { path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_BYTES {
        let why = format!("it has {length} bytes, and a document has at most {MAX_BYTES}");
        return Err(Error::Document { path: path.to_owned(), why });
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let value = parse(&bytes).map_err(|why| Error::Document { path: path.to_owned(), why })?;
    Ok(Read { value, digest: Digest::of(&bytes) })
}

/// Writes a file as a whole or not at all: beside it first, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source: io::Error| Error::WriteFile { path: path.to_owned(), source };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    fs::write(&beside, bytes).map_err(failed)?;
    fs::rename(&beside, path).map_err(|source| {
        // What could not be moved is of no use to anybody.
        let _ = fs::remove_file(&beside);
        failed(source)
    })
}
