//! MLflow: what its start depends on, what a migration changes, and what a restore brings back.

use serde_json::{Value, json};
use switchback_twin::Key;

use crate::scene::{CLUSTER, Scene};

const SERVICE: &str = "/api/v1/namespaces/mlops/services/mlflow:5000/proxy";
const DB: &str = "mlops-platform-dev-mlflow";

fn server() -> Key {
    Key::new("apps", "deployments", "mlops", "mlflow")
}

async fn ask(scene: &Scene, path: &str) -> (u16, String) {
    scene.kube(&format!("{SERVICE}{path}"), None).await
}

fn revision(scene: &Scene) -> String {
    scene.twin.snapshot().cloud().rds.instances[DB].databases["mlflow"].revision.clone()
}

fn set_image(scene: &Scene, release: &str, replicas: u32) {
    scene.twin.with(|w| {
        w.modify(&server(), |d| {
            d["spec"]["replicas"] = json!(replicas);
            d["spec"]["template"]["spec"]["containers"][0]["image"] =
                json!(format!("ghcr.io/mlflow/mlflow:{release}"));
        })
    });
    scene.minutes(2);
}

fn ready(scene: &Scene) -> i64 {
    scene.twin.snapshot().get(&server()).unwrap()["status"]["readyReplicas"].as_i64().unwrap_or(0)
}

/// Runs a Job of an image; whether it succeeded, and the line that it left.
fn job(scene: &Scene, name: &str, release: &str, args: &Value) -> (bool, String) {
    let key = Key::new("batch", "jobs", "mlops", name);
    let object = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "mlops"},
        "spec": {"backoffLimit": 0, "completions": 1, "parallelism": 1, "template": {"metadata": {"labels": {"job": name}}, "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "mlflow", "image": format!("ghcr.io/mlflow/mlflow:{release}"), "args": args,
                "env": [{"name": "MLFLOW_BACKEND_STORE_URI", "valueFrom": {"secretKeyRef": {"name": "mlflow-db", "key": "uri"}}}]}],
        }}},
    });
    scene.twin.with(|w| w.create(key.clone(), object));
    scene.minutes(3);
    let world = scene.twin.snapshot();
    let done = &world.get(&key).unwrap()["status"]["conditions"];
    let good = done.as_array().is_some_and(|all| all.iter().any(|c| c["type"] == "Complete"));
    let (_, pod) =
        world.list("", "pods", Some("mlops")).find(|(k, _)| k.name.starts_with(&format!("{name}-"))).unwrap();
    let line = pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"].as_str();
    (good, line.unwrap_or_default().to_owned())
}

fn migrate(scene: &Scene, name: &str, release: &str) -> (bool, String) {
    job(scene, name, release, &json!(["mlflow", "db", "upgrade", "$(MLFLOW_BACKEND_STORE_URI)"]))
}

fn check(scene: &Scene, name: &str, release: &str) -> (bool, String) {
    job(
        scene,
        name,
        release,
        &json!(["python", "-c", "utils._verify_schema(engine)", "MLFLOW_BACKEND_STORE_URI"]),
    )
}

#[tokio::test]
async fn a_server_answers_through_the_proxy() {
    let scene = Scene::new().await;
    assert_eq!(ask(&scene, "/health").await, (200, "OK".into()));
    assert_eq!(ask(&scene, "/version").await, (200, "3.8.0".into()));
    let (status, text) = ask(&scene, "/api/2.0/mlflow/experiments/search?max_results=1").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("experiment-0"));
    assert_eq!(ask(&scene, "/graphql").await.0, 501);
    assert_eq!(scene.kube("/api/v1/namespaces/mlops/services/mlflow:81/proxy/health", None).await.0, 503);
    set_image(&scene, "v3.8.0", 0);
    assert_eq!(ask(&scene, "/health").await.0, 503, "nobody is there");
}

#[tokio::test]
async fn the_order_that_works() {
    let scene = Scene::new().await;
    let host = format!("{DB}.c0twin.eu-west-1.rds.amazonaws.com");
    let address = |accepted: &[&str]| {
        let mut args =
            json!(["python", "-c", "SELECT datname FROM pg_database", "MLFLOW_BACKEND_STORE_URI", host]);
        args.as_array_mut().unwrap().extend(accepted.iter().map(|a| json!(a)));
        args
    };
    let (good, line) = job(&scene, "address", "v3.17.2", &address(&[]));
    assert!(!good, "{line}");
    assert!(line.contains("grafana"), "{line}");
    assert!(job(&scene, "address-2", "v3.17.2", &address(&["grafana"])).0);
    set_image(&scene, "v3.8.0", 0);
    assert!(check(&scene, "check-old", "v3.8.0").0);
    let (good, line) = check(&scene, "check-new", "v3.17.2");
    assert!(!good, "{line}");
    assert!(line.contains("older than the head dc11669786a5"), "{line}");
    let (good, line) = migrate(&scene, "migrate", "v3.17.2");
    assert!(good, "{line}");
    assert_eq!(revision(&scene), "dc11669786a5");
    assert!(migrate(&scene, "migrate-again", "v3.17.2").0, "nothing to do is no error");
    assert!(check(&scene, "check", "v3.17.2").0);
    set_image(&scene, "v3.17.2", 2);
    assert_eq!(ready(&scene), 2);
    assert_eq!(ask(&scene, "/version").await.1, "3.17.2");
    let (good, line) = migrate(&scene, "back", "v3.8.0");
    assert!(!good, "{line}");
    assert!(line.contains("Can't locate revision"), "{line}");
    let (good, line) = job(&scene, "bare", "v3.17.2", &json!(["mlflow", "db", "upgrade"]));
    assert!(!good, "{line}");
    assert!(line.contains("Missing argument"), "{line}");
}

#[tokio::test]
async fn a_new_image_migrates_silently_and_the_old_one_then_crashes() {
    let scene = Scene::new().await;
    set_image(&scene, "v3.17.2", 2);
    assert_eq!((revision(&scene).as_str(), ready(&scene)), ("dc11669786a5", 2), "nobody ran a migration");
    set_image(&scene, "v3.8.0", 0);
    set_image(&scene, "v3.8.0", 1);
    assert_eq!(ready(&scene), 0);
    let world = scene.twin.snapshot();
    let (_, pod) =
        world.list("", "pods", Some("mlops")).find(|(k, _)| k.name.starts_with("mlflow-")).unwrap();
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!(status["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert!(status["restartCount"].as_i64().unwrap() > 1);
    assert!(status["lastState"]["terminated"]["message"].as_str().unwrap().contains("Can't locate revision"));
}

#[tokio::test]
async fn a_release_in_between_refuses() {
    let scene = Scene::new().await;
    set_image(&scene, "v3.10.0", 0);
    set_image(&scene, "v3.10.0", 1);
    assert_eq!((ready(&scene), revision(&scene).as_str()), (0, "1bd49d398cd23"));
    assert!(migrate(&scene, "migrate", "v3.10.0").0);
    scene.minutes(1);
    assert_eq!(ready(&scene), 1, "the next start finds what it expects");
}

#[tokio::test]
async fn health_says_nothing_about_the_database() {
    let scene = Scene::new().await;
    scene
        .form(
            "rds",
            "ModifyDBInstance",
            &[
                ("DBInstanceIdentifier", DB),
                ("NewDBInstanceIdentifier", "aside"),
                ("ApplyImmediately", "true"),
            ],
        )
        .await;
    scene.minutes(3);
    assert_eq!(ask(&scene, "/health").await.0, 200);
    assert_eq!(ask(&scene, "/api/2.0/mlflow/experiments/search").await.0, 500);
    set_image(&scene, "v3.8.0", 0);
    set_image(&scene, "v3.8.0", 1);
    assert_eq!(ready(&scene), 0, "a new pod finds no database");
    scene
        .form(
            "rds",
            "ModifyDBInstance",
            &[
                ("DBInstanceIdentifier", "aside"),
                ("NewDBInstanceIdentifier", DB),
                ("ApplyImmediately", "true"),
            ],
        )
        .await;
    scene.minutes(4);
    assert_eq!(ready(&scene), 1);
    let cluster = scene.get(&format!("/clusters/{CLUSTER}")).await;
    assert_eq!(cluster["cluster"]["endpoint"], scene.root());
}
