//! KServe: a controller that makes Deployments and Services for InferenceServices and says whether they are Ready, and its webhooks.
//!
//! Its behaviour follows kserve/kserve at v0.15.2 and v0.16.0 (`GetDeploymentMode`, `components/predictor.go`,
//! `validateDeploymentMode`); what it promises is listed in this crate's README. It acts only while a pod of its Deployment is ready and holds the
//! lease by which it elects its leader; its webhooks answer while one is ready.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::call::Raw;
use crate::kube::api::pod_ready;
use crate::kube::controllers::soon;
use crate::kube::neighbours::Application;
use crate::world::key::{list, number, set, text};
use crate::world::{Actor, Change, Key, Wakes, World, labels};

mod predictors;
mod runtimes;

pub(crate) const GROUP: &str = "serving.kserve.io";
/// The Deployment of the controller, and the label of its pods.
const CONTROLLER: &str = "kserve-controller-manager";
const CONTROL_PLANE: &str = "control-plane";
/// The lease by which it elects its leader.
const LOCK: &str = "kserve-controller-manager-leader-lock";
/// On everything that it makes for a service.
const OF_SERVICE: &str = "serving.kserve.io/inferenceservice";
/// With which a service asks for a mode.
const MODE: &str = "serving.kserve.io/deploymentMode";
const CONFIG: &str = "inferenceservice-config";
/// The first release with other words for modes.
const RENAMED: [u64; 2] = [0, 16];

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "kserve", notice, act };

/// The key under which it looks at everything.
fn everything() -> Key {
    Key::new(GROUP, "inferenceservices", "", "")
}

fn installed(world: &World) -> bool {
    world.kind(GROUP, "v1beta1", "inferenceservices").is_some()
}

fn notice(world: &World, change: &Change) -> Wakes {
    let key = &change.key;
    let own = labels(&change.object).contains_key(OF_SERVICE);
    let concerns = *key.group == *GROUP
        || key.is("apps", "deployments") && (own || &*key.name == CONTROLLER)
        || key.is("", "configmaps") && &*key.name == CONFIG
        || key.is("coordination.k8s.io", "leases") && &*key.name == LOCK;
    if concerns && installed(world) { vec![(everything(), soon(world))] } else { Vec::new() }
}

fn act(world: &mut World, _: &Key) {
    if !installed(world) {
        return;
    }
    let Some(running) = running(world) else { return };
    if !leads(world, &running) {
        return;
    }
    let services: Vec<Key> =
        world.list(GROUP, "inferenceservices", None).map(|(key, _)| key.clone()).collect();
    for key in services {
        predictors::reconcile(world, &running, &key);
    }
}

/// The controller that runs.
struct Running {
    namespace: String,
    /// Major and minor of its release.
    release: [u64; 2],
    /// Its ready pods.
    pods: Vec<String>,
}

impl Running {
    /// Whether it knows the new words.
    fn renamed(&self) -> bool {
        self.release >= RENAMED
    }

    /// The word of the mode in which it makes Deployments by itself.
    fn raw(&self) -> &'static str {
        if self.renamed() { "Standard" } else { "RawDeployment" }
    }
}

/// Ready pods of the controller, in whatever namespace it is.
fn ready_pods(world: &World) -> Vec<(Key, Value)> {
    let pods = world.list("", "pods", None).filter(|(_, pod)| {
        labels(pod).get(CONTROL_PLANE).and_then(Value::as_str) == Some(CONTROLLER)
            && pod_ready(pod)
            && text(pod, "/metadata/deletionTimestamp").is_empty()
    });
    pods.map(|(key, pod)| (key.clone(), (**pod).clone())).collect()
}

/// The controller that runs, by the newest of its ready pods.
fn running(world: &World) -> Option<Running> {
    let pods = ready_pods(world);
    let release = |pod: &Value| release(text(pod, "/spec/containers/0/image"));
    let newest = pods.iter().filter_map(|(_, pod)| release(pod)).max()?;
    let of_newest = pods.iter().filter(|(_, pod)| release(pod) == Some(newest));
    let (first, _) = of_newest.clone().next()?;
    Some(Running {
        namespace: first.namespace.to_string(),
        release: newest,
        pods: of_newest.map(|(key, _)| key.name.to_string()).collect(),
    })
}

/// Major and minor of an image's tag.
fn release(image: &str) -> Option<[u64; 2]> {
    let (_, tag) = image.rsplit_once(':')?;
    let mut parts = tag.trim_start_matches('v').split('.');
    Some([parts.next()?.parse().ok()?, parts.next()?.parse().ok()?])
}

/// Whether a ready pod of the newest release leads. A lease of nobody, or of a pod that is gone, is taken; one of somebody else is not:
/// that it ends by itself is not played.
fn leads(world: &mut World, running: &Running) -> bool {
    let key = Key::new("coordination.k8s.io", "leases", &running.namespace, LOCK);
    let Some(first) = running.pods.first() else { return false };
    let holder = world.get(&key).map(|lease| text(lease, "/spec/holderIdentity").to_owned());
    let spec = || json!({"holderIdentity": first, "leaseDurationSeconds": 15, "renewTime": null});
    match holder {
        None => {
            let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {}, "spec": spec()});
            world.create(key, lease);
            true
        }
        Some(holder) if running.pods.contains(&holder) => true,
        Some(holder) => {
            let pod = Key::core("pods", &running.namespace, &holder);
            let of_ours = holder.starts_with(CONTROLLER);
            let free = holder.is_empty() || of_ours && world.get(&pod).is_none_or(|pod| !pod_ready(pod));
            if free {
                world.modify(&key, |lease| {
                    set(lease, &["spec", "holderIdentity"], first.clone().into());
                    set(lease, &["spec", "leaseDurationSeconds"], 15.into());
                });
            }
            free
        }
    }
}

/// KServe as the cluster knows it.
#[derive(Debug)]
pub(crate) struct Kserve;

impl Application for Kserve {
    fn start(&self, _: &mut World, _: &Key, _: &Value) -> Result<(), String> {
        Ok(())
    }

    fn runs_for(&self, _: &World, _: &Value) -> Option<SignedDuration> {
        None
    }

    fn completes(&self, _: &mut World, _: &Key, _: &Value) -> Option<(i64, String)> {
        None
    }

    /// A model server answers whether its model is loaded, and what it predicts.
    fn answer(&self, _: &mut World, _: &Key, pod: &Value, method: &str, path: &str) -> Option<Raw> {
        let labels = labels(pod);
        let name = labels.get(OF_SERVICE)?.as_str()?;
        let body = match (method, path) {
            ("GET", "/openai/v1/models") => {
                json!({"object": "list", "data": [{"id": name, "object": "model"}]})
            }
            ("GET", _)
                if path == format!("/v1/models/{name}") || path == format!("/v2/models/{name}/ready") =>
            {
                json!({"name": name, "ready": true})
            }
            ("POST", _) if path == format!("/v1/models/{name}:predict") => json!({"predictions": [1]}),
            ("POST", _) if path == format!("/v2/models/{name}/infer") => {
                json!({"model_name": name, "outputs": [{"name": "output-0", "datatype": "INT32", "data": [1]}]})
            }
            ("POST", "/openai/v1/chat/completions") => {
                json!({"object": "chat.completion", "model": name,
                    "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}}]})
            }
            _ => return Some(raw(404, &json!({"error": format!("Model with path {path} does not exist.")}))),
        };
        Some(raw(200, &body))
    }

    /// The pod webhook fails closed, an annotation of a mode has to be that of the status, and two runtimes are not of one priority.
    fn admit(&self, world: &World, key: &Key, old: Option<&Value>, new: &Value) -> Result<(), String> {
        if key.is("", "pods") && old.is_none() && labels(new).contains_key(OF_SERVICE) {
            let configured =
                configured(world, "mutatingwebhookconfigurations", "inferenceservice.serving.kserve.io");
            if configured && ready_pods(world).is_empty() {
                return Err("failed calling webhook \"inferenceservice.kserve-webhook-server.pod-mutator\": no endpoints available for service \"kserve-webhook-server-service\"".to_owned());
            }
        }
        runtimes::admit(world, key, new)?;
        let Some(old) = old.filter(|_| key.is(GROUP, "inferenceservices")) else { return Ok(()) };
        if !configured(world, "validatingwebhookconfigurations", "inferenceservice.serving.kserve.io") {
            return Ok(());
        }
        let seen = text(old, "/status/deploymentMode");
        let asked = new.pointer("/metadata/annotations").and_then(|all| all.get(MODE)?.as_str());
        match asked {
            Some(asked) if !seen.is_empty() && asked != seen => Err(format!(
                "admission webhook \"inferenceservice.kserve-webhook-server.validator\" denied the request: update rejected: deploymentMode cannot be changed from '{seen}' to '{asked}'"
            )),
            _ => Ok(()),
        }
    }
}

fn configured(world: &World, resource: &str, name: &str) -> bool {
    world.get(&Key::new("admissionregistration.k8s.io", resource, "", name)).is_some()
}

fn raw(code: u16, body: &Value) -> Raw {
    Raw { code, content_type: "application/json", headers: Vec::new(), body: body.to_string() }
}
