//! Updates: begun, followed, adopted, and those of others.

use serde_json::json;
use switchback_schemas::journal::{Class, Outcome, WaitsFor};

use crate::server::{Answer, Server, after, call, cluster, operation, to_133, update};

const DESCRIBE: &str = "GET /clusters/mlops";
const BEGIN: &str = "POST /clusters/mlops/updates";
const LIST: &str = "GET /clusters/mlops/updates";

fn ids(ids: &[&str]) -> Answer {
    Answer::Json(200, json!({"updateIds": ids}))
}

#[tokio::test]
async fn an_update_is_begun_with_the_calls_token_and_followed_to_its_end() {
    let server = Server::start(&[
        (DESCRIBE, cluster("1.32", "ACTIVE")),
        (BEGIN, update("u-1", "1.33", "InProgress")),
        ("GET /clusters/mlops/updates/u-1", update("u-1", "1.33", "InProgress")),
        ("GET /clusters/mlops/updates/u-1", update("u-1", "1.33", "Successful")),
        (DESCRIBE, cluster("1.32", "ACTIVE")),
        ("GET /clusters/mlops/updates/u-1", update("u-1", "1.33", "Successful")),
        (DESCRIBE, cluster("1.33", "ACTIVE")),
    ])
    .await;
    assert_eq!(operation(&server.apply(&call(), &to_133()).await), "u-1");
    let begun = server.asked().into_iter().find(|asked| asked.what == BEGIN).unwrap();
    let sent: serde_json::Value = serde_json::from_str(&begun.body).unwrap();
    assert_eq!(sent, json!({"version": "1.33", "clientRequestToken": call().token}), "never forced");
    assert_eq!(operation(&server.apply(&after("u-1"), &to_133()).await), "u-1");
    // The update ended and the cluster does not show it yet: it is not begun again.
    assert_eq!(operation(&server.apply(&after("u-1"), &to_133()).await), "u-1");
    let outcome = server.apply(&after("u-1"), &to_133()).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

#[tokio::test]
async fn an_update_whose_answer_was_lost_is_adopted() {
    let server = Server::start(&[
        (DESCRIBE, cluster("1.32", "ACTIVE")),
        (BEGIN, Answer::Lost),
        // The cluster shows the update only later.
        (DESCRIBE, cluster("1.32", "ACTIVE")),
        (
            BEGIN,
            Answer::Fault(
                409,
                "ResourceInUseException",
                "Cannot update because cluster mlops currently has update 0b0a1f4e-98f2-3a14-8f1a-7d0c8e2b9d11 in progress",
            ),
        ),
        (
            "GET /clusters/mlops/updates/0b0a1f4e-98f2-3a14-8f1a-7d0c8e2b9d11",
            update("0b0a1f4e-98f2-3a14-8f1a-7d0c8e2b9d11", "1.33", "InProgress"),
        ),
    ])
    .await;
    let lost = server.apply(&call(), &to_133()).await;
    assert!(matches!(lost, Outcome::InDoubt { class: Class::Unreachable, .. }), "{lost:?}");
    let adopted = server.apply(&switchback_executor::ports::Call { attempt: 2, ..call() }, &to_133()).await;
    assert_eq!(operation(&adopted), "0b0a1f4e-98f2-3a14-8f1a-7d0c8e2b9d11");
}

#[tokio::test]
async fn a_cluster_that_is_updating_is_never_updated_again() {
    let server = Server::start(&[
        (DESCRIBE, cluster("1.32", "UPDATING")),
        (LIST, ids(&["u-0", "u-1"])),
        ("GET /clusters/mlops/updates/u-0", update("u-0", "1.32", "Successful")),
        ("GET /clusters/mlops/updates/u-1", update("u-1", "1.33", "InProgress")),
    ])
    .await;
    assert_eq!(operation(&server.apply(&call(), &to_133()).await), "u-1");
    assert!(!server.names().contains(&BEGIN.to_owned()));
}

#[tokio::test]
async fn the_update_of_somebody_else_is_named_and_waited_for() {
    let config = json!({"update": {"id": "u-7", "status": "InProgress", "type": "ConfigUpdate",
        "createdAt": 1_795_687_200.0, "params": [], "errors": []}});
    let server = Server::start(&[
        (DESCRIBE, cluster("1.32", "UPDATING")),
        (LIST, ids(&["u-7"])),
        ("GET /clusters/mlops/updates/u-7", Answer::Json(200, config)),
    ])
    .await;
    let outcome = server.apply(&call(), &to_133()).await;
    assert_eq!(operation(&outcome), "u-7");
    assert!(format!("{outcome:?}").contains("did not begin"), "{outcome:?}");
}

#[tokio::test]
async fn a_move_to_another_minor_is_for_a_person() {
    let server = Server::start(&[
        (DESCRIBE, cluster("1.32", "UPDATING")),
        (LIST, ids(&["u-7"])),
        ("GET /clusters/mlops/updates/u-7", update("u-7", "1.31", "InProgress")),
    ])
    .await;
    let outcome = server.apply(&call(), &to_133()).await;
    let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
    assert!(
        matches!(waits_for.as_slice(), [WaitsFor::Person { message }] if message.contains("u-7")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn after_an_update_that_failed_for_want_of_addresses_another_token_is_used() {
    let failed = json!({"update": {"id": "0b0a1f4e-98f2", "status": "Failed", "type": "VersionUpdate",
        "createdAt": 1_795_687_200.0, "params": [{"type": "Version", "value": "1.33"}],
        "errors": [{"errorCode": "IpNotAvailable", "errorMessage": "no free addresses", "resourceIds": ["subnet-1"]}]}});
    let server = Server::start(&[
        ("GET /clusters/mlops/updates/0b0a1f4e-98f2", Answer::Json(200, failed.clone())),
        (DESCRIBE, cluster("1.32", "ACTIVE")),
        // EKS knows the token, and answers with the update of then.
        (BEGIN, update("0b0a1f4e-98f2", "1.33", "InProgress")),
        ("GET /clusters/mlops/updates/0b0a1f4e-98f2", Answer::Json(200, failed)),
        (BEGIN, update("u-2", "1.33", "InProgress")),
        ("GET /clusters/mlops/updates/u-2", update("u-2", "1.33", "InProgress")),
    ])
    .await;
    let outcome = server.apply(&after("0b0a1f4e-98f2"), &to_133()).await;
    let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
    assert!(
        matches!(waits_for.as_slice(), [WaitsFor::Capacity { message }] if message.contains("subnet-1")),
        "{outcome:?}"
    );
    // What it waited for was no operation, so the next call names none.
    let again = server.apply(&switchback_executor::ports::Call { attempt: 3, ..call() }, &to_133()).await;
    assert_eq!(operation(&again), "u-2");
    let tokens: Vec<String> = server
        .asked()
        .iter()
        .filter(|asked| asked.what == BEGIN)
        .map(|asked| {
            serde_json::from_str::<serde_json::Value>(&asked.body).unwrap()["clientRequestToken"].to_string()
        })
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn a_cluster_that_is_elsewhere_is_a_conflict() {
    let server = Server::start(&[(DESCRIBE, cluster("1.31", "ACTIVE"))]).await;
    let outcome = server.apply(&call(), &to_133()).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    assert_eq!(server.names(), [DESCRIBE], "nothing is begun");
}
