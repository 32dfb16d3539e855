//! What follows a call that ended without its effect: tables, so that every case is decided in one place.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use switchback_schemas::{
    RunId,
    journal::{At, Class},
    plan::RetryClass,
};

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Tried again for as long as it takes: the other side is not ready, and that is nobody's failure.
    Wait,
    /// Tried again a few times, then a failure.
    Again,
    /// Tried once more, then a failure.
    Twice,
    /// A person decides.
    Ask,
    /// A failure.
    Fail,
}

impl Reaction {
    /// Tries before this is a failure; `None` where no number of them makes it one.
    pub(in crate::machine) fn tries(self) -> Option<u32> {
        match self {
            Self::Wait => None,
            Self::Again => Some(6),
            Self::Twice => Some(2),
            Self::Ask | Self::Fail => Some(0),
        }
    }

    /// Whether one more try follows after so many that count.
    pub(in crate::machine) fn repeats(self, strikes: u32) -> bool {
        self.tries().is_none_or(|tries| strikes < tries)
    }
}

/// What follows an effect that did not happen.
pub fn not_done(class: Class, retry: RetryClass) -> Reaction {
    use RetryClass::{Idempotent, Never, NotDone};
    match (class, retry) {
        // Overload, outages and credentials wait, and never count as a failure.
        (Class::Throttled | Class::Unreachable | Class::Denied, NotDone | Idempotent) => Reaction::Wait,
        (Class::Throttled | Class::Unreachable | Class::Denied | Class::Crashed, Never) => Reaction::Ask,
        (Class::Conflict | Class::Deadline | Class::Crashed, NotDone | Idempotent) => Reaction::Again,
        (Class::Vetoed, NotDone | Idempotent) => Reaction::Twice,
        (Class::Conflict | Class::Deadline | Class::Vetoed, Never) | (Class::Refused | Class::Bug, _) => {
            Reaction::Fail
        }
    }
}

/// What follows an effect in doubt that, by a look at the platform, has not happened so far. It may still land, so only
/// a call that can be repeated without harm is repeated. A refusal that was final stays so, whatever it left behind.
pub fn not_seen(class: Class, retry: RetryClass) -> Reaction {
    match (class, retry) {
        (Class::Refused, _) => Reaction::Fail,
        (_, RetryClass::Never | RetryClass::NotDone) => Reaction::Ask,
        (Class::Throttled | Class::Unreachable | Class::Denied, RetryClass::Idempotent) => Reaction::Wait,
        (Class::Vetoed, RetryClass::Idempotent) => Reaction::Twice,
        (Class::Conflict | Class::Deadline | Class::Crashed | Class::Bug, RetryClass::Idempotent) => {
            Reaction::Again
        }
    }
}

/// When the next try is due: 2 s, 4 s, … up to 5 min after the last one, less up to a half that is spread by a hash, so
/// that a replay decides the same and many runs do not try at once.
pub(in crate::machine) fn due(run: Option<&RunId>, at: &At, failures: u32, ended: Timestamp) -> Timestamp {
    let longest: u64 = 300_000;
    let full = 2_000_u64.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(longest);
    let seed = format!("{}|{at}|{failures}", run.map_or("", RunId::as_str));
    let spread = Sha256::digest(seed).first().copied().unwrap_or_default();
    let wait = full - full / 2 * u64::from(spread) / 255;
    let wait = SignedDuration::from_millis(i64::try_from(wait).unwrap_or(i64::MAX));
    ended.checked_add(wait).unwrap_or(Timestamp::MAX)
}
