//! Whose platform it is, as the platform itself says: runners whose stores do not know of each other, and a store that is gone.

use std::fs;

use switchback_schemas::plan::Plan;

use crate::support::{
    manifests::{borrowed, broken_web, holding, web_only},
    scene::Scene,
};

/// A run that holds its platform in the middle of its work.
fn held() -> (Scene, Plan) {
    let scene = Scene::on_twin(&borrowed(&holding(web_only())), |world| broken_web(&world));
    let plan = scene.plan();
    scene.apply().exits(4);
    (scene, plan)
}

fn other_plan(scene: &Scene) {
    let other = scene.read("manifests/web.yaml").replace("web:2", "web:3").replace("to: \"2\"", "to: \"3\"");
    scene.write("manifests/web.yaml", &other);
    scene.plan();
}

#[test]
fn d1_a_runner_with_a_store_of_its_own_is_told_whose_the_platform_is() {
    let (scene, _) = held();
    let first = scene.report().run;
    let leases = scene.objects("Lease");
    let ours = leases.iter().find(|lease| lease["metadata"]["name"] == "switchback").expect("a claim");
    assert_eq!(ours["metadata"]["annotations"]["switchback.dev/run"], first.as_str());

    other_plan(&scene);
    let before = scene.world();
    let out = scene.switchback("apply plan.json --kubeconfig kubeconfig --store elsewhere").exits(6);
    assert!(out.stderr.contains(&format!("is held by run {first} since")), "{}", out.stderr);
    assert!(out.stderr.contains(&scene.path("store").display().to_string()), "{}", out.stderr);
    crate::support::projection::same(&before, &scene.world(), "the one that was refused changed nothing");
}

#[test]
fn d2_a_run_whose_store_is_gone_is_not_begun_anew_and_can_be_taken_back() {
    let (scene, plan) = held();
    let run = scene.report().run;
    fs::remove_dir_all(scene.path("store")).expect("the store is lost");
    let out = scene.apply().exits(1);
    assert!(out.stderr.contains("does not reach that"), "{}", out.stderr);

    let platform = &plan.platform.name;
    let take_back = |more: &str| {
        scene.switchback(&format!("lock take-back {platform} --reason lost --kubeconfig kubeconfig {more}"))
    };
    let out = take_back("--store elsewhere").exits(6);
    assert!(out.stderr.contains(&format!("--run {run}")), "{}", out.stderr);
    let out = take_back(&format!("--store elsewhere --run {run}")).exits(0);
    assert!(out.stdout.contains("is released"), "{}", out.stdout);
    other_plan(&scene);
    // The platform is this run's now.
    scene.apply().exits(0);
}
