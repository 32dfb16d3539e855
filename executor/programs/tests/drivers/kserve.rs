//! The small KServe platform of the fixtures, as drivers and the observer see it.

use std::time::Duration;

use serde_json::Value;
use switchback_executor::ports::{Capturing, Kube as _};
use switchback_kube::{KubeDriver, Observing, observe};
use switchback_schemas::{
    inventory::kserve::Kserve,
    name::ObjectName,
    plan::{Find, KubeCapture, KubeEffect, KubeRestore},
};
use switchback_twin::{DeleteOptions, Key, Twin, World};

use crate::scene::{call, charts, done};

const GROUP: &str = "serving.kserve.io";

fn platform() -> Twin {
    Twin::new(World::open(&charts().join("../worlds/kserve-small.yaml")).unwrap())
}

fn client(twin: &Twin) -> kube::Client {
    kube::Client::new(twin.kube(), "default")
}

async fn section(twin: &Twin) -> Kserve {
    let inventory = observe(client(twin), &Observing::at(twin.now())).await.unwrap();
    inventory.section(&"kserve".parse().unwrap()).unwrap().unwrap()
}

#[tokio::test]
async fn an_inventory_holds_what_the_kserve_component_asks_for() {
    let twin = platform();
    let inventory = observe(client(&twin), &Observing::at(twin.now())).await.unwrap();
    assert!(inventory.unread.is_empty(), "{:?}", inventory.unread);
    let section = section(&twin).await;
    let controller = &section.controller;
    assert_eq!(controller.deployment, ObjectName::namespaced("kserve", "kserve-controller-manager"));
    assert_eq!((controller.replicas, controller.leader_elect, controller.recreate), (1, true, false));
    let services: Vec<_> = section
        .services
        .iter()
        .map(|it| (it.name.name.as_str(), it.mode.as_deref(), it.mode_seen.as_deref(), it.ready, it.fetches))
        .collect();
    let old = Some("RawDeployment");
    assert_eq!(
        services,
        [("chat", old, old, true, true), ("echo", None, old, true, false), ("iris", old, old, true, false)]
    );
    let chat = &section.services[0];
    assert_eq!(chat.runtime.as_deref(), Some("kserve-huggingfaceserver"));
    let predictors: Vec<_> = chat.predictors.iter().map(|it| (it.replicas, it.surge, it.gpus)).collect();
    assert_eq!(predictors, [(2, 1, 1)]);
    assert_eq!(section.runtimes.len(), 2);
    let owned = inventory.owners.iter().filter(|owner| owner.object.kind == "InferenceService").count();
    assert_eq!(owned, 3, "an annotation that Git writes would be written again by it");
}

/// What the first step of a plan keeps suffices to make everything again that somebody asked for.
#[tokio::test]
async fn services_and_runtimes_that_are_deleted_come_back_from_what_was_captured() {
    let twin = platform();
    let specs = || {
        twin.with(|world| {
            let mut all = Vec::new();
            for resource in ["clusterservingruntimes", "inferenceservices"] {
                let objects = world.list(GROUP, resource, None);
                all.extend(objects.map(|(key, object)| {
                    (key.clone(), object["spec"].clone(), object["metadata"]["annotations"].clone())
                }));
            }
            all
        })
    };
    let before = specs();
    assert_eq!(before.len(), 5);
    let driver = KubeDriver::over(client(&twin));
    let mut captured = Vec::new();
    for (version, kind) in [("v1alpha1", "ClusterServingRuntime"), ("v1beta1", "InferenceService")] {
        let find = Find {
            api_version: format!("{GROUP}/{version}"),
            kind: kind.to_owned(),
            namespace: None,
            labels: std::collections::BTreeMap::new(),
        };
        let Capturing::Objects(objects) = driver.capture(&KubeCapture::Found(find)).await.unwrap() else {
            panic!("no objects")
        };
        captured.push(objects);
    }
    let keys: Vec<Key> = before.iter().map(|(key, ..)| key.clone()).collect();
    twin.with(|world| {
        for key in &keys {
            world.delete(key, DeleteOptions::default());
        }
    });
    twin.advance_by(Duration::from_mins(5));
    assert!(section(&twin).await.services.is_empty());
    let pods = || twin.with(|world| world.list("", "pods", Some("ml")).count());
    assert_eq!(pods(), 0, "their pods went with them");
    for objects in captured {
        let count = objects.len();
        let restore = KubeEffect::Restore(KubeRestore::of(Value::Array(objects)));
        let said = done(&driver.apply(&call(), &restore).await);
        assert_eq!(said.matches("created again").count(), count, "{said}");
    }
    twin.advance_by(Duration::from_mins(10));
    assert_eq!(specs(), before);
    assert!(section(&twin).await.services.iter().all(|service| service.ready));
    assert_eq!(pods(), 5);
}
