//! Text of a plan, of manifests and of the cluster that would move a cursor, ring, or turn around what stands beside it:
//! no command lets it through to a terminal.

use serde_json::Value;

use crate::support::{
    bins::bins,
    manifests::{borrowed, web_only},
    scene::{APPLY, Out, Scene},
};

/// Clears the screen, sets the title, rings, turns around, hides, and ends a line early; C1 and tags as well.
const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}\u{2066}\u{200b}\u{9b}31m\u{8}\u{7f}\u{e0041}\rapproved";

/// Members of a plan that are prose: what they say is read by people only.
const PROSE: [&str; 8] = ["title", "why", "because", "note", "message", "help", "reason", "about"];

fn poisoned(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if PROSE.contains(&name.as_str()) => text.push_str(HOSTILE),
                    other => poisoned(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(poisoned),
        _ => {}
    }
}

/// Whether a terminal, or a reader, could be led astray by it.
fn is_hostile(c: char) -> bool {
    let shown = matches!(c, '\n' | '\t');
    let hides = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e0fff}');
    !shown && (c.is_control() || hides)
}

#[track_caller]
fn clean(line: &str, out: &Out) {
    for text in [&out.stdout, &out.stderr] {
        let found = text.chars().find(|c| is_hostile(*c));
        assert_eq!(found, None, "{line}: {text:?}");
    }
}

#[test]
fn e7_no_command_lets_a_plan_speak_to_the_terminal() {
    let manifests = web_only();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    let mut plan: Value = serde_json::from_str(&scene.read("plan.json")).expect("JSON");
    scene.write("plain.json", &plan.to_string());
    poisoned(&mut plan);
    scene.write("plan.json", &serde_json::to_string_pretty(&plan).expect("JSON"));
    assert!(scene.read("plan.json").contains("approved"), "nothing was poisoned");
    let mut shown = 0;
    let commands = [
        "show plan.json",
        "show plan.json --format markdown",
        "show plan.json --format json",
        "show plan.json --brief",
        "show plan.json --by-hand",
        "show plan.json --color always",
        "diff plain.json plan.json",
        "diff plain.json plan.json --format markdown",
        "diff plain.json plan.json --format json",
        "graph plan.json",
        "graph plan.json --format mermaid",
        "lint plan.json",
        "permissions plan.json",
        "permissions plan.json --format json",
        "rollback-plan plan.json",
        APPLY,
        "status --store store",
        "status --store store --format json",
        "status --all --store store",
        "report --store store",
        "report --store store --brief",
        "report --store store --format json",
        "report --store store --format markdown",
        "rollback --by-hand --store store",
        "verify --store store",
        "janitor --store store",
        "approve --store store --plan --reason x --kubeconfig kubeconfig",
    ];
    for line in commands {
        let out = scene.switchback(line);
        clean(line, &out);
        shown += usize::from(out.stdout.contains("approved"));
        // What it says is the same for a program.
        if line == "show plan.json --format json" {
            assert_eq!(serde_json::from_str::<Value>(&out.stdout).expect("JSON"), plan);
        }
    }
    assert!(shown > 3, "what was poisoned is shown nowhere");
}

#[test]
fn e7_what_stands_on_the_cluster_is_cleaned() {
    let manifests = web_only();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| {
        let image = "\"example.invalid/web:1\"";
        assert!(world.contains(image), "the world has web");
        world.replace(image, "\"example.invalid/web:1\\u202e\\e[2J\\u009b2J\\U000e0041\"")
    });
    scene.plan();
    let mut shown = 0;
    let commands = [
        "show plan.json",
        "show plan.json --by-hand",
        "show plan.json --format markdown",
        APPLY,
        "status --store store",
        "report --store store",
        "rollback --to start --reason x --kubeconfig kubeconfig --store store",
        "report --store store --format markdown",
        "verify --store store",
    ];
    for line in commands {
        let out = scene.switchback(line);
        clean(line, &out);
        shown += usize::from(out.stdout.contains("web:1"));
    }
    assert!(shown > 0, "the image is shown nowhere");
}

#[test]
fn e7_manifests_and_arguments_are_cleaned() {
    let scene = Scene::new(&[("a.yaml", "apiVersion: switchback.dev/v1alpha1\nkind: \"a\\e[2J\\u202e\"\n")]);
    scene.write("manifests/\u{1b}[31m\u{202e}.yaml", "a: 1\n");
    for line in ["check manifests", "check manifests --format json"] {
        clean(line, &scene.switchback(line).exits(1));
    }
    // Colours of our own are there, and nothing else.
    let mut colored = scene.command(&bins().switchback);
    let output = colored.args(["check", "manifests", "--color", "always"]).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("\u{1b}[31m"), "{text:?}");
    let sequences = text.split("\u{1b}[").skip(1);
    for rest in sequences.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')) {
        assert!(rest.starts_with('m'), "{text:?}");
    }
    assert!(!text.replace('\u{1b}', "").chars().any(is_hostile), "{text:?}");
    for line in ["show \u{1b}[31m\u{202e}.json", "explain \u{1b}[31m"] {
        clean(line, &scene.switchback(line));
    }
}
