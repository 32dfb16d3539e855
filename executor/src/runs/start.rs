//! Starting a run, taking it up again, carrying it on.

use std::sync::Arc;

use jiff::Timestamp;
use switchback_model::{
    journal::{Head, Line},
    lint,
};
use switchback_schemas::{
    Digest, RunId, Severity,
    format::Document,
    journal::{End, Event},
    name::Label,
    plan::{ApprovalScope, GateKind, Plan},
};

use super::handover;
use crate::{
    load::{Done, indexed, of_run, replayed, under_trust},
    machine::{Index, Rest},
    runtime::{Ended, RunError, Runtime, Stop, View, may_start},
    store::{NewRun, Store, StoreError, claims},
};

/// The run of a plan. One plan has one run, so starting it twice resumes it; a plan of a later observation has other bytes.
pub fn run_id(plan: &Digest) -> Done<RunId> {
    RunId::new(format!("r-{}", plan.short(12))).map_err(|error| RunError::Bug(error.to_string()))
}

/// Starts the run of a plan, or takes it up where it is, and carries it on until it comes to rest.
///
/// The plan is checked, drivers are looked for and targets prove who they are before anything is called; the platform is
/// claimed before the first effect.
pub async fn apply(runtime: &Runtime, plan: &[u8], stop: &Stop, view: &mut View<'_>) -> Done<(RunId, Ended)> {
    let index = indexed(plan)?;
    rules_hold(&index)?;
    let missing = runtime.drivers.missing(&index.plan);
    if !missing.is_empty() {
        return Err(RunError::NoDriver(missing));
    }
    let run = run_id(&index.digest)?;
    let index = under_trust(index, (&*runtime.store, &run), runtime.trust.as_ref()).await;
    let ended = Box::pin(carry_on(runtime, &run, index, Some(plan), stop, view)).await?;
    Ok((run, ended))
}

/// The plan breaks none of its own rules.
fn rules_hold(index: &Index) -> Done<()> {
    let findings: Vec<_> =
        lint::lint(&index.plan).into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    if findings.is_empty() { Ok(()) } else { Err(RunError::Lint(findings)) }
}

/// Takes up a run by its name, from the plan that is kept with it.
pub async fn resume(runtime: &Runtime, run: &RunId, stop: &Stop, view: &mut View<'_>) -> Done<Ended> {
    let index = of_run(&*runtime.store, run, runtime.trust.as_ref()).await?;
    // What stands in a store is not believed because it stands there.
    if run_id(&index.digest)? != *run {
        return Err(RunError::OtherPlan { run: run.clone(), plan: index.digest });
    }
    rules_hold(&index)?;
    Box::pin(carry_on(runtime, run, index, None, stop, view)).await
}

async fn carry_on(
    runtime: &Runtime,
    run: &RunId,
    index: Arc<Index>,
    new: Option<&[u8]>,
    stop: &Stop,
    view: &mut View<'_>,
) -> Done<Ended> {
    let store = &*runtime.store;
    trusted(runtime, &index)?;
    handover::get_back(runtime.handle(run)).await?;
    let over = match store.journal(run).await? {
        Some(journal) => {
            let mut machine = replayed(&index, run, &journal)?;
            machine.hear(store.side(run).await?);
            machine.stays_over()
        }
        None => false,
    };
    let mut proven = true;
    if !over {
        may_claim(store, &index.plan, run).await?;
        let parent = index.plan.parent.as_ref().map(|parent| &parent.run);
        may_start(runtime.claims.as_ref(), store, (&index.plan.platform.name, run, parent)).await?;
        // Trouble that may pass is waited out under the run's own journal, so that it can park.
        match runtime.prove(&index.plan).await {
            Err(error) if error.passes().is_some() => proven = false,
            other => other?,
        }
    }
    let inherited = match &index.plan.parent {
        Some(parent) => Some(handover::carry_over(store, &parent.run).await?),
        None => None,
    };
    let operation = inherited.as_ref().map_or(run, |carried| &carried.operation);
    let new = new.map(|plan| header(&index, run, operation, plan, runtime.clock.now())).transpose()?;
    let leased = store.take(run, new).await?;
    if let Some(trust) = &index.trust {
        store.put_artifact(run, trust.json()).await?;
    }
    let mut machine = replayed(&index, run, &leased.journal)?;
    if let Some(what) = machine.unfounded() {
        return Err(StoreError::Foreign { run: run.clone(), what }.into());
    }
    if let (Some(parent), Some(carried)) = (&index.plan.parent, inherited) {
        if !over {
            let under_trust = index.plan.platform.trust.is_some();
            handover::take_over(runtime.handle(run), (parent, under_trust), &carried).await?;
        }
        machine.inherit(carried);
    }
    machine.set(runtime.settings);
    machine.hear(store.side(run).await?);
    let ended = runtime.carry_on(run, leased, (machine, proven), stop, view).await?;
    if ended == Ended::Rest(Rest::Ended(End::RolledBack)) {
        handover::give_back(runtime.handle(run)).await?;
    }
    Ok(ended)
}

/// The plan was made under the trust that this process was given, and asks whom that wants asked. A run that is taken up without one goes
/// on under its own, which it kept when it began.
fn trusted(runtime: &Runtime, index: &Index) -> Done<()> {
    let named = index.plan.platform.trust.as_ref();
    let given = runtime.trust.as_ref().map(|trust| trust.named());
    let kept = given.is_none() && index.trust.is_some();
    if given.as_ref() != named && !kept {
        return Err(RunError::Trust { named: named.cloned().map(Box::new), given: given.map(Box::new) });
    }
    match &index.trust {
        Some(trust) if trust.trust().spec.before_start && !asks_first(&index.plan) => {
            Err(RunError::Unasked(trust.trust().metadata.name.clone()))
        }
        _ => Ok(()),
    }
}

/// Whether nothing of a plan begins before somebody approved the whole of it.
fn asks_first(plan: &Plan) -> bool {
    let asks = |gate: &Label| {
        plan.gate(gate)
            .is_some_and(|gate| gate.kind == GateKind::Approval(ApprovalScope::Plan {}) && !gate.may_override)
    };
    plan.steps.iter().filter(|step| step.needs.is_empty()).all(|step| step.gates.iter().any(asks))
}

fn header(index: &Index, run: &RunId, operation: &RunId, plan: &[u8], now: Timestamp) -> Done<NewRun> {
    let event = Event::Header {
        format: Document::Journal.current(),
        run: run.clone(),
        operation: operation.clone(),
        platform: index.plan.platform.name.clone(),
        plan: index.digest,
        review: index.plan.digests.review,
    };
    let first: Line =
        Head::default().line(0, now, event).map_err(|error| RunError::Bug(error.to_string()))?;
    Ok(NewRun { plan: plan.to_vec(), first })
}

/// Whether nobody else has the platform, or the one that this plan continues.
async fn may_claim(store: &dyn Store, plan: &Plan, run: &RunId) -> Done<()> {
    let platform = &plan.platform.name;
    match claims::holder(store, platform).await? {
        Some(by) if by != *run && plan.parent.as_ref().is_none_or(|parent| parent.run != by) => {
            Err(RunError::Claimed { platform: platform.clone(), by })
        }
        _ => Ok(()),
    }
}
