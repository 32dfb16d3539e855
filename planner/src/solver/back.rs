//! Rollbacks of hops, and which hop ends them.

use std::collections::BTreeSet;

use serde::Serialize;
use switchback_schemas::Version;

use super::{
    found::{Found, Reason},
    order::Edge,
    problem::Weight,
};
use crate::catalog::{ComponentFacts, Down, Way};

/// How a hop is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Back {
    /// How; absent where no source says anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// Days after the hop within which it has to begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_days: Option<u32>,
    /// What it costs, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Reason>,
}

/// A rollback that ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// The hop that cannot be taken back any more.
    pub hop: String,
    /// Why.
    pub why: String,
}

/// How a component rolls back from one version to another.
pub(super) fn of(facts: &ComponentFacts, from: &Version, to: &Version) -> Back {
    let crossed = facts.migrations.iter().filter(|migration| from < &migration.at && migration.at <= *to);
    // What the data cannot do the rest cannot mend.
    let data = crossed.filter(|migration| migration.back.is_some_and(|way| way != Way::Inverse));
    if let Some(migration) = data.max_by_key(|migration| migration.back) {
        let why = Reason::of(facts, format!("{}: {}", migration.at, migration.what), &migration.source);
        return Back { way: migration.back, within_days: None, why: Some(why) };
    }
    match row(facts, from, to) {
        Some(down) => Back {
            way: Some(down.way),
            within_days: down.within_days,
            why: Some(Reason::of(facts, down.why.clone(), &down.source)),
        },
        None => Back { way: None, within_days: None, why: None },
    }
}

fn row<'a>(facts: &'a ComponentFacts, from: &Version, to: &Version) -> Option<&'a Down> {
    facts.down.iter().find(|down| down.from.contains(to) && down.to.contains(from))
}

/// Rollbacks that end when a hop begins, and did not end before.
pub(super) fn closed(found: &Found<'_>, hop: usize, edges: &[Edge]) -> Vec<Closed> {
    let before = (0..hop).flat_map(|earlier| ended(found, earlier, edges));
    let before: BTreeSet<usize> = before.map(|(hop, _)| hop).collect();
    let mut closed: Vec<Closed> = Vec::new();
    for (number, why) in ended(found, hop, edges) {
        let id = found.id(number);
        if !before.contains(&number) && !closed.iter().any(|known| known.hop == id) {
            closed.push(Closed { hop: id, why });
        }
    }
    closed
}

/// Hops that cannot be taken back once a hop has begun, with why.
fn ended(found: &Found<'_>, hop: usize, edges: &[Edge]) -> Vec<(usize, String)> {
    let Some(own) = found.moves.get(hop) else { return Vec::new() };
    let Some(facts) = found.facts(own.component) else { return Vec::new() };
    let versions = |hop: &super::problem::Move| {
        Some((found.version(hop.component, hop.from)?, found.version(hop.component, hop.to)?))
    };
    let mut ended: Vec<(usize, String)> = Vec::new();
    if let Some((from, to)) = versions(own)
        && of(facts, from, to).way == Some(Way::None)
    {
        ended.push((hop, "it cannot be rolled back".to_owned()));
    }
    let previous = (0..hop)
        .rev()
        .find(|number| found.moves.get(*number).is_some_and(|other| other.component == own.component));
    if let Some(number) = previous
        && let Some((from, to)) = found.moves.get(number).and_then(versions)
        && row(facts, from, to).is_some_and(|down| down.closed_by_next)
    {
        ended.push((number, format!("{} rolls back one hop only", facts.title)));
    }
    // What a hop for good needs cannot roll back either, nor what came before that.
    let mut next = 0;
    while let Some((number, _)) = ended.get(next).cloned() {
        for edge in edges.iter().filter(|edge| edge.after == number) {
            let hard = |fact: &&usize| {
                found.reduced.problem.states.iter().any(|s| s.fact == **fact && s.weight == Weight::Hard)
            };
            let fact = edge.facts.iter().find(hard).and_then(|fact| found.built.facts.get(*fact));
            let why = match fact {
                Some(fact) => format!("{} stays, and {}", found.id(number), fact.text),
                None if edge.facts.is_empty() => format!("{} stays", found.id(number)),
                None => continue,
            };
            if !ended.iter().any(|(known, _)| *known == edge.before) {
                ended.push((edge.before, why));
            }
        }
        next += 1;
    }
    ended
}
