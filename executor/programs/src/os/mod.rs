//! Programs of the operating system.
//!
//! Output goes to files, never to pipes: a program whose parent was killed goes on undisturbed. The file that it complains
//! into carries an exclusive lock, taken before the start and inherited by the program, so the lock is held exactly as long
//! as the program lives, whatever became of the process that started it.

mod place;

use std::{collections::BTreeMap, path::PathBuf, process::Stdio, time::Duration};

use async_trait::async_trait;
use rustix::{
    fs::Access,
    process::{Pid, Signal, kill_process_group},
};
use switchback_executor::untrusted::text;
use tokio::process::{Child, Command};

use crate::port::{Arg, Exit, Invocation, Programs, RunError, Settled};
use place::{Locked, Place};

/// How long a program that was asked to stop may take before it is killed.
const GRACE: Duration = Duration::from_secs(20);

/// How often a slot is tried before a program is thought to be at work in it. A child that is being started beside us has a copy
/// of every open file, and so of locks, for the moment until it has become its program.
const TRIES: u32 = 5;

/// How often a lock is tried while a program of an earlier process is waited for.
const TRY: Duration = Duration::from_millis(200);

/// Runs programs of the operating system.
#[derive(Clone, Debug)]
pub struct OsPrograms {
    dir: PathBuf,
    env: BTreeMap<String, String>,
}

impl OsPrograms {
    /// `dir` is the run's own directory for programs. `env` is all that every program gets: `PATH`, `HOME`, and what its
    /// credentials need.
    pub fn new(dir: PathBuf, env: BTreeMap<String, String>) -> Self {
        Self { dir, env }
    }
}

#[async_trait]
impl Programs for OsPrograms {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    async fn run(&self, call: &Invocation) -> Result<Exit, RunError> {
        let program = match call.argv.first() {
            Some(Arg::Text(program)) => program.clone(),
            _ => return Err(not_started("", "the argument vector names no program")),
        };
        let broken = |error: std::io::Error| RunError::not_started(&program, &error);
        let place = Place::open(&self.dir, &call.slot).map_err(broken)?;
        let Locked::Ours(stderr) = locked(&place).await.map_err(broken)? else {
            return Err(RunError::Busy { slot: call.slot.clone() });
        };
        let files = place.write(&call.files).map_err(broken)?;
        let stdout = place.stdout().map_err(broken)?;
        let mut command = Command::new(&program);
        for arg in call.argv.iter().skip(1) {
            match arg {
                Arg::Text(text) => command.arg(text),
                Arg::File(name) => command.arg(
                    files
                        .get(name)
                        .ok_or_else(|| not_started(&program, "it names a file that does not exist"))?,
                ),
            };
        }
        command.env_clear().envs(&self.env).envs(&call.env);
        command.stdin(Stdio::null()).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
        // A group of its own: an interrupt of the terminal is for the executor, which lets running calls end.
        command.process_group(0);
        let mut child = command.spawn().map_err(broken)?;
        // The command still holds the lock; from here on only the program does.
        drop(command);
        let lost =
            |error: std::io::Error| RunError::Lost { program: program.clone(), what: error.to_string() };
        let ended = tokio::time::timeout(call.within, child.wait()).await;
        if ended.is_err() {
            stop(&mut child).await;
        }
        place.forget(&call.files).map_err(lost)?;
        let output = place.output();
        place.wipe().map_err(lost)?;
        let code = match ended {
            Ok(Ok(status)) => status.code(),
            Ok(Err(error)) => return Err(RunError::Lost { program, what: text::line(&error.to_string()) }),
            Err(_) => return Err(RunError::TimedOut { program, seconds: call.within.as_secs() }),
        };
        let (stdout, stderr) = output.map_err(lost)?;
        Ok(Exit { code, stdout, stderr })
    }

    fn find(&self, program: &str) -> Result<(), RunError> {
        let is_there = |path: PathBuf| path.is_file() && rustix::fs::access(&path, Access::EXEC_OK).is_ok();
        let path = self.env.get("PATH").map(String::as_str).unwrap_or_default();
        // As execvp(3) looks for it.
        let found = match program.contains('/') {
            true => is_there(PathBuf::from(program)),
            false => path.split(':').any(|directory| is_there(PathBuf::from(directory).join(program))),
        };
        if found { Ok(()) } else { Err(not_started(program, "it is not on this machine")) }
    }

    async fn settle(&self, slot: &str, within: Duration) -> Result<Settled, RunError> {
        let broken = |error: std::io::Error| RunError::not_started(slot, &error);
        let place = Place::open(&self.dir, slot).map_err(broken)?;
        if place.is_free().map_err(broken)? {
            return Ok(Settled::Free);
        }
        let free = async {
            while !place.is_free().map_err(broken)? {
                tokio::time::sleep(TRY).await;
            }
            Ok(Settled::Ended)
        };
        match tokio::time::timeout(within, free).await {
            Ok(settled) => settled,
            Err(_) => Err(RunError::Busy { slot: slot.to_owned() }),
        }
    }
}

async fn locked(place: &Place) -> std::io::Result<Locked> {
    for _ in 1..TRIES {
        if let ours @ Locked::Ours(_) = place.lock()? {
            return Ok(ours);
        }
        tokio::time::sleep(TRY).await;
    }
    place.lock()
}

fn not_started(program: &str, what: &str) -> RunError {
    RunError::NotStarted { program: text::line(program), what: text::line(what) }
}

/// Asks a program and its children to stop, then ends them.
async fn stop(child: &mut Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let Some(group) = group else { return };
    // Errors mean that the group is gone, which is what was asked for.
    let _ = kill_process_group(group, Signal::TERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_executor::ports::Classify as _;
    use switchback_schemas::journal::{Class, Outcome};

    fn programs(dir: &tempfile::TempDir) -> OsPrograms {
        OsPrograms::new(
            dir.path().to_owned(),
            BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        )
    }

    fn call(argv: &[&str], within: Duration) -> Invocation {
        Invocation {
            slot: "s".to_owned(),
            argv: argv.iter().map(|word| Arg::from(*word)).collect(),
            env: BTreeMap::new(),
            files: BTreeMap::new(),
            within,
        }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn words_stay_words_and_the_environment_is_ours() {
        let dir = tempfile::tempdir().unwrap();
        let words = ["printf", "%s|", "$(id)", "a b", "`x`;", "*"];
        let exit = programs(&dir).run(&call(&words, MINUTE)).await.unwrap();
        assert_eq!(exit.printed(), "$(id)|a b|`x`;|*|");
        let mut asked = call(&["env"], MINUTE);
        asked.env.insert("X".to_owned(), "1".to_owned());
        let exit = programs(&dir).run(&asked).await.unwrap();
        assert_eq!(exit.printed(), "PATH=/usr/bin:/bin\nX=1\n");
    }

    #[tokio::test]
    async fn files_are_private_and_named_by_their_path() {
        let dir = tempfile::tempdir().unwrap();
        let mut asked = call(&["stat", "-c", "%a %s"], MINUTE);
        asked.argv.push(Arg::File("values.json".to_owned()));
        asked.files.insert("values.json".to_owned(), b"{}".to_vec());
        let exit = programs(&dir).run(&asked).await.unwrap();
        assert_eq!(exit.printed(), "600 2\n");
        let mut folder = call(&["find"], MINUTE);
        folder.argv.extend([Arg::File("chart".to_owned()), "-printf".into(), "%P %m\n".into()]);
        folder.files.insert("chart/templates/a.yaml".to_owned(), b"secret".to_vec());
        let exit = programs(&dir).run(&folder).await.unwrap();
        assert_eq!(exit.printed(), " 700\ntemplates 700\ntemplates/a.yaml 600\n");
        for name in ["../out", "chart/../../out", "chart//a", "/etc/a", "stderr/a"] {
            let mut asked = asked.clone();
            asked.files.insert(name.to_owned(), Vec::new());
            let refused = programs(&dir).run(&asked).await;
            assert!(matches!(refused, Err(RunError::NotStarted { .. })), "{name}");
        }
    }

    /// The chart of a rollback holds what a release recorded, Secrets among it.
    #[tokio::test]
    async fn files_are_gone_when_the_program_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut asked = call(&["cat"], MINUTE);
        asked.argv.push(Arg::File("chart/secret".to_owned()));
        asked.files.insert("chart/secret".to_owned(), b"a canary".to_vec());
        assert_eq!(programs(&dir).run(&asked).await.unwrap().printed(), "a canary");
        let left = programs(&dir)
            .run(&call(&["find", &dir.path().to_string_lossy(), "-name", "secret"], MINUTE))
            .await;
        assert_eq!(left.unwrap().printed(), "");
    }

    /// Safety review, F1: helm prints values and manifests, and complains about them.
    #[tokio::test]
    async fn f1_what_a_program_printed_is_gone_when_it_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let exit =
            programs(&dir).run(&call(&["sh", "-c", "echo canary; echo canary >&2"], MINUTE)).await.unwrap();
        assert_eq!((exit.printed().as_str(), exit.stderr.as_slice()), ("canary\n", b"canary\n".as_slice()));
        for name in ["stdout", "stderr"] {
            assert_eq!(std::fs::read(dir.path().join("s").join(name)).unwrap(), b"", "{name}");
        }
    }

    /// Seen once in many runs of the suite: a slot was busy although nothing was at work in it.
    #[tokio::test]
    async fn a_lock_that_lives_on_for_a_moment_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let held = Place::open(dir.path(), "s").unwrap().lock().unwrap();
        let (programs, call) = (programs(&dir), call(&["true"], MINUTE));
        // The call is asked first, and meets the lock.
        let (exit, ()) = tokio::join!(programs.run(&call), async { drop(held) });
        assert_eq!(exit.unwrap().code, Some(0));
    }

    /// Safety review, B6.
    #[test]
    fn b6_a_full_disk_is_waited_for() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = RunError::not_started("helm", &full);
        assert!(matches!(error.of_write(), Outcome::Blocked { .. }), "{error}");
        let missing = RunError::not_started("helm", &std::io::Error::from(std::io::ErrorKind::NotFound));
        assert!(matches!(missing.of_write(), Outcome::NotDone { class: Class::Refused, .. }));
    }

    #[tokio::test]
    async fn exits_complaints_and_missing_programs_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let exit = programs(&dir).run(&call(&["sh", "-c", "echo no >&2; exit 3"], MINUTE)).await.unwrap();
        assert_eq!((exit.code, exit.complaint()), (Some(3), vec!["no".to_owned()]));
        let missing = programs(&dir).run(&call(&["no-such-program"], MINUTE)).await.unwrap_err();
        assert!(matches!(missing.of_write(), Outcome::NotDone { .. }), "{missing}");
    }

    /// Nobody holds the slot. A child that another test is starting may have a copy of the lock until its exec.
    async fn is_free(programs: &OsPrograms) {
        let settled = programs.settle("s", MINUTE).await;
        assert!(matches!(settled, Ok(Settled::Free | Settled::Ended)), "{settled:?}");
    }

    #[tokio::test]
    async fn a_program_that_runs_too_long_is_stopped_and_in_doubt() {
        let dir = tempfile::tempdir().unwrap();
        let stopped =
            programs(&dir).run(&call(&["sleep", "600"], Duration::from_millis(1))).await.unwrap_err();
        assert!(matches!(stopped.of_write(), Outcome::InDoubt { class: Class::Deadline, .. }), "{stopped}");
        is_free(&programs(&dir)).await;
    }

    /// The shell ends at once; what it left behind has inherited the lock, as a helm has whose executor was killed.
    #[tokio::test]
    async fn what_still_lives_is_found_by_its_lock_and_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let programs = programs(&dir);
        let exit = programs.run(&call(&["sh", "-c", "sleep 600 & echo $!"], MINUTE)).await.unwrap();
        let left = Pid::from_raw(exit.printed().trim().parse().unwrap()).unwrap();
        let again = programs.run(&call(&["true"], MINUTE)).await;
        assert_eq!(again, Err(RunError::Busy { slot: "s".to_owned() }));
        assert!(programs.settle("s", Duration::from_millis(1)).await.is_err());
        let waiting = programs.settle("s", MINUTE);
        let kill = async { rustix::process::kill_process(left, Signal::KILL).unwrap() };
        let (settled, ()) = tokio::join!(waiting, kill);
        assert_eq!(settled, Ok(Settled::Ended));
        is_free(&programs).await;
    }
}
