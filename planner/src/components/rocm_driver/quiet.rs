//! What stands still while drivers move: Karpenter, for NodePools of GPU nodes; the operator, which would upgrade every node by itself;
//! remediation, which would drain and reboot nodes. And Kernel Module Management is let onto cordoned nodes.

use serde_json::{Value, json};
use switchback_schemas::{
    StepId,
    inventory::rocm_driver::{DeviceConfig, RocmPolicy},
    plan::{Condition, KubeCondition, Operand, Target, Test},
};

use super::{lower::Road, site::Site};
use crate::{
    lower::{
        Lowering, freeze,
        suspension::{Parts, Suspended, SuspensionDraft, Titles},
    },
    predicted::Predicted,
};

/// Fields of a DeviceConfig that have another value while drivers move.
pub(super) const POLICY: &str = "/spec/driver/upgradePolicy/enable";
pub(super) const REMEDIATION: &str = "/spec/remediationWorkflow/enable";
pub(super) const TOLERATIONS: &str = "/spec/driver/tolerations";

/// What a field held when it was observed.
pub(super) fn observed(site: &DeviceConfig, pointer: &str) -> Option<Value> {
    match pointer {
        POLICY => Some(json!(site.policy.as_ref().and_then(|policy| policy.enable))),
        REMEDIATION => Some(json!(site.remediation)),
        TOLERATIONS => Some(site.tolerations.clone()),
        _ => None,
    }
}

/// Whether tolerations let a pod, and so a module, onto a node with the taint of a cordon.
fn tolerates(tolerations: &Value, taint: &str) -> bool {
    let text =
        |one: &Value, field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    tolerations.as_array().into_iter().flatten().any(|one| {
        let (key, effect) = (text(one, "key"), text(one, "effect"));
        let exists = text(one, "operator") == "Exists";
        (key == taint || (key.is_empty() && exists))
            && (exists || text(one, "value").is_empty())
            && (effect.is_empty() || effect == "NoSchedule")
    })
}

fn upgrades(site: &Site) -> Suspended {
    let name = &site.config.name;
    Suspended {
        name: "automatic-upgrades".to_owned(),
        parts: Parts::SUSPEND,
        object: site.object(),
        pointer: POLICY,
        path: "spec.driver.upgradePolicy.enable",
        capture: "policy",
        value: json!(false),
        observed: observed(&site.config, POLICY).unwrap_or_default(),
        titles: Titles::of(&format!("automatic upgrades of the drivers of DeviceConfig {name}")),
        cannot_stop: vec!["a node that joins: it gets the driver that the DeviceConfig names".to_owned()],
        owner: "whoever answers for the GPU nodes".to_owned(),
    }
}

fn remediation(site: &Site) -> Suspended {
    let name = &site.config.name;
    Suspended {
        name: "remediation".to_owned(),
        parts: Parts::SUSPEND,
        object: site.object(),
        pointer: REMEDIATION,
        path: "spec.remediationWorkflow.enable",
        capture: "remediation",
        value: json!(false),
        observed: observed(&site.config, REMEDIATION).unwrap_or_default(),
        titles: Titles::of(&format!("remediation of the nodes of DeviceConfig {name}")),
        cannot_stop: vec!["a workflow of remediation that runs already".to_owned()],
        owner: "whoever answers for the GPU nodes".to_owned(),
    }
}

/// Kernel Module Management loads no module on a node that it would schedule no pod on, and takes off the label that says that one is
/// loaded: nothing would move under our own cordon.
fn cordons(site: &Site, taint: &str) -> Suspended {
    let before = observed(&site.config, TOLERATIONS).unwrap_or_default();
    let mut value = before.as_array().cloned().unwrap_or_default();
    value.push(json!({"key": taint, "operator": "Exists", "effect": "NoSchedule"}));
    let what = "Kernel Module Management to load drivers on cordoned nodes";
    Suspended {
        name: "cordoned-nodes".to_owned(),
        parts: Parts { suspend: "allow", found: "allowed", resume: "disallow" },
        object: site.object(),
        pointer: TOLERATIONS,
        path: "spec.driver.tolerations",
        capture: "tolerations",
        value: json!(value),
        observed: before,
        titles: Titles {
            what: format!(
                "the tolerations of DeviceConfig {}, which lack that of a cordon",
                site.config.name
            ),
            suspend: format!("allow {what}"),
            found: format!("check that it is still allowed for {what}"),
            resume: format!("no longer allow {what}"),
            undo_suspend: format!("no longer allow {what}"),
            undo_resume: format!("allow {what} again"),
            already: format!("something allows {what} already, which this plan leaves so"),
        },
        cannot_stop: Vec::new(),
        owner: "whoever answers for the GPU nodes".to_owned(),
    }
}

impl Road<'_> {
    /// Suspends what would move nodes past the roll, each after `ready`.
    pub(super) fn quiet(
        &self,
        ready: &StepId,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> Vec<SuspensionDraft> {
        let site = self.own;
        let place = |text: &str| self.cx.label(self.doc.doc, "/spec/to", text);
        let gpu = |name: &str| site.config.nodes.iter().any(|node| node.name == name);
        let mut all = freeze::of_nodes(self.cx, place("empties its nodes"), gpu);
        if site.config.policy.as_ref().is_some_and(RocmPolicy::is_on) {
            all.push(upgrades(site));
        }
        if site.config.remediation == Some(true) {
            all.push(remediation(site));
        }
        let taint = &self.facts.cordon.taint;
        if !tolerates(&site.config.tolerations, taint) {
            all.push(cordons(site, taint));
        }
        let suspend = |what: Suspended| {
            let draft = SuspensionDraft::new(&self.scope, what, predicted);
            draft.check(self.cx, place("suspends it meanwhile"));
            draft.note(predicted);
            let step = draft.suspend_step(&self.scope, predicted);
            out.add(step.needs(ready, "nothing is changed before nodes are looked at", None));
            draft
        };
        all.into_iter().map(suspend).collect()
    }

    /// The operator upgrades nothing by itself.
    pub(super) fn is_quiet(&self) -> Condition {
        Condition::Any(vec![
            self.of_config("/spec/driver/upgradePolicy", Test::Absent {}),
            self.of_config(POLICY, Test::Equals(Operand::Value(json!(false)))),
        ])
    }

    pub(super) fn of_config(&self, pointer: &str, is: Test) -> Condition {
        let object = Target::Object(self.own.object());
        Condition::Kube(KubeCondition::Field { object, pointer: pointer.to_owned(), is })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cordon_is_tolerated_by_its_key_or_by_any() {
        let taint = "node.kubernetes.io/unschedulable";
        let is = |one: Value| tolerates(&json!([one]), taint);
        assert!(is(json!({"operator": "Exists"})));
        assert!(is(json!({"key": taint, "operator": "Exists", "effect": "NoSchedule"})));
        assert!(!is(json!({"key": taint, "operator": "Exists", "effect": "NoExecute"})));
        assert!(!is(json!({"key": "amd-dcm", "operator": "Equal", "value": "up"})));
        assert!(!tolerates(&Value::Null, taint));
    }
}
