//! `helm.upgrade`.

use std::collections::BTreeMap;

use switchback_executor::ports::Call;
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    name::ObjectName,
    plan::HelmUpgrade,
};

use super::{
    HOOKS, Helm, HelmDriver, WITHIN,
    client::{HISTORY, History},
    namespace, not_done, refused, values,
};
use crate::port::Arg;

/// The file of the values that change.
const VALUES: &str = "values.json";

impl HelmDriver {
    pub(super) async fn upgrade(&self, call: &Call, effect: &HelmUpgrade) -> Result<Outcome, Outcome> {
        let release = &effect.release;
        let namespace = namespace(release).map_err(not_done)?;
        self.settle(release).await?;
        self.helm.version().await.map_err(not_done)?;
        let mut history = self.helm.history(release).await.map_err(not_done)?;
        if history.0.is_empty() && !effect.install {
            return Err(not_done(refused(format!(
                "release {release} is not there, and the plan does not install it"
            ))));
        }
        if let Some(good) = repairable(call, release, &history)? {
            self.repair(release, &history, good).await?;
            history = self.helm.history(release).await.map_err(not_done)?;
        }
        let before = self.helm.values(release, &history).await.map_err(not_done)?;
        if values::digest(&values::merged(&before, &effect.set)) != effect.values {
            return Err(Outcome::NotDone {
                class: Class::Conflict,
                evidence: Evidence::line(format!(
                    "release {release} was given other values since the plan was made; observe and plan again"
                )),
            });
        }
        let chart = self.charts.fetch(&effect.chart).await.map_err(not_done)?;
        let mut args = vec![Arg::from("upgrade"), release.name.as_str().into()];
        args.extend(chart);
        args.extend(["--namespace", namespace, "--reset-then-reuse-values", "--values"].map(Arg::from));
        args.push(Arg::File(VALUES.to_owned()));
        args.extend(["--history-max", HISTORY, "--timeout", HOOKS].map(Arg::from));
        if effect.install {
            args.push("--install".into());
        }
        if effect.take_ownership {
            args.push("--take-ownership".into());
        }
        let files = BTreeMap::from([(VALUES.to_owned(), effect.set.to_string().into_bytes())]);
        let exit = self.helm.call(Helm::slot(release), args, files, WITHIN).await;
        let exit = exit.map_err(|error| error.outcome())?;
        Ok(self.ended(release, &history, &exit).await)
    }

    async fn repair(&self, release: &ObjectName, history: &History, good: u64) -> Result<(), Outcome> {
        let exit = self.roll_back_to(release, good).await?;
        match self.ended(release, history, &exit).await {
            Outcome::Done { .. } => Ok(()),
            other => Err(other),
        }
    }
}

/// The revision to go back to when a helm of ours died and left the release pending; `None` when it is not pending.
///
/// It is ours when this effect was called before in this run: the run holds the platform's claim, and no program is
/// left in the release's slot.
fn repairable(call: &Call, release: &ObjectName, history: &History) -> Result<Option<u64>, Outcome> {
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
        Some(good) => Ok(Some(good.revision)),
        None => Err(not_done(refused(format!(
            "{pending}, and no revision of it is deployed: `helm uninstall {} --namespace {}` is the way out",
            release.name,
            release.namespace.as_deref().unwrap_or_default()
        )))),
    }
}
