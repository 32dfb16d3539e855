//! `helm.upgrade`, and what it has in common with `helm.install`.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    name::{ObjectName, ObjectRef},
    plan::{BoundObject, Chart, Handover, HelmUpgrade, KubeDelete, KubeEffect},
};

use super::{HOOKS, HelmDriver, WITHIN, handover::after, not_done};
use crate::{
    helm::{HISTORY, Helm, History, namespace, refused, values},
    port::{Arg, Exit, RunError},
};

/// The file of the values that change.
const VALUES: &str = "values.json";

/// A verb of helm that takes a chart, with what it takes before and after the values.
pub(super) struct Verb {
    pub(super) name: &'static str,
    before: &'static [&'static str],
    after: &'static [&'static str],
}

/// How a release is upgraded.
pub(super) const UPGRADE: Verb =
    Verb { name: "upgrade", before: &["--reset-then-reuse-values"], after: &["--history-max", HISTORY] };

/// How a release is installed.
pub(super) const INSTALL: Verb = Verb { name: "install", before: &[], after: &[] };

impl HelmDriver {
    pub(super) async fn upgrade(&self, call: &Call, effect: &HelmUpgrade) -> Result<Outcome, Outcome> {
        let release = &effect.release;
        let namespace = namespace(release).map_err(not_done)?;
        self.settle(release).await?;
        self.helm.version().await.map_err(not_done)?;
        let mut history = self.helm.history(release).await.map_err(not_done)?;
        if history.0.is_empty() {
            return Err(not_done(refused(format!(
                "release {release} does not exist, and the plan does not install it"
            ))));
        }
        let kept = self.mend(call, release, &mut history).await?;
        self.take(call, release, &effect.takes).await.map_err(|outcome| with(outcome, &kept))?;
        let taken = !effect.takes.is_empty();
        let marked = self.keep(call, release, &effect.leaves).await;
        marked.map_err(|outcome| with(after(taken, outcome), &kept))?;
        let outcome = self.write(effect, namespace, &history).await.unwrap_or_else(|outcome| outcome);
        let outcome = with(after(taken || !effect.leaves.is_empty(), outcome), &kept);
        self.left(call, outcome, release, &effect.leaves).await
    }

    /// Takes the marks off what was left, once helm has left it.
    pub(super) async fn left(
        &self,
        call: &Call,
        outcome: Outcome,
        release: &ObjectName,
        leaves: &[Handover],
    ) -> Result<Outcome, Outcome> {
        // As long as helm may try again, what it would delete keeps its mark.
        if matches!(outcome, Outcome::Done { .. }) {
            self.unmark(call, leaves).await.map_err(Outcome::in_part)?;
            self.give_back(call, release, leaves).await.map_err(Outcome::in_part)?;
        }
        Ok(outcome)
    }

    /// Repairs a release that a killed helm of ours left pending, and says where its record is kept.
    pub(super) async fn mend(
        &self,
        call: &Call,
        release: &ObjectName,
        history: &mut History,
    ) -> Result<Evidence, Outcome> {
        let Some(Pending { revision, good }) = repairable(call, release, history)? else {
            return Ok(Evidence::default());
        };
        let kept = self.copy(call, release, revision).await?;
        // What the killed helm was to drop and left standing, no rollback of helm's takes back: then its record goes, and helm starts
        // from the revision before. What it made is the release's by its annotations.
        let standing = self.left_standing(call, release, history, good).await;
        let standing = standing.map_err(|outcome| with(outcome, &kept))?;
        let mended = match standing.is_empty() {
            true => self.repair(release, history, good).await,
            false => self.drop_record(call, release, revision).await,
        };
        mended.map_err(|outcome| with(outcome, &kept))?;
        *history = self.helm.history(release).await.map_err(not_done)?;
        Ok(kept)
    }

    /// Calls helm on a release that nothing is pending of.
    async fn write(
        &self,
        effect: &HelmUpgrade,
        namespace: &str,
        history: &History,
    ) -> Result<Outcome, Outcome> {
        let release = &effect.release;
        let before = self.helm.values(release, history).await.map_err(not_done)?;
        if values::digest(&values::merged(&before, &effect.set)) != effect.values {
            return Err(Outcome::NotDone {
                class: Class::Conflict,
                evidence: Evidence::line(format!(
                    "release {release} was given other values since the plan was made; observe and plan again"
                )),
            });
        }
        let called = self.call_with_chart(&UPGRADE, (release, namespace), (&effect.chart, &effect.set), &[]);
        let exit = called.await?.map_err(|error| error.of_write())?;
        Ok(self.ended(release, history, &exit).await)
    }

    /// Calls helm with a chart and values.
    pub(super) async fn call_with_chart(
        &self,
        verb: &Verb,
        (release, namespace): (&ObjectName, &str),
        (chart, values): (&Chart, &Value),
        more: &[&str],
    ) -> Result<Result<Exit, RunError>, Outcome> {
        let chart = self.charts.fetch(chart).await.map_err(not_done)?;
        let mut args = vec![Arg::from(verb.name), release.name.as_str().into()];
        args.extend(chart);
        args.extend(["--namespace", namespace].map(Arg::from));
        args.extend(verb.before.iter().copied().map(Arg::from));
        args.extend([Arg::from("--values"), Arg::File(VALUES.to_owned())]);
        args.extend(verb.after.iter().copied().map(Arg::from));
        args.extend(["--timeout", HOOKS].map(Arg::from));
        args.extend(more.iter().copied().map(Arg::from));
        let files = BTreeMap::from([(VALUES.to_owned(), values.to_string().into_bytes())]);
        Ok(self.helm.call(Helm::slot(release), args, files, WITHIN).await)
    }

    /// Keeps a copy of the pending record: what a killed helm wrote last is gone when helm prunes its history.
    pub(super) async fn copy(
        &self,
        call: &Call,
        release: &ObjectName,
        revision: u64,
    ) -> Result<Evidence, Outcome> {
        self.kube.keep_release(call, release, revision).await.map_err(not_done)
    }

    /// Takes the record of one revision away, of which a copy is kept.
    pub(super) async fn drop_record(
        &self,
        call: &Call,
        release: &ObjectName,
        revision: u64,
    ) -> Result<(), Outcome> {
        let name = format!("sh.helm.release.v1.{}.v{revision}", release.name);
        let record = ObjectName { namespace: release.namespace.clone(), name };
        let object = BoundObject::named(ObjectRef::new("v1", "Secret", &record));
        match self.kube.apply(call, &KubeEffect::Delete(KubeDelete { object })).await {
            Outcome::Done { .. } => Ok(()),
            other => Err(other),
        }
    }

    async fn repair(&self, release: &ObjectName, history: &History, good: u64) -> Result<(), Outcome> {
        let exit = self.roll_back_to(release, good).await?;
        match self.ended(release, history, &exit).await {
            Outcome::Done { .. } => Ok(()),
            other => Err(other),
        }
    }
}

/// A release that a killed helm left.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// The revision that is pending.
    revision: u64,
    /// The one to roll back to.
    good: u64,
}

/// An outcome that also tells where something is kept.
pub(super) fn with(mut outcome: Outcome, kept: &Evidence) -> Outcome {
    if let Outcome::Done { evidence }
    | Outcome::NotDone { evidence, .. }
    | Outcome::InDoubt { evidence, .. } = &mut outcome
    {
        evidence.0.extend(kept.0.iter().cloned());
    }
    outcome
}

/// The revision to roll back to when a helm of ours died and left the release pending; `None` when it is not pending.
///
/// It is ours when this effect was called before in this run: the run holds the platform's claim, and no program is
/// left in the release's slot.
fn repairable(call: &Call, release: &ObjectName, history: &History) -> Result<Option<Pending>, Outcome> {
    let Some(last) = history.last().filter(|last| last.status.starts_with("pending")) else {
        return Ok(None);
    };
    let pending =
        format!("revision {} of release {release} is {} since {}", last.revision, last.status, last.updated);
    if call.attempt < 2 {
        return Err(Outcome::NotDone {
            class: Class::Conflict,
            evidence: Evidence(vec![
                pending,
                "another client is at work on it, or died; this run did not start it, so it is left alone"
                    .to_owned(),
            ]),
        });
    }
    match history.deployed() {
        Some(good) => Ok(Some(Pending { revision: last.revision, good: good.revision })),
        None => Err(not_done(refused(format!(
            "{pending}, and no revision of it is deployed: `helm uninstall {} --namespace {}` is the way out",
            release.name,
            release.namespace.as_deref().unwrap_or_default()
        )))),
    }
}
