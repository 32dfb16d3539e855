//! Targets prove who they are before anything is done to them.

use jiff::Timestamp;
use switchback_model::windows::later;
use switchback_schemas::{
    Seconds,
    journal::{Class, Event, WaitsFor},
    plan::Plan,
};

use super::{Drive, Ended, RunError, Runtime, Stop};
use crate::{machine::Rest, ports::Failure};

/// When a run that parked because a target could not be proven looks again.
const AGAIN: Seconds = Seconds::minutes(15);

impl RunError {
    /// What is waited for, where this is trouble that may pass by itself.
    pub(crate) fn passes(&self) -> Option<WaitsFor> {
        let Self::Unproven { target, failure: Failure { class, evidence } } = self else { return None };
        let passes = matches!(class, Class::Throttled | Class::Unreachable | Class::Deadline);
        let what = format!("whether target {target} is the one of the plan");
        passes.then(|| WaitsFor::Unreadable { what, why: evidence.0.join("; ") })
    }
}

impl Runtime {
    /// Proves each target before the first effect of this process.
    pub async fn prove(&self, plan: &Plan) -> Result<(), RunError> {
        for (target, expected) in &plan.platform.targets {
            let found = self.drivers.proofs(target).await;
            let found = found.map_err(|failure| RunError::Unproven { target: target.clone(), failure })?;
            if let Some(missing) = expected.proofs().into_iter().find(|proof| !found.contains(proof)) {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                let (expected, found) = (missing.to_string(), found.join(" and "));
                return Err(RunError::Identity { target: target.clone(), expected, found });
            }
        }
        Ok(())
    }
}

impl Drive<'_, '_> {
    /// Waits until every target has proven who it is. Where that cannot be read for too long, the run parks.
    pub(super) async fn prove(&mut self, stop: &Stop) -> Result<Option<Ended>, RunError> {
        let settings = self.runtime.settings;
        let began = self.now();
        let mut stopping = false;
        loop {
            let Err(error) = self.runtime.prove(self.machine.plan()).await else { return Ok(None) };
            let Some(waits_for) = error.passes() else { return Err(error) };
            let now = self.now();
            if stopping || later(began, settings.patience) <= now {
                return self.park(waits_for, now).await.map(Some);
            }
            let wake = later(now, settings.poll);
            tokio::select! {
                biased;
                () = self.runtime.clock.sleep_until(wake) => {}
                _ = stop.asked() => stopping = true,
            }
        }
    }

    async fn park(&mut self, waits_for: WaitsFor, now: Timestamp) -> Result<Ended, RunError> {
        let (waits_for, wake_at) = (vec![waits_for], Some(later(now, AGAIN)));
        self.write(vec![Event::Parked { waits_for: waits_for.clone(), wake_at }]).await?;
        Ok(Ended::Rest(Rest::Parked { waits_for, wake_at }))
    }
}
