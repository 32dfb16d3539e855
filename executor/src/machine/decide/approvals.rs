//! Approvals before they are asked for: whether one would count, and how many of those that a scope needs are given.

use jiff::Timestamp;
use switchback_schemas::{
    journal::Approval,
    name::Label,
    plan::{ApprovalScope, GateKind, Plan},
    report::AwaitedApproval,
};

use super::gates::{scope_text, who};
use crate::machine::Machine;

/// Why an approval does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// It is of another plan.
    #[error("it is of another plan, with another review digest")]
    OtherReview,
    /// Nobody proved the name.
    #[error("platform {0} counts proven identities only")]
    Unproven(Label),
    /// It counts no more, or not yet.
    #[error("it expires at {0}, which has passed")]
    Expired(Timestamp),
    /// The same person has approved the same, for at least as long.
    #[error("{by} has approved {scope} at {given}, and a person counts once")]
    Again {
        /// Who.
        by: String,
        /// What.
        scope: String,
        /// When.
        given: Timestamp,
    },
    /// Nothing waits for it, now or later.
    #[error("nothing of the plan asks for an approval of {0}")]
    NotAsked(String),
    /// An override says why, and ends.
    #[error("gate {0} is passed by an override, which needs a reason and an end")]
    NoOverride(Label),
}

impl Void {
    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::OtherReview => "review the plan of the run as it is, and approve that",
            Self::Unproven(_) => "pass --kubeconfig, and no --asserted",
            Self::Expired(_) => "pass a later --expires, or none",
            Self::Again { .. } => {
                "`switchback status` shows who has approved; somebody else has to, or nobody"
            }
            Self::NotAsked(_) => "`switchback status` shows what the run waits for",
            Self::NoOverride(_) => "`switchback override GATE --reason TEXT --expires INSTANT`",
        }
    }
}

impl Machine {
    /// Why an approval that somebody is about to give would not count.
    pub fn void(&self, approval: &Approval, now: Timestamp) -> Option<Void> {
        let asking = self.asking(now);
        if let Some(void) = asking.void(approval) {
            return Some(void);
        }
        let scope = || scope_text(&approval.scope);
        match &approval.scope {
            scope if is_asked(&self.index.plan, scope) => {}
            ApprovalScope::Gate(gate) if self.index.plan.gate(gate).is_some_and(|gate| gate.may_override) => {
                let said = approval.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
                if !said || approval.expires.is_none() {
                    return Some(Void::NoOverride(gate.clone()));
                }
            }
            _ => return Some(Void::NotAsked(scope())),
        }
        let lasts = |earlier: &Approval| match (earlier.expires, approval.expires) {
            (None, _) => true,
            (Some(earlier), Some(new)) => earlier >= new,
            (Some(_), None) => false,
        };
        let mut same = asking.approvals.iter().filter(|earlier| {
            earlier.scope == approval.scope && earlier.by == approval.by && asking.counts(earlier)
        });
        let earlier = same.find(|earlier| lasts(earlier))?;
        Some(Void::Again { by: who(&earlier.by), scope: scope(), given: earlier.given })
    }

    /// Who has approved a scope, and how many have to.
    pub fn awaited(&self, scope: &ApprovalScope, now: Timestamp) -> AwaitedApproval {
        let given = self.asking(now).counted(scope);
        AwaitedApproval {
            scope: scope.clone(),
            given: given.into_iter().map(|approval| approval.by).collect(),
            needed: self.index.plan.platform.quorum.max(1),
        }
    }
}

/// Whether something of a plan asks for an approval of a scope.
fn is_asked(plan: &Plan, scope: &ApprovalScope) -> bool {
    let by_gate = || plan.gates.iter().any(|gate| gate.kind == GateKind::Approval(scope.clone()));
    match scope {
        ApprovalScope::Plan {} | ApprovalScope::Gate(_) => by_gate(),
        ApprovalScope::Point(point) => plan.points.iter().any(|known| known.id == *point) || by_gate(),
        ApprovalScope::Cleanup {} => !plan.retentions.is_empty(),
        ApprovalScope::Worse(_) => true,
    }
}
