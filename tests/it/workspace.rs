//! What cargo reads: the workspace, its members, and what each is built with.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use switchback_tests_it::root;
use toml::{Table, Value};

/// The directories of the workspace's members, as its manifest names them.
pub(crate) fn members() -> Vec<String> {
    let members = workspace()["members"].as_array().expect("members").clone();
    members.iter().map(text).collect()
}

/// Names of packages, and what each depends on when it is built (not what its tests use). Of ours the manifests say it, which
/// set dependencies of tests apart; of all others Cargo.lock, where what only another system needs counts, too.
pub(crate) struct Packages {
    pub(crate) members: BTreeMap<String, PathBuf>,
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Packages {
    pub(crate) fn read() -> Self {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let lock = table(&root().join("Cargo.lock"));
        for package in lock["package"].as_array().expect("packages") {
            let needs = package.get("dependencies").and_then(Value::as_array).into_iter().flatten().map(text);
            // Two versions of one package count as one.
            let names = needs.filter_map(|need| need.split(' ').next().map(str::to_owned));
            edges.entry(text(&package["name"])).or_default().extend(names);
        }
        let workspace = workspace();
        let mut packages = BTreeMap::new();
        for path in members().iter().map(|member| root().join(member)) {
            let manifest = table(&path.join("Cargo.toml"));
            let name = text(&manifest["package"]["name"]);
            edges.insert(name.clone(), built_with(&manifest, &workspace));
            packages.insert(name, path);
        }
        Self { members: packages, edges }
    }

    /// The way from a package to the first package that a wall forbids.
    pub(crate) fn breach(&self, from: &str, forbidden: &dyn Fn(&str) -> bool) -> Option<Vec<String>> {
        assert!(self.members.contains_key(from), "{from} is no package of ours");
        let mut seen: BTreeSet<&str> = BTreeSet::from([from]);
        let mut ways: Vec<Vec<&str>> = vec![vec![from]];
        while let Some(way) = ways.pop() {
            let last = way.last().copied().unwrap_or_default();
            for next in self.edges.get(last).into_iter().flatten() {
                if !seen.insert(next) {
                    continue;
                }
                let longer: Vec<&str> = way.iter().copied().chain([next.as_str()]).collect();
                if forbidden(next) {
                    return Some(longer.into_iter().map(str::to_owned).collect());
                }
                ways.push(longer);
            }
        }
        None
    }
}

/// What a package's manifest depends on to be built, on any system.
fn built_with(manifest: &Table, workspace: &Table) -> BTreeSet<String> {
    let systems = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = systems.filter_map(Value::as_table).chain([manifest]);
    let kinds = tables.flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)));
    let dependencies = kinds.flatten().filter_map(Value::as_table).flatten();
    // Under another name here, the dependency or the workspace says which package it is.
    let package = |(name, own): (&String, &Value)| {
        let shared = workspace["dependencies"].get(name).and_then(|shared| shared.get("package"));
        own.get("package").or(shared).map_or_else(|| name.clone(), text)
    };
    dependencies.map(package).collect()
}

fn workspace() -> Table {
    table(&root().join("Cargo.toml"))["workspace"].as_table().expect("a workspace").clone()
}

fn table(path: &Path) -> Table {
    fs::read_to_string(path).expect("what cargo reads is there").parse().expect("TOML")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[test]
fn a_dependency_of_one_system_and_under_another_name_is_seen() {
    let manifest = "[dependencies]\nyaml.workspace = true\n[dev-dependencies]\nonly-in-tests = \"1\"\n\
                    [target.'cfg(unix)'.build-dependencies]\nlibc = \"1\"\n[dependencies.own]\npackage = \"theirs\"\nversion = \"1\"";
    let workspace = "[dependencies]\nyaml = { version = \"1\", package = \"yaml_serde\" }";
    let found = built_with(&manifest.parse().expect("TOML"), &workspace.parse().expect("TOML"));
    assert_eq!(found, ["libc", "theirs", "yaml_serde"].map(str::to_owned).into());
}
