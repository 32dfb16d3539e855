use serde_json::{Value, json};

use super::crd::{Crd, version};
use crate::row::rows;
use crate::server::{MERGE, Server};

rows! {
    pages_with_a_token: "limit answers a continue token and remainingItemCount; pages share one resourceVersion and miss nothing", "kube: observe";
    a_broken_token_is_400: "a continue token that is none is 400", "kube: observe, classify";
    selectors_filter: "label and field selectors filter; an unknown field label is 400", "kube: pods of a node, releases";
    list_items_are_bare: "items of a built-in list carry no apiVersion and kind", "kube: observe";
    metadata_alone: "as=PartialObjectMetadataList answers metadata of items under a kind of their own; an empty list has items null", "kube: observe";
    list_then_watch: "a watch from a list's resourceVersion gives what happened since, then ends after timeoutSeconds", "kube: waiting";
    a_watch_follows_its_selector: "an object that stops matching is DELETED to the watch, one that starts is ADDED", "kube: waiting";
    initial_events_end_with_a_bookmark: "sendInitialEvents lists, then a bookmark marks the end", "kube: waiting (newer clients)";
    an_old_version_has_expired: "a watch from before the cache begins is a 200 with an ERROR event 410 Expired", "kube: waiting, relist";
    a_future_version_times_out: "a list at a future resourceVersion is 504 with Retry-After 1", "kube: observe, classify";
}

async fn maps(s: &Server, names: &[&str]) {
    for name in names {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"set": "x"}}, "data": {"a": "1"}});
        s.post(&s.path("configmaps"), &map).await.expect(201);
    }
}

async fn pages_with_a_token(s: &Server) {
    maps(s, &["m1", "m2", "m3"]).await;
    let path = s.path("configmaps");
    let one = s.get(&format!("{path}?limit=2")).await.expect(200);
    assert_eq!(one["items"].as_array().unwrap().len(), 2);
    assert_eq!(one["metadata"]["remainingItemCount"], 2, "three of ours and the root certificate");
    let mut seen: Vec<Value> =
        one["items"].as_array().unwrap().iter().map(|i| i["metadata"]["name"].clone()).collect();
    maps(s, &["m4"]).await;
    let token = one["metadata"]["continue"].as_str().unwrap();
    let two = s.get(&format!("{path}?limit=2&continue={token}")).await.expect(200);
    assert_eq!(two["metadata"]["resourceVersion"], one["metadata"]["resourceVersion"]);
    seen.extend(two["items"].as_array().unwrap().iter().map(|i| i["metadata"]["name"].clone()));
    for name in ["m1", "m2", "m3"] {
        assert!(seen.contains(&json!(name)), "{seen:?}");
    }
}

async fn a_broken_token_is_400(s: &Server) {
    let message =
        s.get(&format!("{}?limit=1&continue=garbage", s.path("pods"))).await.refused(400, "BadRequest");
    assert!(message.starts_with("invalid continue token"), "{message}");
}

async fn selectors_filter(s: &Server) {
    maps(s, &["m1", "m2"]).await;
    let path = s.path("configmaps");
    let count = |list: Value| list["items"].as_array().unwrap().len();
    assert_eq!(count(s.get(&format!("{path}?labelSelector=set%3Dx")).await.expect(200)), 2);
    assert_eq!(count(s.get(&format!("{path}?labelSelector=set%20in%20(y,z)")).await.expect(200)), 0);
    assert_eq!(count(s.get(&format!("{path}?labelSelector=!set")).await.expect(200)), 1);
    assert_eq!(count(s.get(&format!("{path}?fieldSelector=metadata.name%3Dm1")).await.expect(200)), 1);
    let message = s.get(&format!("{path}?fieldSelector=data.a%3D1")).await.refused(400, "BadRequest");
    assert_eq!(
        message,
        "\"data.a\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
    );
    let message =
        s.get(&format!("{}?fieldSelector=spec.x%3D1", s.path("pods"))).await.refused(400, "BadRequest");
    assert!(message.contains("field label not supported: spec.x"), "{message}");
}

async fn list_items_are_bare(s: &Server) {
    maps(s, &["m1"]).await;
    let list = s.get(&s.path("configmaps")).await.expect(200);
    assert_eq!((list["kind"].as_str(), list["apiVersion"].as_str()), (Some("ConfigMapList"), Some("v1")));
    assert!(list["items"][0]["kind"].is_null());
    assert!(list["items"][0]["apiVersion"].is_null());
}

async fn metadata_alone(s: &Server) {
    maps(s, &["m1"]).await;
    let form = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let list = s.get_as(&format!("{}?labelSelector=set%3Dx", s.path("configmaps")), form).await.expect(200);
    assert_eq!(
        (&list["kind"], &list["apiVersion"]),
        (&json!("PartialObjectMetadataList"), &json!("meta.k8s.io/v1"))
    );
    let item = &list["items"][0];
    assert_eq!(
        (&item["kind"], &item["apiVersion"]),
        (&json!("PartialObjectMetadata"), &json!("meta.k8s.io/v1"))
    );
    assert_eq!(item["metadata"]["name"], "m1");
    assert!(item["metadata"]["managedFields"].is_array(), "{item:#}");
    assert!(item["data"].is_null(), "{item:#}");
    let empty = s.get_as(&format!("{}?labelSelector=set%3Dz", s.path("configmaps")), form).await.expect(200);
    assert!(empty["items"].is_null(), "{empty:#}");
    assert!(!empty["metadata"]["resourceVersion"].is_null(), "{empty:#}");
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|e| e["type"].as_str()).filter(|t| *t != "BOOKMARK").collect()
}

async fn list_then_watch(s: &Server) {
    let path = s.path("configmaps");
    let list = s.get(&path).await.expect(200);
    let from = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    maps(s, &["w"]).await;
    s.patch(&s.path("configmaps/w"), MERGE, &json!({"data": {"a": "2"}})).await.expect(200);
    s.delete(&s.path("configmaps/w")).await.expect(200);
    let events = s.watch(&format!("{path}?resourceVersion={from}&allowWatchBookmarks=true"), 5).await;
    assert_eq!(kinds(&events), ["ADDED", "MODIFIED", "DELETED"]);
    assert_eq!(events[0]["object"]["kind"], "ConfigMap");
    let version =
        |e: &Value| e["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap();
    let mut versions: Vec<u64> = events.iter().map(version).collect();
    versions.dedup();
    assert!(versions.is_sorted(), "{versions:?}");
    assert!(versions[0] > from.parse().unwrap(), "{versions:?}");
}

async fn a_watch_follows_its_selector(s: &Server) {
    let path = s.path("configmaps");
    let from = s.get(&path).await.expect(200)["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    maps(s, &["w"]).await;
    s.patch(&s.path("configmaps/w"), MERGE, &json!({"metadata": {"labels": {"set": "y"}}})).await.expect(200);
    s.patch(&s.path("configmaps/w"), MERGE, &json!({"metadata": {"labels": {"set": "x"}}})).await.expect(200);
    let events = s.watch(&format!("{path}?resourceVersion={from}&labelSelector=set%3Dx"), 5).await;
    assert_eq!(kinds(&events), ["ADDED", "DELETED", "ADDED"]);
}

async fn initial_events_end_with_a_bookmark(s: &Server) {
    maps(s, &["m1"]).await;
    let path = s.path("configmaps");
    let events = s
        .watch(
            &format!(
                "{path}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
            ),
            5,
        )
        .await;
    assert_eq!(kinds(&events), ["ADDED", "ADDED"]);
    let end = events.iter().find(|e| e["type"] == "BOOKMARK").expect("a bookmark");
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

async fn an_old_version_has_expired(s: &Server) {
    // A kind that came late: the cache of one that the server had from its first moment may hold everything.
    let crd = Crd::new(s, json!([version("v1", true)])).await;
    if let Some(twin) = &s.twin {
        twin.with(switchback_twin::World::compact);
    }
    let events = s.watch(&format!("{}?resourceVersion=1", crd.objects("v1")), 1).await;
    assert_eq!(events[0]["type"], "ERROR", "{events:?}");
    assert_eq!(events[0]["object"]["code"], 410);
    assert_eq!(events[0]["object"]["reason"], "Expired");
    crd.remove().await;
}

async fn a_future_version_times_out(s: &Server) {
    let answer = s.get(&format!("{}?resourceVersion=999999999", s.path("configmaps"))).await;
    assert_eq!(answer.retry_after.as_deref(), Some("1"));
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    answer.refused(504, "Timeout");
}
