//! Who calls: keys, roles, accounts, expiry, and the way into the cluster.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use switchback_twin::aws;

use crate::scene::{CLUSTER, Scene, world};

const APPLY: &str = "arn:aws:iam::111122223333:role/switchback-apply";
const OBSERVE: &str = "arn:aws:iam::111122223333:role/switchback-observe";
const ELSEWHERE: &str = "arn:aws:iam::444455556666:role/switchback-apply";

async fn assume(scene: &mut Scene, role: &str) {
    let answer = scene.form("sts", "AssumeRole", &[("RoleArn", role), ("RoleSessionName", "run-1")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let key = answer.element("AccessKeyId").to_owned();
    let token = answer.element("SessionToken").to_owned();
    // The client of these tests does not sign, so nobody must look.
    scene.twin.with(|w| w.cloud_mut().access_keys.get_mut(&key).unwrap().secret = None);
    scene.key = (key, Some(token));
}

#[tokio::test]
async fn an_assumed_role_is_somebody_else() {
    let mut scene = Scene::new().await;
    let me = scene.form("sts", "GetCallerIdentity", &[]).await;
    assert_eq!(
        (me.element("Account"), me.element("Arn")),
        ("111122223333", "arn:aws:iam::111122223333:user/twin")
    );
    let nobody = scene
        .form(
            "sts",
            "AssumeRole",
            &[("RoleArn", "arn:aws:iam::111122223333:role/other"), ("RoleSessionName", "x")],
        )
        .await;
    assert_eq!((nobody.status, nobody.error.as_str()), (403, "AccessDenied"));
    assume(&mut scene, OBSERVE).await;
    let me = scene.form("sts", "GetCallerIdentity", &[]).await;
    assert_eq!(me.element("Arn"), "arn:aws:sts::111122223333:assumed-role/switchback-observe/run-1");
    let path = format!("/clusters/{CLUSTER}");
    assert_eq!(scene.eks("GET", &path, Value::Null).await.status, 200);
    let denied = scene.eks("POST", &format!("{path}/updates"), json!({"version": "1.33"})).await;
    assert_eq!((denied.status, denied.error.as_str()), (403, "AccessDeniedException"));
    assert!(denied.text.contains("eks:UpdateClusterVersion"));
    scene.minutes(61);
    let late = scene.eks("GET", &path, Value::Null).await;
    assert_eq!((late.status, late.error.as_str()), (403, "ExpiredTokenException"));
    let late = scene.form("rds", "DescribeDBInstances", &[]).await;
    assert_eq!((late.status, late.error.as_str()), (403, "ExpiredToken"));
    let late = scene.form("ec2", "DescribeSubnets", &[]).await;
    assert_eq!(late.error, "RequestExpired");
}

#[tokio::test]
async fn another_account_sees_nothing_of_this_one() {
    let mut scene = Scene::new().await;
    assume(&mut scene, ELSEWHERE).await;
    let me = scene.form("sts", "GetCallerIdentity", &[]).await;
    assert_eq!(me.element("Account"), "444455556666");
    let path = format!("/clusters/{CLUSTER}");
    assert_eq!(scene.eks("GET", &path, Value::Null).await.error, "ResourceNotFoundException");
    assert_eq!(scene.get("/clusters").await["clusters"], json!([]));
    let all = scene.form("rds", "DescribeDBInstances", &[]).await;
    assert!(!all.text.contains("<DBInstance>"), "{}", all.text);
}

#[tokio::test]
async fn temporary_keys_are_only_those_that_were_handed_out() {
    let mut scene = Scene::new().await;
    scene.key = ("ASIAUNKNOWN".into(), Some("x".into()));
    let answer = scene.eks("GET", "/clusters", Value::Null).await;
    assert_eq!((answer.status, answer.error.as_str()), (403, "UnrecognizedClientException"));
    let answer = scene.form("sts", "GetCallerIdentity", &[]).await;
    assert_eq!((answer.status, answer.error.as_str()), (403, "InvalidClientTokenId"));
}

#[tokio::test]
async fn a_signature_is_checked_where_the_secret_is_known() {
    let mut world = world();
    let key = aws::AccessKey {
        arn: "arn:aws:iam::111122223333:user/careful".into(),
        secret: Some("secret".into()),
        ..aws::AccessKey::default()
    };
    world.cloud_mut().access_keys.insert("AKIACAREFUL".into(), key);
    let mut scene = Scene::of(world).await;
    scene.key = ("AKIACAREFUL".into(), None);
    let answer = scene.eks("GET", "/clusters", Value::Null).await;
    assert_eq!((answer.status, answer.error.as_str()), (403, "InvalidSignatureException"));
    let answer = scene.form("rds", "DescribeDBInstances", &[]).await;
    assert_eq!(answer.error, "SignatureDoesNotMatch");
}

fn token(key: &str, session: Option<&str>, headers: &str) -> String {
    let mut url = format!(
        "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key}%2F20261120%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20261120T100000Z&X-Amz-Expires=60&X-Amz-SignedHeaders={headers}"
    );
    if let Some(session) = session {
        url.push_str("&X-Amz-Security-Token=");
        url.push_str(session);
    }
    url.push_str("&X-Amz-Signature=00");
    format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url))
}

#[tokio::test]
async fn a_presigned_call_of_sts_opens_the_cluster() {
    let mut scene = Scene::new().await;
    let nodes = "/api/v1/nodes";
    let mine = token("AKIATEST", None, "host%3Bx-k8s-aws-id");
    assert_eq!(scene.kube(nodes, Some(&mine)).await.0, 200);
    assert_eq!(scene.kube(nodes, Some(&token("AKIATEST", None, "host"))).await.0, 401, "not for a cluster");
    assert_eq!(scene.kube(nodes, Some("k8s-aws-v1.rubbish")).await.0, 401);
    assume(&mut scene, APPLY).await;
    let (key, session) = scene.key.clone();
    let theirs = token(&key, session.as_deref(), "host%3Bx-k8s-aws-id");
    assert_eq!(scene.kube(nodes, Some(&theirs)).await.0, 200);
    assert_eq!(
        scene.kube(nodes, Some(&token(&key, None, "host%3Bx-k8s-aws-id"))).await.0,
        401,
        "its session token is missing"
    );
    scene.twin.with(|w| w.cloud_mut().eks.clusters.get_mut(CLUSTER).unwrap().access = vec![OBSERVE.into()]);
    assert_eq!(scene.kube(nodes, Some(&theirs)).await.0, 401, "no access entry");
    scene.twin.with(|w| w.cloud_mut().eks.clusters.get_mut(CLUSTER).unwrap().access = vec![APPLY.into()]);
    assert_eq!(scene.kube(nodes, Some(&theirs)).await.0, 200);
    scene.twin.advance_by(Duration::from_secs(3601));
    assert_eq!(scene.kube(nodes, Some(&theirs)).await.0, 401, "expired");
}
