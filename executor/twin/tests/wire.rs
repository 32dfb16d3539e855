//! The twin on loopback: clock, faults, log, programs; and in process through a kube client's eyes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use switchback_twin::{Clocking, Fault, FaultKind, Twin, World, serve, write_launchers};
use tower::ServiceExt as _;

fn twin() -> Twin {
    let world = World::new("2026-11-20T10:00:00Z".parse().unwrap());
    let twin = Twin::new(world);
    twin.advance_by(Duration::from_secs(1));
    twin
}

async fn call(url: &str, method: &str, body: Option<Value>) -> Result<(u16, Value), String> {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let bytes = body.map(|b| b.to_string()).unwrap_or_default();
    let request = http::Request::builder().method(method).uri(url).header("content-type", "application/json");
    let response =
        client.request(request.body(Full::new(bytes.into())).unwrap()).await.map_err(|e| e.to_string())?;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn the_clock_moves_only_when_asked() {
    let twin = twin();
    let handle = serve(&twin, "127.0.0.1:0".parse().unwrap(), Clocking::Manual).await.unwrap();
    let root = format!("http://{}", handle.addr);
    let (_, clock) = call(&format!("{root}/_twin/clock"), "GET", None).await.unwrap();
    assert_eq!(clock["now"], "2026-11-20T10:00:01Z");
    let (_, clock) = call(&format!("{root}/_twin/clock"), "POST", Some(json!({"by": 60}))).await.unwrap();
    assert_eq!(clock["now"], "2026-11-20T10:01:01Z");
    let (_, clock) =
        call(&format!("{root}/_twin/clock"), "POST", Some(json!({"to": "2026-11-20T09:00:00Z"})))
            .await
            .unwrap();
    assert_eq!(clock["now"], "2026-11-20T10:01:01Z", "never back");
    let (status, _) =
        call(&format!("{root}/_twin/clock"), "POST", Some(json!({"by": 1, "next": true}))).await.unwrap();
    assert_eq!(status, 400);
    assert!(handle.kubeconfig().contains(&root));
    handle.stop().await;
}

#[tokio::test]
async fn faults_hit_before_after_and_instead_of_the_answer() {
    let twin = twin();
    let handle = serve(&twin, "127.0.0.1:0".parse().unwrap(), Clocking::Manual).await.unwrap();
    let root = format!("http://{}", handle.addr);
    let faults = json!([
        {"verb": "POST", "path": "*/configmaps", "nth": 1, "kind": {"before": {"status": 429, "retryAfter": 7}}},
        {"verb": "POST", "path": "*/configmaps", "nth": 2, "kind": {"after": {"status": 500}}},
        {"verb": "POST", "path": "*/configmaps", "nth": 3, "kind": "lost"},
    ]);
    assert_eq!(call(&format!("{root}/_twin/faults"), "POST", Some(faults)).await.unwrap().0, 200);
    let post = async |name: &str| call(&format!("{root}{MAPS}"), "POST", Some(map(name))).await;
    let get = async |name: &str| call(&format!("{root}{MAPS}/{name}"), "GET", None).await.unwrap().0;
    let (status, body) = post("a").await.unwrap();
    assert_eq!((status, &body["details"]["retryAfterSeconds"]), (429, &json!(7)));
    assert_eq!(get("a").await, 404);
    assert_eq!(post("b").await.unwrap().0, 500);
    assert_eq!(get("b").await, 200);
    assert!(post("c").await.is_err(), "the connection closed");
    assert_eq!(get("c").await, 200);
    let (_, log) = call(&format!("{root}/_twin/log"), "GET", None).await.unwrap();
    let effects: Vec<&str> = log.as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    assert_eq!(effects, [MAPS, MAPS], "the refused one is no effect");
    handle.stop().await;
}

#[tokio::test]
async fn a_delayed_answer_waits_for_the_domain_clock() {
    let twin = twin();
    twin.inject(Fault::new("GET", "/version", FaultKind::Delay { seconds: 30 }));
    let request = http::Request::get("/version").body(Full::<Bytes>::default()).unwrap();
    let answer = tokio::spawn(twin.kube().oneshot(request));
    tokio::task::yield_now().await;
    assert!(!answer.is_finished());
    twin.advance_by(Duration::from_secs(29));
    tokio::task::yield_now().await;
    assert!(!answer.is_finished());
    twin.advance_by(Duration::from_secs(1));
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn in_process_a_lost_answer_is_an_error_and_the_effect_stands() {
    let twin = twin();
    twin.inject(Fault::new("POST", "*", FaultKind::Lost));
    let request = http::Request::post(MAPS).body(Full::new(Bytes::from(map("a").to_string()))).unwrap();
    assert!(twin.kube().oneshot(request).await.unwrap_err().to_string().contains("closed"));
    assert!(twin.snapshot().get(&switchback_twin::Key::core("configmaps", "default", "a")).is_some());
}

#[tokio::test]
async fn what_has_no_row_is_not_simulated() {
    let twin = twin();
    for (method, path) in [
        ("GET", "/api/v1/persistentvolumes"),
        ("PUT", "/api/v1/namespaces/default/configmaps"),
        ("GET", "/openapi/v2"),
    ] {
        let request =
            http::Request::builder().method(method).uri(path).body(Full::<Bytes>::default()).unwrap();
        let response = twin.kube().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 501, "{method} {path}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("needs a row in tests/contract"));
    }
}

#[tokio::test]
async fn a_watch_streams_while_the_world_changes() {
    let twin = twin();
    let path =
        format!("{MAPS}?watch=true&resourceVersion={}&timeoutSeconds=60", twin.snapshot().resource_version());
    let request = http::Request::get(path).body(Full::<Bytes>::default()).unwrap();
    let mut body = twin.kube().oneshot(request).await.unwrap().into_body();
    let other = twin.clone();
    let writer = tokio::spawn(async move {
        let request = http::Request::post(MAPS).body(Full::new(Bytes::from(map("a").to_string()))).unwrap();
        other.kube().oneshot(request).await.unwrap();
    });
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    writer.await.unwrap();
    let event: Value = serde_json::from_slice(&frame).unwrap();
    assert_eq!(
        (event["type"].as_str(), event["object"]["metadata"]["name"].as_str()),
        (Some("ADDED"), Some("a"))
    );
    twin.advance_by(Duration::from_mins(1));
    assert!(body.frame().await.is_none(), "it ends when the domain clock says so");
}

#[tokio::test]
async fn programs_run_over_the_wire_and_through_a_launcher() {
    let world = World::open(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/karpenter-small.yaml"),
    )
    .unwrap();
    let twin = Twin::new(world);
    let handle = serve(&twin, "127.0.0.1:0".parse().unwrap(), Clocking::Manual).await.unwrap();
    let url = format!("http://{}/_twin/program", handle.addr);
    let run = json!({"argv": ["helm", "history", "karpenter", "-n", "karpenter", "-o", "json"]});
    let (_, out) = call(&url, "POST", Some(run)).await.unwrap();
    assert_eq!(out["exit"], 0, "{out}");
    let history: Value = serde_json::from_str(out["stdout"].as_str().unwrap()).unwrap();
    assert_eq!(history[0]["chart"], "karpenter-1.5.8");
    let (_, out) = call(&url, "POST", Some(json!({"argv": ["helm", "plugin", "list"]}))).await.unwrap();
    assert_eq!(out["exit"], 64);
    let dir = std::env::temp_dir().join(format!("twin-launchers-{}", handle.addr.port()));
    write_launchers(&dir, "/opt/it's/switchback-exec", handle.addr).unwrap();
    let text = std::fs::read_to_string(dir.join("helm")).unwrap();
    assert!(
        text.ends_with(&format!(
            "exec '/opt/it'\\''s/switchback-exec' twin program --endpoint http://{} -- helm \"$@\"\n",
            handle.addr
        )),
        "{text}"
    );
    std::fs::remove_dir_all(dir).unwrap();
    handle.stop().await;
}

#[tokio::test]
async fn an_automatic_clock_follows_real_time() {
    let twin = twin();
    let before = twin.now();
    let handle =
        serve(&twin, "127.0.0.1:0".parse().unwrap(), Clocking::Auto { factor: 10_000.0 }).await.unwrap();
    let mut tries = 0;
    while twin.now().duration_since(before).as_secs() < 60 && tries < 10_000 {
        call(&format!("http://{}/version", handle.addr), "GET", None).await.unwrap();
        tries += 1;
    }
    assert!(twin.now().duration_since(before).as_secs() >= 60);
    handle.stop().await;
}
