//! Releases as they are found: what of them can be upgraded, and which workloads they hold.

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, Label, codes,
    inventory::Release,
    name::{ObjectName, ObjectRef},
};

use crate::{context::Cx, objects};

/// Finds a release and checks that it can be upgraded and rolled back to at all.
pub fn observed<'a>(cx: &Cx<'a>, name: &ObjectName, label: Option<Label>) -> Option<&'a Release> {
    let findings = cx.findings;
    let Some(release) = cx.index.release(name) else {
        let known: Vec<String> =
            cx.inventory.releases.iter().take(20).map(|release| release.name.to_string()).collect();
        let help = match known.is_empty() {
            true => {
                "the inventory holds no Helm release; observe again with credentials that may list Secrets"
                    .to_owned()
            }
            false => format!("the inventory holds {}", known.join(", ")),
        };
        let message = format!("there is no Helm release {name}");
        findings.say(Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message).at_all(label).help(help));
        return None;
    };
    if let Some(last) = release.last().filter(|last| last.status.starts_with("pending")) {
        let message = format!(
            "revision {} of release {name} is {}: its helm is at work or was killed",
            last.number, last.status
        );
        let help = match release.deployed() {
            Some(good) => format!(
                "when no helm is at work on it, `helm rollback {} {} -n {}` repairs it",
                name.name,
                good.number,
                name.namespace.as_deref().unwrap_or("default")
            ),
            None => format!("no revision of it is deployed to roll back to; {}", history(name)),
        };
        findings.say(Diagnostic::error(codes::PLAN_RELEASE_PENDING, message).at_all(label).help(help));
    } else if release.deployed().is_none() {
        let message = format!("no revision of release {name} is deployed, so there is none to roll back to");
        findings.say(Diagnostic::error(codes::PLAN_WAY_BACK, message).at_all(label).help(history(name)));
        return None;
    }
    Some(release)
}

/// What a person does about a release without a deployed revision.
fn history(name: &ObjectName) -> String {
    format!(
        "`helm history {} -n {}` shows why; repair it with helm, then observe again (`helm uninstall` would delete its objects)",
        name.name,
        name.namespace.as_deref().unwrap_or("default")
    )
}

/// Deployments, DaemonSets and StatefulSets among objects.
pub fn workloads(objects: &[Value], release: &ObjectName) -> Vec<ObjectRef> {
    let kinds = ["Deployment", "DaemonSet", "StatefulSet"];
    let rolled = |object: &Value| {
        let mut found = objects::reference(object).filter(|found| kinds.contains(&found.kind.as_str()))?;
        // A chart may leave the namespace to Helm.
        found.namespace = found.namespace.or_else(|| release.namespace.clone());
        Some(found)
    };
    objects.iter().filter_map(rolled).collect()
}

/// Workloads whose pods follow their template; one whose pods change only when somebody deletes them is nothing to wait for.
pub(super) fn following(objects: &[Value], release: &ObjectName) -> Vec<ObjectRef> {
    let follow: Vec<_> = objects.iter().filter(|object| !on_delete(object)).cloned().collect();
    workloads(&follow, release)
}

pub(super) fn on_delete(object: &Value) -> bool {
    let strategy = object.pointer("/spec/updateStrategy/type").and_then(Value::as_str);
    strategy == Some("OnDelete")
}
