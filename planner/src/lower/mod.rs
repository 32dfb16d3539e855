//! Lowering: what components build steps with.
//!
//! A component hands typed steps to a [`Lowering`]; it cannot name a client, and what it does not say about a step it is
//! asked for by the type system, not by a default.

pub mod changes;
pub mod checks;
pub mod drivers;
pub mod estimates;
pub mod failure;
pub mod freeze;
pub mod groups;
pub mod node_work;
pub mod nodes;
pub mod opting_out;
pub mod pools;
pub mod quarantine;
mod rollback;
pub mod rollback_deadline;
pub mod suspension;

use switchback_schemas::{
    HopId, Seconds, StepId,
    name::Label,
    plan::{
        Action, ApprovalScope, BlindSpot, Capture, CaptureKind, Change, Condition, Disruption, Effect,
        Estimate, ExpiresEarlier, FailureAction, FailurePolicy, Gate, GateKind, Need, PointOfNoReturn, Pool,
        Read, Retention, RetryClass, RollbackStep, Source, Step, Suspension, Verify, Wait, Work,
    },
};

pub use rollback::{Rollback, Undoing};

use crate::hop::HopSpec;

/// What a hop is lowered into.
#[derive(Debug, Default)]
pub struct Lowering {
    /// Steps, in the order in which they were added.
    pub steps: Vec<Step>,
    /// Rollback steps, in the order in which they were added.
    pub rollback: Vec<RollbackStep>,
    /// Suspensions.
    pub suspensions: Vec<Suspension>,
    /// Gates.
    pub gates: Vec<Gate>,
    /// Points of no return.
    pub points: Vec<PointOfNoReturn>,
    /// Pools that rolls name.
    pub pools: Vec<Pool>,
    /// What was not known.
    pub blind_spots: Vec<BlindSpot>,
    /// Safety nets that outlive the run.
    pub retentions: Vec<Retention>,
    /// Rollbacks of earlier runs of the operation that this plan ends.
    pub expires_earlier: Vec<ExpiresEarlier>,
    /// Where facts come from, by key.
    pub sources: std::collections::BTreeMap<String, Source>,
}

impl Lowering {
    /// Adds a step with what undoes it, and says its id.
    pub fn add(&mut self, draft: Draft) -> StepId {
        let Draft { step, undo } = draft;
        let id = step.id.clone();
        match undo {
            Undoing::By(rollback) => self.rollback.push(rollback.named(id.clone(), vec![id.clone()])),
            Undoing::With(rollback) => self.undoes(&rollback, &id),
            Undoing::Unneeded(_) | Undoing::Apart | Undoing::Irreversible { .. } => {}
        }
        self.steps.push(step);
        id
    }

    /// Adds a point of no return and the gate, titled `asks`, that an approval of it passes. Says the id of both.
    pub fn point_of_no_return(&mut self, asks: String, point: PointOfNoReturn) -> Label {
        let id = point.id.clone();
        self.gates.push(Gate {
            id: id.clone(),
            title: asks,
            kind: GateKind::Approval(ApprovalScope::Point(id.clone())),
            may_override: false,
        });
        self.points.push(point);
        id
    }

    /// Makes a rollback step undo another step, too.
    pub fn undoes(&mut self, rollback: &StepId, step: &StepId) {
        if let Some(rollback) = self.rollback.iter_mut().find(|candidate| candidate.id == *rollback)
            && !rollback.undoes.contains(step)
        {
            rollback.undoes.push(step.clone());
        }
    }

    /// Makes a step wait for another one.
    pub fn order(&mut self, step: &StepId, after: &StepId, why: &str) {
        if let Some(step) = self.steps.iter_mut().find(|candidate| candidate.id == *step)
            && !step.needs.iter().any(|need| need.step == *after)
        {
            step.needs.push(need(after, why, None));
        }
    }
}

/// That a step comes first.
pub fn need(step: &StepId, why: impl Into<String>, source: Option<&str>) -> Need {
    Need { step: step.clone(), why: why.into(), source: source.map(str::to_owned) }
}

/// What every step of a hop shares.
#[derive(Clone, Debug)]
pub struct HopScope {
    /// The hop's id.
    pub hop: HopId,
    /// The target.
    pub target: Label,
}

impl HopScope {
    /// What the steps of a hop share.
    pub fn of(hop: &HopSpec) -> Self {
        Self { hop: hop.id(), target: hop.target.clone() }
    }

    /// The id of a step of this hop.
    pub fn id(&self, part: &str) -> StepId {
        self.hop.step(part)
    }

    /// A step that changes something. Reads are those that the predicted state noted since the last step.
    pub fn step(
        &self,
        part: &str,
        title: impl Into<String>,
        effect: Effect,
        undo: Undoing,
        reads: Vec<Read>,
    ) -> Draft {
        self.draft(part, title.into(), Action::Effect(effect), undo, reads)
    }

    /// A step that waits until something holds, and only looks; it is there for what holds on it.
    pub fn look(&self, part: &str, title: impl Into<String>, until: Condition, reads: Vec<Read>) -> Draft {
        let undo = Undoing::Unneeded("it only reads".to_owned());
        self.step(part, title, Effect::Wait(Wait { until }), undo, reads).idempotent()
    }

    /// A step over nodes.
    pub fn roll(
        &self,
        part: &str,
        title: impl Into<String>,
        roll: switchback_schemas::plan::Roll,
        undo: Undoing,
    ) -> Draft {
        self.draft(part, title.into(), Action::Roll(roll), undo, Vec::new())
    }

    fn draft(&self, part: &str, title: String, action: Action, undo: Undoing, reads: Vec<Read>) -> Draft {
        let step = Step {
            id: self.id(part),
            hop: self.hop.clone(),
            target: self.target.clone(),
            work: Work { reads, retry: RetryClass::NotDone, ..Work::new(title, action) },
            needs: Vec::new(),
            undo: undo.of_step(),
            tier: None,
            // Decided by `failure`, when the whole plan is known.
            on_failure: FailurePolicy { action: FailureAction::Hold, why: String::new() },
            gates: Vec::new(),
            changes: Vec::new(),
        };
        Draft { step, undo }
    }
}

/// A step that is being built.
#[must_use]
#[derive(Debug)]
pub struct Draft {
    step: Step,
    undo: Undoing,
}

impl Draft {
    /// It comes after another step.
    pub fn needs(mut self, step: &StepId, why: impl Into<String>, source: Option<&str>) -> Self {
        self.step.needs.push(need(step, why, source));
        self
    }

    /// It comes after other steps.
    pub fn after(mut self, needs: impl IntoIterator<Item = Need>) -> Self {
        self.step.needs.extend(needs);
        self
    }

    /// When it is done already.
    pub fn done_when(mut self, condition: Condition) -> Self {
        self.step.work.done_when = Some(condition);
        self
    }

    /// What must hold after it.
    pub fn verify(mut self, verify: impl IntoIterator<Item = Verify>) -> Self {
        self.step.work.verify.extend(verify);
        self
    }

    /// How long it may take; how long it is expected to, the catalog says.
    pub fn within(mut self, timeout: Seconds) -> Self {
        self.step.work.timeout = timeout;
        self
    }

    /// How long it may take, and how long it is expected to.
    pub fn time(mut self, timeout: Seconds, estimate: Estimate) -> Self {
        self.step.work.timeout = timeout;
        self.step.work.estimate = estimate;
        self
    }

    /// It can be called again without harm.
    pub fn idempotent(mut self) -> Self {
        self.step.work.retry = RetryClass::Idempotent;
        self
    }

    /// It is undone otherwise than who made it would: what has to hold for that is known to the component alone.
    pub fn undone(mut self, undo: Undoing) -> Self {
        self.step.undo = undo.of_step();
        self.undo = undo;
        self
    }

    /// What it does to workloads.
    pub fn disrupts(mut self, disruption: Disruption, tier: Option<u32>) -> Self {
        self.step.work.disruption = disruption;
        self.step.tier = tier;
        self
    }

    /// What is read and kept before it.
    pub fn captures(mut self, name: &str, what: CaptureKind) -> Self {
        self.step.work.captures.push(Capture { name: name.to_owned(), what });
        self
    }

    /// What is expected to change.
    pub fn changes(mut self, changes: Vec<Change>) -> Self {
        self.step.changes = changes;
        self
    }

    /// A gate that it waits for.
    pub fn gate(mut self, gate: &Label) -> Self {
        self.step.gates.push(gate.clone());
        self
    }

    /// Its id.
    pub fn id(&self) -> &StepId {
        &self.step.id
    }
}

/// A condition to verify with a title.
pub fn verify(title: impl Into<String>, condition: Condition, settle: Seconds, within: Seconds) -> Verify {
    Verify { condition, settle, within, title: title.into() }
}
