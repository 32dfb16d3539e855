//! `kube.nodeJob`: a Job on one node, to its end. One call begins it or looks how far it is, and answers what is waited for.
//!
//! Its name is made of the effect's token, so what another process began is found again and not begun twice. A Job that failed stays for
//! whoever wants to read what it wrote; it is marked when its failure was reported, and the next attempt deletes it first.

use serde_json::{Value, json};
use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    Seconds,
    journal::{Class, Outcome, WaitsFor},
    plan::{BoundObject, NodeJob, NodeJobEnd},
};

use crate::{
    api::{Kinds, MANAGER, PatchKind, Query, Seen, Sought, Writer, object_path, query_path},
    classify::CallError,
    fields::{has_condition, text},
    nodes::{self, built_in},
    target::{self, done, not_done, refused},
};

/// Marks a Job whose failure was reported.
const REPORTED: &str = "switchback.dev/reported";
/// Which boot of its node a Job was begun in.
const BOOT: &str = "switchback.dev/boot-id";
/// How much of the token stands in a name.
const PART: usize = 10;

pub(super) async fn run(
    api: &Writer,
    call: &Call,
    effect: &NodeJob<BoundObject>,
) -> Result<Outcome, CallError> {
    let kinds = Kinds::new(&api.read);
    let found = target::find(&api.read, &kinds, &effect.node).await?;
    let Some(node) = found.object()? else {
        // It may be on its way up: a node that boots can be registered anew.
        let gone = format!("{} is gone", found.named);
        return Ok(target::unconfirmed(call, &gone).unwrap_or_else(|| refused(gone)));
    };
    let resource = built_in("batch/v1", "Job")?;
    let name = format!("{}-{}", effect.name, call.token.get(..PART).unwrap_or(&call.token));
    let sought = Sought::new(&resource, Some(&effect.namespace), &name);
    let job = api.read.look(sought).await?;
    let on = Attempt { api, effect, sought, node, waited: call.waited };
    match job {
        None => on.begin(&name).await,
        Some(job) => on.follow(&job).await,
    }
}

/// What one call works on.
struct Attempt<'call> {
    api: &'call Writer,
    effect: &'call NodeJob<BoundObject>,
    sought: Sought<'call>,
    node: &'call Seen,
    waited: Seconds,
}

impl Attempt<'_> {
    async fn begin(&self, name: &str) -> Result<Outcome, CallError> {
        if self.effect.until == NodeJobEnd::Rebooted && !nodes::is_cordoned(self.node) {
            return Ok(refused(nodes::uncordoned(self.node_name())));
        }
        let mut object = self.effect.object(name);
        let annotations = json!({BOOT: text(self.node, "/status/nodeInfo/bootID")});
        if let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut) {
            metadata.insert("annotations".to_owned(), annotations);
        }
        let path = object_path(self.sought.resource, self.sought.namespace, None, None)?;
        let path = query_path(&path, &[("fieldManager", MANAGER), ("fieldValidation", "Strict")]);
        Ok(match self.api.post(&path, &object).await {
            Ok(job) => waits(&job, &format!("Job {}/{name} runs", self.effect.namespace)),
            Err(error) => error.of_write(),
        })
    }

    async fn follow(&self, job: &Seen) -> Result<Outcome, CallError> {
        let named = format!("Job {}/{}", self.effect.namespace, self.sought.name);
        if job.pointer("/metadata/deletionTimestamp").is_some() {
            return Ok(waits(job, &format!("{named} is being deleted")));
        }
        if annotation(job, BOOT).is_none() {
            return Ok(refused(format!(
                "{named} is not one that a run of Switchback began: delete it, and retry"
            )));
        }
        match judge(self.effect.until, job, self.node) {
            // The Job's own deadline ends the Job, and not a node that never comes up.
            Judged::Runs if self.waited > self.effect.within => {
                let node = self.node_name();
                let is =
                    if has_condition(self.node, "Ready") { "has not booted anew" } else { "is not Ready" };
                let within = self.effect.within;
                Ok(refused(format!("node {node} {is} within {within} of the start of {named}")))
            }
            Judged::Done => Ok(done(format!("{named} has come to its end on {}", self.node_name()))),
            Judged::Runs => {
                let why = self.why(job).await?;
                let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
                Ok(waits(job, &format!("{named} runs on {}{why}", self.node_name())))
            }
            Judged::Failed if annotation(job, REPORTED) == Some("true") => self.remove(job, &named).await,
            Judged::Failed => self.report(job, &named).await,
        }
    }

    fn node_name(&self) -> &str {
        text(self.node, "/metadata/name")
    }

    /// Says that it failed, and marks it, so that another attempt begins another one.
    async fn report(&self, job: &Seen, named: &str) -> Result<Outcome, CallError> {
        let why = self.why(job).await?;
        let mark = json!({"metadata": {"annotations": {REPORTED: "true"}}});
        let path = query_path(&self.sought.path()?, &[("fieldManager", MANAGER)]);
        if let Err(error) = self.api.patch((self.sought, &path), PatchKind::Merge, &mark).await {
            return Ok(error.of_write());
        }
        let reason = condition(job, "Failed").map(|failed| text(failed, "/reason").to_owned());
        let why = [reason, why].into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        Ok(not_done(Class::Refused, format!("{named} failed on {}: {}", self.node_name(), why.join(": "))))
    }

    async fn remove(&self, job: &Seen, named: &str) -> Result<Outcome, CallError> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": job.uid()},
            "propagationPolicy": "Background",
        });
        match self.api.delete(self.sought, &options).await {
            Ok(()) => Ok(waits(job, &format!("{named} of an earlier attempt is deleted"))),
            Err(error) if self.sought.is_gone(&error) || error.is_other_uid() => {
                Ok(waits(job, &format!("{named} of an earlier attempt is gone")))
            }
            Err(error) => Ok(error.of_write()),
        }
    }

    /// What its pod says: the end of its log where it ended, or what it waits for.
    async fn why(&self, job: &Seen) -> Result<Option<String>, CallError> {
        let query = Query {
            namespace: Some(self.effect.namespace.clone()),
            labels: Some(format!("batch.kubernetes.io/controller-uid={}", job.uid())),
            ..Query::all()
        };
        let pods = self.api.read.list(&nodes::pods()?, &query).await?;
        Ok(pods.iter().find_map(said))
    }
}

/// What a call that goes on waits for. The Job is the operation that is asked after.
fn waits(job: &Value, message: &str) -> Outcome {
    let id = text(job, "/metadata/uid").to_owned();
    let message = switchback_executor::untrusted::text::line(message);
    Outcome::Blocked { waits_for: vec![WaitsFor::Operation { id, message }] }
}

/// How far a Job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    Done,
    Runs,
    Failed,
}

fn judge(until: NodeJobEnd, job: &Value, node: &Value) -> Judged {
    let failed = condition(job, "Failed").is_some();
    let succeeded = condition(job, "Complete").is_some();
    match until {
        NodeJobEnd::Succeeded if succeeded => Judged::Done,
        NodeJobEnd::Succeeded if failed => Judged::Failed,
        NodeJobEnd::Succeeded => Judged::Runs,
        NodeJobEnd::Rebooted => {
            let booted = annotation(job, BOOT) != Some(text(node, "/status/nodeInfo/bootID"));
            match (booted, has_condition(node, "Ready")) {
                (true, true) => Judged::Done,
                (false, true) if failed => Judged::Failed,
                // While the node is on its way down or up, what becomes of the Job says nothing.
                _ => Judged::Runs,
            }
        }
    }
}

fn condition<'a>(job: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = job.pointer("/status/conditions").and_then(Value::as_array)?;
    all.iter().find(|one| text(one, "/type") == kind && text(one, "/status") == "True")
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

fn said(pod: &Value) -> Option<String> {
    let scheduled = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let unscheduled = scheduled
        .filter(|one| text(one, "/type") == "PodScheduled" && text(one, "/status") == "False")
        .map(|one| text(one, "/message").to_owned());
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten();
    let of = statuses.flat_map(|status| {
        ["/state/terminated/message", "/state/waiting/reason", "/state/terminated/reason"]
            .map(|at| text(status, at).trim().to_owned())
    });
    unscheduled.chain(of).find(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(kind: &str, boot: &str) -> Value {
        json!({"metadata": {"annotations": {BOOT: boot}}, "status": {"conditions": [{"type": kind, "status": "True"}]}})
    }

    fn node(boot: &str, ready: &str) -> Value {
        json!({"status": {"nodeInfo": {"bootID": boot}, "conditions": [{"type": "Ready", "status": ready}]}})
    }

    #[test]
    fn a_job_that_has_to_succeed_is_judged_by_itself() {
        let judged = |kind| judge(NodeJobEnd::Succeeded, &job(kind, "a"), &node("b", "False"));
        assert_eq!(judged("Complete"), Judged::Done);
        assert_eq!(judged("Failed"), Judged::Failed);
        assert_eq!(judged("SuccessCriteriaMet"), Judged::Runs);
    }

    /// A node that boots takes the pod of the Job along, so the Job fails where all went well.
    #[test]
    fn a_reboot_is_judged_by_the_boot_of_the_node() {
        let judged = |kind, boot, ready| judge(NodeJobEnd::Rebooted, &job(kind, "a"), &node(boot, ready));
        assert_eq!(judged("Failed", "b", "True"), Judged::Done);
        assert_eq!(judged("Failed", "b", "False"), Judged::Runs, "it is not up yet");
        assert_eq!(judged("Failed", "a", "False"), Judged::Runs, "it goes down");
        assert_eq!(judged("Failed", "a", "True"), Judged::Failed);
        assert_eq!(judged("Complete", "a", "True"), Judged::Runs, "it was asked to, and has not yet");
    }

    #[test]
    fn the_end_of_its_log_is_what_a_pod_says() {
        let pod = |state: Value| json!({"status": {"containerStatuses": [{"state": state}]}});
        let ended =
            pod(json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "no CUDA device\n"}}));
        assert_eq!(said(&ended).as_deref(), Some("no CUDA device"));
        let waits = pod(json!({"waiting": {"reason": "ImagePullBackOff"}}));
        assert_eq!(said(&waits).as_deref(), Some("ImagePullBackOff"));
        assert_eq!(said(&pod(json!({"running": {}}))), None);
    }
}
