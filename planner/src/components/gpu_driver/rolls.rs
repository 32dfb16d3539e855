//! Rolls over the GPU nodes of each pool: forward, held again, and back.

use switchback_schemas::{
    Seconds, StepId, Version,
    plan::{Action, Count, Disruption, Estimate, OrderKey, Roll, Stale, Work},
};

use super::{
    GpuDriver,
    recipe::{self, Recipe},
    site::GpuPool,
};
use crate::{
    component::HopCx,
    lower::{
        Lowering, Rollback, Undoing,
        drivers::{PRESENT, SKIP},
        need, nodes,
        quarantine::{OptOut, Quarantine},
    },
};

/// How long a driver may take on an empty node: its startup probe alone allows for 20 minutes.
const DRIVER: Seconds = Seconds::minutes(40);
/// What one node takes: a drain without long waits, a driver, its operands.
const NODE: Estimate = Estimate::seconds(600, 2400);

/// A pool whose drivers move.
pub(super) struct PoolRoll<'a> {
    pub(super) at: &'a HopCx<'a, GpuDriver>,
    pub(super) pool: &'a GpuPool,
    pub(super) quarantine: Option<&'a Quarantine>,
    pub(super) opt_out: Option<&'static OptOut>,
}

impl PoolRoll<'_> {
    fn name(&self) -> &str {
        self.pool.pool.name.as_str()
    }

    /// The roll forward.
    pub(super) fn id(&self) -> StepId {
        self.at.scope.id(&format!("nodes/{}/roll", self.name()))
    }

    /// What moves nodes back.
    pub(super) fn returning(&self) -> StepId {
        self.at.scope.id(&format!("nodes/{}/return", self.name()))
    }

    /// What holds nodes again before that.
    pub(super) fn holding(&self) -> StepId {
        self.at.scope.id(&format!("nodes/{}/hold-again", self.name()))
    }

    /// Ready nodes below which nothing is started.
    pub(super) fn min_ready(&self) -> u64 {
        nodes::min_ready(&self.at.doc.spec.rollout, self.pool.nodes.len() as u64)
    }

    /// A roll by a recipe. The budget of the manifest and the breaker of NVSentinel both hold.
    fn rule(&self, roll: StepId, (from, to): (&Version, &Version), observed: u64) -> Roll {
        let (at, spec, site) = (self.at, &self.at.doc.spec, self.at.own);
        let count = self.pool.nodes.len() as u64;
        let stale = Stale::PodsNot(recipe::driver_pods(at.facts, site, to));
        let rule =
            nodes::roll_for(at.cx, &at.scope, &self.pool.pool, &spec.rollout, stale, (observed, count));
        let recipe = Recipe {
            facts: at.facts,
            site,
            roll,
            from,
            to,
            opt_out: self.opt_out,
            test: spec.smoke_test.as_ref(),
            drain_within: nodes::drain_within(&spec.rollout),
            driver_within: spec.driver_within.map_or(DRIVER, |length| length.0),
        };
        let mut labels = rule.labels.clone();
        labels.insert(PRESENT.to_owned(), "true".to_owned());
        let within = |asked: Count| match self.breaker() {
            Some(most) if most < asked.of(count) => Count::Nodes(most.max(1)),
            _ => asked,
        };
        Roll {
            labels,
            batch: within(rule.batch),
            max_unavailable: within(rule.max_unavailable),
            recipe: recipe.steps(),
            verify: [rule.verify, self.quarantine.map(Quarantine::after_batch).unwrap_or_default()].concat(),
            ..rule
        }
    }

    /// How many nodes may be away before NVSentinel's breaker would trip.
    fn breaker(&self) -> Option<u64> {
        let all = self.at.own.section.nodes.len() as u64;
        self.quarantine?.at_most(all, self.at.facts.known.breaker.percent)
    }

    /// Adds what a rollback does: nodes are held again before the ClusterPolicy goes back, and those that have the new driver then move
    /// as they did forward. `seen` is the look at the pool before anything moved, whose place the way back takes.
    pub(super) fn add_rollback(
        &self,
        from: &Version,
        (seen, driver): (&StepId, &StepId),
        out: &mut Lowering,
    ) {
        let (at, pool) = (self.at, &self.pool.pool);
        let back = self.rule(self.returning(), (&at.hop.to, from), 0);
        let count = self.pool.nodes.len() as u64;
        let estimate = nodes::takes(&Roll { observed: count, ..back.clone() }, count, NODE);
        let held = Roll {
            stale: Stale::LabelNot { key: SKIP.to_owned(), value: "true".to_owned(), or_left: false },
            order: vec![OrderKey::Oldest],
            canary: None,
            batch: Count::Percent(100),
            max_unavailable: Count::Percent(100),
            min_ready: 0,
            recipe: recipe::hold_again(),
            verify: Vec::new(),
            soak: Seconds(0),
            ..back.clone()
        };
        let title =
            format!("move the nodes of pool {} that have driver {} back to {from}", pool.name, at.hop.to);
        let returning = Rollback::new(Work {
            timeout: Seconds::hours(24),
            disruption: Disruption::Drain,
            estimate,
            ..Work::new(title, Action::Roll(back))
        });
        out.rollback.push(returning.named(self.returning(), vec![seen.clone()]));
        if !at.own.automatic {
            return;
        }
        let title = format!("hold the driver of every GPU node of pool {} again", pool.name);
        let holding = Rollback::new(Work {
            timeout: Seconds::hours(1),
            estimate: Estimate::seconds(10, 60),
            ..Work::new(title, Action::Roll(held))
        });
        out.rollback.push(holding.named(self.holding(), vec![driver.clone()]));
    }

    /// Adds the roll forward.
    pub(super) fn add(&self, after: &[StepId], previous: Option<&StepId>, out: &mut Lowering) -> StepId {
        let (at, pool) = (self.at, &self.pool.pool);
        let to = &at.hop.to;
        let new: Vec<&str> = at.own.running(to).map(|node| node.name.as_str()).collect();
        let stale = self.pool.nodes.iter().filter(|node| !new.contains(&node.name.as_str()));
        // One that finishes what an earlier run began finds nodes of both drivers; that run's rollback is its own.
        let from = at.hop.from.as_ref().unwrap_or(&at.own.driver);
        let rule = self.rule(self.id(), (from, to), stale.count() as u64);
        let takes = nodes::takes(&rule, self.pool.nodes.len() as u64, NODE);
        let undo = match at.hop.from {
            Some(_) => Undoing::With(self.returning()),
            None => Undoing::Unneeded("the rollback of the earlier run moves nodes back".to_owned()),
        };
        let title = format!("move the driver of the nodes of pool {} to {to}", pool.name);
        let part = format!("nodes/{}/roll", pool.name);
        let mut draft = at
            .scope
            .roll(&part, title, rule, undo)
            .time(Seconds::hours(24), takes)
            .idempotent()
            .disrupts(Disruption::Drain, Some(pool.tier));
        for step in after {
            let why = match at.own.automatic {
                true => "every driver is held until its node is drained",
                false => "a driver that is restarted earlier comes up as the old one",
            };
            draft = draft.needs(step, why, Some("recorded"));
        }
        draft = draft.after(
            previous.map(|step| need(step, "pools of a lower tier move first, one pool at a time", None)),
        );
        out.pools.push(pool.clone());
        out.add(draft)
    }
}
