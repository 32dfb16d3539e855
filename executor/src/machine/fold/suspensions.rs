//! Suspensions that are in force: what was suspended and is not resumed.

use switchback_schemas::{
    journal::At,
    plan::{Plan, SuspendedBy, Suspension},
};

use super::RunState;

/// Suspensions that this run began, or found, and did not resume. They are the business of the run that took over, if one did;
/// and what it found open is again that of the run which it continues, when it is back where it began.
pub fn open<'plan>(plan: &'plan Plan, state: &RunState) -> Vec<&'plan Suspension> {
    if state.superseded.is_some() {
        return Vec::new();
    }
    let returns = state.returns(plan);
    let found_open = |suspension: &Suspension| suspension.suspended_by == SuspendedBy::EarlierRun;
    let is_open = |suspension: &&Suspension| {
        if returns && found_open(suspension) {
            return false;
        }
        // What an earlier run opened is open before this one has looked at it.
        let opened = found_open(suspension)
            || state.is_started(&suspension.suspend)
            || state.held_over.contains_key(&suspension.id);
        let closing = At::forward(&suspension.resume);
        let closed = state.phase(&closing).is_finished() && !state.undone.contains(&suspension.resume);
        opened && !closed
    };
    plan.suspensions.iter().filter(is_open).collect()
}
