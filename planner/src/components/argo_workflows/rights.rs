//! Who may do what under the new version: asked of the API server before anything is suspended, and of the controller again when its
//! release has moved.

use std::collections::BTreeSet;

use switchback_schemas::{
    Seconds, StepId,
    inventory::argo_workflows::WorkflowAccount,
    lock::Render,
    name::ObjectName,
    plan::{AccessReview, Condition, Estimate, KubeCondition, Verify},
};

use super::{ArgoWorkflows, rbac, versions::Versions};
use crate::{
    component::HopCx,
    lower::{Lowering, verify},
    predicted::Predicted,
};

/// How long the API server may take to answer.
const ANSWER: Seconds = Seconds::minutes(2);
/// The account of pods that name none, where the controller gives them none.
const DEFAULT: &str = "default";
const RBAC: &str = "rbac.authorization.k8s.io";

fn allowed(reviews: Vec<AccessReview>) -> Condition {
    Condition::Kube(KubeCondition::Allowed { reviews })
}

/// Asks before anything stands still: whether the accounts of Workflows may what their pods do from a version on, and whether whoever
/// runs the plan may grant what the roles of the new chart hold.
pub(super) fn ask(
    at: &HopCx<'_, ArgoWorkflows>,
    render: &Render,
    versions: &Versions,
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) -> Option<StepId> {
    let accounts = of_accounts(at, versions);
    let granted = granted(at, render, predicted);
    let mut of = Vec::new();
    let mut what = Vec::new();
    if !accounts.is_empty() {
        let counted: BTreeSet<&ObjectName> =
            accounts.iter().filter_map(|review| review.account.as_ref()).collect();
        let each = match counted.len() {
            1 => "the service account of Workflows may".to_owned(),
            many => format!("the {many} service accounts of Workflows may"),
        };
        what.push(format!("{each} {}", needed(at, versions)));
        of.push(allowed(accounts));
    }
    if !granted.is_empty() {
        what.push("these credentials may grant what the new roles hold".to_owned());
        // The API server lets nobody grant what they may not do themselves, unless they may escalate.
        let own: Vec<AccessReview> =
            granted.into_iter().map(|review| AccessReview { account: None, ..review }).collect();
        of.push(Condition::Any(vec![allowed(own), allowed(escalates(render))]));
    }
    if of.is_empty() {
        return None;
    }
    let title = format!("check that {}", what.join(", and that "));
    let until = Condition::All(of);
    let draft = at.scope.look("rights", title, until, Vec::new()).time(ANSWER, Estimate::seconds(2, 30));
    Some(out.add(draft))
}

/// What their accounts need from a version on, for people.
fn needed(at: &HopCx<'_, ArgoWorkflows>, versions: &Versions) -> String {
    let crossed = at.facts.accounts.iter().filter(|account| versions.crosses(&account.at));
    let one =
        |account: &super::facts::Account| format!("{} {}", account.verbs.join(" and "), account.resource);
    crossed.map(one).collect::<Vec<_>>().join(", ")
}

fn of_accounts(at: &HopCx<'_, ArgoWorkflows>, versions: &Versions) -> Vec<AccessReview> {
    let crossed: Vec<_> = at.facts.accounts.iter().filter(|account| versions.crosses(&account.at)).collect();
    let named = |account: &WorkflowAccount| {
        let default = at.own.controller.default_account.as_deref().unwrap_or(DEFAULT);
        ObjectName::namespaced(&account.namespace, account.name.as_deref().unwrap_or(default))
    };
    let all: BTreeSet<ObjectName> = at.own.accounts().map(named).collect();
    let reviews = all.into_iter().flat_map(|name| {
        crossed.iter().map(move |account| AccessReview {
            namespace: name.namespace.clone(),
            account: Some(name.clone()),
            group: account.group.clone(),
            resource: account.resource.clone(),
            verbs: account.verbs.clone(),
        })
    });
    reviews.collect()
}

fn granted(at: &HopCx<'_, ArgoWorkflows>, render: &Render, predicted: &Predicted<'_>) -> Vec<AccessReview> {
    let before = predicted.seen(&at.doc.spec.release);
    before.map_or_else(Vec::new, |before| rbac::granted(&before.objects, &render.objects))
}

fn escalates(render: &Render) -> Vec<AccessReview> {
    let kinds = [("Role", "roles"), ("ClusterRole", "clusterroles")];
    let held = kinds.into_iter().filter(|(kind, _)| {
        render.objects.iter().any(|object| crate::objects::text(object, "/kind") == Some(*kind))
    });
    let review = |(_, resource): (&str, &str)| AccessReview {
        account: None,
        namespace: None,
        group: RBAC.to_owned(),
        resource: resource.to_owned(),
        verbs: vec!["escalate".to_owned()],
    };
    held.map(review).collect()
}

/// That the accounts of the chart may do what is new in their roles.
pub(super) fn held(
    at: &HopCx<'_, ArgoWorkflows>,
    render: &Render,
    predicted: &Predicted<'_>,
) -> Option<Verify> {
    let granted = granted(at, render, predicted);
    if granted.is_empty() {
        return None;
    }
    let verbs: usize = granted.iter().map(|review| review.verbs.len()).sum();
    let title = match verbs {
        1 => "the service accounts of the chart may do what is new in their roles: 1 verb".to_owned(),
        verbs => {
            format!("the service accounts of the chart may do what is new in their roles: {verbs} verbs")
        }
    };
    Some(verify(title, allowed(granted), Seconds(0), ANSWER))
}
