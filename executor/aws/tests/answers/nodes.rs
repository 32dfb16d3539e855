//! Instances of nodes: ended once, and their group made smaller once.

use serde_json::json;
use switchback_executor::ports::BoundEffect;
use switchback_schemas::journal::{Class, Outcome};

use crate::server::{Answer, Server, after, call, effect, operation};

const MEMBER: &str = "DescribeAutoScalingInstances";
const END: &str = "TerminateInstanceInAutoScalingGroup";

fn terminate() -> BoundEffect {
    effect(
        json!({"eks": {"terminateNode": {"target": "mlops", "providerId": "aws:///eu-central-1a/i-0abc"}}}),
    )
}

fn instance(state: &str, cluster: &str) -> Answer {
    Answer::Xml(
        200,
        format!(
            "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet><item>\
             <instancesSet><item><instanceId>i-0abc</instanceId><instanceState><code>16</code><name>{state}</name>\
             </instanceState><tagSet><item><key>eks:cluster-name</key><value>{cluster}</value></item></tagSet></item></instancesSet></item>\
             </reservationSet></DescribeInstancesResponse>"
        ),
    )
}

fn member(lifecycle: &str) -> Answer {
    Answer::Xml(
        200,
        format!(
            "<DescribeAutoScalingInstancesResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
             <DescribeAutoScalingInstancesResult><AutoScalingInstances><member><InstanceId>i-0abc</InstanceId>\
             <AutoScalingGroupName>eks-gpu</AutoScalingGroupName><LifecycleState>{lifecycle}</LifecycleState></member>\
             </AutoScalingInstances></DescribeAutoScalingInstancesResult></DescribeAutoScalingInstancesResponse>"
        ),
    )
}

fn ended() -> Answer {
    Answer::Xml(
        200,
        "<TerminateInstanceInAutoScalingGroupResponse><TerminateInstanceInAutoScalingGroupResult/>\
         </TerminateInstanceInAutoScalingGroupResponse>"
            .into(),
    )
}

#[tokio::test]
async fn an_instance_is_ended_once_and_not_replaced() {
    let server = Server::start(&[
        ("DescribeInstances", instance("running", "mlops")),
        (MEMBER, member("InService")),
        (END, ended()),
        // A lifecycle hook keeps it running for a while.
        ("DescribeInstances", instance("running", "mlops")),
        (MEMBER, member("Terminating:Wait")),
        ("DescribeInstances", instance("shutting-down", "mlops")),
        ("DescribeInstances", instance("terminated", "mlops")),
    ])
    .await;
    assert_eq!(operation(&server.apply(&call(), &terminate()).await), "i-0abc");
    let sent = server.asked().into_iter().find(|asked| asked.what == END).unwrap().body;
    assert!(sent.contains("ShouldDecrementDesiredCapacity=true"), "{sent}");
    assert!(sent.contains("InstanceId=i-0abc"), "{sent}");
    operation(&server.apply(&after("i-0abc"), &terminate()).await);
    operation(&server.apply(&after("i-0abc"), &terminate()).await);
    let outcome = server.apply(&after("i-0abc"), &terminate()).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert_eq!(server.names().iter().filter(|name| *name == END).count(), 1);
}

#[tokio::test]
async fn an_instance_of_another_cluster_is_left_alone() {
    let server = Server::start(&[("DescribeInstances", instance("running", "other"))]).await;
    let outcome = server.apply(&call(), &terminate()).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "{outcome:?}");
    assert_eq!(server.names(), ["DescribeInstances"]);
}

#[tokio::test]
async fn an_instance_that_is_gone_is_done_and_a_lost_answer_in_doubt() {
    let refusal = "<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>The instance ID 'i-0abc' does \
                   not exist</Message></Error></Errors><RequestID>r</RequestID></Response>";
    let server = Server::start(&[
        ("DescribeInstances", instance("running", "mlops")),
        (MEMBER, member("InService")),
        (END, Answer::Lost),
        ("DescribeInstances", Answer::Xml(400, refusal.to_owned())),
    ])
    .await;
    let outcome = server.apply(&call(), &terminate()).await;
    assert!(matches!(outcome, Outcome::InDoubt { class: Class::Unreachable, .. }), "{outcome:?}");
    let outcome = server.apply(&call(), &terminate()).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_group_that_may_not_have_fewer_nodes_says_what_to_do() {
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Currently, desiredSize \
                   equals minSize (2). Terminating instance without replacement will violate group's min size constraint.\
                   </Message></Error></ErrorResponse>";
    let server = Server::start(&[
        ("DescribeInstances", instance("running", "mlops")),
        (MEMBER, member("InService")),
        (END, Answer::Xml(400, refusal.to_owned())),
    ])
    .await;
    let outcome = server.apply(&call(), &terminate()).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = &outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("lower its least size first"), "{evidence:?}");
}
