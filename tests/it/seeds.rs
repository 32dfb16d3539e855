//! docs/seeds.md: every procedure that must work has its tests, by name.

use std::fs;

use switchback_tests_it::root;

use crate::named;

/// Columns beside the system: compile, show, apply, kill, resume, rollback.
const COLUMNS: usize = 6;

/// Systems of which nothing is shown yet; may only fall.
const OPEN: usize = 4;

/// The cells of each row below the head.
fn rows(table: &str) -> Vec<Vec<&str>> {
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What is wrong with a cell.
fn fault(cell: &str) -> Option<String> {
    if cell == "open" { None } else { named::fault(cell) }
}

#[test]
fn every_procedure_has_its_tests() {
    let table = fs::read_to_string(root().join("docs/seeds.md")).expect("docs/seeds.md");
    let rows = rows(&table);
    assert!(rows.len() >= 14, "a system of the written procedures is missing");
    let faults: Vec<String> = rows
        .iter()
        .flat_map(|row| {
            let count = (row.len() != COLUMNS + 1).then(|| format!("{}: not {COLUMNS} cells", row[0]));
            let cells =
                row.iter().skip(1).filter_map(|cell| fault(cell)).map(|fault| format!("{}: {fault}", row[0]));
            count.into_iter().chain(cells).collect::<Vec<_>>()
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let open = rows.iter().filter(|row| row.contains(&"open")).count();
    assert!(open <= OPEN, "{open} systems are open, and there were {OPEN}");
}
