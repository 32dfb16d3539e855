//! How a step is undone, as its component says it.

use switchback_schemas::{
    StepId,
    plan::{Expiry, RollbackStep, Undo, UndoKind, Work},
};

/// How a step is undone.
#[derive(Debug)]
pub enum Undoing {
    /// There is nothing to undo, for this reason.
    Unneeded(String),
    /// A rollback step of its own, which takes its id.
    By(Box<Rollback>),
    /// Other rollback steps that are added by themselves, and say so.
    Apart,
    /// A rollback step that is there already and undoes it, too.
    With(StepId),
    /// It cannot be undone.
    Irreversible {
        /// Why.
        why: String,
        /// What a person does instead.
        recovery: String,
    },
}

impl Undoing {
    /// By a rollback step of its own.
    pub fn by(rollback: Rollback) -> Self {
        Self::By(Box::new(rollback))
    }

    /// As the step says it in the plan.
    pub(super) fn of_step(&self) -> Undo {
        match self {
            Self::Unneeded(why) => Undo::Unneeded { why: why.clone() },
            Self::By(_) | Self::Apart | Self::With(_) => Undo::Rollback {},
            Self::Irreversible { why, recovery } => {
                Undo::Irreversible { why: why.clone(), recovery: recovery.clone() }
            }
        }
    }
}

/// What a rollback step does, before it has an id.
#[derive(Debug)]
pub struct Rollback {
    /// Of which kind it is.
    pub kind: UndoKind,
    /// What is done.
    pub work: Work,
    /// Rollback steps that come before it, beyond the order of what is undone.
    pub after: Vec<StepId>,
    /// The rollback step that lifts what it suspends.
    pub lifted_by: Option<StepId>,
    /// What is lost by it.
    pub loses: Vec<String>,
    /// Whether it needs nodes beyond those that are there.
    pub needs_capacity: bool,
    /// When it stops being possible.
    pub expires: Vec<Expiry>,
}

impl Rollback {
    /// An inverse that loses nothing and never expires; fields are set with struct update.
    pub fn new(work: Work) -> Self {
        Self {
            kind: UndoKind::Inverse,
            work,
            after: Vec::new(),
            lifted_by: None,
            loses: Vec::new(),
            needs_capacity: false,
            expires: Vec::new(),
        }
    }

    /// The step of the plan that it is.
    pub fn named(self, id: StepId, undoes: Vec<StepId>) -> RollbackStep {
        let Self { kind, work, after, lifted_by, loses, needs_capacity, expires } = self;
        RollbackStep { id, undoes, kind, work, after, lifted_by, loses, needs_capacity, expires }
    }
}
