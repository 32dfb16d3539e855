//! Effects: one file each. Every one looks first and goes on from whatever it finds: done already, under way, or to be started.

mod create_nodegroup;
mod delete_instance;
mod delete_nodegroup;
mod delete_snapshot;
mod follow;
mod prove_snapshot;
mod restore;
mod scale_nodegroup;
mod snapshot;
mod terminate;
mod update_addon;
mod update_cluster;
mod update_nodegroup;

use serde_json::Value;
use switchback_executor::{
    ports::{Call, Classify as _},
    untrusted::fields,
};
use switchback_schemas::{
    journal::Outcome,
    name::Label,
    plan::{AwsResource, EksEffect, NodegroupSize, RdsEffect},
};

use crate::{
    aws::{Aws, Purpose, Session, SharedSession},
    classify::CallError,
    targets::Targets,
};

/// What an effect has at hand.
pub(crate) struct Scene<'a> {
    session: SharedSession,
    call: &'a Call,
    resource: &'a AwsResource,
}

impl Scene<'_> {
    /// Clients with the role for the way the run goes.
    fn aws(&self) -> &Session {
        &self.session
    }

    /// The resource's own name.
    fn name(&self) -> &str {
        self.resource.arn.name()
    }
}

/// Calls an effect on a cluster.
pub(crate) async fn eks(aws: &Aws, targets: &Targets, call: &Call, effect: &EksEffect<Value>) -> Outcome {
    let scene = match scene(aws, targets, call, (effect.target(), "eks")).await {
        Ok(scene) => scene,
        Err(error) => return error.of_read(),
    };
    let ended = match effect {
        EksEffect::UpdateCluster(effect) => update_cluster::run(&scene, effect).await,
        EksEffect::UpdateAddon(effect) => update_addon::run(&scene, effect).await,
        EksEffect::UpdateNodegroup(effect) => update_nodegroup::run(&scene, effect).await,
        EksEffect::CreateNodegroup(effect) => create_nodegroup::run(&scene, effect).await,
        EksEffect::ScaleNodegroup(effect) => scale_nodegroup::run(&scene, effect).await,
        EksEffect::DeleteNodegroup(effect) => delete_nodegroup::run(&scene, effect).await,
        EksEffect::TerminateNode(effect) => terminate::run(&scene, effect).await,
    };
    // What an effect hands up as an error is a reading before its first write; writes are classified where they are made.
    ended.unwrap_or_else(|error| error.of_read())
}

/// Calls an effect on a database.
pub(crate) async fn rds(aws: &Aws, targets: &Targets, call: &Call, effect: &RdsEffect<Value>) -> Outcome {
    let scene = match scene(aws, targets, call, (effect.target(), "rds")).await {
        Ok(scene) => scene,
        Err(error) => return error.of_read(),
    };
    let ended = match effect {
        RdsEffect::Snapshot(effect) => snapshot::run(&scene, effect).await,
        RdsEffect::ProveSnapshot(effect) => prove_snapshot::run(&scene, effect).await,
        RdsEffect::Restore(effect) => restore::run(&scene, effect).await,
        RdsEffect::DeleteSnapshot(effect) => delete_snapshot::run(&scene, effect).await,
        RdsEffect::DeleteInstance(effect) => delete_instance::run(&scene, effect).await,
    };
    ended.unwrap_or_else(|error| error.of_read())
}

/// Clients for a target of a service, with the role for the way the run goes.
async fn scene<'a>(
    aws: &Aws,
    targets: &'a Targets,
    call: &'a Call,
    (target, service): (&Label, &'static str),
) -> Result<Scene<'a>, CallError> {
    let resource = targets.of(target, service)?;
    let purpose = if call.back { Purpose::Rollback } else { Purpose::Apply };
    Ok(Scene { session: aws.session(resource, purpose).await, call, resource })
}

/// A text.
fn text(value: &Value) -> Result<&str, CallError> {
    value.as_str().ok_or_else(|| CallError::malformed(format!("{} is no text", fields::shown(value))))
}

/// How many nodes: least, now, most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    min: i32,
    desired: i32,
    max: i32,
}

impl Size {
    fn read(size: &NodegroupSize<Value>) -> Result<Self, CallError> {
        let number = |value: &Value| {
            let number = value.as_u64().and_then(|number| i32::try_from(number).ok());
            number.ok_or_else(|| {
                CallError::malformed(format!("{} is no number of nodes", fields::shown(value)))
            })
        };
        let (min, desired, max) = (number(&size.min)?, number(&size.desired)?, number(&size.max)?);
        Ok(Self { min, desired, max })
    }

    fn of(group: &aws_sdk_eks::types::Nodegroup) -> Option<Self> {
        let found = group.scaling_config()?;
        Some(Self { min: found.min_size()?, desired: found.desired_size()?, max: found.max_size()? })
    }

    fn config(self) -> aws_sdk_eks::types::NodegroupScalingConfig {
        aws_sdk_eks::types::NodegroupScalingConfig::builder()
            .min_size(self.min)
            .desired_size(self.desired)
            .max_size(self.max)
            .build()
    }
}

/// What EKS says is wrong with a node group, and whether there is too little of something.
fn issues(group: &aws_sdk_eks::types::Nodegroup) -> Option<(String, bool)> {
    let issues = group.health().map(|health| health.issues()).unwrap_or_default();
    let code =
        |issue: &aws_sdk_eks::types::Issue| issue.code().map_or("Unknown", |code| code.as_str()).to_owned();
    let told: Vec<String> = issues
        .iter()
        .map(|issue| format!("{}: {}", code(issue), issue.message().unwrap_or_default()))
        .collect();
    let short = issues.iter().any(|issue| crate::codes::is_capacity(&code(issue)));
    (!told.is_empty()).then(|| (told.join("; "), short))
}
