//! The commands that do the same without Switchback: scripts for every step of the examples, and one that is run on a real API
//! server, where a run afterwards finds everything done.

use std::{os::unix::fs::symlink, path::Path};

use switchback_schemas::plan::Plan;

use crate::support::{
    bins::{bins, program, root},
    kubectl::{Cluster, Own},
    scene::Scene,
};

/// What a command prints that ends with 0.
fn printed(command: &mut std::process::Command) -> String {
    let out = command.output().expect("it runs");
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn by_hand(words: &[&str]) -> String {
    printed(program(&bins().switchback).args(words).arg("--by-hand"))
}

/// Bash takes it for a script; nothing is run.
fn is_a_script(text: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("script");
    std::fs::write(&path, text).expect("written");
    printed(program("bash").arg("-n").arg(&path));
}

/// The blocks of a script, by the step's id.
fn blocks(script: &str) -> Vec<(&str, &str)> {
    let blocks = script.split("\n\n# ").skip(1);
    blocks
        .map(|block| {
            let (head, body) = block.split_once('\n').expect("a block has a head");
            (head.split_once(". ").expect("a number").1, body)
        })
        .collect()
}

#[test]
fn every_step_of_the_examples_has_its_commands() {
    for example in ["karpenter-small", "mlops-platform"] {
        let path = root().join("plans").join(example).join("plan.json");
        let plan = Plan::from_json(&std::fs::read(&path).expect("a plan")).expect("a plan");
        let path = path.to_string_lossy();
        let script = by_hand(&["show", &path]);
        is_a_script(&script);
        assert!(!script.contains(":?"), "the whole plan asks for nothing: it captures what it needs");
        let blocks = blocks(&script);
        assert_eq!(blocks.len(), plan.steps.len());
        for step in plan.steps.iter().filter(|step| !step.work.only_looks()) {
            let (_, body) = blocks.iter().find(|(id, _)| *id == step.id.as_str()).expect("a block");
            let commands = body.lines().filter(|line| !line.trim_start().starts_with('#'));
            assert!(commands.count() > 0, "{}: {body}", step.id);
        }
        let last = plan.steps.last().expect("a step").id.as_str();
        let back = by_hand(&["rollback-plan", &path, "--at", last, "--to", "start"]);
        is_a_script(&back);
        assert!(back.contains("captured as"), "what only the run knows is asked for: {back}");
    }
}

const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\nmetadata: {name: things}\nspec:\n  targets: {main: {cluster: {}}}\n";

const THINGS: &str = "apiVersion: switchback.dev/v1alpha1\nkind: HelmReleaseUpgrade\nmetadata: {name: things}\nspec:\n  target: \
    main\n  release: {namespace: default, name: things}\n  charts: {directory: ../charts}\n  to: '2.0.0'\n";

/// Runs a script as somebody would who has kubectl and helm for this cluster.
fn run(cluster: &Cluster, helm: &str, at: &Path, script: &str, env: &[(&str, &str)]) {
    let tools = tempfile::tempdir().expect("a directory");
    for (name, program) in [("kubectl", cluster.kubectl_program()), ("helm", Path::new(helm))] {
        symlink(program, tools.path().join(name)).expect("a link");
    }
    let path = at.join("by-hand.sh");
    std::fs::write(&path, script).expect("written");
    let mut bash = program("bash");
    bash.args(["-euo", "pipefail"]).arg(&path).current_dir(at).envs(env.iter().copied());
    bash.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", tools.path().display()));
    printed(bash.env("KUBECONFIG", &cluster.kubeconfig));
}

#[test]
#[ignore = "starts a control plane: `tests/cluster/suite`"]
fn on_a_cluster_a_plan_is_carried_out_and_rolled_back_by_hand() {
    let own = Own::start();
    let cluster = &own.cluster;
    for helm in [&cluster.helm3, &cluster.helm4] {
        let chart = root().join("fixtures/charts/things/1.0.0");
        cluster.helm(helm, &["install", "things", &chart.to_string_lossy(), "--namespace", "default"]);
        cluster.kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
        let version = || {
            cluster.get(&["configmap", "things", "-n", "default"])["data"]["version"]
                .as_str()
                .map(str::to_owned)
        };
        let manifests = [("platform.yaml", PLATFORM), ("things.yaml", THINGS)];
        let scene = Scene::on_cluster(&manifests, cluster, helm);
        let plan = scene.plan();
        let [step] = &plan.steps[..] else { panic!("{} steps", plan.steps.len()) };
        let beside = scene.path("");
        let path = scene.path("plan.json").to_string_lossy().into_owned();

        run(cluster, helm, &beside, &by_hand(&["show", &path]), &[]);
        assert_eq!(version().as_deref(), Some("2.0.0"));
        let said = scene.apply().exits(0).stdout;
        assert!(said.contains("done already"), "{said}");

        let back = by_hand(&["rollback-plan", &path, "--at", step.id.as_str()]);
        run(cluster, helm, &beside, &back, &[("REVISION", "1")]);
        assert_eq!(version().as_deref(), Some("1.0.0"));
        cluster.helm(helm, &["uninstall", "things", "--namespace", "default"]);
    }
}
