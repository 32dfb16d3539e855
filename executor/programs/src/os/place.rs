//! The directory of a slot: lock, output, files.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Bytes of output that are read at most.
const LARGEST: u64 = 64 << 20;

/// Where the calls of a slot leave their output.
pub(super) struct Place {
    dir: PathBuf,
}

/// Whether a slot was free.
pub(super) enum Locked {
    /// It is ours. The file to complain into, emptied; whoever holds it holds the lock.
    Ours(File),
    /// A program is at work in it.
    Busy,
}

impl Place {
    pub(super) fn open(dir: &Path, slot: &str) -> io::Result<Self> {
        if slot.is_empty() || slot.starts_with('.') || slot.contains('/') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the slot's name is no file name"));
        }
        let dir = dir.join(slot);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(Self { dir })
    }

    pub(super) fn lock(&self) -> io::Result<Locked> {
        let file = private().write(true).truncate(false).open(self.dir.join("stderr"))?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                Ok(Locked::Ours(file))
            }
            Err(TryLockError::WouldBlock) => Ok(Locked::Busy),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn is_free(&self) -> io::Result<bool> {
        let file = private().write(true).truncate(false).open(self.dir.join("stderr"))?;
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn stdout(&self) -> io::Result<File> {
        private().write(true).truncate(true).open(self.dir.join("stdout"))
    }

    /// Writes the files of a call and says where each is, and the folder of those that have one.
    pub(super) fn write(&self, files: &BTreeMap<String, Vec<u8>>) -> io::Result<BTreeMap<String, PathBuf>> {
        let mut paths = BTreeMap::new();
        for (name, content) in files {
            let mut parts = name.split('/');
            let first = parts.next().unwrap_or_default();
            let bad = |part: &str| matches!(part, "" | "." | "..");
            if bad(first) || matches!(first, "stdout" | "stderr") || parts.any(bad) {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file's name is no file name"));
            }
            let path = self.dir.join(name);
            if let Some(folder) = path.parent().filter(|folder| *folder != self.dir) {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                paths.insert(first.to_owned(), self.dir.join(first));
            }
            private().write(true).truncate(true).open(&path)?.write_all(content)?;
            paths.insert(name.clone(), path);
        }
        Ok(paths)
    }

    /// Removes the files of a call whose program has ended: they may hold values of Secrets.
    pub(super) fn forget(&self, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
        for name in files.keys() {
            match std::fs::remove_file(self.dir.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// What the last program printed and complained.
    pub(super) fn output(&self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let read = |name: &str| {
            let mut bytes = Vec::new();
            File::open(self.dir.join(name))?.take(LARGEST).read_to_end(&mut bytes)?;
            Ok::<_, io::Error>(bytes)
        };
        Ok((read("stdout")?, read("stderr")?))
    }

    /// Empties what a program left that has ended: it may hold what a release recorded. Where another one is at work by now, its
    /// output is left alone.
    pub(super) fn wipe(&self) -> io::Result<()> {
        if let Locked::Ours(_stderr) = self.lock()? {
            self.stdout()?;
        }
        Ok(())
    }
}

/// Files that only we may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}
