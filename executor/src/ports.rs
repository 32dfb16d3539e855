//! The ports: what the executor asks of a platform. Leaf crates implement them; nothing else touches a platform.
//!
//! A driver observes, applies, verifies and classifies, and that is all: it has no undo of its own, decides nothing,
//! keeps nothing between calls, and never loops over nodes.

mod failed_call;
mod platform_claim;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use switchback_schemas::{
    RunId, Seconds,
    journal::{At, Class, Evidence, Item, Outcome, Verdict},
    name::{Label, ObjectName},
    plan::{CaptureKind, Condition, Effect, Plan, Pool, Proof, Roll, WorkloadClass},
};

pub use failed_call::{Certainty, Classify, FailedCall};
pub use platform_claim::{ClaimPort, KeptClaim, PlatformClaim};

/// What a driver is told about a call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The run, for annotations that say who did something.
    pub run: RunId,
    /// The step.
    pub at: At,
    /// The target that the step acts on. Drivers that speak to several targets need it where an effect names none.
    pub target: Label,
    /// The same for every attempt at this effect of this run. Idempotency tokens are made of it.
    pub token: String,
    /// Counts from 1.
    pub attempt: u32,
    /// The plan's pools and workload classes, which drains look at.
    pub fleet: Arc<Fleet>,
    /// Objects of the artifact that the effect restores, if it restores one.
    pub artifact: Option<Arc<Vec<Value>>>,
    /// What the other system calls the operation that an earlier call of this effect began or adopted, if it said so.
    pub operation: Option<String>,
    /// Whether the run rolls back, which may ask for other credentials.
    pub back: bool,
    /// How long the workloads of this node have been waited for, for classes whose wait has an end.
    pub waited: Seconds,
}

impl Call {
    /// The first call of a step that goes forward and that nothing is known of but its name.
    pub fn first(run: RunId, at: At, target: Label, token: String) -> Self {
        Self {
            run,
            at,
            target,
            token,
            attempt: 1,
            fleet: Arc::default(),
            artifact: None,
            operation: None,
            back: false,
            waited: Seconds(0),
        }
    }
}

/// Pools and workload classes of a plan.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Pools of nodes.
    pub pools: Vec<Pool>,
    /// What a drain does to which pods; first match wins.
    pub classes: Vec<WorkloadClass>,
}

impl Fleet {
    /// Those of a plan.
    pub fn of(plan: &Plan) -> Self {
        Self { pools: plan.pools.clone(), classes: plan.classes.clone() }
    }
}

/// What was captured, before it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capturing {
    /// A small value that is no secret.
    Scalar(Value),
    /// Objects, for an artifact.
    Objects(Vec<Value>),
}

/// A node that a roll may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the journal keeps of it.
    pub item: Item,
    /// Whether the roll's rule says that it has to move.
    /// For `Stale::BornBefore` a driver always says yes: when the step ended stands in the journal, and the executor
    /// compares it with `created`.
    pub stale: bool,
    /// Whether it is Ready and schedulable.
    pub available: bool,
    /// When it was created.
    pub created: jiff::Timestamp,
    /// Pods on it that a drain would have to move.
    pub pods: u64,
    /// Pods on it whose class waits or is never touched.
    pub protected: u64,
    /// Gangs that have pods on it: owner references as text. Nodes that share one move in one batch.
    pub gangs: Vec<String>,
}

/// Why something could not be read or captured. Effects answer with an [`Outcome`] instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class:?}: {}", evidence.0.join("; "))]
pub struct Failure {
    /// What kind of failure.
    pub class: Class,
    /// What was answered.
    pub evidence: Evidence,
}

/// What an effect found that it needs on this machine, and what it would write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// What was found.
    pub evidence: Evidence,
    /// Objects that it would write, by a program that the API server cannot be asked to try.
    pub writes: Vec<Value>,
}

/// A family of drivers: those that share a client.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Whether an effect is one of its own.
    fn applies(&self, effect: &Effect) -> bool;

    /// Whether a condition is one of its own. `all` and `any` are nobody's: the executor takes them apart.
    fn checks(&self, condition: &Condition) -> bool;

    /// Calls an effect. Its targets and operands are bound. An I/O deadline that passes is in doubt by construction.
    async fn apply(&self, call: &Call, effect: &Effect) -> Outcome;

    /// Asks a condition.
    async fn check(&self, call: &Call, condition: &Condition) -> Verdict;

    /// Reads what is to be kept before an effect; `None` when the kind is not one of its own.
    async fn capture(&self, _call: &Call, _what: &CaptureKind) -> Option<Result<Capturing, Failure>> {
        None
    }

    /// Lists the nodes of a roll's pool; `None` when it has no nodes to list.
    async fn members(&self, _call: &Call, _roll: &Roll) -> Option<Result<Vec<Member>, Failure>> {
        None
    }

    /// Keeps a copy of the record of one revision of a Helm release, on the platform, before the release is repaired; where it is
    /// kept. `None` when it cannot, and then nothing is repaired.
    async fn keep_release(
        &self,
        _call: &Call,
        _release: &ObjectName,
        _revision: u64,
    ) -> Option<Result<Evidence, Failure>> {
        None
    }

    /// Looks whether all that an effect needs on this machine is there: programs, charts. Changes nothing. `None` when it needs nothing
    /// here.
    async fn rehearse(&self, _call: &Call, _effect: &Effect) -> Option<Result<Rehearsal, Failure>> {
        None
    }

    /// Shows which target it speaks to; `None` when it does not speak to this one.
    async fn proof(&self, _target: &Label) -> Option<Result<Proof, Failure>> {
        None
    }
}
