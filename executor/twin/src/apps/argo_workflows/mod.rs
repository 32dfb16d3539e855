//! Argo Workflows: a controller that runs Workflows as pods, and CronWorkflows that start them.
//!
//! Rows of the contract hold it to the controller itself, at one version; what others do follows the project's source. What it promises is
//! listed in this crate's README. Pods run whether a controller is there or not; nothing is started while none is.

use jiff::SignedDuration;
use serde_json::Value;

use crate::kube::controllers::{controller, soon};
use crate::world::key::{list, number, text};
use crate::world::{Actor, Change, ChangeKind, Key, Wakes, World};

mod cron;
mod pods;
mod schedule;
mod workflow;

const GROUP: &str = "argoproj.io";
const API: &str = "argoproj.io/v1alpha1";
/// On what has ended, and on pods of what has.
const COMPLETED: &str = "workflows.argoproj.io/completed";
const PHASE: &str = "workflows.argoproj.io/phase";
/// On pods: the Workflow that they are of.
const WORKFLOW: &str = "workflows.argoproj.io/workflow";
/// On Workflows: the CronWorkflow that started them.
const CRON: &str = "workflows.argoproj.io/cron-workflow";

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "argo-workflows", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    let key = &change.key;
    if change.kind == ChangeKind::Deleted {
        return Vec::new();
    }
    if key.is(GROUP, "workflows") || key.is(GROUP, "cronworkflows") {
        return vec![(key.clone(), soon(world))];
    }
    if key.is("", "pods")
        && let Some(owner) = controller(&change.object, key, "Workflow", GROUP, "workflows")
    {
        let mut wakes = vec![(owner, soon(world))];
        wakes.extend(pods::ends_after(world, change).map(|after| (key.clone(), after)));
        return wakes;
    }
    if key.is("apps", "deployments") && image(&change.object).is_some() {
        let mut wakes = Vec::new();
        for resource in ["workflows", "cronworkflows"] {
            wakes.extend(world.list(GROUP, resource, None).map(|(key, _)| (key.clone(), soon(world))));
        }
        return wakes;
    }
    Vec::new()
}

fn act(world: &mut World, key: &Key) {
    if key.is("", "pods") {
        return pods::end(world, key);
    }
    let Some(controller) = Controller::running(world) else { return };
    if key.is(GROUP, "workflows") {
        workflow::reconcile(world, key, &controller);
    } else {
        cron::reconcile(world, key, &controller);
    }
}

/// The controller's image, where a Deployment runs one.
fn image(deployment: &Value) -> Option<&str> {
    let containers = list(deployment, "/spec/template/spec/containers");
    containers.iter().map(|container| text(container, "/image")).find(|image| {
        let last = image.rsplit('/').next().unwrap_or_default();
        last.split([':', '@']).next() == Some("workflow-controller")
    })
}

/// A controller that works.
struct Controller {
    version: Release,
    /// The executor that it puts into pods.
    executor: String,
}

impl Controller {
    /// The one that is ready and rolled out; `None` while none is.
    fn running(world: &World) -> Option<Self> {
        let (_, deployment) = world.list("apps", "deployments", None).find(|(_, deployment)| {
            image(deployment).is_some()
                && number(deployment, "/status/readyReplicas").unwrap_or(0) > 0
                && number(deployment, "/status/updatedReplicas").unwrap_or(0) > 0
        })?;
        let args: Vec<&str> = list(deployment, "/spec/template/spec/containers")
            .iter()
            .flat_map(|container| list(container, "/args"))
            .filter_map(Value::as_str)
            .collect();
        let executor = args.iter().position(|arg| *arg == "--executor-image").and_then(|at| args.get(at + 1));
        Some(Self {
            version: Release::of(image(deployment).unwrap_or_default()),
            executor: executor.copied().unwrap_or_default().to_owned(),
        })
    }
}

/// The release in an image's tag; zeros where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Release([u32; 3]);

impl Release {
    fn of(image: &str) -> Self {
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag).trim_start_matches('v');
        let mut parts = tag.split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        Self([next(), next(), next()])
    }
}

/// Seconds since an instant in an object; none where it has no such instant.
fn since(world: &World, at: &str) -> Option<SignedDuration> {
    at.parse::<jiff::Timestamp>().ok().map(|then| world.now().duration_since(then))
}
