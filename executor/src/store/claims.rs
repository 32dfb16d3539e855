//! Claims: which run a platform belongs to, from the beginning of its effects to its end.

use switchback_schemas::{RunId, journal::Event, name::Label};

use super::{Store, StoreError};

/// The run that holds a platform. A claim of a run that ended is nobody's; one that was handed over is the heir's.
pub async fn holder(store: &dyn Store, platform: &Label) -> Result<Option<RunId>, StoreError> {
    let mut at = store.claim(platform).await?;
    // Each hand-over names a run that was made later, so the chain ends; a forged circle ends with the number of runs.
    let mut left = store.runs().await?.len();
    while let Some(run) = &at {
        let Some(journal) = store.journal(run).await? else { return Ok(None) };
        match journal.records.last().map(|record| &record.event) {
            Some(Event::Done { .. }) => return Ok(None),
            Some(Event::Superseded { by }) if left > 0 => {
                left -= 1;
                at = Some(by.clone());
            }
            _ => break,
        }
    }
    Ok(at)
}

/// Whether a run is over, as its journal here says. Of a run that is not here nobody knows.
pub async fn is_over(store: &dyn Store, run: &RunId) -> Result<bool, StoreError> {
    let journal = store.journal(run).await?;
    Ok(journal.is_some_and(|journal| {
        matches!(journal.records.last().map(|record| &record.event), Some(Event::Done { .. }))
    }))
}

/// Takes a platform for a run. `Err(run)` inside means that another run holds it.
pub async fn take(store: &dyn Store, platform: &Label, run: &RunId) -> Result<Result<(), RunId>, StoreError> {
    let named = store.claim(platform).await?;
    match holder(store, platform).await? {
        Some(holder) if holder != *run => return Ok(Err(holder)),
        _ if named.as_ref() == Some(run) => return Ok(Ok(())),
        _ => {}
    }
    store.swap_claim(platform, named.as_ref(), Some(run)).await?;
    Ok(Ok(()))
}

/// Gives a platform back, if this run has it.
pub async fn release(store: &dyn Store, platform: &Label, run: &RunId) -> Result<(), StoreError> {
    match store.claim(platform).await? {
        Some(named) if named == *run => store.swap_claim(platform, Some(run), None).await,
        _ => Ok(()),
    }
}
