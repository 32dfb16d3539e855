//! Clearing what a run that is over left behind: a suspension that had to be left, a node that it cordoned, a step that is not undone.
//!
//! Only what is still the run's own doing is taken back: it is called by the plan's own undo, which compares before it
//! sets. The run's lease is held meanwhile, so no process works on it, and what was done stands in its side log, before
//! and after.

use jiff::Timestamp;
use switchback_schemas::{
    RunId, StepId,
    journal::{At, Evidence, Identified, Outcome, SideEntry, SideKind, Verdict},
    plan::{Condition, Effect},
};

use super::{
    handover,
    single::{self, Single},
};
use crate::{
    machine::{Answer, Machine, What, left_suspended},
    report::cleared,
    runtime::{RunError, Runtime},
    store::claims,
};

/// One thing to take back.
struct Work {
    at: At,
    effect: Effect,
    done_when: Option<Condition>,
    /// What must hold first.
    first: Vec<Condition>,
}

/// Clears one thing that a run left, by the name under which it is listed: a suspension, a node or a step. Says what was seen.
pub async fn clear(
    runtime: &Runtime,
    run: &RunId,
    name: &str,
    by: &Identified,
    reason: &str,
) -> Result<Evidence, RunError> {
    let refuse = |why: String| RunError::NotAllowed { run: run.clone(), why };
    let store = &*runtime.store;
    let mut held = runtime.handle(run).take().await?;
    if let Some(parent) = held.machine.plan().parent.clone() {
        held.machine.inherit(handover::carry_over(store, &parent.run).await?);
    }
    let machine = &held.machine;
    // A run that continues another one knows its suspensions and not its nodes; while it is under way it has the claim.
    let touched = machine.state().touched_nodes(machine.plan()).iter().any(|(_, item)| item.name == name);
    if let Some(heir) = machine.state().superseded.as_ref().filter(|_| !touched) {
        return Err(refuse(format!("was continued by run {heir}, which has to account for {name} now")));
    }
    if !machine.state().is_over() {
        return Err(refuse("has not ended: continue with `apply`, `rollback` or `abandon`".to_owned()));
    }
    let platform = &machine.plan().platform.name;
    match claims::holder(store, platform).await? {
        Some(other) if other != *run => {
            return Err(RunError::Claimed { platform: platform.clone(), by: other });
        }
        _ => {}
    }
    let side = store.side(run).await?;
    let cleared = cleared(&side);
    let work = match work(machine, name).filter(|_| !cleared.contains(&name)) {
        Some(work) => Some(work),
        None => of_step(machine, run, name, &cleared).map_err(refuse)?,
    };
    let Some(work) = work else {
        return Err(refuse(format!("left no {name:?} that can be undone; `janitor` lists what it left")));
    };
    if work.is_empty() {
        return Err(refuse(format!("started to terminate node {name}: that cannot be undone")));
    }
    runtime.prove(machine.plan()).await?;
    // What is about to be done is durable before it is done.
    let say = |at: Timestamp, says: SideKind| {
        let entry = SideEntry { run: run.clone(), at, by: by.clone(), says };
        async move { store.say(&entry).await }
    };
    say(runtime.clock.now(), SideKind::Note { text: format!("the janitor clears {name}: {reason}") }).await?;
    let mut evidence = Evidence::default();
    for one in work {
        let seen = take_back(runtime, machine, run, one).await.map_err(refuse)?;
        evidence.0.extend(seen.0);
    }
    let says =
        SideKind::Cleared { what: name.to_owned(), reason: reason.to_owned(), evidence: evidence.clone() };
    say(runtime.clock.now(), says).await?;
    drop(held);
    // With the last suspension that it had to leave open, the platform is that of the run which it continues.
    handover::give_back(runtime.handle(run)).await?;
    Ok(evidence)
}

/// What has to be called to take something back; `None` when nothing of that name was left.
fn work(machine: &Machine, name: &str) -> Option<Vec<Work>> {
    let (plan, state) = (machine.plan(), machine.state());
    if let Some(suspension) = left_suspended(plan, state).into_iter().find(|open| open.id.as_str() == name) {
        // What an earlier run opened has no undo here; it is closed as the run would have closed it.
        let undoing = machine.index().rollback_of(&suspension.suspend);
        let own = undoing.iter().find(|undo| **undo == suspension.suspend).or(undoing.first());
        let undo = own.map(At::rollback);
        let at = undo.unwrap_or_else(|| At::forward(&suspension.resume));
        let (effect, done_when, reads) = machine.work(&at)?;
        let first = std::iter::once(suspension.safe_to_resume.clone());
        let first = first.chain(reads.iter().map(|read| read.condition.clone())).collect();
        return Some(vec![Work { at, effect: effect.clone(), done_when: done_when.cloned(), first }]);
    }
    let touched = state.touched_nodes(plan);
    let (roll, item) = touched.into_iter().find(|(_, item)| item.name == name)?;
    let places = state.releases_for_good(machine.index(), roll).into_iter();
    let here = places.filter(|at| at.item.as_ref().is_some_and(|place| place.key == item.key));
    let work = here.filter_map(|at| {
        let (effect, done_when, _) = machine.work(&at)?;
        Some(Work { effect: effect.clone(), done_when: done_when.cloned(), first: Vec::new(), at })
    });
    Some(work.collect())
}

/// What has to be called to take a step back by itself, or why that is not done; `None` when nothing of that name was left.
fn of_step(
    machine: &Machine,
    run: &RunId,
    name: &str,
    cleared: &[&str],
) -> Result<Option<Vec<Work>>, String> {
    let step = machine.plan().steps.iter().map(|step| &step.id).find(|id| id.as_str() == name);
    let by_hand = || format!("`switchback rollback --run {run} --by-hand` prints the commands that do");
    match step.and_then(|step| single::of(machine, step, cleared)) {
        None => Ok(None),
        Some(Single::ByHand) => Err(format!("does not undo {name} by itself: {}", by_hand())),
        Some(Single::After(first)) => {
            let first: Vec<&str> = first.iter().map(StepId::as_str).collect();
            Err(format!("does not undo {name} before {}; {}", first.join(", "), by_hand()))
        }
        Some(Single::Now(undoing)) => {
            let work = undoing.iter().map(At::rollback).filter_map(|at| {
                let (effect, done_when, reads) = machine.work(&at)?;
                let first = reads.iter().map(|read| read.condition.clone()).collect();
                Some(Work { effect: effect.clone(), done_when: done_when.cloned(), first, at })
            });
            Ok(Some(work.collect()))
        }
    }
}

/// Asks what has to hold first, calls, and looks at what came of it.
async fn take_back(
    runtime: &Runtime,
    machine: &Machine,
    run: &RunId,
    work: Work,
) -> Result<Evidence, String> {
    let ask = async |condition: &Condition| match runtime
        .once(machine, run, &work.at, What::Check(condition.clone()))
        .await
    {
        Answer::Checked(verdict) => verdict,
        _ => Verdict::unknown("no response"),
    };
    let said = |evidence: &Evidence| evidence.0.join("; ");
    if let Some(condition) = &work.done_when
        && let Verdict::Holds { evidence } = ask(condition).await
    {
        return Ok(Evidence(std::iter::once("it is so already".to_owned()).chain(evidence.0).collect()));
    }
    for condition in &work.first {
        match ask(condition).await {
            Verdict::Holds { .. } => {}
            Verdict::Fails { evidence } => {
                return Err(format!(
                    "left {} as it is: that would not be safe: {}",
                    work.at,
                    said(&evidence)
                ));
            }
            Verdict::Unknown { evidence } => {
                let why = said(&evidence);
                return Err(format!("left {} as it is: whether that is safe is unknown: {why}", work.at));
            }
        }
    }
    match runtime.once(machine, run, &work.at, What::Apply(work.effect.clone())).await {
        Answer::Applied(Outcome::Done { evidence }) => match &work.done_when {
            None => Ok(evidence),
            Some(condition) => match ask(condition).await {
                Verdict::Holds { evidence: seen } => Ok(Evidence([evidence.0, seen.0].concat())),
                verdict => {
                    Err(format!("called {}, but it is not verified: {}", work.at, said(verdict.evidence())))
                }
            },
        },
        Answer::Applied(Outcome::NotDone { evidence, .. }) => {
            Err(format!("could not undo {}: {}", work.at, said(&evidence)))
        }
        Answer::Applied(Outcome::InDoubt { evidence, .. }) => {
            Err(format!("may or may not have undone {}: {}", work.at, said(&evidence)))
        }
        Answer::Applied(Outcome::Blocked { .. }) => {
            Err(format!("{} waits for something; try again", work.at))
        }
        _ => Err(format!("no response for {}", work.at)),
    }
}
