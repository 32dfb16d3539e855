//! Who seems to own what: evidence for a person to confirm.

use std::collections::BTreeSet;

use serde_json::Value;
use switchback_executor::untrusted::text::line;
use switchback_schemas::{
    inventory::{OwnerEvidence, Ownership},
    manifest::OwnerKind,
};

use super::lists::Lists;
use crate::{
    api::MANAGER,
    fields::{reference, text},
    pods::owners::controller,
};

/// Labels and annotations that an owner leaves on its objects.
const MARKS: [(&str, OwnerKind); 6] = [
    ("meta.helm.sh/release-name", OwnerKind::Helm),
    ("argocd.argoproj.io/tracking-id", OwnerKind::Gitops),
    ("argocd.argoproj.io/instance", OwnerKind::Gitops),
    ("kustomize.toolkit.fluxcd.io/name", OwnerKind::Gitops),
    ("helm.toolkit.fluxcd.io/name", OwnerKind::Gitops),
    ("kubectl.kubernetes.io/last-applied-configuration", OwnerKind::Kubectl),
];

/// What field managers begin with, and whose they are.
const MANAGERS: [(&str, OwnerKind); 9] = [
    ("helm", OwnerKind::Helm),
    ("kubectl", OwnerKind::Kubectl),
    ("argocd", OwnerKind::Gitops),
    ("kustomize-controller", OwnerKind::Gitops),
    ("helm-controller", OwnerKind::Gitops),
    ("flux", OwnerKind::Gitops),
    ("Terraform", OwnerKind::Terraform),
    ("terraform", OwnerKind::Terraform),
    ("HashiCorp", OwnerKind::Terraform),
];

/// Managers that write beside every owner, and say nothing about who it is.
const BYSTANDERS: [&str; 5] =
    [MANAGER, "kube-controller-manager", "kube-apiserver", "kubelet", "before-first-apply"];

/// Ownership of controllers of pods, CRDs and the given objects.
pub(super) fn read(lists: &Lists, more: &[Value]) -> Vec<Ownership> {
    let objects = lists.workloads.iter().chain(&lists.crds).chain(more);
    let mut owners: Vec<Ownership> =
        objects.filter(|object| controller(object).is_none()).map(ownership).collect();
    owners.retain(|ownership| !ownership.evidence.is_empty());
    owners.sort_by(|a, b| a.object.cmp(&b.object));
    owners
}

fn ownership(object: &Value) -> Ownership {
    Ownership { object: reference(object), evidence: evidence(object) }
}

fn evidence(object: &Value) -> Vec<OwnerEvidence> {
    let mut found = BTreeSet::new();
    for (field, word) in [("/metadata/annotations", "annotation"), ("/metadata/labels", "label")] {
        for (key, owner) in MARKS {
            let Some(value) = object.pointer(field).and_then(|marks| marks.get(key)?.as_str()) else {
                continue;
            };
            let value = if owner == OwnerKind::Kubectl { "" } else { value };
            found.insert((owner, line(format!("{word} {key} {value}").trim_end())));
        }
    }
    let managers = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    for entry in managers.into_iter().flatten() {
        let manager = text(entry, "/manager");
        if !text(entry, "/subresource").is_empty() || manager.is_empty() || BYSTANDERS.contains(&manager) {
            continue;
        }
        match of_manager(manager) {
            Some(OwnerKind::Operator) if only_marks(entry) => {}
            Some(owner) => drop(found.insert((owner, line(&format!("field manager {manager}"))))),
            None => {}
        }
    }
    found.into_iter().map(|(owner, because)| OwnerEvidence { owner, because }).collect()
}

/// Whose a field manager is. One that is not known is a controller of somebody, but `unknown` is nobody.
fn of_manager(manager: &str) -> Option<OwnerKind> {
    let longest =
        MANAGERS.iter().filter(|(start, _)| manager.starts_with(start)).max_by_key(|(s, _)| s.len());
    match longest {
        Some((_, owner)) => Some(*owner),
        None if manager == "unknown" => None,
        None => Some(OwnerKind::Operator),
    }
}

/// Whether a manager wrote nothing but metadata: hashes and finalizers of a controller, on what others ask of it.
fn only_marks(entry: &Value) -> bool {
    let fields = entry.pointer("/fieldsV1").and_then(Value::as_object);
    fields.is_some_and(|fields| !fields.is_empty() && fields.keys().all(|field| field == "f:metadata"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn marks_and_managers_are_evidence() {
        let object = json!({"metadata": {
            "annotations": {"meta.helm.sh/release-name": "web"},
            "labels": {"argocd.argoproj.io/instance": "apps"},
            "managedFields": [{"manager": "kube-controller-manager"}, {"manager": "helm-controller"},
                {"manager": "karpenter", "subresource": "status"}, {"manager": "unknown"}, {"manager": "keda-operator"}],
        }});
        let owners: Vec<OwnerKind> = evidence(&object).into_iter().map(|evidence| evidence.owner).collect();
        assert_eq!(owners, [OwnerKind::Helm, OwnerKind::Gitops, OwnerKind::Gitops, OwnerKind::Operator]);
        assert_eq!(of_manager("helm"), Some(OwnerKind::Helm));
        assert_eq!(of_manager("kubectl-client-side-apply"), Some(OwnerKind::Kubectl));
    }

    #[test]
    fn a_controller_that_only_marks_an_object_does_not_own_it() {
        let pool = |fields: Value| {
            json!({"metadata": {"managedFields": [
                {"manager": "kubectl-create", "fieldsV1": {"f:spec": {".": {}}}},
                {"manager": "karpenter", "fieldsV1": fields}]}})
        };
        let owners = |fields: Value| {
            evidence(&pool(fields)).into_iter().map(|evidence| evidence.owner).collect::<Vec<_>>()
        };
        // As Karpenter 1.8.2 leaves its hash on a NodePool.
        let hash = json!({"f:metadata": {"f:annotations": {".": {}, "f:karpenter.sh/nodepool-hash": {}}}});
        assert_eq!(owners(hash), [OwnerKind::Kubectl]);
        let both = json!({"f:metadata": {"f:annotations": {}}, "f:spec": {"f:limits": {}}});
        assert_eq!(owners(both), [OwnerKind::Kubectl, OwnerKind::Operator]);
    }

    #[test]
    fn what_was_applied_last_is_not_repeated() {
        let object = json!({"metadata": {"annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{\"password\": \"x\"}"}}});
        assert_eq!(
            evidence(&object)[0].because,
            "annotation kubectl.kubernetes.io/last-applied-configuration"
        );
    }
}
