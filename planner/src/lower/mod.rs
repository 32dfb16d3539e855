//! Lowering: what components build steps with.
//!
//! A component hands typed steps to a [`Lowering`]; it cannot name a client, and what it does not say about a step it is
//! asked for by the type system, not by a default.

pub mod aws;
pub mod changes;
pub mod checks;
pub mod durations;
pub mod failure;
pub mod freeze;
pub mod helm;
pub mod nodes;
pub mod owners;
pub mod rights;
pub mod ways;

use switchback_schemas::{
    Seconds, StepId,
    name::Label,
    plan::{
        Action, BlindSpot, Bracket, Capture, CaptureKind, Change, ClosesEarlier, Condition, Disruption,
        Effect, Estimate, FailureAction, FailurePolicy, Gate, Leftover, Need, NoReturn, Permission, Pool,
        Read, RetryClass, Source, Step, Undo, Verify, Wait, Work,
    },
};

/// What a hop is lowered into.
#[derive(Debug, Default)]
pub struct Lowering {
    /// Steps, in the order in which they were added.
    pub steps: Vec<Step>,
    /// Brackets.
    pub brackets: Vec<Bracket>,
    /// Gates.
    pub gates: Vec<Gate>,
    /// Lines of no return.
    pub lines: Vec<NoReturn>,
    /// Pools that rolls name.
    pub pools: Vec<Pool>,
    /// What was not known.
    pub blind_spots: Vec<BlindSpot>,
    /// Safety nets that outlive the run.
    pub leftovers: Vec<Leftover>,
    /// Ways back of earlier runs of the operation that this plan ends.
    pub closes_earlier: Vec<ClosesEarlier>,
    /// Where facts come from, by key.
    pub sources: std::collections::BTreeMap<String, Source>,
}

impl Lowering {
    /// Adds a step and says its id.
    pub fn add(&mut self, step: Step) -> StepId {
        let id = step.id.clone();
        self.steps.push(step);
        id
    }

    /// Makes a step wait for another one.
    pub fn order(&mut self, step: &StepId, after: &StepId, why: &str) {
        if let Some(step) = self.steps.iter_mut().find(|candidate| candidate.id == *step)
            && !step.needs.iter().any(|need| need.step == *after)
        {
            step.needs.push(Need { step: after.clone(), why: why.to_owned(), source: None });
        }
    }
}

/// What every step of a hop shares.
#[derive(Clone, Debug)]
pub struct HopScope {
    /// The hop's id.
    pub hop: StepId,
    /// The target.
    pub target: Label,
}

impl HopScope {
    /// The id of a step of this hop.
    pub fn id(&self, part: &str) -> StepId {
        StepId::sanitized(&format!("{}/{part}", self.hop))
    }

    /// A step that changes something. Reads are those that the outlook noted since the last step.
    pub fn step(
        &self,
        part: &str,
        title: impl Into<String>,
        effect: Effect,
        undo: Undo,
        reads: Vec<Read>,
    ) -> Draft {
        self.draft(part, title.into(), Action::Effect(effect), undo, reads)
    }

    /// A step that waits until something holds, and only looks; it is there for what holds on it.
    pub fn look(&self, part: &str, title: impl Into<String>, until: Condition, reads: Vec<Read>) -> Draft {
        let undo = Undo::ReadOnly { why: "it only looks".to_owned() };
        self.step(part, title, Effect::Wait(Wait { until }), undo, reads).idempotent()
    }

    /// A step over nodes.
    pub fn roll(
        &self,
        part: &str,
        title: impl Into<String>,
        roll: switchback_schemas::plan::Roll,
        undo: Undo,
    ) -> Draft {
        self.draft(part, title.into(), Action::Roll(roll), undo, Vec::new())
    }

    fn draft(&self, part: &str, title: String, action: Action, undo: Undo, reads: Vec<Read>) -> Draft {
        Draft(Step {
            id: self.id(part),
            hop: self.hop.clone(),
            target: self.target.clone(),
            work: Work { reads, retry: RetryClass::NotDone, ..Work::new(title, action) },
            needs: Vec::new(),
            undo,
            tier: None,
            // Decided by `failure`, when the whole plan is known.
            on_failure: FailurePolicy { action: FailureAction::Hold, why: String::new() },
            gates: Vec::new(),
            changes: Vec::new(),
        })
    }
}

/// A step that is being built.
#[must_use]
pub struct Draft(Step);

impl Draft {
    /// It comes after another step.
    pub fn needs(mut self, step: &StepId, why: impl Into<String>, source: Option<&str>) -> Self {
        self.0.needs.push(Need { step: step.clone(), why: why.into(), source: source.map(str::to_owned) });
        self
    }

    /// When it is done already.
    pub fn done_when(mut self, condition: Condition) -> Self {
        self.0.work.done_when = Some(condition);
        self
    }

    /// What must hold after it.
    pub fn verify(mut self, verify: impl IntoIterator<Item = Verify>) -> Self {
        self.0.work.verify.extend(verify);
        self
    }

    /// How long it may take; how long it is expected to, the catalog says.
    pub fn within(mut self, timeout: Seconds) -> Self {
        self.0.work.timeout = timeout;
        self
    }

    /// How long it may take, and how long it is expected to.
    pub fn time(mut self, timeout: Seconds, estimate: Estimate) -> Self {
        self.0.work.timeout = timeout;
        self.0.work.estimate = estimate;
        self
    }

    /// It can be called again without harm.
    pub fn idempotent(mut self) -> Self {
        self.0.work.retry = RetryClass::Idempotent;
        self
    }

    /// What it does to workloads.
    pub fn disrupts(mut self, disruption: Disruption, tier: Option<u32>) -> Self {
        self.0.work.disruption = disruption;
        self.0.tier = tier;
        self
    }

    /// What is read and kept before it.
    pub fn captures(mut self, name: &str, what: CaptureKind) -> Self {
        self.0.work.captures.push(Capture { name: name.to_owned(), what });
        self
    }

    /// What the credentials must allow.
    pub fn permits(mut self, permissions: impl IntoIterator<Item = Permission>) -> Self {
        self.0.work.permissions.extend(permissions);
        self
    }

    /// What is expected to change.
    pub fn changes(mut self, changes: Vec<Change>) -> Self {
        self.0.changes = changes;
        self
    }

    /// A gate that it waits for.
    pub fn gate(mut self, gate: &Label) -> Self {
        self.0.gates.push(gate.clone());
        self
    }

    /// Its id.
    pub fn id(&self) -> &StepId {
        &self.0.id
    }

    /// The finished step.
    pub fn done(self) -> Step {
        self.0
    }
}

/// A permission of a typed call.
pub fn permission(verb: &str, group: &str, resource: &str, namespace: Option<&str>) -> Permission {
    Permission {
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.map(str::to_owned),
        declared: false,
    }
}

/// A condition to verify with a title.
pub fn verify(title: impl Into<String>, condition: Condition, settle: Seconds, within: Seconds) -> Verify {
    Verify { condition, settle, within, title: title.into() }
}
