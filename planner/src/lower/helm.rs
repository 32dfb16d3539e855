//! Lowering of a Helm upgrade: shared by every component that is a release.

use switchback_schemas::{
    Diagnostic, Label, Seconds, codes,
    inventory::Release,
    lock::Render,
    name::{ObjectName, ObjectRef, plural},
    plan::{
        CaptureKind, Change, Condition, Disruption, Effect, Estimate, HelmRollback, HelmUpgrade, Mark,
        Operand, Permission, Target, Undo, UndoStep, Verify, Work,
    },
};

use super::{Draft, HopScope, changes, permission, verify};
use crate::{context::Cx, findings::Findings, objects, outlook::Outlook};

/// The name of the capture that every release step makes.
pub const REVISION: &str = "revision";

/// What a release step is made of.
pub struct ReleaseStep<'a> {
    /// Part of the step's id.
    pub part: &'a str,
    /// For people.
    pub title: String,
    /// The target version, rendered.
    pub render: &'a Render,
    /// How long its workloads may take to become ready.
    pub within: Seconds,
}

/// Finds a release and checks that it can be upgraded and gone back to at all.
pub fn observed<'a>(cx: &Cx<'a>, name: &ObjectName, label: Option<Label>) -> Option<&'a Release> {
    let findings = cx.findings;
    let Some(release) = cx.index.release(name) else {
        let known: Vec<String> =
            cx.inventory.releases.iter().take(20).map(|release| release.name.to_string()).collect();
        let help = match known.is_empty() {
            true => {
                "the inventory holds no Helm release; observe again with credentials that may list Secrets"
                    .to_owned()
            }
            false => format!("the inventory holds {}", known.join(", ")),
        };
        let message = format!("there is no Helm release {name}");
        findings.say(Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message).at_all(label).help(help));
        return None;
    };
    if let Some(last) = release.last().filter(|last| last.status.starts_with("pending")) {
        let message =
            format!("revision {} of release {name} is {}: its client was killed", last.number, last.status);
        let help = match release.deployed() {
            Some(good) => format!(
                "when no helm is at work on it, `helm rollback {} {} -n {}` is the way out",
                name.name,
                good.number,
                name.namespace.as_deref().unwrap_or("default")
            ),
            None => "no revision of it is deployed; uninstall it".to_owned(),
        };
        findings.say(Diagnostic::error(codes::PLAN_RELEASE_PENDING, message).at_all(label).help(help));
    } else if release.deployed().is_none() {
        let message = format!("no revision of release {name} is deployed, so there is none to go back to");
        findings.say(
            Diagnostic::error(codes::PLAN_WAY_BACK, message).at_all(label).help("repair the release first"),
        );
        return None;
    }
    Some(release)
}

/// Whether a release is what its render makes of it. Notes it, if it is.
pub fn is_there(outlook: &Outlook<'_>, render: &Render) -> bool {
    let seen = outlook.releases().find(|(name, _)| **name == render.release);
    let is =
        seen.is_some_and(|(_, seen)| seen.version == render.chart.version && seen.values == render.values);
    is && outlook.release(&render.release).is_some()
}

/// A look at the workloads of a release that is what its render makes of it.
pub fn look(scope: &HopScope, title: String, render: &Render, outlook: &Outlook<'_>) -> Draft {
    let rolled = following(&render.objects, &render.release);
    let permissions: Vec<Permission> = rolled
        .iter()
        .map(|object| permission("get", "apps", &plural(&object.kind), object.namespace.as_deref()))
        .collect();
    let of = rolled.into_iter().map(|object| Condition::Rollout { object: Target::Object(object) }).collect();
    scope.look("health", title, Condition::All { of }, outlook.take_reads()).permits(permissions)
}

/// Workloads whose pods follow their template; one whose pods change only when somebody deletes them is nothing to wait for.
fn following(objects: &[serde_json::Value], release: &ObjectName) -> Vec<ObjectRef> {
    let follow: Vec<_> = objects.iter().filter(|object| !on_delete(object)).cloned().collect();
    workloads(&follow, release)
}

fn on_delete(object: &serde_json::Value) -> bool {
    let strategy = object.pointer("/spec/updateStrategy/type").and_then(serde_json::Value::as_str);
    strategy == Some("OnDelete")
}

/// The step that upgrades a release, with its way back.
///
/// Going back is `helm rollback` to the captured revision. CRDs that the older chart does not hold keep their objects:
/// Helm would delete them (user-pain P-35).
pub fn upgrade(scope: &HopScope, outlook: &Outlook<'_>, step: ReleaseStep<'_>) -> Option<Draft> {
    let ReleaseStep { part, title, render, within } = step;
    let before = outlook.release(&render.release)?.clone();
    let reads = outlook.take_reads();
    let release = &render.release;
    let after = |list: &[serde_json::Value]| workloads(list, release);
    let kept: Vec<String> = {
        let old = before.crds();
        objects::crds(&render.objects).into_iter().filter(|crd| !old.contains(crd)).collect()
    };
    let at = |version: &switchback_schemas::Version, values| Condition::Release {
        release: release.clone(),
        chart_version: Some(version.clone()),
        revision: None,
        values: Some(values),
    };
    let id = scope.id(part);
    let to = Operand::Captured { step: id.clone(), name: REVISION.to_owned() };
    let back = HelmRollback { release: release.clone(), to, keep_crds: kept };
    let rolled_out = |objects: &[serde_json::Value]| -> Vec<Verify> {
        let rolled = |object: ObjectRef| {
            let title = format!("{object} is rolled out");
            verify(title, Condition::Rollout { object: Target::Object(object) }, Seconds(10), within)
        };
        following(objects, release).into_iter().map(rolled).collect()
    };
    let disruption = if after(&render.objects).is_empty() { Disruption::None } else { Disruption::Restart };
    let permissions = permissions(release, &render.objects);
    let undo = UndoStep::new(Work {
        done_when: Some(at(&before.version, before.values)),
        verify: rolled_out(&before.objects),
        disruption,
        timeout: Seconds::minutes(5),
        estimate: Estimate::seconds(60, 240),
        permissions: permissions.clone(),
        ..Work::effect(
            format!("roll {release} back to the chart {} {}", before.chart, before.version),
            Effect::HelmRollback(back),
        )
    });
    let effect = Effect::HelmUpgrade(HelmUpgrade {
        release: release.clone(),
        chart: render.chart.clone(),
        set: render.set.clone(),
        values: render.values,
    });
    let draft = scope
        .step(part, title, effect, Undo::Step(Box::new(undo)), reads)
        .captures(REVISION, CaptureKind::Revision(release.clone()))
        .done_when(at(&render.chart.version, render.values))
        .verify(rolled_out(&render.objects))
        .time(Seconds::minutes(5), Estimate::seconds(60, 240))
        .disrupts(disruption, None)
        .permits(permissions)
        .changes(expected(&before.objects, render))
        // Chart, version and values are pinned, so a second call makes the same release again; the driver mends what a
        // killed helm left pending before it calls.
        .idempotent();
    Some(draft)
}

/// What a chart will change: its objects, and what its hooks run.
fn expected(before: &[serde_json::Value], render: &Render) -> Vec<Change> {
    let mut list = changes::between(before, &render.objects);
    let upgrade =
        |hook: &&switchback_schemas::lock::Hook| hook.events.iter().any(|e| e.ends_with("-upgrade"));
    let runs = render.hooks.iter().filter(upgrade).filter_map(|hook| {
        let object = objects::reference(&hook.object)?;
        Some(Change { mark: Mark::Run, object, diff: vec![format!(" hook: {}", hook.events.join(", "))] })
    });
    list.extend(runs);
    list
}

/// Says what a render cannot show.
pub fn warn_about_hooks(findings: &Findings, render: &Render, label: Option<&Label>) {
    if !render.hooks.is_empty() {
        let message = format!(
            "chart {} {} has {} that a render cannot show",
            render.chart.name,
            render.chart.version,
            if render.hooks.len() == 1 {
                "1 hook".to_owned()
            } else {
                format!("{} hooks", render.hooks.len())
            },
        );
        findings.say_about(
            &render.release.to_string(),
            Diagnostic::warning(codes::PLAN_HOOK, message)
                .at_all(label.cloned())
                .help("read what they do; each is listed in the plan"),
        );
    }
}

/// Workloads of a release whose pods get the new template only when somebody deletes them: `updateStrategy` is `OnDelete`
/// and the template changes.
fn hands(before: &[serde_json::Value], after: &[serde_json::Value], release: &ObjectName) -> Vec<ObjectRef> {
    let by_hand = |object: &&serde_json::Value| {
        let reference = objects::reference(object);
        let was = before.iter().find(|other| objects::reference(other) == reference);
        let template = |object: &serde_json::Value| object.pointer("/spec/template").cloned();
        on_delete(object) && was.is_some_and(|was| template(was) != template(object))
    };
    let changed: Vec<_> = after.iter().filter(by_hand).cloned().collect();
    workloads(&changed, release)
}

/// Says whose pods stay as they are.
pub fn warn_about_hands(
    findings: &Findings,
    before: &[serde_json::Value],
    render: &Render,
    label: Option<&Label>,
) {
    for object in hands(before, &render.objects, &render.release) {
        let message = format!("pods of {object} stay as they are until somebody deletes them (OnDelete)");
        findings.say_about(
            &object.to_string(),
            Diagnostic::warning(codes::PLAN_ON_DELETE, message)
                .at_all(label.cloned())
                .help("plan who deletes them and when; no step of this plan waits for their rollout"),
        );
    }
}

/// Deployments, DaemonSets and StatefulSets among objects.
pub fn workloads(objects: &[serde_json::Value], release: &ObjectName) -> Vec<ObjectRef> {
    let kinds = ["Deployment", "DaemonSet", "StatefulSet"];
    let rolled = |object: &serde_json::Value| {
        let mut found = objects::reference(object).filter(|found| kinds.contains(&found.kind.as_str()))?;
        // A chart may leave the namespace to Helm.
        found.namespace = found.namespace.or_else(|| release.namespace.clone());
        Some(found)
    };
    objects.iter().filter_map(rolled).collect()
}

/// What Helm needs: its release Secrets, and what the chart holds, derived from the render.
fn permissions(release: &ObjectName, objects: &[serde_json::Value]) -> Vec<Permission> {
    let namespace = release.namespace.as_deref();
    let mut list: Vec<Permission> = ["get", "list", "create", "update", "delete"]
        .map(|verb| permission(verb, "", "secrets", namespace))
        .into();
    for object in objects.iter().filter_map(objects::reference) {
        let group = object.group();
        let resource = plural(&object.kind);
        for verb in ["get", "create", "patch", "delete"] {
            list.push(Permission {
                declared: true,
                ..permission(verb, group, &resource, object.namespace.as_deref())
            });
        }
    }
    list.sort();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use switchback_schemas::name::ObjectName;

    use super::hands;

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
        let found = hands(&before, &after, &ObjectName::namespaced("gpu", "operator"));
        let names: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["DaemonSet gpu/a"]);
    }
}
