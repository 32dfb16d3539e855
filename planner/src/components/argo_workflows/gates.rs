//! What is refused when a chart is known: combinations that are known to fail, and what nobody can take back.

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, codes, codes::Code, inventory::argo_workflows::Persistence, lock::Render,
};

use super::{
    ArgoWorkflows, CrdSource, InFlight,
    chart::{self, Program},
    versions::Versions,
};
use crate::{component::HopCx, image::Image, objects::text};

/// The longest name of an object whose name becomes a label.
const LONGEST: usize = 63;

/// Asks everything about a hop to a rendered chart.
pub(super) fn check(
    at: &HopCx<'_, ArgoWorkflows>,
    render: &Render,
    controller: &Program<'_>,
    versions: &Versions,
) {
    pinned(at, render, controller, versions);
    stands(at, controller);
    two_controllers(at, controller);
    jump(at, versions);
    hook(at, render);
    crds(at, render);
    archive(at, render, versions);
}

fn refuse(at: &HopCx<'_, ArgoWorkflows>, code: Code, message: String, place: (&str, &str), help: &str) {
    let label = at.cx.label(at.doc.doc, place.0, place.1);
    at.findings.say(Diagnostic::error(code, message).at(label).help(help));
}

/// Controller, executor and server are one version (user-pain P-32).
fn pinned(at: &HopCx<'_, ArgoWorkflows>, render: &Render, controller: &Program<'_>, versions: &Versions) {
    let help = "remove `images.tag`, `controller.image.tag`, `executor.image.tag` and `server.image.tag` from the values of the release: \
                the chart's own version is the default of each";
    let place = ("/spec/to", "this version of the chart");
    let version = Image(controller.image).version();
    // A digest or a tag of somebody's own says nothing of its version.
    if let Some((found, to)) = version.as_ref().zip(versions.to.as_ref()).filter(|(found, to)| found != to) {
        let message = format!(
            "chart {} installs Argo Workflows {to}, and its values keep the controller at {found}",
            render.chart.version
        );
        refuse(at, codes::MANIFEST_CONFLICT, message, place, help);
        return;
    }
    let executor =
        controller.argument("--executor-image").map(|image| ("starts pods with the executor", image));
    let server = chart::server(&render.objects, &render.release);
    let server = server.as_ref().map(|server| ("stands beside the server", server.image));
    for (does, image) in [executor, server].into_iter().flatten() {
        if Image(image).version() == version {
            continue;
        }
        let message =
            format!("the controller {} {does} {image}: all of them have to be one version", controller.image);
        refuse(at, codes::MANIFEST_CONFLICT, message, place, help);
    }
}

/// A controller of no replicas would run no Workflow, and none could show that it does.
fn stands(at: &HopCx<'_, ArgoWorkflows>, controller: &Program<'_>) {
    if controller.replicas() == 0 {
        let message =
            format!("the chart leaves {} at 0 replicas: nothing would run Workflows", controller.object);
        let help = "remove `controller.replicas` from the values of the release";
        refuse(at, codes::MANIFEST_CONFLICT, message, ("/spec/to", "this version of the chart"), help);
    }
}

/// Without a leader two controllers reconcile at once while the one is rolled.
fn two_controllers(at: &HopCx<'_, ArgoWorkflows>, controller: &Program<'_>) {
    let elects = at.own.controller.leader_election && controller.elects();
    if elects || controller.recreates() {
        return;
    }
    let message = format!(
        "chart {} rolls {} with a surge while leader election is off: two controllers would reconcile every Workflow at once",
        at.hop.to, controller.object
    );
    let help = format!(
        "remove LEADER_ELECTION_DISABLE from the controller's variables first, or go to chart {} or later, which recreates a lone controller",
        at.facts.recreate.since
    );
    refuse(at, codes::PATH_REQUIREMENT, message, ("/spec/to", "rolls it"), &help);
}

/// Jumps that leave running Workflows Running for ever, unless none runs.
fn jump(at: &HopCx<'_, ArgoWorkflows>, versions: &Versions) {
    if at.doc.spec.policies().all(|policy| matches!(policy, InFlight::Wait { .. })) {
        return;
    }
    for jump in at.facts.jumps.iter().filter(|jump| versions.jumps(&jump.from, &jump.to)) {
        let from = versions.from.as_ref().map_or("a version that is not known", |from| from.plain());
        let message = format!(
            "Workflows that run through the jump from {from} to {} stay Running for ever: {}",
            versions.reached(),
            jump.why
        );
        let help =
            format!("write `inFlight: {{wait: {{max: 4h}}}}` for all classes, or go over {}", jump.over);
        refuse(at, codes::PATH_REQUIREMENT, message, ("/spec/inFlight", "lets them run"), &help);
    }
}

/// The hook that downloads CRDs: where it cannot run, and where it would run beside the plan.
fn hook(at: &HopCx<'_, ArgoWorkflows>, render: &Render) {
    let Some(job) = chart::hook(&render.hooks) else { return };
    let name = text(job, "/metadata/name").unwrap_or_default();
    let place = ("/spec/crds", "the chart's hook applies them");
    if at.doc.spec.crds == CrdSource::Apply {
        let message = format!(
            "chart {} runs Job {name}, which applies the CRDs, although `crds.install` is false",
            at.hop.to
        );
        let help = "write `crds: chart` to leave the CRDs to the chart";
        return refuse(
            at,
            codes::MANIFEST_CONFLICT,
            message,
            ("/spec/to", "this version of the chart"),
            help,
        );
    }
    if name.len() > LONGEST {
        let message = format!(
            "the name of the chart's Job {name} has {} characters, and at most {LONGEST} are allowed: the upgrade fails before it begins",
            name.len()
        );
        let help = "write `crds: apply`, or go to chart 1.0.1 or later, which cuts the name";
        refuse(at, codes::PATH_REQUIREMENT, message, place, help);
    }
    let confined = |pointer: &str| job.pointer(pointer).is_some_and(|context| !is_empty(context));
    if at.own.controller.restricted && !confined("/spec/template/spec/securityContext") {
        let message = format!(
            "the namespace enforces the Pod Security Standard restricted, and the pod of the chart's Job {name} has no securityContext: it is \
             never admitted, and the upgrade fails"
        );
        let help = "write `crds: apply`, or go to chart 1.0.17 or later, whose Job has one";
        refuse(at, codes::PATH_REQUIREMENT, message, place, help);
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// CRDs that are somebody else's, or that the chart does not bring.
fn crds(at: &HopCx<'_, ArgoWorkflows>, render: &Render) {
    for name in &at.facts.crds {
        let Some(crd) = at.inventory.crds.iter().find(|crd| crd.name == *name) else { continue };
        let other = crd.release.as_ref().filter(|release| **release != at.doc.spec.release);
        if let Some(other) = other {
            let message = format!(
                "CRD {name} belongs to release {other}, which writes its own version of it at its next upgrade"
            );
            let help =
                "let one release hold the CRDs of Argo Workflows: switch them off in the values of the other";
            let label = at.cx.label(at.doc.doc, "/spec/crds", "would write it, too");
            let foreign = Diagnostic::error(codes::PLAN_OWNER_UNKNOWN, message).at(label).help(help);
            at.findings.say_about(name, foreign);
        }
    }
    if !applies(at) {
        return;
    }
    let brought =
        |name: &&String| render.crds.iter().any(|crd| crate::objects::name(crd) == Some(name.as_str()));
    let missing: Vec<&str> = at.facts.crds.iter().filter(|name| !brought(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        let message = format!(
            "chart {} holds no {} in {}",
            at.hop.to,
            missing.join(", "),
            at.facts.full_crds.directory
        );
        let help = "run `switchback resolve` again, or write `crds: chart` to leave the CRDs to the chart";
        refuse(at, codes::PLAN_LOCK_MISSING, message, ("/spec/to", "this version of the chart"), help);
    }
}

/// Whether the plan applies the CRDs.
pub(super) fn applies(at: &HopCx<'_, ArgoWorkflows>) -> bool {
    at.doc.spec.crds == CrdSource::Apply && at.hop.to >= at.facts.full_crds.since
}

/// The database of the new controller: as the chart writes it, else as it was observed.
pub(super) fn persistence(at: &HopCx<'_, ArgoWorkflows>, render: &Render) -> Option<Persistence> {
    let name = &at.own.controller.config_map.name;
    let Some(settings) = chart::settings(&render.objects, name) else {
        return at.own.controller.persistence.clone();
    };
    let found = settings.get("persistence").filter(|found| !found.is_null())?;
    let is = |field: &str| found.get(field).and_then(Value::as_bool) == Some(true);
    let database = ["postgresql", "mysql"].into_iter().find(|kind| found.get(kind).is_some())?;
    Some(Persistence {
        database: database.to_owned(),
        archive: is("archive"),
        skip_migration: is("skipMigration"),
    })
}

/// A controller migrates its database when it starts, and no plan here takes that back.
fn archive(at: &HopCx<'_, ArgoWorkflows>, render: &Render, versions: &Versions) {
    let Some(persistence) = persistence(at, render).filter(|found| !found.skip_migration) else { return };
    let crossed = at.facts.archive.iter().filter(|migration| {
        versions.crosses(&migration.at) && migration.databases.contains(&persistence.database)
    });
    for migration in crossed {
        let message = format!(
            "when it starts, a controller of Argo Workflows {} or later {}: a migration of the {} database behind a proven backup is not built yet",
            migration.at, migration.what, persistence.database
        );
        let help = "back up the database and prove that the backup can be restored, run the SQL that the release's docs/database-migrations.md prints \
                    and set the number in schema_history by hand, then write `set: {controller.persistence.skipMigration: true}`";
        refuse(at, codes::MANIFEST_NOT_BUILT, message, ("/spec/to", "migrates it"), help);
    }
}
