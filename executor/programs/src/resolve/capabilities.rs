//! What a chart may ask of the cluster that it is rendered for.

use switchback_schemas::inventory::Inventory;

/// Kinds of built-in groups that charts ask for by name; helm knows their groups by itself, but not their kinds.
const KINDS: [(&str, &[&str]); 6] = [
    ("policy/v1", &["PodDisruptionBudget"]),
    ("networking.k8s.io/v1", &["Ingress", "NetworkPolicy"]),
    ("autoscaling/v2", &["HorizontalPodAutoscaler"]),
    ("batch/v1", &["Job", "CronJob"]),
    ("apps/v1", &["Deployment", "StatefulSet", "DaemonSet"]),
    ("rbac.authorization.k8s.io/v1", &["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]),
];

/// What `--api-versions` is given: groups with versions, and those with kinds that charts ask for.
pub(super) fn api_versions(inventory: &Inventory) -> String {
    let mut all = inventory.cluster.apis.clone();
    for (api, kinds) in KINDS {
        if inventory.cluster.apis.iter().any(|served| served == api) {
            all.extend(kinds.iter().map(|kind| format!("{api}/{kind}")));
        }
    }
    for crd in &inventory.crds {
        let Some((_, group)) = crd.name.split_once('.') else { continue };
        all.extend(crd.served.iter().map(|version| format!("{group}/{version}/{}", crd.kind)));
    }
    all.sort();
    all.dedup();
    all.join(",")
}
