//! A component is the same everywhere: its folder, its line of the registry, and its rooms beside the planner.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use switchback_schemas::codes::Code;
use switchback_tests_it::root;

use crate::registry;

/// Rooms that a component has beside its lowering, each with the places where it may be. `NAME` is the folder's name.
const ROOMS: [(&str, &[&str]); 3] = [
    ("catalog", &["planner/src/components/NAME/versions.yaml"]),
    ("observer", &["executor/kube/src/observe/NAME", "executor/aws/src/observe/NAME"]),
    ("actor", &["executor/twin/src/apps/NAME", "executor/twin/src/cloud/NAME"]),
];

/// Codes of what is found of every component; what else a component finds is in its own list.
const COMMON: [&str; 11] = [
    "BUG",
    "MANIFEST_",
    "PATH_BACKWARDS",
    "PATH_REQUIREMENT",
    "PATH_UNKNOWN_VERSION",
    "PLAN_INVENTORY_MISSING",
    "PLAN_LOCK_MISSING",
    "PLAN_UNCHANGED",
    "PLAN_UNREADABLE",
    "PLAN_WAY_BACK",
    "RUN_IDENTITY",
];

fn folders() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(root().join("planner/src/components")).expect("the components");
    let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let named = paths.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path));
    let mut folders: Vec<(String, PathBuf)> = named.collect();
    folders.sort();
    assert!(folders.len() > 4, "components are missing: {folders:?}");
    folders
}

/// The text of every source of a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).expect("sources are UTF-8");
        }
    }
    text
}

#[test]
fn every_folder_is_registered_and_every_component_has_a_folder() {
    let folders: BTreeSet<String> = folders().into_iter().map(|(name, _)| name.replace('_', "-")).collect();
    let registered: BTreeSet<String> =
        registry().components().map(|(name, _)| name.as_str().to_owned()).collect();
    assert_eq!(folders, registered);
}

#[test]
fn every_component_has_its_rooms_or_says_why_not() {
    let mut missing = Vec::new();
    for (name, folder) in folders() {
        for file in ["README.md", "spec.rs", "mod.rs"] {
            if !folder.join(file).is_file() {
                missing.push(format!("{name} has no {file}"));
            }
        }
        let source = fs::read_to_string(folder.join("mod.rs")).expect("the component");
        for (room, places) in ROOMS {
            let there = |place: &&&str| {
                let place = root().join(place.replace("NAME", &name));
                place.exists() || place.with_extension("rs").is_file()
            };
            let blind = source.contains("pub const BLIND") && source.contains(&format!("(\"{room}\", \""));
            match (places.iter().any(|place| there(&place)), blind) {
                (false, false) => missing.push(format!("{name} has no {room}, and BLIND does not say why")),
                (true, true) => missing.push(format!("{name} has a {room}, and BLIND says that it has none")),
                (true, false) | (false, true) => {}
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// `switchback explain` names who finds what, and a list that is forgotten would make it lie.
#[test]
fn a_component_lists_the_codes_that_it_finds() {
    let mut wrong = Vec::new();
    for (name, folder) in folders() {
        let source = sources(&folder);
        let named: BTreeSet<&str> = source
            .split("codes::")
            .skip(1)
            .map(|rest| {
                rest.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).next().unwrap_or_default()
            })
            .filter(|code| code.len() > 2 && !COMMON.iter().any(|common| code.starts_with(common)))
            .collect();
        let component = registry().component(&name.replace('_', "-")).expect("it is registered");
        let listed: BTreeSet<&str> = component.finds().iter().map(|code| code.as_str()).collect();
        // Constants are named after what they stand for; how many there are is what can be compared.
        if named.len() != listed.len() || listed.iter().any(|code| Code::find(code).is_none()) {
            wrong.push(format!("{name} names {named:?} and lists {listed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
