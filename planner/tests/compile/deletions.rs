//! What an upgrade of a release would delete, and what it would break of what is stored.

use serde_json::{Value, json};
use switchback_schemas::{
    Diagnostic, Severity, codes,
    inventory::{Conversion, Crd, CustomObject, Inventory, Release},
    lock::Render,
    name::{ObjectName, ObjectRef},
    plan::{CaptureKind, Condition, KubeCapture, KubeCondition, Mark, Plan, ReadBasis},
};

use crate::world::{PLATFORM, compiled_with, inventory, release, render};

const THINGS: &str = "things.h1.example";

fn upgrade(more: &str) -> String {
    format!(
        "apiVersion: switchback.dev/v1alpha1\nkind: HelmReleaseUpgrade\nmetadata: {{name: things}}\nspec:\n  target: \
         cluster\n  release: {{namespace: default, name: things}}\n  charts: {{directory: charts}}\n  to: '2.0.0'\n{more}"
    )
}

fn accepting(objects: u64) -> String {
    upgrade(&format!(
        "  deletes: [{{crd: {THINGS}, objects: {objects}, because: 'ada: they are exported'}}]\n"
    ))
}

fn definition(versions: &[&str], keep: bool) -> Value {
    let version = |name: &&str| json!({"name": name, "served": true, "storage": *name == versions[0]});
    let mut crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": THINGS}, "spec": {"group": "h1.example", "names": {"kind": "Thing"},
        "versions": versions.iter().map(version).collect::<Vec<_>>()}});
    if keep {
        crd["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
    }
    crd
}

fn config(version: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "things", "namespace": "default"},
        "data": {"v": version}})
}

fn thing(name: &str) -> Value {
    json!({"apiVersion": "h1.example/v1", "kind": "Thing", "metadata": {"name": name, "namespace": "default"}})
}

/// A platform with a release of these objects, and a CRD with so many.
fn platform(
    objects: Vec<Value>,
    count: Option<u64>,
    change: impl FnOnce(&mut Crd, &mut Release),
) -> Inventory {
    let mut inventory = inventory("1.5.8");
    let name = ObjectName::namespaced("default", "things");
    let mut crd = Crd {
        name: THINGS.to_owned(),
        kind: "Thing".to_owned(),
        namespaced: true,
        uid: "uid-things".to_owned(),
        served: vec!["v1".to_owned()],
        storage: "v1".to_owned(),
        stored: vec!["v1".to_owned()],
        conversion: Conversion::None {},
        objects: count,
        release: Some(name.clone()),
        keep: false,
    };
    let mut release = release(name, "things", "1.0.0", objects);
    change(&mut crd, &mut release);
    inventory.crds.push(crd);
    inventory.releases.push(release);
    inventory
}

fn planned(manifest: &str, inventory: &Inventory, after: Vec<Value>) -> (Option<Plan>, Vec<Diagnostic>) {
    planned_of(manifest, inventory, after, |_| ())
}

fn planned_of(
    manifest: &str,
    inventory: &Inventory,
    after: Vec<Value>,
    change: impl FnOnce(&mut Render),
) -> (Option<Plan>, Vec<Diagnostic>) {
    compiled_with(&[("p.yaml", PLATFORM), ("m.yaml", manifest)], inventory, &[], |lock| {
        let name = ObjectName::namespaced("default", "things");
        let mut render = render(name, "things", "2.0.0", after);
        change(&mut render);
        lock.renders.push(render);
    })
}

fn said(diagnostics: &[Diagnostic], code: codes::Code) -> Vec<(Severity, &str)> {
    let found = diagnostics.iter().filter(|found| found.code == code);
    found.map(|found| (found.severity, found.message.as_str())).collect()
}

fn dropping(count: Option<u64>) -> Inventory {
    platform(vec![config("1"), definition(&["v1"], false)], count, |_, _| ())
}

#[test]
fn a_crd_that_a_chart_drops_with_its_objects_is_an_error_that_counts_them() {
    let (plan, diagnostics) = planned(&upgrade(""), &dropping(Some(2)), vec![config("2")]);
    assert!(plan.is_none());
    let found = diagnostics.iter().find(|found| found.code == codes::PLAN_DELETES).expect("it is said");
    assert_eq!(found.severity, Severity::Error);
    assert_eq!(
        found.message,
        "chart things 2.0.0 no longer holds CRD things.h1.example: Helm deletes it with 2 objects of kind Thing"
    );
    assert_eq!(
        found.help.as_deref(),
        Some(
            "to keep it, `kubectl annotate crd things.h1.example helm.sh/resource-policy=keep` and observe again; to delete \
             it, write `deletes: [{crd: things.h1.example, objects: 2, because: WHO ACCEPTS IT}]`"
        )
    );
}

#[test]
fn more_objects_than_are_accepted_or_a_number_that_nobody_knows_is_an_error() {
    for (count, accepted) in [(Some(3), 2), (None, 2), (Some(1), 0)] {
        let (plan, diagnostics) = planned(&accepting(accepted), &dropping(count), vec![config("2")]);
        assert!(plan.is_none(), "{count:?} with {accepted} accepted");
        assert_eq!(said(&diagnostics, codes::PLAN_DELETES).len(), 1, "{diagnostics:#?}");
    }
}

#[test]
fn an_accepted_deletion_is_a_point_of_no_return_and_is_counted_again() {
    let (plan, diagnostics) = planned(&accepting(5), &dropping(Some(2)), vec![config("2")]);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let step = plan.steps.iter().find(|step| step.id.as_str().ends_with("/release")).expect("the upgrade");
    let point = plan.points.first().expect("a point of no return");
    assert_eq!(
        (&point.step, point.ends.as_str()),
        (&step.id, "rollback with the objects of CRD things.h1.example")
    );
    assert_eq!(step.gates, std::slice::from_ref(&point.id));
    assert_eq!(
        plan.gate(&point.id).expect("its gate").title,
        "approve that the upgrade of release default/things deletes CRD things.h1.example with every Thing"
    );
    let counted = step.work.reads.iter().find_map(|read| match &read.condition {
        Condition::Any(of) => of.iter().find_map(|condition| match condition {
            Condition::Kube(KubeCondition::Count { find, at_most, .. }) => {
                Some((find.kind.as_str(), *at_most, &read.basis))
            }
            _ => None,
        }),
        _ => None,
    });
    assert_eq!(counted, Some(("Thing", Some(5), &ReadBasis::Observed {})), "{:#?}", step.work.reads);
    let rollback =
        plan.rollback.iter().find(|rollback| rollback.undoes == [step.id.clone()]).expect("a rollback");
    assert_eq!(rollback.loses, ["the objects of CRD things.h1.example"]);
    assert!(step.work.captures.iter().any(
        |capture| matches!(&capture.what, CaptureKind::Kube(KubeCapture::Found(find)) if find.kind == "Thing")
    ));
    let removed = step.changes.iter().find(|change| change.mark == Mark::Remove).expect("the CRD goes");
    assert_eq!(removed.diff, [" deletes 2 objects of kind Thing"]);
}

/// Helm reads its word to keep an object on the live object: what the old chart said counts for nothing.
#[test]
fn a_live_crd_that_says_keep_stays_and_is_shown_as_staying() {
    let kept = |keep: bool, in_chart: bool| {
        let objects = vec![config("1"), definition(&["v1"], in_chart)];
        let inventory = platform(objects, Some(2), |crd, _| crd.keep = keep);
        planned(&upgrade(""), &inventory, vec![config("2")])
    };
    let (plan, diagnostics) = kept(true, false);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert_eq!(
        said(&diagnostics, codes::PLAN_DELETES),
        [(
            Severity::Advice,
            "CustomResourceDefinition things.h1.example stays, though chart things 2.0.0 no longer holds it: it carries \
             helm.sh/resource-policy: keep"
        )]
    );
    assert!(plan.points.is_empty());
    let step = plan.steps.iter().find(|step| step.id.as_str().ends_with("/release")).expect("the upgrade");
    assert!(step.changes.iter().all(|change| change.mark != Mark::Remove), "{:#?}", step.changes);
    let read = |read: &switchback_schemas::plan::Read| {
        matches!(&read.condition,
        Condition::Kube(KubeCondition::Field { pointer, .. }) if pointer == "/metadata/annotations/helm.sh~1resource-policy")
    };
    assert!(step.work.reads.iter().any(read), "that it is kept is asked again before the upgrade");
    assert!(kept(false, true).0.is_none(), "somebody took the annotation off the live object");
}

/// A chart that moves its CRD from `templates/` to `crds/` drops it as well: Helm deletes what the templates no longer make.
#[test]
fn a_crd_that_moves_to_the_directory_of_crds_is_dropped_too() {
    let into = |render: &mut Render| render.crds.push(definition(&["v1"], false));
    let (plan, diagnostics) = planned_of(&upgrade(""), &dropping(Some(2)), vec![config("2")], into);
    assert!(plan.is_none(), "{diagnostics:#?}");
}

#[test]
fn a_crd_without_objects_goes_as_long_as_it_has_none() {
    let (plan, diagnostics) = planned(&upgrade(""), &dropping(Some(0)), vec![config("2")]);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert!(plan.points.is_empty() && said(&diagnostics, codes::PLAN_DELETES).is_empty());
    let none = |read: &switchback_schemas::plan::Read| {
        matches!(&read.condition, Condition::Any(of)
        if of.iter().any(|condition| matches!(condition, Condition::Kube(KubeCondition::Count { at_most: Some(0), .. }))))
    };
    assert!(plan.steps.iter().any(|step| step.work.reads.iter().any(none)), "it is counted again");
    // A CRD that is not there any more is nothing to lose.
    let mut gone = dropping(Some(2));
    gone.crds.pop();
    assert!(planned(&upgrade(""), &gone, vec![config("2")]).0.is_some());
}

#[test]
fn removed_custom_objects_are_listed_with_who_uses_them() {
    let object = |kind: &str, name: &str| {
        ObjectRef::new("h1.example/v1", kind, &ObjectName::namespaced("default", name))
    };
    let with = |live: Vec<CustomObject>| {
        let objects = vec![definition(&["v1"], false), thing("a"), thing("b"), thing("gone")];
        platform(objects, Some(7), |_, release| release.custom = live)
    };
    let live = |name: &str, keep: bool, used_by: &[&str]| CustomObject {
        object: object("Thing", name),
        keep,
        used_by: used_by.iter().map(|user| object("User", user)).collect(),
    };
    let after = || vec![definition(&["v1"], false)];
    let used = with(vec![live("a", false, &["x", "y"]), live("b", true, &[])]);
    let (plan, diagnostics) = planned(&upgrade(""), &used, after());
    assert!(plan.is_none());
    assert_eq!(
        said(&diagnostics, codes::PLAN_DELETES),
        [
            (
                Severity::Error,
                "chart things 2.0.0 no longer holds 1 object of kind Thing: Helm deletes Thing default/a (used by User \
                 default/x, User default/y)"
            ),
            (
                Severity::Advice,
                "Thing default/b stays, though chart things 2.0.0 no longer holds it: it carries helm.sh/resource-policy: keep"
            )
        ]
    );
    let (plan, diagnostics) = planned(&accepting(1), &used, after());
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert_eq!(plan.points.len(), 1);
    assert!(planned(&upgrade(""), &with(Vec::new()), after()).0.is_some(), "none of them is there any more");
}

#[test]
fn an_acceptance_of_nothing_is_said() {
    let inventory = platform(vec![config("1"), definition(&["v1"], false)], Some(2), |_, _| ());
    let (plan, diagnostics) =
        planned(&accepting(2), &inventory, vec![config("2"), definition(&["v1"], false)]);
    assert!(plan.is_some());
    assert_eq!(
        said(&diagnostics, codes::MANIFEST_WAIVER),
        [(
            Severity::Warning,
            "`deletes` of CRD things.h1.example accepts nothing: the upgrade deletes no object of it"
        )]
    );
}

/// The API server refuses a CRD that drops a stored version, wherever in the chart it stands.
#[test]
fn a_templated_crd_that_drops_a_stored_version_is_an_error() {
    let stored = |stored: &[&str], after: &[&str]| {
        let objects = vec![definition(&["v1alpha1"], false)];
        let inventory = platform(objects, Some(2), |crd, _| {
            crd.stored = stored.iter().map(|version| (*version).to_owned()).collect();
        });
        planned(&upgrade(""), &inventory, vec![definition(after, false)])
    };
    let (plan, diagnostics) = stored(&["v1alpha1"], &["v1"]);
    assert!(plan.is_none());
    assert_eq!(
        said(&diagnostics, codes::PLAN_STORED_VERSION),
        [(Severity::Error, "CRD things.h1.example drops version v1alpha1, in which objects are stored")]
    );
    assert!(stored(&["v1alpha1"], &["v1", "v1alpha1"]).0.is_some(), "it is served on");
    assert!(stored(&["v1"], &["v1"]).0.is_some());
}

#[test]
fn hooks_and_lookups_are_listed_as_what_a_render_cannot_show() {
    let inventory = platform(vec![config("1")], Some(0), |_, _| ());
    let (plan, diagnostics) = planned_of(&upgrade(""), &inventory, vec![config("2")], |render| {
        render.lookups = vec!["things/templates/secret.yaml".to_owned()];
    });
    assert!(plan.is_some());
    assert_eq!(
        said(&diagnostics, codes::PLAN_HOOK),
        [(
            Severity::Warning,
            "chart things 2.0.0 reads the cluster by `lookup`, which a render cannot show: things/templates/secret.yaml"
        )]
    );
}

#[test]
fn another_build_of_a_version_is_moved_to_and_an_older_pre_release_is_not_newer() {
    let at = |from: &str, to: &str| {
        let inventory = platform(vec![config("1")], Some(0), |_, release| {
            release.chart_version = from.parse().expect(from);
        });
        let manifest = upgrade("").replace("2.0.0", to);
        planned_of(&manifest, &inventory, vec![config("2")], |render| {
            render.chart.version = to.parse().expect(to);
        })
    };
    for (from, to) in
        [("0.9.3+4fda46fd8c4e", "0.9.3+9139d32801ab"), ("0.9.3+9139d32801ab", "0.9.3+4fda46fd8c4e")]
    {
        let (plan, diagnostics) = at(from, to);
        assert!(plan.is_some(), "{from} to {to}: {diagnostics:#?}");
    }
    let (plan, diagnostics) = at("1.2.3", "1.2.3-0.20251120");
    assert!(
        plan.is_none() && diagnostics.iter().any(|found| found.code == codes::PATH_BACKWARDS),
        "{diagnostics:#?}"
    );
    assert!(at("1.2.3-0.20251120", "1.2.3").0.is_some());
}

#[test]
fn a_path_of_a_value_that_helm_could_not_follow_is_refused_at_its_place() {
    let inventory = platform(vec![config("1")], Some(0), |_, _| ());
    let refused = upgrade("  set: {replicas: 1, replicas.min: 2}\n");
    let (plan, diagnostics) = planned(&refused, &inventory, vec![config("2")]);
    assert!(plan.is_none());
    assert_eq!(
        said(&diagnostics, codes::MANIFEST_BAD_VALUE),
        [(Severity::Error, "`replicas.min` and `replicas` cannot both have a value")]
    );
}
