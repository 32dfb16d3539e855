//! A program in a process group of its own, which ends with the test however the test ends.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::host;

/// Leads the group and waits on a pipe from the test. `read` meets the end of its input when the test's process ends,
/// even by SIGKILL; `kill 0` names the shell's own group, so no process number can have been reused. What the programs
/// leave behind goes with them: nobody else is there to remove it.
const WATCHDOG: &str = r#"trap '' HUP INT TERM QUIT
while read -r word; do if [ "$word" = done ]; then exit 0; fi; done
kill -s "$1" 0
sleep 2
if [ -n "$2" ]; then rm -rf -- "$2"; fi
kill -KILL 0"#;

/// How a program is asked to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// A server of MLflow.
    Term,
    /// PostgreSQL: at once and in order, without waiting for sessions.
    Int,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Self::Term => Signal::TERM,
            Self::Int => Signal::INT,
        }
    }
}

/// A program that was started, with everything it started.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    watchdog: Child,
    pipe: Option<ChildStdin>,
    end: End,
    log: PathBuf,
}

impl Program {
    /// Starts it with its output in a file. `left` is a directory that is removed if the test's process just ends.
    pub(crate) fn start(mut command: Command, end: End, log: &Path, left: Option<&Path>) -> Self {
        let mut watchdog = host::command("sh", Path::new("/"))
            .args(["-c", WATCHDOG, "watchdog", end.name()])
            .arg(left.unwrap_or(Path::new("")))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let pipe = watchdog.stdin.take();
        let out = File::create(log).expect("a log");
        let child = command
            .process_group(i32::try_from(watchdog.id()).expect("a process number"))
            .stdin(Stdio::null())
            .stderr(out.try_clone().expect("a log"))
            .stdout(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, watchdog, pipe, end, log: log.to_owned() }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as a kernel out of memory would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }
}

impl Drop for Program {
    /// The group is asked first, and made to end if it does not. The leader is reaped last, so the group's number is
    /// still its own until then.
    fn drop(&mut self) {
        let group = Pid::from_child(&self.watchdog);
        let _ = kill_process_group(group, self.end.signal());
        for _ in 0..200 {
            let _ = self.child.try_wait();
            if members(group).is_empty() {
                break;
            }
            host::pause();
        }
        // Nothing is left in the usual case; then the shell ends without a sound.
        if members(group).is_empty() {
            if let Some(mut pipe) = self.pipe.take() {
                let _ = pipe.write_all(b"done\n");
            }
        } else {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.watchdog.wait();
        let _ = self.child.wait();
    }
}

/// Processes of a group that still run, without its leader.
fn members(group: Pid) -> Vec<String> {
    let leader = group.as_raw_nonzero().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter(|stat| {
            // number (name) state parent group …; a name may hold anything, a bracket too.
            let Some((number, rest)) = stat.split_once(' ') else { return false };
            let rest = rest.rsplit_once(") ").map_or("", |(_, rest)| rest);
            let fields: Vec<&str> = rest.split(' ').collect();
            number != leader && fields.first() != Some(&"Z") && fields.get(2) == Some(&leader.as_str())
        })
        .collect()
}
