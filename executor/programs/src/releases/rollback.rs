//! `helm.rollback`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    journal::{Class, Outcome, Verdict},
    name::{ObjectName, ObjectRef},
    plan::{BoundObject, HelmRollback, KubeCondition, KubeEffect, KubePatch, SetField, Test},
};

use super::{HOOKS, HelmDriver, WITHIN, not_done, upgrade::with};
use crate::{
    helm::{HISTORY, Helm, namespace, refused},
    port::{Arg, Exit},
};

/// Where Helm's word to keep an object stands. Helm reads it on the live object before it deletes (seen with 3.22 and 4.3).
const KEEP: &str = "/metadata/annotations/helm.sh~1resource-policy";

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
            self.keep(call, crd).await?;
        }
        let standing = self.left_standing(call, release, &history, to).await?;
        if standing.is_empty() {
            let exit = self.roll_back_to(release, to).await?;
            return Ok(self.ended(release, &history, &exit).await);
        }
        // helm upgrades no release of which something is pending.
        let kept = self.mend(call, release, &mut history).await?;
        let exit = self.upgrade_to_recorded(release, to).await.map_err(|outcome| with(outcome, &kept))?;
        Ok(with(self.ended(release, &history, &exit).await, &kept))
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
    async fn keep(&self, call: &Call, crd: &str) -> Result<(), Outcome> {
        let object =
            ObjectRef::new("apiextensions.k8s.io/v1", "CustomResourceDefinition", &ObjectName::cluster(crd));
        let object = BoundObject::named(object);
        let is = |pointer: &str, is: Test<Value>| KubeCondition::Field {
            object: object.clone(),
            pointer: pointer.to_owned(),
            is,
        };
        match self.kube.check(call, &is("", Test::Present {})).await {
            Verdict::Holds { .. } => {}
            // Nothing is there that could be lost.
            Verdict::Fails { .. } => return Ok(()),
            Verdict::Unknown { evidence } => {
                return Err(Outcome::NotDone { class: Class::Unreachable, evidence });
            }
        }
        let keep = json!("keep");
        let mark = KubeEffect::Patch(KubePatch {
            object: object.clone(),
            subresource: None,
            only_if: Vec::new(),
            set: vec![SetField { pointer: KEEP.to_owned(), to: keep.clone() }],
        });
        match self.kube.apply(call, &mark).await {
            Outcome::Done { .. } => {}
            other => return Err(other),
        }
        match self.kube.check(call, &is(KEEP, Test::Equals(keep))).await {
            Verdict::Holds { .. } => Ok(()),
            Verdict::Fails { evidence } | Verdict::Unknown { evidence } => {
                Err(Outcome::NotDone { class: Class::Conflict, evidence })
            }
        }
    }
}
