//! Roles by purpose, identity, and credentials that end.

use std::collections::BTreeMap;

use switchback_executor::ports::{Call, Cloud as _};
use switchback_schemas::{
    journal::{Class, Outcome, WaitsFor},
    plan::{CloudCapture, CloudCondition, CloudKind, CloudRef, Proof, Roles, Test},
};

use crate::server::{ACCOUNT, Answer, Server, apply, call, cluster, driver, to_133, update};

fn role(name: &str) -> switchback_schemas::plan::Arn {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}").parse().unwrap()
}

fn roles() -> Roles {
    Roles { observe: Some(role("look")), apply: Some(role("go")), rollback: Some(role("back")) }
}

fn taken(key: &str) -> Answer {
    Answer::Xml(
        200,
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t-{key}</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser>\
             <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{key}/switchback</Arn><AssumedRoleId>X:switchback</AssumedRoleId>\
             </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

fn identity(account: &str, key: &str) -> Answer {
    Answer::Xml(
        200,
        format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:sts::{account}:assumed-role/{key}/switchback</Arn><UserId>X</UserId><Account>{account}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
    )
}

/// Which access key signed each request.
fn signers(server: &Server) -> BTreeMap<String, String> {
    let key = |head: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with("authorization:"))?;
        Some(line.split("Credential=").nth(1)?.split('/').next()?.to_owned())
    };
    server.asked().iter().filter_map(|asked| Some((asked.what.clone(), key(&asked.head)?))).collect()
}

#[tokio::test]
async fn each_purpose_has_its_role() {
    let server = Server::start(&[
        ("AssumeRole", taken("AKIDGO")),
        ("GET /clusters/mlops", cluster("1.32", "ACTIVE")),
        ("POST /clusters/mlops/updates", update("u-1", "1.33", "InProgress")),
    ])
    .await;
    let driver = driver(server.aws().await, roles());
    apply(&driver, &call(), &to_133()).await;
    let assumed = server.asked().into_iter().find(|asked| asked.what == "AssumeRole").unwrap();
    assert!(assumed.body.contains("role%2Fgo"), "{}", assumed.body);
    assert!(assumed.body.contains("RoleSessionName=switchback"), "{}", assumed.body);
    let signers = signers(&server);
    assert_eq!(signers["AssumeRole"], "AKIDBASE");
    assert_eq!(signers["POST /clusters/mlops/updates"], "AKIDGO");

    let server = Server::start(&[
        ("AssumeRole", taken("AKIDBACK")),
        ("GET /clusters/mlops", cluster("1.33", "ACTIVE")),
        ("AssumeRole", taken("AKIDLOOK")),
        ("GET /clusters/mlops", cluster("1.33", "ACTIVE")),
        ("GET /clusters/mlops", cluster("1.33", "ACTIVE")),
    ])
    .await;
    let driver = crate::server::driver(server.aws().await, roles());
    apply(&driver, &Call { back: true, ..call() }, &to_133()).await;
    let of = CloudRef { target: "mlops".parse().unwrap(), kind: CloudKind::EksCluster, name: None };
    let is = Test::Present {};
    driver.check(&CloudCondition::Field { of: of.clone(), pointer: "/version".into(), is }).await;
    driver.capture(&CloudCapture { of, pointer: "/version".into() }).await.unwrap();
    let roles: Vec<bool> = server
        .asked()
        .iter()
        .filter(|asked| asked.what == "AssumeRole")
        .map(|asked| asked.body.contains("role%2Fback"))
        .collect();
    assert_eq!(roles, [true, false], "each role is taken on once");
}

#[tokio::test]
async fn a_role_that_cannot_be_taken_on_blocks_and_is_named() {
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: \
                   sts:AssumeRole</Message></Error><RequestId>r</RequestId></ErrorResponse>";
    let server = Server::start(&[("AssumeRole", Answer::Xml(403, refusal.to_owned()))]).await;
    let outcome = apply(&driver(server.aws().await, roles()), &call(), &to_133()).await;
    let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
    let [WaitsFor::Credentials { message }] = waits_for.as_slice() else { panic!("{outcome:?}") };
    assert!(message.contains("role/go"), "{message}");
    assert!(message.contains("not authorized"), "{message}");
}

#[tokio::test]
async fn after_credentials_ended_others_are_asked_for() {
    let server = Server::start(&[
        ("AssumeRole", taken("AKIDFIRST")),
        ("GET /clusters/mlops", Answer::Fault(403, "ExpiredTokenException", "expired")),
        ("AssumeRole", taken("AKIDSECOND")),
        ("GET /clusters/mlops", cluster("1.33", "ACTIVE")),
    ])
    .await;
    let driver = driver(server.aws().await, roles());
    let outcome = apply(&driver, &call(), &to_133()).await;
    assert!(matches!(outcome, Outcome::Blocked { .. }), "{outcome:?}");
    let outcome = apply(&driver, &call(), &to_133()).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert_eq!(signers(&server)["GET /clusters/mlops"], "AKIDSECOND");
}

#[tokio::test]
async fn identity_is_the_account_of_every_role_and_the_resources_own_name() {
    let target = "mlops".parse().unwrap();
    let server = Server::start(&[
        ("GetCallerIdentity", identity(ACCOUNT, "k")),
        ("GET /clusters/mlops", cluster("1.32", "ACTIVE")),
    ])
    .await;
    let proof = server.driver().await.proof(&target).await.unwrap().unwrap();
    let Proof::Arn { arn } = proof else { panic!("{proof:?}") };
    assert_eq!(arn.name(), "mlops");

    let server = Server::start(&[
        ("AssumeRole", taken("AKIDLOOK")),
        ("GetCallerIdentity", identity(ACCOUNT, "look")),
        ("AssumeRole", taken("AKIDGO")),
        ("GetCallerIdentity", identity("999900001111", "go")),
    ])
    .await;
    let failure = driver(server.aws().await, roles()).proof(&target).await.unwrap().unwrap_err();
    assert_eq!(failure.class, Class::Denied);
    assert!(failure.evidence.0[0].contains("999900001111"), "{failure}");

    let driver = server.driver().await;
    assert!(driver.proof(&"other".parse().unwrap()).await.is_none(), "no target of this driver");
}
