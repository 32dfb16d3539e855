//! A cluster of a thousand nodes: its plan stays small, and so does what people read of it.

use std::fmt::Write as _;

use switchback_model::{Graph, summary::summary};
use switchback_schemas::Digest;

use crate::{
    eks::{plan_of, two_minors},
    world_eks::{PLATFORM, change, eks, group, node},
};

#[test]
fn a_thousand_nodes_in_five_pools_over_two_minors_stay_small() {
    let mut large = eks();
    large.nodes.clear();
    large.pods.clear();
    let mut platform = PLATFORM.split("  pools:").next().expect("a head").to_owned() + "  pools:\n";
    let mut groups = Vec::new();
    for pool in 0..5_u64 {
        let strategy = if pool == 0 { "group-update" } else { "replace-group" };
        let name = format!("pool-{pool}");
        let _ = writeln!(
            platform,
            "    - {{name: {name}, matchLabels: {{pool: {name}}}, tier: {pool}, capacity: on-demand, strategy: {strategy}}}"
        );
        groups.push(group(&name, &name, "AL2023_x86_64_STANDARD", 200));
        large.nodes.extend((0..200).map(|n| node(&name, &name, n, "1.31.13")));
    }
    change(&mut large, |cluster| cluster.nodegroups = groups);
    let upgrade = format!("{}  rollout: {{batch: {{percent: 10}}}}\n", two_minors());
    let plan = plan_of(&platform, &upgrade, &large);
    assert!(plan.steps.len() < 300, "{} steps", plan.steps.len());
    let graph = Graph::of(&plan).expect("a DAG");
    let text =
        switchback_face::plan::markdown::comment(&plan, &graph, &summary(&plan, &graph), Digest::of("plan"));
    assert!(text.len() < 65_536, "{} bytes", text.len());
    let bytes = plan.to_json().expect("JSON");
    assert!(!String::from_utf8_lossy(&bytes).contains("pool-3-17"), "no node is named");
}
