//! What somebody should know beside the steps: missed schedules, what cannot be seen, what roles gain and lose.

use serde_json::Value;
use switchback_schemas::{inventory::argo_workflows::CronWorkflow, lock::Render, plan::BlindSpot};

use super::{ArgoWorkflows, InFlight, chart, gates, rbac, versions::Versions};
use crate::{component::HopCx, findings::listed, lower::Lowering, predicted::Predicted};

/// Adds sources and blind spots of one hop.
pub(super) fn add(
    at: &HopCx<'_, ArgoWorkflows>,
    render: &Render,
    versions: &Versions,
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) {
    let mut keys = vec!["chart", "cron"];
    if gates::applies(at) {
        keys.push("crd-size");
    }
    for key in keys {
        if let Some(source) = at.facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
    // One that somebody else has suspended misses nothing by this plan.
    for cron in at.own.crons().filter(|cron| cron.suspend != Value::Bool(true)) {
        out.blind_spots.push(missed(cron));
    }
    let mut add = |what: String, why: String| out.blind_spots.push(BlindSpot { what, why });
    if at.doc.spec.policies().any(|policy| !matches!(policy, InFlight::Accept { .. })) {
        add(
            "who submits Workflows beside CronWorkflows".to_owned(),
            "sensors of Argo Events, pipelines and people are not stopped; a Workflow that comes meanwhile is waited for, or taken over"
                .to_owned(),
        );
    }
    for account in at.facts.accounts.iter().filter(|account| versions.crosses(&account.at)) {
        add(
            format!(
                "whether other service accounts may {} {}",
                account.verbs.join(" and "),
                account.resource
            ),
            format!(
                "pods of Argo Workflows {} or later need it; the accounts of ClusterWorkflowTemplates and of Workflows that are yet to be \
                 submitted are known to nobody",
                account.at
            ),
        );
    }
    for outcome in at.facts.outcomes.iter().filter(|outcome| versions.enters(&outcome.versions)) {
        add(
            format!("which Workflows end otherwise under Argo Workflows {}", versions.reached()),
            outcome.why.clone(),
        );
    }
    if gates::persistence(at, render).is_some_and(|persistence| persistence.skip_migration)
        && at.facts.archive.iter().any(|migration| versions.crosses(&migration.at))
    {
        add(
            format!("whether the database has the schema of Argo Workflows {}", versions.reached()),
            "skipMigration leaves it to people, and a controller does not look".to_owned(),
        );
    }
    if versions.from.is_none() || versions.to.is_none() {
        add(
            format!("which version of Argo Workflows chart {} installs", at.hop.to),
            "neither the chart nor the catalog says it, so everything that changes in any version is taken to change".to_owned(),
        );
    }
    renamed(at, out);
    locks(at, render, out);
    others(at, out);
    roles(at, render, predicted, out);
}

/// Values of the release under names that the new chart no longer reads.
fn renamed(at: &HopCx<'_, ArgoWorkflows>, out: &mut Lowering) {
    let Some(release) = at.index.release(&at.doc.spec.release) else { return };
    let crossed =
        at.facts.values.iter().filter(|row| release.chart_version < row.since && at.hop.to >= row.since);
    for row in crossed {
        for path in paths(&release.values, &row.was) {
            out.blind_spots.push(BlindSpot {
                what: format!("whether chart {} reads the value {path} of the release", at.hop.to),
                why: format!("from chart {} on it is called `{}`, as somebody reports", row.since, row.is),
            });
        }
    }
}

/// Dotted paths of a field, wherever it stands.
fn paths(value: &Value, name: &str) -> Vec<String> {
    let fields = value.as_object().into_iter().flatten();
    let of = |(key, inner): (&String, &Value)| {
        let deeper = paths(inner, name).into_iter().map(|path| format!("{key}.{path}"));
        let own = (key == name).then(|| key.clone());
        own.into_iter().chain(deeper).collect::<Vec<_>>()
    };
    fields.flat_map(of).collect()
}

/// Locks that are kept in a database have a schema of their own, which the controller migrates, too.
fn locks(at: &HopCx<'_, ArgoWorkflows>, render: &Render, out: &mut Lowering) {
    let settings = chart::settings(&render.objects, &at.own.controller.config_map.name);
    let Some(found) = settings.as_ref().and_then(|settings| settings.get("synchronization")) else { return };
    let skips = found.get("skipMigration") == Some(&Value::Bool(true));
    let Some(database) = ["postgresql", "mysql"].into_iter().find(|kind| found.get(kind).is_some()) else {
        return;
    };
    if !skips {
        out.blind_spots.push(BlindSpot {
            what: format!("what the controller does to the locks in its {database} database when it starts"),
            why:
                "its steps are numbered in sync_schema_history, and which release brought which was not read"
                    .to_owned(),
        });
    }
}

/// A schedule that is missed is made up once, unless its deadline is over.
fn missed(cron: &CronWorkflow) -> BlindSpot {
    let zone = cron.timezone.as_deref().map(|zone| format!(" ({zone})")).unwrap_or_default();
    let why = match cron.starting_deadline_seconds {
        None | Some(0) => {
            "resumed, it makes up the last schedule that it missed, and no earlier one".to_owned()
        }
        Some(seconds) => format!(
            "resumed, it makes up the last schedule that it missed if that is less than {seconds} s ago, and no earlier one"
        ),
    };
    BlindSpot {
        what: format!(
            "which schedules of CronWorkflow {} are missed while it is suspended: {}{zone}",
            cron.name,
            cron.schedules.join("; ")
        ),
        why,
    }
}

/// CRDs are the cluster's, and so every controller's.
fn others(at: &HopCx<'_, ArgoWorkflows>, out: &mut Lowering) {
    let own = &at.own.controller.deployment;
    for other in at.own.section().controllers.iter().filter(|other| other.deployment != *own) {
        out.blind_spots.push(BlindSpot {
            what: format!(
                "whether Deployment {} ({}) works with the new CRDs",
                other.deployment, other.image
            ),
            why: "it reads the same CRDs and is not moved by this plan".to_owned(),
        });
    }
}

fn roles(at: &HopCx<'_, ArgoWorkflows>, render: &Render, predicted: &Predicted<'_>, out: &mut Lowering) {
    let Some(before) = predicted.seen(&at.doc.spec.release) else { return };
    let changed = rbac::changed(&before.objects, &render.objects);
    let mut add = |what: String, why: &str| out.blind_spots.push(BlindSpot { what, why: why.to_owned() });
    // What is bound is asked of the API server.
    if !changed.added.is_empty() && rbac::granted(&before.objects, &render.objects).is_empty() {
        add(
            format!("whether whoever runs helm may grant {}", listed(changed.added.iter().cloned())),
            "the API server lets nobody grant what they may not do themselves",
        );
    }
    if !changed.removed.is_empty() {
        add(
            format!("whether anybody needs {}", listed(changed.removed.iter().cloned())),
            "the new chart takes it from its roles",
        );
    }
}
