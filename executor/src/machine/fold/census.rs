//! The fold's part for the census: what was counted before each hop, and what was worse when it was compared last.

use std::collections::BTreeMap;

use switchback_schemas::{
    HopId,
    journal::{At, Counted, Shortage, Way},
    plan::{ApprovalScope, Plan, ShortageKind},
};

use super::{Index, Reason, RunState, place::step_of};

/// What a run has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Census {
    /// For each hop that was counted, in that order, what differed from the one before; nothing where it was gone.
    hops: Vec<BTreeMap<String, Option<Counted>>>,
    /// Where each of them stands.
    numbers: BTreeMap<HopId, usize>,
    /// What was worse when it was compared last.
    pub worse: Vec<Shortage>,
    /// Whether nothing was called since then.
    pub is_fresh: bool,
}

impl Census {
    /// Whether a hop was counted.
    pub fn has(&self, hop: &HopId) -> bool {
        self.numbers.contains_key(hop)
    }

    /// Whether nothing was counted yet.
    pub fn is_empty(&self) -> bool {
        self.hops.is_empty()
    }

    /// Everything as it was counted first.
    pub fn first(&self) -> BTreeMap<&str, &Counted> {
        let mut first: BTreeMap<&str, &Counted> = BTreeMap::new();
        for (uid, counted) in self.hops.iter().flatten() {
            if let Some(counted) = counted {
                first.entry(uid).or_insert(counted);
            }
        }
        first
    }

    /// Everything as it was counted last.
    pub fn latest(&self) -> BTreeMap<&str, &Counted> {
        let mut latest: BTreeMap<&str, &Counted> = BTreeMap::new();
        for (uid, counted) in self.hops.iter().flatten() {
            match counted {
                Some(counted) => latest.insert(uid, counted),
                None => latest.remove(uid.as_str()),
            };
        }
        latest
    }

    /// Something as it was counted before a hop.
    pub fn before(&self, hop: &HopId, uid: &str) -> Option<&Counted> {
        let until = self.hops.get(..=*self.numbers.get(hop)?)?;
        until.iter().rev().find_map(|changed| changed.get(uid))?.as_ref()
    }
}

impl RunState {
    /// Counts before a hop.
    pub(in crate::machine) fn count(
        &mut self,
        index: &Index,
        hop: &HopId,
        counted: &[Counted],
        gone: &[String],
    ) -> Result<(), Reason> {
        if !index.counts || self.census.has(hop) || !index.hops.contains(hop) {
            return Err(Reason::Other(format!("hop {hop} is not counted now")));
        }
        let there = counted.iter().map(|counted| (counted.uid.clone(), Some(counted.clone())));
        let changed = there.chain(gone.iter().map(|uid| (uid.clone(), None))).collect();
        self.census.numbers.insert(hop.clone(), self.census.hops.len());
        self.census.hops.push(changed);
        Ok(())
    }

    /// Whether the platform was counted before the hop of a place that goes forward.
    pub(in crate::machine) fn is_counted(&self, index: &Index, at: &At) -> Result<(), Reason> {
        if !index.counts || at.way != Way::Forward {
            return Ok(());
        }
        match step_of(&index.plan, at).map(|step| &step.hop) {
            Some(hop) if !self.census.has(hop) => {
                Err(Reason::Uncounted { at: at.clone(), hop: Box::new(hop.clone()) })
            }
            _ => Ok(()),
        }
    }

    /// Whether every step is done and nothing keeps the run from being called complete.
    pub(in crate::machine) fn is_whole(&self, plan: &Plan) -> bool {
        let counted = !plan.platform.has_cluster() || self.census.is_empty();
        let well =
            || self.census.is_fresh && !self.census.worse.iter().any(|worse| self.stands_against(worse));
        self.back.is_none() && self.all_done() && (counted || well())
    }

    /// Whether something that is worse is this run's to answer for: it touched it, and nobody accepted it by name.
    pub fn stands_against(&self, shortage: &Shortage) -> bool {
        shortage.ours.is_some() && shortage.how != ShortageKind::Gone && !self.is_accepted(shortage)
    }

    /// Whether an approval that counted is for it.
    pub fn is_accepted(&self, shortage: &Shortage) -> bool {
        self.approvals.iter().any(|given| match &given.scope {
            ApprovalScope::Worse(accepted) => shortage.is_within(accepted),
            _ => false,
        })
    }
}
