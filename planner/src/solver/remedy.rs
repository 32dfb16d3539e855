//! What would help where there is no path: one target that goes further.

use switchback_schemas::Version;

use super::{
    build::build,
    input::Ask,
    reduce::reduce,
    search::{Outcome, solve},
};
use crate::catalog::{Catalog, ComponentFacts};

/// Targets of one component that are tried.
const TRIED: usize = 30;
/// States that one of the searches may expand.
const BUDGET: usize = 20_000;

/// The nearest target of a component beyond the one that is asked for with which there is a path, everything else as it is.
pub(super) fn further(catalog: &Catalog, ask: &Ask, component: usize) -> Option<Version> {
    let asked = ask.components.get(component)?;
    let facts = catalog.components.get(&asked.component)?;
    candidates(facts, &asked.to, ask).into_iter().take(TRIED).find(|version| {
        let mut further = ask.clone();
        if let Some(asked) = further.components.get_mut(component) {
            asked.to = version.clone();
        }
        let problem = build(catalog, &further).problem;
        let hard = problem.only(&problem.hard_facts());
        matches!(solve(&reduce(&hard).problem, BUDGET).outcome, Outcome::Found { .. })
    })
}

/// The newest version of each later line that is out, not bad and supported on the day, and of the target's own line.
fn candidates(facts: &ComponentFacts, beyond: &Version, ask: &Ask) -> Vec<Version> {
    let mut lines: Vec<Version> = Vec::new();
    let usable = facts.versions.iter().filter(|release| {
        release.version > *beyond
            && release.released.is_none_or(|day| day <= ask.as_of)
            && !facts.bad.iter().any(|bad| bad.versions.contains(&release.version))
    });
    for release in usable {
        match lines.last_mut() {
            Some(last) if last.minor_line() == release.version.minor_line() => {
                last.clone_from(&release.version);
            }
            _ => lines.push(release.version.clone()),
        }
    }
    lines
}
