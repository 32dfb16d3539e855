//! A Helm release: its chart moves to another version; CRDs of the chart's `crds/` directory, which Helm never
//! upgrades, are applied first.

mod spec;

use switchback_schemas::{
    Diagnostic, Seconds,
    codes::{self, Code},
    inventory::{Inventory, Release},
    lock::Ask,
    manifest::OwnerKind,
    name::ObjectRef,
    plan::{
        CaptureKind, Condition, Effect, Estimate, KubeApply, KubeRestore, Target, Test, UndoKind, Wait, Work,
    },
};

pub use self::spec::HelmReleaseUpgrade;
use crate::{
    catalog::Texts,
    component::{Component, Doc, DocCx, Held, HopCx, Lookups},
    context::Cx,
    hop::{HopSpec, rising},
    lower::{HopScope, Lowering, Rollback, Undoing, changes, helm, permission, verify},
    manifest::{Checks, Touch},
    objects,
    outlook::{Outlook, crd_ref},
    sections::Sections,
    solver::Request,
};

/// Rooms that it has none of, and why.
pub const BLIND: [(&str, &str); 3] = [
    ("catalog", "which component a chart is, nobody tells"),
    ("observer", "releases are read from their Secrets: executor/kube/src/observe/releases.rs"),
    ("actor", "what a chart holds is acted on by the controllers of the cluster itself"),
];

/// The component.
pub struct HelmRelease;

const WITHIN: Seconds = Seconds::minutes(10);

impl Component for HelmRelease {
    type Spec = HelmReleaseUpgrade;
    type Hop = ();
    type Facts = ();

    fn name(&self) -> &'static str {
        "helm-release"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_STORED_VERSION]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: None, lowering: &[] }
    }

    fn facts(&self) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn strings(&self, spec: &HelmReleaseUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/release", &spec.release);
        checks.charts(&spec.charts);
        if let Some(chart) = &spec.chart {
            checks.word("/spec/chart", "the name of a chart", chart, b"-_.");
        }
    }

    fn references(&self, _: &HelmReleaseUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, _: &HelmReleaseUpgrade, _: &mut Checks<'_, '_>) {}

    fn touches(&self, spec: &HelmReleaseUpgrade) -> Vec<Touch> {
        vec![Touch::release("/spec/release", &spec.target, &spec.release)]
    }

    fn request(&self, _: &HelmReleaseUpgrade, _: Option<&Inventory>) -> Option<Request> {
        None
    }

    fn untold(&self) -> Option<&'static str> {
        Some("Helm releases")
    }

    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        let spec = &at.doc.spec;
        let seen = at.index.release(&spec.release);
        let chart = spec.chart.clone().or_else(|| seen.map(|release| release.chart.clone()));
        asks.charts.extend(chart.map(|chart| Ask {
            release: spec.release.clone(),
            chart,
            source: spec.charts.clone(),
            version: spec.to.clone(),
            set: objects::nested(&spec.set),
        }));
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, ())> {
        hop(at).into_iter().map(|hop| (hop, ())).collect()
    }

    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }

    fn lower(&self, hop: &HopCx<'_, Self>, outlook: &mut Outlook<'_>, to: &mut Lowering) {
        let (cx, doc, spec, scope, hop) = (hop.cx, hop.doc, &hop.doc.spec, &hop.scope, hop.hop);
        let Some(render) = cx.render(&spec.release, &hop.to, cx.label(doc.doc, "/spec/to", "this version"))
        else {
            return;
        };
        let within = spec.within.map_or(WITHIN, |length| length.0);
        if hop.finishes {
            if helm::is_there(outlook, render) {
                let title = format!("see that release {} works at {}", spec.release, hop.to);
                let look = helm::look(scope, title, render, outlook);
                let look = look.verify(cx.verifications(&spec.verify));
                to.add(look.time(within, Estimate::seconds(10, 120)));
                return;
            }
            cx.index.release(&spec.release).into_iter().for_each(|release| owned(cx, doc, release));
        }
        let crds: Vec<_> =
            render.crds.iter().filter_map(|crd| crd_step(cx, scope, outlook, crd, to)).collect();
        let title = format!("upgrade release {} to chart {} {}", spec.release, render.chart.name, hop.to);
        let step = helm::ReleaseStep { part: "release", title, render, within };
        let label = cx.label(doc.doc, "/spec/to", "this version of the chart");
        if let Some(before) = outlook.release(&render.release) {
            helm::warn_about_hands(cx.findings, &before.objects, render, Some(&label));
        }
        let Some(mut draft) = helm::upgrade(scope, outlook, step) else { return };
        for crd in &crds {
            draft = draft.needs(crd, "objects of the new version need their CRD first", None);
        }
        let id = to.add(draft.verify(cx.verifications(&spec.verify)));
        outlook.upgraded(render, &id);
        helm::warn_about_hooks(cx.findings, render, Some(&label));
    }
}

fn hop(at: &DocCx<'_, HelmRelease>) -> Option<HopSpec> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let label = cx.label(doc.doc, "/spec/release", "not upgradable as it is");
    let release = helm::observed(cx, &spec.release, Some(label))?;
    if let Some(chart) = spec.chart.as_ref().filter(|chart| **chart != release.chart) {
        let message = format!("release {} is of chart {}, not {chart}", spec.release, release.chart);
        cx.findings.say(
            Diagnostic::error(codes::MANIFEST_CONFLICT, message)
                .at(cx.label(doc.doc, "/spec/chart", "another chart"))
                .help("a release that changes its chart is installed anew; that is not an upgrade"),
        );
        return None;
    }
    let asked = at.asked();
    if release.chart_version == spec.to
        && let Some(finishing) = asked.finishing(cx)
    {
        return Some(finishing);
    }
    rising(cx, doc.doc, &format!("release {}", spec.release), &release.chart_version, &spec.to)?;
    owned(cx, doc, release);
    Some(HopSpec { from: Some(release.chart_version.clone()), ..asked })
}

/// Says whose its workloads are, if they are not Helm's.
fn owned(cx: &Cx<'_>, doc: &Doc<HelmRelease>, release: &Release) {
    for object in helm::workloads(&release.objects, &doc.spec.release) {
        cx.owner(&object, OwnerKind::Helm);
    }
}

/// Applies a CRD of the `crds/` directory. It is captured first, and going back restores it; a CRD that was not there stays,
/// because removing it would remove its objects.
fn crd_step(
    cx: &Cx<'_>,
    scope: &HopScope,
    outlook: &Outlook<'_>,
    object: &serde_json::Value,
    to: &mut Lowering,
) -> Option<switchback_schemas::StepId> {
    const BEFORE: &str = "before";
    let name = objects::name(object)?.to_owned();
    let seen = outlook.crd(&name);
    let versions = objects::versions(object, None);
    if let Some(dropped) =
        seen.as_ref().and_then(|crd| crd.stored.iter().find(|stored| !versions.contains(&stored.as_str())))
    {
        let message = format!("CRD {name} drops version {dropped}, in which objects are stored");
        cx.findings.say_about(
            &name,
            Diagnostic::error(codes::PLAN_STORED_VERSION, message)
                .help("move its objects to another stored version first, and remove the old one from status.storedVersions"),
        );
    }
    let target = Target::Object(crd_ref(&name));
    let part = format!("crds/{name}");
    let id = scope.id(&part);
    let established = Condition::Field {
        object: target.clone(),
        pointer: "/status/conditions".to_owned(),
        is: Test::Contains(serde_json::json!({"type": "Established", "status": "True"})),
    };
    let permissions = ["get", "patch", "create"]
        .map(|verb| permission(verb, "apiextensions.k8s.io", "customresourcedefinitions", None));
    let undo = match &seen {
        Some(_) => Undoing::by(Rollback {
            kind: UndoKind::Restore,
            ..Rollback::new(Work {
                estimate: Estimate::seconds(5, 30),
                permissions: permissions.to_vec(),
                ..Work::effect(
                    format!("restore CRD {name} as it was"),
                    Effect::KubeRestore(KubeRestore { step: id.clone(), name: BEFORE.to_owned() }),
                )
            })
        }),
        // Removing it would remove its objects.
        None => Undoing::by(Rollback::new(Work {
            done_when: Some(Condition::All { of: Vec::new() }),
            ..Work::effect(
                format!("leave CRD {name}, which was not there before, with its objects"),
                Effect::Wait(Wait { until: Condition::All { of: Vec::new() } }),
            )
        })),
    };
    let effect = Effect::KubeApply(KubeApply { object: object.clone(), force: true });
    let mut draft = scope
        .step(&part, format!("apply CRD {name}"), effect, undo, outlook.take_reads())
        .verify([verify(format!("CRD {name} is established"), established, Seconds(0), Seconds::minutes(1))])
        .time(Seconds::minutes(1), Estimate::seconds(5, 30))
        .idempotent()
        .permits(permissions)
        .changes(match &seen {
            Some(_) => Vec::new(),
            None => changes::between(&[], std::slice::from_ref(object)),
        });
    if seen.is_some() {
        draft = draft.captures(BEFORE, CaptureKind::Objects(vec![target]));
    }
    Some(to.add(draft))
}
