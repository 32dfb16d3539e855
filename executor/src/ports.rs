//! The ports: what the executor asks of a platform. Leaf crates implement them; nothing else touches a platform.
//!
//! A driver observes, applies, verifies and classifies, and that is all: it has no undo of its own, decides nothing,
//! keeps nothing between calls, and never loops over nodes.

mod census;
mod failed_call;
mod platform_claim;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use switchback_schemas::{
    RunId, Seconds,
    journal::{At, Class, Evidence, Item, Outcome, Verdict},
    name::{Label, ObjectName},
    plan::{
        BoundObject, CaptureKind, CloudCapture, CloudCondition, Command, Condition, Effect, EksEffect,
        HelmEffect, KubeCapture, KubeCondition, KubeEffect, Notify, Plan, Pool, PromQuery, Proof, RdsEffect,
        Roll, WebCondition, WorkloadClass,
    },
};

pub use census::{Look, PoolHealth};
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
    /// What the other system calls the operation that an earlier call of this effect began or adopted, if it said so.
    pub operation: Option<String>,
    /// Whether the run rolls back, which may ask for other credentials.
    pub back: bool,
    /// How long the workloads of this node have been waited for, for classes whose wait has an end.
    pub waited: Seconds,
    /// What the calls before this one did not see, and what a second look is to confirm. Calls that saw nothing at all are no break.
    pub looked: Option<Looked>,
}

/// A look that a later one is to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// What it came to.
    pub what: String,
    /// How long ago it was made first.
    pub ago: Seconds,
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
            operation: None,
            back: false,
            waited: Seconds(0),
            looked: None,
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

/// An effect with everything filled in that only the run knows.
pub type BoundEffect = Effect<Value, BoundObject>;
/// A condition with everything filled in that only the run knows.
pub type BoundCondition = Condition<Value, BoundObject>;
/// A capture with everything filled in that only the run knows.
pub type BoundCapture = CaptureKind<BoundObject>;

/// A Kubernetes API server. An I/O deadline that passes in an effect is in doubt by construction, here as in every family.
#[async_trait]
pub trait Kube: Send + Sync {
    /// Calls an effect.
    async fn apply(&self, call: &Call, effect: &KubeEffect<Value, BoundObject>) -> Outcome;

    /// Asks a condition.
    async fn check(&self, call: &Call, condition: &KubeCondition<Value, BoundObject>) -> Verdict;

    /// Reads what is to be kept before an effect.
    async fn capture(&self, what: &KubeCapture<BoundObject>) -> Result<Capturing, Failure>;

    /// Lists the nodes of a roll's pool.
    async fn members(&self, call: &Call, roll: &Roll) -> Result<Vec<Member>, Failure>;

    /// Counts what stands on the cluster.
    async fn census(&self) -> Result<Look, Failure>;

    /// Keeps a copy of the record of one revision of a Helm release, on the platform, before the release is repaired; where it is
    /// kept.
    async fn keep_release(
        &self,
        call: &Call,
        release: &ObjectName,
        revision: u64,
    ) -> Result<Evidence, Failure>;

    /// Takes all revisions of a Helm release out of helm's sight, or gives them back to it. Its objects are not touched.
    async fn detach_release(&self, call: &Call, release: &ObjectName, detached: bool) -> Outcome;

    /// Shows which cluster it is.
    async fn proof(&self) -> Result<Proof, Failure>;
}

/// Helm releases.
#[async_trait]
pub trait Helm: Send + Sync {
    /// Calls an effect.
    async fn apply(&self, call: &Call, effect: &HelmEffect<Value>) -> Outcome;

    /// Looks whether the program is there, and for an upgrade or an install its chart, and what that would write. Changes nothing.
    async fn rehearse(&self, effect: &HelmEffect) -> Result<Rehearsal, Failure>;
}

/// The APIs of the cloud provider.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Calls an effect on a cluster.
    async fn eks(&self, call: &Call, effect: &EksEffect<Value>) -> Outcome;

    /// Calls an effect on a database.
    async fn rds(&self, call: &Call, effect: &RdsEffect<Value>) -> Outcome;

    /// Asks a condition.
    async fn check(&self, condition: &CloudCondition<Value>) -> Verdict;

    /// Reads what is to be kept before an effect.
    async fn capture(&self, what: &CloudCapture) -> Result<Capturing, Failure>;

    /// Shows which resource a target is; `None` when it knows none of that name.
    async fn proof(&self, target: &Label) -> Option<Result<Proof, Failure>>;
}

/// Programs that a person names.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Runs one as an effect.
    async fn run(&self, call: &Call, command: &Command) -> Outcome;

    /// Runs one as a condition.
    async fn check(&self, call: &Call, command: &Command) -> Verdict;

    /// Looks whether one is there, with the variables that it needs. Changes nothing.
    async fn rehearse(&self, command: &Command) -> Result<Rehearsal, Failure>;
}

/// Channels that are told something.
#[async_trait]
pub trait Channels: Send + Sync {
    /// Tells one.
    async fn notify(&self, call: &Call, notify: &Notify) -> Outcome;
}

/// What is asked over HTTP.
#[async_trait]
pub trait Probes: Send + Sync {
    /// Asks a condition.
    async fn check(&self, condition: &WebCondition<Value>) -> Verdict;

    /// Reads the one value of a query, as text.
    async fn capture(&self, query: &PromQuery) -> Result<Capturing, Failure>;
}

/// What stands around every call: a clock that is held while there is one.
#[async_trait]
pub trait Around: Send + Sync {
    /// Before a call, with the call of an effect; what it gives back is dropped when the call has ended.
    async fn enter(&self, effect: Option<&Call>) -> Box<dyn Send>;
}
