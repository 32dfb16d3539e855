//! Exit codes: the one table for both commands. Scripts rely on them; a code never changes its meaning.

use std::process::ExitCode;

use switchback_schemas::{Diagnostic, codes};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// The command failed, or diagnostics hold an error.
    Failed = 1,
    /// With `--detailed-exitcode`: done, and there is something to change.
    Changes = 2,
    /// The run waits without a process; `switchback tick` or another `apply` resumes it.
    Parked = 3,
    /// Dispatch stopped after a failure; a person decides.
    Held = 4,
    /// The run rolled back to a savepoint.
    RolledBack = 5,
    /// Another run or process holds the platform.
    Busy = 6,
    /// The command line cannot be understood.
    Usage = 64,
    /// A program that the command needs is missing.
    Unavailable = 69,
    /// A bug in Switchback.
    Bug = 70,
    /// Stopped by a signal; the run can be resumed.
    Interrupted = 130,
}

impl Exit {
    /// Every exit code, rising.
    pub const ALL: [Self; 11] = [
        Self::Success,
        Self::Failed,
        Self::Changes,
        Self::Parked,
        Self::Held,
        Self::RolledBack,
        Self::Busy,
        Self::Usage,
        Self::Unavailable,
        Self::Bug,
        Self::Interrupted,
    ];

    /// The code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for the documentation.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Success => "done; also a requested pause or rollback that is done",
            Self::Failed => "the command failed, or diagnostics hold an error",
            Self::Changes => "done, and there is something to change; only with `--detailed-exitcode`",
            Self::Parked => {
                "the run waits without a process; `switchback tick` or another `apply` resumes it"
            }
            Self::Held => "the run is held after a failure; an operator decides how to continue",
            Self::RolledBack => "the run rolled back by itself after a failure",
            Self::Busy => "another run or process holds the platform",
            Self::Usage => "the command line cannot be understood",
            Self::Unavailable => "a program that the command needs is missing",
            Self::Bug => "a bug in Switchback",
            Self::Interrupted => "stopped by a signal; the run can be resumed",
        }
    }

    /// What diagnostics alone come to.
    pub fn of(diagnostics: &[Diagnostic]) -> Self {
        if diagnostics.iter().any(|diagnostic| diagnostic.code == codes::BUG) {
            return Self::Bug;
        }
        match diagnostics.iter().any(Diagnostic::is_error) {
            true => Self::Failed,
            false => Self::Success,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_keep_their_numbers() {
        let numbers: Vec<u8> = Exit::ALL.map(Exit::code).into();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 64, 69, 70, 130]);
    }

    #[test]
    fn warnings_alone_are_success() {
        let warning = Diagnostic::warning(codes::PLAN_BLIND_SPOT, "x");
        let error = Diagnostic::error(codes::YAML_SYNTAX, "x");
        let bug = Diagnostic::error(codes::BUG, "x");
        assert_eq!(Exit::of(&[]), Exit::Success);
        assert_eq!(Exit::of(std::slice::from_ref(&warning)), Exit::Success);
        assert_eq!(Exit::of(&[warning, error.clone()]), Exit::Failed);
        assert_eq!(Exit::of(&[error, bug]), Exit::Bug);
    }
}
