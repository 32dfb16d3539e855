//! What the executor logs: a span for a run, a step and an attempt, so that every line of a driver's client can be told apart
//! from others. Names and outcomes only: what an effect writes and what was answered may be secret, and stands in the journal
//! as far as it may.

use switchback_schemas::{
    RunId,
    journal::{Outcome, Verdict},
    plan::Plan,
};
use tracing::{Span, debug, info, info_span};

use crate::{
    machine::{Answer, What},
    ports::Call,
};

/// A run that a process carries on.
pub(super) fn run(run: &RunId, plan: &Plan) -> Span {
    info_span!("run", run = %run, platform = %plan.platform.name)
}

/// One call of a place, below its step.
pub(super) fn attempt(call: &Call, what: &What) -> Span {
    let what = match what {
        What::Apply(effect) => effect.kind(),
        What::Check(_) => "check".to_owned(),
        What::Capture(_) => "capture".to_owned(),
        What::Members(_) => "members".to_owned(),
        What::Census => "census".to_owned(),
        What::Claim => "claim".to_owned(),
    };
    let step = info_span!("step", step = %call.at, target = %call.target);
    let attempt = info_span!(parent: &step, "attempt", attempt = call.attempt, call = what);
    attempt.in_scope(|| debug!("called"));
    attempt
}

/// How a call ended.
pub(super) fn answered(answer: &Answer) {
    match answer {
        Answer::Applied(Outcome::Done { .. }) => info!(outcome = "done"),
        Answer::Applied(Outcome::NotDone { class, .. }) => info!(outcome = "not done", ?class),
        Answer::Applied(Outcome::InDoubt { class, .. }) => info!(outcome = "in doubt", ?class),
        Answer::Applied(Outcome::Blocked { .. }) => info!(outcome = "blocked"),
        Answer::Checked(Verdict::Holds { .. }) => debug!(verdict = "holds"),
        Answer::Checked(Verdict::Fails { .. }) => debug!(verdict = "fails"),
        Answer::Checked(Verdict::Unknown { .. }) => info!(verdict = "unknown"),
        Answer::Captured(Err(failure)) | Answer::Members(Err(failure)) | Answer::Census(Err(failure)) => {
            info!(class = ?failure.class, "not read");
        }
        Answer::Captured(Ok(_)) | Answer::Members(Ok(_)) | Answer::Census(Ok(_)) | Answer::Claimed => {
            debug!("answered");
        }
    }
}
