//! What a release does that its render cannot show, and what it leaves to people.

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, Label, codes,
    lock::Render,
    name::{ObjectName, ObjectRef},
};

use super::super::release::{on_delete, workloads};
use crate::{findings::Findings, objects};

const HOOKS: &str = "read what they do; each is listed in the plan";

/// Says what a render cannot show: what hooks do, and what `lookup` finds on the cluster.
pub(super) fn by_render(findings: &Findings, render: &Render, label: &Label) {
    let say = |what: String, help: &str| {
        let message = format!("chart {} {} {what}", render.chart.name, render.chart.version);
        let found = Diagnostic::warning(codes::PLAN_HOOK, message).at(label.clone()).help(help);
        findings.say_about(&render.release.to_string(), found);
    };
    match render.hooks.len() {
        0 => {}
        1 => say("has 1 hook that a render cannot show".to_owned(), HOOKS),
        hooks => say(format!("has {hooks} hooks that a render cannot show"), HOOKS),
    }
    if !render.lookups.is_empty() {
        let templates = render.lookups.join(", ");
        let what = format!("reads the cluster by `lookup`, which a render cannot show: {templates}");
        say(what, "read these templates; what they make may differ from what the plan lists");
    }
}

/// Workloads of a release whose pods get the new template only when somebody deletes them: `updateStrategy` is `OnDelete`
/// and the template changes.
fn by_hand(before: &[Value], after: &[Value], release: &ObjectName) -> Vec<ObjectRef> {
    let changed = |object: &&Value| {
        let reference = objects::reference(object);
        let was = before.iter().find(|other| objects::reference(other) == reference);
        let template = |object: &Value| object.pointer("/spec/template").cloned();
        on_delete(object) && was.is_some_and(|was| template(was) != template(object))
    };
    let changed: Vec<_> = after.iter().filter(changed).cloned().collect();
    workloads(&changed, release)
}

/// Says whose pods stay as they are.
pub(super) fn deleted_by_hand(findings: &Findings, before: &[Value], render: &Render, label: &Label) {
    for object in by_hand(before, &render.objects, &render.release) {
        let message = format!("pods of {object} stay as they are until somebody deletes them (OnDelete)");
        findings.say_about(
            &object.to_string(),
            Diagnostic::warning(codes::PLAN_ON_DELETE, message)
                .at(label.clone())
                .help("plan who deletes them and when; no step of this plan waits for their rollout"),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use switchback_schemas::name::ObjectName;

    use super::by_hand;

    fn daemon(name: &str, strategy: &str, image: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name},
            "spec": {"updateStrategy": {"type": strategy}, "template": {"image": image}}})
    }

    #[test]
    fn pods_that_nobody_replaces_are_known_before_anybody_waits_for_them() {
        let before =
            [daemon("a", "OnDelete", "1"), daemon("b", "OnDelete", "1"), daemon("c", "RollingUpdate", "1")];
        let after = [
            daemon("a", "OnDelete", "2"),
            daemon("b", "OnDelete", "1"),
            daemon("c", "RollingUpdate", "2"),
            daemon("new", "OnDelete", "2"),
        ];
        let found = by_hand(&before, &after, &ObjectName::namespaced("gpu", "operator"));
        let names: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["DaemonSet gpu/a"]);
    }
}
