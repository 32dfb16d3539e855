//! Approvals before they are asked for: whether one would count, and how many of those that a scope needs are given.

use jiff::Timestamp;
use switchback_model::trust::Of;
use switchback_schemas::{
    journal::{Approval, At, Identified},
    name::Label,
    plan::{ApprovalScope, GateKind, Plan, Step},
    report::AwaitedApproval,
};

use super::{
    gates::{one_of_each, same_person, scope_text, who},
    void::Void,
};
use crate::machine::{Machine, Phase};

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
            ApprovalScope::Gate(gate)
                if self.index.plan.gate(gate).is_some_and(|gate| self.index.may_override(gate)) =>
            {
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

    /// What a journal tells of approvals that the plan's trust does not bear out: whoever can write to a store can write a journal, so what
    /// was begun has to have been approved by signatures that hold.
    pub fn unfounded(&self) -> Option<String> {
        let (plan, state) = (&self.index.plan, &self.state);
        let of = Of { run: state.run.as_ref()?, plan: &self.index.digest };
        let trust = self.index.trust.as_ref()?;
        for approval in &state.approvals {
            if let Err(why) = trust.proves(of, approval) {
                return Some(format!("its journal holds an approval by {}, and {why}", who(&approval.by)));
            }
        }
        let given = |scope: &ApprovalScope| {
            let of_scope = state.approvals.iter().filter(|approval| approval.scope == *scope);
            one_of_each(of_scope).len() as u64 >= u64::from(self.index.quorum())
        };
        let began = |step: &&Step| {
            let task = state.task(&At::forward(&step.id));
            task.is_some_and(|task| {
                task.attempts > 0 || matches!(task.phase, Phase::Rolling | Phase::Applied | Phase::Done)
            })
        };
        let asked = |step: &Step| {
            let gates = step.gates.iter().filter_map(|gate| match &plan.gate(gate)?.kind {
                GateKind::Approval(scope) => Some(scope.clone()),
                _ => None,
            });
            let points = plan.points.iter().filter(|point| point.step == step.id);
            gates.chain(points.map(|point| ApprovalScope::Point(point.id.clone()))).collect::<Vec<_>>()
        };
        plan.steps.iter().filter(began).find_map(|step| {
            let scope = asked(step).into_iter().find(|scope| !given(scope))?;
            Some(format!(
                "its journal says that {} began, which nobody had approved ({})",
                step.id,
                scope_text(&scope)
            ))
        })
    }

    /// Who has approved a scope, and how many have to.
    pub fn awaited(&self, scope: &ApprovalScope, now: Timestamp) -> AwaitedApproval {
        let asking = self.asking(now);
        let given: Vec<_> = asking.counted(scope).into_iter().map(|approval| approval.by).collect();
        let gave = |person: &&Label| {
            given.iter().any(|by| matches!(by, Identified::Ssh { name, .. } if name == *person))
        };
        let trust = self.index.plan.platform.trust.iter().flat_map(|trust| &trust.approvers);
        AwaitedApproval {
            scope: scope.clone(),
            may: trust.filter(|person| !gave(person) && !asking.may_not(person)).cloned().collect(),
            given,
            needed: self.index.quorum(),
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
