//! A simulated disk: in memory, with the habits of a real one on its worst day.
//!
//! Bytes and names that were not synced are lost, kept or kept by half when it crashes; the n-th operation can fail or be
//! the one at which the machine stops; after a failed sync the bytes it was about are gone although a later
//! sync succeeds, as on Linux. Every operation counts, so a test can go through all of them.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::disk::{Disk, DiskFile};

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine stops: this operation and all later ones fail until [`SimDisk::restart`].
    Crash,
    /// The operation fails with this error, and only it. A failing append has written half of its bytes.
    Fail(io::ErrorKind),
}

/// What a crash leaves of bytes and names that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// Nothing.
    Lost,
    /// All names, and half of the bytes.
    Half,
    /// Everything.
    Kept,
}

/// A disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    files: Vec<Bytes>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    dirs: BTreeSet<PathBuf>,
    locked: BTreeSet<PathBuf>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    crashed: bool,
    /// Counts crashes: a file or lock of an earlier life can do nothing any more.
    life: u64,
}

#[derive(Clone, Default)]
struct Bytes {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Where a failed sync lost bytes.
    holes: Vec<std::ops::Range<usize>>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the operation with this number, counted from 0 since the last restart, go wrong.
    pub fn fault_at(&self, operation: u64, fault: Fault) {
        self.lock().fault = Some((operation, fault));
    }

    /// How many operations there were since the last restart.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Whether it stopped.
    pub fn crashed(&self) -> bool {
        self.lock().crashed
    }

    /// Stops and starts the machine: what was not synced is treated as said, locks are gone.
    pub fn restart(&self, unsynced: Unsynced) {
        let mut inner = self.lock();
        if unsynced == Unsynced::Lost {
            inner.names = inner.durable_names.clone();
        } else {
            inner.durable_names = inner.names.clone();
        }
        for file in &mut inner.files {
            match unsynced {
                Unsynced::Lost => file.now = file.durable.clone(),
                Unsynced::Half if file.now.starts_with(&file.durable) => {
                    let more = (file.now.len() - file.durable.len()) / 2;
                    file.now.truncate(file.durable.len() + more);
                }
                Unsynced::Half | Unsynced::Kept => {}
            }
            file.durable = file.now.clone();
            file.holes.clear();
        }
        inner.locked.clear();
        inner.operations = 0;
        inner.fault = None;
        inner.crashed = false;
        inner.life += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation. `Err` when it fails; the state is left to the caller.
    fn begin(&self) -> Result<MutexGuard<'_, Inner>, (MutexGuard<'_, Inner>, io::Error)> {
        let mut inner = self.lock();
        let number = inner.operations;
        inner.operations += 1;
        if inner.crashed {
            return Err((inner, io::Error::other("the simulated machine has stopped")));
        }
        match inner.fault {
            Some((at, Fault::Crash)) if at == number => {
                inner.crashed = true;
                Err((inner, io::Error::other("the simulated machine stops")))
            }
            Some((at, Fault::Fail(kind))) if at == number => Err((inner, kind.into())),
            _ => Ok(inner),
        }
    }

    fn operate(&self) -> io::Result<MutexGuard<'_, Inner>> {
        self.begin().map_err(|(_, error)| error)
    }
}

impl Inner {
    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn add(&mut self, path: &Path) -> io::Result<usize> {
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !path.parent().is_some_and(|dir| self.dirs.contains(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = self.files.len();
        self.files.push(Bytes::default());
        self.names.insert(path.to_owned(), file);
        Ok(file)
    }
}

impl Disk for SimDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let inner = self.operate()?;
        let file = inner.find(path)?;
        Ok(inner.files.get(file).map(|file| file.now.clone()).unwrap_or_default())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let inner = self.operate()?;
        let paths = inner.names.keys().chain(&inner.dirs).filter(|path| path.parent() == Some(dir));
        let mut names: Vec<String> =
            paths.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
        names.sort();
        Ok(names)
    }

    /// Made durable at once, as one operation.
    fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        inner.dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.operate()?;
        let file = inner.add(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), file, path: path.to_owned(), life: inner.life }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inner = self.operate()?;
        let file = inner.find(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), file, path: path.to_owned(), life: inner.life }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        let file = inner.find(from)?;
        inner.names.remove(from);
        inner.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        let file = inner.find(from)?;
        if inner.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        inner.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        inner.names.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        let inside = |path: &Path| path.parent() == Some(dir);
        inner.durable_names.retain(|path, _| !inside(path));
        let now: Vec<_> =
            inner.names.iter().filter(|(path, _)| inside(path)).map(|(p, f)| (p.clone(), *f)).collect();
        inner.durable_names.extend(now);
        Ok(())
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Any + Send + Sync>>> {
        let mut inner = self.operate()?;
        if !inner.locked.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock { disk: self.clone(), path: path.to_owned(), life: inner.life })))
    }
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    life: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut inner = self.disk.lock();
        if inner.life == self.life {
            inner.locked.remove(&self.path);
        }
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
    path: PathBuf,
    life: u64,
}

impl SimFile {
    fn stale(&self, inner: &Inner) -> io::Result<()> {
        match inner.life == self.life {
            true => Ok(()),
            false => Err(io::Error::other("the file was open before the simulated machine stopped")),
        }
    }
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut inner, error) = match self.disk.begin() {
            Ok(inner) => (inner, None),
            Err((inner, error)) => (inner, Some(error)),
        };
        self.stale(&inner)?;
        let all = match (&error, inner.crashed) {
            // A crash in the middle of a write: what arrives is decided when the machine starts again.
            (None, _) | (Some(_), true) => bytes,
            (Some(_), false) => bytes.get(..bytes.len() / 2).unwrap_or_default(),
        };
        if let Some(file) = inner.files.get_mut(self.file) {
            file.now.extend_from_slice(all);
        }
        error.map_or(Ok(()), Err)
    }

    fn sync(&mut self) -> io::Result<()> {
        let (mut inner, error) = match self.disk.begin() {
            Ok(inner) => (inner, None),
            Err((inner, error)) => (inner, Some(error)),
        };
        self.stale(&inner)?;
        let crashed = inner.crashed;
        let Some(file) = inner.files.get_mut(self.file) else { return Ok(()) };
        match error {
            None => {
                file.durable = file.now.clone();
                for hole in &file.holes {
                    if let Some(lost) = file.durable.get_mut(hole.clone()) {
                        lost.fill(0);
                    }
                }
                Ok(())
            }
            Some(error) => {
                if !crashed && file.durable.len() < file.now.len() {
                    file.holes.push(file.durable.len()..file.now.len());
                }
                Err(error)
            }
        }
    }

    fn length(&self) -> io::Result<u64> {
        let inner = self.disk.operate()?;
        self.stale(&inner)?;
        if inner.find(&self.path)? != self.file {
            return Err(io::ErrorKind::StaleNetworkFileHandle.into());
        }
        Ok(inner.files.get(self.file).map_or(0, |file| file.now.len() as u64))
    }

    fn reserve(&mut self, _: u64) -> io::Result<()> {
        let inner = self.disk.operate()?;
        self.stale(&inner)
    }
}
