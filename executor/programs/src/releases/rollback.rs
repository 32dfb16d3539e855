//! `helm.rollback`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    journal::Outcome,
    name::{ObjectName, ObjectRef},
    plan::{HelmRollback, Test},
};

use super::{
    HOOKS, HelmDriver, WITHIN,
    handover::{KEEP, after},
    not_done,
    upgrade::with,
};
use crate::{
    helm::{HISTORY, Helm, History, namespace, refused},
    port::{Arg, Exit},
};

impl HelmDriver {
    pub(super) async fn rollback(
        &self,
        call: &Call,
        effect: &HelmRollback<Value>,
    ) -> Result<Outcome, Outcome> {
        let release = &effect.release;
        let Some(to) = effect.to.as_u64().filter(|revision| *revision > 0) else {
            return Err(not_done(refused(format!(
                "release {release}: the revision to roll back to is no number"
            ))));
        };
        self.settle(release).await?;
        self.helm.version().await.map_err(not_done)?;
        let mut history = self.helm.history(release).await.map_err(not_done)?;
        if !history.has_good(to) {
            let known: Vec<String> =
                history.0.iter().map(|entry| format!("{} {}", entry.revision, entry.status)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(not_done(refused(format!(
                "release {release} has no good revision {to} to roll back to; its revisions: {known}"
            ))));
        }
        for crd in &effect.keep_crds {
            self.keep_crd(call, crd).await?;
        }
        self.take(call, release, &effect.takes).await?;
        let taken = !effect.takes.is_empty();
        self.keep(call, release, &effect.leaves).await.map_err(|outcome| after(taken, outcome))?;
        let rolled = self.rolled(call, release, &mut history, to).await.unwrap_or_else(|outcome| outcome);
        let rolled = after(taken || !effect.leaves.is_empty(), rolled);
        if matches!(rolled, Outcome::Done { .. }) {
            // The upgrade that left them may have ended before it took its marks off.
            self.unmark(call, &effect.takes).await.map_err(Outcome::in_part)?;
        }
        self.left(call, rolled, release, &effect.leaves).await
    }

    async fn rolled(
        &self,
        call: &Call,
        release: &ObjectName,
        history: &mut History,
        to: u64,
    ) -> Result<Outcome, Outcome> {
        let standing = self.left_standing(call, release, history, to).await?;
        if standing.is_empty() {
            let exit = self.roll_back_to(release, to).await?;
            return Ok(self.ended(release, history, &exit).await);
        }
        // helm upgrades no release of which something is pending.
        let kept = self.mend(call, release, history).await?;
        let exit =
            self.upgrade_to_recorded(release, to, &[]).await.map_err(|outcome| with(outcome, &kept))?;
        Ok(with(self.ended(release, history, &exit).await, &kept))
    }

    pub(super) async fn roll_back_to(&self, release: &ObjectName, to: u64) -> Result<Exit, Outcome> {
        let namespace = namespace(release).map_err(not_done)?;
        let to = to.to_string();
        let args = ["rollback", &release.name, &to, "--namespace", namespace];
        let args =
            args.into_iter().chain(["--history-max", HISTORY, "--timeout", HOOKS]).map(Arg::from).collect();
        let called = self.helm.call(Helm::slot(release), args, BTreeMap::new(), WITHIN).await;
        called.map_err(|error| error.of_write())
    }

    /// Marks a CRD so that Helm leaves it, and every object of it, when the revision rolled back to does not hold it
    /// (user-pain P-35). Nothing is rolled back unless the mark stands.
    async fn keep_crd(&self, call: &Call, crd: &str) -> Result<(), Outcome> {
        let object =
            ObjectRef::new("apiextensions.k8s.io/v1", "CustomResourceDefinition", &ObjectName::cluster(crd));
        // Where nothing is there, nothing could be lost.
        if !self.is(call, &object, "", Test::Present {}).await? {
            return Ok(());
        }
        let keep = json!("keep");
        self.patch(call, &object, Vec::new(), &[(KEEP, keep.clone())]).await?;
        match self.is(call, &object, KEEP, Test::Equals(keep)).await? {
            true => Ok(()),
            false => Err(not_done(refused(format!("{object} does not keep its mark")))),
        }
    }
}
