//! What a call that has no result means, in the one form that the executor knows. Leaf crates only say which of these it is.

use switchback_schemas::journal::{Class, Evidence, Outcome, Verdict, WaitsFor};

use super::Failure;

/// Whether a write that ended without a result happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// It did not: nothing was sent, or the answer refuses.
    NotDone,
    /// Nobody knows: what broke off may have had its effect.
    InDoubt,
}

/// A call that has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCall {
    certainty: Certainty,
    class: Class,
    evidence: Evidence,
    waits_for: Option<WaitsFor>,
}

impl FailedCall {
    /// One that failed like this. A deadline that passed is in doubt, whatever else is said of it.
    pub fn new(certainty: Certainty, class: Class, evidence: Evidence) -> Self {
        let certainty = if class == Class::Deadline { Certainty::InDoubt } else { certainty };
        Self { certainty, class, evidence, waits_for: None }
    }

    /// One that is no failure of what was asked: it lacks something that may come.
    #[must_use]
    pub fn waiting(self, waits_for: WaitsFor) -> Self {
        Self { waits_for: Some(waits_for), ..self }
    }

    /// The same, told in other words.
    #[must_use]
    pub fn told_as(self, evidence: Evidence) -> Self {
        Self { evidence, ..self }
    }

    /// Whether a write that ended like this happened.
    pub fn certainty(&self) -> Certainty {
        self.certainty
    }

    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        self.class
    }
}

impl Classify for FailedCall {
    fn classify(&self) -> FailedCall {
        self.clone()
    }
}

/// An error of a client that says what became of its call.
pub trait Classify {
    /// What it means.
    fn classify(&self) -> FailedCall;

    /// The outcome of a write that ended like this.
    fn of_write(&self) -> Outcome {
        match self.classify() {
            FailedCall { waits_for: Some(waits_for), .. } => Outcome::Blocked { waits_for: vec![waits_for] },
            FailedCall { certainty: Certainty::NotDone, class, evidence, .. } => {
                Outcome::NotDone { class, evidence }
            }
            FailedCall { certainty: Certainty::InDoubt, class, evidence, .. } => {
                Outcome::InDoubt { class, evidence }
            }
        }
    }

    /// The outcome of an effect whose reading, before any write, ended like this. Nothing was changed.
    fn of_read(&self) -> Outcome {
        let Failure { class, evidence } = self.failure();
        let blocked = |waits_for| Outcome::Blocked { waits_for: vec![waits_for] };
        self.classify().waits_for.map_or(Outcome::NotDone { class, evidence }, blocked)
    }

    /// Why something could not be read. That a read may have been carried out says nothing.
    fn failure(&self) -> Failure {
        let FailedCall { class, evidence, .. } = self.classify();
        let class = match class {
            Class::Deadline | Class::Crashed => Class::Unreachable,
            class => class,
        };
        Failure { class, evidence }
    }

    /// What a condition is when this is why it could not be read.
    fn verdict(&self) -> Verdict {
        Verdict::Unknown { evidence: self.classify().evidence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_in_doubt_for_a_write_and_nothing_more_than_silence_for_a_read() {
        let call = FailedCall::new(Certainty::NotDone, Class::Deadline, Evidence::line("30 s"));
        assert!(matches!(call.of_write(), Outcome::InDoubt { class: Class::Deadline, .. }));
        assert!(matches!(call.of_read(), Outcome::NotDone { class: Class::Unreachable, .. }));
        assert_eq!(call.failure().class, Class::Unreachable);
        assert!(matches!(call.verdict(), Verdict::Unknown { .. }));
    }

    #[test]
    fn what_lacks_something_waits_and_is_no_failure() {
        let waits = WaitsFor::Credentials { message: "expired".to_owned() };
        let call = FailedCall::new(Certainty::NotDone, Class::Denied, Evidence::line("expired"));
        let call = call.waiting(waits.clone());
        for outcome in [call.of_write(), call.of_read()] {
            assert_eq!(outcome, Outcome::Blocked { waits_for: vec![waits.clone()] });
        }
    }
}
