//! What somebody should know beside the steps: what is not known, what is kept, and where the facts come from.

use switchback_schemas::{
    Diagnostic, Seconds, Severity, StepId, codes,
    plan::{BlindSpot, Retention},
};

use super::{Doc, Mlflow, facts::Does, rollback, site::Site};
use crate::{component::HopCx, context::Cx, hop::HopSpec, lower::Lowering};

/// How long safety nets are kept when the manifest does not say so.
const KEEP: Seconds = Seconds::hours(14 * 24);

/// Adds sources, blind spots and advice of one hop.
pub(super) fn add(at: &HopCx<'_, Mlflow>, out: &mut Lowering) {
    let (cx, hop, doc, site, facts) = (at.cx, at.hop, at.doc, at.own, at.facts);
    let mut keys = vec!["rds", "check"];
    keys.extend(facts.head(&hop.to).map(|row| row.source.as_str()));
    if !site.server.autoscalers.is_empty() && site.migrates {
        keys.push("hpa");
    }
    for key in keys {
        if let Some(source) = facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
    silent(at);
    pending(cx, doc, site);
    blind_spots(hop, site, out);
}

/// Why the image is set only after the migration: its server may migrate by itself, and from every replica.
fn silent(at: &HopCx<'_, Mlflow>) {
    let (cx, hop, doc, site) = (at.cx, at.hop, at.doc, at.own);
    let start = at.facts.start(&hop.to).filter(|start| start.does == Does::Migrates);
    let Some(start) = start.filter(|_| site.migrates) else { return };
    let message = format!(
        "a server of MLflow {} that starts on an older database may migrate it by itself: {}",
        hop.to, start.why
    );
    cx.findings.say(
        Diagnostic { severity: Severity::Advice, ..Diagnostic::warning(codes::PLAN_HOOK, message) }
            .at(cx.label(doc.doc, "/spec/to", "so its image comes last"))
            .help("the plan migrates once, by a Job, while no server runs"),
    );
}

/// A rename is applied at once, and takes along whatever waits for the maintenance window (source: rds).
fn pending(cx: &Cx<'_>, doc: &Doc, site: &Site) {
    if site.instance.pending.is_empty() || !site.migrates {
        return;
    }
    let name = site.instance.arn.name();
    let waiting = site.instance.pending.join(", ");
    let message = format!(
        "changes of instance {name} wait for its maintenance window ({waiting}), and a rollback would apply them at once"
    );
    cx.findings.say(
        Diagnostic::warning(codes::PLAN_NOT_READY, message)
            .at(cx.label(doc.doc, "/spec/database", "has pending changes"))
            .help("apply them before the upgrade, or cancel them"),
    );
}

fn blind_spots(hop: &HopSpec, site: &Site, out: &mut Lowering) {
    let mut add = |what: String, why: &str| out.blind_spots.push(BlindSpot { what, why: why.to_owned() });
    let name = site.instance.arn.name();
    if site.migrates {
        add(
            format!("who logs to {} from outside of the cluster", hop.upgrade),
            "only pods with a tracking server in their settings are found",
        );
        add(
            format!("whether Terraform or CloudFormation keeps instance {name}"),
            "a restored instance has another resource id, so what keeps it has to import it before its next apply",
        );
        add(
            format!("how long the migration of {name} takes"),
            "it depends on the number of runs, metrics and traces; MLflow does not promise that it is one transaction",
        );
    }
    if !site.server.pods.other_volumes.is_empty() {
        add(
            format!(
                "whether Jobs of {} need volumes {}",
                hop.upgrade,
                site.server.pods.other_volumes.join(", ")
            ),
            "only volumes from Secrets, ConfigMaps and projections are given to them; the first Job would not connect",
        );
    }
}

/// What is kept, until when, and how it is removed.
pub(super) fn retained(
    doc: &Doc,
    (snapshot, taken): (&str, &StepId),
    aside: Option<(&str, &StepId)>,
    out: &mut Lowering,
) {
    let keep = doc.spec.keep.map_or(KEEP, |length| length.0);
    let why = if aside.is_some() {
        "the database can be restored from this snapshot only"
    } else {
        "nothing was migrated; a precaution"
    };
    out.retentions.push(Retention {
        what: format!("snapshot {snapshot}"),
        why: why.to_owned(),
        step: taken.clone(),
        by_undo: false,
        keep,
        removal: rollback::delete_snapshot(&doc.spec.database, snapshot),
    });
    if let Some((aside, migrated)) = aside {
        out.retentions.push(Retention {
            what: format!("instance {aside}"),
            why: "it holds what was written after the snapshot".to_owned(),
            step: migrated.clone(),
            by_undo: true,
            keep,
            removal: rollback::delete_aside(&doc.spec.database, aside),
        });
    }
}
