//! Undo steps as steps, and what undoes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use switchback_schemas::{
    Digest, StepId,
    name::Label,
    plan::{
        Action, ApprovalScope, Arguments, Digests, FailureAction, FailurePolicy, Gate, GateKind, Hop, Inputs,
        Need, NoReturn, Operand, Parent, Plan, Read, ReadBasis, Savepoint, Stale, Step, Undo, UndoKind,
        UndoStep, Work,
    },
};

use super::{Continued, NoPlan, around::safe};
use crate::{lint::used_features, way_back::WayBack};

/// A way back that is being written down.
pub(super) struct Back<'a> {
    pub(super) plan: &'a Plan,
    pub(super) way: &'a WayBack,
    /// New ids, by those of the steps that are undone.
    pub(super) ids: BTreeMap<&'a StepId, StepId>,
    /// New hops, by those that are undone.
    pub(super) hops: BTreeMap<&'a StepId, StepId>,
}

impl<'a> Back<'a> {
    pub(super) fn new(plan: &'a Plan, way: &'a WayBack) -> Self {
        let steps = || way.steps.iter().filter_map(|back| plan.step(&back.step));
        let undone: BTreeSet<&StepId> = steps().map(|step| &step.hop).collect();
        let hops = plan.hops.iter().filter(|hop| undone.contains(&hop.id));
        let hops: BTreeMap<&StepId, StepId> = hops.map(|hop| (&hop.id, back_of(hop))).collect();
        let id = |step: &'a Step| {
            let hop = hops.get(&step.hop).map_or("back", StepId::as_str);
            let part =
                step.id.as_str().strip_prefix(step.hop.as_str()).and_then(|rest| rest.strip_prefix('/'));
            (&step.id, StepId::sanitized(&format!("{hop}/{}", part.unwrap_or(step.id.as_str()))))
        };
        Self { plan, way, ids: steps().map(id).collect(), hops }
    }

    pub(super) fn plan(&self, to: &Savepoint, continued: Option<Continued<'_>>) -> Result<Plan, NoPlan> {
        let (mut gates, windows) = self.gates();
        let everywhere: Vec<Label> = gates.iter().map(|gate| gate.id.clone()).collect();
        let (mut steps, mut lines) = (Vec::new(), Vec::new());
        for back in &self.way.steps {
            let Some((mut step, again)) = self.step(&back.step, &back.needs)? else { continue };
            step.gates.clone_from(&everywhere);
            if let Some(bracket) = self.closes(&back.step) {
                let gate = safe(bracket);
                step.gates.push(gate.id.clone());
                gates.push(gate);
            }
            if let Some(line) = again {
                let kind = GateKind::Approval(ApprovalScope::Line(line.id.clone()));
                let title = format!("approve that {}", line.closes);
                step.gates.push(line.id.clone());
                gates.push(Gate { id: line.id.clone(), title, kind, may_override: false });
                lines.push(line);
            }
            steps.push(step);
        }
        self.approvals(&mut steps, &mut gates);
        steps.sort_by(|one, other| one.id.cmp(&other.id));
        lines.sort_by(|one, other| one.id.cmp(&other.id));
        let savepoints = self.savepoints(to)?;
        let mut features = used_features(&steps, &[]);
        features.extend(continued.map(|_| "continue".to_owned()));
        Ok(Plan {
            features,
            parent: continued.map(|Continued { carried, .. }| Parent {
                run: carried.run.clone(),
                plan: carried.plan,
                journal_head: carried.journal_head.clone(),
                savepoint: carried.savepoint.clone(),
                closes: Vec::new(),
            }),
            inputs: self.inputs(continued),
            digests: Digests { effects: Digest::of(""), review: Digest::of("") },
            hops: self.new_hops(&savepoints),
            steps,
            savepoints,
            brackets: self.brackets(),
            gates,
            lines,
            windows,
            untested: Vec::new(),
            notices: Vec::new(),
            leftovers: Vec::new(),
            ..self.plan.clone()
        })
    }

    fn inputs(&self, continued: Option<Continued<'_>>) -> Inputs {
        let inputs = self.plan.inputs.clone();
        match continued {
            None => inputs,
            Some(Continued { seen: (inventory, observation, observed_at), .. }) => {
                Inputs { inventory, observation: observation.clone(), observed_at, ..inputs }
            }
        }
    }

    /// The undo of a step as a step, and the line that it crosses where going forward again is not the same as it was.
    fn step(
        &self,
        undone: &StepId,
        needs: &BTreeSet<StepId>,
    ) -> Result<Option<(Step, Option<NoReturn>)>, NoPlan> {
        let (Some(old), Some(id)) = (self.plan.step(undone), self.ids.get(undone)) else { return Ok(None) };
        let Undo::Step(undo) = &old.undo else { return Ok(None) };
        if let Action::Roll(roll) = &undo.work.action
            && matches!(roll.stale, Stale::BornBefore(_))
        {
            return Err(NoPlan::Roll(undone.clone()));
        }
        let need = |need: &StepId| {
            let why = format!("it is undone before {undone}, as it came after it");
            Some(Need { step: self.ids.get(need)?.clone(), why, source: None })
        };
        let (undo_again, line) = match self.again(old, undo) {
            Ok(again) => (Undo::Step(Box::new(again)), None),
            Err(why) => {
                let name = Label::sanitized(&id.as_str().replace(['/', '@', '.', ':'], "-"));
                let recovery = "make a new plan forward, from what is there then".to_owned();
                let line = NoReturn {
                    id: name,
                    step: id.clone(),
                    closes: format!("what {undone} did is gone back on for good: {why}"),
                    recovery: recovery.clone(),
                };
                (Undo::Commit { why, recovery }, Some(line))
            }
        };
        // What an earlier step left is what is there now.
        let observed = |read: &Read| Read { basis: ReadBasis::Observed {}, ..read.clone() };
        let step = Step {
            id: id.clone(),
            hop: self.hops.get(&old.hop).cloned().unwrap_or_else(|| old.hop.clone()),
            target: old.target.clone(),
            work: Work { reads: undo.work.reads.iter().map(observed).collect(), ..undo.work.clone() },
            needs: needs.iter().filter_map(need).collect(),
            undo: undo_again,
            tier: old.tier,
            on_failure: FailurePolicy {
                action: FailureAction::Hold,
                why: "a way back that fails is looked at by a person".to_owned(),
            },
            gates: Vec::new(),
            changes: Vec::new(),
        };
        Ok(Some((own_captures(step, undone, undo), line)))
    }

    /// Going forward again, or why that would not be what it was.
    pub(super) fn again(&self, old: &Step, undo: &UndoStep) -> Result<UndoStep, String> {
        let covers = |step: &&Step| matches!(&step.undo, Undo::CoveredBy { step, .. } if *step == old.id);
        if let Some(covered) = self.plan.steps.iter().find(covers) {
            return Err(format!("{} is undone with it", covered.id));
        }
        if !undo.loses.is_empty() || undo.kind == UndoKind::RestoreOnly {
            let what = if undo.loses.is_empty() {
                "what was written since".to_owned()
            } else {
                undo.loses.join(", ")
            };
            return Err(format!("it loses {what}"));
        }
        if self.plan.lines.iter().any(|line| line.step == old.id) {
            return Err("going forward again would cross a line of no return".to_owned());
        }
        if matches!(old.work.action, Action::Roll(_)) || matches!(undo.work.action, Action::Roll(_)) {
            return Err("nodes that moved back are moved forward by a new plan only".to_owned());
        }
        if old.work.done_when.is_none() {
            return Err("nobody could see whether it was done again".to_owned());
        }
        Ok(UndoStep::new(Work {
            title: format!("{} again", old.work.title),
            reads: Vec::new(),
            captures: Vec::new(),
            ..old.work.clone()
        }))
    }
}

/// The hop that goes back from another.
fn back_of(hop: &Hop) -> StepId {
    let (name, _) = hop.id.as_str().rsplit_once('@').unwrap_or((hop.id.as_str(), ""));
    match &hop.from {
        Some(from) => StepId::sanitized(&format!("{name}@{from}/back")),
        None => StepId::sanitized(&format!("{}/back", hop.id)),
    }
}

/// What an undo step captures itself is captured by the new step.
fn own_captures(mut step: Step, undone: &StepId, undo: &UndoStep) -> Step {
    let names = undo.work.captures.iter().map(|capture| capture.name.as_str()).collect();
    let mut own = Own { from: undone, to: step.id.clone(), names };
    let Ok(()) = step.work.visit(&mut own);
    if let Undo::Step(again) = &mut step.undo {
        let Ok(()) = again.work.visit(&mut own);
    }
    step
}

/// Captures of these names that one step made are those of another.
struct Own<'plan> {
    from: &'plan StepId,
    to: StepId,
    names: BTreeSet<&'plan str>,
}

impl Arguments for Own<'_> {
    type Error = Infallible;

    fn operand(&mut self, operand: &mut Operand) -> Result<(), Infallible> {
        match operand {
            Operand::Captured { step, name } => self.restored(step, name),
            Operand::Value(_) => Ok(()),
        }
    }

    fn restored(&mut self, step: &mut StepId, name: &mut String) -> Result<(), Infallible> {
        if step == self.from && self.names.contains(name.as_str()) {
            *step = self.to.clone();
        }
        Ok(())
    }
}
