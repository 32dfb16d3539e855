//! Jobs that run the new image beside the server's pods, with the same settings. Their environment names Secrets and keys; no
//! value of one stands in a plan.

use serde_json::{Map, Value, json};
use switchback_schemas::{
    HopId,
    inventory::servers::VariableFrom,
    name::{ObjectName, ObjectRef},
    plan::HOP_ANNOTATION,
};

use super::{CHECK_ADDRESS, CHECK_SCHEMA, site::Site};

/// How long a Job that only looks may take, the pulling of its image included.
const LOOKS: u64 = 15 * 60;

/// Variables without a secret of which an observer keeps the value, because a client of the database needs them.
const PLAIN: [&str; 6] =
    ["PGSSLMODE", "PGSSLROOTCERT", "PGSSLCRL", "PGAPPNAME", "AWS_REGION", "AWS_DEFAULT_REGION"];

/// What a Job is for.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// To see that the address leads to the instance, and that nothing else lives there but what is accepted.
    Address {
        /// The instance's host.
        host: String,
        /// Names of accepted databases.
        accepted: Vec<String>,
    },
    /// To migrate. It has no deadline: an end in the middle is what leaves a database half migrated.
    Migrate,
    /// To see that the image accepts the database.
    Schema,
}

impl Task {
    /// Part of the Job's name.
    pub(super) fn part(&self) -> &'static str {
        match self {
            Self::Address { .. } => "address",
            Self::Migrate => "migrate",
            Self::Schema => "schema",
        }
    }

    /// Program and arguments.
    fn words(&self, variable: &str) -> (&'static str, Vec<String>) {
        let python = |script: &str| ["-c", script, variable].map(str::to_owned).to_vec();
        match self {
            Self::Address { host, accepted } => {
                let mut args = python(CHECK_ADDRESS);
                args.push(host.clone());
                args.extend(accepted.iter().cloned());
                ("python", args)
            }
            Self::Migrate => {
                ("mlflow", vec!["db".to_owned(), "upgrade".to_owned(), format!("$({variable})")])
            }
            Self::Schema => ("python", python(CHECK_SCHEMA)),
        }
    }
}

/// A Job as an object reference.
pub(super) fn reference(site: &Site, name: &str) -> ObjectRef {
    let name = ObjectName { namespace: site.object.namespace.clone(), name: name.to_owned() };
    ObjectRef::new("batch/v1", "Job", &name)
}

/// The Job itself.
pub(super) fn object(site: &Site, image: &str, hop: &HopId, name: &str, task: &Task) -> Value {
    let make = &site.server.pods;
    let settings = &site.settings;
    let (program, args) = task.words(&site.variable);
    let mut container = json!({
        "name": "mlflow",
        "image": image,
        // An image's own entry point may be the server: what runs is said, not only its arguments.
        "command": [program],
        "args": args,
        // The end of its log becomes its message: so what went wrong can be read where its failure is seen.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    fill(&mut container, "env", list(environment(site)));
    let sources = settings.env_from_config_maps.iter().map(|name| json!({"configMapRef": {"name": name}}));
    let sources =
        sources.chain(settings.env_from_secrets.iter().map(|name| json!({"secretRef": {"name": name}})));
    fill(&mut container, "envFrom", list(sources.collect()));
    fill(&mut container, "resources", settings.resources.clone());
    fill(&mut container, "securityContext", settings.security_context.clone());
    let has = |mount: &&Value| make.volumes.iter().any(|volume| volume.get("name") == mount.get("name"));
    fill(&mut container, "volumeMounts", list(settings.mounts.iter().filter(has).cloned().collect()));

    let mut pod = json!({"restartPolicy": "Never", "containers": [container]});
    fill(
        &mut pod,
        "serviceAccountName",
        site.server.service_account.clone().map_or(Value::Null, Value::from),
    );
    let pull = make.image_pull_secrets.iter().map(|name| json!({"name": name}));
    fill(&mut pod, "imagePullSecrets", list(pull.collect()));
    fill(&mut pod, "nodeSelector", json!(make.node_selector));
    fill(&mut pod, "tolerations", list(make.tolerations.clone()));
    fill(&mut pod, "securityContext", make.security_context.clone());
    fill(&mut pod, "volumes", list(make.volumes.clone()));

    // None of the server's own labels: a Service must not send calls here, and the Deployment must not take the pod for its own.
    let labels = json!({"app.kubernetes.io/managed-by": "switchback"});
    let mut spec = json!({
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "template": {"metadata": {"labels": labels.clone()}, "spec": pod},
    });
    if !matches!(task, Task::Migrate) {
        fill(&mut spec, "activeDeadlineSeconds", json!(LOOKS));
    }
    let mut metadata =
        json!({"name": name, "labels": labels, "annotations": {HOP_ANNOTATION: hop.to_string()}});
    fill(&mut metadata, "namespace", site.object.namespace.clone().map_or(Value::Null, Value::from));
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
}

/// The container's variables by their sources. A value that stands in the Deployment itself is not known here, but for a few.
fn environment(site: &Site) -> Vec<Value> {
    let of = |(name, from): (&String, &VariableFrom)| match from {
        VariableFrom::Secret { name: secret, key } => {
            Some(json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}))
        }
        VariableFrom::ConfigMap { name: map, key } => {
            Some(json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": map, "key": key}}}))
        }
        VariableFrom::Text(text) if PLAIN.contains(&name.as_str()) && !text.is_empty() => {
            Some(json!({"name": name, "value": text}))
        }
        VariableFrom::Text(_) | VariableFrom::Other {} => None,
    };
    site.settings.env.iter().filter_map(of).collect()
}

fn list(items: Vec<Value>) -> Value {
    if items.is_empty() { Value::Null } else { Value::Array(items) }
}

/// Sets a field that has something to say.
fn fill(object: &mut Value, field: &str, value: Value) {
    let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
    if let Some(fields) = object.as_object_mut().filter(|_| !empty) {
        fields.insert(field.to_owned(), value);
    }
}
