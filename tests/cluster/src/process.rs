//! One program of the cluster as a child process.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, argv::Program, host, host::Stopwatch};

/// How long a program may take to end by itself. Nothing of a test cluster is worth more.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// A program that was started.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program in a process group, its output in `<logs>/<name>.log`.
    pub(crate) fn start(program: &Program, home: &Path, logs: &Path, group: i32) -> Result<Self, Error> {
        let log = logs.join(format!("{}.log", program.name));
        let out = File::create(&log).map_err(Error::io("create", &log))?;
        let err = out.try_clone().map_err(Error::io("open", &log))?;
        let child = host::clean_command(&program.path, home)
            .args(&program.arguments)
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(home)
            .process_group(group)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|source| host::spawn(&program.path.display().to_string(), source))?;
        Ok(Self { name: program.name, child, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Error::Died {
                program: self.name,
                status,
                log: self.log.clone(),
                tail: tail(&fs::read_to_string(&self.log).unwrap_or_default()),
            }),
            Err(source) => Err(host::spawn(self.name, source)),
        }
    }
}

/// Ends them one by one, the last started first: an API server whose etcd is gone cannot end in
/// peace and takes all its time. A child is only signalled before it is reaped, so its number is
/// still its own.
pub(crate) fn stop(running: &mut Vec<Running>) {
    while let Some(mut program) = running.pop() {
        if matches!(program.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&program.child), Signal::TERM);
        }
        let stopwatch = Stopwatch::start();
        while stopwatch.elapsed() < GRACE && matches!(program.child.try_wait(), Ok(None)) {
            host::pause(POLL);
        }
        let _ = program.child.kill();
        let _ = program.child.wait();
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(20));
    last.flat_map(|line| ["  ", line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watchdog::Watchdog;

    fn start(dir: &Path, script: &str, watchdog: &Watchdog) -> Running {
        let program = Program {
            name: "script",
            path: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            environment: Vec::new(),
        };
        Running::start(&program, dir, dir, watchdog.group().unwrap()).unwrap()
    }

    #[test]
    fn a_stopped_program_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let watchdog = Watchdog::start().unwrap();
        let mut running = vec![start(dir.path(), "exec sleep 600", &watchdog)];
        running[0].check().unwrap();
        let pid = Pid::from_child(&running[0].child);
        stop(&mut running);
        assert!(running.is_empty());
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn a_program_that_ended_is_reported_with_the_end_of_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let watchdog = Watchdog::start().unwrap();
        let mut program = start(dir.path(), "echo no such flag >&2; exit 3", &watchdog);
        program.child.wait().unwrap();
        let message = program.check().unwrap_err().to_string();
        assert!(message.contains("script ended with exit status: 3"), "{message}");
        assert!(message.contains("no such flag"), "{message}");
    }

    #[test]
    fn a_tail_is_at_most_twenty_lines() {
        let lines: Vec<String> = (0..30).map(|n| n.to_string()).collect();
        let tail = tail(&lines.join("\n"));
        assert!(tail.starts_with("  10\n"), "{tail}");
        assert!(tail.ends_with("  29\n"), "{tail}");
        assert_eq!(super::tail(""), "");
    }
}
