//! docs/reliability.md: every fault of the catalogue has its tests, by name, or says what is open.

use std::fs;

use switchback_tests_it::root;

use crate::named::fault;

/// Rows of which nothing is shown; may only fall.
const NONE: usize = 2;

#[test]
fn every_fault_has_its_tests_or_says_what_is_open() {
    let table = fs::read_to_string(root().join("docs/reliability.md")).expect("docs/reliability.md");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 46, "the catalogue has 45 faults, and one of approvals");
    let mut faults = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let [id, _, tests, since, open] = row.as_slice() else { panic!("not five cells: {row:?}") };
        assert!(id.get(1..) == Some(&(number + 1).to_string()), "{id} is not in its place");
        if *tests == "none" {
            assert!(since.is_empty() && !open.is_empty(), "{id} says neither what shows it nor what is open");
            continue;
        }
        faults.extend(tests.split("<br>").filter_map(fault).map(|fault| format!("{id}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let none = rows.iter().filter(|row| row.get(2) == Some(&"none")).count();
    assert!(none <= NONE, "{none} faults have no test, and there were {NONE}");
}

#[test]
fn a_name_that_shows_nothing_is_seen() {
    for cell in ["", "`tests/wire/none.rs::x`", "`tests/wire/road.rs::no_such_test`", "soon"] {
        assert!(fault(cell).is_some(), "{cell:?}");
    }
    assert_eq!(fault("`tests/wire/road.rs::a_platform_is_observed_planned_and_upgraded`"), None);
}
