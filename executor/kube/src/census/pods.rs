//! Pods by their topmost controller.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use switchback_executor::untrusted::text;
use switchback_schemas::Seconds;

use crate::{
    classify::CallError,
    fields,
    pods::{
        filters::is_finished,
        owners::{Owner, Owners},
    },
};

/// A start that took longer was no start: the pod was Ready before and became it again.
const LONGEST_START: Seconds = Seconds::hours(1);

/// The pods of one topmost controller, or one pod without any.
#[derive(Debug)]
pub(super) struct Group {
    /// Whose they are.
    pub(super) owner: Owner,
    /// Kinds of all controllers above them.
    pub(super) kinds: BTreeSet<String>,
    /// Pods that are not finished, without those on their way out and those that wait at a gate.
    pub(super) live: u64,
    /// Those of them that are Ready.
    pub(super) ready: u64,
    /// Pods that wait at a scheduling gate: somebody else says when they come.
    pub(super) gated: u64,
    /// Whether one of them only keeps a place free.
    pub(super) placeholder: bool,
    /// How a pod without a controller ended.
    pub(super) ended: Option<bool>,
    /// The longest start that was seen.
    pub(super) start: Seconds,
    /// Groups of nodes on which they stand.
    pub(super) groups: BTreeSet<String>,
    /// Why one of them is not Ready.
    pub(super) cause: Option<String>,
}

/// All pods.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// By the UID of their topmost controller.
    pub(super) by_owner: BTreeMap<String, Group>,
    /// Pods that are not finished, by namespace, with the UID of their topmost controller.
    live: BTreeMap<String, Vec<(Value, String)>>,
}

impl Pods {
    /// Sorts pods by their controllers. One whose owner cannot be read counts under the topmost that is known.
    pub(super) async fn of(
        found: Vec<Value>,
        groups: &BTreeMap<String, String>,
        owners: &mut Owners<'_>,
    ) -> Result<Self, CallError> {
        let mut pods = Self::default();
        for pod in found {
            let chain = owners.chain(&pod).await?;
            let owner = chain.top().cloned().unwrap_or_else(|| Owner::itself(&pod));
            let bare = chain.owners.is_empty();
            let group = pods.by_owner.entry(owner.uid.clone()).or_insert_with(|| Group::of(owner.clone()));
            group.kinds.extend(chain.kinds().into_iter().map(str::to_owned));
            group.add(&pod, bare, groups);
            if !is_finished(&pod) {
                let namespace = fields::text(&pod, "/metadata/namespace").to_owned();
                pods.live.entry(namespace).or_default().push((pod, owner.uid));
            }
        }
        Ok(pods)
    }

    /// UIDs of the controllers of pods of a namespace that are not finished and for which something holds.
    pub(super) fn owners_of(&self, namespace: &str, which: impl Fn(&Value) -> bool) -> BTreeSet<String> {
        self.live
            .get(namespace)
            .into_iter()
            .flatten()
            .filter(|(pod, _)| which(pod))
            .map(|(_, uid)| uid.clone())
            .collect()
    }
}

impl Group {
    fn of(owner: Owner) -> Self {
        Self {
            owner,
            kinds: BTreeSet::new(),
            live: 0,
            ready: 0,
            gated: 0,
            placeholder: false,
            ended: None,
            start: Seconds(0),
            groups: BTreeSet::new(),
            cause: None,
        }
    }

    fn add(&mut self, pod: &Value, bare: bool, groups: &BTreeMap<String, String>) {
        let priority = pod.pointer("/spec/priority").and_then(Value::as_i64);
        self.placeholder |= priority.is_some_and(|priority| priority < 0);
        if is_finished(pod) {
            if bare {
                self.ended = Some(fields::text(pod, "/status/phase") == "Succeeded");
            }
            return;
        }
        if pod.pointer("/metadata/deletionTimestamp").is_some() {
            return;
        }
        let gates = pod.pointer("/spec/schedulingGates").and_then(Value::as_array);
        if gates.is_some_and(|gates| !gates.is_empty()) {
            self.gated += 1;
            return;
        }
        self.live += 1;
        self.groups.extend(groups.get(fields::text(pod, "/spec/nodeName")).cloned());
        if fields::has_condition(pod, "Ready") {
            self.ready += 1;
            self.start = self.start.max(start(pod));
        } else if self.cause.is_none() {
            self.cause = cause(pod);
        }
    }
}

/// How long a pod took from its creation until it was Ready; 0 where that cannot be told.
fn start(pod: &Value) -> Seconds {
    let containers = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    if containers.into_iter().flatten().any(|container| fields::number(container, "/restartCount") > 0) {
        return Seconds(0);
    }
    let instant = |text: &str| text.parse::<Timestamp>().ok();
    let created = instant(fields::text(pod, "/metadata/creationTimestamp"));
    let ready = fields::condition(pod, "Ready");
    let ready = ready.and_then(|ready| instant(fields::text(ready, "/lastTransitionTime")));
    let took = created.zip(ready).map(|(created, ready)| ready.duration_since(created).as_secs());
    let took = Seconds(took.and_then(|took| u64::try_from(took).ok()).unwrap_or(0));
    if took > LONGEST_START { Seconds(0) } else { took }
}

/// Why a pod is not Ready, in the platform's words.
fn cause(pod: &Value) -> Option<String> {
    let name = fields::text(pod, "/metadata/name");
    let told = |what: String| Some(text::line(&format!("pod {name}: {what}")));
    if let Some(scheduled) = fields::condition(pod, "PodScheduled")
        .filter(|scheduled| fields::text(scheduled, "/status") == "False")
    {
        let (reason, message) = (fields::text(scheduled, "/reason"), fields::text(scheduled, "/message"));
        return told(format!("{reason}: {message}"));
    }
    let of = |pointer: &str| pod.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let mut containers = of("/status/initContainerStatuses").chain(of("/status/containerStatuses"));
    let waiting = containers.find_map(|container| container.pointer("/state/waiting"));
    if let Some(waiting) = waiting {
        let (reason, message) = (fields::text(waiting, "/reason"), fields::text(waiting, "/message"));
        return told(if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") });
    }
    match fields::text(pod, "/status/phase") {
        "" => None,
        phase => told(phase.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cause_is_what_the_platform_says() {
        let pod = json!({"metadata": {"name": "p"}, "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/4 nodes are available"}]}});
        assert_eq!(cause(&pod).unwrap(), "pod p: Unschedulable: 0/4 nodes are available");
        let pod = json!({"metadata": {"name": "p"}, "status": {"phase": "Running", "containerStatuses": [
            {"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m"}}}]}});
        assert_eq!(cause(&pod).unwrap(), "pod p: CrashLoopBackOff: back-off 5m");
    }

    #[test]
    fn a_start_is_told_only_by_a_pod_that_was_never_down() {
        let pod = |restarts: u64, ready: &str| {
            json!({"metadata": {"creationTimestamp": "2026-11-20T10:00:00Z"}, "status": {
            "containerStatuses": [{"restartCount": restarts}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": ready}]}})
        };
        assert_eq!(start(&pod(0, "2026-11-20T10:07:00Z")), Seconds::minutes(7));
        assert_eq!(start(&pod(1, "2026-11-20T10:07:00Z")), Seconds(0));
        assert_eq!(start(&pod(0, "2026-11-20T15:00:00Z")), Seconds(0), "its node was away in between");
    }
}
