//! What is said stays short, however much is wrong.

use std::fmt::Write as _;

use switchback_schemas::{Diagnostic, codes, codes::Code, inventory::Inventory};

use crate::world::{PLATFORM, compiled, inventory};

/// Upgrades of so many Deployments, in files that are not too large, each with what it requires.
fn many(count: usize, requires: impl Fn(usize) -> String) -> (Vec<String>, Inventory) {
    let mut inventory = inventory("1.5.8");
    let (workload, owner) = (inventory.workloads[0].clone(), inventory.owners[2].clone());
    let mut files = vec![PLATFORM.to_owned()];
    for number in 0..count {
        if number % 1_000 == 0 {
            files.push(String::new());
        }
        let name = format!("app-{number}");
        let (mut workload, mut owner) = (workload.clone(), owner.clone());
        workload.object.name.clone_from(&name);
        owner.object.name.clone_from(&name);
        inventory.workloads.push(workload);
        inventory.owners.push(owner);
        let file = files.last_mut().expect("a file");
        let _ = write!(
            file,
            "---\napiVersion: switchback.dev/v1alpha1\nkind: DeploymentUpgrade\nmetadata: {{name: {name}}}\nspec:\n  \
             {{target: cluster, deployment: {{namespace: shop, name: {name}}}, container: web, \
             image: 'registry.example/web:1.5', to: '1.5', requires: [{}]}}\n",
            requires(number)
        );
    }
    (files, inventory)
}

fn refused((files, inventory): &(Vec<String>, Inventory)) -> Vec<Diagnostic> {
    let names: Vec<String> = (0..files.len()).map(|number| format!("{number}.yaml")).collect();
    let files: Vec<_> = names.iter().zip(files).map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (plan, diagnostics) = compiled(&files, inventory, &[]);
    assert!(plan.is_none());
    diagnostics
}

fn of(diagnostics: &[Diagnostic], code: Code) -> Vec<&Diagnostic> {
    diagnostics.iter().filter(|found| found.code == code).collect()
}

#[test]
fn a_circle_of_many_hops_is_told_from_its_begin_and_counted() {
    let told = [40, 160].map(|count| {
        let requires = |number: usize| {
            format!("{{upgrade: app-{}, atLeast: '1.5', because: it calls it}}", (number + 1) % count)
        };
        let diagnostics = refused(&many(count, requires));
        let [circle] = of(&diagnostics, codes::PATH_CYCLE)[..] else { panic!("{diagnostics:#?}") };
        assert!(circle.message.ends_with(&format!(" -> {} more hops, and the first again", count - 20)));
        (circle.message.matches(" -> ").count(), circle.labels.len())
    });
    assert_eq!(told, [(20, 20); 2]);
}

#[test]
fn many_unused_waivers_are_told_once() {
    let told = [40, 160].map(|count| {
        let mut waivers = String::new();
        for number in 0..count {
            let _ = write!(
                waivers,
                "---\napiVersion: switchback.dev/v1alpha1\nkind: Waiver\nmetadata: {{name: w-{number:03}}}\nspec:\n  finding: SB0306\n  \
                 about: nothing {number}\n  by: ann\n  evidence: none\n  expires: 2030-01-01T00:00:00Z\n"
            );
        }
        let (mut files, inventory) = many(1, |_| String::new());
        files.push(waivers);
        let names: Vec<String> = (0..files.len()).map(|number| format!("{number}.yaml")).collect();
        let files: Vec<_> = names.iter().zip(&files).map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let (plan, diagnostics) = compiled(&files, &inventory, &[]);
        assert!(plan.is_some(), "{diagnostics:#?}");
        let unused = of(&diagnostics, codes::MANIFEST_WAIVER);
        let rest = format!("{} more waivers expired or accept nothing: w-020, w-021, ", count - 20);
        assert_eq!(unused.iter().filter(|told| told.message.starts_with(&rest)).count(), 1, "{unused:#?}");
        unused.len()
    });
    assert_eq!(told, [21, 21]);
}

#[test]
fn more_hops_than_a_plan_holds_are_refused_before_they_are_lowered() {
    let diagnostics = refused(&many(10_001, |_| String::new()));
    let [found] = of(&diagnostics, codes::PLAN_TOO_LARGE)[..] else { panic!("{diagnostics:#?}") };
    assert_eq!(found.message, "the plan has 10001 hops");
}
