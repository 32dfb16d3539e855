//! A fleet on which everybody else works, too, while nothing goes wrong: batch jobs come and end, an autoscaler scales, a service is
//! deployed, a spot node goes. None of it is the run's, and none of it holds it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use switchback_twin::{DeleteOptions, Key, World};

use super::{
    bench::Bench,
    carry::{Act, Stage},
    judge::{Verdict, histories, is_complete},
    scenario::Scenario,
};
use crate::support::time::Random;

/// Changes that others make, at instants of the run.
fn acts(random: &mut Random, began: Timestamp, length: u64) -> Vec<(Timestamp, Act)> {
    let mut acts: Vec<(Timestamp, Act)> = Vec::new();
    for number in 0..(4 + random.below(12)) {
        let at = |seconds: u64| began + SignedDuration::from_secs(i64::try_from(seconds).expect("short"));
        let when = random.below(length);
        match random.below(5) {
            0 | 1 => {
                let (pods, seconds) = (1 + random.below(3), 30 + random.below(900));
                acts.push((at(when), Box::new(move |world| job(world, number, pods, seconds))));
            }
            2 => {
                let replicas = 4 + random.below(3);
                acts.push((at(when), Box::new(move |world| scale(world, replicas))));
                let later = when + 60 + random.below(1200);
                acts.push((at(later), Box::new(|world| scale(world, 3))));
            }
            3 => acts.push((at(when), Box::new(move |world| deploy(world, number)))),
            _ => {
                let which = random.below(64);
                acts.push((at(when), Box::new(move |world| interrupt(world, which))));
            }
        }
    }
    acts.sort_by_key(|(at, _)| *at);
    acts
}

/// Somebody starts a job on the pool for everybody.
fn job(world: &mut World, number: u64, pods: u64, seconds: u64) {
    let name = format!("batch-{number}");
    let key = Key::new("batch", "jobs", "apps", &name);
    let labels = json!({"job-name": name});
    let spec = json!({"parallelism": pods, "completions": pods, "backoffLimit": 6,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels, "annotations": {"twin.switchback.dev/run-seconds": seconds.to_string()}},
            "spec": {"restartPolicy": "Never", "nodeSelector": {"karpenter.sh/nodepool": "general"},
                "containers": [{"name": "work", "image": "example.invalid/work:1",
                    "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}}}]}}});
    let object = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec});
    world.create(key, object);
}

fn api() -> Key {
    Key::new("apps", "deployments", "apps", "api")
}

/// An autoscaler's decision.
fn scale(world: &mut World, replicas: u64) {
    world.modify(&api(), |object| object["spec"]["replicas"] = replicas.into());
}

/// Somebody deploys a new revision.
fn deploy(world: &mut World, revision: u64) {
    world.modify(&api(), |object| {
        object["spec"]["template"]["metadata"]["annotations"] = json!({"revision": revision.to_string()});
    });
}

/// The provider takes a machine of a pool back.
fn interrupt(world: &mut World, which: u64) {
    let claims = world.list("karpenter.sh", "nodeclaims", None);
    let pool = |claim: &Value| claim["metadata"]["labels"]["karpenter.sh/nodepool"] == "general";
    let ours: Vec<Key> = claims.filter(|(_, claim)| pool(claim)).map(|(key, _)| key.clone()).collect();
    let Some(key) = usize::try_from(which).ok().and_then(|which| ours.get(which % ours.len().max(1))) else {
        return;
    };
    world.delete(key, DeleteOptions::default());
}

/// The run ends well without anybody.
pub(super) fn churning(bench: &Bench, seed: u64) -> Verdict {
    let mut random = Random::of(seed);
    let scenario = Scenario { seed, ..Scenario::quiet() };
    let acts = acts(&mut random, bench.world.now(), bench.length);
    let stage = Stage::of(bench.world.clone(), (bench.watch)(), seed);
    let when: Vec<Timestamp> = acts.iter().map(|(at, _)| *at).collect();
    stage.expects(acts);
    let (came, lives) = stage.carries(&bench.planned, &scenario, None);
    let mut carried = stage.carried(came, lives);
    // Somebody else ended pods that a budget counts, too.
    carried.wrong.clear();
    let wrong = histories(&bench.planned, &carried, false);
    match (wrong.is_empty(), is_complete(&carried.came)) {
        (false, _) => Verdict::Wrong(format!("{}\n{when:?}\n{carried:?}", wrong.join("\n"))),
        (true, false) => Verdict::Person(format!("{when:?}\n{carried:?}")),
        (true, true) => Verdict::Well,
    }
}
