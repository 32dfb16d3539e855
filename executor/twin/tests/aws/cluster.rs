//! Control planes and add-ons: up, back, and everything that is refused.

use serde_json::{Value, json};
use switchback_twin::{Fault, FaultKind};

use crate::scene::{CLUSTER, Scene};

fn path(rest: &str) -> String {
    format!("/clusters/{CLUSTER}{rest}")
}

async fn version(scene: &Scene) -> (String, String) {
    let cluster = &scene.get(&path("")).await["cluster"];
    (cluster["version"].as_str().unwrap().to_owned(), cluster["status"].as_str().unwrap().to_owned())
}

async fn start(scene: &Scene, to: &str, token: &str) -> String {
    let answer =
        scene.eks("POST", &path("/updates"), json!({"version": to, "clientRequestToken": token})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["update"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_control_plane_moves_by_a_minor_and_says_so_late() {
    let scene = Scene::new().await;
    assert_eq!(version(&scene).await, ("1.32".into(), "ACTIVE".into()));
    let id = start(&scene, "1.33", "t-1").await;
    assert_eq!(version(&scene).await.1, "ACTIVE", "eventually consistent");
    assert_eq!(start(&scene, "1.33", "t-1").await, id, "the same token is the same update");
    let other =
        scene.eks("POST", &path("/updates"), json!({"version": "1.33", "clientRequestToken": "t-2"})).await;
    assert_eq!((other.status, other.error.as_str()), (409, "ResourceInUseException"));
    assert!(other.json()["message"].as_str().unwrap().contains(&id), "{}", other.text);
    scene.minutes(1);
    assert_eq!(version(&scene).await, ("1.32".into(), "UPDATING".into()));
    assert_eq!(scene.update(&id, "").await["status"], "InProgress");
    scene.minutes(10);
    assert_eq!(version(&scene).await, ("1.33".into(), "ACTIVE".into()));
    let update = scene.update(&id, "").await;
    assert_eq!((&update["status"], &update["type"]), (&json!("Successful"), &json!("VersionUpdate")));
    let (_, text) = scene.kube("/version", None).await;
    let said: Value = serde_json::from_str(&text).unwrap();
    assert!(said["gitVersion"].as_str().unwrap().starts_with("v1.33.5-eks-"), "{said}");
    assert_eq!(start(&scene, "1.33", "t-1").await, id, "also after its end");
    let log: Vec<String> =
        scene.twin.log().iter().filter(|e| e.verb == "AWS").map(|e| e.path.clone()).collect();
    assert_eq!(log, [format!("eks:UpdateClusterVersion {CLUSTER} 1.33")], "repeated calls are no effects");
}

#[tokio::test]
async fn what_eks_refuses() {
    let scene = Scene::new().await;
    for (to, error) in [
        ("1.34", "InvalidParameterException"),
        ("1.32", "InvalidParameterException"),
        ("1.99", "InvalidParameterException"),
        ("1.31", "InvalidStateException"),
    ] {
        let answer = scene.eks("POST", &path("/updates"), json!({"version": to})).await;
        assert_eq!((answer.status, answer.error.as_str()), (400, error), "{to}: {}", answer.text);
    }
    let missing = scene.eks("GET", "/clusters/other", Value::Null).await;
    assert_eq!((missing.status, missing.error.as_str()), (404, "ResourceNotFoundException"));
    start(&scene, "1.33", "t").await;
    scene.minutes(11);
    let answer = scene.eks("POST", &path("/updates"), json!({"version": "1.34"})).await;
    assert_eq!(answer.error, "InvalidRequestException", "node groups are behind");
    assert!(answer.text.contains("general"), "{}", answer.text);
    assert!(answer.text.contains("system"), "{}", answer.text);
    let unknown = scene.eks("GET", &path("/access-entries"), Value::Null).await;
    assert_eq!(unknown.status, 501);
    assert!(unknown.text.contains("eks:GET /clusters/{}/access-entries"), "{}", unknown.text);
}

#[tokio::test]
async fn the_way_back_is_open_for_seven_days_and_looks_at_insights() {
    let scene = Scene::new().await;
    start(&scene, "1.33", "up").await;
    scene.minutes(11);
    let insights = scene
        .eks("POST", &path("/insights"), json!({"filter": {"categories": ["ROLLBACK_READINESS"]}}))
        .await
        .json();
    assert!(insights["insights"].as_array().unwrap().len() >= 4, "{insights}");
    let back = start(&scene, "1.32", "back").await;
    scene.minutes(11);
    let update = scene.update(&back, "").await;
    assert_eq!((&update["type"], &update["status"]), (&json!("VersionRollback"), &json!("Successful")));
    assert_eq!(version(&scene).await.0, "1.32");
    start(&scene, "1.33", "again").await;
    scene.minutes(11);
    scene.minutes(7 * 24 * 60 + 1);
    let late = scene.eks("POST", &path("/updates"), json!({"version": "1.32"})).await;
    assert_eq!(late.error, "InvalidStateException", "{}", late.text);
    assert!(late.text.contains("7 days"));
}

#[tokio::test]
async fn insights_are_as_old_as_their_refresh() {
    let mut world = crate::scene::world();
    let cluster = world.cloud_mut().eks.clusters.get_mut(CLUSTER).unwrap();
    cluster.upgraded = Some(switchback_twin::aws::Upgrade {
        from: "1.31".into(),
        at: "2026-11-19T10:00:00Z".parse().unwrap(),
    });
    let scene = Scene::of(world).await;
    let ask = async |status: &str| {
        let filter = json!({"filter": {"categories": ["ROLLBACK_READINESS"], "statuses": [status]}});
        scene.eks("POST", &path("/insights"), filter).await.json()["insights"].clone()
    };
    assert_eq!(ask("ERROR").await, json!([]), "nobody has looked since");
    let answer = scene.eks("POST", &path("/insights-refresh"), Value::Null).await;
    assert_eq!(answer.json()["status"], "IN_PROGRESS");
    assert_eq!(ask("ERROR").await, json!([]));
    scene.minutes(4);
    let state = scene.get(&path("/insights-refresh")).await;
    assert_eq!(state["status"], "COMPLETED");
    let found = ask("ERROR").await;
    let names: Vec<&str> = found.as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["Kubelet version skew", "kube-proxy version skew"],
        "nodes and kube-proxy are newer than 1.31"
    );
    let answer = scene.eks("POST", &path("/updates"), json!({"version": "1.31"})).await;
    assert_eq!(answer.error, "InvalidRequestException", "{}", answer.text);
    let forced = scene.eks("POST", &path("/updates"), json!({"version": "1.31", "force": true})).await;
    assert_eq!(forced.status, 200, "{}", forced.text);
    let detail = scene.get(&path(&format!("/insights/{}", found[0]["id"].as_str().unwrap()))).await;
    assert!(!detail["insight"]["resources"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn calls_to_apis_that_go_away_count_for_thirty_days() {
    let mut world = crate::scene::world();
    world.cloud_mut().eks.clusters.get_mut(CLUSTER).unwrap().deprecated_use.push(
        switchback_twin::aws::DeprecatedUse {
            usage: "/apis/example.com/v1beta1/things".into(),
            replaced_with: "/apis/example.com/v1/things".into(),
            stop_serving: "1.33".into(),
            client: "old-controller".into(),
            requests: 12,
            last: "2026-11-10T00:00:00Z".parse().unwrap(),
        },
    );
    let scene = Scene::of(world).await;
    let status = async || {
        scene.minutes(24 * 60 + 1);
        let all = scene.eks("POST", &path("/insights"), json!({})).await.json();
        let all = all["insights"].as_array().unwrap().clone();
        all.into_iter().find(|i| i["name"] == "Deprecated APIs removed in Kubernetes v1.33").unwrap()
    };
    let found = status().await;
    assert_eq!(found["insightStatus"]["status"], "ERROR", "the daily refresh saw it");
    let detail = scene.get(&path(&format!("/insights/{}", found["id"].as_str().unwrap()))).await;
    let client = &detail["insight"]["categorySpecificSummary"]["deprecationDetails"][0]["clientStats"][0];
    assert_eq!(client["userAgent"], "old-controller");
    let (code, metrics) = scene.kube("/metrics", None).await;
    assert_eq!(code, 200);
    let series = "{group=\"example.com\",removed_release=\"1.33\",resource=\"things\",subresource=\"\",version=\"v1beta1\"} 1\n";
    assert!(metrics.contains(series), "{metrics}");
    scene.minutes(20 * 24 * 60);
    assert_eq!(status().await["insightStatus"]["status"], "PASSING");
}

#[tokio::test]
async fn addons_move_with_their_pods() {
    let scene = Scene::new().await;
    let update = path("/addons/coredns/update");
    let wrong = scene.eks("POST", &update, json!({"addonVersion": "v1.13.2-eksbuild.11"})).await;
    assert_eq!(wrong.error, "InvalidParameterException", "not for 1.32");
    let body = json!({"addonVersion": "v1.12.3-eksbuild.1", "resolveConflicts": "PRESERVE", "clientRequestToken": "a"});
    let id = scene.eks("POST", &update, body).await.json()["update"]["id"].as_str().unwrap().to_owned();
    scene.minutes(3);
    assert_eq!(scene.update(&id, "?addonName=coredns").await["status"], "Successful");
    let addon = scene.get(&path("/addons/coredns")).await;
    assert_eq!(
        (&addon["addon"]["addonVersion"], &addon["addon"]["status"]),
        (&json!("v1.12.3-eksbuild.1"), &json!("ACTIVE"))
    );
    let (_, text) = scene.kube("/apis/apps/v1/namespaces/kube-system/deployments/coredns", None).await;
    assert!(text.contains("example.invalid/eks/coredns:v1.12.3-eksbuild.1"));
    let missing = scene.eks("GET", &path(&format!("/updates/{id}")), Value::Null).await;
    assert_eq!(missing.status, 404, "the update of an add-on is asked for with its name");
    let all = scene.get("/addons/supported-versions?kubernetesVersion=1.33&addonName=kube-proxy").await;
    let versions = all["addons"][0]["addonVersions"].as_array().unwrap();
    let default = versions.iter().find(|v| v["compatibilities"][0]["defaultVersion"] == true).unwrap();
    assert_eq!(default["addonVersion"], "v1.33.10-eksbuild.13");
}

#[tokio::test]
async fn an_addon_whose_pods_do_not_come_up_is_degraded() {
    let mut world = crate::scene::world();
    world.settings_mut().broken_images = vec!["example.invalid/eks/coredns:v1.12.3-eksbuild.1".into()];
    world.cloud_mut().eks.clusters.get_mut(CLUSTER).unwrap().addons.get_mut("vpc-cni").unwrap().changed =
        vec!["daemonsets/aws-node .spec.template.spec.containers[0].env".into()];
    let scene = Scene::of(world).await;
    let update = async |addon: &str, version: &str, conflicts: &str| {
        let body = json!({"addonVersion": version, "resolveConflicts": conflicts});
        let answer = scene.eks("POST", &path(&format!("/addons/{addon}/update")), body).await;
        let id = answer.json()["update"]["id"].as_str().unwrap().to_owned();
        scene.minutes(25);
        scene.update(&id, &format!("?addonName={addon}")).await
    };
    let broken = update("coredns", "v1.12.3-eksbuild.1", "OVERWRITE").await;
    assert_eq!(broken["errors"][0]["errorCode"], "InsufficientNumberOfReplicas");
    assert_eq!(scene.get(&path("/addons/coredns")).await["addon"]["status"], "DEGRADED");
    let conflict = update("vpc-cni", "v1.21.1-eksbuild.3", "NONE").await;
    assert_eq!(conflict["errors"][0]["errorCode"], "ConfigurationConflict");
    assert_eq!(scene.get(&path("/addons/vpc-cni")).await["addon"]["addonVersion"], "v1.20.1-eksbuild.3");
    let kept = update("vpc-cni", "v1.21.1-eksbuild.3", "PRESERVE").await;
    assert_eq!(kept["status"], "Successful");
}

#[tokio::test]
async fn without_addresses_an_upgrade_fails_and_the_cluster_is_active_again() {
    let mut world = crate::scene::world();
    for subnet in world.cloud_mut().subnets.values_mut() {
        subnet.free = 1;
    }
    let scene = Scene::of(world).await;
    let id = start(&scene, "1.33", "t").await;
    scene.minutes(5);
    let update = scene.update(&id, "").await;
    assert_eq!(
        (&update["status"], &update["errors"][0]["errorCode"]),
        (&json!("Failed"), &json!("IpNotAvailable"))
    );
    assert_eq!(version(&scene).await, ("1.32".into(), "ACTIVE".into()));
}

#[tokio::test]
async fn faults_are_named_by_operation() {
    let scene = Scene::new().await;
    let inject = |kind| scene.twin.inject(Fault::new("aws", "eks:UpdateClusterVersion", kind));
    inject(FaultKind::Before { status: 429, retry_after: Some(3) });
    let body = json!({"version": "1.33", "clientRequestToken": "t"});
    let answer = scene.eks("POST", &path("/updates"), body.clone()).await;
    assert_eq!((answer.status, answer.error.as_str()), (429, "ThrottlingException"));
    assert!(scene.twin.log().is_empty());
    scene.twin.heal();
    inject(FaultKind::Lost);
    assert!(scene.try_eks("POST", &path("/updates"), body.clone()).await.is_err());
    let ids = scene.get(&path("/updates")).await["updateIds"].clone();
    assert_eq!(ids.as_array().unwrap().len(), 1, "it happened");
    assert_eq!(json!(start(&scene, "1.33", "t").await), ids[0]);
    scene.minutes(11);
    scene.twin.heal();
    scene.twin.inject(Fault::new(
        "aws",
        "eks:UpdateAddon",
        FaultKind::Fails { code: "AdmissionRequestDenied".into(), message: "a webhook said no".into() },
    ));
    let answer = scene
        .eks("POST", &path("/addons/kube-proxy/update"), json!({"addonVersion": "v1.33.10-eksbuild.13"}))
        .await;
    let id = answer.json()["update"]["id"].as_str().unwrap().to_owned();
    scene.minutes(2);
    let update = scene.update(&id, "?addonName=kube-proxy").await;
    assert_eq!(
        update["errors"][0],
        json!({"errorCode": "AdmissionRequestDenied", "errorMessage": "a webhook said no", "resourceIds": []})
    );
}

#[tokio::test]
async fn pages_and_the_calendar() {
    let scene = Scene::new().await;
    let first = scene.get(&path("/node-groups?maxResults=2")).await;
    assert_eq!(first["nodegroups"].as_array().unwrap().len(), 2);
    let next = first["nextToken"].as_str().unwrap();
    let second = scene.get(&path(&format!("/node-groups?maxResults=2&nextToken={next}"))).await;
    assert_eq!((&second["nodegroups"], &second["nextToken"]), (&json!(["system"]), &Value::Null));
    let all = scene.get("/cluster-versions").await;
    let of = |all: &Value, minor: &str| {
        all["clusterVersions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|v| v["clusterVersion"] == minor)
            .cloned()
            .unwrap()
    };
    assert_eq!(of(&all, "1.34")["versionStatus"], "STANDARD_SUPPORT");
    assert_eq!(of(&all, "1.32")["versionStatus"], "EXTENDED_SUPPORT");
    assert_eq!(of(&all, "1.34")["endOfStandardSupportDate"], 1_796_169_600);
    scene.minutes(20 * 24 * 60);
    let all = scene.get("/cluster-versions?includeAll=true").await;
    assert_eq!(of(&all, "1.34")["versionStatus"], "EXTENDED_SUPPORT");
    assert_eq!(of(&all, "1.31")["versionStatus"], "UNSUPPORTED");
}
