//! Auto Scaling groups: those of node groups, and taking one instance out of them.

use super::eks::nodegroups::{self, asg, look};
use super::identity::Caller;
use super::protocol::{Answered, AwsError, Done, Request, Xml};
use crate::cloud::eks::state::{Cluster, Instance, InstanceState, Nodegroup};
use crate::world::{World, stamp};

/// Answers an operation of Auto Scaling.
pub(super) fn answer(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    match request.operation.as_str() {
        "DescribeAutoScalingGroups" => Ok(groups(world, request, caller)),
        "DescribeAutoScalingInstances" => Ok(instances(world, request, caller)),
        "TerminateInstanceInAutoScalingGroup" => terminate(world, request, caller),
        _ => Err(AwsError::not_simulated(&request.what())),
    }
}

/// All node groups of the caller: cluster, group, and both as they are.
fn all<'a>(
    world: &'a World,
    request: &Request<'_>,
    caller: &Caller,
) -> Vec<(&'a str, &'a str, &'a Cluster, &'a Nodegroup)> {
    world
        .cloud()
        .eks
        .clusters
        .iter()
        .filter(|(_, c)| c.account == caller.account && c.region == request.region)
        .flat_map(|(name, c)| {
            c.nodegroups.iter().map(move |(group, g)| (name.as_str(), group.as_str(), c, g))
        })
        .collect()
}

fn lifecycle(instance: &Instance) -> &'static str {
    match instance.state {
        InstanceState::Pending => "Pending",
        InstanceState::InService => "InService",
        InstanceState::Terminating => "Terminating",
    }
}

fn member(world: &World, group: &Nodegroup, id: &str, instance: &Instance) -> Xml {
    let zone = world.cloud().subnets.get(&instance.subnet).map(|s| s.zone.clone()).unwrap_or_default();
    Xml::default()
        .text("InstanceId", id)
        .some("InstanceType", group.instance_types.first().map(String::as_str).unwrap_or_default())
        .text("AvailabilityZone", zone)
        .text("LifecycleState", lifecycle(instance))
        .text("HealthStatus", "Healthy")
        .text("ProtectedFromScaleIn", false)
}

fn groups(world: &World, request: &Request<'_>, caller: &Caller) -> Done {
    let wanted = request.fields("AutoScalingGroupNames");
    let found: Vec<_> = all(world, request, caller)
        .into_iter()
        .filter(|(name, group, ..)| wanted.is_empty() || wanted.contains(&asg(name, group).as_str()))
        .collect();
    let body = Xml::default().each("AutoScalingGroups", "member", found, |(name, group, cluster, g)| {
        let asg = asg(name, group);
        let live = g.instances.values().filter(|i| i.state != InstanceState::Terminating).count();
        // While an update surges, the group wants more than its configuration says.
        let desired = g.scaling.desired.max(i64::try_from(live).unwrap_or(0));
        let mut zones: Vec<&str> =
            g.subnets.iter().filter_map(|s| world.cloud().subnets.get(s)).map(|s| s.zone.as_str()).collect();
        zones.dedup();
        let tag = |key: &str, value: &str| {
            Xml::default()
                .text("Key", key)
                .text("Value", value)
                .text("PropagateAtLaunch", true)
                .text("ResourceId", &asg)
                .text("ResourceType", "auto-scaling-group")
        };
        Xml::default()
            .text("AutoScalingGroupName", &asg)
            .text(
                "AutoScalingGroupARN",
                format!(
                    "arn:aws:autoscaling:{}:{}:autoScalingGroup:twin:autoScalingGroupName/{asg}",
                    cluster.region, cluster.account
                ),
            )
            .text("MinSize", g.scaling.min)
            .text("MaxSize", g.scaling.max.max(desired))
            .text("DesiredCapacity", desired)
            .text("DefaultCooldown", 300)
            .texts("AvailabilityZones", "member", zones)
            .text("HealthCheckType", "EC2")
            .text("HealthCheckGracePeriod", 15)
            .each("Instances", "member", &g.instances, |(id, i)| member(world, g, id, i))
            .text("CreatedTime", g.created.map(stamp).unwrap_or_default())
            .text("VPCZoneIdentifier", g.subnets.join(","))
            .each(
                "Tags",
                "member",
                [("eks:cluster-name", name), ("eks:nodegroup-name", group)],
                |(key, value)| tag(key, value),
            )
    });
    Done::xml(body.done())
}

fn instances(world: &World, request: &Request<'_>, caller: &Caller) -> Done {
    let wanted = request.fields("InstanceIds");
    let found: Vec<_> = all(world, request, caller)
        .into_iter()
        .flat_map(|(name, group, _, g)| g.instances.iter().map(move |(id, i)| (asg(name, group), g, id, i)))
        .filter(|(_, _, id, _)| wanted.is_empty() || wanted.contains(&id.as_str()))
        .collect();
    let body = Xml::default().each("AutoScalingInstances", "member", found, |(asg, g, id, i)| {
        member(world, g, id, i).text("AutoScalingGroupName", asg)
    });
    Done::xml(body.done())
}

fn terminate(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    let id = request.required("InstanceId")?.to_owned();
    let decrement = request.flag("ShouldDecrementDesiredCapacity");
    let decrement = decrement.ok_or_else(|| {
        AwsError::new(
            400,
            "ValidationError",
            "The request must contain the parameter ShouldDecrementDesiredCapacity.",
        )
    })?;
    let found = all(world, request, caller).into_iter().find(|(_, _, _, g)| g.instances.contains_key(&id));
    let Some((name, group, _, g)) = found else {
        return Err(AwsError::new(
            400,
            "ValidationError",
            format!("Instance Id not found - No managed instance found for instance ID: {id}"),
        ));
    };
    let (name, group) = (name.to_owned(), group.to_owned());
    if g.instances.get(&id).is_some_and(|i| i.state == InstanceState::Terminating) {
        return Err(AwsError::new(
            400,
            "ScalingActivityInProgress",
            format!("Activity for instance {id} is in progress: it is Terminating"),
        ));
    }
    let (min, desired) = (g.scaling.min, g.scaling.desired);
    if decrement && desired <= min {
        return Err(AwsError::new(
            400,
            "ValidationError",
            format!(
                "Currently, desiredSize equals minSize ({min}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
            ),
        ));
    }
    if decrement
        && let Some(one) =
            world.cloud_mut().eks.clusters.get_mut(&name).and_then(|c| c.nodegroups.get_mut(&group))
    {
        one.scaling.desired -= 1;
    }
    nodegroups::terminate(world, &name, &group, &id);
    look(world, &name, &group);
    let n = world.count();
    let activity = Xml::default()
        .text("ActivityId", format!("{n:08x}-twin"))
        .text("AutoScalingGroupName", asg(&name, &group))
        .text("Description", format!("Terminating EC2 instance: {id}"))
        .text("Cause", format!("instance {id} was taken out of service in response to a user request"))
        .text("StartTime", world.stamp())
        .text("StatusCode", "InProgress")
        .text("Progress", 0);
    Ok(Done::xml(Xml::default().inside("Activity", activity).done()).on(format!("{name} {group} {id}")))
}
