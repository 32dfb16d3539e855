//! Plans under a trust, with keys and signatures of OpenSSH's own `ssh-keygen`.

use switchback_schemas::report::RunState;

use crate::support::{
    bins::program,
    manifests::{borrowed, web_only},
    scene::Scene,
};

/// Keys of ada, bob and mallory, whom the trust does not name; the twin's admin is eve.
fn scene() -> Scene {
    let scene = Scene::on_twin(&borrowed(&web_only()), |world| world);
    for name in ["ada", "bob", "eve", "mallory"] {
        let made = program("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(scene.path(name))
            .status();
        assert!(made.expect("ssh-keygen runs").success());
    }
    let key = |name: &str| scene.read(&format!("{name}.pub")).trim().to_owned();
    let trust = |file: &str, name: &str, people: &str| {
        let head = "apiVersion: switchback.dev/v1alpha1\nkind: Trust\n";
        let text = format!("{head}metadata: {{name: {name}}}\nspec:\n  quorum: 2\n  approvers:\n{people}");
        scene.write(file, &text);
    };
    let person =
        |name: &str| format!("    - {{name: {name}, ssh: ['{}'], kubernetes: ['oidc:{name}']}}\n", key(name));
    let eve = person("eve").replace("oidc:eve", "twin-admin");
    trust("trust.yaml", "production", &(person("ada") + &person("bob") + &eve));
    trust("mine.yaml", "production", &(person("ada") + &person("mallory")));
    scene.plan();
    scene.switchback("plan manifests -o plan.json --trust trust.yaml").exits(0);
    scene
}

fn sign_plan(scene: &Scene, name: &str) {
    let _ = std::fs::remove_file(scene.path("plan.json.sig"));
    let signed = program("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", "switchback.dev/plan", "-f"])
        .args([scene.path(name), scene.path("plan.json")])
        .status();
    assert!(signed.expect("ssh-keygen runs").success());
}

#[test]
#[ignore = "needs ssh-keygen: `.ci/run` has it"]
fn two_of_three_sign_and_nobody_else_counts() {
    let scene = scene();
    let shown = scene.switchback("show plan.json").exits(0).stdout;
    assert!(shown.contains("by 2 of ada, bob, eve (trust production)"), "{shown}");
    for (line, why) in
        [("apply plan.json", "none is given"), ("apply plan.json --trust mine.yaml", "trust production")]
    {
        let out = scene.on_store(line).exits(1);
        assert!(out.stderr.contains("SB0516") && out.stderr.contains(why), "{}", out.stderr);
    }
    let parked = scene.on_store("apply plan.json --trust trust.yaml").exits(3).stdout;
    assert!(parked.contains("plan"), "{parked}");
    let by = |name: &str| scene.on_store(&format!("approve --plan --ssh-key {name}"));
    for (line, why) in [
        ("approve --plan", "it is not signed"),
        ("approve --plan --asserted ada", "it is not signed"),
        ("approve --plan --ssh-key mallory", "belongs to nobody who may approve"),
        ("approve --plan --ssh-key eve", "eve applies this run"),
    ] {
        let out = scene.on_store(line).exits(1);
        assert!(out.stderr.contains("SB0512") && out.stderr.contains(why), "{line}: {}", out.stderr);
    }
    let first = by("ada").exits(0).stdout;
    assert!(first.contains("1 of 2") && first.contains("missing: 1 of bob"), "{first}");
    by("ada").exits(1);
    // A line that somebody writes into the store: a whole entry with its checksum, once an approval.
    let run = scene.report().run;
    let side = scene.path(&format!("store/runs/{run}/side"));
    let whole = std::fs::read(&side).expect("what was said");
    let forged = String::from_utf8_lossy(&whole).replace("\"ada\"", "\"bob\"").into_bytes();
    std::fs::write(&side, [whole.as_slice(), &forged].concat()).expect("written");
    let held = scene.on_store("apply plan.json").exits(4);
    assert!(held.stdout.contains("cannot be read"), "{}", held.stdout);
    let out = scene.switchback("verify --store store").exits(1);
    assert!(out.stderr.contains("SB0503") && out.stdout.contains("DAMAGED"), "{} {}", out.stdout, out.stderr);
    scene.on_store("continue --reason looked").exits(0);
    // The public key names the private one beside it, or an agent's.
    by("bob.pub").exits(0);
    by("bob").exits(1);
    scene.on_store("apply plan.json").exits(0);
    assert!(matches!(scene.report().state, RunState::Ended { .. }));
    // What was forged stays evidence; without it, the rest holds.
    scene.switchback("verify --store store").exits(1);
    let now = std::fs::read(&side).expect("what was said");
    let forged: Vec<&[u8]> = now.split_inclusive(|byte| *byte == b'\n').collect();
    std::fs::write(&side, [&forged[..1], &forged[2..]].concat().concat()).expect("written");
    let cut = scene.switchback("verify --store store").exits(1);
    assert!(cut.stdout.contains("DAMAGED"), "{}", cut.stdout);
    std::fs::write(&side, now).expect("written");
    let verified = scene.switchback("verify --store store").exits(1).stdout;
    for name in ["ada", "bob"] {
        assert!(verified.contains(&format!("approved plan by {name} (ssh SHA256:")), "{verified}");
    }
    assert_eq!(verified.matches("the signature holds").count(), 2, "{verified}");
}

#[test]
#[ignore = "needs ssh-keygen: `.ci/run` has it"]
fn only_the_plan_that_was_signed_is_applied() {
    let scene = scene();
    let apply = |more: &str| scene.on_store(&format!("apply plan.json --trust trust.yaml {more}"));
    let refused = |more: &str, why: &str| {
        let out = apply(more).exits(1);
        assert!(out.stderr.contains(why), "{more}: {}", out.stderr);
        assert!(!scene.path("store/runs").exists(), "nothing is begun");
    };
    refused("--require-signature", "plan.json.sig");
    sign_plan(&scene, "mallory");
    refused("--require-signature", "belongs to nobody who may approve");
    sign_plan(&scene, "ada");
    let digest = |scene: &Scene| switchback_schemas::Digest::of(scene.read("plan.json")).to_string();
    let reviewed = digest(&scene);
    let plan = scene.read("plan.json");
    scene.write("plan.json", &format!("{plan}\n"));
    refused("--require-signature", "does not count");
    refused(&format!("--digest {reviewed}"), "is to be applied");
    scene.write("plan.json", &plan);
    apply(&format!("--require-signature --digest {reviewed}")).exits(3);
}
