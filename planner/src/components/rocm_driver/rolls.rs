//! Rolls over the GPU nodes of each pool: forward, and back.

use switchback_schemas::{
    Seconds, StepId, Version,
    plan::{Action, Disruption, Estimate, Roll, Stale, Work},
};

use super::{RocmDriver, recipe::Recipe, site::RocmPool};
use crate::{
    component::HopCx,
    lower::{Lowering, Rollback, Undoing, need, nodes},
};

/// How long a driver may take on an empty node: the operator may build its image first.
const DRIVER: Seconds = Seconds::minutes(40);
/// What one node takes: a drain without long waits, a driver, its operands.
const NODE: Estimate = Estimate::seconds(600, 2400);

/// A pool whose drivers move.
pub(super) struct PoolRoll<'a> {
    pub(super) at: &'a HopCx<'a, RocmDriver>,
    pub(super) pool: &'a RocmPool,
}

impl PoolRoll<'_> {
    fn id(&self, part: &str) -> StepId {
        self.at.scope.id(&format!("nodes/{}/{part}", self.pool.pool.name))
    }

    /// What moves nodes back.
    fn returning(&self) -> StepId {
        self.id("return")
    }

    /// Ready nodes below which nothing is started.
    pub(super) fn min_ready(&self) -> u64 {
        nodes::min_ready(&self.at.doc.spec.rollout, self.pool.nodes.len() as u64)
    }

    fn rule(&self, (from, to): (&Version, &Version), observed: u64) -> Roll {
        let (at, spec, site) = (self.at, &self.at.doc.spec, self.at.own);
        let count = self.pool.nodes.len() as u64;
        // The label goes on asking for the driver where that could not be loaded.
        let stale = Stale::LabelNot { key: site.label(), value: to.as_str().to_owned(), or_left: true };
        let rule =
            nodes::roll_for(at.cx, &at.scope, &self.pool.pool, &spec.rollout, stale, (observed, count));
        let recipe = Recipe {
            site,
            from,
            to,
            reboot: spec.reboot.as_ref(),
            test: spec.smoke_test.as_ref(),
            drain_within: nodes::drain_within(&spec.rollout),
            driver_within: spec.driver_within.map_or(DRIVER, |length| length.0),
        };
        Roll { recipe: recipe.steps(), ..rule }
    }

    /// Adds what a rollback does: nodes that have the new driver move as they did forward. `seen` is the look at the pool before anything
    /// moved, whose place the way back takes: after the DeviceConfig names the old driver again.
    pub(super) fn add_rollback(&self, from: &Version, seen: &StepId, out: &mut Lowering) {
        let (at, pool) = (self.at, &self.pool.pool);
        let back = self.rule((&at.hop.to, from), 0);
        let count = self.pool.nodes.len() as u64;
        let estimate = nodes::takes(&Roll { observed: count, ..back.clone() }, count, NODE);
        let title =
            format!("move the nodes of pool {} that have driver {} back to {from}", pool.name, at.hop.to);
        let returning = Rollback::new(Work {
            timeout: Seconds::hours(24),
            disruption: Disruption::Drain,
            estimate,
            ..Work::new(title, Action::Roll(back))
        });
        out.rollback.push(returning.named(self.returning(), vec![seen.clone()]));
    }

    /// Adds the roll forward.
    pub(super) fn add(&self, after: &StepId, previous: Option<&StepId>, out: &mut Lowering) -> StepId {
        let (at, pool) = (self.at, &self.pool.pool);
        let to = &at.hop.to;
        let new: Vec<&str> = at.own.asking(to).map(|node| node.name.as_str()).collect();
        let stale = self.pool.nodes.iter().filter(|node| !new.contains(&node.name.as_str()));
        // One that finishes what an earlier run began finds nodes of both drivers; that run's rollback is its own.
        let from = at.hop.from.as_ref().unwrap_or(&at.own.driver);
        let rule = self.rule((from, to), stale.count() as u64);
        let takes = nodes::takes(&rule, self.pool.nodes.len() as u64, NODE);
        let undo = match at.hop.from {
            Some(_) => Undoing::With(self.returning()),
            None => Undoing::Unneeded("the rollback of the earlier run moves nodes back".to_owned()),
        };
        let title = format!("move the driver of the nodes of pool {} to {to}", pool.name);
        let draft = at
            .scope
            .roll(&format!("nodes/{}/roll", pool.name), title, rule, undo)
            .time(Seconds::hours(24), takes)
            .idempotent()
            .disrupts(Disruption::Drain, Some(pool.tier))
            .needs(after, "a label that moves before the Module has its version loads nothing", Some("kmm"))
            .after(
                previous.map(|step| need(step, "pools of a lower tier move first, one pool at a time", None)),
            );
        out.pools.push(pool.clone());
        out.add(draft)
    }
}
