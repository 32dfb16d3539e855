//! The nodes of a hop: pools are looked at before anything moves, and their nodes move when the controller is known to work.

use switchback_schemas::{
    Seconds, StepId,
    plan::{Disruption, Estimate, Pool, Roll, Stale, Strategy},
};

use super::{
    NodeMove,
    lower::{CONTROLLER_PART, HEALTH, Road},
};
use crate::{
    index::nodes_of,
    lower::{Lowering, Undoing, nodes},
};

/// A pool that may have to move.
pub(super) struct PoolRoll {
    pool: Pool,
    nodes: u64,
    observed: u64,
}

impl Road<'_> {
    /// Pools that may have to move: those whose nodes Karpenter makes.
    pub(super) fn rolls(&self) -> Vec<PoolRoll> {
        if self.doc.spec.nodes == NodeMove::None {
            return Vec::new();
        }
        let mut pools: Vec<&Pool> =
            self.cx.pools.iter().filter(|pool| pool.strategy == Strategy::Nodeclaim).collect();
        pools.sort_by_key(|pool| (pool.tier, pool.name.clone()));
        let roll = |pool: &'_ Pool| {
            let inside = nodes_of(self.cx.inventory, pool);
            let drifted = inside
                .iter()
                .filter(|node| node.node_claim.as_ref().is_some_and(|claim| claim.drifted))
                .count();
            let all = inside.len() as u64;
            let observed = if self.doc.spec.nodes == NodeMove::All { all } else { drifted as u64 };
            PoolRoll { pool: pool.clone(), nodes: all, observed }
        };
        pools.into_iter().map(roll).collect()
    }

    /// Looks at a pool before anything moves. Where something does, a rollback leaves the pool as it was seen here: what has drifted
    /// from the restored state moves when the controller is back and Karpenter is still frozen, so that comes where this look came.
    pub(super) fn baseline(&self, roll: &PoolRoll, frozen: &[StepId], out: &mut Lowering) -> StepId {
        let plan = self.roll_of(roll, Stale::Drifted {});
        let look = nodes::counted(
            (self.cx, &self.scope),
            (&roll.pool, plan.min_ready),
            self.moves(),
            (frozen, "nodes must not drift while they are counted"),
        );
        out.pools.push(roll.pool.clone());
        let seen = out.add(look.time(HEALTH, Estimate::seconds(5, 30)));
        if self.moves() {
            let back = nodes::back(&roll.pool, &plan);
            out.rollback.push(back.named(self.returning(roll), vec![seen.clone()]));
        }
        seen
    }

    fn returning(&self, roll: &PoolRoll) -> StepId {
        self.scope.id(&format!("nodes/{}/return", roll.pool.name))
    }

    fn roll_of(&self, roll: &PoolRoll, stale: Stale) -> Roll {
        nodes::roll_for(
            self.cx,
            &self.scope,
            &roll.pool,
            &self.doc.spec.rollout,
            stale,
            (roll.observed, roll.nodes),
        )
    }

    /// Moves the nodes of a pool: what has drifted, or all that were there when the step `since` was applied.
    pub(super) fn move_nodes(
        &self,
        roll: &PoolRoll,
        baseline: &StepId,
        health: &StepId,
        previous: Option<&StepId>,
        since: &StepId,
        out: &mut Lowering,
    ) -> StepId {
        let stale = match self.doc.spec.nodes {
            NodeMove::All => Stale::BornBefore(since.clone()),
            NodeMove::Drifted | NodeMove::None => Stale::Drifted {},
        };
        let built = self.roll_of(roll, stale);
        let estimate = nodes::estimate(&built, roll.nodes);
        let undo = match self.moves() {
            true => Undoing::With(self.returning(roll)),
            false => Undoing::Unneeded(
                "replaced nodes stay: their version is not rolled back by this plan".to_owned(),
            ),
        };
        let which = match self.doc.spec.nodes {
            NodeMove::All if self.moved_before().as_ref() == Some(since) => "the remaining nodes",
            NodeMove::All => "all nodes",
            NodeMove::Drifted | NodeMove::None => "drifted nodes",
        };
        let title = format!("move {which} of pool {}", roll.pool.name);
        let mut draft = self
            .scope
            .roll(&format!("nodes/{}/roll", roll.pool.name), title, built, undo)
            .needs(health, "nodes move under a verified controller", None)
            .needs(baseline, "the pool had its min ready nodes before", None)
            .time(Seconds::hours(24), estimate)
            .idempotent()
            .disrupts(Disruption::Drain, Some(roll.pool.tier));
        if let Some(previous) = previous {
            draft = draft.needs(previous, "pools of a lower tier move first, one pool at a time", None);
        }
        out.add(draft)
    }

    /// The step of an earlier run that moved the controller, if that run saw it done: nodes that it moved since stay.
    pub(super) fn moved_before(&self) -> Option<StepId> {
        let carried = self.cx.inventory.carry_over.as_ref().filter(|_| self.hop.finishes && !self.moves())?;
        let step = self.scope.id(CONTROLLER_PART);
        carried.applied.contains_key(&step).then_some(step)
    }
}
