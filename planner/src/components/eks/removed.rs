//! APIs that the next minor no longer serves, looked for in every source that there is, and what each source covers
//! (user-pain P-43, P-44).

use std::collections::BTreeMap;

use switchback_schemas::{Diagnostic, Severity, codes, name::plural, plan::BlindSpot};

use super::{context::Road, facts::RemovedApi};
use crate::{lower::Lowering, objects, predicted::Predicted};

/// A use of an API that the next minor no longer serves, by the name under which a waiver accepts it.
struct Use {
    about: String,
    message: String,
    help: String,
}

/// Says who uses what the minor of a hop removes, and what could not be looked at.
pub(super) fn observed(road: &Road<'_>, predicted: &Predicted<'_>, out: &mut Lowering) {
    let Some(from) = &road.hop.from else { return };
    let minor = &road.hop.to;
    let rows: Vec<&RemovedApi> = road
        .facts
        .removed_apis
        .rows
        .iter()
        .filter(|row| *from < row.removed_in && row.removed_in <= *minor)
        .collect();
    let source = &road.facts.removed_apis;
    out.sources.insert(
        "removed-apis".to_owned(),
        switchback_schemas::plan::Source { title: source.source.clone(), read_on: source.read_on.clone() },
    );
    if rows.is_empty() {
        return;
    }
    let mut uses = Vec::new();
    let mut coverage = vec![format!("{} Helm releases", helm(predicted, &rows, &mut uses))];
    match &road.inventory.api_use.written {
        Some(written) => {
            coverage.push("field managers".to_owned());
            managers(written, &rows, &mut uses);
        }
        None => blind(
            out,
            minor,
            "who still writes objects in an API",
            "objects could not be listed with their managers",
        ),
    }
    match &road.inventory.api_use.requested {
        Some(requested) => {
            coverage.push("calls since the API servers started".to_owned());
            calls(requested, &rows, &mut uses);
        }
        None => {
            blind(out, minor, "who still calls an API", "the metrics of the API server could not be read");
        }
    }
    let insights = road
        .own
        .cluster
        .insights
        .iter()
        .any(|insight| insight.kubernetes.as_ref().is_some_and(|version| version.minor_line() == *minor));
    if insights {
        coverage.push("insights of EKS (30 days of its audit log)".to_owned());
    }
    let unserved = !road.inventory.cluster.apis.is_empty()
        && rows.iter().all(|row| !road.inventory.cluster.apis.contains(&row.api));
    if unserved {
        coverage.push("the API server, which serves none of them now".to_owned());
    }
    let place = |text: &str| road.label(road.doc.doc, "/spec/to", text);
    for found in uses {
        let diagnostic = Diagnostic::error(codes::PLAN_REMOVED_API, found.message);
        let diagnostic = diagnostic.at(place(&format!("{minor} no longer serves it"))).help(found.help);
        road.findings.say_about(&found.about, diagnostic);
    }
    let apis: Vec<String> = rows.iter().map(|row| format!("{} {}", row.api, row.kind)).collect();
    let message = format!(
        "{minor} no longer serves {}; their use was looked for in {}",
        apis.join(", "),
        coverage.join(", ")
    );
    road.findings.say(Diagnostic {
        severity: Severity::Advice,
        ..Diagnostic::warning(codes::PLAN_REMOVED_API, message).at(place(&format!("passes through {minor}")))
    });
}

fn blind(out: &mut Lowering, minor: &switchback_schemas::Version, what: &str, why: &str) {
    let what = format!("{what} that {minor} no longer serves");
    out.blind_spots.push(BlindSpot { what, why: why.to_owned() });
}

fn instead(row: &RemovedApi) -> String {
    row.replacement.as_ref().map_or_else(|| "it has no successor".to_owned(), |api| format!("use {api}"))
}

/// Stored manifests of releases: Helm compares with them in the next upgrade, and fails when their API is gone.
fn helm(predicted: &Predicted<'_>, rows: &[&RemovedApi], uses: &mut Vec<Use>) -> usize {
    let mut releases = 0;
    for (name, release) in predicted.releases() {
        releases += 1;
        let mut found: BTreeMap<(&str, &str), (&RemovedApi, usize)> = BTreeMap::new();
        for object in &release.objects {
            let (api, kind) = (objects::text(object, "/apiVersion"), objects::text(object, "/kind"));
            let row = rows.iter().find(|row| api == Some(&row.api) && kind == Some(&row.kind));
            if let Some(row) = row {
                found.entry((&row.api, &row.kind)).or_insert((row, 0)).1 += 1;
            }
        }
        for (row, count) in found.into_values() {
            uses.push(Use {
                about: format!("release {name}"),
                message: format!("release {name} holds {count} {} of {}, which is removed in {}", row.kind, row.api, row.removed_in),
                help: format!(
                    "upgrade it to a chart without it ({}) before the control plane; afterwards Helm can no longer",
                    instead(row)
                ),
            });
        }
    }
    releases
}

fn managers(written: &[switchback_schemas::inventory::WrittenBy], rows: &[&RemovedApi], uses: &mut Vec<Use>) {
    for by in written {
        let row = rows.iter().find(|row| row.api == by.api_version && row.kind == by.object.kind);
        let Some(row) = row else { continue };
        uses.push(Use {
            about: by.manager.clone(),
            message: format!(
                "{} last wrote {} as {}, which is removed in {}",
                by.manager, by.object, row.api, row.removed_in
            ),
            help: format!("update that client ({})", instead(row)),
        });
    }
}

fn calls(
    requested: &[switchback_schemas::inventory::RequestedApi],
    rows: &[&RemovedApi],
    uses: &mut Vec<Use>,
) {
    for call in requested {
        let api = match call.group.as_str() {
            "" => call.version.clone(),
            group => format!("{group}/{}", call.version),
        };
        let resource = call.resource.split('/').next().unwrap_or_default();
        let row = rows.iter().find(|row| row.api == api && plural(&row.kind) == resource);
        let Some(row) = row else { continue };
        uses.push(Use {
            about: format!("{resource}.{api}"),
            message: format!("{resource} of {api} is still called, and is removed in {}", row.removed_in),
            help: format!(
                "find the client in the audit log and update it ({}); the count starts anew with the API server",
                instead(row)
            ),
        });
    }
}
