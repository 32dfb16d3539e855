//! Until when a way back is open, and by when one has to decide for it.
//!
//! *Closes at* is the earliest instant that ends one of its undo steps: an end of support, so long after its step, the start of
//! a later step. A step that crosses a line of no return and has not begun closes nothing yet: it waits for a person. *Decide by* is the latest instant at which the way can begin so that every undo step that closes has begun by
//! then: its own lengths, nine times of ten, and the rollback windows counted backwards.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use switchback_schemas::{
    Seconds, StepId,
    plan::{ExpiresAt, Plan, RollbackStep},
    report::ClosingWay,
};

use crate::{
    forecast::Forecast,
    group::{Room, batch},
    way_back::WayBack,
    windows::{Windows, earlier, later},
};

/// The times of a way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackTimes {
    /// When it closes.
    pub closes_at: Timestamp,
    /// What closes it.
    pub why: String,
    /// The rollback step that closes.
    pub step: StepId,
    /// The latest instant at which it can begin; absent where no rollback window has room for it before it closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decide_by: Option<Timestamp>,
    /// How it stands when it is looked at.
    pub stand: Stand,
}

/// How a way back stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stand {
    /// It can still be decided for.
    Open,
    /// It is open, and what closes would not begin in time any more.
    Late,
    /// It is closed.
    Closed,
}

impl BackTimes {
    /// The times of a way that a run's account tells of, looked at from an instant.
    pub fn of(way: &ClosingWay, at: Timestamp) -> Self {
        Self {
            closes_at: way.closes_at,
            why: way.why.clone(),
            step: way.step.clone(),
            decide_by: way.decide_by,
            stand: stand(way.closes_at, way.decide_by, at),
        }
    }
}

fn stand(closes_at: Timestamp, decide_by: Option<Timestamp>, at: Timestamp) -> Stand {
    match decide_by {
        _ if closes_at <= at => Stand::Closed,
        Some(by) if at <= by => Stand::Open,
        _ => Stand::Late,
    }
}

/// The times of a way back, looked at from an instant; `None` for one that nothing closes as far as it is known.
pub fn times(
    plan: &Plan,
    way: &WayBack,
    forecast: &Forecast,
    windows: &Windows<'_>,
    at: Timestamp,
) -> Option<BackTimes> {
    let undo: BTreeMap<&StepId, &RollbackStep> =
        way.rollback_steps(plan).map(|step| (&step.id, step)).collect();
    let closings = undo.iter().filter_map(|(id, undo)| Some((*id, closing(plan, undo, forecast)?)));
    let closings: BTreeMap<&StepId, (Timestamp, &str)> = closings.collect();
    let (step, (closes_at, why)) = closings.iter().min_by_key(|(_, (at, _))| *at)?;
    let decide_by = decide_by(way, (&undo, forecast.room()), &closings, windows);
    Some(BackTimes {
        closes_at: *closes_at,
        why: (*why).to_owned(),
        step: (*step).clone(),
        decide_by,
        stand: stand(*closes_at, decide_by, at),
    })
}

/// When a rollback step stops being possible, and why; what is not known to happen closes nothing.
fn closing<'u>(plan: &Plan, undo: &'u RollbackStep, forecast: &Forecast) -> Option<(Timestamp, &'u str)> {
    let waits = |step: &StepId| !forecast.has_begun(step) && plan.lines.iter().any(|line| line.step == *step);
    let at = |at: &ExpiresAt| match at {
        ExpiresAt::Instant(at) => Some(*at),
        ExpiresAt::After(length) => Some(later(forecast.of(undo.place()?)?.ends, *length)),
        ExpiresAt::Start(other) if waits(other) => None,
        ExpiresAt::Start(other) => Some(forecast.of(other)?.begins),
    };
    let all = undo.expires.iter().filter_map(|closing| Some((at(&closing.at)?, closing.why.as_str())));
    all.min_by_key(|(at, _)| *at)
}

/// Backwards from what closes: each undo step has to end before those that need it begin.
fn decide_by(
    way: &WayBack,
    (undo, room): (&BTreeMap<&StepId, &RollbackStep>, &Room),
    closings: &BTreeMap<&StepId, (Timestamp, &str)>,
    windows: &Windows<'_>,
) -> Option<Timestamp> {
    // By when each has to end, because of those after it.
    let mut ends: BTreeMap<&StepId, Timestamp> = BTreeMap::new();
    let mut first: Option<Timestamp> = None;
    for back in way.steps.iter().rev() {
        let Some(undo) = undo.get(&back.step) else { continue };
        let must_begin = closings.get(&back.step).map(|(at, _)| *at);
        let must_end = ends.get(&back.step).copied();
        let begins = match (must_begin, must_end) {
            (None, None) => continue,
            (begin, end) => {
                let needed = room.back(&back.step);
                let by_begin = begin.map(|begin| windows.last(begin, needed));
                let by_end = end.map(|end| latest(undo, needed, end, windows));
                by_begin
                    .into_iter()
                    .chain(by_end)
                    .try_fold(Timestamp::MAX, |least, at| Some(least.min(at?)))?
            }
        };
        first = Some(first.map_or(begins, |first| first.min(begins)));
        for need in &back.needs {
            let end = ends.entry(need).or_insert(begins);
            *end = (*end).min(begins);
        }
    }
    first
}

/// The latest begin with which an undo step has ended by an instant. Nothing begins without room for the rest of its group;
/// a roll that is a group of its own rests between batches.
fn latest(undo: &RollbackStep, needed: Seconds, end: Timestamp, windows: &Windows<'_>) -> Option<Timestamp> {
    let p90 = undo.work.estimate.p90;
    match undo.work.roll() {
        Some(roll) if batch(roll) == needed => windows.last_spread(end, needed, p90),
        _ => windows.last(earlier(end, p90), needed),
    }
}
