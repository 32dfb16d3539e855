//! The small platform with a server of MLflow and its instance.

use serde_json::{Value, json};
use switchback_schemas::{
    ComponentName,
    inventory::{Container, Inventory, OwnerEvidence, Ownership, Workload},
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
};

use crate::world::inventory;

pub(crate) const OLD: &str = "ghcr.io/mlflow/mlflow:v3.8.0";

pub(crate) const PLATFORM: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {name: mlops-platform-dev}
spec:
  targets:
    main: {cluster: {}}
    runs: {database: {rds: {instance: mlops-platform-dev-mlflow, region: eu-central-1, account: '111122223333'}}}
";

pub(crate) const MLFLOW: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: MlflowUpgrade
metadata: {name: mlflow}
spec:
  target: main
  database: runs
  deployment: {namespace: mlops, name: mlflow}
  container: mlflow
  to: '3.18.0'
  image: 'ghcr.io/mlflow/mlflow:v3.18.0'
  url: http://mlflow.mlops.svc:5000
  outage: {because: 'ada, SRE-12: training is paused'}
";

fn server() -> Value {
    let secret = |key: &str| json!({"secret": {"name": "mlflow-db", "key": key}});
    json!({
        "deployment": {"namespace": "mlops", "name": "mlflow"},
        "strategy": "RollingUpdate",
        "serviceAccount": "mlflow",
        "services": ["mlflow.mlops"],
        "autoscalers": [{"name": "mlflow", "min": 2}],
        "pods": {
            "labels": {"app": "mlflow"},
            "imagePullSecrets": ["registry"],
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "securityContext": {"runAsNonRoot": true},
            "volumes": [{"name": "rds-ca", "configMap": {"name": "rds-ca"}}],
        },
        "containers": {"mlflow": {
            "env": {
                "MLFLOW_BACKEND_STORE_URI": secret("uri"),
                "PGSSLMODE": {"text": "verify-full"},
                "ARTIFACTS": {"text": "s3://artifacts"},
                "POD_IP": {"other": {}},
            },
            "options": {"backend-store-uri": "$(MLFLOW_BACKEND_STORE_URI)", "host": ""},
            "mounts": [{"name": "rds-ca", "mountPath": "/certs"}, {"name": "data", "mountPath": "/data"}],
            "securityContext": {"allowPrivilegeEscalation": false},
        }},
    })
}

fn instance() -> Value {
    json!({
        "arn": "arn:aws:rds:eu-central-1:111122223333:db:mlops-platform-dev-mlflow",
        "resourceId": "db-ABC", "status": "available", "engine": "postgres", "engineVersion": "16.4",
        "class": "db.m6g.large", "storage": 100,
        "endpoint": "mlops-platform-dev-mlflow.c0ffee.eu-central-1.rds.amazonaws.com:5432",
        "database": "mlflow", "multiAz": true, "deletionProtection": true,
    })
}

fn logger(kind: &str, name: &str, pods: u64, server: &str) -> Value {
    json!({"workload": {"apiVersion": "batch/v1", "kind": kind, "namespace": "ml", "name": name},
           "pods": pods, "server": server})
}

/// The small platform with a server of MLflow at 3.8.0 beside it.
pub(crate) fn platform(image: &str) -> Inventory {
    let mut inventory = inventory("1.8.8");
    let object = ObjectRef::new("apps/v1", "Deployment", &ObjectName::namespaced("mlops", "mlflow"));
    inventory.workloads.push(Workload {
        object: object.clone(),
        replicas: 2,
        ready: 2,
        paused: false,
        survives: None,
        labels: std::collections::BTreeMap::new(),
        containers: vec![Container { name: "mlflow".to_owned(), image: image.to_owned() }],
    });
    let evidence =
        vec![OwnerEvidence { owner: OwnerKind::Kubectl, because: "field manager kubectl".to_owned() }];
    inventory.owners.push(Ownership { object, evidence });
    set(
        &mut inventory,
        "mlflow",
        json!({
            "servers": [server()],
            "loggers": [logger("Job", "train", 4, "http://mlflow.mlops.svc:5000"), logger("Job", "tune", 1, "")],
        }),
    );
    set(&mut inventory, "rds", json!({"runs": instance()}));
    inventory
}

pub(crate) fn set(inventory: &mut Inventory, section: &str, value: Value) {
    inventory.components.insert(ComponentName::new(section).expect("a name"), value);
}

/// Changes one value of a section.
pub(crate) fn change(inventory: &mut Inventory, section: &str, pointer: &str, value: Value) {
    let section =
        inventory.components.get_mut(&ComponentName::new(section).expect("a name")).expect("a section");
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
    section.pointer_mut(parent).and_then(Value::as_object_mut).expect(parent).insert(field.to_owned(), value);
}
