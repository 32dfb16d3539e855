//! Documents from files and to files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use switchback_schemas::{inventory::Inventory, plan::Plan};

use crate::error::Error;

/// Bytes that a document may hold; ten thousand steps are far below.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A document with the bytes of its file.
pub(crate) struct Read<T> {
    /// What it says.
    pub(crate) value: T,
    /// The file's bytes.
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn plan(path: &Path) -> Result<Read<Plan>, Error> {
    read(path, |bytes| Plan::from_json(bytes).map_err(|error| error.to_string()))
}

pub(crate) fn inventory(path: &Path) -> Result<Read<Inventory>, Error> {
    read(path, |bytes| Inventory::from_json(bytes).map_err(|error| error.to_string()))
}

/// A file that only our own commands exchange.
pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<Read<T>, Error> {
    read(path, |bytes| serde_json::from_slice(bytes).map_err(|error| error.to_string()))
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
    Ok(Read { value, bytes })
}

/// Writes a file as a whole or not at all: beside it first, then renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source: io::Error| Error::WriteFile { path: path.to_owned(), source };
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let beside = beside(path);
    fs::write(&beside, bytes).map_err(failed)?;
    fs::rename(&beside, path).map_err(|source| {
        // What could not be moved is of no use to anybody.
        let _ = fs::remove_file(&beside);
        failed(source)
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}
