//! Which states the catalog's hard facts allow, told by the rows themselves and not by the solver, and orders of hops at random.

use std::{collections::BTreeMap, fmt::Write as _};

use switchback_planner::catalog::{Catalog, Strength};
use switchback_schemas::Version;

/// Versions that are there together, by component: two while a hop is in progress.
pub(crate) type State = BTreeMap<String, Vec<Version>>;

/// The hard facts that a state breaks, whichever of the versions are there.
pub(crate) fn broken(catalog: &Catalog, state: &State) -> Vec<String> {
    let mut broken = Vec::new();
    for (component, versions) in state {
        let Some(facts) = catalog.components.get(component) else { continue };
        for version in versions {
            for matrix in facts.compatibility.iter().filter(|matrix| matrix.strength.hard()) {
                for row in matrix.rows.iter().filter(|row| row.when.contains(version)) {
                    let given = row.given.iter().all(|(third, range)| {
                        state
                            .get(third)
                            .is_some_and(|there| there.iter().any(|version| range.contains(version)))
                    });
                    let fails =
                        |other: &Version| row.on.contains(other) == (matrix.strength == Strength::Breaks);
                    let others =
                        state.get(&matrix.with).into_iter().flatten().filter(|other| given && fails(other));
                    broken.extend(
                        others.map(|other| format!("{component} {version} with {} {other}", matrix.with)),
                    );
                }
            }
        }
    }
    broken
}

/// A hop: what moves, from where to where, and the hops that come before it, by position.
pub(crate) struct Hop {
    pub(crate) component: String,
    pub(crate) from: Version,
    pub(crate) to: Version,
    pub(crate) after: Vec<usize>,
}

/// Walks hops in an order that a seed chooses among all that keep `after`, several at once where that is allowed, and tells
/// every state on the way to `look`; back the same way.
pub(crate) fn walk(hops: &[Hop], start: &State, seed: u64, mut look: impl FnMut(&State, &str)) {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).expect("small")
    };
    let mut begun = vec![false; hops.len()];
    let mut done = vec![false; hops.len()];
    let mut state = start.clone();
    let mut told = String::new();
    look(&state, "at the start");
    while done.contains(&false) {
        let can_begin =
            (0..hops.len()).filter(|n| !begun[*n] && hops[*n].after.iter().all(|before| done[*before]));
        let can_end = (0..hops.len()).filter(|n| begun[*n] && !done[*n]);
        let moves: Vec<(usize, bool)> =
            can_begin.map(|n| (n, true)).chain(can_end.map(|n| (n, false))).collect();
        let (number, begins) = moves[draw(moves.len())];
        let hop = &hops[number];
        let versions = state.get_mut(&hop.component).expect("it is there");
        if begins {
            begun[number] = true;
            versions.push(hop.to.clone());
        } else {
            done[number] = true;
            versions.retain(|version| *version != hop.from);
        }
        let _ = write!(told, "{} {}@{}; ", if begins { "begin" } else { "end" }, hop.component, hop.to);
        look(&state, &told);
    }
}
