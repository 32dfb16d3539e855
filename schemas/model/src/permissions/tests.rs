use serde_json::json;
use switchback_schemas::{
    name::{Label, ObjectName, ObjectRef},
    plan::{
        Arn, AwsResource, Effect, EksDeleteNodegroup, EksEffect, Grant, HelmEffect, HelmUpgrade, Identity,
        KubeCondition, KubeEffect, KubePatch, NodeDrain, Objects, Plan, PodSelector, PolicyRule,
        ReleaseObjects, Roles, Suspension, Target, Work,
    },
};

use super::*;
use crate::testing;

fn with_effect(effect: Effect) -> Plan {
    let mut drawn = testing::step("a/b/c", &[]);
    drawn.step.work = Work::effect("does it", effect);
    testing::plan(vec![drawn])
}

fn lines(plan: &Plan) -> Vec<String> {
    let rbac = |rule: PolicyRule| {
        let part = |texts: &BTreeSet<String>| texts.iter().cloned().collect::<Vec<_>>().join("+");
        format!(
            "{}|{}|{}|{}",
            part(&rule.api_groups),
            part(&rule.resources),
            part(&rule.resource_names),
            part(&rule.verbs)
        )
    };
    // Not what every run needs: to count what stands on its clusters, among other things.
    let every = of_plan(&testing::plan(vec![testing::step("a/b/c", &[])]));
    let all = of_plan(plan);
    let roles = roles(all.keys().filter(|permission| !every.contains_key(permission))).into_iter();
    let line = |namespace: &Option<String>, rule: PolicyRule| {
        format!("{}|{}", namespace.as_deref().unwrap_or("*"), rbac(rule))
    };
    roles
        .flat_map(|(namespace, rules)| rules.into_iter().map(move |rule| line(&namespace, rule)))
        // Nor the rollback that testing gives each step.
        .filter(|line| !line.starts_with("x|"))
        .collect()
}

#[test]
fn a_patch_needs_its_object_alone_and_its_subresource() {
    let object = ObjectRef::new("karpenter.sh/v1", "NodePool", &ObjectName::cluster("general"));
    let plan = with_effect(Effect::Kube(KubeEffect::Patch(KubePatch {
        object: Target::Object(object),
        subresource: Some("status".to_owned()),
        only_if: Vec::new(),
        set: Vec::new(),
    })));
    assert_eq!(
        lines(&plan),
        ["*|karpenter.sh|nodepools|general|get", "*|karpenter.sh|nodepools/status|general|patch"]
    );
}

#[test]
fn a_drain_reads_the_owners_that_classes_name() {
    let mut plan = with_effect(Effect::Kube(KubeEffect::Drain(NodeDrain { node: Target::ItemNode {} })));
    let select = PodSelector {
        owner_kinds: vec!["Job".to_owned(), "PyTorchJob".to_owned()],
        ..PodSelector::default()
    };
    plan.classes = vec![switchback_schemas::plan::WorkloadClass {
        name: "training".parse().unwrap(),
        select,
        on_drain: switchback_schemas::plan::OnDrain::Never {},
        gang: true,
        overrides: [].into(),
        may_lose: None,
    }];
    let lines = lines(&plan);
    for line in ["*||pods/eviction||create", "*|*|pytorchjobs||get", "*||nodes||get"] {
        assert!(lines.iter().any(|found| found == line), "{line} in {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains("delete")), "evictions only: {lines:#?}");
}

#[test]
fn what_a_suspension_waits_for_is_listed() {
    let nodes = |kind: &str| -> Condition {
        Condition::Kube(KubeCondition::Count {
            find: switchback_schemas::plan::Find {
                api_version: "demo.dev/v1".to_owned(),
                kind: kind.to_owned(),
                namespace: None,
                labels: BTreeMap::new(),
            },
            each: Vec::new(),
            at_least: None,
            at_most: Some(0),
        })
    };
    let mut plan = testing::plan(vec![testing::step("open", &[]), testing::step("close", &["open"])]);
    let suspension = json!({"id": "b", "title": "b", "suspend": "open", "resume": "close", "held": nodes("Pool"),
        "safeToResume": nodes("Claim"), "maxSuspended": 60, "spansPark": false, "owner": "o", "resumeCommand": "c"});
    plan.suspensions = vec![serde_json::from_value::<Suspension>(suspension).unwrap()];
    let lines = lines(&plan);
    assert_eq!(lines, ["*|demo.dev|claims+pools||list"]);
}

#[test]
fn a_release_needs_its_records_its_objects_and_what_its_roles_grant() {
    let release = ObjectName::namespaced("apps", "web");
    let mut plan = with_effect(Effect::Helm(HelmEffect::Upgrade(HelmUpgrade {
        release: release.clone(),
        chart: switchback_schemas::plan::Chart {
            name: "web".to_owned(),
            repository: "charts".to_owned(),
            version: "1.0.0".parse().unwrap(),
            digest: switchback_schemas::Digest::of(""),
        },
        set: json!({}),
        values: switchback_schemas::Digest::of(""),
        takes: Vec::new(),
        leaves: Vec::new(),
    })));
    let objects = Objects {
        group: "apps".to_owned(),
        resource: "deployments".to_owned(),
        namespace: Some("apps".to_owned()),
        names: ["web".to_owned()].into(),
    };
    let set = |text: &str| BTreeSet::from([text.to_owned()]);
    let rule = PolicyRule {
        api_groups: set(""),
        resources: set("nodes"),
        verbs: set("watch"),
        ..PolicyRule::default()
    };
    plan.releases = vec![ReleaseObjects {
        release,
        objects: vec![objects],
        hooks: Vec::new(),
        grants: vec![Grant { namespace: None, rules: vec![rule] }],
        binds: BTreeSet::new(),
    }];
    assert_eq!(
        lines(&plan),
        [
            "*||nodes||watch",
            "apps||secrets||create+delete+get+list+update",
            "apps|apps|deployments||create",
            "apps|apps|deployments|web|delete+get+patch"
        ]
    );
}

#[test]
fn what_is_allowed_for_all_is_not_listed_for_one() {
    let permission = |namespace: Option<&str>, name: Option<&str>| {
        Permission::Rbac(Rbac {
            namespace: namespace.map(str::to_owned),
            on: On::Resource {
                group: String::new(),
                resource: "pods".to_owned(),
                name: name.map(str::to_owned),
            },
            verb: "get".to_owned(),
        })
    };
    let (all, one) = (permission(None, None), permission(Some("apps"), Some("web")));
    let roles = roles([&all, &permission(Some("apps"), None), &one]);
    assert_eq!(roles.len(), 1, "{roles:?}");
    assert_eq!(roles[&None].len(), 1);
}

#[test]
fn a_step_at_aws_takes_on_the_roles_of_its_target() {
    let main: Label = "main".parse().unwrap();
    let mut plan = with_effect(Effect::Eks(EksEffect::DeleteNodegroup(EksDeleteNodegroup {
        target: main.clone(),
        nodegroup: "gpu".to_owned(),
    })));
    let role = Arn::eks_cluster("eu-central-1", "111122223333", "role");
    let arn = Arn::eks_cluster("eu-central-1", "111122223333", "mlops");
    let eks = AwsResource { arn, roles: Roles { apply: Some(role.clone()), ..Roles::default() } };
    let identity = Identity::Cluster { kube_system_uid: "u".to_owned(), eks: Some(eks) };
    plan.platform.targets = [(main, identity)].into();
    let all = of_plan(&plan);
    let find = |action: &str| {
        let on = |permission: &Permission| matches!(permission, Permission::Iam(iam) if iam.action == action);
        all.iter().find(|(permission, _)| on(permission)).expect("it is listed")
    };
    let (delete, steps) = find("eks:DeleteNodegroup");
    let Permission::Iam(iam) = delete else { unreachable!("an action") };
    assert_eq!(iam.resource, "arn:aws:eks:eu-central-1:111122223333:nodegroup/mlops/gpu/*");
    assert_eq!(steps.len(), 1);
    let (assume, _) = find("sts:AssumeRole");
    assert_eq!(
        *assume,
        Permission::Iam(Iam { action: "sts:AssumeRole".to_owned(), resource: role.to_string() })
    );
    // Each resource stands in one statement.
    let statements = policy(all.keys());
    let resources: Vec<&String> = statements.iter().flat_map(|statement| &statement.resource).collect();
    assert_eq!(resources.len(), resources.iter().collect::<BTreeSet<_>>().len());
}
