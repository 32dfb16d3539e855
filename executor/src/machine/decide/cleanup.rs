//! Cleanup: a run that is over removes what it kept for its rollbacks. By date nobody is asked; what a rollback still needs goes
//! only with an approval that says so.

use jiff::Timestamp;
use switchback_schemas::{
    StepId,
    journal::{Approval, Event},
    plan::ApprovalScope,
};

use super::gates::Gated;
use crate::machine::{Machine, standing};

/// What closing would remove now.
pub(super) struct ToCleanUp {
    steps: Vec<StepId>,
    /// Those of them that a rollback still needs.
    early: Vec<StepId>,
    /// Approvals that allow that.
    approvals: Vec<Approval>,
}

impl ToCleanUp {
    /// As records, in their order.
    pub(super) fn events(self, already: &[Approval], why: String) -> Vec<Event> {
        let new = self.approvals.into_iter().filter(|approval| !already.contains(approval));
        let turned = Event::TurnedToCleanup { steps: self.steps, early: self.early, why };
        new.map(|approval| Event::Approved { approval }).chain([turned]).collect()
    }
}

impl Machine {
    /// Why nothing can be removed now.
    pub fn obstacle_to_cleanup(&self, early: bool, now: Timestamp) -> Option<String> {
        self.to_clean_up(early, now).err()
    }

    /// What is to be removed: what has had its time, and everything else where that is asked for and approved.
    pub(super) fn to_clean_up(&self, early: bool, now: Timestamp) -> Result<ToCleanUp, String> {
        let standing = standing(&self.index.plan, &self.state);
        if standing.is_empty() {
            return Err("it retains nothing".to_owned());
        }
        let chosen: Vec<_> = standing.iter().filter(|(_, until)| early || *until <= now).collect();
        if chosen.is_empty() {
            let needed: Vec<String> = standing
                .iter()
                .map(|(left, until)| format!("{} is needed until {until}: {}", left.what, left.why))
                .collect();
            return Err(format!("{}; --now deletes it anyway", needed.join("; ")));
        }
        let steps = chosen.iter().map(|(left, _)| left.step.clone()).collect();
        let early: Vec<StepId> =
            chosen.iter().filter(|(_, until)| *until > now).map(|(left, _)| left.step.clone()).collect();
        let approvals = match self.asking(now).approved(&ApprovalScope::Cleanup {}) {
            _ if early.is_empty() => Vec::new(),
            Gated::Pass { approvals, .. } => approvals,
            Gated::Wait { .. } | Gated::Ask(_) => {
                return Err("a rollback still needs it, and approvals are missing: \
                            `switchback approve --cleanup`"
                    .to_owned());
            }
        };
        Ok(ToCleanUp { steps, early, approvals })
    }

    /// Going on with what was begun to be removed.
    pub(super) fn closing_again(&self, why: String, now: Timestamp) -> Option<Event> {
        let closing = self.state.cleanup.as_ref()?;
        let left = standing(&self.index.plan, &self.state).into_iter();
        let left: Vec<_> = left.filter(|(left, _)| closing.steps.contains(&left.step)).collect();
        let early = left.iter().filter(|(_, until)| *until > now).map(|(left, _)| left.step.clone());
        Some(Event::TurnedToCleanup {
            early: early.collect(),
            steps: left.into_iter().map(|(left, _)| left.step.clone()).collect(),
            why,
        })
    }
}
