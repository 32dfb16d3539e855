//! Rolls: listing nodes, freezing batches, bringing every node of a batch through the recipe, letting nodes go.

use std::collections::BTreeSet;

use jiff::Timestamp;
use switchback_schemas::{
    ItemKey, Seconds,
    journal::{At, Event, Verdict, WaitsFor, Way},
    plan::{Condition, KubeCondition, Roll, Stale, Target, Test, Work},
};

use super::{
    batch::{Choice, choose},
    gates::Gated,
    in_flight::{APART, Purpose, later},
};
use crate::{
    machine::{
        Decision, Machine, Phase, Task, What,
        fold::place::{roll_of, work_at},
    },
    ports::{Failure, Member, PoolHealth},
};

impl Machine {
    /// Brings a roll forward.
    pub(super) fn roll_on(&mut self, at: &At, permit: bool, now: Timestamp, out: &mut Decision) {
        let index = std::sync::Arc::clone(&self.index);
        let Some(roll) = work_at(&index.plan, &self.state, at).and_then(Work::roll) else { return };
        let state = self.state.roll(at);
        match state.and_then(|state| state.batch.as_ref()).map(|batch| batch.moved) {
            Some(Some(_)) => self.verify_batch(at, now, out),
            Some(None) => self.move_items(at, roll, permit, now, out),
            None if permit => self.next_batch(at, roll, now, out),
            None => {}
        }
    }

    /// The next batch, when the last one has been watched for long enough and nothing keeps it from starting.
    fn next_batch(&mut self, at: &At, roll: &Roll, now: Timestamp, out: &mut Decision) {
        if self.live.place(at).wake.is_some_and(|wake| wake > now) {
            return;
        }
        if let Some((batch, rested)) = self.state.roll(at).and_then(|state| state.rested) {
            let canary = roll.canary.as_ref().filter(|_| batch == 0);
            let until = later(rested, canary.map_or(roll.soak, |canary| canary.soak));
            if until > now {
                self.wait(at, vec![WaitsFor::Instant { at: until }], (until, Some(until)), now);
                return;
            }
        }
        // A roll that has moved nodes does not wait for a window to find out that it has moved them all.
        if self.state.roll(at).is_none() && self.waits_for_window(at, now) {
            return;
        }
        if self.waits_for_workloads(at, now, out) || self.waits_for_suspensions(at, now) {
            return;
        }
        if let Some(members) = self.live.place(at).members.take() {
            self.freeze(at, roll, &members, now);
            return;
        }
        self.ask(at, Purpose::Members, What::Members(roll.clone()), now, out);
    }

    /// Whether the next batch may not begin now.
    fn waits_for_window(&mut self, at: &At, now: Timestamp) -> bool {
        let closed = self.asking(now).time(at).or_else(|| self.closed_window(at, now));
        let Some(Gated::Wait { waits_for, wake_at }) = closed else { return false };
        self.wait_gates(at, vec![waits_for], wake_at, now);
        true
    }

    fn freeze(&mut self, at: &At, roll: &Roll, members: &[Member], now: Timestamp) {
        if members.is_empty() {
            let since = *self.live.empty.entry(at.clone()).or_insert(now);
            if later(since, APART) > now {
                let what = format!("pool {} has no nodes", roll.pool);
                self.look_again(at, WaitsFor::SecondLook { what }, now);
                return;
            }
        } else {
            self.live.empty.remove(at);
        }
        let state = self.state.roll(at).cloned().unwrap_or_default();
        let at_ = at.clone();
        match choose(roll, &state, members) {
            Choice::Batch { .. } if self.waits_for_window(at, now) || self.waits_for_pool(at, roll, now) => {}
            Choice::Batch { pass, number, items } => {
                self.live.outbox.push_back(Event::Frozen { at: at_, pass, batch: number, items });
            }
            Choice::Converged => self.live.outbox.push_back(Event::Converged { at: at_ }),
            Choice::Wait(waits) => self.wait_with_cause(at, roll, waits, now),
            Choice::Stuck(why) if self.state.phase(at) == Phase::Rolling => {
                self.live.outbox.push_back(Event::Verified { at: at_, verdict: Verdict::fails(why) });
            }
            Choice::Stuck(why) => self.look_again(at, WaitsFor::Capacity { message: why }, now),
        }
    }

    /// Whether the next batch does not begin, because what makes its nodes is not Ready.
    fn waits_for_pool(&mut self, at: &At, roll: &Roll, now: Timestamp) -> bool {
        let Some(message) = self.pool(roll).and_then(|pool| pool.not_ready.clone()) else { return false };
        self.look_again(at, WaitsFor::Capacity { message }, now);
        true
    }

    /// Waits for nodes, and names what keeps them from coming before what follows from it.
    fn wait_with_cause(&mut self, at: &At, roll: &Roll, waits: WaitsFor, now: Timestamp) {
        let causes = self.pool(roll).map(PoolHealth::trouble).unwrap_or_default().into_iter();
        let mut all: Vec<WaitsFor> = causes.map(|message| WaitsFor::Capacity { message }).collect();
        all.push(waits);
        let wake = later(now, self.settings.poll);
        self.wait(at, all, (wake, Some(wake)), now);
    }

    /// Brings each node of the batch through the recipe, all at once as far as the recipe's order allows.
    fn move_items(&mut self, at: &At, roll: &Roll, permit: bool, now: Timestamp, out: &mut Decision) {
        let items =
            self.state.roll(at).and_then(|state| state.batch.as_ref()).map(|batch| batch.items.clone());
        for item in items.unwrap_or_default() {
            let gone = self.state.roll(at).is_some_and(|state| state.gone.contains(&item.key));
            for recipe in roll.recipe.iter().filter(|_| permit && !gone) {
                let place = at.item(&item.key, &recipe.name);
                let ready = self.state.recipe_may_act(&self.index, &place).is_ok();
                if ready && self.state.phase(&place) == Phase::New && !self.is_full(out) {
                    self.advance(&place, true, now, out);
                }
            }
        }
        // Nodes can vanish by themselves while their batch is under way.
        let due = self.live.listed.get(at).is_none_or(|listed| later(*listed, self.settings.watch) <= now);
        if due && self.live.place(at).command.is_none() && self.has_unended(at, roll) {
            self.ask(at, Purpose::Members, What::Members(roll.clone()), now, out);
        }
        if self.has_unended(at, roll) {
            self.look_at_pool(at, roll, now, out);
        }
        self.ask_after_missing(at, roll, now, out);
        let next = self.live.listed.get(at).map(|listed| later(*listed, self.settings.watch));
        self.live.place(at).wake = next.filter(|_| self.has_unended(at, roll));
    }

    /// Whether a node of the batch is neither done nor being ended by us.
    fn has_unended(&self, at: &At, roll: &Roll) -> bool {
        let items =
            self.state.roll(at).and_then(|state| state.batch.as_ref()).map(|batch| batch.items.as_slice());
        items.unwrap_or_default().iter().any(|item| {
            !self.state.item_is_done(&self.index.plan, at, &item.key) && !self.is_ending(at, roll, &item.key)
        })
    }

    /// Whether this run itself began to end a node.
    fn is_ending(&self, at: &At, roll: &Roll, key: &ItemKey) -> bool {
        let ends = roll.recipe.iter().filter(|recipe| recipe.ends_node());
        ends.map(|recipe| at.item(key, &recipe.name))
            .any(|place| self.state.task(&place).is_some_and(Task::may_have_acted))
    }

    /// The nodes of a roll were listed.
    pub(super) fn listed(&mut self, at: &At, members: Result<Vec<Member>, Failure>, now: Timestamp) {
        self.live.listed.insert(at.clone(), now);
        let Some(roll) = roll_of(&self.index.plan, &at.step, at.way).cloned() else { return };
        let mut members = match members {
            Ok(members) => members,
            Err(failure) => {
                let what = format!("the nodes of pool {}", roll.pool);
                if self.state.roll(at).is_none_or(|state| state.batch.is_none()) {
                    self.look_again(at, WaitsFor::Unreadable { what, why: failure.to_string() }, now);
                }
                return;
            }
        };
        if let Stale::BornBefore(step) = &roll.stale {
            let ended = self.applied_at(step);
            for member in &mut members {
                member.stale = ended.is_some_and(|ended| member.created < ended);
            }
        }
        let batch = self.state.roll(at).and_then(|state| state.batch.as_ref());
        let Some(batch) = batch else {
            self.live.place(at).members = Some(members);
            return;
        };
        let keys = batch.items.iter().map(|item| &item.key);
        let vanished = keys.filter(|key| {
            self.may_vanish(at, &roll, key) && !members.iter().any(|member| member.item.key == **key)
        });
        let vanished: BTreeSet<ItemKey> = vanished.cloned().collect();
        // What failed in the batch is a witness of its own: it may have come of that.
        let failed = batch.items.iter().any(|item| {
            let phase = |name| self.state.phase(&at.item(&item.key, name));
            roll.recipe.iter().any(|recipe| phase(&recipe.name).is_failed())
        });
        let missing = self.live.missing.entry(at.clone()).or_default();
        if failed {
            missing.clear();
            self.live.outbox.extend(vanished.into_iter().map(|item| Event::Gone { at: at.clone(), item }));
            return;
        }
        missing.retain(|key, _| vanished.contains(key));
        for key in vanished {
            missing.entry(key).or_insert(later(now, APART));
        }
    }

    /// Whether it would be news that a node is gone: it is in the batch, and neither done nor being ended by us. While something of
    /// it is called, also to let it go, that call says what became of it.
    fn may_vanish(&self, at: &At, roll: &Roll, key: &ItemKey) -> bool {
        let batch = self.state.roll(at).and_then(|state| state.batch.as_ref());
        let calling = |name| {
            let places = [at.item(key, name), at.release(key, name)];
            places.iter().any(|place| self.state.phase(place) == Phase::Called)
        };
        batch.is_some_and(|batch| batch.items.iter().any(|item| item.key == *key))
            && !roll.recipe.iter().any(|recipe| calling(&recipe.name))
            && !self.state.item_is_done(&self.index.plan, at, key)
            && !self.is_ending(at, roll, key)
    }

    /// Asks after each node by its name that lists have left out for a while: they may have been short.
    fn ask_after_missing(&mut self, at: &At, roll: &Roll, now: Timestamp, out: &mut Decision) {
        let Some(recipe) = roll.recipe.first().filter(|_| self.live.stopping.is_none()) else { return };
        let missing = self.live.missing.get(at).into_iter().flatten();
        let due = missing.filter(|(_, ask)| **ask <= now);
        let places: Vec<At> = due.map(|(key, _)| at.item(key, &recipe.name)).collect();
        let absent = Condition::Kube(KubeCondition::Field {
            object: Target::ItemNode {},
            pointer: String::new(),
            is: Test::Absent {},
        });
        for place in places {
            if self.live.place(&place).command.is_none() {
                self.check(&place, Purpose::Missing, &absent, now, out);
            }
        }
    }

    /// A node that lists left out was asked after by its name.
    pub(super) fn asked_after(&mut self, at: &At, verdict: &Verdict, now: Timestamp) {
        let roll_at = At { item: None, ..at.clone() };
        let Some(key) = at.item.as_ref().map(|item| item.key.clone()) else { return };
        let Some(missing) = self.live.missing.get_mut(&roll_at) else { return };
        if matches!(verdict, Verdict::Unknown { .. }) {
            // Whoever cannot answer is asked again as often as for a list.
            if let Some(ask) = missing.get_mut(&key) {
                *ask = later(now, self.settings.watch);
            }
            return;
        }
        if missing.remove(&key).is_none() {
            return;
        }
        let Some(roll) = roll_of(&self.index.plan, &at.step, at.way) else { return };
        if verdict.is_holding() && self.may_vanish(&roll_at, roll, &key) {
            self.live.outbox.push_back(Event::Gone { at: roll_at, item: key });
        }
    }

    /// Rolls whose touched nodes are to be let go: those of the way that a failure made hold, else those that are taken
    /// back. A pause lets go of nothing.
    fn releasing(&self) -> Vec<At> {
        let due = |at: &&At| match (&self.state.back, &self.state.hold) {
            (Some(back), None) => at.way == Way::Forward && back.steps.contains(&at.step),
            (None, Some(hold)) => at.way == Way::Forward && hold.at.is_some(),
            (Some(_), Some(hold)) => at.way == Way::Rollback && hold.at.is_some(),
            (None, None) => false,
        };
        self.state.rolls.keys().filter(due).cloned().collect()
    }

    /// Places at which a node is to be let go, without those that failed.
    pub(super) fn release_places(&self) -> Vec<At> {
        let rolls = self.releasing();
        let places = rolls.iter().flat_map(|roll| self.state.releases(&self.index, roll));
        places.filter(|at| !self.state.phase(at).is_failed()).collect()
    }

    /// Whether nodes are to be let go before anything else begins.
    pub(super) fn releases_due(&self) -> bool {
        let due = !self.release_places().is_empty() || !self.doubts_to_settle().is_empty();
        self.live.stopping.is_none() && self.state.cleanup.is_none() && due
    }

    /// Rolling back, it has to be known which nodes are still there.
    pub(super) fn doubts_to_settle(&self) -> Vec<At> {
        if self.state.back.is_none() || self.state.hold.is_some() {
            return Vec::new();
        }
        let rolls = self.releasing();
        rolls.iter().flat_map(|roll| self.state.doubtful_ends(&self.index, roll)).collect()
    }

    pub(super) fn release(&mut self, now: Timestamp, out: &mut Decision) {
        for place in self.release_places() {
            self.advance(&place, true, now, out);
        }
        for place in self.doubts_to_settle() {
            let looked_at = self.live.place(&place);
            if looked_at.command.is_none() && looked_at.wake.is_none_or(|wake| wake <= now) {
                self.observe(&place, now, out);
            }
        }
    }

    /// Whether the last listing did not hold a node, and nothing else says yet that it is gone.
    pub(super) fn is_missing(&self, at: &At) -> bool {
        let missing = self.live.missing.get(&At { item: None, ..at.clone() });
        at.item.as_ref().zip(missing).is_some_and(|(item, missing)| missing.contains_key(&item.key))
    }

    /// When the nodes of a roll were listed last, if that was after some instant.
    pub(super) fn looked_after(&self, at: &At, when: Timestamp) -> bool {
        self.live.listed.get(at).is_some_and(|listed| *listed >= when)
    }

    /// Has the nodes of a roll listed, to learn whether a failure is only that its node vanished.
    pub(super) fn look_for(&mut self, at: &At, now: Timestamp, out: &mut Decision) {
        if let Some(roll) = roll_of(&self.index.plan, &at.step, at.way).cloned()
            && self.live.place(at).command.is_none()
        {
            self.ask(at, Purpose::Members, What::Members(roll), now, out);
        }
    }

    /// How long a batch's nodes may take, for views.
    pub fn batch_estimate(&self, at: &At) -> Seconds {
        let roll = roll_of(&self.index.plan, &at.step, at.way);
        roll.map(|roll| roll.recipe.iter().map(|recipe| recipe.work.estimate.expected).sum())
            .unwrap_or_default()
    }
}
