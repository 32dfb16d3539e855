//! Helm releases: `helm.install`, `helm.upgrade`, `helm.rollback`, `helm.uninstall`, and `helm.detach` with `helm.attach`.
//!
//! helm is called without `--wait`: whether workloads became ready is asked by conditions, so no child lives long. A killed
//! helm leaves its release pending for good; such a release is repaired here only when it is proven that the helm was ours
//! and is dead, and a copy of its record is kept first (user-pain P-34).

mod handover;
mod install;
mod recorded;
mod rehearse;
mod rollback;
#[cfg(test)]
mod tests;
mod uninstall;
mod upgrade;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use switchback_executor::ports::{self, Call, Classify as _, Failure, Kube, Rehearsal};
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    name::ObjectName,
    plan::HelmEffect,
};

use self::upgrade::{INSTALL, UPGRADE};

use crate::{
    charts::Charts,
    helm::{Helm, HelmTarget, History, class_of},
    port::{Exit, Programs, Settled},
};

/// How long helm waits for hooks of a chart.
const HOOKS: &str = "5m0s";

/// How long one call of helm may run: its hooks, and the objects of the chart.
const WITHIN: Duration = Duration::from_mins(15);

/// Upgrades Helm releases and rolls them back.
pub struct HelmDriver {
    helm: Helm,
    charts: Arc<dyn Charts>,
    kube: Arc<dyn Kube>,
}

impl HelmDriver {
    /// `kube` speaks to the same cluster; CRDs are marked through it before a rollback that would delete them.
    pub fn new(
        programs: Arc<dyn Programs>,
        charts: Arc<dyn Charts>,
        kube: Arc<dyn Kube>,
        target: HelmTarget,
    ) -> Self {
        Self { helm: Helm::new(programs, target), charts, kube }
    }

    /// Proves that no helm of an earlier process is at work on a release.
    async fn settle(&self, release: &ObjectName) -> Result<(), Outcome> {
        match self.helm.programs().settle(&Helm::slot(release), WITHIN).await {
            Ok(Settled::Free) => Ok(()),
            Ok(Settled::Ended) => Err(Outcome::InDoubt {
                class: Class::Crashed,
                evidence: Evidence::line(format!(
                    "a helm of an earlier process was still at work on release {release}, and has ended: look again"
                )),
            }),
            Err(error) => Err(error.of_write()),
        }
    }

    /// What a call of helm that was to change a release came to.
    async fn ended(&self, release: &ObjectName, before: &History, exit: &Exit) -> Outcome {
        if exit.is_success() {
            let after = self.helm.history(release).await.ok();
            let revision = after.as_ref().and_then(History::last).map_or(0, |entry| entry.revision);
            return Outcome::Done {
                evidence: Evidence::line(format!("release {release} is at revision {revision}")),
            };
        }
        let complaint = exit.complaint();
        // A helm that says nothing was ended by somebody: what it does not say is no refusal.
        let class = match complaint.is_empty() || exit.code.is_none() {
            true => Class::Crashed,
            false => class_of(&String::from_utf8_lossy(&exit.stderr)),
        };
        let mut lines = vec![format!("helm {}", exit.said())];
        lines.extend(complaint);
        // A new revision, even a failed one, means that some of its objects may have been written.
        match self.helm.history(release).await {
            Ok(after) if exit.code.is_some() && after.last() == before.last() => {
                Outcome::NotDone { class, evidence: Evidence(lines) }
            }
            Ok(after) => {
                if let Some(last) = after.last() {
                    lines.push(format!("revision {} of release {release} is {}", last.revision, last.status));
                }
                Outcome::InDoubt { class, evidence: Evidence(lines) }
            }
            Err(_) => Outcome::InDoubt { class, evidence: Evidence(lines) },
        }
    }
}

/// A reading that failed before anything was changed.
fn not_done(failure: Failure) -> Outcome {
    Outcome::NotDone { class: failure.class, evidence: failure.evidence }
}

#[async_trait]
impl ports::Helm for HelmDriver {
    async fn apply(&self, call: &Call, effect: &HelmEffect<Value>) -> Outcome {
        let ended = match effect {
            HelmEffect::Upgrade(effect) => self.upgrade(call, effect).await,
            HelmEffect::Rollback(effect) => self.rollback(call, effect).await,
            HelmEffect::Install(effect) => self.install(call, effect).await,
            HelmEffect::Uninstall(effect) => self.uninstall(call, effect).await,
            HelmEffect::Detach(effect) => self.detach(call, &effect.release, true).await,
            HelmEffect::Attach(effect) => self.detach(call, &effect.release, false).await,
        };
        ended.unwrap_or_else(|outcome| outcome)
    }

    async fn rehearse(&self, effect: &HelmEffect) -> Result<Rehearsal, Failure> {
        match effect {
            HelmEffect::Upgrade(it) => {
                let takes = !it.takes.is_empty();
                self.rehearse_with_chart((&UPGRADE, takes), &it.release, (&it.chart, &it.set)).await
            }
            HelmEffect::Install(it) => {
                let takes = !it.takes.is_empty();
                self.rehearse_with_chart((&INSTALL, takes), &it.release, (&it.chart, &it.set)).await
            }
            _ => self.helm.version().await.map(|version| Rehearsal {
                evidence: Evidence::line(format!("helm {version}")),
                ..Rehearsal::default()
            }),
        }
    }
}
