//! Which record may follow which: the fold of a journal. Nothing else changes the state of a run.

use std::collections::BTreeSet;

use jiff::Timestamp;
use switchback_schemas::{
    journal::{At, Class, Event, Evidence, Outcome, Record, Verdict, WaitsFor, Way},
    plan::RetryClass,
};

use super::{
    Illegal, Index, Phase, Reason, RunState,
    place::work_at,
    place_event::PlaceEvent,
    retry::{Reaction, not_done, not_seen},
    state::{Hold, Task},
};

/// Applies one record.
pub(in crate::machine) fn apply(index: &Index, state: &mut RunState, record: &Record) -> Result<(), Illegal> {
    let refuse = |reason| Illegal { seq: record.seq, reason };
    head(index, state, record).map_err(refuse)?;
    event(index, state, record).map_err(refuse)?;
    state.records = record.seq.saturating_add(1);
    state.last = Some(record.at);
    Ok(())
}

/// What must hold for every record.
fn head(index: &Index, state: &RunState, record: &Record) -> Result<(), Reason> {
    if record.seq != state.records {
        return Err(Reason::Sequence(state.records));
    }
    let first = record.seq == 0;
    match &record.event {
        Event::Header { plan, .. } if first => {
            return match *plan == index.digest {
                true => Ok(()),
                false => Err(Reason::OtherPlan(*plan)),
            };
        }
        Event::Header { .. } => return Err(Reason::Header),
        _ if first => return Err(Reason::Header),
        // A complete run has rollbacks until they close, and a run that is over may keep something for them: so a process may
        // take it up again.
        Event::Epoch { .. } if state.may_clean_up() => {}
        // One that was continued has its rollbacks when the run that took over rolled back, and may be closed until then.
        Event::Returned { .. }
        | Event::TurnedToCleanup { .. }
        | Event::Approved { .. }
        | Event::Noted { .. }
        | Event::Heard { .. }
            if state.ended.is_none() => {}
        _ if state.is_over() => return Err(Reason::Over),
        _ => {}
    }
    let takes_over = matches!(record.event, Event::Epoch { .. });
    let fits = if takes_over { record.epoch > state.epoch } else { record.epoch == state.epoch };
    if !fits {
        return Err(Reason::Epoch { found: record.epoch, current: state.epoch });
    }
    if state.parked.is_some() && !takes_over {
        return Err(Reason::Other("a parked run continues only under a new epoch".to_owned()));
    }
    Ok(())
}

fn event(index: &Index, state: &mut RunState, record: &Record) -> Result<(), Reason> {
    let now = record.at;
    match &record.event {
        Event::Header { run, operation, review, .. } => {
            state.run = Some(run.clone());
            state.operation = Some(operation.clone());
            state.review = Some(*review);
            state.began = Some(now);
            state.epoch = record.epoch;
            state.recount(index);
        }
        Event::Epoch { by, .. } => {
            state.appliers.extend(by.clone());
            state.epoch = record.epoch;
            state.taken_over = Some(now);
            state.parked = None;
            if let Some((end, _)) = state.ended.take() {
                // Its end released the platform.
                state.claimed = false;
                state.reopened = Some(end);
                state.cleanup = None;
            }
            // Gates are asked again after a pause, unless the step was begun.
            for task in state.tasks.values_mut().filter(|task| task.phase == Phase::New) {
                task.passed.clear();
            }
        }
        Event::Claimed {} => state.claimed = true,
        Event::Approved { approval } => state.approvals.push(approval.clone()),
        Event::Heard { entries } if *entries < state.heard => {
            return Err(Reason::Other("the side log does not become shorter".to_owned()));
        }
        Event::Heard { entries } => state.heard = *entries,
        Event::Noted { text } => state.notes.push(text.clone()),
        Event::Parked { waits_for, wake_at } => state.parked = Some((waits_for.clone(), *wake_at)),
        Event::Superseded { by } => state.hand_over(by),
        Event::Returned { from, lost } => state.take_back(from, lost)?,
        Event::Done { end, residue } => {
            state.may_end(&index.plan, *end)?;
            state.ended = Some((*end, residue.clone()));
        }
        Event::Counted { hop, counted, gone, .. } => state.count(index, hop, counted, gone)?,
        Event::Compared { shortages } => {
            state.census.worse.clone_from(shortages);
            state.census.is_fresh = true;
        }
        Event::Reached { savepoint } => state.reach(index, savepoint)?,
        Event::TurnedToRollback { scope, why } => state.turn_back(index, scope, why, now)?,
        Event::TurnedForward { .. } => state.turn_forward(index)?,
        Event::TurnedToCleanup { steps, early, why } => {
            state.turn_to_cleanup(index, (steps, early), why, now)?;
        }
        Event::LeftSuspended { suspension, why } => state.hold_over(index, suspension, why, now)?,
        Event::Held { at, why } => {
            if let Some(at) = at.as_ref().filter(|at| state.phase(at) == Phase::InDoubt) {
                state.set(index, at, Phase::Asked, now);
            }
            state.hold = Some(Hold { at: at.clone(), why: why.clone() });
        }
        Event::Retry { at, .. } => state.retry(index, at, now)?,
        Event::Frozen { at, pass, batch, items } => {
            guard(index, state, at, PlaceEvent::Frozen)?;
            may_act(index, state, at)?;
            state.is_counted(index, at)?;
            state.freeze(index, at, *pass, *batch, items, now)?;
        }
        Event::Gone { at, item } => {
            guard(index, state, at, PlaceEvent::Gone)?;
            state.vanish(index, at, item, now)?;
        }
        Event::BatchDone { at, batch } => {
            guard(index, state, at, PlaceEvent::BatchDone)?;
            state.batch_done(at, *batch, now)?;
        }
        Event::Converged { at } => {
            guard(index, state, at, PlaceEvent::Converged)?;
            may_act(index, state, at)?;
            state.converge(index, at, now)?;
        }
        event => place(index, state, event, now)?,
    }
    Ok(())
}

/// Records about one place.
fn place(index: &Index, state: &mut RunState, event: &Event, now: Timestamp) -> Result<(), Reason> {
    match event {
        Event::Passed { at, gate, evidence } => {
            guard(index, state, at, PlaceEvent::Passed)?;
            let task = state.touch(at, now);
            task.passed.insert(gate.clone());
            task.evidence = evidence.clone();
        }
        Event::Captured { at, name, value } => {
            guard(index, state, at, PlaceEvent::Captured)?;
            state.touch(at, now).captured.insert(name.clone(), value.clone());
        }
        Event::Skipped { at, evidence } => {
            guard(index, state, at, PlaceEvent::Skipped)?;
            may_act(index, state, at)?;
            state.touch(at, now).evidence = evidence.clone();
            state.set(index, at, Phase::Skipped, now);
        }
        Event::Stopped { at, evidence } => {
            guard(index, state, at, PlaceEvent::Stopped)?;
            state.touch(at, now).evidence = evidence.clone();
            state.set(index, at, Phase::Stopped, now);
        }
        Event::Intent { at, attempt, .. } => {
            guard(index, state, at, PlaceEvent::Intent)?;
            may_act(index, state, at)?;
            if !state.claimed {
                return Err(Reason::Unclaimed);
            }
            state.is_counted(index, at)?;
            state.census.is_fresh = false;
            let task = state.touch(at, now);
            let expected = task.attempts.saturating_add(1);
            if *attempt != expected {
                return Err(Reason::Attempt { at: at.clone(), expected });
            }
            task.attempts = expected;
            state.set(index, at, Phase::Called, now);
        }
        Event::Ended { at, attempt, outcome } => {
            let retry = guard(index, state, at, PlaceEvent::Ended)?;
            ended(index, state, at, (*attempt, outcome), retry, now)?;
        }
        Event::Verified { at, verdict } => {
            guard(index, state, at, PlaceEvent::Verified)?;
            let rolling = state.phase(at) == Phase::Rolling;
            state.touch(at, now).evidence = verdict.evidence().clone();
            let phase = match verdict {
                Verdict::Holds { .. } if rolling => {
                    return Err(Reason::Other(format!("{at} is verified before it converged")));
                }
                Verdict::Holds { .. } => Phase::Done,
                Verdict::Fails { .. } => Phase::Failed,
                Verdict::Unknown { .. } => Phase::Unproven,
            };
            state.set(index, at, phase, now);
        }
        _ => return Err(Reason::Other("a record of an unknown kind".to_owned())),
    }
    Ok(())
}

/// How a call ended, and what that makes of its place.
fn ended(
    index: &Index,
    state: &mut RunState,
    at: &At,
    (attempt, outcome): (u32, &Outcome),
    retry: RetryClass,
    now: Timestamp,
) -> Result<(), Reason> {
    let task = state.touch(at, now);
    if attempt != task.attempts {
        return Err(Reason::Attempt { at: at.clone(), expected: task.attempts });
    }
    let settles = matches!(outcome, Outcome::Done { .. } | Outcome::NotDone { .. });
    if task.phase != Phase::Called && !settles {
        return Err(Reason::SecondDoubt { at: at.clone(), phase: task.phase });
    }
    task.touched |= !matches!(outcome, Outcome::NotDone { .. });
    let failed = |task: &mut Task, (class, reaction): (Class, Reaction), evidence: &Evidence| {
        // A denial is final after a second look at it, whatever failed before.
        if (task.class == Some(Class::Vetoed)) != (class == Class::Vetoed) {
            task.strikes = 0;
        }
        task.class = Some(class);
        task.evidence = evidence.clone();
        task.failures = task.failures.saturating_add(1);
        task.strikes = task.strikes.saturating_add(u32::from(reaction.tries().is_some()));
    };
    task.looked = match (second_look(outcome), task.looked.take()) {
        (Some(what), Some(before)) if before.1 == *what => Some(before),
        (Some(what), _) => Some((now, what.clone())),
        // A look that could not be made contradicts nothing.
        (None, before) => before.filter(|_| is_no_look(outcome)),
    };
    let phase = match outcome {
        Outcome::Done { evidence } => {
            task.evidence = evidence.clone();
            task.counts_anew();
            task.applied = Some(now);
            task.blocked = None;
            Phase::Applied
        }
        Outcome::Blocked { waits_for } => {
            let since = task.blocked.as_ref().map_or(now, |(since, _)| *since);
            task.blocked = Some((since, waits_for.clone()));
            task.counts_anew();
            Phase::Blocked
        }
        Outcome::NotDone { class, evidence } => {
            let reaction = not_done(*class, retry);
            failed(task, (*class, reaction), evidence);
            match reaction {
                Reaction::Ask => Phase::Asked,
                reaction if reaction.repeats(task.strikes) => Phase::Again,
                _ => Phase::Failed,
            }
        }
        Outcome::InDoubt { class, evidence } => {
            failed(task, (*class, not_seen(*class, retry)), evidence);
            Phase::InDoubt
        }
    };
    state.set(index, at, phase, now);
    Ok(())
}

/// What a call did not see and wants to look at once more.
fn second_look(outcome: &Outcome) -> Option<&String> {
    let Outcome::Blocked { waits_for } = outcome else { return None };
    waits_for.iter().find_map(|wait| match wait {
        WaitsFor::SecondLook { what } => Some(what),
        _ => None,
    })
}

/// Whether a call ended before it saw anything.
fn is_no_look(outcome: &Outcome) -> bool {
    use Class::{Denied, Throttled, Unreachable};
    matches!(outcome, Outcome::NotDone { class: Throttled | Unreachable | Denied, .. })
}

/// Whether the plan has the place and the table allows the record; its retry class.
fn guard(index: &Index, state: &RunState, at: &At, event: PlaceEvent) -> Result<RetryClass, Reason> {
    let missing = || Reason::NoSuchPlace(at.clone());
    let work = work_at(&index.plan, state, at).ok_or_else(missing)?;
    let is_roll = work.roll().is_some();
    let phase = state.phase(at);
    let fits = if is_roll { !event.is_of_effect() } else { !event.is_of_roll() };
    if !fits || !event.phases().contains(&phase) {
        return Err(Reason::Phase { at: at.clone(), phase, event });
    }
    Ok(work.retry)
}

/// Whether it is this place's turn: the run goes its way, does not hold, and what it needs is done.
pub(in crate::machine) fn may_act(index: &Index, state: &RunState, at: &At) -> Result<(), Reason> {
    let wrong = |how| Err(Reason::Direction(at.clone(), how));
    let releases = at.item.is_some() && at.way == Way::Rollback && state.is_release(at);
    if releases {
        let let_go = at.item.as_ref().is_some_and(|item| item.let_go);
        let failed = state.hold.as_ref().is_some_and(|hold| hold.at.is_some());
        let backs_there = state.back.as_ref().is_some_and(|back| back.has(at));
        let may = match (let_go, state.back.is_some()) {
            (true, _) => failed && backs_there,
            (false, true) => backs_there,
            (false, false) => failed,
        };
        return if may { Ok(()) } else { wrong("neither holds after a failure nor rolls back there") };
    }
    if state.hold.is_some() {
        return wrong("holds");
    }
    match (&state.cleanup, at.way) {
        (Some(closing), Way::Cleanup) if closing.steps.contains(&at.step) => return Ok(()),
        (Some(_), _) => return wrong("removes something else"),
        (None, _) => {}
    }
    let needs: BTreeSet<At> = match (&state.back, at.way) {
        (None, Way::Forward) => {
            let number = index.graph.number(&at.step);
            let needs = number.into_iter().flat_map(|number| index.graph.needs(number));
            needs.filter_map(|need| index.id(need)).map(At::forward).collect()
        }
        (Some(back), Way::Rollback) => match back.needs.get(&at.step) {
            Some(needs) => needs.iter().map(At::rollback).collect(),
            None => return wrong("does not roll back there"),
        },
        (None, Way::Rollback) => return wrong("goes forward"),
        (_, Way::Cleanup) => return wrong("removes nothing"),
        (Some(_), Way::Forward) => return wrong("rolls back"),
    };
    if let Some(need) = needs.into_iter().find(|need| !state.phase(need).is_finished()) {
        return Err(Reason::Order { step: at.step.clone(), need: need.step });
    }
    if at.item.is_some() { state.recipe_may_act(index, at) } else { Ok(()) }
}
