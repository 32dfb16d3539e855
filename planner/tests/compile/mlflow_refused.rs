//! What is refused of an MLflow upgrade, and in which words.

use serde_json::json;
use switchback_schemas::{Diagnostic, Severity, inventory::Inventory};

use crate::{
    world::compiled,
    world_mlflow::{MLFLOW, OLD, PLATFORM, change, platform, set},
};

fn refused(mlflow: &str, inventory: &Inventory) -> String {
    let (plan, diagnostics) = compiled(&[("p.yaml", PLATFORM), ("m.yaml", mlflow)], inventory, &[]);
    assert!(plan.is_none(), "it was compiled");
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    errors.map(told).collect::<Vec<_>>().join("\n")
}

fn told(diagnostic: &Diagnostic) -> String {
    format!(
        "{} {}\n  help: {}\n",
        diagnostic.code,
        diagnostic.message,
        diagnostic.help.as_deref().unwrap_or("none")
    )
}

#[test]
fn refusals_read_like_this() {
    let mut cases = Vec::new();
    let mut case = |name: &str, mlflow: &str, edit: &dyn Fn(&mut Inventory)| {
        let mut inventory = platform(OLD);
        edit(&mut inventory);
        cases.push(format!("{name}\n{}", refused(mlflow, &inventory)));
    };
    let nothing = |_: &mut Inventory| {};
    case("nobody accepted the outage", &MLFLOW.replace("outage:", "# outage:"), &nothing);
    case("a target between two heads", &MLFLOW.replace("3.18.0", "2.13.1"), &|inventory| {
        inventory.workloads.last_mut().expect("mlflow").containers[0].image = "mlflow:2.12.1".to_owned();
    });
    case("a target newer than the catalog", &MLFLOW.replace("3.18.0", "3.19.0"), &nothing);
    case("a target below what is there", &MLFLOW.replace("3.18.0", "3.5.0"), &nothing);
    case("an image of another version", &MLFLOW.replace("mlflow:v3.18.0", "mlflow:v3.17.0"), &nothing);
    case(
        "no such Deployment",
        &MLFLOW.replace("name: mlflow}\n  container", "name: flow}\n  container"),
        &nothing,
    );
    case("no such container", &MLFLOW.replace("container: mlflow", "container: server"), &nothing);
    case("nothing was observed", MLFLOW, &|inventory| inventory.components.clear());
    case(
        "another variable",
        &MLFLOW.replace("  url:", "  uriVariable: DATABASE_URL\n  url:"),
        &|inventory| {
            change(inventory, "mlflow", "/servers/0/containers/mlflow/options", json!({}));
        },
    );
    case("an option that names another variable", MLFLOW, &|inventory| {
        let options = "/servers/0/containers/mlflow/options/backend-store-uri";
        change(inventory, "mlflow", options, json!("$(DATABASE_URL)"));
    });
    case("an address on the command line", MLFLOW, &|inventory| {
        let options = "/servers/0/containers/mlflow/options/backend-store-uri";
        change(inventory, "mlflow", options, json!("postgresql://db/mlflow"));
    });
    case("an address in the Deployment", MLFLOW, &|inventory| {
        let variable = "/servers/0/containers/mlflow/env/MLFLOW_BACKEND_STORE_URI";
        change(inventory, "mlflow", variable, json!({"text": "postgresql://db/mlflow"}));
    });
    case("an address in a ConfigMap", MLFLOW, &|inventory| {
        let variable = "/servers/0/containers/mlflow/env/MLFLOW_BACKEND_STORE_URI";
        change(inventory, "mlflow", variable, json!({"configMap": {"name": "settings", "key": "uri"}}));
    });
    case("KEDA above the autoscaler", MLFLOW, &|inventory| {
        let above = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "namespace": "mlops", "name": "mlflow"});
        change(inventory, "mlflow", "/servers/0/autoscalers/0/controller", above);
    });
    case("an autoscaler from 0", MLFLOW, &|inventory| {
        change(inventory, "mlflow", "/servers/0/autoscalers/0/min", json!(0));
    });
    case("a server that is away already", MLFLOW, &|inventory| {
        inventory.workloads.last_mut().expect("mlflow").replicas = 0;
    });
    case("probes of another server", &MLFLOW.replace("mlflow.mlops.svc", "tracking.mlops.svc"), &nothing);
    case("an instance that nobody observed", MLFLOW, &|inventory| set(inventory, "rds", json!({})));
    case("a member of Aurora", MLFLOW, &|inventory| {
        change(inventory, "rds", "/runs/cluster", json!("mlops"));
    });
    case("an instance that is not available", MLFLOW, &|inventory| {
        change(inventory, "rds", "/runs/status", json!("modifying"));
    });
    case("another database that nobody accepted", MLFLOW, &|inventory| {
        let user = |name: &str, database: &str| {
            json!({"workload": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ops", "name": name},
                "host": "mlops-platform-dev-mlflow.c0ffee.eu-central-1.rds.amazonaws.com", "database": database})
        };
        change(inventory, "mlflow", "/databases", json!([user("grafana", "grafana"), user("argo", "")]));
    });
    case("a database that is no target", &MLFLOW.replace("database: runs", "database: run"), &nothing);
    case(
        "a cluster where a database is needed",
        &MLFLOW.replace("database: runs", "database: main"),
        &nothing,
    );
    insta::assert_snapshot!(cases.join("\n"));
}
