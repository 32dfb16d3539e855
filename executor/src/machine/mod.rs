//! The machine that decides: what is written, what is called, when to look again. It does neither itself.
//!
//! [`Machine::apply`] is the only thing that changes the state of a run, and records are its only input; the state is a
//! fold (`fold/`); what happens next is decided from it (`decide/`). Beside it the machine remembers what it is in the
//! middle of asking. That is lost with its process, and nothing depends on it: a machine that is folded from the same records
//! asks again.
//!
//! Who drives it keeps three promises: it applies every event of [`Decision::append`], in order and durable, before it
//! polls again; it starts every command of [`Decision::start`]; it brings every answer.

mod census;
mod decide;
mod fold;

use std::sync::Arc;

use jiff::Timestamp;
use switchback_model::{GraphError, journal::Side};
use switchback_schemas::{
    Digest, ItemKey, RunId, Seconds, StepId,
    journal::{At, Captured, End, Event, Outcome, Record, Verdict, WaitsFor},
    plan::{Action, CaptureKind, Condition, Effect, Plan, Read, Roll},
    report::CarryOver,
};

pub use decide::{Choice, Void, WindowAnswer, choose, scope_text, who, window_answer};
pub use fold::{
    Back, Batch, Census, Cleanup, Hold, Illegal, Index, Phase, PlaceEvent, Reaction, Reason, RollState,
    RunState, Task, left_suspended, not_done, not_seen, residue, standing, step_of,
};

use crate::ports::{Failure, Look, Looked, Member};
use decide::in_flight::{Live, Purpose};
use fold::{place, transition};

/// How patient the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Between two looks at something that is expected to change.
    pub poll: Seconds,
    /// Between two looks at what should not change: open suspensions, nodes of a batch.
    pub watch: Seconds,
    /// How long a run waits with nothing else to do before it parks.
    pub patience: Seconds,
    /// How long it waits for evidence that cannot be read: findings that are being looked for, an API server that is away.
    pub evidence: Seconds,
    /// How many commands are under way at once.
    pub parallel: usize,
    /// From how many looks what stands on the platform is counted before a run.
    pub looks: u32,
    /// Between two of them.
    pub apart: Seconds,
    /// How long something has to be short without a break until it is worse, at least; twice the time that it needs to start, if
    /// that is longer.
    pub short: Seconds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll: Seconds(5),
            watch: Seconds(30),
            patience: Seconds(60),
            evidence: Seconds::minutes(15),
            parallel: 16,
            looks: 3,
            apart: Seconds(30),
            short: Seconds::minutes(10),
        }
    }
}

/// What happens next.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// To be written and applied, in this order, before anything else is asked of the machine.
    pub append: Vec<Event>,
    /// To be started. Every call of an effect has its intent in the journal already.
    pub start: Vec<Command>,
    /// When to poll again if nothing comes in before.
    pub wake_at: Option<Timestamp>,
    /// The process may end.
    pub rest: Option<Rest>,
}

/// Why a process may end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The run is over.
    Ended(End),
    /// Another run took over.
    Superseded(RunId),
    /// It waits, and goes on when it is called again.
    Parked {
        /// What for.
        waits_for: Vec<WaitsFor>,
        /// When time alone may help.
        wake_at: Option<Timestamp>,
    },
    /// A person decides.
    Held {
        /// What about.
        why: String,
    },
}

/// Something to do outside. Targets and operands are as the plan has them, see [`Machine::captured`] and
/// [`RunState::item`] for what binds them.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Names it in its answer.
    pub id: u64,
    /// The place.
    pub at: At,
    /// Which attempt it belongs to, from 1; the coming one for what is asked before a call.
    pub attempt: u32,
    /// The same for every attempt at this effect.
    pub token: String,
    /// How long the place has been blocked.
    pub waited: Seconds,
    /// What another system calls the operation that a blocked call of this round told of.
    pub operation: Option<String>,
    /// What earlier calls of this round did not see, and what a second look is to confirm.
    pub looked: Option<Looked>,
    /// What.
    pub what: What,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Take the platform for this run.
    Claim,
    /// Call an effect.
    Apply(Effect),
    /// Ask a condition.
    Check(Condition),
    /// Read what is to be kept; objects are kept durably before the answer.
    Capture(CaptureKind),
    /// List the nodes of a roll.
    Members(Roll),
    /// Count what stands on the cluster.
    Census,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The platform is this run's.
    Claimed,
    /// The effect's outcome.
    Applied(Outcome),
    /// The condition's verdict.
    Checked(Verdict),
    /// What is kept.
    Captured(Result<Captured, Failure>),
    /// The nodes.
    Members(Result<Vec<Member>, Failure>),
    /// What stands on the cluster.
    Census(Result<Look, Failure>),
}

/// Decides about one run of one plan.
#[derive(Debug)]
pub struct Machine {
    index: Arc<Index>,
    settings: Settings,
    state: RunState,
    // Large, and held over awaits by everything that carries a run on.
    live: Box<Live>,
    /// What the runs that this one continues handed on.
    inherited: Option<CarryOver>,
}

impl Machine {
    /// A machine before the first record. `digest` is that of the plan's bytes.
    pub fn new(plan: Arc<Plan>, digest: Digest, settings: Settings) -> Result<Self, GraphError> {
        let index = Arc::new(Index::new(plan, digest)?);
        Ok(Self::of(index, settings))
    }

    /// A machine over a plan that is indexed already.
    pub fn of(index: Arc<Index>, settings: Settings) -> Self {
        Self { index, settings, state: RunState::default(), live: Box::default(), inherited: None }
    }

    /// Changes how patient it is.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Lets the plan use what earlier runs of its operation captured, and when they applied what tells old nodes from new ones.
    pub fn inherit(&mut self, carried: CarryOver) {
        self.inherited = Some(carried);
    }

    /// Applies one durable record. A record that does not follow refuses the run, which then stays as it was or is dropped.
    pub fn apply(&mut self, record: &Record) -> Result<(), Illegal> {
        transition::apply(&self.index, &mut self.state, record)?;
        self.live.after(&self.state, record);
        Ok(())
    }

    /// The plan and what was computed from it.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.index.plan
    }

    /// The state of the run.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// What a step captured, of this run or of those that it continues.
    pub fn captured(&self, step: &StepId, name: &str, item: Option<&ItemKey>) -> Option<&Captured> {
        let inherited = || self.inherited.as_ref()?.captures.get(step)?.get(name);
        self.state.captured(step, name, item).or_else(inherited)
    }

    /// When a step was applied, of this run or, if its plan does not have it, of those that it continues.
    fn applied_at(&self, step: &StepId) -> Option<Timestamp> {
        match self.index.plan.step(step) {
            Some(_) => self.state.task(&At::forward(step))?.applied,
            None => self.inherited.as_ref()?.applied.get(step).copied(),
        }
    }

    /// The effect of a place, what holds when it is done already, and what would make it wrong; `None` for a roll.
    pub(crate) fn work(&self, at: &At) -> Option<(&Effect, Option<&Condition>, &[Read])> {
        let work = place::work_at(&self.index.plan, &self.state, at)?;
        match &work.action {
            Action::Effect(effect) => Some((effect, work.done_when.as_ref(), &work.reads)),
            Action::Roll(_) => None,
        }
    }

    /// What people have said so far: the whole side log.
    pub fn hear(&mut self, side: Side) {
        self.live.side = side;
    }

    /// Lets nothing new start, so that the process can end. What is under way is waited for.
    pub fn stop(&mut self, why: &str) {
        self.live.stopping.get_or_insert_with(|| why.to_owned());
    }

    /// What waits, and for what; for views.
    pub fn waiting(&self) -> impl Iterator<Item = (&At, &[WaitsFor])> {
        let places = self.live.places.iter().map(|(at, place)| (at, place.waits.as_slice()));
        places.filter(|(_, waits)| !waits.is_empty())
    }

    /// Whether calls of effects are under way.
    pub fn calling(&self) -> bool {
        self.live.commands.values().any(|asked| asked.purpose == Purpose::Apply)
    }
}
