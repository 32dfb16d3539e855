//! What runs on each node of a roll before it takes pods again: a test, a reboot. Every node has its own: a driver fails node by node,
//! and the canary of a hardware class proves no more than itself.

use serde_json::{Value, json};
use switchback_schemas::{
    Diagnostic, Label, Seconds, codes,
    manifest::{Reboot, SmokeTest},
    plan::{
        Disruption, Effect, Estimate, KubeEffect, NodeJob, NodeJobEnd, NodeUndo, RecipeStep, Target, Work,
    },
};

use super::nodes;
use crate::{context::Cx, findings::listed, manifest::Checks};

/// The name of the step that tests.
pub const SMOKE_TEST: &str = "smoke-test";
/// The name of the step that reboots.
pub const REBOOT: &str = "reboot";
/// How long they may take where the manifest does not say so.
const TEST: Seconds = Seconds::minutes(15);
const BOOT: Seconds = Seconds::hours(1);

/// The texts of a test, which stands in `/spec/smokeTest`.
pub fn check_test(test: &SmokeTest, checks: &mut Checks<'_, '_>) {
    checks.image("/spec/smokeTest/image", &test.image);
    if let Some(namespace) = &test.namespace {
        checks.container("/spec/smokeTest/namespace", namespace);
    }
    if let Some(class) = &test.runtime_class {
        checks.word("/spec/smokeTest/runtimeClass", "a runtime class", class, b"-.");
    }
    for (resource, quantity) in &test.resources {
        checks.word("/spec/smokeTest/resources", "a resource", resource, b"-._/");
        checks.word("/spec/smokeTest/resources", "a quantity", quantity, b".");
    }
}

/// The texts of a reboot, which stands in `/spec/reboot`.
pub fn check_reboot(reboot: &Reboot, checks: &mut Checks<'_, '_>) {
    checks.image("/spec/reboot/image", &reboot.image);
}

/// Says which nodes do not offer what a test asks for: it would wait for it until its time is over.
pub fn check_offers<'n>(
    cx: &Cx<'_>,
    test: &SmokeTest,
    gpu: &str,
    nodes: impl Iterator<Item = (&'n str, &'n std::collections::BTreeMap<String, String>)>,
    place: Label,
) {
    let asked = resources(test, gpu);
    let (prefix, _) = gpu.split_once('/').unwrap_or((gpu, ""));
    let lacks = |offers: &std::collections::BTreeMap<String, String>| {
        let of_gpus = asked.keys().filter(|resource| resource.starts_with(prefix));
        of_gpus.into_iter().any(|resource| offers.get(resource).is_none_or(|count| count == "0"))
    };
    let names: Vec<String> =
        nodes.filter(|(_, offers)| lacks(offers)).map(|(name, _)| name.to_owned()).collect();
    if names.is_empty() {
        return;
    }
    let wanted: Vec<&str> = asked.keys().map(String::as_str).collect();
    let message = format!(
        "nodes do not offer what the smoke test asks for ({}): {}",
        wanted.join(", "),
        listed(names.into_iter())
    );
    let help = "say under `smokeTest.resources` what they offer, such as a slice of MIG";
    cx.findings.say(Diagnostic::error(codes::PLAN_NOT_READY, message).at(place).help(help));
}

fn resources(test: &SmokeTest, gpu: &str) -> std::collections::BTreeMap<String, String> {
    match test.resources.is_empty() {
        true => [(gpu.to_owned(), "1".to_owned())].into(),
        false => test.resources.clone(),
    }
}

/// Runs the test on the node. `namespace` is where it stands without a word, `gpu` the resource that it asks for.
pub fn smoke_test(test: &SmokeTest, (namespace, gpu): (&str, &str), needs: &[&str]) -> RecipeStep {
    let mut container = json!({
        "name": "test",
        "image": test.image,
        "resources": {"limits": resources(test, gpu)},
        // The end of its log becomes its message: so what went wrong can be read where its failure is seen.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    set(&mut container, "command", json!(test.command), test.command.is_empty());
    let mut pod = json!({"containers": [container]});
    set(&mut pod, "runtimeClassName", json!(test.runtime_class), test.runtime_class.is_none());
    let within = test.within.map_or(TEST, |length| length.0);
    let job = NodeJob {
        node: Target::ItemNode {},
        namespace: test.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
        name: "switchback-smoke-test".to_owned(),
        pod,
        within,
        until: NodeJobEnd::Succeeded,
    };
    let undo = NodeUndo::Unneeded { why: "its Job goes when its time is over".to_owned() };
    let title = "run the smoke test on the node, before it takes pods again";
    nodes::step(SMOKE_TEST, title, Effect::Kube(KubeEffect::NodeJob(job)), needs, undo).with(|work| Work {
        timeout: within + Seconds::minutes(5),
        estimate: Estimate::seconds(60, 300),
        ..work
    })
}

/// Boots the node anew.
pub fn reboot(reboot: &Reboot, namespace: &str, needs: &[&str]) -> RecipeStep {
    let usual = ["nsenter", "--all", "--target=1", "--", "sh", "-c", "sync; reboot"].map(str::to_owned);
    let command = if reboot.command.is_empty() { usual.to_vec() } else { reboot.command.clone() };
    let within = reboot.within.map_or(BOOT, |length| length.0);
    let job = NodeJob {
        node: Target::ItemNode {},
        namespace: namespace.to_owned(),
        name: "switchback-reboot".to_owned(),
        pod: json!({
            "hostPID": true,
            "hostNetwork": true,
            "containers": [{
                "name": "reboot",
                "image": reboot.image,
                "command": command,
                "securityContext": {"privileged": true},
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }],
        }),
        within,
        until: NodeJobEnd::Rebooted,
    };
    let undo = nodes::stays("a boot is not taken back");
    let title = "boot the empty node anew";
    nodes::step(REBOOT, title, Effect::Kube(KubeEffect::NodeJob(job)), needs, undo).with(|work| Work {
        timeout: within + Seconds::minutes(5),
        disruption: Disruption::Restart,
        estimate: Estimate::seconds(300, 1200),
        ..work
    })
}

fn set(object: &mut Value, field: &str, value: Value, left_out: bool) {
    if let Some(fields) = object.as_object_mut().filter(|_| !left_out) {
        fields.insert(field.to_owned(), value);
    }
}
