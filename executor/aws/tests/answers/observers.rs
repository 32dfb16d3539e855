//! Observers: patient when throttled, and honest about what they could not read.

use std::collections::BTreeMap;

use serde_json::json;
use switchback_aws::{observe, resolve_addons};
use switchback_executor::ports::Cloud as _;
use switchback_schemas::{
    inventory::Wanted,
    journal::Class,
    lock::AskAddon,
    plan::{Arn, AwsResource, CloudCondition, Roles},
};

use crate::server::{ACCOUNT, Answer, REGION, Server, cluster};

fn wanted() -> Wanted {
    let cluster = AwsResource { arn: Arn::eks_cluster(REGION, ACCOUNT, "mlops"), roles: Roles::default() };
    Wanted { aws: BTreeMap::from([("mlops".parse().unwrap(), cluster)]), ..Wanted::default() }
}

fn subnets(free: [u64; 2]) -> Answer {
    let item = |n: usize, free: u64| {
        format!(
            "<item><subnetId>subnet-{n}</subnetId><availabilityZone>eu-central-1a</availabilityZone>\
             <availableIpAddressCount>{free}</availableIpAddressCount></item>"
        )
    };
    let items = item(1, free[0]) + &item(2, free[1]);
    Answer::Xml(
        200,
        format!("<DescribeSubnetsResponse><subnetSet>{items}</subnetSet></DescribeSubnetsResponse>"),
    )
}

#[tokio::test]
async fn throttling_is_waited_out_and_what_cannot_be_read_is_named() {
    let empty = |name: &str| Answer::Json(200, json!({name: []}));
    let throttled = || Answer::Fault(429, "ThrottlingException", "Rate exceeded");
    let slow = "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>slow</Message></Error></Errors></Response>";
    let server = Server::start(&[
        ("GET /clusters/mlops", throttled()),
        ("GET /clusters/mlops", throttled()),
        ("GET /clusters/mlops", cluster("1.32", "ACTIVE")),
        ("GET /clusters/mlops/node-groups", Answer::Json(200, json!({"nodegroups": ["gpu"], "nextToken": "more"}))),
        ("GET /clusters/mlops/node-groups", Answer::Json(200, json!({"nodegroups": ["cpu"]}))),
        (
            "GET /clusters/mlops/node-groups/cpu",
            Answer::Json(200, json!({"nodegroup": {"nodegroupName": "cpu", "version": "1.32",
                "releaseVersion": "1.32.9-20261023", "status": "ACTIVE", "amiType": "AL2023_x86_64_STANDARD",
                "scalingConfig": {"minSize": 1, "desiredSize": 2, "maxSize": 3},
                "updateConfig": {"maxUnavailablePercentage": 33}}})),
        ),
        ("GET /clusters/mlops/node-groups/gpu", Answer::Fault(403, "AccessDeniedException", "not authorized")),
        ("GET /clusters/mlops/addons", empty("addons")),
        ("POST /clusters/mlops/insights", empty("insights")),
        ("POST /clusters/mlops/insights", empty("insights")),
        ("DescribeSubnets", Answer::Xml(503, slow.to_owned())),
        ("DescribeSubnets", subnets([7, 0])),
        ("GET /clusters/mlops/updates", empty("updateIds")),
        ("GET /clusters/mlops/fargate-profiles", empty("fargateProfileNames")),
        (
            "GET /cluster-versions",
            Answer::Json(200, json!({"clusterVersions": [{"clusterVersion": "1.33",
                "endOfStandardSupportDate": 1_785_283_200, "endOfExtendedSupportDate": 1_816_819_200}]})),
        ),
        (
            "DescribeCapacityReservations",
            Answer::Xml(200, "<R><capacityReservationSet><item><instanceType>p5.48xlarge</instanceType>\
                <availableInstanceCount>2</availableInstanceCount></item><item><instanceType>p5.48xlarge</instanceType>\
                <availableInstanceCount>1</availableInstanceCount></item></capacityReservationSet></R>".into()),
        ),
    ])
    .await;
    let observed = observe(&server.aws().await, &wanted()).await;
    let seen = &observed.eks.0[&"mlops".parse().unwrap()];
    assert_eq!(seen.nodegroups.len(), 1);
    assert_eq!(seen.nodegroups[0].max_unavailable, switchback_schemas::plan::Count::Percent(33));
    assert_eq!(seen.subnets.iter().map(|subnet| subnet.free).collect::<Vec<_>>(), [7, 0]);
    assert_eq!(seen.calendar[0].standard_until.to_string(), "2026-07-29");
    assert_eq!(seen.reserved, BTreeMap::from([("p5.48xlarge".to_owned(), 3)]));
    let unread: Vec<String> = observed.unread.iter().map(|unread| unread.what.to_string()).collect();
    assert_eq!(unread, ["node group gpu of cluster mlops"]);
    assert!(observed.unread[0].why.starts_with("AccessDeniedException"), "{:?}", observed.unread);
    assert_eq!(observed.requests, server.names().len() as u64);
}

#[tokio::test]
async fn another_accounts_cluster_of_that_name_is_not_taken_for_it() {
    let other = json!({"cluster": {"name": "mlops", "version": "1.32", "status": "ACTIVE",
        "arn": "arn:aws:eks:eu-central-1:999900001111:cluster/mlops"}});
    let server = Server::start(&[("GET /clusters/mlops", Answer::Json(200, other))]).await;
    let observed = observe(&server.aws().await, &wanted()).await;
    assert!(observed.eks.0.is_empty());
    assert!(observed.unread[0].why.contains("999900001111"), "{:?}", observed.unread);
}

#[tokio::test]
async fn free_addresses_are_counted() {
    let server = Server::start(&[
        ("GET /clusters/mlops", cluster("1.32", "ACTIVE")),
        ("DescribeSubnets", subnets([7, 3])),
    ])
    .await;
    let enough = CloudCondition::FreeAddresses { target: "mlops".parse().unwrap(), at_least: 5 };
    assert!(server.driver().await.check(&enough).await.is_holding());
    let asked = server.asked().pop().unwrap().body;
    assert!(asked.contains("SubnetId.1=subnet-1&SubnetId.2=subnet-2"), "{asked}");
}

#[tokio::test]
async fn versions_of_add_ons_are_looked_up_or_it_fails() {
    let versions = json!({"addons": [{"addonName": "coredns", "addonVersions": [
        {"addonVersion": "v1.12.4-eksbuild.1", "compatibilities": [{"clusterVersion": "1.33", "defaultVersion": true}]}]}]});
    let server = Server::start(&[
        ("GET /addons/supported-versions", Answer::Json(200, versions)),
        ("GET /addons/supported-versions", Answer::Fault(400, "InvalidParameterException", "no such add-on")),
    ])
    .await;
    let aws = server.aws().await;
    let ask = |addon: &str| AskAddon {
        target: "mlops".parse().unwrap(),
        addon: addon.into(),
        kubernetes: "1.33".parse().unwrap(),
    };
    let found = resolve_addons(&aws, &[ask("coredns"), ask("coredns")], &wanted().aws).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].default.as_deref(), Some("v1.12.4-eksbuild.1"));
    let failure = resolve_addons(&aws, &[ask("nope")], &wanted().aws).await.unwrap_err();
    assert_eq!(failure.class, Class::Refused);
}
