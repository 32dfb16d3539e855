//! Programs as a port: argument vector, environment and files in; exit code and output out.
//!
//! The operating system's implementation is [`crate::OsPrograms`]; a twin plays programs by a table of its own.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use switchback_executor::{
    ports::{Certainty, Classify, FailedCall},
    untrusted::text,
};
use switchback_schemas::journal::{Class, Evidence, WaitsFor};

/// One word of an argument vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A word as it is.
    Text(String),
    /// The path of one of the call's files, or of the folder in which some of them lie.
    File(String),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A call of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Names the work: two calls of one slot never run at the same time, not even from two processes, and a process that
    /// takes a run over finds the program of the process before it by this name.
    pub slot: String,
    /// The program and its arguments; never a shell line.
    pub argv: Vec<Arg>,
    /// Environment, beyond what every program gets.
    pub env: BTreeMap<String, String>,
    /// Files that the program reads, by name; they are gone when it has ended. A name may be a path below one folder.
    pub files: BTreeMap<String, Vec<u8>>,
    /// How long it may run, in real time.
    pub within: Duration,
}

/// How a program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained.
    pub stderr: Vec<u8>,
}

impl Exit {
    /// Whether it ended with exit code 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// The last lines that it complained, made safe to show.
    pub fn complaint(&self) -> Vec<String> {
        text::last_lines(&String::from_utf8_lossy(&self.stderr), 10)
    }

    /// What it printed, as text.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// How it ended, for people.
    pub fn said(&self) -> String {
        self.code
            .map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with exit code {code}"))
    }
}

/// Whether a program of an earlier process was found in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nobody is in it.
    Free,
    /// One was still at work, and has ended while it was waited for: look again before doing anything.
    Ended,
}

/// Why a program has no exit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// It was never started.
    #[error("{program} could not be started: {what}")]
    NotStarted {
        /// The program.
        program: String,
        /// Why.
        what: String,
    },
    /// There is no room for its files, so it was never started.
    #[error("{program} could not be started for lack of room: {what}")]
    NoRoom {
        /// The program.
        program: String,
        /// What there is no room for.
        what: String,
    },
    /// An earlier program of the same slot is still at work, so this one was not started.
    #[error("an earlier call of {slot} is still at work")]
    Busy {
        /// The slot.
        slot: String,
    },
    /// It ran too long and was stopped.
    #[error("{program} ran longer than {seconds} s and was stopped")]
    TimedOut {
        /// The program.
        program: String,
        /// How long it may run.
        seconds: u64,
    },
    /// It ran, and what came of it is not known.
    #[error("what became of {program} is not known: {what}")]
    Lost {
        /// The program.
        program: String,
        /// Why.
        what: String,
    },
}

impl RunError {
    /// One that was never started, because of this.
    pub(crate) fn not_started(program: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let (program, what) = (text::line(program), text::line(&error.to_string()));
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::OutOfMemory => {
                Self::NoRoom { program, what }
            }
            _ => Self::NotStarted { program, what },
        }
    }
}

impl Classify for RunError {
    fn classify(&self) -> FailedCall {
        let (certainty, class) = match self {
            Self::NotStarted { .. } => (Certainty::NotDone, Class::Refused),
            Self::NoRoom { .. } => (Certainty::NotDone, Class::Throttled),
            Self::Busy { .. } => (Certainty::InDoubt, Class::Crashed),
            Self::TimedOut { .. } => (Certainty::InDoubt, Class::Deadline),
            Self::Lost { .. } => (Certainty::InDoubt, Class::Unreachable),
        };
        let line = text::line(&self.to_string());
        let failed = FailedCall::new(certainty, class, Evidence::line(line.clone()));
        match self {
            Self::NoRoom { .. } => failed.waiting(WaitsFor::Capacity { message: line }),
            _ => failed,
        }
    }
}

/// Runs programs.
#[async_trait]
pub trait Programs: Send + Sync {
    /// Runs a program to its end.
    async fn run(&self, call: &Invocation) -> Result<Exit, RunError>;

    /// Whether a program is there to be run. Those who play programs by a table have what is in it.
    fn find(&self, _program: &str) -> Result<(), RunError> {
        Ok(())
    }

    /// Waits, for so long at most, until no program of an earlier process is in a slot.
    async fn settle(&self, slot: &str, within: Duration) -> Result<Settled, RunError>;
}

/// A slot from parts: what is no letter or digit becomes `-`.
pub(crate) fn slot(parts: &[&str]) -> String {
    let safe = |part: &&str| {
        part.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>()
    };
    parts.iter().map(safe).collect::<Vec<_>>().join("_")
}
