//! What is refused of an upgrade of Argo Workflows, and in which words. Each case is a trap that somebody met.

use serde_json::json;
use switchback_schemas::{
    Severity,
    inventory::{Inventory, Subject, Unread},
    lock::Render,
    name::ObjectName,
};

use crate::{
    world::compiled_with,
    world_argo::{ARGO, BY_CLASS, PLATFORM, classed, hooked, lock, platform, rendered, running},
    world_mlflow::change,
};

type Edit<'a> = &'a dyn Fn(&mut Inventory);
type Change<'a> = &'a dyn Fn(&mut Render);

fn said(argo: &str, inventory: &Inventory, found: Render) -> (bool, String) {
    let platform = if argo.contains("inFlightByClass") { classed() } else { PLATFORM.to_owned() };
    let files = [("p.yaml", platform.as_str()), ("a.yaml", argo)];
    let (plan, diagnostics) = compiled_with(&files, inventory, &[], lock(found));
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let lines = errors.map(|found| {
        format!("{} {}\n  help: {}\n", found.code, found.message, found.help.as_deref().unwrap_or("none"))
    });
    (plan.is_some(), lines.collect::<String>())
}

fn four() -> Render {
    rendered("1.0.18", "v4.0.6", "Recreate")
}

fn refused(argo: &str, edit: Edit<'_>, mut found: Render, change: Change<'_>) -> String {
    let mut inventory = platform("0.47.5", "v3.7.11");
    edit(&mut inventory);
    change(&mut found);
    let (planned, said) = said(argo, &inventory, found);
    assert!(!planned, "it was compiled");
    said
}

fn section(inventory: &mut Inventory, pointer: &str, value: serde_json::Value) {
    change(inventory, "argo-workflows", pointer, value);
}

fn old_fields(inventory: &mut Inventory) {
    let object = |kind: &str, name: &str| json!({"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "namespace": "ml", "name": name});
    let cluster =
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ClusterWorkflowTemplate", "name": "shared"});
    section(
        inventory,
        "/oldFields",
        json!([
            {"object": object("CronWorkflow", "nightly"), "pointer": "/spec/schedule"},
            {"object": object("WorkflowTemplate", "train"), "pointer": "/spec/templates/0/synchronization/mutex"},
            {"object": cluster, "pointer": "/spec/podPriority"},
        ]),
    );
}

/// A container's field in the Deployment of the controller.
fn container(found: &mut Render, field: &str, value: serde_json::Value) {
    let controller = found.objects.last_mut().expect("the controller");
    controller["spec"]["template"]["spec"]["containers"][0][field] = value;
}

fn persistence(found: &mut Render, yaml: &str) {
    found.objects[1]["data"]["config"] = json!(yaml);
}

#[test]
fn traps_read_like_this() {
    let same = |_: &mut Render| {};
    let nothing = |_: &mut Inventory| {};
    let left = format!("{ARGO}  crds: chart\n");
    let accept = format!("{ARGO}  inFlight: {{accept: {{because: 'ada: short ones'}}}}\n");
    let mut cases = Vec::new();
    let mut case = |name: &str, said: String| cases.push(format!("{name}\n{said}"));

    case("removed_fields: objects that full CRDs would rob", refused(ARGO, &old_fields, four(), &same));
    case(
        "transition_minimal_to_full: CRDs without keep go with every Workflow",
        refused(
            ARGO,
            &|inventory| {
                let kept = |name: &str| name != "workflows.argoproj.io";
                inventory.crds.iter_mut().for_each(|crd| crd.keep = kept(&crd.name));
            },
            four(),
            &same,
        ),
    );
    case(
        "in_flight: a jump from 3.5.1 or older with running Workflows",
        refused(
            &accept.replace("1.0.18", "0.41.1"),
            &|inventory| {
                *inventory = platform("0.35.0", "v3.5.0");
                running(inventory);
            },
            rendered("0.41.1", "v3.5.5", "RollingUpdate"),
            &same,
        ),
    );
    case(
        "in_flight: a jump from 3.5.1 or older with one class that runs on",
        refused(
            &format!("{ARGO}{BY_CLASS}").replace("1.0.18", "0.41.1"),
            &|inventory| {
                *inventory = platform("0.35.0", "v3.5.0");
                running(inventory);
            },
            rendered("0.41.1", "v3.5.5", "RollingUpdate"),
            &same,
        ),
    );
    case(
        "in_flight: a class that the Platform does not have",
        refused(&format!("{ARGO}{BY_CLASS}").replace("ci:", "cii:"), &nothing, four(), &same),
    );
    case(
        "chart before 1.0.13: two controllers without leader election",
        refused(
            &ARGO.replace("1.0.18", "1.0.12"),
            &nothing,
            rendered("1.0.12", "v4.0.5", "RollingUpdate"),
            &|found| {
                container(found, "env", json!([{"name": "LEADER_ELECTION_DISABLE", "value": "true"}]));
            },
        ),
    );
    case(
        "chart 1.0.0 to 1.0.16: the hook under restricted Pod Security",
        refused(
            &left.replace("1.0.18", "1.0.16"),
            &|inventory| section(inventory, "/controllers/0/restricted", json!(true)),
            hooked("1.0.16", "v4.0.6", "argo-workflows-crd-install", &json!({})),
            &same,
        ),
    );
    case(
        "chart 1.0.0: the hook of a release with a long name",
        refused(
            &left.replace("1.0.18", "1.0.0"),
            &nothing,
            hooked(
                "1.0.0",
                "v4.0.2",
                "a-release-of-the-team-that-trains-models-argo-workflows-crd-install",
                &json!({"runAsNonRoot": true}),
            ),
            &same,
        ),
    );
    case(
        "hook: it would run beside the plan",
        refused(ARGO, &nothing, hooked("1.0.18", "v4.0.6", "argo-workflows-crd-install", &json!({})), &same),
    );
    case("a chart without its CRDs", refused(ARGO, &nothing, four(), &|found| found.crds.truncate(2)));
    case(
        "executor: another version than the controller's",
        refused(ARGO, &nothing, four(), &|found| {
            container(found, "args", json!(["--executor-image", "quay.io/argoproj/argoexec:v3.7.11"]));
        }),
    );
    case(
        "argo-server: another version than the controller's",
        refused(ARGO, &nothing, four(), &|found| {
            found.objects[2]["spec"]["template"]["spec"]["containers"][0]["image"] =
                json!("quay.io/argoproj/argocli:v3.7.11");
        }),
    );
    case(
        "values: images stay at the version before",
        refused(ARGO, &nothing, rendered("1.0.18", "v3.7.11", "Recreate"), &|found| {
            found.app_version = "v4.0.6".to_owned();
        }),
    );
    case(
        "values: no controller",
        refused(ARGO, &nothing, four(), &|found| {
            found.objects.last_mut().expect("the controller")["spec"]["replicas"] = json!(0);
        }),
    );
    case(
        "in_flight: accepted by nobody",
        refused(&format!("{ARGO}  inFlight: {{accept: {{because: ''}}}}\n"), &nothing, four(), &same),
    );
    case(
        "archive_database: 3.5 to 3.6 on PostgreSQL is one-way",
        refused(
            &ARGO.replace("1.0.18", "0.45.0"),
            &|inventory| *inventory = platform("0.42.6", "v3.5.12"),
            rendered("0.45.0", "v3.6.0", "RollingUpdate"),
            &|found| persistence(found, "persistence:\n  archive: true\n  postgresql: {host: db}\n"),
        ),
    );
    case(
        "archive_database: 3.6 to 4.0 on MySQL migrates",
        refused(ARGO, &|inventory| *inventory = platform("0.45.0", "v3.6.0"), four(), &|found| {
            persistence(found, "persistence:\n  archive: true\n  mysql: {host: db}\n");
        }),
    );
    case(
        "who_else_depends: CRDs of another release",
        refused(
            ARGO,
            &|inventory| {
                let crd =
                    inventory.crds.iter_mut().find(|crd| crd.name == "workflows.argoproj.io").expect("it");
                crd.release = Some(ObjectName::namespaced("amd", "gpu-operator"));
            },
            four(),
            &same,
        ),
    );
    case(
        "a CronWorkflow that a GitOps controller owns",
        refused(
            ARGO,
            &|inventory| {
                let cron =
                    inventory.owners.iter_mut().find(|owner| owner.object.name == "nightly").expect("it");
                cron.evidence[0].owner = switchback_schemas::manifest::OwnerKind::Gitops;
                "argocd.argoproj.io/tracking-id".clone_into(&mut cron.evidence[0].because);
            },
            four(),
            &same,
        ),
    );
    case(
        "values that say how the chart applies its CRDs",
        refused(&format!("{ARGO}  set: {{crds.full: true}}\n"), &nothing, four(), &same),
    );
    case("nothing was observed", refused(ARGO, &|inventory| inventory.components.clear(), four(), &same));
    case(
        "Workflows that could not be listed",
        refused(
            ARGO,
            &|inventory| {
                let what = Subject::Objects {
                    api_version: "argoproj.io/v1alpha1".to_owned(),
                    kind: "Workflow".to_owned(),
                };
                inventory.unread.push(Unread { what, why: "forbidden".to_owned() });
            },
            four(),
            &same,
        ),
    );
    case(
        "a target below what is there",
        refused(&ARGO.replace("1.0.18", "0.46.2"), &nothing, rendered("0.46.2", "v3.7.6", "Recreate"), &same),
    );
    case(
        "more running Workflows than anybody would suspend",
        refused(
            &format!("{ARGO}  inFlight: {{suspend: {{}}}}\n"),
            &|inventory| {
                let workflow = |n: usize| json!({"name": {"namespace": "ml", "name": format!("w-{n}")}});
                section(inventory, "/unfinished", (0..101).map(workflow).collect::<Vec<_>>().into());
            },
            four(),
            &same,
        ),
    );
    insta::assert_snapshot!(cases.join("\n"));
}

/// What is dangerous in one state is fine in another.
#[test]
fn what_is_no_trap_is_not_refused() {
    let compiles = |argo: &str, inventory: &Inventory, found: Render| {
        let (planned, said) = said(argo, inventory, found);
        assert!(planned, "{said}");
    };
    // Nobody runs while the jump is made.
    let mut old = platform("0.35.0", "v3.5.0");
    running(&mut old);
    compiles(ARGO, &old, four());
    // These controllers take a report without the label as one that is whole.
    let accept = format!("{ARGO}  inFlight: {{accept: {{because: 'ada: short ones'}}}}\n");
    compiles(&accept, &old, four());
    compiles(&accept.replace("1.0.18", "0.42.6"), &old, rendered("0.42.6", "v3.5.12", "RollingUpdate"));
    // An elected leader, or a controller that is gone before the next comes.
    compiles(
        &ARGO.replace("1.0.18", "1.0.12"),
        &platform("0.47.5", "v3.7.11"),
        rendered("1.0.12", "v4.0.5", "RollingUpdate"),
    );
    let mut alone = four();
    container(&mut alone, "env", json!([{"name": "LEADER_ELECTION_DISABLE", "value": "true"}]));
    compiles(ARGO, &platform("0.47.5", "v3.7.11"), alone);
    // 3.7 to 4.0 changes nothing of the archive.
    let mut archived = four();
    persistence(&mut archived, "persistence:\n  archive: true\n  postgresql: {host: db}\n");
    compiles(ARGO, &platform("0.47.5", "v3.7.11"), archived);
    // People migrate it.
    let mut skipped = four();
    persistence(&mut skipped, "persistence:\n  skipMigration: true\n  postgresql: {host: db}\n");
    compiles(ARGO, &platform("0.45.0", "v3.6.0"), skipped);
    // The hook has a context, and its name fits.
    let left = format!("{ARGO}  crds: chart\n");
    let confined = hooked("1.0.18", "v4.0.6", "argo-workflows-crd-install", &json!({"runAsNonRoot": true}));
    let mut restricted = platform("0.47.5", "v3.7.11");
    section(&mut restricted, "/controllers/0/restricted", json!(true));
    compiles(&left, &restricted, confined);
}

#[test]
fn a_removed_field_can_be_accepted_object_by_object() {
    let mut inventory = platform("0.47.5", "v3.7.11");
    old_fields(&mut inventory);
    let waiver = |about: &str, name: &str| {
        format!(
            "apiVersion: switchback.dev/v1alpha1\nkind: Waiver\nmetadata: {{name: {name}}}\nspec:\n  finding: SB0446\n  about: '{about}'\n  \
             evidence: it is not used\n  by: ada\n  expires: '2026-12-24T00:00:00Z'\n"
        )
    };
    let waivers = [
        waiver("CronWorkflow ml/nightly", "a"),
        waiver("WorkflowTemplate ml/train", "b"),
        waiver("ClusterWorkflowTemplate shared", "c"),
    ]
    .join("---\n");
    let files = [("p.yaml", PLATFORM), ("a.yaml", ARGO), ("w.yaml", waivers.as_str())];
    let (plan, diagnostics) = compiled_with(&files, &inventory, &[], lock(four()));
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let look =
        plan.steps.iter().find(|step| step.id.as_str().ends_with("/removed-fields")).expect("it looks");
    let text = serde_json::to_string(look).expect("JSON");
    // One is accepted, and a second one holds the run.
    assert!(
        text.contains(
            r#""kind":"CronWorkflow"},"each":[{"pointer":"/spec/schedule","is":{"present":{}}}],"atMost":1"#
        ),
        "{text}"
    );
}
