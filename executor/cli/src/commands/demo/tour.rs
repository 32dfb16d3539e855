//! Runs the commands of the tour as children, each shown as a person would type it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use switchback_executor::runs;
use switchback_face::Exit;
use switchback_schemas::Digest;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{documents, error::Error, host::Host};

/// Real time that the twin may take until it listens.
const SERVING: Duration = Duration::from_secs(20);

/// What commands of the tour are told of the user's own environment: nothing that leads to a cluster, a cloud or a proxy.
const PASSED_ON: [&str; 6] = ["PATH", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR"];

/// Which of its two streams a command writes into a file.
#[derive(Clone, Copy)]
pub(super) enum Aside<'a> {
    None,
    Answer(&'a str),
    Remarks(&'a str),
}

impl Aside<'_> {
    /// As a shell takes it.
    fn words(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Answer(file) => format!(" > {file}"),
            Self::Remarks(file) => format!(" 2> {file}"),
        }
    }

    fn redirect(self, dir: &Path, command: &mut Command) -> Result<(), Error> {
        let create = |file: &str| File::create(dir.join(file)).map_err(Error::Start);
        match self {
            Self::None => {}
            Self::Answer(file) => {
                command.stdout(create(file)?);
            }
            Self::Remarks(file) => {
                command.stderr(create(file)?);
            }
        }
        Ok(())
    }
}

pub(super) struct Tour<'a> {
    dir: PathBuf,
    exec: PathBuf,
    switchback: PathBuf,
    twin: Option<Child>,
    host: &'a mut Host,
}

impl<'a> Tour<'a> {
    pub(super) fn new(dir: &Path, host: &'a mut Host) -> Result<Self, Error> {
        let exec = std::env::current_exe().map_err(Error::Start)?;
        let beside = exec.parent().map(|parent| parent.join("switchback"));
        let on_path =
            host.environment.path.iter().flat_map(std::env::split_paths).map(|dir| dir.join("switchback"));
        let switchback = beside.into_iter().chain(on_path).find(|path| path.is_file());
        let missing = || Error::Program {
            program: "switchback".to_owned(),
            what: "is neither beside this command nor on PATH".to_owned(),
        };
        Ok(Self { dir: dir.to_owned(), exec, switchback: switchback.ok_or_else(missing)?, twin: None, host })
    }

    /// What the next command is for, as a comment of a shell.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Error> {
        let width = self.host.terminal.out.look().width;
        let mut comment = String::from("\n#");
        let mut column = 1;
        for word in text.split_whitespace() {
            let length = word.chars().count() + 1;
            if column + length > width {
                comment.push_str("\n#");
                column = 1;
            }
            comment.push(' ');
            comment.push_str(word);
            column += length;
        }
        self.host.answer(&(comment + "\n"))?;
        self.host.terminal.out.flush().map_err(Error::Write)
    }

    /// Serves the twin, and waits until it listens.
    pub(super) async fn serve(&mut self) -> Result<(), Error> {
        let words = ["twin", "serve", "world.yaml", "--dir", "."];
        let mut command = self.command(&self.exec.clone(), &words, Aside::None)?;
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(Error::Start)?;
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        self.twin = Some(child);
        let Some(mut lines) = lines else { return Ok(()) };
        // It says where everything is once it listens, and closes nothing.
        let heard = async {
            while let Some(line) = lines.next_line().await.map_err(Error::Start)? {
                self.host.answer(&format!("{line}\n"))?;
                if line.starts_with("charts") {
                    return Ok(());
                }
            }
            Err(failed("twin serve", "ended before it listened"))
        };
        tokio::time::timeout(SERVING, heard).await.map_err(|_| failed("twin serve", "does not listen"))?
    }

    /// Runs one of this program's commands; it must end as the tour expects.
    pub(super) async fn exec(&mut self, words: &[&str], expected: Exit) -> Result<(), Error> {
        self.run(&self.exec.clone(), words, Aside::None, expected).await
    }

    /// Runs one of the sister program's commands.
    pub(super) async fn switchback(
        &mut self,
        words: &[&str],
        aside: Aside<'_>,
        expected: Exit,
    ) -> Result<(), Error> {
        self.run(&self.switchback.clone(), words, aside, expected).await
    }

    async fn run(
        &mut self,
        program: &Path,
        words: &[&str],
        aside: Aside<'_>,
        expected: Exit,
    ) -> Result<(), Error> {
        let status = self.command(program, words, aside)?.status().await.map_err(Error::Start)?;
        if status.code() == Some(i32::from(expected.code())) {
            return Ok(());
        }
        Err(failed(
            words.first().copied().unwrap_or_default(),
            &format!("ended with {status}, the tour expected {}", expected.code()),
        ))
    }

    /// Runs a command and kills it, as a machine that is lost would, when a line of its output holds this.
    pub(super) async fn killed(&mut self, words: &[&str], when: &str) -> Result<(), Error> {
        let mut command = self.command(&self.exec.clone(), words, Aside::None)?;
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(Error::Start)?;
        let Some(out) = child.stdout.take() else { return Ok(()) };
        let mut lines = BufReader::new(out).lines();
        while let Some(line) = lines.next_line().await.map_err(Error::Start)? {
            self.host.answer(&format!("{line}\n"))?;
            if line.contains(when) {
                child.kill().await.map_err(Error::Start)?;
                self.host.answer("Killed\n")?;
                return Ok(());
            }
        }
        Err(failed("apply", &format!("came to its end before {when:?}")))
    }

    /// The run of the plan that was applied last.
    pub(super) fn run_id(&self) -> Result<String, Error> {
        let plan = documents::plan(&self.dir.join("plan.json"))?;
        Ok(runs::run_id(&Digest::of(&plan.bytes))?.to_string())
    }

    /// Stops the twin.
    pub(super) async fn end(mut self) -> Result<(), Error> {
        match self.twin.take() {
            Some(mut twin) => twin.kill().await.map_err(Error::Start),
            None => Ok(()),
        }
    }

    /// Shows a command, and makes it. What is not a terminal's own goes to our streams, so that the tour reads as one text.
    #[expect(clippy::disallowed_methods, reason = "the tour types what a person would")]
    fn command(&mut self, program: &Path, words: &[&str], aside: Aside<'_>) -> Result<Command, Error> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // People type one command; it hands over what it does not do itself.
        let name = if name == "switchback-exec" { "switchback".to_owned() } else { name };
        let quoted = |word: &&str| if word.contains(' ') { format!("'{word}'") } else { (*word).to_owned() };
        let typed: Vec<String> = words.iter().map(quoted).collect();
        self.host.answer(&format!("$ {name} {}{}\n", typed.join(" "), aside.words()))?;
        self.host.terminal.out.flush().map_err(Error::Write)?;
        let mut command = Command::new(program);
        command.args(words).current_dir(&self.dir).stdin(Stdio::null()).kill_on_drop(true);
        let own = self.host.environment.for_programs.keys();
        for name in own.filter(|name| !PASSED_ON.contains(&name.as_str())) {
            command.env_remove(name);
        }
        // A home without credentials, and no machine to ask for its own: what is not the twin cannot be reached by mistake.
        command.env("HOME", &self.dir).env("AWS_EC2_METADATA_DISABLED", "true");
        // The tour's store is a temporary one, on a laptop and in CI alike.
        command.env_remove("CI").env_remove("SWITCHBACK_STORE");
        aside.redirect(&self.dir, &mut command)?;
        Ok(command)
    }
}

fn failed(program: &str, what: &str) -> Error {
    Error::Program { program: program.to_owned(), what: what.to_owned() }
}
