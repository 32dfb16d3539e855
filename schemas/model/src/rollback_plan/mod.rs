//! A rollback as a plan of its own, to be read, compared, approved and applied like any other.
//!
//! Its steps are the rollback steps of the way, in the induced order. What the run forward captured stays named by the older
//! plan's steps: the plan continues that run, and is handed its captures when it is applied. Made for no run, it can be read
//! and compared only, unless it needs no capture.
//!
//! Rolling back on it is going forward again, where that is the same as it was: one effect that is seen when it is done, loses
//! nothing, crosses no line and undoes no other step with it. Every other step is a point of no return, because only a new plan
//! can decide how to go forward from there.

mod around;
mod back;
#[cfg(test)]
mod tests;
mod whole;

use switchback_schemas::{
    Digest, StepId,
    name::{Label, SavepointId},
    plan::{Plan, Savepoint, SuspendedBy, Suspension},
    report::CarryOver,
};

use crate::{digests::digests, rollback_order::RollbackOrder};
use back::Back;

/// The run that is rolled back in, as it was observed.
#[derive(Clone, Copy, Debug)]
pub struct Continued<'a> {
    /// What it hands over.
    pub carried: &'a CarryOver,
    /// The inventory that holds it: its digest, the name of the observation, and when it was.
    pub seen: (Digest, &'a Label, jiff::Timestamp),
}

/// Why a rollback is no plan.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// A step cannot be undone.
    #[error("no rollback leads past {}", .0.iter().map(StepId::as_str).collect::<Vec<_>>().join(", "))]
    Closed(Vec<StepId>),
    /// Nothing of it was done.
    #[error("there is nothing to undo on the way to {0}; name an earlier savepoint")]
    Nothing(SavepointId),
    /// The run was started from another plan.
    #[error("run {run} was started from plan {plan}; name that one")]
    OtherPlan {
        /// The run.
        run: switchback_schemas::RunId,
        /// Its plan.
        plan: Digest,
    },
    /// The run did not make a capture that the way needs.
    #[error(
        "run {run} captured no {name:?} of {step}, which the rollback needs; `switchback rollback` shows what is left"
    )]
    NotCaptured {
        /// The run.
        run: switchback_schemas::RunId,
        /// The step.
        step: StepId,
        /// The capture.
        name: String,
    },
    /// A roll is about nodes that only the run knows.
    #[error(
        "{0} moves the nodes that were there when another step of its run ended; only `switchback rollback` can do that"
    )]
    Roll(StepId),
    /// The way opens a suspension again that an earlier run of the operation opened first.
    #[error(
        "suspension {0} is of an earlier run of the operation, which resumes it in its own rollback; only \
         `switchback rollback` returns the platform to that run"
    )]
    Reopens(Label),
    /// A name does not come out as one.
    #[error(transparent)]
    Name(#[from] switchback_schemas::name::BadName),
    /// The plan cannot be written.
    #[error("the plan cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes a rollback to a savepoint of a plan, whose bytes have this digest.
pub fn rollback_plan(
    plan: &Plan,
    digest: Digest,
    way: &RollbackOrder,
    to: &Savepoint,
    continued: Option<Continued<'_>>,
) -> Result<Plan, NoPlan> {
    if !way.is_open() {
        return Err(NoPlan::Closed(way.commits.clone()));
    }
    if way.steps.is_empty() {
        return Err(NoPlan::Nothing(to.id.clone()));
    }
    if let Some(Continued { carried, .. }) = continued
        && carried.plan != digest
    {
        return Err(NoPlan::OtherPlan { run: carried.run.clone(), plan: carried.plan });
    }
    if let Some(suspension) = plan.suspensions.iter().find(|suspension| reopens(plan, way, suspension)) {
        return Err(NoPlan::Reopens(suspension.id.clone()));
    }
    let back = Back::new(plan, way);
    let mut made = back.plan(to, continued)?;
    if let Some(Continued { carried, .. }) = continued {
        known(&made, carried)?;
    }
    made.digests = digests(&made)?;
    Ok(made)
}

/// Whether the way takes the closing of a suspension back whose opening is no step of the plan's own.
fn reopens(plan: &Plan, way: &RollbackOrder, suspension: &Suspension) -> bool {
    let found_open = suspension.suspended_by == SuspendedBy::EarlierRun;
    found_open && way.rollback_steps(plan).any(|step| step.undoes.contains(&suspension.resume))
}

/// Whether the run made every capture that the plan uses of it.
fn known(made: &Plan, carried: &CarryOver) -> Result<(), NoPlan> {
    for (step, name) in made.works().flat_map(|(_, work)| work.captures_used()) {
        let own = made.step(&step).is_some();
        if !own && !carried.captures.get(&step).is_some_and(|captures| captures.contains_key(&name)) {
            return Err(NoPlan::NotCaptured { run: carried.run.clone(), step, name });
        }
    }
    Ok(())
}
