//! The fold's part for rolls: batches, nodes that vanish, nodes that are let go again.

use jiff::Timestamp;
use switchback_schemas::{
    ItemKey,
    journal::{At, Item, Way},
    name::Label,
    plan::Plan,
};

use super::{
    Index, Phase, Reason, RunState,
    place::roll_of,
    state::{Batch, Task},
};

impl RunState {
    /// Whether a place takes back what a roll did to a node that it did not replace, and is not a step of an undo's own
    /// roll.
    pub(in crate::machine) fn is_release(&self, at: &At) -> bool {
        let Some(item) = &at.item else { return false };
        let moved_back =
            || self.roll(&At::rollback(&at.step)).is_some_and(|roll| roll.moved.contains_key(&item.key));
        at.way == Way::Rollback && (item.let_go || !moved_back())
    }

    /// Whether a step of a recipe may act: its node is in the batch and what comes first is done.
    pub(in crate::machine) fn recipe_may_act(&self, index: &Index, at: &At) -> Result<(), Reason> {
        let missing = || Reason::NoSuchPlace(at.clone());
        let item = at.item.as_ref().ok_or_else(missing)?;
        let roll_at = At { item: None, ..at.clone() };
        let batch = self.roll(&roll_at).and_then(|roll| roll.batch.as_ref());
        if !batch.is_some_and(|batch| batch.items.iter().any(|known| known.key == item.key)) {
            return Err(Reason::Other(format!("{at} is not in the batch that is under way")));
        }
        let roll = roll_of(&index.plan, &at.step, at.way).ok_or_else(missing)?;
        let recipe = roll.recipe.iter().find(|recipe| recipe.name == item.recipe).ok_or_else(missing)?;
        let lacking =
            recipe.needs.iter().find(|need| !self.phase(&roll_at.item(&item.key, need)).is_finished());
        match lacking {
            None => Ok(()),
            Some(need) => Err(Reason::Other(format!("{at} comes before {need}, which it needs"))),
        }
    }

    pub(in crate::machine) fn freeze(
        &mut self,
        index: &Index,
        at: &At,
        pass: u32,
        batch: u32,
        items: &[Item],
        now: Timestamp,
    ) -> Result<(), Reason> {
        let mut roll = self.rolls.remove(at).unwrap_or_default();
        let next_pass = pass == roll.pass.saturating_add(1);
        let keys: std::collections::BTreeSet<_> = items.iter().map(|item| &item.key).collect();
        let again = |item: &&Item| roll.moved.get(&item.key).is_some_and(|(earlier, _)| *earlier == pass);
        let fits = roll.batch.is_none()
            && !items.is_empty()
            && keys.len() == items.len()
            && (next_pass || (pass == roll.pass && pass > 0))
            && (batch == 0 || batch == roll.batches.saturating_add(1))
            && (next_pass || !items.iter().any(|item| again(&item)));
        if !fits {
            self.rolls.insert(at.clone(), roll);
            return Err(Reason::Other(format!("batch {batch} of pass {pass} of {at} cannot be frozen now")));
        }
        if next_pass {
            roll.pass = pass;
            roll.pass_began = Some(now);
        }
        roll.batches = roll.batches.max(batch);
        if batch == 0 {
            roll.canaries.extend(items.iter().map(|item| item.hardware.clone()));
        }
        for item in items {
            roll.moved.insert(item.key.clone(), (pass, item.clone()));
            roll.gone.remove(&item.key);
            self.next_round_of(at, &item.key);
        }
        roll.batch = Some(Batch { number: batch, items: items.to_vec(), moved: None });
        self.rolls.insert(at.clone(), roll);
        self.set(index, at, Phase::Rolling, now);
        Ok(())
    }

    pub(in crate::machine) fn vanish(
        &mut self,
        index: &Index,
        at: &At,
        item: &ItemKey,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let gone = || Reason::Other(format!("node {item} is not in the batch of {at} that is under way"));
        let roll = self.rolls.get_mut(at).ok_or_else(gone)?;
        let batch = roll.batch.as_ref().ok_or_else(gone)?;
        let calling = |(place, task): (&At, &Task)| is_at(place, at, item) && task.phase == Phase::Called;
        if !batch.items.iter().any(|known| known.key == *item) || self.tasks.iter().any(calling) {
            return Err(gone());
        }
        roll.gone.insert(item.clone());
        let here = |place: &At| is_at(place, at, item) || is_release_of(place, at, item);
        for (place, task) in self.tasks.iter_mut().filter(|(place, _)| here(place)) {
            // Nothing is left to be done, retried or looked at on a node that is not there.
            if !task.phase.is_finished() {
                task.phase = Phase::New;
                self.open.remove(place);
                self.failed.remove(place);
            }
        }
        self.item_moved(index, at, item, now);
        Ok(())
    }

    pub(in crate::machine) fn batch_done(
        &mut self,
        at: &At,
        batch: u32,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let wrong = || Reason::Other(format!("batch {batch} of {at} is not done"));
        let roll = self.rolls.get_mut(at).ok_or_else(wrong)?;
        let open = roll.batch.take().ok_or_else(wrong)?;
        if open.number != batch || open.moved.is_none() {
            roll.batch = Some(open);
            return Err(wrong());
        }
        roll.rested = Some((batch, now));
        self.touch(at, now);
        Ok(())
    }

    pub(in crate::machine) fn converge(
        &mut self,
        index: &Index,
        at: &At,
        now: Timestamp,
    ) -> Result<(), Reason> {
        if self.roll(at).is_some_and(|roll| roll.batch.is_some()) {
            return Err(Reason::Other(format!("{at} converges in the middle of a batch")));
        }
        self.touch(at, now).applied = Some(now);
        self.set(index, at, Phase::Applied, now);
        Ok(())
    }

    /// Whether every step of a roll's recipe is done on a node, or the node is gone.
    pub fn item_is_done(&self, plan: &Plan, roll_at: &At, key: &ItemKey) -> bool {
        let gone = self.roll(roll_at).is_some_and(|roll| roll.gone.contains(key));
        let Some(roll) = roll_of(plan, &roll_at.step, roll_at.way) else { return false };
        gone || roll.recipe.iter().all(|recipe| self.phase(&roll_at.item(key, &recipe.name)).is_finished())
    }

    pub(in crate::machine) fn item_moved(&mut self, index: &Index, at: &At, key: &ItemKey, now: Timestamp) {
        let roll_at = At { item: None, ..at.clone() };
        if !self.item_is_done(&index.plan, &roll_at, key) {
            return;
        }
        let batch = self.roll(&roll_at).and_then(|roll| roll.batch.as_ref());
        let all = batch
            .is_some_and(|b| b.items.iter().all(|item| self.item_is_done(&index.plan, &roll_at, &item.key)));
        if let Some(batch) = self.rolls.get_mut(&roll_at).and_then(|roll| roll.batch.as_mut()).filter(|_| all)
        {
            batch.moved = Some(now);
        }
    }

    /// A roll that failed is tried again: its batch is verified anew, its passes are counted anew.
    pub(in crate::machine) fn resume_roll(&mut self, at: &At, now: Timestamp) {
        let Some(roll) = self.rolls.get_mut(at) else { return };
        match &mut roll.batch {
            Some(batch) => batch.moved = batch.moved.map(|_| now),
            None => roll.pass = 0,
        }
    }

    /// What would have to be undone on the nodes of a roll's batch that were touched and are still there: the places of
    /// the undo steps that may run now. Nodes whose end has begun are left to the roll.
    pub fn releases(&self, index: &Index, roll_at: &At) -> Vec<At> {
        self.let_go(index, roll_at, true)
    }

    /// The same after the process of a run that another one continued has died: what it called last is never answered any more.
    pub fn releases_for_good(&self, index: &Index, roll_at: &At) -> Vec<At> {
        self.let_go(index, roll_at, self.superseded.is_none())
    }

    fn let_go(&self, index: &Index, roll_at: &At, answers: bool) -> Vec<At> {
        let (Some(roll), Some(state)) =
            (roll_of(&index.plan, &roll_at.step, roll_at.way), self.roll(roll_at))
        else {
            return Vec::new();
        };
        let touched = |at: &At| self.task(at).is_some_and(Task::may_have_acted);
        let mut places = Vec::new();
        for item in state.batch.iter().flat_map(|batch| &batch.items) {
            let forward = |recipe| roll_at.item(&item.key, recipe);
            let ending = roll
                .recipe
                .iter()
                .any(|recipe| recipe.ends_node() && self.may_have_ended(&forward(&recipe.name)));
            // What is being called now could land after it was taken back.
            let calling =
                roll.recipe.iter().any(|recipe| self.phase(&forward(&recipe.name)) == Phase::Called);
            if ending || (calling && answers) || self.item_is_done(&index.plan, roll_at, &item.key) {
                continue;
            }
            for recipe in &roll.recipe {
                let undoable = recipe.undo.work().is_some();
                let place = roll_at.release(&item.key, &recipe.name);
                // What came after it is taken back before it.
                let after_is_back =
                    roll.recipe.iter().filter(|later| later.needs.contains(&recipe.name)).all(|later| {
                        let has_undo = later.undo.work().is_some();
                        !has_undo
                            || !touched(&forward(&later.name))
                            || self.phase(&roll_at.release(&item.key, &later.name)).is_finished()
                    });
                let open = !self.phase(&place).is_finished();
                if undoable && open && after_is_back && touched(&forward(&recipe.name)) {
                    places.push(place);
                }
            }
        }
        places
    }

    /// Nodes of open batches that were touched and are neither done nor let go: the roll and the node.
    pub fn touched_nodes(&self, plan: &Plan) -> Vec<(&At, &Item)> {
        let mut nodes = Vec::new();
        for (roll_at, roll) in &self.rolls {
            for item in roll.batch.iter().flat_map(|batch| &batch.items) {
                let tasks = || self.tasks.iter();
                let begun = tasks().any(|(at, task)| is_at(at, roll_at, &item.key) && task.may_have_acted());
                let mut back = tasks().filter(|(at, _)| is_release_of(at, roll_at, &item.key)).peekable();
                let released = back.peek().is_some()
                    && back.all(|(at, task)| self.is_release(at) && task.phase.is_finished());
                let over = || {
                    self.is_ending(plan, roll_at, &item.key) || self.item_is_done(plan, roll_at, &item.key)
                };
                if begun && !released && !over() {
                    nodes.push((roll_at, item));
                }
            }
        }
        nodes
    }

    /// Whether the end of a node was called, and taken: it goes, whoever looks, and cannot be let go any more.
    fn is_ending(&self, plan: &Plan, roll_at: &At, item: &ItemKey) -> bool {
        let recipe = roll_of(plan, &roll_at.step, roll_at.way).into_iter().flat_map(|roll| &roll.recipe);
        let mut ends = recipe.filter(|recipe| recipe.ends_node());
        ends.any(|recipe| self.phase(&roll_at.item(item, &recipe.name)) == Phase::Done)
    }

    /// Whether nodes of a roll's batch may be gone by its own doing: they cannot be had back without new ones.
    pub(in crate::machine) fn has_ended_nodes(&self, index: &Index, roll_at: &At) -> bool {
        let (Some(roll), Some(state)) =
            (roll_of(&index.plan, &roll_at.step, roll_at.way), self.roll(roll_at))
        else {
            return false;
        };
        let ends: Vec<&Label> =
            roll.recipe.iter().filter(|recipe| recipe.ends_node()).map(|recipe| &recipe.name).collect();
        let items = state.batch.iter().flat_map(|batch| &batch.items);
        items
            .into_iter()
            .any(|item| ends.iter().any(|name| self.may_have_ended(&roll_at.item(&item.key, name))))
    }

    /// Whether a step that ends its node may have done so.
    fn may_have_ended(&self, at: &At) -> bool {
        self.task(at).is_some_and(|task| match task.phase {
            Phase::New
            | Phase::Again
            | Phase::Stopped
            | Phase::Skipped
            | Phase::LeftSuspended
            | Phase::Rolling => false,
            Phase::Failed => task.applied.is_some(),
            Phase::Called
            | Phase::Applied
            | Phase::Blocked
            | Phase::InDoubt
            | Phase::Asked
            | Phase::Unproven
            | Phase::Done => true,
        })
    }

    /// Steps that end a node of a roll's batch, of which nobody knows whether they did.
    pub(in crate::machine) fn doubtful_ends(&self, index: &Index, roll_at: &At) -> Vec<At> {
        let (Some(roll), Some(state)) =
            (roll_of(&index.plan, &roll_at.step, roll_at.way), self.roll(roll_at))
        else {
            return Vec::new();
        };
        let items = state.batch.iter().flat_map(|batch| &batch.items);
        let places = items.flat_map(|item| {
            roll.recipe
                .iter()
                .filter(|recipe| recipe.ends_node())
                .map(|recipe| roll_at.item(&item.key, &recipe.name))
        });
        places.filter(|at| matches!(self.phase(at), Phase::Blocked | Phase::InDoubt | Phase::Asked)).collect()
    }

    /// Nodes that were let go begin their recipe anew: a node that was schedulable again has to be drained again.
    pub(in crate::machine) fn take_up_released(&mut self, roll_at: &At) {
        let Some(roll) = self.roll(roll_at) else { return };
        let items = roll.batch.iter().flat_map(|batch| &batch.items);
        let items: Vec<Item> = items.filter(|item| !roll.gone.contains(&item.key)).cloned().collect();
        for item in items {
            let released =
                |at: &At, task: &Task| is_release_of(at, roll_at, &item.key) && task.phase != Phase::New;
            if !self.tasks.iter().any(|(at, task)| released(at, task)) {
                continue;
            }
            // What was not let go after all may still be there: it is looked at, not taken for somebody else's.
            let left = |at: &At, task: &Task| {
                let place = at.item.as_ref().map(|item| roll_at.release(&item.key, &item.recipe));
                is_at(at, roll_at, &item.key)
                    && task.may_have_acted()
                    && place.and_then(|place| self.task(&place)).is_some_and(|task| !task.phase.is_finished())
            };
            let left: Vec<At> =
                self.tasks.iter().filter(|(at, task)| left(at, task)).map(|(at, _)| at.clone()).collect();
            self.next_round_of(roll_at, &item.key);
            self.doubt(left);
        }
    }

    /// Places whose effect may still be there although they begin anew.
    pub(in crate::machine) fn doubt(&mut self, places: Vec<At>) {
        for at in places {
            if let Some(task) = self.tasks.get_mut(&at) {
                task.phase = Phase::InDoubt;
                task.touched = true;
                self.open.insert(at);
            }
        }
    }

    /// A node begins its recipe anew, and what was taken back of it counts no more.
    fn next_round_of(&mut self, roll_at: &At, key: &ItemKey) {
        let here = |at: &At| is_at(at, roll_at, key) || is_release_of(at, roll_at, key);
        for (at, task) in self.tasks.iter_mut().filter(|(at, _)| here(at)) {
            task.next_round();
            self.open.remove(at);
            self.failed.remove(at);
        }
    }
}

/// Whether a place is a step of a roll's recipe on this node.
fn is_at(at: &At, roll: &At, key: &ItemKey) -> bool {
    let here = at.item.as_ref().is_some_and(|item| item.key == *key && !item.let_go);
    at.step == roll.step && at.way == roll.way && here
}

/// Whether a place takes back a step of a roll's recipe on this node.
fn is_release_of(at: &At, roll: &At, key: &ItemKey) -> bool {
    let of_undo = roll.way == Way::Rollback;
    let here = at.item.as_ref().is_some_and(|item| item.key == *key && item.let_go == of_undo);
    at.step == roll.step && at.way == Way::Rollback && here
}
