//! The table of rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::rows;

/// Rows that need a controller's own program.
const BESIDE: [&str; 3] = ["argo_workflows", "gpu_operator", "karpenter"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn notes() -> PathBuf {
    here().join("../../target/contract")
}

/// Notes that a row passed on one side; `UPDATE=1` reads the notes.
pub(crate) fn passed(test: &str) {
    let _ = std::fs::create_dir_all(notes());
    let _ = std::fs::write(notes().join(test.replace("::", ".")), "");
}

/// Forgets that a row passed: it is being run again.
pub(crate) fn started(test: &str) {
    let _ = std::fs::remove_file(notes().join(test.replace("::", ".")));
}

/// `real` / `twin` cells as the committed table has them.
fn committed() -> BTreeMap<String, (String, String)> {
    let text = std::fs::read_to_string(here().join("README.md")).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            match cells.as_slice() {
                [row, _, _, real, twin] => {
                    Some((row.trim_matches('`').to_owned(), ((*real).to_owned(), (*twin).to_owned())))
                }
                _ => None,
            }
        })
        .collect()
}

fn render(cell: impl Fn(&str, &str) -> String) -> String {
    let mut out = String::from(
        "# Contract\n\nBehaviours that drivers lean on. Each row is one test body, run on a real API server (`real`) and on the twin (`twin`).\nA twin behaviour exists only with a row here. Rows of a controller have a control plane of their own, beside which the controller's own program works.\n\n```sh\ncargo test -p switchback-tests-contract                                                         # the twin; the real side is ignored\ntarget/debug/cluster test -- tests/cluster/suite                                                # both, without the controllers\ntests/cluster/controllers                                                                       # both, beside the controllers\nUPDATE=1 cargo test -p switchback-tests-contract readme                                         # rewrites this table from the last runs\n```\n\nThe real side was last run with Kubernetes 1.36.3, Helm 3.22.0 and Helm 4.3.1. Rows of controllers were run beside Argo Workflows 3.7.3, Karpenter's core 1.8.2 with its provider for kwok, and the GPU Operator at d73a0086a6ba (between 25.3.4 and 25.10). `.ci/run` runs them where there is Go and time.\n\n",
    );
    for (title, rows) in rows::all() {
        let _ = writeln!(
            out,
            "## {title}\n\n| row | what holds | who leans on it | real | twin |\n|---|---|---|---|---|"
        );
        for row in rows {
            let name = short(row.name);
            let _ = writeln!(
                out,
                "| `{name}` | {} | {} | {} | {} |",
                row.what,
                row.leans,
                cell(&name, "real"),
                cell(&name, "twin")
            );
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{} rows.", rows::all().iter().map(|(_, r)| r.len()).sum::<usize>());
    out
}

fn short(name: &str) -> String {
    name.split("rows::").last().unwrap_or(name).to_owned()
}

#[test]
fn readme_lists_every_row() {
    #[expect(clippy::disallowed_methods, reason = "the suite is told by its environment to rewrite")]
    let update = std::env::var("UPDATE").is_ok();
    let path = here().join("README.md");
    let before = committed();
    if update {
        let text = render(|row, side| {
            let (file, name) = row.split_once("::").unwrap_or((row, ""));
            let note = notes().join(format!("contract.rows.{file}.{side}.{name}"));
            let kept = before.get(row).map(|(real, twin)| if side == "real" { real } else { twin });
            if note.exists() { "pass".into() } else { kept.cloned().unwrap_or_else(|| "not run".into()) }
        });
        std::fs::write(&path, text).expect("README.md can be written");
        return;
    }
    let expected = render(|row, side| {
        let cells = before.get(row).cloned().unwrap_or_default();
        if side == "real" { cells.0 } else { cells.1 }
    });
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "tests/contract/README.md is not what the rows say: run it with UPDATE=1");
    // Beside a controller the real side is run by hand, tests/cluster/controllers; the twin's side never goes without.
    let beside = |line: &str| BESIDE.iter().any(|group| line.starts_with(&format!("| `{group}::")));
    let excused = |line: &str| beside(line) && !line.ends_with("| not run |");
    assert!(
        found.lines().all(|line| !line.contains("| not run |") || excused(line)),
        "a row has no result: run the suite on both sides, then with UPDATE=1"
    );
}
