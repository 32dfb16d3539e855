//! Accounts, roles, credentials that end, and how EKS knows a caller.

use switchback_aws::ClusterToken;
use switchback_executor::ports::Cloud as _;
use switchback_schemas::{
    journal::{Class, Outcome, WaitsFor},
    plan::{Arn, CloudCondition, CloudKind, Proof, Roles},
};
use switchback_twin::aws;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::scene::{ACCOUNT, CLUSTER, Scene, call, control_plane, done, world};

fn role(account: &str, name: &str) -> Arn {
    format!("arn:aws:iam::{account}:role/{name}").parse().unwrap()
}

#[tokio::test]
async fn roles_are_taken_on_by_purpose() {
    let mut scene = Scene::new().await;
    scene.roles = Roles {
        observe: Some(role(ACCOUNT, "switchback-observe")),
        apply: Some(role(ACCOUNT, "switchback-apply")),
        rollback: Some(role(ACCOUNT, "switchback-rollback")),
    };
    done(&scene.carry(&control_plane("1.32", "1.33")).await);
    assert_eq!(scene.read(CloudKind::EksCluster, None, "/version").await, "1.33");
    let proof = scene.driver().await.proof(&"db".parse().unwrap()).await.unwrap().unwrap();
    assert!(matches!(proof, Proof::Arn { arn } if arn.service() == "rds"));

    // A role that may only look cannot move anything.
    scene.roles.apply.clone_from(&scene.roles.observe);
    let outcome = scene.apply(&call(), &control_plane("1.33", "1.34")).await;
    let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
    assert!(
        matches!(waits_for.as_slice(), [WaitsFor::Credentials { message }] if message.contains("not authorized")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn credentials_of_another_account_are_no_proof() {
    let mut scene = Scene::new().await;
    scene.roles = Roles { apply: Some(role("444455556666", "switchback-apply")), ..Roles::default() };
    let failure = scene.driver().await.proof(&"mlops".parse().unwrap()).await.unwrap().unwrap_err();
    assert_eq!(failure.class, Class::Denied);
    assert!(failure.evidence.0[0].contains("444455556666"), "{failure}");
    scene.roles = Roles { rollback: Some(role(ACCOUNT, "nobody")), ..Roles::default() };
    let failure = scene.driver().await.proof(&"mlops".parse().unwrap()).await.unwrap().unwrap_err();
    assert_eq!(failure.class, Class::Denied, "the rollback is proven too: {failure}");
}

#[tokio::test]
async fn keys_that_have_ended_block_and_never_fail() {
    let mut world = world();
    let ended = aws::AccessKey {
        arn: format!("arn:aws:iam::{ACCOUNT}:user/ci"),
        expires: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        ..aws::AccessKey::default()
    };
    world.cloud_mut().access_keys.insert("AKIAENDED".into(), ended);
    let mut scene = Scene::of(world).await;
    scene.key = "AKIAENDED".into();
    for effect in [
        control_plane("1.32", "1.33"),
        crate::scene::effect(serde_json::json!({"rds": {"snapshot": {"target": "db", "snapshot": "s"}}})),
    ] {
        let outcome = scene.apply(&call(), &effect).await;
        let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
        assert!(matches!(waits_for.as_slice(), [WaitsFor::Credentials { .. }]), "{outcome:?}");
    }
}

/// The signature is made by us and checked by the twin, which shares no code with us.
#[tokio::test]
async fn signatures_hold() {
    let mut world = world();
    let known = aws::AccessKey {
        arn: format!("arn:aws:iam::{ACCOUNT}:user/ci"),
        secret: Some("secret".into()),
        ..aws::AccessKey::default()
    };
    world.cloud_mut().access_keys.insert("AKIAKNOWN".into(), known);
    let mut scene = Scene::of(world).await;
    scene.key = "AKIAKNOWN".into();
    let proof = scene.driver().await.proof(&"mlops".parse().unwrap()).await.unwrap().unwrap();
    assert!(matches!(proof, Proof::Arn { .. }));
    let free = CloudCondition::FreeAddresses { target: "mlops".parse().unwrap(), at_least: 5 };
    assert!(scene.check(&free).await.is_holding());
    assert_eq!(status(&scene, &token(&scene, CLUSTER).await).await, 200);
}

async fn token(scene: &Scene, cluster: &str) -> String {
    ClusterToken::new(scene.aws().await, cluster, "eu-west-1", None).token().await.unwrap().secret
}

/// What the API server answers to a bearer.
async fn status(scene: &Scene, bearer: &str) -> u16 {
    let mut socket = TcpStream::connect(scene.endpoint().trim_start_matches("http://")).await.unwrap();
    let request = format!(
        "GET /api/v1/namespaces/kube-system HTTP/1.1\r\nhost: twin\r\nauthorization: Bearer {bearer}\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_cluster_knows_its_callers_by_a_presigned_url() {
    let mut world = world();
    let admin = format!("arn:aws:iam::{ACCOUNT}:role/switchback-apply");
    world.cloud_mut().eks.clusters.get_mut(CLUSTER).unwrap().access = vec![admin];
    let scene = Scene::of(world).await;
    assert_eq!(status(&scene, &token(&scene, CLUSTER).await).await, 401, "it has no access entry");
    let role = role(ACCOUNT, "switchback-apply");
    let source = ClusterToken::new(scene.aws().await, CLUSTER, "eu-west-1", Some(role.clone()));
    let good = source.token().await.unwrap();
    assert_eq!(status(&scene, &good.secret).await, 200);
    let other = ClusterToken::new(scene.aws().await, "other", "eu-west-1", Some(role)).token().await.unwrap();
    assert_eq!(status(&scene, &other.secret).await, 401, "it was signed for another cluster");
}
