//! What an upgrade needs on this machine, and what it would write: asked before a run, so that none stops half way for it.

use switchback_executor::{
    ports::{Classify as _, Failure, Rehearsal},
    untrusted::manifest,
};
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    plan::HelmUpgrade,
};

use super::HelmDriver;
use crate::helm::{failed, namespace, refused};

impl HelmDriver {
    /// Runs helm, reads the chart by its digest, and lets helm render the upgrade against the cluster.
    pub(super) async fn rehearse_upgrade(&self, effect: &HelmUpgrade) -> Result<Rehearsal, Failure> {
        let release = &effect.release;
        let namespace = namespace(release)?;
        let version = self.helm.version().await?;
        let called = self.call_upgrade(effect, namespace, &["--dry-run=server"]).await.map_err(failure)?;
        let exit = called.map_err(|error| error.failure())?;
        if !exit.is_success() {
            return Err(failed(&["upgrade --dry-run=server"], &exit));
        }
        let printed = exit.printed();
        let mut writes = manifest::objects(rendered(&printed)).map_err(|error| refused(error.to_string()))?;
        manifest::fill_in(&mut writes, namespace, |_, _| false);
        let chart = &effect.chart;
        let found =
            format!("helm {version} renders chart {} {} for release {release}", chart.name, chart.version);
        Ok(Rehearsal { evidence: Evidence::line(found), writes })
    }
}

/// The manifest of what a dry run prints; hooks stand before it, and notes after it.
fn rendered(printed: &str) -> &str {
    let after = printed.split_once("\nMANIFEST:\n").map_or("", |(_, after)| after);
    after.split_once("\nNOTES:\n").map_or(after, |(manifest, _)| manifest)
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::NotDone { class, evidence } | Outcome::InDoubt { class, evidence } => {
            Failure { class, evidence }
        }
        other => Failure { class: Class::Bug, evidence: Evidence::line(format!("{other:?}")) },
    }
}

#[cfg(test)]
mod tests {
    use super::rendered;

    #[test]
    fn the_manifest_stands_between_hooks_and_notes() {
        let printed = "NAME: d\nHOOKS:\n---\nkind: Job\n\nMANIFEST:\n---\nkind: A\n\nNOTES:\nhave fun\n";
        assert_eq!(rendered(printed), "---\nkind: A\n");
        assert_eq!(rendered("no such thing"), "");
    }
}
