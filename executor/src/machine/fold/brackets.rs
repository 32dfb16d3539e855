//! Brackets that are open: what was suspended and is not resumed.

use switchback_schemas::{
    journal::At,
    plan::{Bracket, OpenedBy, Plan},
};

use super::RunState;

/// Brackets that this run opened, or found open, and did not close. They are the business of the run that took over, if one did;
/// and what it found open is again that of the run which it continues, when it is back where it began.
pub fn open<'plan>(plan: &'plan Plan, state: &RunState) -> Vec<&'plan Bracket> {
    if state.superseded.is_some() {
        return Vec::new();
    }
    let returns = state.returns(plan);
    let found_open = |bracket: &Bracket| bracket.opened_by == OpenedBy::EarlierRun;
    let is_open = |bracket: &&Bracket| {
        if returns && found_open(bracket) {
            return false;
        }
        // What an earlier run opened is open before this one has looked at it.
        let opened = found_open(bracket)
            || state.is_started(&bracket.open)
            || state.held_over.contains_key(&bracket.id);
        let closing = At::forward(&bracket.close);
        let closed = state.phase(&closing).is_finished() && !state.undone.contains(&bracket.close);
        opened && !closed
    };
    plan.brackets.iter().filter(is_open).collect()
}
