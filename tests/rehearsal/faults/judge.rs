//! What a run came to, held against what it should have come to.

use std::collections::BTreeSet;

use switchback_executor::machine::Rest;
use switchback_schemas::journal::End;

use super::{
    bench::Bench,
    carry::{Came, Carried, carried},
    history,
    scenario::Scenario,
};
use crate::support::{
    projection::Projection,
    run::{Planned, settled},
};

/// What one seed came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Well,
    /// A person had to help.
    Person(String),
    Wrong(String),
}

/// What is wrong with a run, whatever it came to: what did not hold on its way, and what its journal and the platform tell of it.
pub(super) fn histories(planned: &Planned, carried: &Carried, alone: bool) -> Vec<String> {
    let mut wrong = carried.wrong.clone();
    wrong.extend(history::wrong(&planned.plan, &carried.files.journal(), &carried.did, alone));
    wrong
}

/// The same for a run that may not have rolled anything back, and that ends where it ends without faults if it does.
pub(super) fn whole(bench: &Bench, carried: &Carried, alone: bool) -> Vec<String> {
    let mut wrong = histories(&bench.planned, carried, alone);
    if String::from_utf8_lossy(&carried.files.journal()).contains("\"turned-to-rollback\"") {
        wrong.push("a healthy hop was rolled back".to_owned());
    }
    if is_complete(&carried.came) {
        wrong.extend(differences(&bench.end, &settled(carried.world.clone())));
    }
    wrong
}

pub(super) fn is_complete(came: &Came) -> bool {
    *came == Came::Rest(Rest::Ended(End::Complete))
}

pub(super) fn differences(expected: &Projection, end: &Projection) -> Vec<String> {
    let lines: BTreeSet<&String> = expected.keys().chain(end.keys()).collect();
    let count = |of: &Projection, line: &String| of.get(line).copied().unwrap_or(0);
    let differ = lines.into_iter().filter(|line| count(expected, line) != count(end, line));
    differ
        .map(|line| {
            format!("at the end {} times and not {}: {line}", count(end, line), count(expected, line))
        })
        .collect()
}

/// Faults that pass by themselves: the run ends well without anybody.
pub(super) fn passing(bench: &Bench, seed: u64) -> Verdict {
    let scenario = Scenario::passing(seed, bench.world.now(), bench.length);
    let carried = carried(&bench.planned, bench.world.clone(), (bench.watch)(), &scenario);
    let wrong = whole(bench, &carried, scenario.parallel == 1);
    let told = format!("{scenario:#?}\n{carried:?}");
    match (wrong.is_empty(), is_complete(&carried.came)) {
        (false, _) => Verdict::Wrong(format!("{}\n{told}", wrong.join("\n"))),
        (true, false) => Verdict::Person(told),
        (true, true) => Verdict::Well,
    }
}
