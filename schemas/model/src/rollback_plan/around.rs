//! What stands around the steps of a plan that rolls back: gates, windows, suspensions, savepoints, hops.

use std::collections::BTreeSet;

use switchback_schemas::{
    StepId,
    name::{Label, SavepointId},
    plan::{ApprovalScope, Gate, GateKind, Hop, HopBasis, Savepoint, Step, Suspension, Window, WindowUse},
};

use super::{NoPlan, back::Back};

impl Back<'_> {
    /// Windows for rolling back are those in which this plan runs, and freezes do not concern it; forward windows are for going
    /// back on it.
    pub(super) fn gates(&self) -> (Vec<Gate>, Vec<Window>) {
        let turned = |window: &Window| {
            let used_for = match window.used_for {
                WindowUse::Rollback => WindowUse::Forward,
                WindowUse::Forward => WindowUse::Rollback,
                WindowUse::Freeze => return None,
            };
            Some(Window { used_for, ..window.clone() })
        };
        let windows: Vec<Window> = self.plan.windows.iter().filter_map(turned).collect();
        let any = windows.iter().any(|window| window.used_for == WindowUse::Forward);
        let gate = any.then(|| Gate {
            id: Label::sanitized("window"),
            title: "a rollback window is open".to_owned(),
            kind: GateKind::Window(WindowUse::Forward),
            may_override: true,
        });
        (gate.into_iter().collect(), windows)
    }

    /// Whoever had to approve the plan forward approves the one back.
    pub(super) fn approvals(&self, steps: &mut [Step], gates: &mut Vec<Gate>) {
        let plan = |gate: &&Gate| matches!(gate.kind, GateKind::Approval(ApprovalScope::Plan {}));
        for gate in self.plan.gates.iter().filter(plan) {
            for step in steps.iter_mut().filter(|step| step.needs.is_empty()) {
                step.gates.push(gate.id.clone());
            }
            gates.push(gate.clone());
        }
    }

    /// The suspension that is open where the way begins and that a rollback step closes.
    pub(super) fn resumes(&self, undone: &StepId) -> Option<&Suspension> {
        let undoes = |rollback: &StepId, step: &StepId| {
            self.plan.rollback_step(rollback).is_some_and(|rollback| rollback.undoes.contains(step))
        };
        let open = |suspension: &&Suspension| {
            undoes(undone, &suspension.suspend) && !self.ids.keys().any(|id| undoes(id, &suspension.resume))
        };
        self.plan.suspensions.iter().find(open)
    }

    /// Rolling back past a closed suspension opens it and closes it again.
    pub(super) fn suspensions(&self) -> Vec<Suspension> {
        let both = self.plan.suspensions.iter().filter_map(|suspension| {
            // Its halves have to be undone like those of any suspension.
            let turned = |step: &StepId| {
                let undo = self.plan.rollback_of(step).find(|undo| self.ids.contains_key(&undo.id))?;
                self.ids.get(&undo.id).filter(|_| self.again(undo).is_ok()).cloned()
            };
            let (suspend, resume) = (turned(&suspension.resume)?, turned(&suspension.suspend)?);
            Some(Suspension { suspend, resume, ..suspension.clone() })
        });
        both.collect()
    }

    /// Where the older plan's savepoints were, as far as the way passes them.
    pub(super) fn savepoints(&self, to: &Savepoint) -> Result<Vec<Savepoint>, NoPlan> {
        let mut savepoints = vec![Savepoint {
            id: SavepointId::new("start")?,
            title: "before the rollback".to_owned(),
            frontier: Vec::new(),
        }];
        let mut gone: BTreeSet<&StepId> = BTreeSet::new();
        for hop in self.plan.hops.iter().rev().filter(|hop| self.hops.contains_key(&hop.id)) {
            let of_hop = |id: &&&StepId| self.hop_of(id) == Some(&hop.id);
            gone.extend(self.ids.keys().filter(of_hop).copied());
            // The last of what is undone by then: what no other of it waits for.
            let waited: BTreeSet<&StepId> = self
                .way
                .steps
                .iter()
                .filter(|back| gone.contains(&back.step))
                .flat_map(|back| &back.needs)
                .collect();
            let last = gone.iter().filter(|id| !waited.contains(*id)).filter_map(|id| self.ids.get(*id));
            let id = SavepointId::new(format!("before-{}", hop.savepoint))?;
            let title = format!("{} is as it was before {}", hop.id.component(), hop.id);
            savepoints.push(Savepoint { id, title, frontier: last.cloned().collect() });
        }
        if let Some(end) = savepoints.last_mut() {
            end.title = format!("rolled back to {} ({})", to.id, to.title);
        }
        Ok(savepoints)
    }

    pub(super) fn new_hops(&self, savepoints: &[Savepoint]) -> Vec<Hop> {
        let undone = self.plan.hops.iter().rev().filter_map(|hop| Some((hop, self.hops.get(&hop.id)?)));
        let new = undone.zip(savepoints.iter().skip(1)).map(|((hop, id), savepoint)| Hop {
            id: id.clone(),
            from: Some(hop.id.to().clone()),
            basis: HopBasis::Predicted,
            after: Vec::new(),
            leave_by: None,
            savepoint: savepoint.id.clone(),
        });
        new.collect()
    }
}

/// Closing a suspension that was open when the way began waits until that is safe.
pub(super) fn safe(suspension: &Suspension) -> Gate {
    Gate {
        id: Label::sanitized(&format!("safe-{}", suspension.id)),
        title: format!("it is safe to resume suspension {}", suspension.id),
        kind: GateKind::Check(suspension.safe_to_resume.clone()),
        may_override: true,
    }
}
