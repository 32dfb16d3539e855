//! Until when a rollback is open, and by when one has to decide for it.
//!
//! *Closes at* is the earliest instant that ends one of its undo steps: an end of support, so long after its step, the start of
//! a later step. A step that crosses a point of no return and has not begun closes nothing yet: it waits for a person. *Decide by* is the latest instant at which the way can begin so that every undo step that closes has begun by
//! then: its own lengths, nine times of ten, and the rollback windows counted backwards.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use switchback_schemas::{
    Seconds, StepId,
    plan::{ExpiresAt, Plan, RollbackStep},
    report::ExpiringRollback,
};

use crate::{
    forecast::Forecast,
    group::{Room, batch},
    rollback_order::RollbackOrder,
    windows::{Windows, earlier, later},
};

/// The times of a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackTimes {
    /// When it closes.
    pub expires_at: Timestamp,
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

/// How a rollback stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stand {
    /// It can still be decided for.
    Open,
    /// It is open, and what closes would not begin in time any more.
    Late,
    /// It is closed.
    Expired,
}

impl RollbackTimes {
    /// The times of a way that a run's account tells of, looked at from an instant.
    pub fn of(way: &ExpiringRollback, at: Timestamp) -> Self {
        Self {
            expires_at: way.expires_at,
            why: way.why.clone(),
            step: way.step.clone(),
            decide_by: way.decide_by,
            stand: stand(way.expires_at, way.decide_by, at),
        }
    }
}

fn stand(expires_at: Timestamp, decide_by: Option<Timestamp>, at: Timestamp) -> Stand {
    match decide_by {
        _ if expires_at <= at => Stand::Expired,
        Some(by) if at <= by => Stand::Open,
        _ => Stand::Late,
    }
}

/// The times of a rollback, looked at from an instant; `None` for one that nothing closes as far as it is known.
pub fn times(
    plan: &Plan,
    way: &RollbackOrder,
    forecast: &Forecast,
    windows: &Windows<'_>,
    at: Timestamp,
) -> Option<RollbackTimes> {
    let undo: BTreeMap<&StepId, &RollbackStep> =
        way.rollback_steps(plan).map(|step| (&step.id, step)).collect();
    let expiries = undo.iter().filter_map(|(id, undo)| Some((*id, expiry(plan, undo, forecast)?)));
    let expiries: BTreeMap<&StepId, (Timestamp, &str)> = expiries.collect();
    let (step, (expires_at, why)) = expiries.iter().min_by_key(|(_, (at, _))| *at)?;
    let decide_by = decide_by(way, (&undo, forecast.room()), &expiries, windows);
    Some(RollbackTimes {
        expires_at: *expires_at,
        why: (*why).to_owned(),
        step: (*step).clone(),
        decide_by,
        stand: stand(*expires_at, decide_by, at),
    })
}

/// When a rollback step stops being possible, and why; what is not known to happen closes nothing.
fn expiry<'u>(plan: &Plan, undo: &'u RollbackStep, forecast: &Forecast) -> Option<(Timestamp, &'u str)> {
    let waits =
        |step: &StepId| !forecast.has_begun(step) && plan.points.iter().any(|line| line.step == *step);
    let at = |at: &ExpiresAt| match at {
        ExpiresAt::Instant(at) => Some(*at),
        ExpiresAt::After(length) => Some(later(forecast.of(undo.place()?)?.ends, *length)),
        ExpiresAt::Start(other) if waits(other) => None,
        ExpiresAt::Start(other) => Some(forecast.of(other)?.begins),
    };
    let all = undo.expires.iter().filter_map(|expiry| Some((at(&expiry.at)?, expiry.why.as_str())));
    all.min_by_key(|(at, _)| *at)
}

/// Backwards from what closes: each undo step has to end before those that need it begin.
fn decide_by(
    way: &RollbackOrder,
    (undo, room): (&BTreeMap<&StepId, &RollbackStep>, &Room),
    expiries: &BTreeMap<&StepId, (Timestamp, &str)>,
    windows: &Windows<'_>,
) -> Option<Timestamp> {
    // By when each has to end, because of those after it.
    let mut ends: BTreeMap<&StepId, Timestamp> = BTreeMap::new();
    let mut first: Option<Timestamp> = None;
    for back in way.steps.iter().rev() {
        let Some(undo) = undo.get(&back.step) else { continue };
        let must_begin = expiries.get(&back.step).map(|(at, _)| *at);
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
