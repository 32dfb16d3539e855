//! What a plan does: hops, their steps and the steps of rollbacks. The file nests steps under their hop and writes only their part of
//! an id; everything that reads a plan has them side by side, each with its whole id.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use super::{Change, FailurePolicy, Hop, HopBasis, HopOrder, Need, RollbackStep, Step, Undo, Work};
use crate::{
    HopId, StepId, Version,
    name::{Label, SavepointId},
};

/// Hops with their steps, side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanBody {
    /// Components and the versions they move through, in the order found.
    pub hops: Vec<Hop>,
    /// All steps, sorted by id.
    pub steps: Vec<Step>,
    /// The steps of rollbacks, sorted by id. Only they are stored of the rollback; which of them are taken, and in which
    /// order, follows from what was started.
    pub rollback: Vec<RollbackStep>,
}

/// A hop with its steps.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Hop")]
pub(super) struct NestedHop {
    /// What moves, and to which version. What is inside has ids that begin with it, and writes only the rest of them.
    id: HopId,
    /// The version before; absent where it has no number, and where only what stayed behind is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Version>,
    /// Whether it was compiled from what is there, or from what earlier hops should leave.
    basis: HopBasis,
    /// Why it comes after other hops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    after: Vec<HopOrder>,
    /// The last day on which the version before it is supported, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leave_by: Option<Date>,
    /// Where the hop ends.
    savepoint: SavepointId,
    /// Its steps, sorted by id.
    steps: Vec<NestedStep>,
    /// The steps of its rollback, sorted by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rollback: Vec<RollbackStep>,
}

/// A step of a hop.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Step")]
struct NestedStep {
    /// What its id has beyond the hop's.
    id: StepId,
    /// The target it acts on.
    target: Label,
    /// What is done.
    work: Work,
    /// Steps that must be done first, with reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    needs: Vec<Need>,
    /// How it is undone. There is no default.
    undo: Undo,
    /// The lowest tier of the pools it touches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier: Option<u32>,
    /// What follows a failure.
    on_failure: FailurePolicy,
    /// Gates that must pass first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gates: Vec<Label>,
    /// What is expected to change, object by object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
}

/// A step that belongs to no hop of the plan, or to one whose id it does not begin with.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no step of a hop of the plan")]
struct Astray(StepId);

/// What an id has beyond the hop's, as an id.
fn part(hop: &HopId, id: &StepId) -> Result<StepId, Astray> {
    hop.part(id).and_then(|part| part.parse().ok()).ok_or_else(|| Astray(id.clone()))
}

fn nested(body: &PlanBody) -> Result<Vec<NestedHop>, Astray> {
    let PlanBody { hops, steps, rollback } = body;
    let numbers: BTreeMap<&HopId, usize> = hops.iter().map(|hop| &hop.id).zip(0..).collect();
    let mut nested: Vec<NestedHop> = hops.iter().map(NestedHop::of).collect();
    let hop_of: BTreeMap<&StepId, &HopId> = steps.iter().map(|step| (&step.id, &step.hop)).collect();
    for step in steps {
        let hop = numbers.get(&step.hop).and_then(|number| nested.get_mut(*number));
        hop.ok_or_else(|| Astray(step.id.clone()))?.steps.push(NestedStep::of(step)?);
    }
    for step in rollback {
        let number = step.place().and_then(|place| numbers.get(hop_of.get(place)?));
        let hop = number.and_then(|number| nested.get_mut(*number)).ok_or_else(|| Astray(step.id.clone()))?;
        let part = |id: &StepId| part(&hop.id, id);
        let undoes = step.undoes.iter().map(part).collect::<Result<_, _>>()?;
        let step = RollbackStep { id: part(&step.id)?, undoes, ..step.clone() };
        hop.rollback.push(step);
    }
    Ok(nested)
}

fn flat(nested: Vec<NestedHop>) -> PlanBody {
    let mut body = PlanBody::default();
    for hop in nested {
        let NestedHop { id, from, basis, after, leave_by, savepoint, steps, rollback } = hop;
        let whole = |part: &StepId| id.step(part.as_str());
        body.steps.extend(steps.into_iter().map(|step| step.in_hop(&id)));
        body.rollback.extend(rollback.into_iter().map(|step| RollbackStep {
            id: whole(&step.id),
            undoes: step.undoes.iter().map(whole).collect(),
            ..step
        }));
        body.hops.push(Hop { id, from, basis, after, leave_by, savepoint });
    }
    body.steps.sort_by(|one, other| one.id.cmp(&other.id));
    body.rollback.sort_by(|one, other| one.id.cmp(&other.id));
    body
}

impl NestedHop {
    fn of(hop: &Hop) -> Self {
        let Hop { id, from, basis, after, leave_by, savepoint } = hop.clone();
        Self { id, from, basis, after, leave_by, savepoint, steps: Vec::new(), rollback: Vec::new() }
    }
}

impl NestedStep {
    fn of(step: &Step) -> Result<Self, Astray> {
        let Step { id, hop, target, work, needs, undo, tier, on_failure, gates, changes } = step.clone();
        Ok(Self { id: part(&hop, &id)?, target, work, needs, undo, tier, on_failure, gates, changes })
    }

    fn in_hop(self, hop: &HopId) -> Step {
        let Self { id, target, work, needs, undo, tier, on_failure, gates, changes } = self;
        let (id, hop) = (hop.step(id.as_str()), hop.clone());
        Step { id, hop, target, work, needs, undo, tier, on_failure, gates, changes }
    }
}

impl Serialize for PlanBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        nested(self).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PlanBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<NestedHop>::deserialize(deserializer).map(flat)
    }
}

impl JsonSchema for PlanBody {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hops".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<NestedHop>::json_schema(generator)
    }
}
