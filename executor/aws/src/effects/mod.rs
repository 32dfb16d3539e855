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

use switchback_executor::{
    ports::{Call, Classify as _},
    untrusted::fields,
};
use switchback_schemas::{
    journal::{Class, Outcome},
    name::Label,
    plan::{AwsResource, Effect, NodegroupSize, Operand},
};

use crate::{
    aws::{Aws, Purpose, Session, SharedSession},
    classify::CallError,
    outcome,
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

/// Whether an effect is done here.
pub(crate) fn is_ours(effect: &Effect) -> bool {
    target(effect).is_some()
}

/// The target of an effect of ours, and its service.
fn target(effect: &Effect) -> Option<(&Label, &'static str)> {
    Some(match effect {
        Effect::EksUpdateCluster(effect) => (&effect.target, "eks"),
        Effect::EksUpdateAddon(effect) => (&effect.target, "eks"),
        Effect::EksUpdateNodegroup(effect) => (&effect.target, "eks"),
        Effect::EksCreateNodegroup(effect) => (&effect.target, "eks"),
        Effect::EksScaleNodegroup(effect) => (&effect.target, "eks"),
        Effect::EksDeleteNodegroup(effect) => (&effect.target, "eks"),
        Effect::NodeTerminate(effect) => (&effect.target, "eks"),
        Effect::RdsSnapshot(effect) => (&effect.target, "rds"),
        Effect::RdsProveSnapshot(effect) => (&effect.target, "rds"),
        Effect::RdsRestore(effect) => (&effect.target, "rds"),
        Effect::RdsDeleteSnapshot(effect) => (&effect.target, "rds"),
        Effect::RdsDeleteInstance(effect) => (&effect.target, "rds"),
        _ => return None,
    })
}

/// Calls an effect.
pub(crate) async fn apply(aws: &Aws, targets: &Targets, call: &Call, effect: &Effect) -> Outcome {
    let Some((target, service)) = target(effect) else {
        return outcome::not_done(Class::Bug, format!("{} is no effect of this driver", effect.kind()));
    };
    let resource = match targets.of(target, service) {
        Ok(resource) => resource,
        Err(error) => return error.of_read(),
    };
    let purpose = if call.back { Purpose::Rollback } else { Purpose::Apply };
    let scene = Scene { session: aws.session(resource, purpose).await, call, resource };
    let ended = match effect {
        Effect::EksUpdateCluster(effect) => update_cluster::run(&scene, effect).await,
        Effect::EksUpdateAddon(effect) => update_addon::run(&scene, effect).await,
        Effect::EksUpdateNodegroup(effect) => update_nodegroup::run(&scene, effect).await,
        Effect::EksCreateNodegroup(effect) => create_nodegroup::run(&scene, effect).await,
        Effect::EksScaleNodegroup(effect) => scale_nodegroup::run(&scene, effect).await,
        Effect::EksDeleteNodegroup(effect) => delete_nodegroup::run(&scene, effect).await,
        Effect::NodeTerminate(effect) => terminate::run(&scene, effect).await,
        Effect::RdsSnapshot(effect) => snapshot::run(&scene, effect).await,
        Effect::RdsProveSnapshot(effect) => prove_snapshot::run(&scene, effect).await,
        Effect::RdsRestore(effect) => restore::run(&scene, effect).await,
        Effect::RdsDeleteSnapshot(effect) => delete_snapshot::run(&scene, effect).await,
        Effect::RdsDeleteInstance(effect) => delete_instance::run(&scene, effect).await,
        other => Ok(outcome::not_done(Class::Bug, format!("{} is no effect of this driver", other.kind()))),
    };
    // What an effect hands up as an error is a reading before its first write; writes are classified where they are made.
    ended.unwrap_or_else(|error| error.of_read())
}

/// A text that an operand holds.
fn text(operand: &Operand) -> Result<&str, CallError> {
    let value = fields::bound(operand).map_err(|error| CallError::malformed(error.to_string()))?;
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
    fn read(size: &NodegroupSize) -> Result<Self, CallError> {
        let number = |operand: &Operand| {
            let value = fields::bound(operand).map_err(|error| CallError::malformed(error.to_string()))?;
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
