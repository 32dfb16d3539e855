//! Approvals before they are asked for: whether one would count, and how many of those that a scope needs are given.

use jiff::Timestamp;
use switchback_schemas::{
    journal::{Approval, Identified},
    name::Label,
    plan::{ApprovalScope, GateKind, Plan},
    report::AwaitedApproval,
};

use super::{
    gates::{same_person, scope_text, who},
    void::Void,
};
use crate::machine::Machine;

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
            earlier.scope == approval.scope
                && same_person(&earlier.by, &approval.by)
                && asking.counts(earlier)
        });
        let earlier = same.find(|earlier| lasts(earlier))?;
        Some(Void::Again { by: who(&earlier.by), scope: scope(), given: earlier.given })
    }

    /// Who has approved a scope, and how many have to.
    pub fn awaited(&self, scope: &ApprovalScope, now: Timestamp) -> AwaitedApproval {
        let given: Vec<_> = self.asking(now).counted(scope).into_iter().map(|approval| approval.by).collect();
        let gave = |person: &&Label| {
            given.iter().any(|by| matches!(by, Identified::Ssh { name, .. } if name == *person))
        };
        let trust = self.index.plan.platform.trust.iter().flat_map(|trust| &trust.people);
        AwaitedApproval {
            scope: scope.clone(),
            may: trust.filter(|person| !gave(person)).cloned().collect(),
            given,
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
