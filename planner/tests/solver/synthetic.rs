//! Catalogs made up for what the real one has no case of yet: facts over three components, known failures, faults.

use switchback_planner::{
    catalog::{Catalog, Finding, check},
    solver::{self, BUDGET, JointPath, Requests},
};
use switchback_schemas::Diagnostic;

use crate::platform::{day, manifests};

/// A component with versions 1 to 3 and facts of its own.
fn file(component: &str, facts: &str) -> String {
    format!(
        "component: {component}\ntitle: '{component}'\n\
         sources: {{page: {{title: 'a page', readOn: '2026-01-01', grade: A}}}}\n\
         versions:\n  - {{version: '1', source: page}}\n  - {{version: '2', source: page}}\n  - {{version: '3', source: page}}\n{facts}"
    )
}

fn catalog(files: &[(&str, &str)]) -> Catalog {
    let files: Vec<(&str, String)> = files.iter().map(|(name, facts)| (*name, file(name, facts))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Catalog::of(&files).expect("it can be read")
}

fn path(catalog: &Catalog, upgrades: &[(&str, &str, &str)]) -> Result<JointPath, Diagnostic> {
    let (ask, found) =
        solver::ask(catalog, &manifests(upgrades), Requests::default(), None, day("2026-01-01"));
    solver::path(catalog, &ask.unwrap_or_else(|| panic!("{found:#?}")), BUDGET)
}

const MESH: &str = "compatibility:\n  - with: mesh\n    strength: requires\n    rows:\n      \
                    - {when: '2 || 3', given: {cluster: '3'}, on: '>=2', source: page}\n      \
                    - {when: '1', on: '*', source: page}\n";

#[test]
fn a_fact_over_three_components_separates_two_of_them() {
    let catalog = catalog(&[("serving", MESH), ("mesh", ""), ("cluster", "")]);
    let asked = [("serving", "1", "3"), ("mesh", "1", "2"), ("cluster", "2", "3")];
    let path = path(&catalog, &asked).expect("a path");
    let why: Vec<_> = path.hops.iter().flat_map(|hop| &hop.after).collect();
    assert_eq!(why.len(), 1, "one edge keeps the three apart: {why:#?}");
    assert!(why[0].why[0].text.contains("serving 2 || 3 requires mesh >=2"), "{why:#?}");

    // Without the third component the row says nothing.
    let free = self::path(&catalog, &asked[..2]).expect("a path");
    assert!(free.hops.iter().all(|hop| hop.after.is_empty()));
    // With it, and the mesh left behind, there is no way.
    let stuck = [("serving", "1", "3"), ("mesh", "1", "1"), ("cluster", "2", "3")];
    assert!(self::path(&catalog, &stuck).is_err());
}

#[test]
fn what_is_known_to_fail_is_gone_around() {
    let fails = "compatibility:\n  - with: cluster\n    strength: breaks\n    rows:\n      \
                 - {when: '1', on: '3', source: page}\n      - {when: '3', on: '1', source: page}\n";
    let catalog = catalog(&[("serving", fails), ("cluster", "")]);
    // Neither can jump before the other one has moved half way.
    let path = path(&catalog, &[("serving", "1", "3"), ("cluster", "1", "3")]).expect("a path");
    assert_eq!(path.hops.len(), 3, "{:#?}", path.hops);
    assert_eq!(check(&catalog, None), [], "a list of failures says nothing about the rest");
}

fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let catalog = catalog(files);
    let faults = check(&catalog, None).into_iter().filter_map(|finding| match finding {
        Finding::Fault { what, .. } => Some(what),
        _ => None,
    });
    faults.collect()
}

#[test]
fn faults_of_a_file_are_found() {
    for (facts, part) in [
        (MESH, "names mesh"),
        ("bad:\n  - {versions: '2', why: 'x', source: gone}\n", "the source gone"),
        ("down:\n  - {from: '3', to: '<3', only: '2.5', way: inverse, why: 'x', source: page}\n", "2.5"),
        ("hops: {oneAtATime: {lines: ['1', '2'], why: 'x', source: page}}\n", "3 is of no line"),
        (
            "support:\n  - {versions: '1', until: '2026-01-01', source: page}\n  \
             - {versions: '1 || 2', until: '2026-01-01', source: page}\n",
            "two rows of support dates",
        ),
        (
            "compatibility:\n  - with: cluster\n    strength: tested\n    rows:\n      \
             - {when: '<=2', on: '1', source: page}\n      - {when: '>=2', on: '2', source: page}\n",
            "two rows of one matrix with cluster hold 2",
        ),
    ] {
        let found = faults(&[("serving", facts), ("cluster", "")]);
        assert!(found.iter().any(|what| what.contains(part)), "{part}: {found:#?}");
    }
    assert_eq!(faults(&[("serving", ""), ("cluster", "")]), Vec::<String>::new());
}

#[test]
fn a_version_that_no_row_covers_is_a_hole() {
    let tested = "compatibility:\n  - with: cluster\n    strength: tested\n    rows:\n      \
                  - {when: '1 || 3', on: '*', source: page}\n";
    let catalog = catalog(&[("serving", tested), ("cluster", "")]);
    let holes: Vec<Finding> = check(&catalog, None);
    assert!(
        matches!(holes.as_slice(), [Finding::Hole { what, .. }] if what.contains("2 has no fact about cluster")),
        "{holes:#?}"
    );
    // The solver goes around it: a hop less known costs more than a hop.
    let path = path(&catalog, &[("serving", "1", "3"), ("cluster", "1", "2")]).expect("a path");
    assert_eq!((path.cost.hops, path.cost.unknown), (2, 0));
}
