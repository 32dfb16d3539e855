//! What stands on the platform is counted before each hop, and compared before anything of the run passes: it answers for what it made
//! worse.

use jiff::Timestamp;
use switchback_schemas::{
    Seconds,
    journal::{At, Event, Evidence, Shortage, Verdict, WaitsFor, Way},
    plan::{ApprovalScope, Roll, ShortageKind},
};

use super::{
    gates::Gated,
    in_flight::{Purpose, Stage, later},
};
use crate::{
    machine::{
        Decision, Machine, What,
        census::{Touches, changes, fewest},
        fold::place::roll_of,
        step_of,
    },
    ports::{Failure, Look, PoolHealth},
};

/// The label by which Karpenter says of which NodePool a node is.
const NODE_POOL: &str = "karpenter.sh/nodepool";

/// Between two looks at what takes long: while a batch is under way, and at what has been short for a while.
const BETWEEN: Seconds = Seconds::minutes(2);

/// What the census says now.
enum Compared {
    /// Nothing of this run is worse; what else is.
    Passes(Vec<Shortage>),
    /// That is not known yet.
    Waits(Vec<WaitsFor>),
    /// Something of this run is worse.
    Worse(Vec<Shortage>),
}

impl Machine {
    /// Whether a step waits until its hop is counted; the first one of each hop does.
    pub(super) fn waits_for_census(&mut self, at: &At, now: Timestamp, out: &mut Decision) -> bool {
        if self.state.is_counted(&self.index, at).is_ok() {
            return false;
        }
        // Another step of this hop has said all.
        if out.append.iter().any(|event| matches!(event, Event::Counted { .. } | Event::Held { .. })) {
            return true;
        }
        let Some(hop) = step_of(&self.index.plan, at).map(|step| step.hop.clone()) else { return true };
        if self.state.census.is_empty() {
            let looks = self.live.looks.before.len();
            if looks < usize::try_from(self.settings.looks.max(1)).unwrap_or(usize::MAX) {
                let waits = self.look(at, now, out);
                self.wait_for_look(at, waits, self.live.looks.next, now);
            } else {
                let counted = fewest(&self.live.looks.before);
                let looks = u32::try_from(looks).unwrap_or(u32::MAX);
                out.append.push(Event::Counted { hop, looks, counted, gone: Vec::new() });
            }
            return true;
        }
        match self.census(at, self.state.last.unwrap_or(Timestamp::MIN), now, out) {
            Compared::Waits(waits) => self.wait_for_look(at, waits, self.next_look(), now),
            Compared::Worse(shortages) => {
                self.hold_worse(&format!("hop {hop} does not begin"), shortages, out);
            }
            Compared::Passes(_) => {
                let look = self.live.looks.last.as_ref().map(|(_, look)| look);
                let (counted, gone) = look.map(|look| changes(&self.state.census, look)).unwrap_or_default();
                out.append.push(Event::Counted { hop, looks: 1, counted, gone });
            }
        }
        true
    }

    /// Whether the next batch of a roll waits, because something of this run is short.
    pub(super) fn waits_for_workloads(&mut self, at: &At, now: Timestamp, out: &mut Decision) -> bool {
        if !self.index.counts || at.way != Way::Forward {
            return false;
        }
        let rested = self.state.roll(at).and_then(|roll| roll.rested).map(|(_, rested)| rested);
        match self.census(at, rested.unwrap_or(Timestamp::MIN), now, out) {
            Compared::Passes(_) => false,
            Compared::Waits(waits) => {
                self.wait_for_look(at, waits, self.next_look(), now);
                true
            }
            Compared::Worse(shortages) => {
                self.hold_worse(&format!("{at} takes no more nodes"), shortages, out);
                true
            }
        }
    }

    /// Whether a batch that has moved has left everything as it was; what is written is in `out`.
    pub(super) fn batch_leaves_all(
        &mut self,
        at: &At,
        moved: Timestamp,
        now: Timestamp,
        out: &mut Decision,
    ) -> bool {
        if !self.index.counts || at.way != Way::Forward {
            return true;
        }
        match self.census(at, moved, now, out) {
            Compared::Passes(_) => true,
            Compared::Waits(waits) => {
                let unread = self.live.looks.unread.as_ref();
                if let Some((_, failure)) =
                    unread.filter(|(since, _)| later(*since, self.settings.evidence) <= now)
                {
                    let evidence = Evidence::line(format!("what stands on the platform: {failure}"));
                    out.append
                        .push(Event::Verified { at: at.clone(), verdict: Verdict::Unknown { evidence } });
                }
                self.wait_for_look(at, waits, self.next_look(), now);
                false
            }
            Compared::Worse(shortages) => {
                let lines = self.named(&shortages);
                out.append.push(Event::Compared { shortages });
                let verdict = Verdict::Fails { evidence: Evidence(lines) };
                out.append.push(Event::Verified { at: at.clone(), verdict });
                false
            }
        }
    }

    /// Everything is done: whether the run is complete. What is written is in `out`.
    pub(super) fn leaves_all(&mut self, now: Timestamp, out: &mut Decision) -> bool {
        if !self.index.counts || self.state.census.is_empty() {
            return true;
        }
        let Some(at) = self.index.plan.steps.last().map(|step| At::forward(&step.id)) else { return true };
        let ended = *self.live.looks.ended.get_or_insert(now);
        match self.census(&at, ended, now, out) {
            Compared::Passes(shortages) => {
                self.live.places.remove(&at);
                out.append.push(Event::Compared { shortages });
                true
            }
            Compared::Waits(waits) => {
                self.wait_for_look(&at, waits, self.next_look(), now);
                false
            }
            Compared::Worse(shortages) => {
                self.live.places.remove(&at);
                self.hold_worse("all steps are done, and the run is not complete", shortages, out);
                false
            }
        }
    }

    /// Compares the platform with what was counted, by a look that is not from before `since`.
    fn census(&mut self, at: &At, since: Timestamp, now: Timestamp, out: &mut Decision) -> Compared {
        let until = |when| self.live.looks.again.unwrap_or_else(|| later(when, self.settings.watch));
        let fresh = |(when, _): &&(Timestamp, Look)| *when >= since && until(*when) > now;
        let Some((when, look)) = self.live.looks.last.as_ref().filter(fresh) else {
            let mut waits = self.look(at, now, out);
            // Until the next look is answered it waits for what the last one found.
            waits.extend_from_slice(&self.live.looks.short);
            return Compared::Waits(waits);
        };
        let (when, touches) = (*when, Touches::of(&self.index.plan, &self.state));
        let shortages = self.live.looks.seen.shortages(&self.state.census, &touches, look);
        self.accept(&shortages, now, out);
        let accepted = |shortage: &Shortage| {
            out.append.iter().any(|event| match event {
                Event::Approved { approval } => match &approval.scope {
                    ApprovalScope::Worse(accepted) => shortage.is_within(accepted),
                    _ => false,
                },
                _ => false,
            })
        };
        let ours: Vec<&Shortage> = shortages
            .iter()
            .filter(|shortage| self.state.stands_against(shortage) && !accepted(shortage))
            .collect();
        if ours.is_empty() {
            self.live.looks.stays = None;
            self.live.looks.again = None;
            self.live.looks.short.clear();
            return Compared::Passes(shortages);
        }
        let settled = |shortage: &&Shortage| later(shortage.since, self.settles_in(shortage));
        if ours.iter().any(|shortage| shortage.how == ShortageKind::Failed || settled(shortage) <= now) {
            self.live.looks.stays = None;
            return Compared::Worse(shortages);
        }
        let (worse, last) = (ours.iter().map(settled).min(), ours.iter().map(settled).max());
        let began = ours.iter().map(|shortage| shortage.since).min().unwrap_or(when);
        // What lasts is looked at less and less often, and anew when it would be worse.
        let lasted = Seconds(u64::try_from(when.duration_since(began).as_secs() / 2).unwrap_or(0));
        let again = later(when, lasted.min(BETWEEN).max(self.settings.watch));
        let short: Vec<WaitsFor> =
            ours.iter().map(|shortage| WaitsFor::Condition { message: shortage.to_string() }).collect();
        let looks = &mut self.live.looks;
        looks.stays = last.map(|end| later(end, self.settings.watch));
        looks.again = Some(worse.map_or(again, |end| end.min(again)));
        looks.short.clone_from(&short);
        Compared::Waits(short)
    }

    /// How long something has to be short until it is worse.
    fn settles_in(&self, shortage: &Shortage) -> Seconds {
        let first = self.state.census.first();
        let start = first.get(shortage.uid.as_str()).map_or(Seconds(0), |counted| counted.start);
        self.settings.short.max(Seconds(start.0.saturating_mul(2)))
    }

    /// Approvals that accept what is worse, as records.
    fn accept(&self, shortages: &[Shortage], now: Timestamp, out: &mut Decision) {
        let asking = self.asking(now);
        for shortage in shortages.iter().filter(|shortage| self.state.stands_against(shortage)) {
            let scopes =
                asking.approvals.iter().map(|approval| &approval.scope).filter(|scope| match scope {
                    ApprovalScope::Worse(accepted) => shortage.is_within(accepted),
                    _ => false,
                });
            for scope in scopes {
                if let Gated::Pass { approvals, .. } = asking.approved(scope) {
                    let new = approvals.into_iter().map(|approval| Event::Approved { approval });
                    let new: Vec<Event> = new.filter(|event| !out.append.contains(event)).collect();
                    out.append.extend(new);
                    break;
                }
            }
        }
    }

    fn hold_worse(&self, what: &str, shortages: Vec<Shortage>, out: &mut Decision) {
        let why = format!("{what}: worse than before this run: {}", self.named(&shortages).join("; "));
        out.append.push(Event::Compared { shortages });
        out.append.push(Event::Held { at: None, why });
    }

    /// What stands against going on, by name.
    fn named(&self, shortages: &[Shortage]) -> Vec<String> {
        let against = shortages.iter().filter(|shortage| self.state.stands_against(shortage));
        against.map(ToString::to_string).collect()
    }

    /// Asks for a look, if none is on its way and one is due; why there is none, if it could not be read.
    fn look(&mut self, at: &At, now: Timestamp, out: &mut Decision) -> Vec<WaitsFor> {
        let looks = &mut self.live.looks;
        if !looks.asked && looks.next.is_none_or(|next| next <= now) {
            looks.asked = true;
            self.ask(at, Purpose::Census, What::Census, now, out);
        }
        let Some((since, failure)) = &self.live.looks.unread else { return Vec::new() };
        let what = "what stands on the platform".to_owned();
        let waits = WaitsFor::Unreadable { what, why: failure.to_string() };
        self.live.looks.stays = Some(later(*since, self.settings.evidence));
        vec![waits]
    }

    /// A look was answered.
    pub(super) fn looked(&mut self, look: Result<Look, Failure>, now: Timestamp) {
        let counting = self.state.census.is_empty();
        let looks = &mut self.live.looks;
        looks.asked = false;
        match look {
            Ok(look) => {
                looks.unread = None;
                looks.stays = None;
                looks.again = None;
                looks.next = counting.then(|| later(now, self.settings.apart));
                looks.seen.look(&self.state.census, &look, now);
                if counting {
                    looks.before.push(look.clone());
                }
                looks.last = Some((now, look));
            }
            Err(failure) => {
                let since = looks.unread.as_ref().map_or(now, |(since, _)| *since);
                looks.unread = Some((since, failure));
                looks.next = Some(later(now, self.settings.poll));
                looks.seen.unreadable();
            }
        }
    }

    /// When the platform has to be looked at again.
    fn next_look(&self) -> Option<Timestamp> {
        let looks = &self.live.looks;
        let stale = looks.last.as_ref().map(|(when, _)| later(*when, self.settings.watch));
        looks.next.or(looks.again).or(stale)
    }

    fn wait_for_look(&mut self, at: &At, waits: Vec<WaitsFor>, next: Option<Timestamp>, now: Timestamp) {
        let wake = next.filter(|next| *next > now);
        if waits.is_empty() || self.live.looks.asked {
            let place = self.live.place(at);
            if !waits.is_empty() {
                place.since.get_or_insert(now);
            }
            place.waits = waits;
            place.wake = wake;
            place.helps = None;
            if wake.is_some() {
                // What was asked before is asked again when it has become old.
                place.stage = place.stage.min(Stage::DoneWhen);
            }
        } else {
            let wake = wake.unwrap_or_else(|| later(now, self.settings.poll));
            self.wait(at, waits, (wake, Some(wake)), now);
        }
    }

    /// Looks once in a while whether the NodePool of a roll can make nodes, so that what waits for them can say why not.
    pub(super) fn look_at_pool(&mut self, at: &At, roll: &Roll, now: Timestamp, out: &mut Decision) {
        let counted = self.index.counts && at.way == Way::Forward && roll.labels.contains_key(NODE_POOL);
        let is_old = |(when, _): &(Timestamp, Look)| later(*when, BETWEEN) <= now;
        if counted && self.live.looks.last.as_ref().is_none_or(is_old) {
            self.look(at, now, out);
        }
    }

    /// What keeps NodePools from making nodes from which batches under way take some.
    pub(super) fn pools_in_trouble(&self) -> Vec<WaitsFor> {
        let moving = self
            .state
            .rolls
            .iter()
            .filter(|(_, roll)| roll.batch.as_ref().is_some_and(|batch| batch.moved.is_none()));
        let rolls = moving.filter_map(|(at, _)| roll_of(&self.index.plan, &at.step, at.way));
        let pools = rolls.filter_map(|roll| self.pool(roll));
        pools.flat_map(PoolHealth::trouble).map(|message| WaitsFor::Capacity { message }).collect()
    }

    /// What keeps the NodePool of a roll from making nodes, as it was seen last.
    pub(super) fn pool(&self, roll: &Roll) -> Option<&PoolHealth> {
        let (_, look) = self.live.looks.last.as_ref()?;
        look.pools.get(roll.labels.get(NODE_POOL)?)
    }
}
