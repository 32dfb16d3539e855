//! Refusals, broken connections, and answers that are none of AWS.

use std::time::Duration;

use serde_json::{Value, json};
use switchback_executor::ports::Cloud as _;
use switchback_schemas::{
    journal::{Class, Outcome, Verdict, WaitsFor},
    plan::{CloudCondition, CloudKind, CloudRef, Roles, Test},
};

use crate::server::{Answer, Server, apply, call, cluster, driver, effect, to_133};

const DESCRIBE: &str = "GET /clusters/mlops";
const BEGIN: &str = "POST /clusters/mlops/updates";

async fn begun(answer: Answer) -> (Outcome, usize) {
    let server = Server::start(&[(DESCRIBE, cluster("1.32", "ACTIVE")), (BEGIN, answer)]).await;
    let outcome = server.apply(&call(), &to_133()).await;
    (outcome, server.names().len())
}

#[tokio::test]
async fn what_was_refused_is_not_done_and_never_sent_again() {
    let cases = [
        (Answer::Fault(429, "ThrottlingException", "Rate exceeded"), Class::Throttled),
        (Answer::Fault(400, "InvalidParameterException", "unsupported version"), Class::Refused),
    ];
    for (answer, class) in cases {
        let (outcome, requests) = begun(answer).await;
        assert!(matches!(&outcome, Outcome::NotDone { class: found, .. } if *found == class), "{outcome:?}");
        assert_eq!(requests, 2);
    }
}

#[tokio::test]
async fn what_may_have_happened_is_in_doubt_and_never_sent_again() {
    for answer in [
        Answer::Lost,
        Answer::Fault(500, "ServerException", "oops"),
        Answer::Page(503),
        Answer::Json(200, json!({})),
    ] {
        let (outcome, requests) = begun(answer).await;
        assert!(matches!(&outcome, Outcome::InDoubt { class: Class::Unreachable, .. }), "{outcome:?}");
        assert_eq!(requests, 2);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_in_doubt() {
    let server = Server::start(&[(DESCRIBE, cluster("1.32", "ACTIVE")), (BEGIN, Answer::Silence)]).await;
    let driver = driver(server.aws_within(Duration::from_secs(3)).await, Roles::default());
    let outcome = apply(&driver, &call(), &to_133()).await;
    assert!(matches!(outcome, Outcome::InDoubt { class: Class::Unreachable, .. }), "{outcome:?}");
}

#[tokio::test]
async fn expired_credentials_block_and_are_no_failure() {
    for code in ["ExpiredTokenException", "AccessDeniedException"] {
        let (outcome, _) =
            begun(Answer::Fault(403, code, "The security token included in the request is expired")).await;
        let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
        assert!(matches!(waits_for.as_slice(), [WaitsFor::Credentials { .. }]), "{outcome:?}");
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_done() {
    let server = Server::start(&[]).await;
    let mut gone = server.endpoint.clone();
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    gone.truncate("http://127.0.0.1:".len());
    gone.push_str(&listener.local_addr().unwrap().port().to_string());
    drop(listener);
    let aws = switchback_aws::Aws::open(switchback_aws::AwsSettings {
        endpoint: Some(gone),
        credentials: Some(switchback_aws::StaticCredentials {
            access_key: "A".into(),
            secret_key: "s".into(),
            session_token: None,
        }),
        ..switchback_aws::AwsSettings::default()
    })
    .await;
    let outcome = apply(&driver(aws, Roles::default()), &call(), &to_133()).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. }), "{outcome:?}");
}

/// A 404 of something in between would let a node group that stands be taken for deleted.
#[tokio::test]
async fn a_404_that_is_not_the_apis_says_nothing_about_what_is_there() {
    let effect = effect(json!({"eks": {"deleteNodegroup": {"target": "mlops", "nodegroup": "gpu"}}}));
    let path = "GET /clusters/mlops/node-groups/gpu";
    let server = Server::start(&[
        (path, Answer::Page(404)),
        (path, Answer::Fault(404, "ResourceNotFoundException", "No node group found for name: gpu.")),
    ])
    .await;
    let outcome = server.apply(&call(), &effect).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. }), "{outcome:?}");
    let outcome = server.apply(&call(), &effect).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

fn group(pointer: &str, is: Test<Value>) -> CloudCondition<Value> {
    let of = CloudRef {
        target: "mlops".parse().unwrap(),
        kind: CloudKind::EksNodegroup,
        name: Some("gpu".into()),
    };
    CloudCondition::Field { of, pointer: pointer.into(), is }
}

#[tokio::test]
async fn a_condition_is_three_valued() {
    let path = "GET /clusters/mlops/node-groups/gpu";
    let group_answer = json!({"nodegroup": {"nodegroupName": "gpu", "version": "1.33", "status": "ACTIVE"}});
    let server = Server::start(&[
        (path, Answer::Json(200, group_answer.clone())),
        (path, Answer::Json(200, group_answer)),
        (path, Answer::Fault(404, "ResourceNotFoundException", "none")),
        (path, Answer::Page(404)),
        (path, Answer::Fault(429, "ThrottlingException", "Rate exceeded")),
    ])
    .await;
    let driver = server.driver().await;
    let newer = || group("/version", Test::VersionAtLeast("1.33".parse().unwrap()));
    assert!(driver.check(&newer()).await.is_holding());
    let none = driver.check(&group("", Test::Absent {})).await;
    assert!(matches!(none, Verdict::Fails { .. }), "{none:?}");
    assert!(driver.check(&group("", Test::Absent {})).await.is_holding());
    for _ in 0..2 {
        let verdict = driver.check(&group("", Test::Absent {})).await;
        assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    }
    // A field that is not read would be taken for absent.
    let verdict = driver.check(&group("/warmPoolConfig", Test::Absent {})).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    assert_eq!(server.names().len(), 5);
}

fn insights() -> CloudCondition<Value> {
    CloudCondition::Insights {
        target: "mlops".parse().unwrap(),
        category: switchback_schemas::plan::InsightCategory::UpgradeReadiness,
        kubernetes: "1.33".parse().unwrap(),
        accepted_until: std::collections::BTreeMap::new(),
    }
}

/// A finding that EKS made an hour before the test's clock.
fn finding(status: &str) -> Answer {
    let at: jiff::Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
    let insight = json!({"id": "i-1", "name": "Kubelet version skew", "category": "UPGRADE_READINESS",
        "kubernetesVersion": "1.33", "lastRefreshTime": at.as_second(),
        "insightStatus": {"status": status, "reason": "said so"}});
    Answer::Json(200, json!({"insights": [insight]}))
}

#[tokio::test]
async fn p09_eks_is_asked_to_look_again_before_a_finding_stops_anything() {
    const LIST: &str = "POST /clusters/mlops/insights";
    const LAST: &str = "GET /clusters/mlops/insights-refresh";
    const AGAIN: &str = "POST /clusters/mlops/insights-refresh";
    let never = || Answer::Fault(404, "ResourceNotFoundException", "No refresh was started");
    let ended = |at: &str| {
        let at: jiff::Timestamp = at.parse().unwrap();
        Answer::Json(
            200,
            json!({"status": "COMPLETED", "message": "done", "startedAt": at.as_second(), "endedAt": at.as_second()}),
        )
    };
    let going = || Answer::Json(200, json!({"status": "IN_PROGRESS", "message": "looking"}));
    let asked = async |script: &[(&str, Answer)]| {
        let server = Server::start(script).await;
        let verdict = server.driver().await.check(&insights()).await;
        (verdict, server.names())
    };

    let (verdict, names) = asked(&[(LIST, finding("PASSING"))]).await;
    assert!(verdict.is_holding(), "{verdict:?}");
    assert!(names == [LIST], "{verdict:?}");
    let (verdict, names) = asked(&[(LIST, finding("ERROR")), (LAST, never()), (AGAIN, going())]).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    assert!(names.len() == 3, "{verdict:?}");
    let (verdict, names) = asked(&[(LIST, finding("ERROR")), (LAST, going())]).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "not asked twice: {verdict:?}");
    assert!(names.len() == 2, "not asked twice: {verdict:?}");
    let (verdict, names) = asked(&[(LIST, finding("ERROR")), (LAST, ended("2026-11-20T09:55:00Z"))]).await;
    assert!(matches!(verdict, Verdict::Fails { .. }), "it has just looked: {verdict:?}");
    assert!(names.len() == 2, "it has just looked: {verdict:?}");
    let (verdict, _) =
        asked(&[(LIST, finding("ERROR")), (LAST, ended("2026-11-20T08:00:00Z")), (AGAIN, going())]).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "that was long ago: {verdict:?}");
    let denied =
        || Answer::Fault(403, "AccessDeniedException", "not authorized to perform: eks:StartInsightsRefresh");
    let (verdict, _) = asked(&[(LIST, finding("ERROR")), (LAST, never()), (AGAIN, denied())]).await;
    assert!(matches!(&verdict, Verdict::Fails { evidence } if evidence.0.len() == 2), "{verdict:?}");
    let (verdict, _) = asked(&[(LIST, Answer::Fault(429, "ThrottlingException", "Rate exceeded"))]).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
}
