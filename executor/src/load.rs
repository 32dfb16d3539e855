//! A run as the store has it: its plan, indexed, and its journal, folded.

use std::sync::Arc;

use switchback_model::{journal::Journal, trust::Trusted};
use switchback_schemas::{Digest, RunId, journal::Event, plan::Plan};

use crate::{
    machine::{Index, Machine, Settings},
    report::{self, ReportError},
    runtime::RunError,
    store::{Store, StoreError},
};

pub(crate) type Done<T> = Result<T, RunError>;

/// A plan by its bytes, with the trust that it names if that is given.
pub(crate) fn indexed(bytes: &[u8], trust: Option<&Arc<Trusted>>) -> Done<Arc<Index>> {
    let plan = Plan::from_json(bytes)?;
    let index = Index::new(Arc::new(plan), Digest::of(bytes));
    let mut index = index.map_err(|error| RunError::Bug(format!("the plan is no DAG: {error}")))?;
    let named = index.plan.platform.trust.as_ref();
    index.trust = trust.filter(|trust| named == Some(&trust.named())).cloned();
    Ok(Arc::new(index))
}

/// The plan of a run, with its trust. Without that, which is kept when the run begins, no approval counts.
pub(crate) async fn of_run(store: &dyn Store, run: &RunId) -> Done<Arc<Index>> {
    let bytes = store.plan(run).await?;
    let trust = match &Plan::from_json(&bytes)?.platform.trust {
        Some(named) => store.artifact(run, &named.digest).await.ok(),
        None => None,
    };
    let trust = trust.and_then(|json| Trusted::from_json(&json).ok()).map(Arc::new);
    indexed(&bytes, trust.as_ref())
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
    Ok((of_run(store, run).await?, journal))
}

/// The machine of a run, as its journal leaves it.
pub(crate) fn replayed(index: &Arc<Index>, run: &RunId, journal: &Journal) -> Done<Machine> {
    if let Some(Event::Header { plan, .. }) = journal.records.first().map(|record| &record.event)
        && *plan != index.digest
    {
        return Err(RunError::OtherPlan { run: run.clone(), plan: *plan });
    }
    let illegal = |source| RunError::Illegal { run: run.clone(), source: Box::new(source) };
    report::replay(index, journal, Settings::default()).map_err(illegal)
}
