//! A component that is defined outside of the crate and given to the compiler is one like any other.

mod component;
mod pipeline;
mod seams;
mod sentry;

use std::collections::BTreeMap;

use switchback_model::{
    lint::lint,
    permissions::{On, Permission, of_forward},
};
use switchback_planner::{
    compile::asks,
    component::AnyComponent,
    components::COMPONENTS,
    manifest::{self, Manifests},
    registry::Registry,
};
use switchback_schemas::{
    ComponentName, Diagnostic, codes,
    inventory::{Container, Inventory, Workload},
    name::{ObjectName, ObjectRef},
    plan::Plan,
};

use self::component::{Widget, WidgetUpgrade};
use crate::world::{self, KARPENTER, PLATFORM};

const WIDGET: &str = "
apiVersion: switchback.dev/v1alpha1
kind: WidgetUpgrade
metadata: {name: widget}
spec:
  target: cluster
  deployment: {namespace: ops, name: widget}
  to: '3.0'
  watchedBy: nodes
";

const NODES: &str = "
apiVersion: switchback.dev/v1alpha1
kind: Verification
metadata: {name: nodes}
spec: {check: {nodes: {pool: general, ready: 1}}}
";

fn registry() -> Registry<'static> {
    let components: Vec<&'static dyn AnyComponent> = COMPONENTS.into_iter().chain([&Widget as _]).collect();
    Registry::new(&components).expect("a registry")
}

/// The small platform with a widget of a version.
fn inventory(image: &str) -> Inventory {
    let mut inventory = world::inventory("1.5.8");
    inventory.workloads.push(Workload {
        object: ObjectRef::new("apps/v1", "Deployment", &ObjectName::namespaced("ops", "widget")),
        replicas: 1,
        ready: 1,
        paused: false,
        survives: None,
        labels: BTreeMap::new(),
        containers: vec![Container { name: "widget".to_owned(), image: image.to_owned() }],
    });
    inventory
}

fn read(registry: &Registry<'_>, widget: &str) -> (Option<Manifests>, Vec<Diagnostic>) {
    let files = [("p.yaml", PLATFORM), ("k.yaml", KARPENTER), ("v.yaml", NODES), ("w.yaml", widget)];
    manifest::read(registry.kinds(), files)
}

fn compiled(widget: &str, inventory: &Inventory) -> (Option<Plan>, Vec<Diagnostic>) {
    let registry = registry();
    let (manifests, found) = read(&registry, widget);
    let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
    let lock = world::lock(inventory, manifests.digest, &["1.8.8"]);
    world::compiled_of(&registry, &manifests, inventory, &lock)
}

fn refused(widget: &str) -> Diagnostic {
    let (manifests, found) = read(&registry(), widget);
    assert!(manifests.is_none(), "it is read as if nothing was wrong:\n{widget}");
    let mut errors = found.into_iter().filter(Diagnostic::is_error);
    let error = errors.next().expect("an error");
    assert_eq!(errors.next(), None, "one thing is wrong");
    assert!(error.labels.first().is_some_and(|label| label.file == "w.yaml"), "{error:#?}");
    error
}

#[test]
fn its_documents_are_read_and_its_schema_finds_their_faults() {
    let registry = registry();
    let (manifests, found) = read(&registry, WIDGET);
    let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
    let document = manifests.of::<WidgetUpgrade>().next().expect("it is read");
    assert_eq!(document.spec.to.plain(), "3.0");
    let unknown = refused(&WIDGET.replace("watchedBy", "watchdBy: nodes\n  watchedBy"));
    assert_eq!(unknown.code, codes::MANIFEST_UNKNOWN_FIELD);

    let (other, _) = read(&registry, &WIDGET.replace("to: '3.0'", "to: '2.0'"));
    assert_ne!(other.expect("it is read").digest, manifests.digest, "its spec is part of the digest");
    let (quoted, _) = read(&registry, &WIDGET.replace("'3.0'", "\"3.0\" # the newest"));
    assert_eq!(quoted.expect("it is read").digest, manifests.digest, "how it is written is not");
}

#[test]
fn its_texts_are_checked_for_options() {
    let option = refused(&WIDGET.replace("name: widget}\n  to", "name: '--kubeconfig=x'}\n  to"));
    assert_eq!(option.code, codes::MANIFEST_BAD_VALUE);
    assert!(option.message.contains("is not the name of an object"), "{}", option.message);
}

#[test]
fn its_names_lead_somewhere_and_it_does_not_contradict_itself() {
    let lost = refused(&WIDGET.replace("watchedBy: nodes", "watchedBy: nods"));
    assert_eq!(lost.code, codes::MANIFEST_REFERENCE);
    assert_eq!(lost.help.as_deref(), Some("did you mean `nodes`?"));
    let target = refused(&WIDGET.replace("target: cluster", "target: clutser"));
    assert_eq!(target.code, codes::MANIFEST_REFERENCE, "what every upgrade names is asked, too");
    let twice = refused(&WIDGET.replace("watchedBy: nodes", "watchedBy: nodes\n  verify: [nodes]"));
    assert_eq!(twice.code, codes::MANIFEST_CONFLICT);
    let required = KARPENTER.replace(
        "target: cluster",
        "target: cluster\n  requires: [{upgrade: widget, atLeast: '4.0', because: x}]",
    );
    let files = [("p.yaml", PLATFORM), ("k.yaml", required.as_str()), ("v.yaml", NODES), ("w.yaml", WIDGET)];
    let (manifests, found) = manifest::read(registry().kinds(), files);
    assert!(manifests.is_none());
    assert!(found.iter().any(|d| d.message.contains("`widget` never reaches 4.0")), "{found:#?}");
}

#[test]
fn two_that_move_one_thing_are_refused() {
    let second = WIDGET.replace("metadata: {name: widget}", "metadata: {name: again}");
    let both = refused(&format!("{WIDGET}---{second}"));
    assert_eq!(both.code, codes::MANIFEST_CONFLICT);
    assert!(both.message.contains("move the widget"), "{}", both.message);
    assert_eq!(both.labels.len(), 2);
}

#[test]
fn it_moves_on_the_joint_path_and_lowers() {
    let (plan, found) = compiled(WIDGET, &inventory("registry.example/widget:1.0"));
    let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(lint(&plan), [], "the plan keeps its own rules");
    let hops: Vec<String> = plan.hops.iter().map(|hop| hop.id.to_string()).collect();
    assert_eq!(hops, ["karpenter/karpenter@1.8.8", "widget/widget@2.0", "widget/widget@3.0"]);
    let second = &plan.hops[1];
    let after = second.after.first().expect("it comes after Karpenter");
    assert!(after.why.contains("Widget >=2 requires Karpenter >=1.8"), "{}", after.why);
    let source = after.source.as_ref().expect("with a source");
    assert_eq!(plan.sources[source].title, "release notes of Widget");
    assert_eq!(plan.inputs.catalog, registry().catalog().digest);

    let steps: Vec<_> = plan.steps.iter().filter(|step| step.id.as_str().starts_with("widget/")).collect();
    assert_eq!(steps.len(), 2);
    assert!(steps[1].work.title.ends_with("registry.example/widget:3.0"), "{}", steps[1].work.title);
    assert!(steps[1].needs.iter().any(|need| need.step == steps[0].id), "one hop after the other");
    let needs = of_forward(&plan, steps[0]);
    let rbac = needs.iter().filter_map(|permission| match permission {
        Permission::Rbac(rbac) if rbac.verb == "patch" => Some((rbac.namespace.as_deref(), &rbac.on)),
        _ => None,
    });
    let on = On::Resource {
        group: "apps".to_owned(),
        resource: "deployments".to_owned(),
        name: Some("widget".to_owned()),
    };
    assert_eq!(rbac.collect::<Vec<_>>(), [(Some("ops"), &on)], "nobody wrote it down");
}

#[test]
fn what_it_finds_stands_in_the_plans_diagnostics_under_a_code_of_its_own_list() {
    let floats = inventory("registry.example/widget:latest");
    let (plan, found) = compiled(WIDGET, &floats);
    assert!(plan.is_none());
    let found = found.iter().find(|d| d.code == codes::PLAN_FLOATING_IMAGE).expect("it is found");
    let registry = registry();
    let finders: Vec<&str> = registry.finders(found.code).map(ComponentName::as_str).collect();
    assert_eq!(finders, ["karpenter", "widget"], "`switchback explain` names it");
}

#[test]
fn its_schema_is_published_with_the_others() {
    let registry = registry();
    let kinds: Vec<&str> = registry.kinds().names().collect();
    assert!(kinds.contains(&"WidgetUpgrade"), "{kinds:?}");
    assert!(kinds.contains(&"EksUpgrade"), "{kinds:?}");
    let (_, schema) =
        registry.kinds().schemas().find(|(kind, _)| *kind == "WidgetUpgrade").expect("a schema");
    assert_eq!(schema.as_value()["properties"]["kind"]["const"], "WidgetUpgrade");
    assert_eq!(schema.as_value()["additionalProperties"], false);
}

#[test]
fn a_catalog_only_document_of_it_is_refused_by_its_kind() {
    let registry = registry();
    let text = "apiVersion: switchback.dev/v1alpha1\nkind: ComponentUpgrade\nmetadata: {name: w}\n\
                spec: {component: widget, from: '1.0', to: '2.0'}\n";
    let (manifests, found) = manifest::read(registry.kinds(), [("p.yaml", PLATFORM), ("c.yaml", text)]);
    let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
    let (_, found) = asks(&registry, &manifests, &world::inventory("1.5.8"));
    let refused = found.iter().find(|d| d.code == codes::MANIFEST_NOT_BUILT).expect("it is refused");
    assert!(
        refused.help.as_deref().is_some_and(|help| help.contains("`kind: WidgetUpgrade`")),
        "{refused:#?}"
    );
}
