//! A store in a directory.
//!
//! ```text
//! runs/RUN/journal            lines of records; made with its first one
//! runs/RUN/plan.json          the plan's bytes
//! runs/RUN/side               what people said, chained lines of the same form
//! runs/RUN/artifacts/DIGEST   0600, named by content
//! runs/RUN/lease              locked by the process that works on the run
//! claims/PLATFORM             the name of a run
//! claims/.PLATFORM.notes      why claims were taken back
//! ```
//!
//! Files are made by writing a temporary one, syncing it, renaming it, and syncing the directory.

use std::{
    any::Any,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use switchback_model::journal::{self, Journal, Line, Side};
use switchback_schemas::{
    Digest, RunId,
    journal::{Record, SideEntry},
    name::Label,
};

use super::{
    AppendError, Leased, Log, NewRun, Store, StoreError,
    disk::{Disk, DiskFile, RealDisk},
};

/// Room that is set aside before an intent is written, so that outcomes of what is under way can be recorded on a disk
/// that fills up.
const RESERVE: u64 = 1 << 20;

/// How long a lock is waited for that others hold while they write a line.
const LOCK_TRIES: u32 = 600;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A store in a directory of a local file system.
#[derive(Clone)]
pub struct LocalStore {
    root: PathBuf,
    disk: Arc<dyn Disk>,
}

type Stored<T> = Result<T, StoreError>;

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    |source| StoreError::Disk { path: path.to_owned(), source }
}

fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

impl LocalStore {
    /// A store in this directory, which is made when it is first written to.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self::on(root, Arc::new(RealDisk))
    }

    /// A store on another disk.
    pub fn on(root: impl Into<PathBuf>, disk: Arc<dyn Disk>) -> Self {
        Self { root: root.into(), disk }
    }

    fn run_dir(&self, run: &RunId) -> PathBuf {
        self.root.join("runs").join(run.as_str())
    }

    fn claim_path(&self, platform: &Label) -> PathBuf {
        self.root.join("claims").join(platform.as_str())
    }

    /// Makes a file with its content, durable under its name or not there at all. Replaces what has the name.
    fn write(&self, dir: &Path, name: &str, bytes: &[u8]) -> Stored<()> {
        let temporary = dir.join(format!(".{name}.new"));
        let path = dir.join(name);
        // Left over from a crash; whoever writes here holds the lock of what is written.
        absent(self.disk.remove(&temporary)).map_err(failed(&temporary))?;
        let mut file = self.disk.create(&temporary).map_err(failed(&temporary))?;
        file.append(bytes).and_then(|()| file.sync()).map_err(failed(&temporary))?;
        self.disk.rename(&temporary, &path).and_then(|()| self.disk.sync_dir(dir)).map_err(failed(&path))
    }

    fn read_journal(&self, run: &RunId) -> Stored<Option<Journal>> {
        let path = self.run_dir(run).join("journal");
        let Some(bytes) = absent(self.disk.read(&path)).map_err(failed(&path))? else { return Ok(None) };
        journal::read(&bytes).map(Some).map_err(|why| StoreError::unread(run, why))
    }

    fn read_said(&self, path: &Path) -> Stored<Side> {
        let bytes = absent(self.disk.read(path)).map_err(failed(path))?.unwrap_or_default();
        Ok(Side::read(&bytes))
    }

    /// Adds to what was said. Others who write at the same time are waited for.
    async fn add_said(&self, dir: &Path, name: &str, entry: &SideEntry) -> Stored<()> {
        let path = dir.join(name);
        let _lock = self.locked(&dir.join(format!("{name}.lock"))).await?;
        let before = absent(self.disk.read(&path)).map_err(failed(&path))?;
        let what = |error: &dyn std::error::Error| StoreError::Content {
            path: path.clone(),
            what: error.to_string(),
        };
        let said = Side::read(before.as_deref().unwrap_or_default());
        let mut line = said.line(entry).map_err(|error| what(&error))?;
        let Some(before) = before else { return self.write(dir, name, &line) };
        if before.last().is_some_and(|byte| *byte != b'\n') {
            line.insert(0, b'\n');
        }
        let mut file = self.disk.open(&path).map_err(failed(&path))?;
        file.append(&line).and_then(|()| file.sync()).map_err(failed(&path))
    }

    /// A lock that others hold for a moment.
    async fn locked(&self, lock: &Path) -> Stored<Box<dyn Any + Send + Sync>> {
        for _ in 0..LOCK_TRIES {
            if let Some(lock) = self.disk.try_lock(lock).map_err(failed(lock))? {
                return Ok(lock);
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        let source =
            io::Error::new(io::ErrorKind::WouldBlock, "another process has been writing for 30 s; try again");
        Err(StoreError::Disk { path: lock.to_owned(), source })
    }

    fn known(&self, run: &RunId) -> Stored<PathBuf> {
        match self.read_journal(run)? {
            Some(_) => Ok(self.run_dir(run)),
            None => Err(StoreError::NoSuchRun(run.clone())),
        }
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn runs(&self) -> Stored<Vec<RunId>> {
        let dir = self.root.join("runs");
        let names = self.disk.list(&dir).map_err(failed(&dir))?;
        let mut runs = Vec::new();
        for run in names.into_iter().filter_map(|name| RunId::new(name).ok()) {
            let dir = self.run_dir(&run);
            if self.disk.list(&dir).map_err(failed(&dir))?.iter().any(|name| name == "journal") {
                runs.push(run);
            }
        }
        Ok(runs)
    }

    async fn journal(&self, run: &RunId) -> Stored<Option<Journal>> {
        self.read_journal(run)
    }

    async fn plan(&self, run: &RunId) -> Stored<Vec<u8>> {
        let path = self.run_dir(run).join("plan.json");
        self.disk.read(&path).map_err(failed(&path))
    }

    async fn take(&self, run: &RunId, new: Option<NewRun>) -> Stored<Leased> {
        let dir = self.run_dir(run);
        if new.is_some() {
            self.disk.make_dirs(&dir).map_err(failed(&dir))?;
        } else {
            self.known(run)?;
        }
        let lease = dir.join("lease");
        let lock = self.disk.try_lock(&lease).map_err(failed(&lease))?;
        let lock = lock.ok_or_else(|| StoreError::Leased(run.clone()))?;
        let path = dir.join("journal");
        let journal = match (self.read_journal(run)?, new) {
            (Some(journal), _) => journal,
            (None, None) => return Err(StoreError::NoSuchRun(run.clone())),
            (None, Some(new)) => {
                self.write(&dir, "plan.json", &new.plan)?;
                self.write(&dir, "journal", &new.first.bytes)?;
                self.read_journal(run)?.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?
            }
        };
        // What can be read is not all durable: the last process may have died before its sync, or its sync may have failed,
        // and then syncing the same file again proves nothing. A copy is durable, and leaves a torn tail behind.
        let whole = self.disk.read(&path).map_err(failed(&path))?;
        let kept = usize::try_from(journal.bytes).ok().and_then(|bytes| whole.get(..bytes)).unwrap_or(&whole);
        self.write(&dir, "journal", kept)?;
        let file = self.disk.open(&path).map_err(failed(&path))?;
        let log = LocalLog {
            disk: Arc::clone(&self.disk),
            path,
            run: run.clone(),
            file,
            next: journal.head.next,
            length: journal.bytes,
            reserved: 0,
            broken: false,
            _lock: lock,
        };
        Ok(Leased { log: Box::new(log), journal })
    }

    async fn side(&self, run: &RunId) -> Stored<Side> {
        self.read_said(&self.run_dir(run).join("side"))
    }

    async fn say(&self, entry: &SideEntry) -> Stored<()> {
        self.add_said(&self.known(&entry.run)?, "side", entry).await
    }

    async fn put_artifact(&self, run: &RunId, bytes: &[u8]) -> Stored<Digest> {
        let digest = Digest::of(bytes);
        if self.artifact(run, &digest).await.is_err() {
            let dir = self.run_dir(run).join("artifacts");
            self.disk.make_dirs(&dir).map_err(failed(&dir))?;
            self.write(&dir, &digest.hex(), bytes)?;
        }
        Ok(digest)
    }

    async fn artifact(&self, run: &RunId, digest: &Digest) -> Stored<Vec<u8>> {
        let path = self.run_dir(run).join("artifacts").join(digest.hex());
        let bytes = absent(self.disk.read(&path)).map_err(failed(&path))?;
        let damaged = || StoreError::Artifact { run: run.clone(), digest: *digest };
        bytes.filter(|bytes| Digest::of(bytes) == *digest).ok_or_else(damaged)
    }

    async fn claims(&self) -> Stored<Vec<Label>> {
        let dir = self.root.join("claims");
        let names = self.disk.list(&dir).map_err(failed(&dir))?;
        Ok(names.into_iter().filter_map(|n| Label::new(n).ok()).collect())
    }

    async fn claim(&self, platform: &Label) -> Stored<Option<RunId>> {
        let path = self.claim_path(platform);
        let Some(bytes) = absent(self.disk.read(&path)).map_err(failed(&path))? else { return Ok(None) };
        let what = || StoreError::Content { path: path.clone(), what: "does not name a run".to_owned() };
        let text = std::str::from_utf8(&bytes).map_err(|_| what())?;
        RunId::new(text.trim_end()).map(Some).map_err(|_| what())
    }

    async fn swap_claim(
        &self,
        platform: &Label,
        expected: Option<&RunId>,
        new: Option<&RunId>,
    ) -> Stored<()> {
        let dir = self.root.join("claims");
        self.disk.make_dirs(&dir).map_err(failed(&dir))?;
        let lock = dir.join(format!(".{platform}.lock"));
        let moved = || StoreError::ClaimMoved(platform.clone());
        let _lock = self.disk.try_lock(&lock).map_err(failed(&lock))?.ok_or_else(moved)?;
        if self.claim(platform).await?.as_ref() != expected {
            return Err(moved());
        }
        if let Some(run) = new {
            return self.write(&dir, platform.as_str(), format!("{run}\n").as_bytes());
        }
        let path = self.claim_path(platform);
        absent(self.disk.remove(&path)).and_then(|_| self.disk.sync_dir(&dir)).map_err(failed(&path))
    }

    async fn note_claim(&self, platform: &Label, entry: &SideEntry) -> Stored<()> {
        let dir = self.root.join("claims");
        self.disk.make_dirs(&dir).map_err(failed(&dir))?;
        self.add_said(&dir, &format!(".{platform}.notes"), entry).await
    }

    async fn claim_notes(&self) -> Stored<Vec<SideEntry>> {
        let dir = self.root.join("claims");
        let mut names = self.disk.list(&dir).map_err(failed(&dir))?;
        names.sort();
        let notes = names
            .iter()
            .filter(|name| Path::new(name).extension().is_some_and(|found| found == "notes"))
            .map(|name| dir.join(name));
        let mut all = Vec::new();
        for path in notes {
            let side = self.read_said(&path)?;
            if let Some((place, damage)) = side.damaged().next() {
                return Err(StoreError::Content {
                    path,
                    what: format!("entry {place} cannot be read: {damage}"),
                });
            }
            all.extend(side.said().cloned());
        }
        Ok(all)
    }
}

struct LocalLog {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    run: RunId,
    file: Box<dyn DiskFile>,
    next: u64,
    length: u64,
    reserved: u64,
    broken: bool,
    _lock: Box<dyn Any + Send + Sync>,
}

impl LocalLog {
    fn write(&mut self, expected: u64, batch: &[Line]) -> Result<(), AppendError> {
        // The lock keeps others away; where a file system ignores locks, the length does.
        let length = match self.file.length() {
            Err(error) if error.kind() == io::ErrorKind::StaleNetworkFileHandle => {
                return Err(AppendError::Fenced { found: "another journal".to_owned() });
            }
            length => length.map_err(AppendError::Failed)?,
        };
        if expected != self.next || length != self.length {
            return Err(AppendError::Fenced { found: format!("{} ({length} bytes)", self.next) });
        }
        let bytes: Vec<u8> = batch.iter().flat_map(|line| line.bytes.iter().copied()).collect();
        let end = self.length + bytes.len() as u64;
        if end + RESERVE / 2 > self.reserved {
            self.file.reserve(end + RESERVE).map_err(AppendError::Failed)?;
            self.reserved = end + RESERVE;
        }
        self.file.append(&bytes).map_err(AppendError::Failed)?;
        self.file.sync().map_err(AppendError::Unknown)?;
        self.length = end;
        self.next += batch.len() as u64;
        Ok(())
    }
}

#[async_trait]
impl Log for LocalLog {
    async fn append(&mut self, expected: u64, epoch: u64, batch: &[Line]) -> Result<(), AppendError> {
        if self.broken {
            return Err(AppendError::Failed(io::Error::other("an earlier write failed")));
        }
        if batch.iter().any(|line| line.record.epoch != epoch) {
            return Err(AppendError::Fenced { found: format!("records of another epoch than {epoch}") });
        }
        let written = self.write(expected, batch);
        self.broken = written.is_err();
        written
    }

    async fn read(&self, from: u64) -> Stored<Vec<Record>> {
        let bytes = self.disk.read(&self.path).map_err(failed(&self.path))?;
        let journal = journal::read(&bytes).map_err(|why| StoreError::unread(&self.run, why))?;
        Ok(journal.records.into_iter().filter(|record| record.seq >= from).collect())
    }
}
