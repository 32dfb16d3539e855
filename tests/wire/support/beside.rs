//! A controller on a cluster whose nodes run nothing: its own program works while a pod of its Deployment is ready, and is another one
//! when that is.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::Duration,
};

use serde_json::Value;
use switchback_cluster::{Beside, Built, Controller};

use super::kubectl::{Cluster, Own};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);

/// What a Deployment says of its controller.
pub(crate) struct Says {
    /// Namespace and name of the Deployment.
    pub(crate) deployment: (&'static str, &'static str),
    /// What the program is started with, by the container's arguments.
    pub(crate) arguments: fn(&[String]) -> Vec<String>,
}

/// The controller, until it is dropped.
pub(crate) struct AtWork {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AtWork {
    /// Follows the Deployment. `also` is done at each look: what kubelets would do.
    pub(crate) fn as_deployed(
        own: &Own,
        controller: Controller,
        says: Says,
        mut also: impl FnMut(&Cluster) + Send + 'static,
    ) -> Self {
        let built = controller.build().unwrap_or_else(|error| panic!("{controller:?}: {error}"));
        let mut site = Site {
            cluster: own.cluster.clone(),
            running: Arc::clone(&own.running),
            dir: own.path().join("beside"),
            built,
            says,
            at_work: None,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                site.follow();
                also(&site.cluster);
                sleep(LOOK);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            // Without its controller nothing that a test saw counts.
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the controller beside the test came to an end"
            );
        }
    }
}

/// Creates those definitions of a controller's project whose file names hold a word.
pub(crate) fn definitions(cluster: &Cluster, controller: Controller, word: &str) {
    let built = controller.build().unwrap_or_else(|error| panic!("{controller:?}: {error}"));
    let files = built.definitions().expect("definitions");
    let named = |file: &&PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().contains(word));
    let named: Vec<&PathBuf> = files.iter().filter(named).collect();
    assert!(!named.is_empty(), "{word}: {files:?}");
    for file in named {
        cluster.kubectl(&["create", "-f", &file.to_string_lossy()]);
    }
    cluster.kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
}

/// What it works on.
struct Site {
    cluster: Cluster,
    running: Arc<switchback_cluster::Cluster>,
    dir: PathBuf,
    built: Built,
    says: Says,
    /// What the Deployment said when the program was started, and the program.
    at_work: Option<(Container, Beside)>,
}

/// The controller's container.
#[derive(PartialEq, Eq)]
struct Container {
    image: String,
    arguments: Vec<String>,
}

impl Site {
    fn follow(&mut self) {
        let wanted = self.ready();
        if let (Some((said, program)), Some(says)) = (&mut self.at_work, &wanted)
            && said == says
        {
            return program.check().expect("the controller works");
        }
        // The old one is gone before another starts, as where a Deployment recreates its pods.
        self.at_work = None;
        self.at_work = wanted.map(|container| {
            let arguments = (self.says.arguments)(&container.arguments);
            let program = self.built.start(&self.running, &self.dir, &arguments);
            (container, program.expect("the controller starts"))
        });
    }

    /// The container of the pod that is ready, if one is.
    fn ready(&self) -> Option<Container> {
        let (namespace, name) = self.says.deployment;
        let deployments = self.cluster.items(&["get", "deployments", "-n", namespace]);
        let deployment = deployments.iter().find(|one| one["metadata"]["name"] == name)?;
        let count = |field: &str| deployment["status"][field].as_u64().unwrap_or(0);
        if count("readyReplicas") == 0 || count("updatedReplicas") == 0 {
            return None;
        }
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let arguments = container["args"].as_array().into_iter().flatten().map(text).collect();
        Some(Container { image: text(&container["image"]), arguments })
    }
}
