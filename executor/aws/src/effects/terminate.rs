//! `node.terminate`: the instance of a drained node goes, and its group does not replace it.

use serde_json::Value;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{journal::Outcome, plan::EksTerminateNode};

use super::{Scene, text};
use crate::{
    autoscaling,
    aws::Service,
    classify::CallError,
    eks::cluster_tags,
    outcome::{done, operation, refused},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &EksTerminateNode<Value>) -> Result<Outcome, CallError> {
    let provider = text(&effect.provider_id)?;
    let Some(id) = instance_of(provider) else {
        return Err(CallError::malformed(format!(
            "the node's provider id {provider:?} names no EC2 instance"
        )));
    };
    let Some(instance) = autoscaling::instance(scene.aws(), id).await? else {
        return Ok(done(format!("instance {id} does not exist")));
    };
    match instance.state.as_str() {
        "terminated" => return Ok(done(format!("instance {id} is terminated"))),
        "shutting-down" => return Ok(operation(id, format!("instance {id} is shutting down"))),
        _ => {}
    }
    let cluster = scene.name();
    let [by_name, by_key] = cluster_tags(cluster);
    if instance.tag(&by_name) != Some(cluster) && instance.tag(&by_key).is_none() {
        return Ok(refused(format!("instance {id} is not tagged as one of cluster {cluster}")));
    }
    // Asked twice, a group would be made smaller by two: lifecycle hooks keep an instance running for a while.
    let Some(member) = autoscaling::member(scene.aws(), id).await? else {
        // One that is on its way out has left its group before it is terminated.
        return Ok(match scene.call.operation.as_deref() == Some(id) {
            true => {
                operation(id, format!("instance {id} has left its group and is still {}", instance.state))
            }
            false => refused(format!(
                "instance {id} belongs to no Auto Scaling group: whoever made it has to end it"
            )),
        });
    };
    let group = &member.group;
    if member.lifecycle.starts_with("Terminat") {
        return Ok(operation(id, format!("instance {id} is {} in group {group}", member.lifecycle)));
    }
    let asked = [
        ("InstanceId".to_owned(), id.to_owned()),
        ("ShouldDecrementDesiredCapacity".to_owned(), "true".to_owned()),
    ];
    let answer = scene.aws().query(Service::AUTOSCALING, "TerminateInstanceInAutoScalingGroup", &asked).await;
    Ok(match answer {
        Ok(_) => operation(id, format!("instance {id} leaves group {group}")),
        Err(error) if error.message().contains("min size") || error.message().contains("minSize") => refused(
            format!("group {group} may not have fewer nodes; lower its least size first: {}", error.line()),
        ),
        Err(error) => error.of_write(),
    })
}

/// The instance of `aws:///ZONE/INSTANCE`.
fn instance_of(provider: &str) -> Option<&str> {
    let id = provider.strip_prefix("aws://")?.rsplit('/').next()?;
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (id.starts_with("i-") && plain).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_named_by_the_nodes_provider_id() {
        assert_eq!(instance_of("aws:///eu-central-1a/i-0abc"), Some("i-0abc"));
        for bad in ["", "aws:///eu-central-1a/", "gce://p/z/i-1", "aws:///z/fargate-1", "aws:///z/i-1?x"] {
            assert_eq!(instance_of(bad), None, "{bad}");
        }
    }
}
