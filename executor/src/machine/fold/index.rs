//! A plan, indexed once for everything that asks about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use switchback_model::{Graph, GraphError, group::Room, schedule, trust::Trusted};
use switchback_schemas::{
    Digest, HopId, Seconds, StepId,
    name::Label,
    plan::{Disruption, Gate, GateKind, Plan, RollbackStep, Suspension},
};

use super::savepoints::Savepoints;

/// A plan with its graph.
#[derive(Debug)]
pub struct Index {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The digest of its bytes, which the journal must name.
    pub digest: Digest,
    /// The trust that the plan names, where it is at hand.
    pub trust: Option<Arc<Trusted>>,
    /// Its steps by number.
    pub graph: Graph,
    /// Its hops.
    pub hops: BTreeSet<HopId>,
    /// How long each step and the longest chain after it take.
    pub remaining: Vec<Seconds>,
    /// What has to fit into a window when a step starts.
    pub room: Room,
    /// Whether what stands on the platform is counted: one of its targets is a cluster.
    pub counts: bool,
    /// Its savepoints by number.
    pub savepoints: Savepoints,
    /// For each step, the rollback steps that undo it.
    pub undone_by: BTreeMap<StepId, Vec<StepId>>,
    /// For each hop that people approve something of, what that is, and before which steps.
    pub approved: BTreeMap<HopId, ApprovedHop>,
}

/// A hop of which people approve something.
#[derive(Debug, Default)]
pub struct ApprovedHop {
    /// Its steps that suspend or disrupt something.
    pub disturbing: BTreeSet<StepId>,
    /// What is approved: the gate, or the point of no return, with the step that it stands before.
    pub scopes: Vec<(StepId, ApprovedBy)>,
}

/// By what an approval is asked for.
#[derive(Debug)]
pub enum ApprovedBy {
    /// A gate.
    Gate(Label),
    /// A point of no return.
    Point,
}

/// Hops of which people approve something.
fn approved(plan: &Plan) -> BTreeMap<HopId, ApprovedHop> {
    let points: BTreeSet<&StepId> = plan.points.iter().map(|point| &point.step).collect();
    let gates = plan.gates.iter().filter(|gate| matches!(gate.kind, GateKind::Approval(_)));
    let gates: BTreeSet<&Label> = gates.map(|gate| &gate.id).collect();
    let suspends: BTreeSet<&StepId> = plan.suspensions.iter().map(|suspension| &suspension.suspend).collect();
    let mut hops: BTreeMap<HopId, ApprovedHop> = BTreeMap::new();
    for step in &plan.steps {
        let hop = hops.entry(step.hop.clone()).or_default();
        if suspends.contains(&step.id) || step.work.disruption > Disruption::None {
            hop.disturbing.insert(step.id.clone());
        }
        let asked = step.gates.iter().filter(|gate| gates.contains(gate));
        hop.scopes.extend(asked.map(|gate| (step.id.clone(), ApprovedBy::Gate(gate.clone()))));
        if points.contains(&step.id) {
            hop.scopes.push((step.id.clone(), ApprovedBy::Point));
        }
    }
    hops.retain(|_, hop| !hop.scopes.is_empty());
    hops
}

impl Index {
    /// Indexes a plan.
    pub fn new(plan: Arc<Plan>, digest: Digest) -> Result<Self, GraphError> {
        let graph = Graph::of(&plan)?;
        let remaining = schedule::remaining(&plan, &graph);
        let room = Room::of(&plan, &graph);
        let savepoints = Savepoints::of(&plan, &graph);
        let names = |undoing: Vec<&RollbackStep>| undoing.into_iter().map(|step| step.id.clone()).collect();
        let undone_by = plan.rollback_by_step().into_iter();
        let undone_by = undone_by.map(|(step, undoing)| (step.clone(), names(undoing))).collect();
        let counts = plan.platform.has_cluster();
        let approved = approved(&plan);
        let hops = plan.hops.iter().map(|hop| hop.id.clone()).collect();
        Ok(Self {
            plan,
            digest,
            trust: None,
            graph,
            hops,
            remaining,
            room,
            counts,
            savepoints,
            undone_by,
            approved,
        })
    }

    /// How many different persons have to approve. A plan can be edited; its trust cannot.
    pub fn quorum(&self) -> u32 {
        let trust = self.trust.as_ref().map_or(1, |trust| trust.trust().spec.quorum);
        self.plan.platform.quorum.max(trust).max(1)
    }

    /// Whether an approval of something else may let a gate pass. Under a trust none stands for the approvals that a gate asks for.
    pub fn may_override(&self, gate: &Gate) -> bool {
        let asks = matches!(gate.kind, GateKind::Approval(_));
        gate.may_override && !(asks && self.plan.platform.trust.is_some())
    }

    /// The id of a step.
    pub fn id(&self, number: usize) -> Option<&StepId> {
        self.plan.steps.get(number).map(|step| &step.id)
    }

    /// The suspension that a rollback step resumes: it undoes its opening.
    pub fn closed_by(&self, rollback: &StepId) -> Option<&Suspension> {
        let undoes = &self.plan.rollback_step(rollback)?.undoes;
        self.plan.suspensions.iter().find(|suspension| undoes.contains(&suspension.suspend))
    }

    /// The rollback steps that undo a step.
    pub fn rollback_of(&self, step: &StepId) -> &[StepId] {
        self.undone_by.get(step).map(Vec::as_slice).unwrap_or_default()
    }
}
