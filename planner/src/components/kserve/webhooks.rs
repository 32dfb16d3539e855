//! The webhooks of the controller: they have to answer before anything depends on them. That its Deployment is available is not
//! enough: the API server may not have their certificate yet.

use serde_json::{Value, json};
use switchback_schemas::{
    Seconds, StepId,
    plan::{Effect, Estimate, KubeAdmit, KubeEffect},
};

use super::road::Road;
use crate::lower::{Lowering, Undoing};

/// What is tried is called like this; nothing of it is stored.
const NAME: &str = "switchback-admission";
/// How long the webhooks may take to answer.
const ANSWER: Seconds = Seconds::minutes(5);

impl Road<'_> {
    /// Lets the API server try to create a pod of a service and a runtime, in the namespace of the first service. Without services
    /// nothing depends on them yet.
    pub(super) fn webhooks(&self, after: &StepId, out: &mut Lowering) -> StepId {
        let namespaces = self.section.services.iter().filter_map(|service| service.name.namespace.as_deref());
        let Some(namespace) = namespaces.min() else { return after.clone() };
        let tried = [("pods", pod(namespace)), ("runtimes", runtime(namespace))];
        let mut last = after.clone();
        for (part, object) in tried {
            let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
            let title =
                format!("check that a {kind} could be created in namespace {namespace}: the webhooks answer");
            let effect = Effect::Kube(KubeEffect::Admit(KubeAdmit { object }));
            let undo = Undoing::Unneeded("nothing is stored".to_owned());
            let draft = self
                .scope
                .step(&format!("webhooks/{part}"), title, effect, undo, Vec::new())
                .needs(
                    &last,
                    "the webhooks of the new version have to answer before anything depends on them",
                    None,
                )
                .time(ANSWER, Estimate::seconds(2, 60))
                .idempotent();
            last = out.add(draft);
        }
        last
    }
}

/// A pod that the pod webhook is asked about, and that no quota and no pod security refuses.
fn pod(namespace: &str) -> Value {
    let small = json!({"cpu": "1m", "memory": "1Mi"});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {"serving.kserve.io/inferenceservice": NAME}},
        "spec": {
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "kserve-container", "image": "registry.k8s.io/pause:3.10",
                "resources": {"requests": small, "limits": small},
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}

fn runtime(namespace: &str) -> Value {
    json!({
        "apiVersion": "serving.kserve.io/v1alpha1", "kind": "ServingRuntime",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "supportedModelFormats": [{"name": NAME, "version": "1"}],
            "containers": [{"name": "kserve-container", "image": "registry.k8s.io/pause:3.10"}],
        },
    })
}
