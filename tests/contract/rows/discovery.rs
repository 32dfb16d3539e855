use serde_json::{Value, json};
use switchback_twin::{World, aws};

use crate::row::rows;
use crate::server::Server;

rows! {
    version_is_told: "/version answers major, minor and gitVersion", "kube: observe, proof of identity";
    groups_and_resources: "/api, /apis and the resource lists name kinds, scopes, verbs and subresources", "kube: discovery of a kind, helm";
    deprecated_calls_are_counted: "/metrics is text with a series of apiserver_requested_deprecated_apis for each deprecated API that was called", "kube: observe";
    unknown_paths: "an unknown group is a plain 404, an unserved version of a known one a 404 Status", "kube: classify";
}

async fn version_is_told(s: &Server) {
    let version = s.get("/version").await.expect(200);
    let git = version["gitVersion"].as_str().unwrap();
    assert!(
        git.starts_with(&format!(
            "v{}.{}.",
            version["major"].as_str().unwrap(),
            version["minor"].as_str().unwrap()
        )),
        "{version}"
    );
}

fn resource<'a>(list: &'a Value, name: &str) -> &'a Value {
    list["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["name"] == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

async fn groups_and_resources(s: &Server) {
    assert_eq!(s.get("/api").await.expect(200)["versions"], json!(["v1"]));
    let groups = s.get("/apis").await.expect(200);
    let apps = groups["groups"].as_array().unwrap().iter().find(|g| g["name"] == "apps").expect("apps");
    assert_eq!(apps["preferredVersion"]["groupVersion"], "apps/v1");
    let core = s.get("/api/v1").await.expect(200);
    assert_eq!(resource(&core, "nodes")["namespaced"], false);
    assert_eq!(resource(&core, "pods")["kind"], "Pod");
    assert!(resource(&core, "pods")["verbs"].as_array().unwrap().contains(&json!("watch")));
    assert_eq!(resource(&core, "pods/eviction")["kind"], "Eviction");
    let apps = s.get("/apis/apps/v1").await.expect(200);
    assert_eq!(resource(&apps, "deployments/scale")["kind"], "Scale");
    assert_eq!(resource(&apps, "deployments")["singularName"], "deployment");
}

async fn unknown_paths(s: &Server) {
    let answer = s.get("/apis/nosuch.dev/v1/things").await;
    assert_eq!((answer.status, answer.body), (404, json!("404 page not found")));
    let message = s.get("/apis/apps/v1beta1/deployments").await.refused(404, "NotFound");
    assert_eq!(message, "the server could not find the requested resource");
}

async fn deprecated_calls_are_counted(s: &Server) {
    // The twin counts nothing itself; its world declares the calls.
    let (group, version, resource) = if let Some(twin) = &s.twin {
        twin.with(declare_a_call);
        ("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas")
    } else {
        s.get("/api/v1/componentstatuses").await.expect(200);
        ("", "v1", "componentstatuses")
    };
    let answer = s.get_as("/metrics", "text/plain").await;
    assert!(answer.kind.starts_with("text/plain"), "{}", answer.kind);
    let text = answer.expect(200);
    let lines: Vec<&str> = text.as_str().unwrap().lines().collect();
    assert!(lines.contains(&"# TYPE apiserver_requested_deprecated_apis gauge"));
    let start = format!("apiserver_requested_deprecated_apis{{group=\"{group}\",removed_release=\"");
    let end = format!("\",resource=\"{resource}\",subresource=\"\",version=\"{version}\"}} 1");
    assert!(lines.iter().any(|line| line.starts_with(&start) && line.ends_with(&end)), "{lines:#?}");
}

fn declare_a_call(world: &mut World) {
    let call = aws::DeprecatedUse {
        usage: "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas".into(),
        replaced_with: "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas".into(),
        stop_serving: "1.32".into(),
        client: "somebody".into(),
        requests: 1,
        last: world.now(),
    };
    let cluster = aws::Cluster { deprecated_use: vec![call], ..aws::Cluster::default() };
    world.cloud_mut().eks.clusters.insert("c".into(), cluster);
}
