//! `cluster.json`: which processes a run directory's cluster is made of, for the process that comes
//! to stop it later.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    host::{self, Stopwatch},
    process::{GRACE, POLL},
};

const FILE: &str = "cluster.json";

/// The processes of a cluster.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) processes: Vec<Process>,
}

/// One process, told apart from a later one with the same number by the time it started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// In clock ticks since boot, as /proc tells it; none where there is no /proc.
    pub(crate) started: Option<u64>,
}

impl Process {
    pub(crate) fn of(name: &str, pid: u32) -> Self {
        Self { name: name.to_owned(), pid, started: start_time(pid) }
    }

    fn as_pid(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw)
    }

    fn alive(&self) -> bool {
        let exists = self.as_pid().is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok());
        exists && start_time(self.pid) == self.started
    }

    fn signal(&self, signal: Signal) {
        if self.alive()
            && let Some(pid) = self.as_pid()
        {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Record {
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        let text =
            serde_json::to_vec_pretty(self).map_err(|source| Error::Record { path: path.clone(), source })?;
        fs::write(&path, text).map_err(Error::io("write", &path))
    }

    /// None if the directory has no record.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|source| Error::Record { path, source })
    }

    pub(crate) fn remove(dir: &Path) {
        let _ = fs::remove_file(dir.join(FILE));
    }

    pub(crate) fn any_alive(&self) -> bool {
        self.processes.iter().any(Process::alive)
    }

    /// The last started first, as a cluster in its own process is stopped.
    fn stop(&self) {
        for process in self.processes.iter().rev() {
            for signal in [Signal::TERM, Signal::KILL] {
                process.signal(signal);
                let stopwatch = Stopwatch::start();
                while process.alive() && stopwatch.elapsed() < GRACE {
                    host::pause(POLL);
                }
            }
        }
    }
}

/// Stops the cluster that was started in `dir` by another process. Logs and data stay.
pub fn down(dir: &Path) -> Result<(), Error> {
    let record = Record::read(dir)?.ok_or_else(|| Error::NotRunning { dir: PathBuf::from(dir) })?;
    record.stop();
    Record::remove(dir);
    Ok(())
}

/// When a process started; none when it is gone or was ended and only waits to be reaped.
fn start_time(pid: u32) -> Option<u64> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the program's name in parentheses and may hold anything, so fields are
/// counted from its end: state is the first after it, the start time the twentieth.
fn parse_stat(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a) b) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1";

    #[test]
    fn a_start_time_is_read_past_a_name_with_parentheses() {
        assert_eq!(parse_stat(STAT), Some(987_654));
        assert_eq!(parse_stat(&STAT.replace(" S ", " Z ")), None);
        assert_eq!(parse_stat("42"), None);
    }

    #[test]
    fn a_number_that_now_belongs_to_another_process_is_left_alone() {
        let mut process = Process::of("self", std::process::id());
        assert!(process.alive());
        process.started = process.started.map(|started| started + 1);
        // This test ends if the next line is wrong.
        Record { processes: vec![process] }.stop();
    }

    #[test]
    fn a_recorded_process_is_stopped_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = host::command("sleep").arg("600").spawn().unwrap();
        let record = Record { processes: vec![Process::of("sleep", child.id())] };
        record.write(dir.path()).unwrap();
        assert!(Record::read(dir.path()).unwrap().unwrap().any_alive());
        down(dir.path()).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(matches!(down(dir.path()), Err(Error::NotRunning { .. })));
    }
}
