//! The small world of Argo Workflows: what it starts as, and how controller, schedules and pods react in it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use switchback_twin::{Key, Twin, World};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const GROUP: &str = "argoproj.io";

fn small() -> Twin {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/argo-small.yaml");
    Twin::new(World::open(&path).unwrap())
}

fn workflow(name: &str) -> Key {
    Key::new(GROUP, "workflows", "ml", name)
}

fn cron(name: &str) -> Key {
    Key::new(GROUP, "cronworkflows", "ml", name)
}

fn phase(twin: &Twin, key: &Key) -> String {
    twin.with(|world| {
        let object = world.get(key).unwrap_or_else(|| panic!("{key:?} is gone"));
        object["status"]["phase"].as_str().unwrap_or_default().to_owned()
    })
}

fn pods(twin: &Twin) -> Vec<String> {
    twin.with(|world| world.list("", "pods", Some("ml")).map(|(key, _)| key.name.to_string()).collect())
}

fn started(twin: &Twin, by: &str) -> usize {
    twin.with(|world| {
        let own = |object: &Value| object["metadata"]["labels"]["workflows.argoproj.io/cron-workflow"] == by;
        world.list(GROUP, "workflows", Some("ml")).filter(|(_, object)| own(object)).count()
    })
}

fn set(twin: &Twin, key: &Key, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    twin.with(|world| {
        assert!(world.modify(key, |object| {
            object.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(field.to_owned(), value);
        }));
    });
}

fn controller() -> Key {
    Key::new("apps", "deployments", "argo", "argo-workflows-workflow-controller")
}

#[test]
fn steps_follow_each_other_and_a_workflow_ends() {
    let twin = small();
    assert_eq!(phase(&twin, &workflow("train-7b")), "Running");
    assert_eq!(pods(&twin), ["train-7b-prepare"]);
    twin.advance_by(12 * MINUTE);
    assert_eq!(pods(&twin), ["train-7b-prepare", "train-7b-train"]);
    twin.advance_by(10 * MINUTE);
    assert_eq!(phase(&twin, &workflow("train-7b")), "Succeeded");
    let label = |key: Key| {
        twin.with(|w| w.get(&key).unwrap()["metadata"]["labels"]["workflows.argoproj.io/completed"].clone())
    };
    assert_eq!(label(workflow("train-7b")), "true");
    assert_eq!(label(Key::core("pods", "ml", "train-7b-train")), "true");
}

#[test]
fn pods_end_without_a_controller_and_nothing_follows_them() {
    let twin = small();
    set(&twin, &controller(), "/spec/replicas", json!(0));
    twin.advance_by(HOUR);
    let prepared = twin
        .with(|w| w.get(&Key::core("pods", "ml", "train-7b-prepare")).unwrap()["status"]["phase"].clone());
    assert_eq!(prepared, "Succeeded");
    assert_eq!((phase(&twin, &workflow("train-7b")).as_str(), pods(&twin).len()), ("Running", 1));
    set(&twin, &controller(), "/spec/replicas", json!(1));
    twin.advance_by(10 * MINUTE);
    assert_eq!(phase(&twin, &workflow("train-7b")), "Succeeded");
}

#[test]
fn a_suspended_workflow_starts_no_pod_until_it_is_resumed() {
    let twin = small();
    set(&twin, &workflow("train-7b"), "/spec/suspend", json!(true));
    twin.advance_by(HOUR);
    assert_eq!((phase(&twin, &workflow("train-7b")).as_str(), pods(&twin).len()), ("Running", 1));
    set(&twin, &workflow("train-7b"), "/spec/suspend", json!(null));
    twin.advance_by(10 * MINUTE);
    assert_eq!(phase(&twin, &workflow("train-7b")), "Succeeded");
}

#[test]
fn a_wait_needs_no_pod_and_what_is_not_played_is_said() {
    let twin = small();
    let create = |name: &str, template: Value| {
        let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "spec": {"entrypoint": "main", "templates": [template]}});
        twin.with(|world| world.create(workflow(name), object));
    };
    create("wait", json!({"name": "main", "suspend": {"duration": "30"}}));
    create("odd", json!({"name": "main", "script": {"image": "x"}}));
    twin.advance_by(Duration::from_secs(20));
    assert_eq!(phase(&twin, &workflow("wait")), "Running");
    assert_eq!(phase(&twin, &workflow("odd")), "Error");
    twin.advance_by(Duration::from_secs(20));
    assert_eq!(phase(&twin, &workflow("wait")), "Succeeded");
    assert_eq!(pods(&twin).len(), 1, "that of the world");
}

#[test]
fn schedules_start_workflows_unless_they_are_suspended() {
    let twin = small();
    assert_eq!((started(&twin, "nightly"), started(&twin, "paused")), (0, 0));
    // It is ten o'clock.
    twin.advance_by(17 * HOUR);
    assert_eq!((started(&twin, "nightly"), started(&twin, "paused")), (1, 0));
    set(&twin, &cron("paused"), "/spec/suspend", json!(false));
    twin.advance_by(31 * MINUTE);
    assert_eq!(started(&twin, "paused"), 4, "the last three of them, and the one that runs or is next");
}

#[test]
fn the_last_schedule_that_was_missed_is_made_up_while_its_deadline_lasts() {
    for (deadline, made_up) in [(json!(601), 1), (json!(60), 0), (json!(null), 1)] {
        let twin = small();
        set(&twin, &cron("nightly"), "/spec/startingDeadlineSeconds", deadline.clone());
        set(&twin, &cron("nightly"), "/spec/schedules", json!(["30 * * * *"]));
        twin.advance_by(HOUR + MINUTE);
        assert_eq!(started(&twin, "nightly"), 1);
        set(&twin, &cron("nightly"), "/spec/suspend", json!(true));
        twin.advance_by(HOUR + 34 * MINUTE);
        set(&twin, &cron("nightly"), "/spec/suspend", json!(null));
        twin.advance_by(MINUTE);
        // Two were missed; it was resumed five minutes after the second.
        assert_eq!(started(&twin, "nightly"), 1 + made_up, "{deadline}");
    }
}

/// Controllers from 3.5.5 to 3.5.10 wait for what older executors never say.
#[test]
fn pods_of_an_old_executor_strand_their_workflow() {
    let twin = small();
    let container = "/spec/template/spec/containers/0";
    let to = |version: &str| {
        set(
            &twin,
            &controller(),
            &format!("{container}/image"),
            json!(format!("quay.io/argoproj/workflow-controller:{version}")),
        );
        let args = json!(["--executor-image", format!("quay.io/argoproj/argoexec:{version}")]);
        set(&twin, &controller(), &format!("{container}/args"), args);
        twin.advance_by(MINUTE);
    };
    to("v3.5.0");
    let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"annotations": {"twin.switchback.dev/run-seconds": "300"}},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "x"}}]}});
    twin.with(|world| world.create(workflow("old"), object));
    twin.advance_by(MINUTE);
    to("v3.5.10");
    twin.advance_by(HOUR);
    assert_eq!(phase(&twin, &workflow("old")), "Running", "for ever");
    to("v3.5.11");
    twin.advance_by(MINUTE);
    assert_eq!(phase(&twin, &workflow("old")), "Succeeded");
}
