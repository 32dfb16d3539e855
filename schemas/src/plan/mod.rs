//! A plan: what will be done, in which order, why, and the rollback from every point of it.
//!
//! A plan is written once by the planner and never again. Its digest is over the bytes of the file. It holds
//! no instant but the inventory's, no float, and no list of nodes that would be stale in a minute.

mod action;
mod argument;
mod body;
mod capture;
mod cloud;
mod condition;
mod effect;
mod gate;
mod hop;
mod identity;
mod on_node;
mod release;
mod retention;
mod roll;
mod standing;
mod step;
mod suspension;
mod undo;
mod walk;
mod work;
mod workload;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut},
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use action::{Action, Change, Mark};
pub use argument::{Arguments, BoundObject, Operand, Target};
pub use body::PlanBody;
pub use capture::{Capture, CaptureKind, CloudCapture, KubeCapture};
pub use cloud::{Arn, AwsResource, BadArn, CloudKind, CloudRef, InsightCategory, Roles};
pub use condition::{
    AccessReview, CloudCondition, Compare, Condition, FieldTest, Find, HttpRequest, KubeCondition, Level,
    Method, Missing, OfClasses, PodLogs, PromQuery, Test, Verify, WebCondition,
};
pub use effect::{
    Chart, Command, Effect, EksCreateNodegroup, EksDeleteNodegroup, EksEffect, EksScaleNodegroup,
    EksTerminateNode, EksUpdateAddon, EksUpdateCluster, EksUpdateNodegroup, EnvValue, Handover, HelmEffect,
    HelmInstall, HelmRelease, HelmRollback, HelmUninstall, HelmUpgrade, KubeAdmit, KubeApply, KubeDelete,
    KubeEffect, KubePatch, KubeRestore, KubeTryCreate, KubeTryUpdate, MigrateStorage, NodeCordon, NodeDrain,
    NodeJob, NodeJobEnd, NodePods, NodegroupSize, Notify, RdsDeleteInstance, RdsDeleteSnapshot, RdsEffect,
    RdsProveSnapshot, RdsRestore, RdsSnapshot, ResolveConflicts, SetField, Wait,
};
pub use gate::{
    AcceptedShortage, ApprovalScope, Channel, Day, Gate, GateKind, PointOfNoReturn, ShortageKind, Window,
    WindowUse,
};
pub use hop::{Hop, HopBasis, HopOrder};
pub use identity::{Identity, PlatformRef, Proof};
pub use on_node::{DaemonPods, DeviceHolders, KernelModule, Offers};
pub use release::{Grant, Objects, PolicyRule, ReleaseObjects, RoleName};
pub use retention::Retention;
pub use roll::{Canary, Count, OrderKey, RecipeStep, Roll, Stale};
pub use standing::{Fate, Outside, Refit, Standing, StandingWorkload};
pub use step::{Disruption, Estimate, FailureAction, FailurePolicy, Need, Read, ReadBasis, RetryClass, Step};
pub use suspension::{SuspendedBy, Suspension};
pub use undo::{ExpiresAt, Expiry, NodeUndo, RollbackStep, Undo, UndoKind};
pub use work::Work;
pub use workload::{Capacity, Objection, OnDrain, PodSelector, Pool, Strategy, Then, WorkloadClass};

use crate::{
    Diagnostic, Digest, HopId, RunId, StepId,
    format::{self, Document, Format, ReadError},
    name::{Label, SavepointId},
    pretty::pretty,
};

/// A compiled plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// `switchback.plan/3.0`.
    pub format: Format,
    /// Kinds of effects and optional parts that the plan uses; a reader that does not know one refuses.
    pub features: BTreeSet<String>,
    /// The platform and how each of its targets proves its identity.
    pub platform: PlatformRef,
    /// What this plan continues, if it fixes a run forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// What the plan was compiled from.
    pub inputs: Inputs,
    /// What approvals bind to.
    pub digests: Digests,
    /// Components and the versions they move through, in the order found, each with its steps and those of its rollback. They are
    /// fields of the plan to who reads one: `plan.hops`, `plan.steps`, `plan.rollback`.
    #[serde(rename = "hops")]
    pub body: PlanBody,
    /// Hops of the same way that this plan stops before, in their order: planned anew from what is there then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<HopId>,
    /// Verified sets of steps to which a run can be rolled back, in the order in which they are reached.
    pub savepoints: Vec<Savepoint>,
    /// Pairs of steps that suspend an actor and resume it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspensions: Vec<Suspension>,
    /// What must pass before a step starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// Points of no return.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<PointOfNoReturn>,
    /// Pools of nodes and how they move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<Pool>,
    /// What a drain does to which pods, first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<WorkloadClass>,
    /// Who stands on the nodes that move, by pool, as observed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<Standing>,
    /// Nodes that the plan does not move, and what becomes of them, as observed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<Outside>,
    /// What the Helm releases that the plan moves consist of, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ReleaseObjects>,
    /// When steps may start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Who is notified when a run of it comes to rest: parked, held, or over. Approvals do not bind to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// States on the way that no vendor tested or documents, and of which nothing is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untested: Vec<UntestedState>,
    /// What was not known when the plan was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blind_spots: Vec<BlindSpot>,
    /// Warnings that came with the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Diagnostic>,
    /// What a run of it retains for rollback after its end, and how cleanup deletes that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retentions: Vec<Retention>,
    /// Where facts come from, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, Source>,
}

/// The annotation of an object that a step makes for the time of its hop, with the hop.
pub const HOP_ANNOTATION: &str = "switchback.dev/hop";

/// The annotation of an object that a release leaves standing, with the release: for as long as helm works.
pub const LEFT_BY: &str = "switchback.dev/left-by";

/// The label `owner` of Helm's records of a release that is detached.
pub const DETACHED: &str = "switchback-detached";

/// What a plan continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parent {
    /// The run whose claim, captures and suspensions it takes over.
    pub run: RunId,
    /// The plan of that run.
    pub plan: Digest,
    /// The chain digest of the run's last record when it was carried over.
    pub journal_head: String,
    /// The savepoint at which it begins.
    pub savepoint: SavepointId,
    /// Rollbacks of earlier runs of the operation that end for good when steps of this plan begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expires: Vec<ExpiresEarlier>,
}

/// A step after which a hop of an earlier run cannot be rolled back any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpiresEarlier {
    /// The hop of the earlier run.
    pub hop: HopId,
    /// The step of this plan.
    pub at: StepId,
    /// Why.
    pub why: String,
}

/// What a plan was compiled from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inputs {
    /// The manifests, independent of file names and order.
    pub manifests: Digest,
    /// The inventory's bytes.
    pub inventory: Digest,
    /// The observation that the inventory holds; one run per plan and observation.
    pub observation: Label,
    /// When the platform was observed.
    pub observed_at: Timestamp,
    /// The instant for which support dates and waivers were judged.
    pub as_of: Timestamp,
    /// The lock's bytes.
    pub lock: Digest,
    /// The catalog's facts.
    pub catalog: Digest,
    /// The bytes of the estimates that were learned, if there were some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimates: Option<Digest>,
}

/// What approvals bind to. Both leave out names of nodes, estimates, titles and instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Digests {
    /// What would be done.
    pub effects: Digest,
    /// The same with what would be lost, rollbacks, disruption, rules of rolls, failure actions and gates.
    pub review: Digest,
}

/// A verified set of steps to which a run can be rolled back: everything that its frontier needs, and the frontier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Savepoint {
    /// Its name.
    pub id: SavepointId,
    /// What it is, as text.
    pub title: String,
    /// The last steps of the set; empty for the state before the run.
    pub frontier: Vec<StepId>,
}

/// A state on the way that lies outside of what was tested, documented or known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UntestedState {
    /// What is together in it: `Argo Workflows 4.0.10 with EKS 1.34`.
    pub state: String,
    /// What it lies outside of.
    pub fact: String,
    /// Where that was read, by its key in the plan's sources; absent for what nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The hop that leads into it; absent if it is so before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enters: Option<HopId>,
    /// The hop that leads out of it; absent if it stays so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaves: Option<HopId>,
}

/// Something that was not known when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlindSpot {
    /// What is not known.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Where a fact comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// What it is: a document, a file of a repository, a chart.
    pub title: String,
    /// When it was read.
    pub read_on: String,
}

impl Deref for Plan {
    type Target = PlanBody;

    fn deref(&self) -> &PlanBody {
        &self.body
    }
}

impl DerefMut for Plan {
    fn deref_mut(&mut self) -> &mut PlanBody {
        &mut self.body
    }
}

impl Plan {
    /// Every feature that this build can run.
    pub fn known_features() -> Vec<String> {
        let mut known = Effect::kinds();
        known.extend(["roll", "continue", "cleanup"].map(str::to_owned));
        known
    }

    /// Reads a plan's bytes. The head is checked first, so that a plan of a newer release is refused by name.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReadError> {
        let known = Self::known_features();
        format::read(bytes, Document::Plan, &known.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The bytes of the file: JSON in which what fits a line stands on one, ending with a line feed.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(pretty(&serde_json::to_string(self)?).into_bytes())
    }

    /// A step by its id; steps are sorted.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.binary_search_by(|step| step.id.cmp(id)).ok().and_then(|i| self.steps.get(i))
    }

    /// A rollback step by its id; they are sorted.
    pub fn rollback_step(&self, id: &StepId) -> Option<&RollbackStep> {
        self.rollback.binary_search_by(|step| step.id.cmp(id)).ok().and_then(|i| self.rollback.get(i))
    }

    /// The rollback steps that undo a step.
    pub fn rollback_of(&self, step: &StepId) -> impl Iterator<Item = &RollbackStep> {
        self.rollback.iter().filter(move |rollback| rollback.undoes.contains(step))
    }

    /// The rollback steps by the steps that they undo.
    pub fn rollback_by_step(&self) -> BTreeMap<&StepId, Vec<&RollbackStep>> {
        let mut by_step: BTreeMap<&StepId, Vec<&RollbackStep>> = BTreeMap::new();
        for rollback in &self.rollback {
            for step in &rollback.undoes {
                by_step.entry(step).or_default().push(rollback);
            }
        }
        by_step
    }

    /// The savepoint of the state before the run: the first one, with nothing in it, and no hop ends there.
    pub fn initial_savepoint(&self) -> Option<&Savepoint> {
        let ends = |savepoint: &&Savepoint| self.hops.iter().any(|hop| hop.savepoint == savepoint.id);
        self.savepoints.first().filter(|first| first.frontier.is_empty() && !ends(first))
    }

    /// A savepoint by its id.
    pub fn savepoint(&self, id: &SavepointId) -> Option<&Savepoint> {
        self.savepoints.iter().find(|savepoint| savepoint.id == *id)
    }

    /// A gate by its id.
    pub fn gate(&self, id: &Label) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.id == *id)
    }
}
