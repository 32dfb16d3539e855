//! Ends the programs of a cluster when the process that started them is gone, however it went.

use std::{
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, Stdio},
};

use crate::{Error, host};

/// Ends the group unless it was released first. `read` is a builtin and meets the end of its input
/// when the last holder of the pipe's other end, the starting process, ends, even by SIGKILL.
/// `kill 0` names the script's own process group, so no process number can have been reused.
const SCRIPT: &str = "trap '' HUP INT TERM
while read -r word; do
  if [ \"$word\" = release ]; then exit 0; fi
done
kill -TERM 0
sleep 5
kill -KILL 0";

/// A small shell that leads the process group of the cluster's programs.
#[derive(Debug)]
pub(crate) struct Watchdog {
    child: Child,
    input: Option<ChildStdin>,
}

impl Watchdog {
    pub(crate) fn start() -> Result<Self, Error> {
        let mut child = host::command("sh")
            .args(["-c", SCRIPT])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| host::spawn("sh", source))?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    /// The process group for the programs it watches. A group of their own also keeps a Ctrl-C meant
    /// for the test from reaching the cluster first.
    pub(crate) fn group(&self) -> Result<i32, Error> {
        i32::try_from(self.child.id()).map_err(|error| host::spawn("sh", io::Error::other(error)))
    }

    /// Lets the programs live on.
    pub(crate) fn release(mut self) -> io::Result<()> {
        if let Some(mut input) = self.input.take() {
            input.write_all(b"release\n")?;
        }
        self.child.wait().map(drop)
    }
}

impl Drop for Watchdog {
    /// By then the programs were stopped one by one, so it ends itself without a sound. The pipe
    /// closes after that, or it would wake up and run through its list.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(watchdog: &Watchdog) -> Child {
        host::command("sleep").arg("600").process_group(watchdog.group().unwrap()).spawn().unwrap()
    }

    #[test]
    fn the_group_ends_when_the_pipe_closes() {
        let mut watchdog = Watchdog::start().unwrap();
        let mut sleeper = sleeper(&watchdog);
        watchdog.input = None;
        let status = sleeper.wait().unwrap();
        assert!(!status.success());
    }

    #[test]
    fn the_group_lives_on_after_a_release() {
        let watchdog = Watchdog::start().unwrap();
        let mut sleeper = sleeper(&watchdog);
        watchdog.release().unwrap();
        assert!(sleeper.try_wait().unwrap().is_none());
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }

    #[test]
    fn the_script_is_one_that_sh_reads() {
        assert!(host::command("sh").args(["-n", "-c", SCRIPT]).status().unwrap().success());
    }
}
