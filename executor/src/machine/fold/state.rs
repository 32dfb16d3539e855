//! The state of a run: nothing but a fold of its journal over its plan.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;
use switchback_schemas::{
    Digest, HopId, ItemKey, RunId, Seconds, StepId,
    journal::{
        Approval, At, AtItem, Captured, Class, End, Evidence, Identified, Item, Residue, RollbackScope,
        WaitsFor, Way,
    },
    name::{Label, SavepointId},
    plan::Plan,
};

use super::Census;

/// The state of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// The run; absent before the first record.
    pub run: Option<RunId>,
    /// The chain of plans that it belongs to.
    pub operation: Option<RunId>,
    /// What approvals bind to.
    pub review: Option<Digest>,
    /// How many records there are.
    pub records: u64,
    /// The epoch of the process that may write.
    pub epoch: u64,
    /// Whose credentials applied it.
    pub appliers: BTreeSet<Identified>,
    /// When the run began.
    pub began: Option<Timestamp>,
    /// When the present process took it over.
    pub taken_over: Option<Timestamp>,
    /// When the last record was written.
    pub last: Option<Timestamp>,
    /// Whether the platform is this run's.
    pub claimed: bool,
    /// Rolling back, and how far; absent while it goes forward.
    pub back: Option<Back>,
    /// How it had ended, when a process took it up again.
    pub reopened: Option<End>,
    /// Removing what it kept; absent while it does not.
    pub cleanup: Option<Cleanup>,
    /// Why nothing is started.
    pub hold: Option<Hold>,
    /// Why no process works on it.
    pub parked: Option<(Vec<WaitsFor>, Option<Timestamp>)>,
    /// How it ended, and what it left.
    pub ended: Option<(End, Vec<Residue>)>,
    /// The run that took over.
    pub superseded: Option<RunId>,
    /// Hops that cannot be taken back any more since a run that had taken over returned, and why.
    pub lost: BTreeMap<HopId, String>,
    /// How much of the side log was acted on.
    pub heard: u64,
    /// Approvals that counted.
    pub approvals: Vec<Approval>,
    /// Every place that has a record.
    pub tasks: BTreeMap<At, Task>,
    /// Rolls that have begun, by the roll's own place.
    pub rolls: BTreeMap<At, RollState>,
    /// Steps that are undone: every rollback step that undoes them is done.
    pub undone: BTreeSet<StepId>,
    /// What was counted on the platform.
    pub census: Census,
    /// Savepoints that hold, in the order in which they were reached.
    pub reached: Vec<SavepointId>,
    /// Suspensions that had to be left, and why.
    pub held_over: BTreeMap<Label, String>,
    /// What happened on the side.
    pub notes: Vec<String>,
    /// Places whose failure nobody has answered yet.
    pub failed: BTreeSet<At>,
    /// Places whose call is open, blocked, doubtful, to be repeated or to be verified.
    pub open: BTreeSet<At>,
    /// Steps forward, by number, whose needs are done and that are not done themselves; the longest chain first.
    pub ready: BTreeSet<(Reverse<Seconds>, usize)>,
    /// For each step, how many of its needs are not done.
    pub(in crate::machine) lacking: Vec<usize>,
    /// For each savepoint, how many of the steps that it adds are not done.
    pub(in crate::machine) missing: Vec<usize>,
    /// For each savepoint, whether every step of it is done.
    pub(in crate::machine) whole: Vec<bool>,
    /// Savepoints, by number, of which every step is done and that were not reached.
    pub(in crate::machine) holding: BTreeSet<usize>,
}

/// Where a place stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing was called.
    New,
    /// A call is open.
    Called,
    /// The effect happened and is not verified yet; for a roll: it converged.
    Applied,
    /// The effect waits for something outside.
    Blocked,
    /// The effect did not happen and is tried again.
    Again,
    /// Nobody knows whether the effect happened.
    InDoubt,
    /// The same, and a person decides.
    Asked,
    /// A roll is under way.
    Rolling,
    /// It failed.
    Failed,
    /// What it was compiled from does not hold.
    Stopped,
    /// Its verification could not be read.
    Unproven,
    /// Done and verified.
    Done,
    /// It was done already.
    Skipped,
    /// Left open on purpose: the rollback of a suspension's opening that would not be safe.
    LeftSuspended,
}

impl Phase {
    /// Whether what depends on it may start.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Done | Self::Skipped | Self::LeftSuspended)
    }

    /// Whether it goes no further without an answer to its failure.
    pub fn is_failed(self) -> bool {
        matches!(self, Self::Failed | Self::Stopped | Self::Unproven | Self::Asked)
    }

    /// Whether the run has still something to find out or to wait for here.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::Called | Self::Applied | Self::Blocked | Self::Again | Self::InDoubt | Self::Rolling
        )
    }
}

/// What became of one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Where it stands.
    pub phase: Phase,
    /// How often it was called, over all rounds.
    pub attempts: u32,
    /// How often in a row the effect did not happen.
    pub failures: u32,
    /// How many of those count: what an outage does to a call never makes it a failure, however often it is tried.
    pub strikes: u32,
    /// How often it was undone and begins anew. A new round is a new effect, with a token of its own.
    pub round: u32,
    /// Whether a call of this round may have changed something.
    pub touched: bool,
    /// Gates that this process saw pass.
    pub passed: BTreeSet<Label>,
    /// What was kept.
    pub captured: BTreeMap<String, Captured>,
    /// When its first record was written.
    pub began: Timestamp,
    /// When its last record was written.
    pub last: Timestamp,
    /// When its effect happened.
    pub applied: Option<Timestamp>,
    /// Since when it is blocked, and by what.
    pub blocked: Option<(Timestamp, Vec<WaitsFor>)>,
    /// Since when its calls have not seen something that a second look is to confirm, and what.
    pub looked: Option<(Timestamp, String)>,
    /// How the last call failed.
    pub class: Option<Class>,
    /// What was seen last.
    pub evidence: Evidence,
    /// Whether a person chose to go on without it.
    pub left: bool,
}

impl Task {
    pub(in crate::machine) fn new(at: Timestamp) -> Self {
        Self {
            phase: Phase::New,
            attempts: 0,
            failures: 0,
            strikes: 0,
            round: 0,
            touched: false,
            passed: BTreeSet::new(),
            captured: BTreeMap::new(),
            began: at,
            last: at,
            applied: None,
            blocked: None,
            looked: None,
            class: None,
            evidence: Evidence::default(),
            left: false,
        }
    }

    /// Whether the platform may be different because of it.
    pub fn may_have_acted(&self) -> bool {
        self.touched || self.phase == Phase::Called
    }

    /// Forgets how often it failed.
    pub(in crate::machine) fn counts_anew(&mut self) {
        self.failures = 0;
        self.strikes = 0;
    }

    /// Begins anew, as another effect.
    pub(in crate::machine) fn next_round(&mut self) {
        self.phase = Phase::New;
        self.round = self.round.saturating_add(1);
        self.counts_anew();
        self.touched = false;
        self.passed.clear();
        self.applied = None;
        self.blocked = None;
        self.left = false;
    }
}

/// A run that rolls back.
#[derive(Clone, Debug, PartialEq)]
pub struct Back {
    /// How far.
    pub scope: RollbackScope,
    /// Why.
    pub why: String,
    /// The rollback steps of the way, and which of them come first.
    pub needs: BTreeMap<StepId, BTreeSet<StepId>>,
    /// How long each of them and the longest chain after it take.
    pub rest: BTreeMap<StepId, Seconds>,
    /// Which of them come after each.
    pub(in crate::machine) after: BTreeMap<StepId, Vec<StepId>>,
    /// How many of those that come before each are not done.
    pub(in crate::machine) lacking: BTreeMap<StepId, usize>,
    /// Rollback steps whose needs are done and that are not done themselves, the longest chain first.
    pub ready: BTreeSet<(Reverse<Seconds>, StepId)>,
    /// Every step that the scope takes back, also those that have nothing to undo.
    pub steps: BTreeSet<StepId>,
}

impl Back {
    /// Whether the scope takes back what happened at a place.
    pub(in crate::machine) fn has(&self, at: &At) -> bool {
        self.steps.contains(&at.step) || (at.way == Way::Rollback && self.needs.contains_key(&at.step))
    }

    /// A step with its place in the queue.
    pub(in crate::machine) fn queued(&self, step: &StepId) -> (Reverse<Seconds>, StepId) {
        (Reverse(self.rest.get(step).copied().unwrap_or_default()), step.clone())
    }
}

/// A run that removes what it kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleanup {
    /// How it had ended, and ends again while something else is kept; absent where another run took over.
    pub from: Option<End>,
    /// Steps whose retained resources go.
    pub steps: BTreeSet<StepId>,
    /// Who and why.
    pub why: String,
}

/// Why nothing is started.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// The place that caused it.
    pub at: Option<At>,
    /// Why.
    pub why: String,
}

/// Where a roll stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RollState {
    /// The pass, from 1.
    pub pass: u32,
    /// When the pass began; nodes that are younger belong to a later one.
    pub pass_began: Option<Timestamp>,
    /// The highest batch number so far.
    pub batches: u32,
    /// The batch that is under way.
    pub batch: Option<Batch>,
    /// Hardware classes that had their canary.
    pub canaries: BTreeSet<String>,
    /// Every node that was taken, with the pass in which it was taken last.
    pub moved: BTreeMap<ItemKey, (u32, Item)>,
    /// Nodes that vanished by themselves.
    pub gone: BTreeSet<ItemKey>,
    /// The last batch that was done, and when.
    pub rested: Option<(u32, Timestamp)>,
}

/// A batch of a roll.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Its number; 0 for canaries.
    pub number: u32,
    /// Its nodes, in order.
    pub items: Vec<Item>,
    /// When the last of its nodes was done, if all are.
    pub moved: Option<Timestamp>,
}

impl RunState {
    /// What became of a place.
    pub fn task(&self, at: &At) -> Option<&Task> {
        self.tasks.get(at)
    }

    /// Where a place stands.
    pub fn phase(&self, at: &At) -> Phase {
        self.tasks.get(at).map_or(Phase::New, |task| task.phase)
    }

    /// Where a roll stands.
    pub fn roll(&self, at: &At) -> Option<&RollState> {
        self.rolls.get(at)
    }

    /// Whether nothing is added any more by itself: it ended, or another run took over and nothing is being removed.
    pub fn is_over(&self) -> bool {
        self.ended.is_some() || (self.superseded.is_some() && self.cleanup.is_none())
    }

    /// Whether its targets are reached. It is over then, but can still be asked to roll back.
    pub fn is_complete(&self) -> bool {
        matches!(self.ended, Some((End::Complete, _))) && self.superseded.is_none()
    }

    /// Whether it is back where it began, so that the run that it continues has the platform again.
    pub fn returns(&self, plan: &Plan) -> bool {
        let (Some(back), Some(first), Some(_)) = (&self.back, plan.savepoints.first(), &plan.parent) else {
            return false;
        };
        back.scope == RollbackScope::Savepoint(first.id.clone())
            && back.needs.keys().all(|step| self.phase(&At::rollback(step)).is_finished())
    }

    /// Whether everything that it kept is removed: nothing rolls back any more.
    pub fn is_closed(&self) -> bool {
        matches!(self.ended, Some((End::CleanedUp, _)))
    }

    /// The node that a place is at.
    pub fn item(&self, at: &At) -> Option<&Item> {
        let AtItem { key, .. } = at.item.as_ref()?;
        let found = |way| {
            let roll = At { step: at.step.clone(), item: None, way };
            self.rolls.get(&roll)?.moved.get(key).map(|(_, item)| item)
        };
        found(at.way).or_else(|| found(Way::Forward))
    }

    /// What was captured under a step's name: on the same node first, then by the step, then by its undo.
    pub fn captured(&self, step: &StepId, name: &str, item: Option<&ItemKey>) -> Option<&Captured> {
        let own = |key: &ItemKey| {
            let here = |at: &At| at.step == *step && at.item.as_ref().is_some_and(|item| item.key == *key);
            self.tasks.iter().filter(|(at, _)| here(at)).find_map(|(_, task)| task.captured.get(name))
        };
        let top = |at: At| self.tasks.get(&at).and_then(|task| task.captured.get(name));
        item.and_then(own).or_else(|| top(At::forward(step))).or_else(|| top(At::rollback(step)))
    }

    /// Whether a step may have changed something that was not taken back.
    pub fn is_started(&self, step: &StepId) -> bool {
        let forward = At::forward(step);
        let acted =
            self.task(&forward).is_some_and(Task::may_have_acted) || self.rolls.contains_key(&forward);
        acted && !self.undone.contains(step)
    }

    /// Steps that may have changed something that was not taken back.
    pub fn started(&self) -> BTreeSet<StepId> {
        let steps = self.tasks.keys().chain(self.rolls.keys()).filter(|at| at.item.is_none());
        let steps: BTreeSet<&StepId> = steps.filter(|at| at.way == Way::Forward).map(|at| &at.step).collect();
        steps.into_iter().filter(|step| self.is_started(step)).cloned().collect()
    }

    /// The last savepoint that holds.
    pub fn savepoint(&self) -> Option<&SavepointId> {
        self.reached.last()
    }
}
