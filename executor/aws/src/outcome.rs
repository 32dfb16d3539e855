//! Outcomes, in one line each.

use switchback_executor::untrusted::text;
use switchback_schemas::journal::{Class, Evidence, Outcome, WaitsFor};

/// An effect that happened.
pub(crate) fn done(line: impl AsRef<str>) -> Outcome {
    Outcome::Done { evidence: Evidence::line(text::line(line.as_ref())) }
}

/// An effect that did not happen.
pub(crate) fn not_done(class: Class, line: impl AsRef<str>) -> Outcome {
    Outcome::NotDone { class, evidence: Evidence::line(text::line(line.as_ref())) }
}

/// An effect that did not happen and would be refused again.
pub(crate) fn refused(line: impl AsRef<str>) -> Outcome {
    not_done(Class::Refused, line)
}

/// An effect that did not happen, because somebody else changed the thing.
pub(crate) fn conflict(line: impl AsRef<str>) -> Outcome {
    not_done(Class::Conflict, line)
}

/// An effect that AWS carries out. `id` comes back with the next call.
pub(crate) fn operation(id: impl Into<String>, message: impl AsRef<str>) -> Outcome {
    blocked(WaitsFor::Operation { id: id.into(), message: text::line(message.as_ref()) })
}

/// An effect that needs more of something.
pub(crate) fn capacity(message: impl AsRef<str>) -> Outcome {
    blocked(WaitsFor::Capacity { message: text::line(message.as_ref()) })
}

/// An effect that a person has to decide about.
pub(crate) fn person(message: impl AsRef<str>) -> Outcome {
    blocked(WaitsFor::Person { message: text::line(message.as_ref()) })
}

fn blocked(waits: WaitsFor) -> Outcome {
    Outcome::Blocked { waits_for: vec![waits] }
}
