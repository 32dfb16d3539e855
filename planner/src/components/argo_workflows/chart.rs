//! What a chart renders: the controller, the server, their images and settings, and the hook that applies CRDs.

use serde_json::Value;
use switchback_schemas::{
    lock::Hook,
    name::{ObjectName, ObjectRef},
};

use crate::objects::text;

/// Names of images, whatever registry they come from.
const CONTROLLER: &str = "workflow-controller";
const SERVER: &str = "argocli";

/// What the name of the hook's Job ends with.
const HOOK: &str = "crd-install";

/// A container of a rendered Deployment.
#[derive(Clone, Debug)]
pub(super) struct Program<'a> {
    /// The Deployment.
    pub(super) object: ObjectRef,
    /// Its place among the containers.
    pub(super) index: usize,
    /// Its image.
    pub(super) image: &'a str,
    container: &'a Value,
    deployment: &'a Value,
}

impl<'a> Program<'a> {
    /// The value of an argument: the one after its name, or behind `=`.
    pub(super) fn argument(&self, name: &str) -> Option<&'a str> {
        let args = self.container.get("args").and_then(Value::as_array)?;
        let mut args = args.iter().filter_map(Value::as_str);
        while let Some(arg) = args.next() {
            if arg == name {
                return args.next();
            }
            if let Some(value) = arg.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
                return Some(value);
            }
        }
        None
    }

    /// Whether replicas elect a leader, so that a second one does nothing.
    pub(super) fn elects(&self) -> bool {
        let env = self.container.get("env").and_then(Value::as_array).into_iter().flatten();
        let off = |variable: &Value| {
            text(variable, "/name") == Some("LEADER_ELECTION_DISABLE")
                && text(variable, "/value") == Some("true")
        };
        !env.into_iter().any(off)
    }

    /// How many pods are wanted.
    pub(super) fn replicas(&self) -> u64 {
        self.deployment.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1)
    }

    /// Whether old pods are gone before new ones start.
    pub(super) fn recreates(&self) -> bool {
        text(self.deployment, "/spec/strategy/type") == Some("Recreate")
    }
}

/// The workflow controller of a release.
pub(super) fn controller<'a>(objects: &'a [Value], release: &ObjectName) -> Option<Program<'a>> {
    program(objects, release, CONTROLLER)
}

/// The server of a release; a chart may leave it out.
pub(super) fn server<'a>(objects: &'a [Value], release: &ObjectName) -> Option<Program<'a>> {
    program(objects, release, SERVER)
}

fn program<'a>(objects: &'a [Value], release: &ObjectName, wanted: &str) -> Option<Program<'a>> {
    let deployments = objects.iter().filter(|object| text(object, "/kind") == Some("Deployment"));
    deployments.into_iter().find_map(|deployment| {
        let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array)?;
        let (index, container) = containers
            .iter()
            .enumerate()
            .find(|(_, container)| text(container, "/image").is_some_and(|image| name_of(image) == wanted))?;
        // A chart may leave the namespace to Helm.
        let namespace = text(deployment, "/metadata/namespace").map(str::to_owned);
        let name = ObjectName {
            namespace: namespace.or_else(|| release.namespace.clone()),
            name: text(deployment, "/metadata/name")?.to_owned(),
        };
        let object = ObjectRef::new("apps/v1", "Deployment", &name);
        Some(Program { object, index, image: text(container, "/image")?, container, deployment })
    })
}

/// The last part of an image's repository.
fn name_of(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

/// The Job that applies CRDs before an upgrade.
pub(super) fn hook(hooks: &[Hook]) -> Option<&Value> {
    let objects = hooks.iter().map(|hook| &hook.object);
    let jobs = objects.filter(|object| text(object, "/kind") == Some("Job"));
    jobs.into_iter().find(|job| text(job, "/metadata/name").is_some_and(|name| name.ends_with(HOOK)))
}

/// The settings that a chart gives its controller: the YAML of its ConfigMap. None where it gives none, or one that cannot be read.
pub(super) fn settings(objects: &[Value], config_map: &str) -> Option<Value> {
    let of_name = |object: &&Value| {
        text(object, "/kind") == Some("ConfigMap") && text(object, "/metadata/name") == Some(config_map)
    };
    let data = objects.iter().find(of_name)?.get("data")?;
    let yaml = |field: &str| -> Option<Option<Value>> {
        let text = data.get(field).map(|text| text.as_str().unwrap_or_default());
        text.map(|text| serde_yaml::from_str(text).ok()).map_or(Some(None), |read| read.map(Some))
    };
    match yaml("config")? {
        Some(whole) => Some(whole),
        // Older charts write each setting under a key of its own.
        None => Some(
            serde_json::json!({"persistence": yaml("persistence")?, "instanceID": data.get("instanceID")}),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_controller_is_known_by_its_image() {
        let release = ObjectName::namespaced("argo", "flows");
        let deployment = json!({"kind": "Deployment", "metadata": {"name": "flows-workflow-controller"}, "spec": {
            "strategy": {"type": "Recreate"}, "template": {"spec": {"containers": [
                {"image": "sidecar:1"},
                {"image": "registry:5000/argoproj/workflow-controller:v4.0.6@sha256:00",
                    "args": ["--configmap", "settings", "--executor-image=argoexec:v4.0.6"],
                    "env": [{"name": "LEADER_ELECTION_DISABLE", "value": "true"}]}]}}}});
        let objects = [deployment];
        let found = controller(&objects, &release).expect("it is there");
        assert_eq!(
            (found.index, found.object.to_string().as_str()),
            (1, "Deployment argo/flows-workflow-controller")
        );
        assert_eq!(found.argument("--configmap"), Some("settings"));
        assert_eq!(found.argument("--executor-image"), Some("argoexec:v4.0.6"));
        assert!(found.recreates() && !found.elects());
        assert!(server(&objects, &release).is_none());
    }

    #[test]
    fn settings_are_read_in_both_shapes() {
        let map =
            |data: Value| [json!({"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data})];
        let database = |objects: &[Value]| {
            settings(objects, "settings").and_then(|found| found.pointer("/persistence/archive").cloned())
        };
        assert_eq!(database(&map(json!({"config": "persistence:\n  archive: true\n"}))), Some(json!(true)));
        assert_eq!(database(&map(json!({"persistence": "archive: true\n"}))), Some(json!(true)));
        assert_eq!(database(&map(json!({"config": "parallelism: 5\n"}))), None);
        assert_eq!(settings(&[], "settings"), None);
    }
}
