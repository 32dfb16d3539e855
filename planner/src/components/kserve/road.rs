//! What every part of a hop looks at.

use std::ops::Deref;

use switchback_schemas::{
    Seconds,
    inventory::kserve::Kserve as Section,
    lock::Render,
    manifest::AcceptedDeletion,
    name::{Label, ObjectName},
    plan::PointOfNoReturn,
};

use super::{Kserve, facts::Holds, releases::Moved};
use crate::{
    component::HopCx,
    lower::{Draft, Lowering},
};

/// How long a controller may take to be ready.
pub(super) const CONTROLLER: Seconds = Seconds::minutes(10);
/// How long services may take to be Ready under it.
pub(super) const HEALTH: Seconds = Seconds::minutes(45);
/// Services that are looked at one by one; of more, all are counted.
pub(super) const ONE_BY_ONE: usize = 100;

/// One hop with what was observed and what its releases become.
pub(super) struct Road<'a> {
    pub(super) at: &'a HopCx<'a, Kserve>,
    pub(super) section: &'a Section,
    pub(super) renders: Vec<(&'a Moved, &'a Render)>,
    pub(super) accepted: Vec<(ObjectName, Vec<AcceptedDeletion>)>,
}

impl<'a> Deref for Road<'a> {
    type Target = HopCx<'a, Kserve>;

    fn deref(&self) -> &HopCx<'a, Kserve> {
        self.at
    }
}

impl Road<'_> {
    /// Whether the hop goes over the split.
    pub(super) fn splits(&self) -> bool {
        self.hop.from.as_ref().is_some_and(|from| self.facts.splits(from, &self.hop.to))
    }

    /// The releases whose objects any other of the hop may take over: all of KServe.
    pub(super) fn adopted(&self) -> Vec<ObjectName> {
        match self.splits() {
            true => self.renders.iter().map(|(moved, _)| moved.release.clone()).collect(),
            false => Vec::new(),
        }
    }

    /// The controller of LLM objects stores them in a version that the one before the split cannot read, as soon as it starts.
    pub(super) fn stores_anew(&self, moved: &Moved, draft: Draft, out: &mut Lowering) -> Draft {
        let storage = &self.facts.llm_storage;
        let part = self.facts.parts.get(moved.part);
        let starts = part.is_some_and(|part| part.holds == Holds::Others && part.part == "llmisvc");
        let objects = llm_objects(self.section);
        if !starts || !self.splits() || objects == 0 {
            return draft;
        }
        let id = format!("stores-llm-{}", self.hop.to.plain());
        let ends = format!("rollback with {objects} LLM objects");
        let recovery = format!(
            "KServe below {} reads no object that is stored as {}: create them again from what step {} captured",
            storage.since,
            storage.version,
            self.scope.id("baseline")
        );
        let point = PointOfNoReturn { id: Label::sanitized(&id), step: draft.id().clone(), ends, recovery };
        let asks = format!("approve that {objects} LLM objects are stored as {}", storage.version);
        let gate = out.point_of_no_return(asks, point);
        draft.gate(&gate)
    }
}

fn llm_objects(section: &Section) -> usize {
    section.others.iter().filter(|other| other.object.kind.starts_with("LLM")).count()
}
