//! `helm.uninstall`, `helm.detach` and `helm.attach`.

use std::collections::BTreeMap;

use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    journal::{Evidence, Outcome},
    name::{ObjectName, ObjectRef},
    plan::HelmUninstall,
};

use super::{HOOKS, HelmDriver, WITHIN, handover::objects, not_done, recorded::holds_any, upgrade::with};
use crate::{
    helm::{Entry, Helm, History, namespace, refused},
    port::Arg,
};

impl HelmDriver {
    /// Uninstalls a release. What stays is taken out of it first: on uninstall helm asks no live object whether it wants to stay.
    pub(super) async fn uninstall(&self, call: &Call, effect: &HelmUninstall) -> Result<Outcome, Outcome> {
        let (release, leaves) = (&effect.release, &effect.leaves);
        let namespace = namespace(release).map_err(not_done)?;
        self.settle(release).await?;
        self.helm.version().await.map_err(not_done)?;
        let mut history = self.helm.history(release).await.map_err(not_done)?;
        if !history.0.is_empty() {
            let kept = self.shrink(call, effect, &mut history).await?;
            let args = ["uninstall", &release.name, "--namespace", namespace, "--timeout", HOOKS];
            let args = args.map(Arg::from).to_vec();
            let called = self.helm.call(Helm::slot(release), args, BTreeMap::new(), WITHIN).await;
            let exit = called.map_err(|error| with(error.of_write(), &kept))?;
            let after = self.helm.history(release).await;
            if !exit.is_success() || !after.is_ok_and(|after| after.0.is_empty()) {
                return Ok(with(self.ended(release, &history, &exit).await, &kept));
            }
        }
        let line = format!("release {release} is uninstalled, and {} objects stay", objects(leaves).len());
        self.left(call, Outcome::Done { evidence: Evidence::line(line) }, release, leaves).await
    }

    /// Makes the release hold no more what stays.
    async fn shrink(
        &self,
        call: &Call,
        effect: &HelmUninstall,
        history: &mut History,
    ) -> Result<Evidence, Outcome> {
        let release = &effect.release;
        let stays = objects(&effect.leaves);
        let Some(last) = history.last().cloned() else { return Ok(Evidence::default()) };
        let recorded = self.helm_objects(release, last.revision).await?;
        if !holds_any(&recorded, &stays) {
            return Ok(Evidence::default());
        }
        self.keep(call, release, &effect.leaves).await?;
        self.cut_out(call, release, history, (&last, &stays)).await.map_err(Outcome::in_part)
    }

    async fn cut_out(
        &self,
        call: &Call,
        release: &ObjectName,
        history: &mut History,
        (last, stays): (&Entry, &[&ObjectRef]),
    ) -> Result<Evidence, Outcome> {
        let kept = match history.deployed() {
            Some(_) => self.mend(call, release, history).await?,
            // A first try that failed can be upgraded; one that was killed cannot, until it is rolled on to itself.
            None if last.status.starts_with("pending") => {
                let exit = self.roll_back_to(release, last.revision).await?;
                if !exit.is_success() {
                    return Err(self.ended(release, history, &exit).await);
                }
                Evidence::default()
            }
            None => Evidence::default(),
        };
        let exit = self.upgrade_to_recorded(release, last.revision, stays).await;
        let exit = exit.map_err(|outcome| with(outcome, &kept))?;
        match self.ended(release, history, &exit).await {
            Outcome::Done { .. } => {}
            other => return Err(with(other, &kept)),
        }
        *history = self.helm.history(release).await.map_err(not_done)?;
        let now = history.last().map_or(0, |last| last.revision);
        match holds_any(&self.helm_objects(release, now).await?, stays) {
            false => Ok(kept),
            true => Err(not_done(refused(format!(
                "release {release} still holds what has to stay; it is not uninstalled"
            )))),
        }
    }

    async fn helm_objects(&self, release: &ObjectName, revision: u64) -> Result<Vec<ObjectRef>, Outcome> {
        self.recorded_objects(release, revision).await.map_err(not_done)
    }

    /// Takes a release out of helm's sight, or gives it back.
    pub(super) async fn detach(
        &self,
        call: &Call,
        release: &ObjectName,
        detached: bool,
    ) -> Result<Outcome, Outcome> {
        self.settle(release).await?;
        let history = self.helm.history(release).await.map_err(not_done)?;
        if let Some(last) = history.last().filter(|last| last.status.starts_with("pending")) {
            return Err(not_done(refused(format!(
                "revision {} of release {release} is {}: a helm is at work on it, or was killed",
                last.revision, last.status
            ))));
        }
        Ok(self.kube.detach_release(call, release, detached).await)
    }
}
