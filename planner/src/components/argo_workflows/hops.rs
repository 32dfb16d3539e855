//! The one hop of an upgrade, with the controller that it moves, and what is refused before it.

use std::rc::Rc;

use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::{
        Release,
        argo_workflows::{
            ArgoWorkflows as Section, CronWorkflow, UnfinishedWorkflow, WorkflowAccount, WorkflowController,
        },
    },
};

use super::{ArgoWorkflows, chart, facts::ArgoFacts};
use crate::{
    component::DocCx,
    hop::{HopSpec, rising},
    owner::{Subject, release},
};

/// What was found of the release.
pub struct Site {
    /// What was observed of Argo Workflows.
    section: Rc<Section>,
    /// The controller of the release.
    pub(super) controller: WorkflowController,
    /// The version of Argo Workflows that it runs, where that is known.
    pub(super) app: Option<Version>,
}

impl Site {
    /// CronWorkflows that the controller looks after.
    pub(super) fn crons(&self) -> impl Iterator<Item = &CronWorkflow> {
        let own =
            |cron: &&CronWorkflow| self.is_own(cron.name.namespace.as_deref(), cron.instance_id.as_deref());
        self.section.cron_workflows.iter().filter(own)
    }

    /// Workflows that it looks after and that had not finished.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = &UnfinishedWorkflow> {
        let own = |workflow: &&UnfinishedWorkflow| {
            self.is_own(workflow.name.namespace.as_deref(), workflow.instance_id.as_deref())
        };
        self.section.unfinished.iter().filter(own)
    }

    /// Service accounts as which pods of its Workflows write their results.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &WorkflowAccount> {
        let managed = self.controller.managed_namespace.as_deref();
        let own =
            move |account: &&WorkflowAccount| managed.is_none_or(|managed| account.namespace == managed);
        self.section.accounts.iter().filter(own)
    }

    /// What was observed of all controllers.
    pub(super) fn section(&self) -> &Section {
        &self.section
    }

    fn is_own(&self, namespace: Option<&str>, instance: Option<&str>) -> bool {
        let managed = self.controller.managed_namespace.as_deref();
        managed.is_none_or(|managed| namespace == Some(managed))
            && self.controller.instance_id.as_deref() == instance
    }
}

/// The version of Argo Workflows that a release runs: as its chart says, else as the catalog knows the chart.
pub(super) fn app(release: &Release, facts: &ArgoFacts) -> Option<Version> {
    release.app_version.parse().ok().or_else(|| facts.app_of(&release.chart_version).cloned())
}

/// The hop of one manifest.
pub(super) fn of(at: &DocCx<'_, ArgoWorkflows>) -> Option<(HopSpec, Site)> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let label = || cx.label(doc.doc, "/spec/release", "not upgradable as it is");
    let found = release::observed(cx, &spec.release, Some(label()))?;
    if found.chart != super::CHART {
        let message = format!("release {} is of chart {}, not {}", spec.release, found.chart, super::CHART);
        let help = "name the release of the chart argo-workflows";
        cx.findings.say(Diagnostic::error(codes::MANIFEST_CONFLICT, message).at(label()).help(help));
        return None;
    }
    let site = site(at, found)?;
    let mut asked = at.asked();
    let to = target(
        spec,
        at.facts,
        cx.lock.render(&spec.release, &spec.to).map(|render| render.app_version.as_str()),
    );
    asked.stands_for = to.filter(|to| known(at, to)).map(|to| (at.component.to_string(), to));
    if found.chart_version == spec.to
        && let Some(finishing) = asked.finishing(cx)
    {
        return Some((finishing, site));
    }
    rising(cx, doc.doc, &format!("release {}", spec.release), &found.chart_version, &spec.to)?;
    let place = cx.label(doc.doc, "/spec/to", "this version of the chart");
    at.owners.of(cx, &Subject::Release(&spec.release), &place);
    Some((HopSpec { from: Some(found.chart_version.clone()), ..asked }, site))
}

fn known(at: &DocCx<'_, ArgoWorkflows>, version: &Version) -> bool {
    at.catalog.components.get(at.component.as_str()).is_some_and(|facts| facts.knows(version))
}

/// The version of Argo Workflows that is reached: as the rendered chart says, else as the catalog knows the chart.
pub(super) fn target(
    spec: &super::ArgoWorkflowsUpgrade,
    facts: &ArgoFacts,
    rendered: Option<&str>,
) -> Option<Version> {
    let rendered = rendered.and_then(|version| version.parse().ok());
    rendered.or_else(|| facts.app_of(&spec.to).cloned())
}

fn site(at: &DocCx<'_, ArgoWorkflows>, release: &Release) -> Option<Site> {
    let (cx, doc) = (at.cx, at.doc);
    let label = |text: &str| cx.label(doc.doc, "/spec/release", text);
    let missing = |message: String, help: &str| {
        let missing = Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message);
        cx.findings.say(missing.at(label("needs it")).help(help));
    };
    let section = match cx.sections.get::<Section>("argo-workflows") {
        Ok(Some(section)) => section,
        Ok(None) => {
            missing(
                "the inventory holds nothing about Argo Workflows".to_owned(),
                "observe again with credentials that may list Deployments, CronWorkflows and Workflows",
            );
            return None;
        }
        Err(error) => {
            let unreadable = Diagnostic::error(codes::PLAN_UNREADABLE, error).at(label("needs it"));
            cx.findings.say(unreadable.help("observe again with this release"));
            return None;
        }
    };
    let Some(program) = chart::controller(&release.objects, &release.name) else {
        missing(
            format!("release {} holds no Deployment with the image workflow-controller", release.name),
            "an image under another name is not known to be the controller",
        );
        return None;
    };
    let of_release = |found: &&WorkflowController| {
        found.deployment.name == program.object.name && found.deployment.namespace == program.object.namespace
    };
    let Some(controller) = section.controllers.iter().find(of_release).cloned() else {
        missing(
            format!("{} of release {} was not observed", program.object, release.name),
            "observe again; `helm status` shows whether the release is whole",
        );
        return None;
    };
    unread(at);
    Some(Site { section, controller, app: app(release, at.facts) })
}

/// What could not be listed is not known to be none.
fn unread(at: &DocCx<'_, ArgoWorkflows>) {
    let kinds = ["Workflow", "CronWorkflow", "WorkflowTemplate", "ClusterWorkflowTemplate"];
    for unread in &at.inventory.unread {
        let switchback_schemas::inventory::Subject::Objects { kind, .. } = &unread.what else { continue };
        if !kinds.contains(&kind.as_str()) {
            continue;
        }
        let message = format!("objects of kind {kind} could not be read: {}", unread.why);
        let help = format!("observe again with credentials that may list objects of kind {kind}");
        let label = at.cx.label(at.doc.doc, "/spec/release", "may hold some");
        at.findings.say(Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message).at(label).help(help));
    }
}
