//! What an upgrade needs on this machine, and what it would write: asked before a run, so that none stops half way for it.

use serde_json::Value;
use switchback_executor::{
    ports::{Classify as _, Failure, Rehearsal},
    untrusted::manifest,
};
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    name::ObjectName,
    plan::Chart,
};

use super::{HelmDriver, upgrade::Verb};
use crate::helm::{failed, namespace, refused};

impl HelmDriver {
    /// Runs helm, reads the chart by its digest, and lets helm render an install or an upgrade against the cluster. What it `takes` over
    /// is not marked for it yet.
    pub(super) async fn rehearse_with_chart(
        &self,
        (verb, takes): (&Verb, bool),
        release: &ObjectName,
        (chart, set): (&Chart, &Value),
    ) -> Result<Rehearsal, Failure> {
        let namespace = namespace(release)?;
        let version = self.helm.version().await?;
        let dry: &[&str] =
            if takes { &["--dry-run=server", "--take-ownership"] } else { &["--dry-run=server"] };
        let called = self.call_with_chart(verb, (release, namespace), (chart, set), dry);
        let exit = called.await.map_err(failure)?.map_err(|error| error.failure())?;
        if !exit.is_success() {
            return Err(failed(&[&format!("{} --dry-run=server", verb.name)], &exit));
        }
        let printed = exit.printed();
        let mut writes = manifest::objects(rendered(&printed)).map_err(|error| refused(error.to_string()))?;
        manifest::fill_in(&mut writes, namespace, |_, _| false);
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
