//! A rollback as a plan of its own: written from a run that holds, reviewed like any plan, applied in its place.

use switchback_schemas::{plan::Plan, report::RunState};

use crate::support::{
    manifests::{all, borrowed, broken_web, holding, web_only},
    projection::same,
    scene::Scene,
};

#[test]
fn a_way_back_is_written_reviewed_and_applied_as_a_plan() {
    let manifests = holding(all());
    let scene = Scene::on_twin(&borrowed(&manifests), |world| broken_web(&world));
    let plan = scene.plan();
    let before = scene.world();
    scene.apply().exits(4);
    let old = scene.report().run;
    scene.on_store(&format!("observe --continue {old} -o held.json")).exits(0);
    let write = "rollback-plan plan.json --continue held.json --to start -o back.json";
    let out = scene.switchback(write).exits(0);
    assert!(out.stdout.contains(&format!("takes over from run {old}")), "{}", out.stdout);
    let back = Plan::from_json(scene.read("back.json").as_bytes()).expect("a plan");
    // Everything that any plan can be used for.
    for command in ["lint back.json", "show back.json", "graph back.json", "diff plan.json back.json"] {
        scene.switchback(command).exits(0);
    }
    // Twice the same bytes.
    scene.switchback("rollback-plan plan.json --continue held.json --to start -o again.json").exits(0);
    assert_eq!(scene.read("back.json"), scene.read("again.json"));

    // Nodes that move back are moved forward again by a new plan only: somebody approves that by name.
    assert_eq!(back.points.len(), plan.pools.len());
    scene.on_store("apply back.json").exits(3);
    let run = scene.switchback("status --store store").stdout;
    assert!(run.contains("approve --point"), "{run}");
    let new = scene.switchback("lock list --store store").stdout;
    let new = new.split_whitespace().find(|word| word.starts_with("r-") && *word != old.as_str());
    let new = new.expect("the run of the new plan holds the platform").to_owned();
    for point in &back.points {
        scene.on_store(&format!("approve --point {} --run {new}", point.id)).exits(0);
    }
    scene.on_store("apply back.json").exits(0);
    same(&before, &scene.settled(), "the world after a plan that rolls back to the start");
    let report = scene.switchback(&format!("report --run {old} --store store --format json")).exits(0);
    let report: switchback_schemas::report::Report = serde_json::from_str(&report.stdout).expect("a report");
    assert!(matches!(report.state, RunState::Superseded { .. }), "{:?}", report.state);
}

#[test]
fn a_way_back_of_no_run_is_read_and_compared_and_refused_where_it_would_act() {
    let manifests = web_only();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    let plan = scene.plan();
    let step = &plan.steps.iter().find(|step| !step.work.captures.is_empty()).expect("it captures").id;
    let out = scene.switchback(&format!("rollback-plan plan.json --at {step} -o back.json")).exits(0);
    assert!(out.stdout.contains("to be read and compared"), "{}", out.stdout);
    scene.switchback("show back.json").exits(0);
    scene.switchback("diff plan.json back.json").exits(0);
    let out = scene.switchback("lint back.json").exits(1);
    assert!(out.stdout.contains("does not"), "{}", out.stdout);
    let before = scene.world();
    let out = scene.on_store("apply back.json").exits(1);
    assert!(out.stderr.contains("breaks"), "{}", out.stderr);
    assert_eq!(before, scene.world());
    let out = scene.switchback("rollback-plan plan.json -o back.json").exits(1);
    assert!(out.stderr.contains("step to roll back from is not clear"), "{}", out.stderr);
}
