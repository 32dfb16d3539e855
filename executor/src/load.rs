//! A run as the store has it: its plan, indexed, and its journal, folded.

use std::sync::Arc;

use switchback_model::{journal::Journal, trust::Trusted};
use switchback_schemas::{Digest, RunId, journal::Event, plan::Plan, trust::TrustRef};

use crate::{
    machine::{Index, Machine, Settings},
    report::{self, ReportError},
    runtime::RunError,
    store::{Store, StoreError},
};

pub(crate) type Done<T> = Result<T, RunError>;

/// A plan by its bytes.
pub(crate) fn indexed(bytes: &[u8]) -> Done<Index> {
    let plan = Plan::from_json(bytes)?;
    let index = Index::new(Arc::new(plan), Digest::of(bytes));
    index.map_err(|error| RunError::Bug(format!("the plan is no DAG: {error}")))
}

/// A plan of a run under its trust: the one that is given, else the one that was kept with the run when it began. The digest that the
/// plan names is what makes it that one; without it no approval counts.
pub(crate) async fn under_trust(
    mut index: Index,
    (store, run): (&dyn Store, &RunId),
    given: Option<&Arc<Trusted>>,
) -> Arc<Index> {
    if let Some(named) = &index.plan.platform.trust {
        let trust = match given {
            Some(given) => Some(Arc::clone(given)),
            None => kept_trust(store, run, named).await,
        };
        index.trust = trust.filter(|trust| trust.named() == *named);
    }
    Arc::new(index)
}

/// The plan of a run, as it was kept.
pub(crate) async fn of_run(store: &dyn Store, run: &RunId, given: Option<&Arc<Trusted>>) -> Done<Arc<Index>> {
    let index = indexed(&store.plan(run).await?)?;
    Ok(under_trust(index, (store, run), given).await)
}

async fn kept_trust(store: &dyn Store, run: &RunId, named: &TrustRef) -> Option<Arc<Trusted>> {
    let json = store.artifact(run, &named.digest).await.ok()?;
    Trusted::from_json(&json).ok().map(Arc::new)
}

/// A report's refusal as a run's.
pub(crate) fn unreportable(run: &RunId) -> impl FnOnce(ReportError) -> RunError + '_ {
    move |error| match error {
        ReportError::Illegal(source) => RunError::Illegal { run: run.clone(), source: Box::new(source) },
        ReportError::NoHeader => RunError::Bug(format!("run {run}: {error}")),
    }
}

/// The bytes of a run's plan. Its journal is looked at first, since it is what says that another release wrote the run.
pub async fn plan(store: &dyn Store, run: &RunId) -> Done<Vec<u8>> {
    store.journal(run).await?.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
    Ok(store.plan(run).await?)
}

/// The plan and the journal of a run.
pub(crate) async fn load(store: &dyn Store, run: &RunId) -> Done<(Arc<Index>, Journal)> {
    let journal = store.journal(run).await?.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
    Ok((of_run(store, run, None).await?, journal))
}

/// The machine of a run, as its journal leaves it.
pub(crate) fn replayed(index: &Arc<Index>, run: &RunId, journal: &Journal) -> Done<Machine> {
    if let Some(Event::Header { plan, run: of, .. }) = journal.records.first().map(|record| &record.event) {
        if of != run {
            let what = format!("its journal is that of run {of}");
            return Err(StoreError::Foreign { run: run.clone(), what }.into());
        }
        if *plan != index.digest {
            return Err(RunError::OtherPlan { run: run.clone(), plan: *plan });
        }
    }
    let illegal = |source| RunError::Illegal { run: run.clone(), source: Box::new(source) };
    report::replay(index, journal, Settings::default()).map_err(illegal)
}
