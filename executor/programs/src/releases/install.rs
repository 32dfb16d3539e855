//! `helm.install`.

use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    name::ObjectName,
    plan::HelmInstall,
};

use super::{
    HelmDriver,
    handover::after,
    not_done,
    upgrade::{INSTALL, with},
};
use crate::helm::{History, namespace};

impl HelmDriver {
    pub(super) async fn install(&self, call: &Call, effect: &HelmInstall) -> Result<Outcome, Outcome> {
        let release = &effect.release;
        let namespace = namespace(release).map_err(not_done)?;
        self.settle(release).await?;
        self.helm.version().await.map_err(not_done)?;
        let mut history = self.helm.history(release).await.map_err(not_done)?;
        let kept = self.begin_anew(call, release, &mut history).await?;
        self.take(call, release, &effect.takes).await.map_err(|outcome| with(outcome, &kept))?;
        let called = self.call_with_chart(&INSTALL, (release, namespace), (&effect.chart, &effect.set), &[]);
        let called = called.await.and_then(|exit| exit.map_err(|error| error.of_write()));
        let outcome = match called {
            Ok(exit) => self.ended(release, &history, &exit).await,
            Err(outcome) => outcome,
        };
        Ok(with(after(!effect.takes.is_empty(), outcome), &kept))
    }

    /// Takes the record of a first try of this install away, which helm would stumble over; a copy is kept. What the try made is the
    /// release's by its annotations, so the next one takes it over.
    async fn begin_anew(
        &self,
        call: &Call,
        release: &ObjectName,
        history: &mut History,
    ) -> Result<Evidence, Outcome> {
        let Some(last) = history.last().cloned() else { return Ok(Evidence::default()) };
        let tried = matches!(last.status.as_str(), "pending-install" | "failed");
        if call.attempt < 2 || !tried || history.0.len() > 1 {
            return Err(Outcome::NotDone {
                class: Class::Conflict,
                evidence: Evidence::line(format!(
                    "revision {} of release {release} is {}, and the plan was made when helm knew no such release",
                    last.revision, last.status
                )),
            });
        }
        let kept = self.copy(call, release, last.revision).await?;
        self.drop_record(call, release, last.revision).await.map_err(|outcome| with(outcome, &kept))?;
        history.0.clear();
        Ok(kept)
    }
}
