//! Verdicts from looks: what is short of what was counted, since when, and whose it is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use switchback_model::windows::later;
use switchback_schemas::{
    Seconds,
    journal::{Counted, Progress, Shortage, Touched},
    plan::ShortageKind,
};

use super::touched::Touches;
use crate::{machine::Census, ports::Look};

/// Time without a good look after which nobody can say that nothing was better in between.
const GAP: Seconds = Seconds::minutes(5);

/// What was seen over several looks.
#[derive(Debug, Default)]
pub(in crate::machine) struct Seen {
    last: Option<Timestamp>,
    /// Since when something is short without a break.
    since: BTreeMap<String, Timestamp>,
    /// Work that was seen at a good end.
    complete: BTreeSet<String>,
    /// Whether a look could not be read since the last good one.
    blind: bool,
}

impl Seen {
    /// A look could not be read: what passes until the next good one counts for nothing.
    pub(in crate::machine) fn unreadable(&mut self) {
        self.blind = true;
    }

    /// A good look.
    pub(in crate::machine) fn look(&mut self, census: &Census, look: &Look, now: Timestamp) {
        let unseen = self.last.filter(|last| self.blind || later(*last, GAP) < now);
        if let Some(last) = unseen {
            let gap = now.duration_since(last);
            let pause = |since: &mut Timestamp| *since = since.checked_add(gap).unwrap_or(now).min(now);
            self.since.values_mut().for_each(pause);
        }
        (self.last, self.blind) = (Some(now), false);
        let there = by_uid(look);
        for counted in there.values().filter(|counted| counted.progress == Progress::Complete) {
            self.complete.insert(counted.uid.clone());
        }
        let first = census.first();
        let is_short = |uid: &str| {
            let now = there.get(uid).zip(first.get(uid));
            now.is_some_and(|(now, before)| short(now, before.ready) > 0)
        };
        self.since.retain(|uid, _| is_short(uid));
        for uid in first.keys().filter(|uid| is_short(uid)) {
            self.since.entry((*uid).to_owned()).or_insert(now);
        }
    }

    /// What is worse than it was counted first.
    pub(in crate::machine) fn shortages(
        &self,
        census: &Census,
        touches: &Touches,
        look: &Look,
    ) -> Vec<Shortage> {
        let there = by_uid(look);
        let now = self.last.unwrap_or(Timestamp::MIN);
        let shortage = |before: &Counted| {
            let found = there.get(before.uid.as_str()).copied();
            let how = self.how(before, found)?;
            let state = found.unwrap_or(before);
            Some(Shortage {
                uid: before.uid.clone(),
                object: before.object.clone(),
                how,
                before: before.ready,
                desired: state.desired,
                ready: found.map_or(0, |found| found.ready),
                since: self.since.get(&before.uid).copied().unwrap_or(now),
                ours: ours(census, touches, before, found, how),
                cause: look.causes.get(&before.uid).cloned().unwrap_or_default(),
            })
        };
        census.first().into_values().filter_map(shortage).collect()
    }

    fn how(&self, before: &Counted, now: Option<&Counted>) -> Option<ShortageKind> {
        let finite = before.progress == Progress::Unfinished;
        match now {
            None if finite && !self.complete.contains(&before.uid) => Some(ShortageKind::Gone),
            // What has no end and is not wanted any more is missed by nobody.
            None => None,
            Some(now) => match now.progress {
                Progress::Complete => None,
                Progress::Failed => (before.progress != Progress::Failed).then_some(ShortageKind::Failed),
                Progress::Lasting | Progress::Unfinished => {
                    (short(now, before.ready) > 0).then_some(ShortageKind::Short)
                }
            },
        }
    }
}

/// `min(desired now, ready before) - ready now`.
fn short(now: &Counted, before: u64) -> u64 {
    now.desired.min(before).saturating_sub(now.ready)
}

/// How this run may have caused it. What was as bad already before the hop that touched it, that hop did not cause.
fn ours(
    census: &Census,
    touches: &Touches,
    before: &Counted,
    now: Option<&Counted>,
    how: ShortageKind,
) -> Option<Touched> {
    let mut all = touches.to(before);
    all.extend(now.map(|now| touches.to(now)).unwrap_or_default());
    all.into_iter().find(|touched| {
        let then = census.before(&touched.hop, &before.uid);
        match (how, now) {
            (ShortageKind::Short, Some(now)) => short(now, then.map_or(before.ready, |then| then.ready)) > 0,
            (ShortageKind::Failed, _) => then.is_none_or(|then| then.progress != Progress::Failed),
            _ => true,
        }
    })
}

fn by_uid(look: &Look) -> BTreeMap<&str, &Counted> {
    look.counted.iter().map(|counted| (counted.uid.as_str(), counted)).collect()
}

/// Several looks as one: what the last one saw, with the fewest that were Ready in any and the longest start in all.
pub(in crate::machine) fn fewest(looks: &[Look]) -> Vec<Counted> {
    let Some((last, earlier)) = looks.split_last() else { return Vec::new() };
    let mut counted = last.counted.clone();
    for look in earlier {
        let there = by_uid(look);
        for one in &mut counted {
            let then = there.get(one.uid.as_str());
            one.ready = one.ready.min(then.map_or(0, |then| then.ready));
            one.start = one.start.max(then.map_or(Seconds(0), |then| then.start));
        }
    }
    counted.retain(|one| one.ready > 0);
    counted
}

/// What differs from what was counted last, and what is gone.
pub(in crate::machine) fn changes(census: &Census, look: &Look) -> (Vec<Counted>, Vec<String>) {
    let (latest, there) = (census.latest(), by_uid(look));
    let differs = |now: &&Counted| match latest.get(now.uid.as_str()) {
        Some(then) => (now.ready, now.progress, &now.groups) != (then.ready, then.progress, &then.groups),
        None => now.ready > 0,
    };
    let changed = look.counted.iter().filter(differs).cloned().collect();
    let gone = latest.keys().filter(|uid| !there.contains_key(*uid)).map(|uid| (*uid).to_owned()).collect();
    (changed, gone)
}
