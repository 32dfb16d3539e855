//! EC2: what an upgrade looks at. Nothing is changed through it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::eks::nodegroups::asg;
use super::eks::state::InstanceState;
use super::identity::Caller;
use super::protocol::{Answered, AwsError, Done, Request, Xml};
use crate::world::key::text;
use crate::world::{World, stamp};

/// A subnet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Subnet {
    /// Its zone, such as `eu-west-1a`.
    pub zone: String,
    /// Addresses that are free. Nodes that come take one each, nodes that go give it back.
    pub free: i64,
    /// Its CIDR block.
    pub cidr: String,
    /// Its VPC.
    pub vpc: String,
    /// Whose it is, where not the cloud's account.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// Tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A reservation of capacity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CapacityReservation {
    /// Its instance type.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// Instances that it is for.
    pub total: i64,
    /// Instances of it that are free.
    pub available: i64,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

/// Answers an operation of EC2.
pub(super) fn answer(world: &World, request: &Request<'_>, caller: &Caller) -> Answered {
    match request.operation.as_str() {
        "DescribeSubnets" => subnets(world, request, caller),
        "DescribeInstances" => instances(world, request, caller),
        "DescribeCapacityReservations" => reservations(world, request),
        _ => Err(AwsError::not_simulated(&request.what())),
    }
}

/// Values of a filter: `Filter.N.Name` with `Filter.N.Value.M`. Filters that are not known are refused.
fn filters(request: &Request<'_>, known: &[&str]) -> Result<Vec<(String, Vec<String>)>, AwsError> {
    let mut all = Vec::new();
    for (field, name) in request.form.iter().filter(|(n, _)| n.starts_with("Filter.") && n.ends_with(".Name"))
    {
        if !known.iter().any(|k| k == name || (k.ends_with(':') && name.starts_with(k))) {
            return Err(AwsError::not_simulated(&format!("{} with the filter {name}", request.what())));
        }
        let stem = field.strip_suffix("Name").unwrap_or_default();
        let values = request
            .form
            .iter()
            .filter(|(n, _)| n.starts_with(&format!("{stem}Value.")))
            .map(|(_, v)| v.clone());
        all.push((name.clone(), values.collect()));
    }
    Ok(all)
}

fn subnets(world: &World, request: &Request<'_>, caller: &Caller) -> Answered {
    let wanted = request.fields("SubnetId");
    let filters = filters(request, &["vpc-id", "subnet-id", "availability-zone", "tag:"])?;
    let all = &world.cloud().subnets;
    let mine = |id: &str| all.get(id).is_some_and(|s| s.account == caller.account);
    if let Some(missing) = wanted.iter().find(|id| !mine(id)) {
        return Err(AwsError::new(
            400,
            "InvalidSubnetID.NotFound",
            format!("The subnet ID '{missing}' does not exist"),
        ));
    }
    let fits = |id: &str, name: &str, values: &[String]| {
        let Some(subnet) = all.get(id) else { return false };
        let value = match name {
            "vpc-id" => subnet.vpc.as_str(),
            "subnet-id" => id,
            "availability-zone" => subnet.zone.as_str(),
            name => name
                .strip_prefix("tag:")
                .and_then(|t| subnet.tags.get(t))
                .map(String::as_str)
                .unwrap_or_default(),
        };
        values.iter().any(|v| v == value)
    };
    let found = all.iter().filter(|(id, s)| {
        s.account == caller.account
            && (wanted.is_empty() || wanted.contains(&id.as_str()))
            && filters.iter().all(|(name, values)| fits(id, name, values))
    });
    let body = Xml::default().each("subnetSet", "item", found, |(id, s)| {
        Xml::default()
            .text("subnetId", id)
            .text("subnetArn", format!("arn:aws:ec2:{}:{}:subnet/{id}", request.region, s.account))
            .text("state", "available")
            .text("vpcId", &s.vpc)
            .text("ownerId", &s.account)
            .text("cidrBlock", &s.cidr)
            .text("availableIpAddressCount", s.free.max(0))
            .text("availabilityZone", &s.zone)
            .text("defaultForAz", false)
            .text("mapPublicIpOnLaunch", false)
            .each("tagSet", "item", &s.tags, |(k, v)| Xml::default().text("key", k).text("value", v))
    });
    Ok(Done::xml(body.done()))
}

/// An instance as far as it is shown.
struct Shown {
    id: String,
    kind: String,
    state: (&'static str, u16),
    zone: String,
    dns: String,
    subnet: String,
    launched: String,
    tags: Vec<(String, String)>,
}

/// Instances of node groups and of Karpenter.
fn machines(world: &World, caller: &Caller) -> Vec<Shown> {
    let cloud = world.cloud();
    let mut all = Vec::new();
    for (name, cluster) in cloud.eks.clusters.iter().filter(|(_, c)| c.account == caller.account) {
        for (group, one) in &cluster.nodegroups {
            for (id, instance) in &one.instances {
                all.push(Shown {
                    id: id.clone(),
                    kind: one.instance_types.first().cloned().unwrap_or_default(),
                    state: match instance.state {
                        InstanceState::Pending => ("pending", 0),
                        InstanceState::InService => ("running", 16),
                        InstanceState::Terminating => ("shutting-down", 32),
                    },
                    zone: cloud.subnets.get(&instance.subnet).map(|s| s.zone.clone()).unwrap_or_default(),
                    dns: instance.node.clone(),
                    subnet: instance.subnet.clone(),
                    launched: stamp(instance.launched),
                    tags: vec![
                        ("eks:cluster-name".into(), name.clone()),
                        ("eks:nodegroup-name".into(), group.clone()),
                        ("aws:autoscaling:groupName".into(), asg(name, group)),
                    ],
                });
            }
        }
    }
    for (key, claim) in world.list("karpenter.sh", "nodeclaims", None) {
        let Some((zone, id)) =
            text(claim, "/status/providerID").strip_prefix("aws:///").and_then(|p| p.split_once('/'))
        else {
            continue;
        };
        let label =
            |name: &str| text(claim, &format!("/metadata/labels/{}", name.replace('/', "~1"))).to_owned();
        all.push(Shown {
            id: id.to_owned(),
            kind: label("node.kubernetes.io/instance-type"),
            state: ("running", 16),
            zone: zone.to_owned(),
            dns: text(claim, "/status/nodeName").to_owned(),
            subnet: String::new(),
            launched: text(claim, "/metadata/creationTimestamp").to_owned(),
            tags: vec![
                ("karpenter.sh/nodeclaim".into(), key.name.to_string()),
                ("karpenter.sh/nodepool".into(), label("karpenter.sh/nodepool")),
            ],
        });
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

fn instances(world: &World, request: &Request<'_>, caller: &Caller) -> Answered {
    let wanted = request.fields("InstanceId");
    let known = ["instance-id", "instance-state-name", "private-dns-name", "subnet-id", "tag:"];
    let filters = filters(request, &known)?;
    let all = machines(world, caller);
    if let Some(missing) = wanted.iter().find(|id| !all.iter().any(|i| i.id == **id)) {
        return Err(AwsError::new(
            400,
            "InvalidInstanceID.NotFound",
            format!("The instance ID '{missing}' does not exist"),
        ));
    }
    let fits = |one: &Shown, name: &str, values: &[String]| {
        let value = match name {
            "instance-id" => one.id.as_str(),
            "instance-state-name" => one.state.0,
            "private-dns-name" => one.dns.as_str(),
            "subnet-id" => one.subnet.as_str(),
            name => {
                let tag = name.strip_prefix("tag:").unwrap_or_default();
                one.tags.iter().find(|(k, _)| k == tag).map(|(_, v)| v.as_str()).unwrap_or_default()
            }
        };
        values.iter().any(|v| v == value)
    };
    let found = all.iter().filter(|one| {
        (wanted.is_empty() || wanted.contains(&one.id.as_str()))
            && filters.iter().all(|(n, v)| fits(one, n, v))
    });
    let body = Xml::default().each("reservationSet", "item", found, |one| {
        let instance = Xml::default()
            .text("instanceId", &one.id)
            .inside("instanceState", Xml::default().text("code", one.state.1).text("name", one.state.0))
            .text("privateDnsName", &one.dns)
            .text("instanceType", &one.kind)
            .some("launchTime", &one.launched)
            .inside("placement", Xml::default().text("availabilityZone", &one.zone))
            .some("subnetId", &one.subnet)
            .each("tagSet", "item", &one.tags, |(k, v)| Xml::default().text("key", k).text("value", v));
        Xml::default()
            .text("reservationId", format!("r-{}", one.id.trim_start_matches("i-")))
            .text("ownerId", &caller.account)
            .inside("instancesSet", Xml::default().inside("item", instance))
    });
    Ok(Done::xml(body.done()))
}

fn reservations(world: &World, request: &Request<'_>) -> Answered {
    let wanted = request.fields("CapacityReservationId");
    let filters = filters(request, &["instance-type", "availability-zone", "state"])?;
    let state =
        |ends: Option<Timestamp>| if ends.is_some_and(|at| at <= world.now()) { "expired" } else { "active" };
    let found = world.cloud().capacity_reservations.iter().filter(|(id, r)| {
        (wanted.is_empty() || wanted.contains(&id.as_str()))
            && filters.iter().all(|(name, values)| {
                let value = match name.as_str() {
                    "instance-type" => r.instance_type.as_str(),
                    "availability-zone" => r.zone.as_str(),
                    _ => state(r.ends),
                };
                values.iter().any(|v| v == value)
            })
    });
    let body = Xml::default().each("capacityReservationSet", "item", found, |(id, r)| {
        Xml::default()
            .text("capacityReservationId", id)
            .text("ownerId", &world.cloud().account)
            .text("instanceType", &r.instance_type)
            .text("availabilityZone", &r.zone)
            .text("totalInstanceCount", r.total)
            .text("availableInstanceCount", r.available)
            .text("state", state(r.ends))
            .text("endDateType", if r.ends.is_some() { "limited" } else { "unlimited" })
            .some("endDate", &r.ends.map(stamp).unwrap_or_default())
            .text("instanceMatchCriteria", "open")
    });
    Ok(Done::xml(body.done()))
}
