//! Documents from files and to files, for both commands.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use switchback_model::{
    Graph,
    journal::{self, Journal, Refused},
    trust::Trusted,
};
use switchback_schemas::{
    Digest,
    codes::{self, Code},
    estimates::Estimates,
    format::{ReadError, Unreadable},
    inventory::Inventory,
    lock::Lock,
    plan::Plan,
};

/// Bytes that a document may hold; ten thousand steps are far below.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It could not be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It could not be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not the document that was expected.
    #[error("{} cannot be used: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
        /// What to do next.
        help: &'static str,
    },
}

impl DocumentError {
    /// The code under which it is explained.
    pub fn code(&self) -> Code {
        match self {
            Self::Write { .. } => codes::COMMAND_OUTPUT,
            Self::Read { .. } | Self::Unusable { .. } => codes::PLAN_UNREADABLE,
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Write { .. } => "name another place, or make room and permissions for this one",
            Self::Read { .. } => "check the name and the permissions",
            Self::Unusable { help, .. } => help,
        }
    }

    /// A file that could be read, and says something else than it should.
    pub fn unusable(path: &Path, why: &impl ToString) -> Self {
        let help = "name another file, or write this one anew with this build";
        Self::Unusable { path: path.to_owned(), why: why.to_string(), help }
    }

    /// A file that is in a format which this build does not read.
    pub fn unreadable(path: &Path, why: &Unreadable) -> Self {
        Self::Unusable { path: path.to_owned(), why: why.to_string(), help: why.help() }
    }
}

/// A document with the bytes of its file.
#[derive(Debug)]
pub struct Read<T> {
    /// What it says.
    pub value: T,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

impl<T> Read<T> {
    /// Digest of the file's bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// Reads a plan.
pub fn plan(path: &Path) -> Result<Read<Plan>, DocumentError> {
    document(path, Plan::from_json)
}

/// Reads an inventory.
pub fn inventory(path: &Path) -> Result<Read<Inventory>, DocumentError> {
    document(path, Inventory::from_json)
}

/// Reads a lock.
pub fn lock(path: &Path) -> Result<Read<Lock>, DocumentError> {
    document(path, Lock::from_json)
}

/// Reads estimates.
pub fn estimates(path: &Path) -> Result<Read<Estimates>, DocumentError> {
    document(path, Estimates::from_json)
}

/// Reads who may approve.
pub fn trust(path: &Path) -> Result<Trusted, DocumentError> {
    let trust = read(path, |bytes| {
        let trust = serde_yaml::from_slice(bytes).map_err(|why| why.to_string());
        trust.and_then(|trust| Trusted::of(trust).map_err(|why| why.to_string())).map_err(|why| {
            DocumentError::Unusable {
                path: path.to_owned(),
                why,
                help: "`switchback schema` describes a Trust; docs/guide.md shows one",
            }
        })
    })?;
    Ok(trust.value)
}

/// Reads the journal of a run. It may be written meanwhile: a record that is not whole yet is left out.
pub fn journal(path: &Path) -> Result<Read<Journal>, DocumentError> {
    read(path, |bytes| {
        journal::read(bytes).map_err(|why| match &why {
            Refused::Format(format) => DocumentError::unreadable(path, format),
            Refused::Damaged(_) => DocumentError::unusable(path, &why),
        })
    })
}

/// Reads a file that only our own commands exchange.
pub fn json<T: DeserializeOwned>(path: &Path) -> Result<Read<T>, DocumentError> {
    read(path, |bytes| serde_json::from_slice(bytes).map_err(|why| DocumentError::unusable(path, &why)))
}

/// The graph of a plan; a plan whose steps make no DAG was changed by hand.
pub fn graph(plan: &Plan, path: &Path) -> Result<Graph, DocumentError> {
    Graph::of(plan).map_err(|error| DocumentError::unusable(path, &error))
}

/// The text of a file.
pub fn text(path: &Path) -> Result<String, DocumentError> {
    fs::read_to_string(path).map_err(|source| DocumentError::Read { path: path.to_owned(), source })
}

/// A document that begins with its format.
fn document<T>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, ReadError>,
) -> Result<Read<T>, DocumentError> {
    let unusable = |why: ReadError| DocumentError::Unusable {
        path: path.to_owned(),
        why: why.to_string(),
        help: why.help(),
    };
    read(path, |bytes| parse(bytes).map_err(unusable))
}

fn read<T>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, DocumentError>,
) -> Result<Read<T>, DocumentError> {
    let unreadable = |source: io::Error| DocumentError::Read { path: path.to_owned(), source };
    let bytes = regular(path, MAX_BYTES + 1).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        let why = format!("a document has at most {MAX_BYTES} bytes");
        return Err(DocumentError::unusable(path, &why));
    }
    let value = parse(&bytes)?;
    Ok(Read { value, bytes })
}

/// The first bytes of a regular file. Anything else could block whoever opens it, or never end.
pub fn regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let check = |metadata: fs::Metadata| {
        let what = "it is a directory, a pipe or a device, and only regular files are read";
        metadata.is_file().then_some(()).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, what))
    };
    check(fs::metadata(path)?)?;
    let file = File::open(path)?;
    check(file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file as a whole or not at all: beside it first, then renamed. Only its owner may read it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), DocumentError> {
    let failed = |source: io::Error| DocumentError::Write { path: path.to_owned(), source };
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let beside = beside(path);
    let mut owned = OpenOptions::new();
    owned.write(true).create(true).truncate(true).mode(0o600);
    owned.open(&beside).and_then(|mut file| file.write_all(bytes)).map_err(failed)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        fs::create_dir_all(taken.join("inside")).unwrap();
        assert!(matches!(write(&taken, b"x"), Err(DocumentError::Write { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let new = dir.path().join("a/b.json");
        write(&new, b"[1]").unwrap();
        let read: Read<Vec<u8>> = json(&new).unwrap();
        assert_eq!((read.value, read.bytes), (vec![1], b"[1]".to_vec()));
    }

    #[test]
    fn a_file_that_is_another_document_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        fs::write(&path, b"{\"format\": \"switchback.lock/1.0\"}").unwrap();
        let error = plan(&path).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
    }
}
