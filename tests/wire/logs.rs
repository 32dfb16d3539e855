//! What is logged where somebody asks for it: each call of a run under its run, step and attempt, and no secret.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{
    manifests::{borrowed, changed, web_only},
    scene::{APPLY, Scene},
};

/// The part of the channel's address that gives the right to post there.
const SECRET: &str = "T0P-S3CRET";

/// A plan that changes a Deployment's image, and tells a channel of it.
fn scene() -> Scene {
    let manifests = changed(web_only(), "platform.yaml", |text| {
        format!("{text}  channels: [{{name: team, urlFromEnv: TEAM_HOOK}}]\n")
    });
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    scene
}

/// What was logged, each line an object; the lines that are none.
fn logged(stderr: &str) -> (Vec<Value>, Vec<&str>) {
    let (logs, others) = stderr.lines().partition::<Vec<&str>, _>(|line| line.starts_with('{'));
    let logs =
        logs.into_iter().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    (logs.collect(), others)
}

/// A field of the span of this name.
fn of_span<'a>(line: &'a Value, span: &str, field: &str) -> Option<&'a Value> {
    line["spans"].as_array()?.iter().find(|found| found["name"] == span)?.get(field)
}

#[test]
fn each_call_is_logged_under_its_run_step_and_attempt() {
    let scene = scene();
    // Before the command, where `switchback` reads it, too.
    let out = scene.switchback(&format!("--log-format json {APPLY}")).exits(0);
    let (lines, others) = logged(&out.stderr);
    // Nobody set the channel's address.
    assert!(others.iter().all(|line| line.contains("channel team")), "{others:?}");
    let run = scene.report().run;
    let mut done = BTreeSet::new();
    for line in &lines {
        assert_eq!(of_span(line, "run", "run").and_then(Value::as_str), Some(run.as_str()), "{line}");
        assert!(
            of_span(line, "attempt", "attempt").is_some_and(|attempt| attempt.as_u64() >= Some(1)),
            "{line}"
        );
        if line["outcome"] == "done" {
            done.extend(of_span(line, "step", "step").and_then(Value::as_str));
        }
    }
    assert!(done.contains("deployment/web@2/image"), "{done:?}");
}

#[test]
fn no_secret_is_logged_however_much_is_asked_for() {
    let scene = scene();
    // Nobody listens there, and it is called all the same.
    let hook = format!("http://127.0.0.1:1/{SECRET}");
    let variables = [("TEAM_HOOK", hook.as_str()), ("SWITCHBACK_LOG", "trace")].into();
    let out = scene.switchback_in(&format!("{APPLY} --log-format json"), &variables).exits(0);
    let (lines, _) = logged(&out.stderr);
    assert!(
        lines.iter().any(|line| line["target"] != "switchback_executor::runtime::spans"),
        "clients log, too"
    );
    let kubeconfig = scene.read("kubeconfig");
    let token = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("token: ")).expect("a token");
    for secret in [SECRET, token] {
        assert!(!out.stderr.contains(secret), "{secret} is logged");
    }
}
